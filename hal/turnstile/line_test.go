package turnstile

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/hal/port"
)

// An adapter that hears itself is found out by a question that tells, and the
// echo is then taken off every answer.
func TestEchoIsFoundOutAndTakenOff(t *testing.T) {
	l := &Line{}
	tells, other := Question{Send: []byte{1, 2, 3}, Tells: true}, Question{Send: []byte{4, 5}}
	for _, c := range []struct {
		q     Question
		p     []byte
		rest  []byte
		whole bool
		echo  bool
	}{
		{other, []byte{4, 5, 9}, []byte{4, 5, 9}, true, false},
		{tells, []byte{1, 2}, []byte{1, 2}, true, false},
		{tells, []byte{1, 2, 3, 9}, []byte{9}, true, true},
		{other, []byte{4}, nil, false, true},
		{other, []byte{4, 5, 9}, []byte{9}, true, true},
		{tells, []byte{1, 7, 3}, []byte{1, 7, 3}, true, false},
	} {
		rest, whole := l.withoutEcho(c.q, c.p)
		if !bytes.Equal(rest, c.rest) || whole != c.whole || l.echo != c.echo {
			t.Errorf("% X of % X: % X, %v, echo %v", c.q.Send, c.p, rest, whole, l.echo)
		}
	}
}

// chatter is a line that is never silent.
type chatter struct {
	port.Port
	until time.Time
	sent  int
}

func (c *chatter) Flush() error                     { return nil }
func (c *chatter) Write(p []byte) (int, error)      { return len(p), nil }
func (c *chatter) SetWriteDeadline(time.Time) error { return nil }
func (c *chatter) SetReadDeadline(t time.Time) error {
	c.until = t
	return nil
}

func (c *chatter) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Millisecond):
	case <-time.After(time.Until(c.until)):
		return 0, os.ErrDeadlineExceeded
	}
	n := min(len(p), 7)
	for i := range n {
		p[i] = byte(c.sent + i)
	}
	c.sent += n
	return n, nil
}

// Whatever a line brings, an exchange ends in bounded time and every byte that
// belongs to no answer is counted.
func TestWhateverComesIsBoundedAndCounted(t *testing.T) {
	for name, parse := range map[string]func([]byte) ([]byte, bool, error){
		"waits for more": func([]byte) ([]byte, bool, error) { return nil, false, nil },
		"garbled":        func([]byte) ([]byte, bool, error) { return nil, true, ErrGarbled },
	} {
		synctest.Test(t, func(t *testing.T) {
			c := &chatter{}
			l := NewLine(c, 19200, 100*time.Millisecond)
			began := time.Now()
			_, sent, err := l.Exchange(t.Context(), Question{Send: []byte{1}, Reply: 8, Parse: parse})
			if !sent || !Missed(err) || !errors.Is(err, ErrChatter) {
				t.Errorf("%s: sent %v, %v", name, sent, err)
			}
			if d := time.Since(began); d > 2*drainLimit {
				t.Errorf("%s: took %v", name, d)
			}
			if n := l.noise.Load(); n != uint64(c.sent) || n == 0 {
				t.Errorf("%s: %d of %d bytes counted", name, n, c.sent)
			}
		})
	}
}

// What comes after a command that has no answer is nobody's.
func TestTellRestsAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &chatter{}
		l := NewLine(c, 19200, 100*time.Millisecond)
		began := time.Now()
		sent, err := l.Tell(t.Context(), []byte{1, 2}, 50*time.Millisecond)
		if d := time.Since(began); !sent || err != nil || d < 50*time.Millisecond || d > 60*time.Millisecond {
			t.Errorf("sent %v after %v: %v", sent, d, err)
		}
		if n := l.noise.Load(); n != uint64(c.sent) || n == 0 {
			t.Errorf("%d of %d bytes counted", n, c.sent)
		}
	})
}
