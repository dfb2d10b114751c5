package modbusio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"bordergate/hal/port"
)

// bus is the master's end of one open line. One goroutine owns it.
type bus struct {
	port    port.Port
	unit    byte
	prof    Profile
	baud    int
	timeout time.Duration // beyond the time on the wire
	last    time.Time     // when the line was last busy
	echo    bool          // the adapter hears itself
	misses  int           // exchanges in a row without an answer
	suspect bool          // an exchange failed since the last sample that counted
	buf     [512]byte
}

// quietAfterError is how long the line must be silent after an exchange that
// failed, so that a late reply cannot become the answer to the next request.
const quietAfterError = 100 * time.Millisecond

// drainLimit ends the wait for silence on a line that is never silent.
const drainLimit = time.Second

// errChatter: the line does not fall silent.
var errChatter = errors.New("the line is never silent: another master or a wrong speed")

func (b *bus) onWire(n int) time.Duration {
	return time.Duration(n) * 11 * time.Second / time.Duration(b.baud)
}

// gap is the silence between frames: 3.5 characters, 1.75 ms above 19200 baud.
func (b *bus) gap() time.Duration {
	if b.baud > 19200 {
		return 1750 * time.Microsecond
	}
	return b.onWire(7) / 2
}

// pause waits until the line has been silent long enough to send.
func (b *bus) pause(ctx context.Context) error {
	d := b.gap() - time.Since(b.last)
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

// exchange sends one request and returns the data of its answer. sent reports
// whether any byte may have gone out: if not, the board cannot have acted. The
// answer is waited for even when ctx ends meanwhile. After a failure the line
// has been silent for quietAfterError.
func (b *bus) exchange(ctx context.Context, fn byte, addr, val uint16) (data []byte, sent bool, err error) {
	if err := b.pause(ctx); err != nil {
		return nil, false, err
	}
	if err := b.port.Flush(); err != nil {
		return nil, false, err
	}
	req := request(b.unit, fn, addr, val)
	if err := b.port.SetWriteDeadline(time.Now().Add(b.onWire(len(req)) + b.timeout)); err != nil {
		return nil, false, err
	}
	n, err := b.port.Write(req)
	b.last = time.Now()
	if err != nil {
		// A port may have taken bytes that it did not count.
		return nil, n > 0 || !errors.Is(err, port.ErrGone), fmt.Errorf("send request: %w", err)
	}
	data, err = b.receive(req)
	b.last = time.Now()
	var no exception
	if err == nil || errors.As(err, &no) {
		b.misses = 0
		return data, true, err
	}
	if errors.Is(err, errNoReply) || errors.Is(err, errGarbled) {
		b.misses++
		b.suspect = true
		return nil, true, errors.Join(err, b.drain())
	}
	return nil, true, err
}

// inputWait is the longest wait for a reading of the inputs beyond the time on
// the wire. A late reading is worth more than the silence after a lost one: a
// passage contact is on for 100 ms, and a missed one is never made up for. The
// relays' answers are waited for less long, so that a read-back still falls
// into the pulse.
const inputWait = 300 * time.Millisecond

func (b *bus) patience(fn byte) time.Duration {
	if fn == b.prof.InputFn {
		return max(b.timeout, inputWait)
	}
	return b.timeout
}

// receive collects the answer to req, without the adapter's echo of it.
func (b *bus) receive(req []byte) ([]byte, error) {
	deadline := time.Now().Add(b.onWire(len(req)+replyLen(req)) + b.patience(req[1]))
	if b.echo {
		deadline = deadline.Add(b.onWire(len(req)))
	}
	if err := b.port.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	held := 0
	for held < len(b.buf) {
		n, err := b.port.Read(b.buf[held:])
		held += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, errNoReply
		}
		if err != nil {
			return nil, err
		}
		p, whole := b.withoutEcho(req, b.buf[:held])
		if !whole {
			continue
		}
		data, done, err := parseReply(req, p)
		if done {
			return data, err
		}
	}
	return nil, errGarbled
}

// withoutEcho strips the adapter's echo of req. On a read the echo cannot be
// mistaken for the answer (its third byte is the address, the answer's is a
// count), so a read finds out whether the adapter echoes; a write relies on it.
func (b *bus) withoutEcho(req, p []byte) (rest []byte, whole bool) {
	if req[1] <= 4 {
		echoed := bytes.HasPrefix(p, req)
		if len(p) >= len(req) {
			b.echo = echoed
		}
		if echoed {
			return p[len(req):], true
		}
		return p, true
	}
	if !b.echo {
		return p, true
	}
	if len(p) < len(req) {
		return nil, false
	}
	return p[len(req):], true
}

// drain reads until the line has been silent for quietAfterError.
func (b *bus) drain() error {
	for end := time.Now().Add(drainLimit); time.Now().Before(end); {
		if err := b.port.SetReadDeadline(time.Now().Add(quietAfterError)); err != nil {
			return err
		}
		_, err := b.port.Read(b.buf[:])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return errChatter
}

// read is a reading, tried once more after a failure of the exchange itself.
func (b *bus) read(ctx context.Context, fn byte, addr, n uint16) ([]byte, error) {
	data, _, err := b.exchange(ctx, fn, addr, n)
	if errors.Is(err, errNoReply) || errors.Is(err, errGarbled) {
		data, _, err = b.exchange(ctx, fn, addr, n)
	}
	return data, err
}

// bits reads n channels as a mask, by bits or by registers as fn is.
func (b *bus) bits(ctx context.Context, fn byte, n int) (uint32, []byte, error) {
	data, err := b.read(ctx, fn, b.prof.Base, uint16(n))
	if err != nil {
		return 0, nil, err
	}
	var mask uint32
	for i := range n {
		on := false
		if fn <= 2 {
			on = data[i/8]>>(i%8)&1 == 1
		} else {
			on = data[2*i]|data[2*i+1] != 0
		}
		if on {
			mask |= 1 << i
		}
	}
	return mask, data, nil
}

// relay switches a relay, lastingly. sent is as of exchange.
func (b *bus) relay(ctx context.Context, ch int, on bool) (sent bool, err error) {
	val := uint16(0)
	if on {
		val = b.prof.OnValue
	}
	_, sent, err = b.exchange(ctx, b.prof.WriteFn, b.prof.Base+uint16(ch), val)
	return sent, err
}

// pulseUnit is the board's unit of pulse time.
const pulseUnit = 100 * time.Millisecond

// flash starts a pulse that the board ends by itself.
func (b *bus) flash(ctx context.Context, ch int, d time.Duration) (sent bool, err error) {
	_, sent, err = b.exchange(ctx, b.prof.WriteFn, b.prof.FlashBase+uint16(ch), uint16(d/pulseUnit))
	return sent, err
}
