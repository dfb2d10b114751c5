package board

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"bordergate/cmd/gatesim/tty"
)

// line is one pty with the goroutine that serves it.
type line struct {
	*tty.Line
	done chan struct{} // closed when its goroutine has ended
	cut  atomic.Bool   // before it hangs up
	once sync.Once
	err  error // of pull
}

// pull hangs the line up; whoever pulls again is told the same.
func (l *line) pull() error {
	l.cut.Store(true)
	l.once.Do(func() { l.err = l.Close() })
	return l.err
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
	t, err := tty.Open(b.opts.Link)
	if err != nil {
		return fmt.Errorf("plug board: %w", err)
	}
	b.line = &line{Line: t, done: make(chan struct{})}
	l := b.line
	b.workers.Go(func() { b.serve(l) })
	return nil
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
	err := l.pull()
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
	return b.line.Path()
}

// errHungUp ends a line's goroutine after a fault has hung it up.
var errHungUp = errors.New("hung up")

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
		if l.Far.SetReadDeadline(deadline) != nil {
			return
		}
		n, err := l.Far.Read(buf)
		switch {
		case n > 0:
			held = append(held, buf[:n]...)
			if b.takes(FaultHangUpWrite) {
				_ = l.pull() // Unplug tells what it said
				return
			}
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
		frame, rest, noise := b.next(p)
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
		if b.takes(FaultHangUpFrame) {
			_, err := l.Far.Write(reply[:len(reply)/2])
			return nil, errors.Join(errHungUp, err, l.pull())
		}
		if _, err := l.Far.Write(reply); err != nil {
			return nil, err
		}
	}
}

// next takes one right request off the front of p.
func (b *Board) next(p []byte) (frame, rest []byte, noise int) {
	if b.ctl != nil {
		return b.ctl.next(p)
	}
	return next(p)
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
