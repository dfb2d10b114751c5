// Package modbustest runs a Modbus RTU slave that is not ours, pymodbus as a
// process of its own, at the far end of a simulated wire: two pseudo-terminals
// and a relay that lets each byte take the time it takes at the line's speed.
//
// The slave has coils, discrete inputs, holding and input registers from
// address 0, an input register following its discrete input, and none of the
// addresses that makers add. It tells of each write in order.
package modbustest

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"bordergate/cmd/gatesim/tty"
	"bordergate/hal"
)

// ErrMissing says that there is no pymodbus on this machine.
var ErrMissing = errors.New("pymodbus is not installed: run \"make setup-test\", or apt-get install python3-pymodbus python3-serial-asyncio")

// python is Debian's own, which has Debian's modules; another on the path may
// not.
const python = "/usr/bin/python3"

//go:embed testdata/slave.py
var script string

// Options of a slave.
type Options struct {
	Link     string // path of the master's end
	Baud     int    // speed of the wire in bits a second; 0: bytes take no time
	Unit     byte
	Channels int // of each kind; 0: 16
}

// Write is what a master wrote into the slave.
type Write struct {
	At      hal.Mono // when the slave told it
	Coil    bool     // else a holding register
	Address int
	Value   int
}

// Slave is a running slave.
type Slave struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	acks  chan struct{}
	ended chan struct{} // closed when it has said its last word
	wire  [2]*tty.Line
	cable sync.WaitGroup // what carries bytes
	relay sync.WaitGroup // what hears the slave
	o     Options

	orders sync.Mutex // one at a time

	mu     sync.Mutex
	writes []Write
	told   chan Write
	words  strings.Builder // what it complained of
}

// Start runs a slave and returns when it listens.
func Start(o Options) (*Slave, error) {
	if exec.Command(python, "-c", "import pymodbus.server, serial_asyncio").Run() != nil {
		return nil, ErrMissing
	}
	if o.Channels == 0 {
		o.Channels = 16
	}
	s := &Slave{acks: make(chan struct{}, 1), ended: make(chan struct{}), told: make(chan Write, 4096)}
	far, err := tty.Open("")
	if err != nil {
		return nil, err
	}
	s.wire[1], s.o = far, o
	if err := s.Plug(); err != nil {
		return nil, errors.Join(err, s.unplug())
	}
	if err := s.run(o); err != nil {
		return nil, errors.Join(fmt.Errorf("start pymodbus: %w", err), s.unplug())
	}
	if err := s.answered(); err != nil {
		return nil, errors.Join(fmt.Errorf("start pymodbus: %w", err), s.Close())
	}
	return s, nil
}

func (s *Slave) run(o Options) error {
	baud := max(o.Baud, 9600)
	s.cmd = exec.Command(python, "-c", script, s.wire[1].Path(), strconv.Itoa(baud), strconv.Itoa(int(o.Unit)), strconv.Itoa(o.Channels))
	s.cmd.Stderr = &s.words
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.relay.Go(func() { s.listen(out) })
	return nil
}

// listen takes in what the slave says until it ends.
func (s *Slave) listen(out io.Reader) {
	defer close(s.ended)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		w := Write{At: hal.Now()}
		var kind string
		if n, _ := fmt.Sscanf(lines.Text(), "write %s %d %d", &kind, &w.Address, &w.Value); n != 3 {
			select {
			case s.acks <- struct{}{}:
			default:
			}
			continue
		}
		w.Coil = kind == "c"
		s.mu.Lock()
		s.writes = append(s.writes, w)
		s.mu.Unlock()
		select {
		case s.told <- w:
		default: // nobody looks; Writes has it
		}
	}
}

// patience is how long the slave may take to come up or to obey.
const patience = 30 * time.Second

func (s *Slave) answered() error {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-s.acks:
		return nil
	case <-s.ended:
		return fmt.Errorf("it ended (%w): %s", s.cmd.Wait(), s.words.String())
	case <-t.C:
		return errors.New("it does not answer")
	}
}

func (s *Slave) order(format string, a ...any) error {
	s.orders.Lock()
	defer s.orders.Unlock()
	if _, err := fmt.Fprintf(s.in, format+"\n", a...); err != nil {
		return fmt.Errorf("order the slave: %w", err)
	}
	return s.answered()
}

// Set drives an input: discrete input and input register alike.
func (s *Slave) Set(ch int, on bool) error {
	if on {
		return s.order("set %d 1", ch)
	}
	return s.order("set %d 0", ch)
}

// Pulse inverts an input for d, in whole milliseconds.
func (s *Slave) Pulse(ch int, d time.Duration) error {
	return s.order("pulse %d %d", ch, d.Milliseconds())
}

// Holding sets a holding register from the slave's side.
func (s *Slave) Holding(addr int, val uint16) error { return s.order("holding %d %d", addr, val) }

// Writes is everything that masters have written.
func (s *Slave) Writes() []Write {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Write(nil), s.writes...)
}

// Told gives each write as it comes; the oldest 4096 that nobody took.
func (s *Slave) Told() <-chan Write { return s.told }

// Close ends the process and unplugs the wire.
func (s *Slave) Close() error {
	_ = s.in.Close() // it ends by itself on the end of its orders
	t := time.AfterFunc(5*time.Second, func() { _ = s.cmd.Process.Kill() })
	<-s.ended
	_ = s.cmd.Wait() // how it ended says nothing of the test
	t.Stop()
	return s.unplug()
}

// Plug puts the cable in: the link is there, and bytes pass. One caller at a
// time, here and in Unplug.
func (s *Slave) Plug() error {
	near, err := tty.Open(s.o.Link)
	if err != nil {
		return err
	}
	if err := s.wire[1].Far.SetReadDeadline(time.Time{}); err != nil {
		return errors.Join(err, near.Close())
	}
	s.wire[0] = near
	s.cable.Go(func() { carry(near, s.wire[1], s.o.Baud) })
	s.cable.Go(func() { carry(s.wire[1], near, s.o.Baud) })
	return nil
}

// Unplug pulls the cable: the link disappears, and the line hangs up.
func (s *Slave) Unplug() error {
	if s.wire[0] == nil {
		return nil
	}
	err := errors.Join(s.wire[0].Close(), s.wire[1].Far.SetReadDeadline(time.Now()))
	s.wire[0] = nil
	s.cable.Wait()
	return err
}

func (s *Slave) unplug() error {
	err := errors.Join(s.Unplug(), s.wire[1].Close())
	s.relay.Wait()
	return err
}

// carry moves bytes from one end of the wire to the other until it is
// unplugged; they arrive when their last bit would.
func carry(from, to *tty.Line, baud int) {
	buf := make([]byte, 4096)
	var free time.Time // when the wire has carried what it was given
	for {
		n, err := from.Far.Read(buf)
		if err != nil {
			return
		}
		if baud > 0 {
			if now := time.Now(); free.Before(now) {
				free = now
			}
			free = free.Add(time.Duration(n) * 10 * time.Second / time.Duration(baud))
			<-time.After(time.Until(free)) // a wire takes its time whatever happens
		}
		if _, err := to.Far.Write(buf[:n]); err != nil {
			return
		}
	}
}

// Test is what New needs of a test.
type Test interface {
	Helper()
	Cleanup(func())
	Skip(...any)
	Errorf(string, ...any)
	Fatalf(string, ...any)
}

// New starts a slave for one test. Where there is no pymodbus the test is
// skipped, unless BORDERGATE_PARTS=all says that every part must be there.
func New(t Test, o Options) *Slave {
	t.Helper()
	s, err := Start(o)
	if errors.Is(err, ErrMissing) && os.Getenv("BORDERGATE_PARTS") != "all" {
		t.Skip(err.Error())
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("%v", err)
		}
	})
	return s
}
