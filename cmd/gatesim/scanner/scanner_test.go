package scanner

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bordergate/hal/port"
)

func plug(t *testing.T, o Options) (*Scanner, *port.Line) {
	t.Helper()
	o.Link = filepath.Join(t.TempDir(), "scanner")
	s, err := New(o)
	if err != nil {
		t.Skipf("this machine has no pty: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	p := port.DefaultOptions()
	p.Path = o.Link
	l, err := port.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return s, l
}

func say(t *testing.T, l *port.Line, text string) {
	t.Helper()
	if _, err := l.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// hear reads as many bytes as want has.
func hear(t *testing.T, l *port.Line, want string) {
	t.Helper()
	if err := l.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len(want))
	if n, err := io.ReadFull(l, b); err != nil || string(b) != want {
		t.Fatalf("heard %q, want %q (%v)", b[:n], want, err)
	}
}

func TestReadsOneCodeATrigger(t *testing.T) {
	s, l := plug(t, DefaultOptions())
	s.Present(Code{AIM: "]Q1", Payload: []byte("RDB1BABC")})
	// In the dark nothing is read: only the answer to the question comes.
	say(t, l, "noise"+cmdQuery)
	hear(t, l, answerRev)
	say(t, l, cmdLight)
	hear(t, l, "]Q1RDB1BABC\r")
	if s.Lit() {
		t.Error("lit after a read")
	}
	say(t, l, cmdQuery)
	hear(t, l, answerRev)
	long := strings.Repeat("A", 500)
	s.Present(Code{AIM: "]d1", Payload: []byte(long), Cut: 300})
	say(t, l, cmdLight)
	hear(t, l, ("]d1" + long)[:300])
	say(t, l, cmdDark+cmdLight)
	hear(t, l, "]d1"+long+"\r")
	s.Remove()
	say(t, l, cmdLight+cmdBeep+cmdQuery)
	hear(t, l, answerRev)
	if c := s.Counts(); c != (Counts{Triggers: 4, Reads: 2, Cut: 1, Queries: 3, Noise: len("noise")}) {
		t.Errorf("counts %+v", c)
	}
	if !s.Lit() {
		t.Error("dark although nothing was read")
	}
}

func TestCodeIsReadWhileLit(t *testing.T) {
	s, l := plug(t, DefaultOptions())
	say(t, l, cmdLight+cmdQuery)
	hear(t, l, answerRev)
	s.Present(Code{Payload: []byte("X")})
	hear(t, l, "X\r")
}

func TestReadTimeEnds(t *testing.T) {
	o := DefaultOptions()
	o.Read = time.Nanosecond
	s, l := plug(t, o)
	say(t, l, cmdLight+cmdQuery)
	hear(t, l, answerRev)
	say(t, l, cmdQuery) // answered after the look at the time
	hear(t, l, answerRev)
	if s.Lit() {
		t.Error("still lit")
	}
}

func TestUnplugHangsUp(t *testing.T) {
	s, l := plug(t, DefaultOptions())
	first := s.Path()
	if err := errors.Join(s.Unplug(), s.Unplug()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Read(make([]byte, 1)); !errors.Is(err, port.ErrGone) {
		t.Errorf("the line is %v", err)
	}
	if s.Path() != "" {
		t.Errorf("unplugged and at %s", s.Path())
	}
	if err := errors.Join(s.Replug(), s.Replug()); err != nil || first == "" || s.Path() == "" {
		t.Errorf("plugged in again at %q: %v", s.Path(), err)
	}
}

func TestOptionsRefused(t *testing.T) {
	for _, o := range []Options{{}, {Baud: 9600}, {Baud: 9600, Read: 1, Decode: -1}} {
		if _, err := New(o); err == nil {
			t.Errorf("taken: %+v", o)
		}
	}
}

func TestFaults(t *testing.T) {
	s, l := plug(t, DefaultOptions())
	s.Present(Code{AIM: "]Q1", Payload: []byte("ABCD")})
	struck := func(verb, heard string) {
		t.Helper()
		if err := s.Strike(verb); err != nil {
			t.Fatal(err)
		}
		say(t, l, cmdLight)
		hear(t, l, heard)
		if err := s.Mend(); err != nil {
			t.Fatal(err)
		}
	}
	struck("glued", "]Q1ABCD]Q1ABCD\r")
	struck("split", "]Q1ABCD\r") // in pieces: whoever waits for the end gets it
	if err := s.Strike("silent"); err != nil {
		t.Fatal(err)
	}
	say(t, l, cmdLight+cmdQuery)
	for s.Counts().Queries == 0 { // taken, not answered
		s.Counts()
	}
	if err := s.Mend(); err != nil {
		t.Fatal(err)
	}
	s.Present(Code{AIM: "]Q1", Payload: []byte("NEXT")})
	hear(t, l, "]Q1NEXT\r")
	if err := s.Strike("hang_up"); err != nil || s.Path() != "" {
		t.Errorf("hung up and at %q: %v", s.Path(), err)
	}
	if err := s.Mend(); err != nil || s.Path() == "" {
		t.Errorf("not plugged in again: %v", err)
	}
	if s.Strike("explode") == nil {
		t.Error("an unknown verb is taken")
	}
}
