// Package scanner is a serial barcode scanner, simulated on a pseudo-terminal.
//
// It is the other end of the scanner driver and shares no code with it. It
// behaves as a Honeywell scanner in serial trigger mode does: SYN T CR switches
// its light on, SYN U CR off; it reads one code a trigger and then goes dark,
// and it goes dark by itself when its read time is over. It sends the AIM
// identifier, the code's bytes and a suffix at the line's speed, and
// answers REVINF. so that the driver knows that it is alive.
//
// Guarantees: nothing is sent without a trigger, and nothing of a code that is
// not held to it at that moment. All methods are safe for concurrent use.
package scanner

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"bordergate/cmd/gatesim/tty"
)

// Options describe one scanner.
type Options struct {
	Link   string        // stable path: a symlink to the pty
	Baud   int           // bits a second, for the time on the wire
	Decode time.Duration // from light on a code to its first byte
	Read   time.Duration // after which a trigger without a code ends
	Suffix string        // after each code
	// OnLight is called for each command that switches the light, on the
	// scanner's own goroutine: it must return soon and call nothing here.
	OnLight func(on bool)
}

// DefaultOptions are those of a scanner at 115200 baud that decodes in 40 ms,
// stays lit for 9.9 s and ends a code with a carriage return.
func DefaultOptions() Options {
	return Options{Baud: 115200, Decode: 40 * time.Millisecond, Read: 9900 * time.Millisecond, Suffix: "\r"}
}

// Code is a barcode that is held to the scanner.
type Code struct {
	AIM     string // such as "]Q1"
	Payload []byte
	// Cut breaks the first transmission off after so many bytes, as a loose
	// plug does; 0 does not.
	Cut int
}

// Counts are what the scanner has seen.
type Counts struct {
	Triggers int // commands to light up
	Reads    int // codes sent whole
	Cut      int // transmissions broken off
	Queries  int
	Noise    int // bytes of no command
}

// Scanner is a running scanner.
type Scanner struct {
	o    Options
	stop chan struct{}

	plug sync.Mutex // serialises Unplug, Replug and Close

	mu     sync.Mutex
	line   *line // nil while unplugged; changed under plug too
	code   *Code
	shown  time.Time // when code was held to it
	lit    time.Time // when it was triggered; zero while dark
	verb   string    // what is wrong with it; see faults.go
	counts Counts
}

type line struct {
	*tty.Line
	done chan struct{}
}

// New powers the scanner up and links its line.
func New(o Options) (*Scanner, error) {
	if o.Baud < 300 || o.Decode < 0 || o.Read <= 0 {
		return nil, errors.New("power up scanner: speed or times are not valid")
	}
	s := &Scanner{o: o, stop: make(chan struct{})}
	return s, s.Replug()
}

// Replug makes a new line and points the stable path at it. It does nothing
// while the scanner is plugged in.
func (s *Scanner) Replug() error {
	s.plug.Lock()
	defer s.plug.Unlock()
	if s.line != nil {
		return nil
	}
	t, err := tty.Open(s.o.Link)
	if err != nil {
		return fmt.Errorf("plug scanner: %w", err)
	}
	l := &line{t, make(chan struct{})}
	s.set(func() { s.line = l })
	go func() {
		defer close(l.done) // Unplug waits for it
		s.serve(l)
	}()
	return nil
}

// Unplug pulls the cable, which takes its power too.
func (s *Scanner) Unplug() error {
	s.plug.Lock()
	defer s.plug.Unlock()
	l := s.line
	if l == nil {
		return nil
	}
	s.set(func() { s.line, s.lit = nil, time.Time{} })
	err := l.Close()
	<-l.done
	return err
}

// Close unplugs it for good.
func (s *Scanner) Close() error {
	close(s.stop)
	return s.Unplug()
}

// Path is the line's own path now, empty while unplugged.
func (s *Scanner) Path() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == nil {
		return ""
	}
	return s.line.Path()
}

// Present holds a code to the scanner from now on.
func (s *Scanner) Present(c Code) {
	s.set(func() {
		s.code, s.shown = &c, time.Now()
		if s.line != nil {
			_ = s.line.Far.SetReadDeadline(time.Unix(1, 0)) // a lost line has nobody to wake
		}
	})
}

// Remove takes the code away.
func (s *Scanner) Remove() { s.set(func() { s.code = nil }) }

// Counts is what it has seen so far.
func (s *Scanner) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Lit reports whether its light is on.
func (s *Scanner) Lit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.lit.IsZero()
}

func (s *Scanner) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// serve obeys commands and reads codes until the line is closed.
func (s *Scanner) serve(l *line) {
	var held []byte
	b := make([]byte, 256)
	for {
		if s.sleep(l) != nil {
			return
		}
		n, err := l.Far.Read(b)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		var answers []string
		held, answers = s.obey(append(held, b[:n]...))
		if s.mute() {
			continue
		}
		for _, a := range answers {
			if _, err := l.Far.WriteString(a); err != nil {
				return
			}
		}
		if out := s.read(); len(out) > 0 && s.send(l, out) != nil {
			return
		}
	}
}
