// Package tty is the simulated hardware's end of a serial line: a
// pseudo-terminal under a stable path.
//
// The far end knows deadlines, and Close releases a call that waits on it. The
// daemon's end stays open here too, so that the line does not hang up when the
// daemon closes it. The stable path never points nowhere while the line lives.
package tty

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// Line is one line, plugged in.
type Line struct {
	Far  *os.File // the hardware's end
	near *os.File
	link string
}

// Open makes a line and points link at it; an empty link is none.
func Open(link string) (*Line, error) {
	far, near, err := openPair()
	if err != nil {
		return nil, fmt.Errorf("open line: %w", err)
	}
	l := &Line{Far: far, near: near, link: link}
	if err := errors.Join(makeRaw(near), l.point()); err != nil {
		return nil, errors.Join(fmt.Errorf("open line: %w", err), far.Close(), near.Close())
	}
	return l, nil
}

// Path is the line's own path, behind the stable one.
func (l *Line) Path() string { return l.near.Name() }

// Close pulls the cable: the stable path disappears and the line hangs up.
func (l *Line) Close() error {
	var err error
	if l.link != "" {
		if err = os.Remove(l.link); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	return errors.Join(err, l.Far.Close(), l.near.Close())
}

// openPair is a pty whose far end is not in blocking mode, as pty.Open leaves
// it: another descriptor of the same end takes its place.
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

// point replaces the stable path in one step.
func (l *Line) point() error {
	if l.link == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(l.link), 0o755); err != nil {
		return err
	}
	tmp := fmt.Sprintf("%s.%d", l.link, os.Getpid())
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(l.near.Name(), tmp); err != nil {
		return err
	}
	return os.Rename(tmp, l.link)
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
