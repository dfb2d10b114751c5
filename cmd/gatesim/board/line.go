package board

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// line is one pty: the board's end, and the daemon's end kept open so that the
// board does not hang up when the daemon closes it.
type line struct {
	far, near *os.File
	done      chan struct{} // closed when its goroutine has ended
}

// Replug makes a new line and points the stable path at it. It does nothing
// while the board is plugged in.
func (b *Board) Replug() error {
	b.plug.Lock()
	defer b.plug.Unlock()
	if b.closed {
		return fmt.Errorf("plug board: %w", os.ErrClosed)
	}
	if b.line != nil {
		return nil
	}
	far, near, err := openPair()
	if err != nil {
		return fmt.Errorf("plug board: %w", err)
	}
	if err := errors.Join(makeRaw(near), b.link(near.Name())); err != nil {
		return errors.Join(fmt.Errorf("plug board: %w", err), far.Close(), near.Close())
	}
	b.line = &line{far: far, near: near, done: make(chan struct{})}
	l := b.line
	b.workers.Go(func() { b.serve(l) })
	return nil
}

// openPair is a pty whose far end knows deadlines and whose Close releases a
// pending Read: pty.Open leaves its descriptor in blocking mode, so a
// non-blocking one of the same end takes its place.
func openPair() (far, near *os.File, err error) {
	first, near, err := pty.Open()
	if err != nil {
		return nil, nil, err
	}
	fd, err := unix.FcntlInt(first.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, nil, errors.Join(err, first.Close(), near.Close())
	}
	far = os.NewFile(uintptr(fd), first.Name())
	if err := first.Close(); err != nil {
		return nil, nil, errors.Join(err, far.Close(), near.Close())
	}
	return far, near, nil
}

// Unplug pulls the cable: the stable path disappears and the line hangs up. The
// board keeps its power and its outputs.
func (b *Board) Unplug() error {
	b.plug.Lock()
	defer b.plug.Unlock()
	return b.unplugLocked()
}

func (b *Board) unplugLocked() error {
	l := b.line
	if l == nil {
		return nil
	}
	b.line = nil
	var err error
	if b.opts.Link != "" {
		if err = os.Remove(b.opts.Link); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	err = errors.Join(err, l.far.Close(), l.near.Close())
	<-l.done
	return err
}

// Path is the line's own path now, behind the stable one; empty while
// unplugged.
func (b *Board) Path() string {
	b.plug.Lock()
	defer b.plug.Unlock()
	if b.line == nil {
		return ""
	}
	return b.line.near.Name()
}

// link replaces the stable path in one step, so that it never points nowhere.
func (b *Board) link(target string) error {
	if b.opts.Link == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(b.opts.Link), 0o755); err != nil {
		return err
	}
	tmp := fmt.Sprintf("%s.%d", b.opts.Link, os.Getpid())
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, b.opts.Link)
}

// makeRaw stops the pty from echoing and changing bytes before the daemon has
// configured it.
func makeRaw(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = c.Control(func(fd uintptr) {
		t, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
		if err != nil {
			inner = err
			return
		}
		t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
		t.Cflag = t.Cflag&^unix.CSIZE | unix.CS8 | unix.CREAD | unix.CLOCAL
		t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
		inner = unix.IoctlSetTermios(int(fd), unix.TCSETS, t)
	})
	return errors.Join(err, inner)
}

// quiet is the silence after which an unfinished request is thrown away. A
// real board takes 3.5 characters; a pty's writer can be held up by its
// scheduler for longer than that.
const quiet = 20 * time.Millisecond

// serve answers requests until the line is closed.
func (b *Board) serve(l *line) {
	defer close(l.done)
	var held []byte
	buf := make([]byte, maxFrame)
	for {
		var deadline time.Time
		if len(held) > 0 {
			deadline = time.Now().Add(quiet)
		}
		if l.far.SetReadDeadline(deadline) != nil {
			return
		}
		n, err := l.far.Read(buf)
		switch {
		case n > 0:
			held = append(held, buf[:n]...)
		case errors.Is(err, os.ErrDeadlineExceeded):
			b.countNoise(len(held))
			held = nil
			continue
		case err != nil:
			return
		}
		if held, err = b.answer(l, held); err != nil {
			return
		}
	}
}

// answer deals with every whole request in p and returns what is left.
func (b *Board) answer(l *line, p []byte) ([]byte, error) {
	for {
		frame, rest, noise := next(p)
		b.countNoise(noise)
		if frame == nil {
			return rest, nil
		}
		p = rest
		b.wait(b.onWire(len(frame)))
		reply := b.handle(frame)
		if len(reply) == 0 {
			continue
		}
		b.wait(b.opts.Turnaround + b.gap() + b.onWire(len(reply)))
		if _, err := l.far.Write(reply); err != nil {
			return nil, err
		}
	}
}

func (b *Board) countNoise(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Noise += n
}

// onWire is the time n characters of ten bits take.
func (b *Board) onWire(n int) time.Duration {
	if b.opts.Baud == 0 {
		return 0
	}
	return time.Duration(n) * 10 * time.Second / time.Duration(b.opts.Baud)
}

// gap is the silence that ends a frame: 3.5 characters, 1.75 ms above 19200.
func (b *Board) gap() time.Duration {
	switch {
	case b.opts.Baud == 0:
		return 0
	case b.opts.Baud > 19200:
		return 1750 * time.Microsecond
	default:
		return 7 * 11 * time.Second / time.Duration(2*b.opts.Baud)
	}
}
