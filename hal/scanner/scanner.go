package scanner

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"bordergate/hal"
	"bordergate/hal/port"
)

// Scanner is one serial scanner. All methods are safe for concurrent use;
// Serve runs once at a time.
type Scanner struct {
	o      Options
	cmds   commands
	events chan Event

	mu      sync.Mutex
	health  Health
	session uint32 // wanted: 0 for none
	orders  []order
	wake    func() // makes the reader look at orders; nil while offline
}

// order is what the reader has to do before it reads on.
type order uint8

const (
	orderStart order = iota // a new session: throw away, then trigger
	orderStop
	orderBeep
)

const (
	queueLength = 256
	writeWait   = 500 * time.Millisecond
	maxAnswer   = 4 << 10 // bytes kept of an answer to a question
)

// New checks the options; nothing is opened before Serve.
func New(o Options) (*Scanner, error) {
	if err := o.check(); err != nil {
		return nil, &hal.Error{Op: "configure scanner", Device: o.name(), Err: err}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Open == nil {
		o.Open = func() (port.Port, error) { return port.Open(o.Port) }
	}
	return &Scanner{o: o, cmds: o.commands(), events: make(chan Event, queueLength)}, nil
}

// Events is the one queue of events, the oldest first.
func (s *Scanner) Events() <-chan Event { return s.events }

// Health is a snapshot.
func (s *Scanner) Health() Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health
}

// Start begins a session: what was sent before is thrown away, and the scanner
// is triggered. It does not block; while the scanner is away the session begins
// when it is back.
func (s *Scanner) Start(session uint32) error {
	if session == 0 {
		return &hal.Error{Op: "start session", Device: s.o.name(), Err: ErrSession}
	}
	s.order(orderStart, func() { s.session = session })
	return nil
}

// Stop ends the session and switches the trigger off.
func (s *Scanner) Stop() { s.order(orderStop, func() { s.session = 0 }) }

// Beep tells the traveller that his pass was read, where the scanner can.
func (s *Scanner) Beep() { s.order(orderBeep, nil) }

// Halt is Stop: an inert scanner has its light off. It is safe to call twice.
func (s *Scanner) Halt() error {
	s.Stop()
	return nil
}

func (s *Scanner) order(o order, change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if change != nil {
		change()
	}
	if s.wake == nil {
		return // the next line begins with what is wanted then
	}
	if len(s.orders) < queueLength {
		s.orders = append(s.orders, o)
	}
	s.wake()
}

func (s *Scanner) takeOrders() []order {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.orders
	s.orders = nil
	return list
}

func (s *Scanner) wanted() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session
}

// count changes the health.
func (s *Scanner) count(change func(*Health)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.health)
}

// tell queues an event; when nobody reads, the oldest makes room. Only Serve's
// goroutine sends.
func (s *Scanner) tell(e Event) {
	e.Device = s.o.name()
	for {
		select {
		case s.events <- e:
			return
		default:
		}
		select {
		case <-s.events:
			s.count(func(h *Health) { h.Lost++ })
		default:
		}
	}
}

// Serve keeps the scanner until ctx ends, whose error it returns, and opens the
// line anew whenever it is lost.
func (s *Scanner) Serve(ctx context.Context) error {
	var back port.Backoff
	for {
		p, err := port.Await(ctx, &back, s.o.Open, func(err error) { s.offline(err) })
		if err != nil {
			return err
		}
		err = s.connected(ctx, p, &back)
		err = errors.Join(err, p.Close())
		if ctx.Err() != nil {
			s.offline(ctx.Err())
			return ctx.Err()
		}
		s.offline(err)
		if err := back.Wait(ctx); err != nil {
			return err
		}
	}
}

// offline is told once for every time the scanner goes away.
func (s *Scanner) offline(err error) {
	s.mu.Lock()
	news := s.health.Online || s.health.Err == nil
	s.health.Online, s.health.Err = false, err
	s.mu.Unlock()
	if news {
		s.o.Log.Warn("Scanner is away", "device", s.o.name(), "error", err)
		s.tell(Event{Kind: Offline, At: hal.Now(), Err: err})
	}
}

func (s *Scanner) online() {
	s.mu.Lock()
	news := !s.health.Online
	s.health.Online, s.health.Err = true, nil
	s.mu.Unlock()
	if news {
		s.o.Log.Info("Scanner is there", "device", s.o.name())
		s.tell(Event{Kind: Online, At: hal.Now()})
	}
}

// line is one open line, used by Serve's goroutine alone.
type line struct {
	s       *Scanner
	p       port.Port
	parser  parser
	session uint32 // 0 for none
	answer  []byte // what came since a question
	asked   hal.Mono
	waiting bool // for an answer
	misses  int
	nextAsk hal.Mono
	seen    [sha256.Size]byte // of the payload delivered last
	seenAt  hal.Mono
	hasSeen bool
}

// ErrSilent is why a scanner that is asked and does not answer is offline.
var ErrSilent = errors.New("scanner does not answer")

func (s *Scanner) connected(ctx context.Context, p port.Port, back *port.Backoff) error {
	l := &line{s: s, p: p, parser: s.o.parser()}
	past := time.Unix(1, 0)
	s.mu.Lock()
	s.orders = nil
	s.wake = func() { _ = p.SetReadDeadline(past) }
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { _ = p.SetReadDeadline(past) })
	defer func() {
		stop()
		s.mu.Lock()
		s.wake = nil
		s.mu.Unlock()
		if ctx.Err() != nil && l.session != 0 {
			_ = l.send(s.cmds.release) // leave the light off, if the line still takes it
		}
	}()
	if s.cmds.query == nil {
		s.online()
		back.Reset()
	}
	if s.wanted() != 0 {
		if err := l.begin(); err != nil {
			return err
		}
	}
	return l.loop(ctx, back)
}

func (l *line) loop(ctx context.Context, back *port.Backoff) error {
	b := make([]byte, 4096)
	for {
		if err := l.ask(hal.Now()); err != nil {
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
	}
	if l.waiting {
		wait = min(wait, l.asked.Add(l.s.o.Reply).Sub(now))
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
		l.session = 0
		l.parser.reset()
		return l.send(l.s.cmds.release)
	}
	return l.send(l.s.cmds.beep)
}

// begin throws away what is there and triggers.
func (l *line) begin() error {
	l.session = l.s.wanted()
	if l.session == 0 {
		return nil // stopped again since
	}
	l.parser.reset()
	l.hasSeen, l.waiting, l.answer = false, false, nil
	if err := l.p.Flush(); err != nil {
		return err
	}
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

func (l *line) answered(now hal.Mono) {
	l.waiting, l.misses, l.answer = false, 0, nil
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
		l.nextAsk = now
		if l.misses >= 2 {
			return &hal.Error{Op: "ask", Device: o.name(), Err: ErrSilent, Hint: "check the cable, the supply and the dialect of the scanner"}
		}
	}
	if l.waiting || now < l.nextAsk {
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
