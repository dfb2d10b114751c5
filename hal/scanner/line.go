package scanner

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"time"

	"bordergate/hal"
	"bordergate/hal/port"
)

// line is one open line, used by Serve's goroutine alone.
type line struct {
	s       *Scanner
	p       port.Port
	parser  parser
	session uint32 // 0 for none
	answer  []byte // what came since a question
	asked   hal.Mono
	waiting bool // for an answer
	pending bool // a session, for that answer
	beginAt hal.Mono
	misses  int
	nextAsk hal.Mono
	nextArm hal.Mono          // when to trigger again in a session
	seen    [sha256.Size]byte // of the payload delivered last
	seenAt  hal.Mono
	hasSeen bool
}

func (l *line) loop(ctx context.Context, back *port.Backoff) error {
	b := make([]byte, 4096)
	for {
		if err := l.ask(hal.Now()); err != nil {
			return err
		}
		if err := l.arm(hal.Now()); err != nil {
			return err
		}
		// The deadline is set before orders are looked at: an order given
		// after that look moves the deadline and so ends the read.
		if err := l.p.SetReadDeadline(time.Now().Add(l.pause(hal.Now()))); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, o := range l.s.takeOrders() {
			if err := l.obey(o); err != nil {
				return err
			}
		}
		n, err := l.p.Read(b)
		now := hal.Now()
		if n > 0 {
			l.s.count(func(h *Health) { h.Heard = now })
			if err := l.take(now, b[:n]); err != nil {
				return err
			}
			if l.s.Health().Online {
				back.Reset()
			}
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		l.deliver(l.parser.tick(now))
	}
}

// pause is the time to the next thing to do.
func (l *line) pause(now hal.Mono) time.Duration {
	const longest = time.Second
	wait := longest
	if at, ok := l.parser.deadline(); ok {
		wait = min(wait, at.Sub(now))
	} else if l.session != 0 {
		wait = min(wait, l.nextArm.Sub(now))
	}
	if l.waiting {
		wait = min(wait, l.asked.Add(l.s.o.Reply).Sub(now))
	} else if l.pending {
		wait = min(wait, l.beginAt.Sub(now))
	}
	return max(wait, time.Millisecond)
}

func (l *line) send(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if err := l.p.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	_, err := l.p.Write(b)
	return err
}

func (l *line) obey(o order) error {
	switch o {
	case orderStart:
		return l.begin()
	case orderStop:
		l.session, l.pending = 0, false
		l.parser.reset()
		return l.send(l.s.cmds.release)
	}
	return l.send(l.s.cmds.beep)
}

// begin throws away what is there and triggers. While an answer is on its way
// it waits for that, which would look like a scan.
func (l *line) begin() error {
	l.session, l.pending = 0, false
	l.parser.reset()
	wanted := l.s.wanted()
	switch {
	case wanted == 0:
		return nil // stopped again since
	case l.waiting:
		l.pending = true
		return nil
	}
	l.session, l.hasSeen, l.answer = wanted, false, nil
	if err := l.p.Flush(); err != nil {
		return err
	}
	l.nextArm = 0
	return l.arm(hal.Now())
}

// arm triggers a scanner whose trigger has ended: most end it with whatever
// they read, the wrong code too, and all do after some seconds. Between the
// bytes of a scan, and of what is left of a spoilt one, it waits.
func (l *line) arm(now hal.Mono) error {
	if _, busy := l.parser.deadline(); busy || l.session == 0 || now < l.nextArm {
		return nil
	}
	l.nextArm = now.Add(l.s.o.Retrigger)
	return l.send(l.s.cmds.trigger)
}

// take hands bytes to the session, or to the question that waits.
func (l *line) take(now hal.Mono, b []byte) error {
	ssi, packets := l.parser.(*ssiParser)
	if l.session == 0 && !packets {
		if !l.waiting {
			l.s.count(func(h *Health) { h.Stray += uint64(len(b)) })
			return nil
		}
		l.answer = append(l.answer, b...)
		if l.s.o.answered(l.answer) || len(l.answer) > maxAnswer {
			l.answered(now)
		}
		return nil
	}
	frames, reply := l.parser.feed(now, b)
	if err := l.send(reply); err != nil {
		return err
	}
	if packets && ssi.replied {
		ssi.replied = false
		l.answered(now)
	}
	l.deliver(frames)
	return nil
}

// settle is for what a scanner sends after the end of its answer.
const settle = 20 * time.Millisecond

func (l *line) answered(now hal.Mono) {
	l.waiting, l.misses, l.answer = false, 0, nil
	l.beginAt = now.Add(settle)
	l.s.count(func(h *Health) { h.Answered = now })
	l.s.online()
}

// ask puts the question when it is time, and gives up on a scanner that left
// two unanswered. It never asks in a session: the answer could stand in a scan.
func (l *line) ask(now hal.Mono) error {
	o := &l.s.o
	if l.s.cmds.query == nil || l.session != 0 {
		return nil
	}
	if l.waiting && now >= l.asked.Add(o.Reply) {
		l.waiting, l.answer = false, nil
		l.misses++
		l.nextAsk, l.beginAt = now, now
		if l.misses >= 2 {
			return &hal.Error{Op: "ask", Device: o.name(), Err: ErrSilent, Hint: "check the cable, the supply and the dialect of the scanner"}
		}
	}
	if l.pending && !l.waiting && now >= l.beginAt {
		return l.begin()
	}
	if l.waiting || l.pending || now < l.nextAsk {
		return nil
	}
	l.waiting, l.asked, l.nextAsk, l.answer = true, now, now.Add(o.Query), nil
	return l.send(l.s.cmds.query)
}

// deliver tells whole scans once and spoilt ones without their bytes.
func (l *line) deliver(frames []frame) {
	for _, f := range frames {
		if l.session == 0 {
			l.s.count(func(h *Health) { h.Stray += uint64(len(f.payload)) })
			continue
		}
		l.nextArm = 0
		e := Event{Kind: Scanned, At: f.at, Session: l.session, Scan: Scan{
			Payload: f.payload, AIM: f.aim, Symbology: f.symbol, ECI: f.eci, Unframed: f.unframed,
		}}
		switch {
		case f.fault != nil:
			l.s.count(func(h *Health) { h.Spoilt++ })
			e.Kind, e.Scan, e.Err = Spoilt, Scan{}, f.fault
		case len(f.payload) == 0:
			continue
		case l.repeated(f):
			l.s.count(func(h *Health) { h.Duplicates++ })
			continue
		default:
			l.s.count(func(h *Health) { h.Scans++ })
			l.s.online() // it need not be asked
		}
		l.s.tell(e)
	}
}

// repeated keeps a digest, not the scan: it is personal data.
func (l *line) repeated(f frame) bool {
	sum := sha256.Sum256(f.payload)
	if l.hasSeen && sum == l.seen && f.at.Sub(l.seenAt) < l.s.o.Repeat {
		return true
	}
	l.seen, l.seenAt, l.hasSeen = sum, f.at, true
	return false
}
