package turnstile

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/hal/port"
)

// arrival is what comes over a wire, and when.
type arrival struct {
	at    time.Duration // since the wire was made
	bytes []byte
}

// wire is a port in a test's own time.
type wire struct {
	born          time.Time
	comes         []arrival
	until         time.Time
	sent          [][]byte
	reads, writes int
	gone          bool
}

func newWire(comes ...arrival) *wire { return &wire{born: time.Now(), comes: comes} }

func (w *wire) Write(p []byte) (int, error) {
	if w.writes++; w.gone {
		return 0, port.ErrGone
	}
	w.sent = append(w.sent, slices.Clone(p))
	return len(p), nil
}

// Read waits, as a line does, for what comes next or for its deadline.
func (w *wire) Read(p []byte) (int, error) {
	if w.reads++; w.gone {
		return 0, port.ErrGone
	}
	if len(w.comes) > 0 {
		if at := w.born.Add(w.comes[0].at); !at.After(w.until) {
			<-time.After(time.Until(at))
			n := copy(p, w.comes[0].bytes)
			w.comes = w.comes[1:]
			return n, nil
		}
	}
	<-time.After(time.Until(w.until))
	return 0, os.ErrDeadlineExceeded
}

func (w *wire) SetReadDeadline(t time.Time) error { w.until = t; return nil }
func (w *wire) SetWriteDeadline(time.Time) error  { return nil }
func (w *wire) Flush() error {
	if w.gone {
		return port.ErrGone
	}
	return nil
}
func (w *wire) Close() error { return nil }

// word is a question of one byte with an answer of one.
func word(send, want byte) Question {
	return Question{Send: []byte{send}, Reply: 1, Parse: func(p []byte) ([]byte, bool, error) {
		if p[0] != want {
			return nil, true, ErrGarbled
		}
		return p[:1], true, nil
	}}
}

const testBaud = 115200

// TestAnswerIsWaitedForExactly: the time on the wire and the reply's own time,
// and not a moment longer; then the line has to be silent.
func TestAnswerIsWaitedForExactly(t *testing.T) {
	for name, c := range map[string]struct {
		late time.Duration // beyond the last moment
		want error
	}{"in time": {0, nil}, "too late": {time.Microsecond, ErrNoReply}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const reply = 50 * time.Millisecond
				l := NewLine(nil, testBaud, reply)
				last := l.onWire(2) + reply
				w := newWire(arrival{last + c.late, []byte{9}})
				l.port = w
				start := time.Now()
				_, sent, err := l.Exchange(t.Context(), word(1, 9))
				if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || !sent {
					t.Fatalf("sent %v, %v", sent, err)
				}
				took := last
				if c.want != nil {
					// What came a moment later begins the silence anew.
					took += c.late + quietAfterError
				}
				if d := time.Since(start); d != took {
					t.Errorf("took %v, want %v", d, took)
				}
			})
		})
	}
}

// TestLateReplyIsNotTheNextAnswer: after a lost answer nothing is sent before
// the line was silent for long enough, and what came meanwhile is thrown away.
func TestLateReplyIsNotTheNextAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const reply = 50 * time.Millisecond
		w := newWire(
			arrival{reply + 60*time.Millisecond, []byte{9}}, arrival{reply + 150*time.Millisecond, []byte{9}}, // late, in two pieces
			arrival{reply + 260*time.Millisecond, []byte{7}})
		l := NewLine(w, testBaud, reply)
		if _, _, err := l.Exchange(t.Context(), word(1, 9)); !errors.Is(err, ErrNoReply) {
			t.Fatal(err)
		}
		if d := time.Since(w.born); d != reply+250*time.Millisecond {
			t.Errorf("silent after %v", d)
		}
		if !l.suspect || l.misses != 1 {
			t.Errorf("suspect %v, %d misses", l.suspect, l.misses)
		}
		got, _, err := l.Exchange(t.Context(), word(2, 7))
		if err != nil || got[0] != 7 || l.misses != 0 {
			t.Errorf("the next answer is % X, %v", got, err)
		}
	})
}

// TestLineThatIsNeverSilentIsGivenUp bounds the wait for silence.
func TestLineThatIsNeverSilentIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var noise []arrival
		for at := 60 * time.Millisecond; at < time.Minute; at += 50 * time.Millisecond {
			noise = append(noise, arrival{at, []byte{0xAA}})
		}
		w := newWire(noise...)
		l := NewLine(w, testBaud, 50*time.Millisecond)
		_, _, err := l.Exchange(t.Context(), word(1, 9))
		if !errors.Is(err, ErrChatter) {
			t.Fatal(err)
		}
		if d := time.Since(w.born); d > drainLimit+2*quietAfterError {
			t.Errorf("given up after %v", d)
		}
	})
}

// idle is a board that is never met: its line is lost before.
type idle struct{ Board }

func (idle) Sample(context.Context) (Sample, error) { return Sample{}, nil }

// asking is a board that reads one word.
type asking struct {
	idle
	l *Line
}

func (a asking) Sample(ctx context.Context) (Sample, error) {
	_, _, err := a.l.Exchange(ctx, word(1, 9))
	return Sample{}, err
}

// TestAwayIsNoSpin counts, in an hour of a test's own time, what a driver does
// about a device that is not there: at most two tries a second, each of a few
// calls, and no read at all of a path that does not open.
func TestAwayIsNoSpin(t *testing.T) {
	const away = time.Hour
	for name, gone := range map[string]bool{"no path": false, "hung up": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opened := 0
				w := newWire()
				w.gone = true
				o := DefaultOptions()
				o.Dial = func() (port.Port, error) {
					if opened++; gone {
						return w, nil
					}
					return nil, os.ErrNotExist
				}
				d, err := New(o, Model{Open: func(l *Line) Board { return asking{l: l} }}, nil)
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithTimeout(t.Context(), away)
				defer stop()
				if err := d.Serve(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Serve: %v", err)
				}
				if limit := int(away/(500*time.Millisecond)) + 5; opened < 1000 || opened > limit {
					t.Errorf("opened %d times in %v, want 1000 to %d", opened, away, limit)
				}
				if calls := w.reads + w.writes; calls > 2*opened || !gone && calls != 0 {
					t.Errorf("%d reads and %d writes in %d tries", w.reads, w.writes, opened)
				}
			})
		})
	}
}

// TestServiceResumesSoon: however long the device was away, it is tried again
// within a second of its coming back.
func TestServiceResumesSoon(t *testing.T) {
	for _, away := range []time.Duration{0, 90 * time.Millisecond, 3 * time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			back := time.Now().Add(away)
			var tried time.Time
			o := DefaultOptions()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			o.Dial = func() (port.Port, error) {
				if time.Now().Before(back) {
					return nil, os.ErrNotExist
				}
				tried = time.Now()
				stop()
				return nil, os.ErrNotExist
			}
			d, err := New(o, Model{Open: func(*Line) Board { return idle{} }}, nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = d.Serve(ctx) // ended by the try
			if late := tried.Sub(back); late > time.Second {
				t.Errorf("away for %v: tried again %v after it was back", away, late)
			}
		})
	}
}
