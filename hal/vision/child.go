package vision

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// childFD is the descriptor on which a worker finds its socket.
const childFD = 3

// sendLimit is how long a send may wait for the other end to read.
const sendLimit = 2 * time.Second

// ErrProtocol is returned when a message comes that has no place there.
var ErrProtocol = errors.New("vision: message out of place")

// CommandKind is what a worker is told to do.
type CommandKind uint8

// The commands.
const (
	CommandWatch CommandKind = iota + 1
	CommandStop
	CommandStill
	CommandMirror
)

// Command is one order to a worker.
type Command struct {
	Kind CommandKind
	// Session is given with CommandWatch.
	Session uint32
	// On is given with CommandMirror.
	On bool
}

// Child is the worker's end of the socket. Send and Note are safe for concurrent use; Config and Next are for one goroutine.
type Child struct {
	conn net.Conn
	mu   sync.Mutex
	box  *box
}

// OpenChild takes over the inherited descriptors.
func OpenChild() (*Child, error) {
	f := os.NewFile(childFD, "supervisor")
	if f == nil {
		return nil, errors.New("open worker socket: descriptor 3 is not there: a worker is started by the daemon, not by hand")
	}
	conn, err := net.FileConn(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("open worker socket: a worker is started by the daemon, not by hand: %w", err)
	}
	c := NewChild(conn)
	c.box = openBox()
	return c, nil
}

// NewChild uses a connection that is already there.
func NewChild(conn net.Conn) *Child { return &Child{conn: conn} }

// Config returns the first message.
func (c *Child) Config() (WorkerConfig, error) {
	m, err := Read(c.conn)
	if err != nil {
		return WorkerConfig{}, fmt.Errorf("read configuration: %w", err)
	}
	cfg, ok := m.(WorkerConfig)
	if !ok {
		return WorkerConfig{}, fmt.Errorf("read configuration: %w: kind %d", ErrProtocol, m.kind())
	}
	return cfg, cfg.Validate()
}

// Next waits for the next command. An error, io.EOF too, means that the worker must end.
func (c *Child) Next() (Command, error) {
	m, err := Read(c.conn)
	if err != nil {
		return Command{}, err
	}
	switch m := m.(type) {
	case watch:
		return Command{Kind: CommandWatch, Session: m.Session}, nil
	case stop:
		return Command{Kind: CommandStop}, nil
	case still:
		return Command{Kind: CommandStill}, nil
	case mirror:
		return Command{Kind: CommandMirror, On: m.On}, nil
	default:
		return Command{}, fmt.Errorf("read command: %w: kind %d", ErrProtocol, m.kind())
	}
}

// Note writes what the worker does now where the supervisor finds it when the worker is no more, however it ends.
func (c *Child) Note(l Lane, t Trace) {
	if c.box != nil {
		t.Since = monotonic()
		c.box.note(l, t)
	}
}

// Ready tells that the worker has all it needs.
func (c *Child) Ready() error { return c.Send(ready{PID: os.Getpid()}) }

// Fail tells why the worker cannot go on; it then ends.
func (c *Child) Fail(err error) error { return c.Send(Fault{Text: err.Error()}) }

// Send sends one message whole. An error means that the worker must end.
func (c *Child) Send(m Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.conn.SetWriteDeadline(time.Now().Add(sendLimit)); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return Write(c.conn, m)
}

func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0
	}
	return t.Nano()
}

// Close ends the connection; a waiting Next returns.
func (c *Child) Close() error { return c.conn.Close() }
