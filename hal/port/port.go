// Package port is a serial line with exact deadlines.
//
// tarm/serial configures the line (speed, raw mode); the bytes go over a second
// descriptor of the same path that is non-blocking and known to Go's poller.
// So a deadline holds to about a millisecond, Close releases a pending Read or
// Write at once, and no thread is spent on a port.
//
// Guarantees: one owner a line (an exclusive lock on the device; a second
// opener is refused with ErrInUse); what was buffered before Open is discarded;
// a hang-up is reported as ErrGone by the call that meets it and by every call
// after it, without touching the device again. A port that is gone never comes
// back: close it and open the stable path again, see Await.
//
// One goroutine may read while another writes.
package port

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"bordergate/hal"

	"github.com/tarm/serial"
	"golang.org/x/sys/unix"
)

// Errors of opening and of a lost line.
var (
	// ErrInUse: another process, or this one, already owns the line.
	ErrInUse = errors.New("the serial line is in use")
	// ErrGone: the line hung up (unplugged, or its far end closed).
	ErrGone = errors.New("the serial line is gone")
	// ErrNotSerial: the path is not a serial line.
	ErrNotSerial = errors.New("not a serial line")
)

// Port is a byte line to a device.
//
// Read returns what is there, at least one byte, or os.ErrDeadlineExceeded.
type Port interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
	// Flush discards what was received and not read.
	Flush() error
}

// Parity of a line.
type Parity byte

// The parities that can be set. Received parity errors are not reported; a
// checksum has to catch them.
const (
	ParityNone Parity = 'N'
	ParityOdd  Parity = 'O'
	ParityEven Parity = 'E'
)

// Options say which line and how fast.
type Options struct {
	Path   string // a stable path, such as /dev/gate/barrier; resolved anew at each Open
	Baud   int    // bits a second, from the standard table up to 4000000; 128000 and 256000 are not in it
	Parity Parity // 8 data bits and one stop bit always
}

// DefaultOptions are 115200 8N1 without a path.
func DefaultOptions() Options { return Options{Baud: 115200, Parity: ParityNone} }

// Line is an open serial line.
type Line struct {
	file *os.File
	raw  syscall.RawConn
	path string
	gone atomic.Bool
}

// Open takes the line, configures it and discards what it had buffered.
func Open(o Options) (*Line, error) {
	fd, err := unix.Open(o.Path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, openError(o, err)
	}
	file := os.NewFile(uintptr(fd), o.Path)
	if err := configure(fd, o); err != nil {
		return nil, errors.Join(openError(o, err), file.Close())
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(openError(o, err), file.Close())
	}
	l := &Line{file: file, raw: raw, path: o.Path}
	if err := l.Flush(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return l, nil
}

// configure locks the device, then lets tarm set the line. The lock is taken
// first: a second owner must not even change the speed.
func configure(fd int, o Options) error {
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return ErrInUse
		}
		return fmt.Errorf("lock: %w", err)
	}
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		return fmt.Errorf("%w: %w", ErrNotSerial, err)
	}
	conf := serial.Config{Name: o.Path, Baud: o.Baud, Parity: serial.Parity(o.Parity)}
	if o.Parity == 0 {
		conf.Parity = serial.ParityNone
	}
	t, err := serial.OpenPort(&conf)
	if err != nil {
		return fmt.Errorf("configure line at %d baud: %w", o.Baud, err)
	}
	// The settings belong to the line, not to tarm's descriptor.
	return t.Close()
}

func openError(o Options, err error) error {
	e := &hal.Error{Op: "open serial line", Device: o.Path, Err: err}
	switch {
	case errors.Is(err, os.ErrNotExist):
		e.Hint = "plug the adapter in, or correct the path; the udev rule names it by its physical port"
	case errors.Is(err, os.ErrPermission):
		e.Hint = "give the daemon the group of the device (dialout)"
	case errors.Is(err, ErrInUse):
		e.Hint = "stop the other program that has it open"
	case errors.Is(err, ErrNotSerial):
		e.Hint = "the path must be a tty"
	}
	return e
}

// Read reads at least one byte. At the read deadline it returns
// os.ErrDeadlineExceeded.
func (l *Line) Read(p []byte) (int, error) {
	if l.gone.Load() {
		return 0, l.lost("read")
	}
	n, err := l.file.Read(p)
	if n > 0 {
		return n, nil
	}
	return 0, l.classify("read", err)
}

// Write writes all of p, or returns how much went out before the error.
func (l *Line) Write(p []byte) (int, error) {
	if l.gone.Load() {
		return 0, l.lost("write")
	}
	n, err := l.file.Write(p)
	if err == nil {
		return n, nil
	}
	return n, l.classify("write", err)
}

// classify turns what a hung-up tty answers into ErrGone. A deadline and a
// Close by the owner stay what they are.
func (l *Line) classify(op string, err error) error {
	switch {
	case err == nil, errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, unix.EIO), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		l.gone.Store(true)
		return l.lost(op)
	default:
		return &hal.Error{Op: op, Device: l.path, Err: err}
	}
}

func (l *Line) lost(op string) error {
	return &hal.Error{Op: op, Device: l.path, Err: ErrGone, Hint: "check the cable and the adapter"}
}

// SetReadDeadline bounds every Read until it is set again; zero is none.
func (l *Line) SetReadDeadline(t time.Time) error { return l.file.SetReadDeadline(t) }

// SetWriteDeadline bounds every Write until it is set again; zero is none.
func (l *Line) SetWriteDeadline(t time.Time) error { return l.file.SetWriteDeadline(t) }

// Flush discards what was received and not read. What is still to be sent is
// left alone: it may be half of a command.
func (l *Line) Flush() error {
	if l.gone.Load() {
		return l.lost("flush")
	}
	var inner error
	err := l.raw.Control(func(fd uintptr) {
		inner = unix.IoctlSetInt(int(fd), unix.TCFLSH, unix.TCIFLUSH)
	})
	if err == nil {
		err = inner
	}
	// A line without this control (some ptys and USB gadgets) has nothing to
	// discard it with; the protocol's checksum deals with the leftovers.
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	return l.classify("flush", err)
}

// Close gives the line and its lock back and releases pending calls.
func (l *Line) Close() error {
	if err := l.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return &hal.Error{Op: "close", Device: l.path, Err: err}
	}
	return nil
}
