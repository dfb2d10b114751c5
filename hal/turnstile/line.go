package turnstile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"bordergate/hal/port"
)

// Errors of an exchange on the line.
var (
	// ErrNoReply: nothing, or not enough, came in time.
	ErrNoReply = errors.New("no reply in time")
	// ErrGarbled: what came is not the answer to this request.
	ErrGarbled = errors.New("the reply does not belong to the request")
	// ErrChatter: the line does not fall silent.
	ErrChatter = errors.New("the line is never silent: another master or a wrong speed")
)

// Missed reports whether an exchange failed in a way that may be over with the
// next one.
func Missed(err error) bool { return errors.Is(err, ErrNoReply) || errors.Is(err, ErrGarbled) }

// Question is one request and how its answer is known.
type Question struct {
	Send  []byte
	Reply int           // length of the right answer, for its time on the wire
	Wait  time.Duration // longest wait beyond the time on the wire, where it is more than the line's own
	// Tells says that the adapter's echo of the request cannot be taken for the
	// answer, so that this question finds out whether there is one.
	Tells bool
	// Parse looks for the answer in what came so far. It returns done=false
	// while more bytes are needed, and an error for what can never become the
	// answer. The data may point into p.
	Parse func(p []byte) (data []byte, done bool, err error)
}

// Line is the master's end of one open half-duplex line. One goroutine owns it.
type Line struct {
	port    port.Port
	baud    int
	timeout time.Duration // beyond the time on the wire
	last    time.Time     // when the line was last busy
	echo    bool          // the adapter hears itself
	misses  int           // exchanges in a row without an answer
	suspect bool          // an exchange failed since the last sample that counted
	noise   *atomic.Uint64
	buf     [512]byte
}

// NewLine takes an open port over. Timeout is the longest wait for a reply
// beyond its time on the wire.
func NewLine(p port.Port, baud int, timeout time.Duration) *Line {
	return &Line{port: p, baud: baud, timeout: timeout, noise: new(atomic.Uint64)}
}

// quietAfterError is how long the line must be silent after an exchange that
// failed, so that a late reply cannot become the answer to the next request.
const quietAfterError = 100 * time.Millisecond

// drainLimit ends the wait for silence on a line that is never silent.
const drainLimit = time.Second

func (l *Line) onWire(n int) time.Duration {
	return time.Duration(n) * 11 * time.Second / time.Duration(l.baud)
}

// gap is the silence between frames: 3.5 characters, 1.75 ms above 19200 baud.
func (l *Line) gap() time.Duration {
	if l.baud > 19200 {
		return 1750 * time.Microsecond
	}
	return l.onWire(7) / 2
}

// pause waits until the line has been silent long enough to send.
func (l *Line) pause(ctx context.Context) error {
	d := l.gap() - time.Since(l.last)
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Exchange sends one request and returns the data of its answer, which holds
// until the next exchange. sent reports whether any byte may have gone out: if
// not, the board cannot have acted. The answer is waited for even when ctx ends
// meanwhile. After a failure the line has been silent for quietAfterError.
func (l *Line) Exchange(ctx context.Context, q Question) (data []byte, sent bool, err error) {
	if sent, err := l.send(ctx, q.Send); err != nil {
		return nil, sent, err
	}
	data, err = l.receive(q)
	l.last = time.Now()
	if err == nil || errors.As(err, new(Refused)) {
		l.misses = 0
		return data, true, err
	}
	if Missed(err) {
		l.misses++
		l.suspect = true
		return nil, true, errors.Join(err, l.drain())
	}
	return nil, true, err
}

// Tell sends a command that the device does not answer, and then leaves the
// line alone for as long as the device needs; what comes meanwhile is noise.
func (l *Line) Tell(ctx context.Context, p []byte, rest time.Duration) (sent bool, err error) {
	if sent, err := l.send(ctx, p); err != nil {
		return sent, err
	}
	end := time.Now().Add(l.onWire(len(p)) + rest)
	for time.Now().Before(end) {
		if err := l.port.SetReadDeadline(end); err != nil {
			return true, err
		}
		n, err := l.port.Read(l.buf[:])
		l.noise.Add(uint64(n))
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return true, err
		}
	}
	l.last = time.Now()
	return true, nil
}

// send waits for silence and sends. sent is as of Exchange.
func (l *Line) send(ctx context.Context, p []byte) (sent bool, err error) {
	if err := l.pause(ctx); err != nil {
		return false, err
	}
	if err := l.port.Flush(); err != nil {
		return false, err
	}
	if err := l.port.SetWriteDeadline(time.Now().Add(l.onWire(len(p)) + l.timeout)); err != nil {
		return false, err
	}
	n, err := l.port.Write(p)
	l.last = time.Now()
	if err != nil {
		// A port may have taken bytes that it did not count.
		return n > 0 || !errors.Is(err, port.ErrGone), fmt.Errorf("send request: %w", err)
	}
	return true, nil
}

// receive collects the answer, without the adapter's echo of the question.
func (l *Line) receive(q Question) ([]byte, error) {
	deadline := time.Now().Add(l.onWire(len(q.Send)+q.Reply) + max(l.timeout, q.Wait))
	if l.echo {
		deadline = deadline.Add(l.onWire(len(q.Send)))
	}
	if err := l.port.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	held := 0
	for held < len(l.buf) {
		n, err := l.port.Read(l.buf[held:])
		held += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			l.noise.Add(uint64(held))
			return nil, ErrNoReply
		}
		if err != nil {
			return nil, err
		}
		p, whole := l.withoutEcho(q, l.buf[:held])
		if !whole {
			continue
		}
		data, done, err := q.Parse(p)
		if done {
			if errors.Is(err, ErrGarbled) {
				l.noise.Add(uint64(held))
			}
			return data, err
		}
	}
	l.noise.Add(uint64(held))
	return nil, ErrGarbled
}

// withoutEcho strips the adapter's echo of the question. One that tells finds
// out whether the adapter echoes; the others rely on it.
func (l *Line) withoutEcho(q Question, p []byte) (rest []byte, whole bool) {
	if q.Tells {
		echoed := bytes.HasPrefix(p, q.Send)
		if len(p) >= len(q.Send) {
			l.echo = echoed
		}
		if echoed {
			return p[len(q.Send):], true
		}
		return p, true
	}
	if !l.echo {
		return p, true
	}
	if len(p) < len(q.Send) {
		return nil, false
	}
	return p[len(q.Send):], true
}

// drain reads until the line has been silent for quietAfterError.
func (l *Line) drain() error {
	for end := time.Now().Add(drainLimit); time.Now().Before(end); {
		if err := l.port.SetReadDeadline(time.Now().Add(quietAfterError)); err != nil {
			return err
		}
		n, err := l.port.Read(l.buf[:])
		l.noise.Add(uint64(n))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ErrChatter
}
