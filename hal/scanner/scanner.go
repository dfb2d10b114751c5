package scanner

import (
	"context"
	"errors"
	"log/slog"
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
