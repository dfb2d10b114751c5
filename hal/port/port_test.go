package port

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// pair opens a pty and the line on its slave. The slave's own descriptor stays
// open, as a plugged-in device does.
func pair(t *testing.T) (far, slave *os.File, path string) {
	t.Helper()
	far, slave, err := pty.Open()
	if err != nil {
		t.Skipf("this machine has no pty: %v", err)
	}
	t.Cleanup(func() { _ = far.Close(); _ = slave.Close() })
	return far, slave, slave.Name()
}

func open(t *testing.T, path string) *Line {
	t.Helper()
	o := DefaultOptions()
	o.Path = path
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestEveryByteValuePassesBothWays(t *testing.T) {
	far, _, path := pair(t)
	l := open(t, path)
	want := make([]byte, 256)
	for i := range want {
		want[i] = byte(i)
	}
	soon := time.Now().Add(5 * time.Second)
	if err := errors.Join(l.SetReadDeadline(soon), l.SetWriteDeadline(soon), far.SetReadDeadline(soon)); err != nil {
		t.Fatal(err)
	}
	for _, way := range []struct {
		name string
		w    io.Writer
		r    io.Reader
	}{{"out", l, far}, {"in", far, l}} {
		if _, err := way.w.Write(want); err != nil {
			t.Fatalf("%s: %v", way.name, err)
		}
		got := make([]byte, 256)
		if _, err := io.ReadFull(way.r, got); err != nil {
			t.Fatalf("%s: %v", way.name, err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: bytes were changed", way.name)
		}
	}
}

func TestReadDeadlineIsNotAHangUp(t *testing.T) {
	far, _, path := pair(t)
	l := open(t, path)
	_ = l.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
	if _, err := l.Read(make([]byte, 8)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Read at its deadline: %v", err)
	}
	_ = l.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, _ = far.Write([]byte{7})
	b := make([]byte, 8)
	if n, err := l.Read(b); n != 1 || err != nil || b[0] != 7 {
		t.Errorf("Read after a deadline = %d, %v", n, err)
	}
}

func TestWriteDeadlineFreesAStuckWriter(t *testing.T) {
	_, _, path := pair(t)
	l := open(t, path)
	_ = l.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := l.Write(make([]byte, 256<<10)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write that nobody reads: %v", err)
	}
}

func TestCloseReleasesAPendingRead(t *testing.T) {
	_, _, path := pair(t)
	l := open(t, path)
	done := make(chan error, 1)
	go func() {
		_, err := l.Read(make([]byte, 8))
		done <- err
	}()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("Read during Close: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Close left a Read pending")
	}
	if err := l.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestHangUpIsGoneAndStaysGone(t *testing.T) {
	far, slave, path := pair(t)
	l := open(t, path)
	if err := errors.Join(far.Close(), slave.Close()); err != nil {
		t.Fatal(err)
	}
	_ = l.SetReadDeadline(time.Now().Add(5 * time.Second))
	for range 3 {
		if _, err := l.Read(make([]byte, 8)); !errors.Is(err, ErrGone) {
			t.Fatalf("Read of a hung-up line: %v", err)
		}
	}
	if _, err := l.Write([]byte{1}); !errors.Is(err, ErrGone) {
		t.Errorf("Write to a hung-up line: %v", err)
	}
	if err := l.Flush(); !errors.Is(err, ErrGone) {
		t.Errorf("Flush of a hung-up line: %v", err)
	}
}

func TestSecondOwnerIsRefused(t *testing.T) {
	_, _, path := pair(t)
	l := open(t, path)
	o := DefaultOptions()
	o.Path, o.Baud = path, 9600
	if _, err := Open(o); !errors.Is(err, ErrInUse) {
		t.Fatalf("second Open: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(o)
	if err != nil {
		t.Fatalf("Open after Close: %v", err)
	}
	_ = again.Close()
}

func TestOpenDiscardsWhatWasBuffered(t *testing.T) {
	far, slave, path := pair(t)
	tio, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	tio.Lflag &^= unix.ICANON | unix.ECHO
	if err := unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, tio); err != nil {
		t.Fatal(err)
	}
	if _, err := far.Write([]byte("stale")); err != nil {
		t.Fatal(err)
	}
	l := open(t, path)
	if _, err := far.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = l.SetReadDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 16)
	n, err := l.Read(b)
	if err != nil || string(b[:n]) != "x" {
		t.Errorf("first Read = %q, %v", b[:n], err)
	}
}

func TestOpenSaysTheCure(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, path := pair(t)
	for name, c := range map[string]struct {
		o    Options
		want error
	}{
		"absent":     {Options{Path: filepath.Join(dir, "absent"), Baud: 9600}, os.ErrNotExist},
		"not a tty":  {Options{Path: plain, Baud: 9600}, ErrNotSerial},
		"odd speed":  {Options{Path: path, Baud: 128000}, nil},
		"odd parity": {Options{Path: path, Baud: 9600, Parity: 'X'}, nil},
	} {
		_, err := Open(c.o)
		if err == nil {
			t.Errorf("%s: opened", name)
		} else if c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBackoffGrowsWithinItsBounds(t *testing.T) {
	var b Backoff
	base := 100 * time.Millisecond
	for i := range 12 {
		d := b.Next()
		if d < base/2 || d > base {
			t.Errorf("wait %d is %v, want %v to %v", i, d, base/2, base)
		}
		base = min(2*base, time.Second)
	}
	b.Reset()
	if d := b.Next(); d > 100*time.Millisecond {
		t.Errorf("after Reset %v", d)
	}
}

func TestAwaitRetriesUntilTheDeviceIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b Backoff
		tries, told := 0, 0
		_, err := Await(t.Context(), &b, func() (Port, error) {
			if tries++; tries < 10 {
				return nil, os.ErrNotExist
			}
			return &Line{}, nil
		}, func(error) { told++ })
		if err != nil || tries != 10 || told != 9 {
			t.Errorf("err %v after %d tries, %d reported", err, tries, told)
		}
	})
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var b Backoff
		_, err := Await(ctx, &b, func() (Port, error) { return nil, os.ErrNotExist }, nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Await: %v", err)
		}
	})
}
