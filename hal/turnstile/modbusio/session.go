package modbusio

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bordergate/hal"
	"bordergate/hal/port"
)

// command runs in the goroutine that owns the bus.
type command struct {
	ctx  context.Context // the caller's; checked before anything irrevocable
	run  func(ctx context.Context, s *session) error
	done chan error
}

// session is one connection, run by one goroutine.
type session struct {
	d         *Driver
	b         *bus
	cmds      chan command
	done      chan struct{} // closed when no command is taken any more
	wasOnline bool
	cycle     int
	off       map[int]time.Time // relays that the driver itself has to switch off
	stray     map[int]bool      // unlock relays told to be on without a grant
	broken    error             // a command met the end of the line
}

// maxMisses exchanges in a row without an answer are a device that is away.
const maxMisses = 3

func newSession(d *Driver, p port.Port) *session {
	b := &bus{port: p, unit: d.o.Unit, prof: d.o.Profile, baud: d.o.Port.Baud, timeout: d.o.Reply}
	return &session{d: d, b: b, cmds: make(chan command), done: make(chan struct{}), off: map[int]time.Time{}, stray: map[int]bool{}}
}

// run makes the board inert, reads everything, and serves until the device or
// ctx ends. On its way out it makes the board inert again if it can.
func (s *session) run(ctx context.Context) error {
	if err := s.greet(ctx); err != nil {
		close(s.done)
		return err
	}
	s.online()
	err := s.loop(ctx)
	close(s.done)
	// A few exchanges more than ctx allows: the board must not be left open.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), haltWait)
	defer cancel()
	inert := ctx.Err() != nil && s.makeInert(last) == nil
	s.offline(inert, err)
	return err
}

// greet identifies the board, makes it inert and reads every level.
func (s *session) greet(ctx context.Context) error {
	// A reading tells an echoing adapter from a board, and finds nobody home
	// before anything is written.
	if _, err := s.readInputs(ctx); err != nil {
		return err
	}
	if err := s.checkModes(ctx); err != nil {
		s.d.emit(hal.Event{Kind: hal.Fault, Code: hal.CodeMode})
		return err
	}
	if err := s.makeInert(ctx); err != nil {
		return err
	}
	s.b.suspect = false
	return s.poll(ctx)
}

// checkModes refuses a board whose unlock relays are linked to its inputs or
// toggle. A board that does not know the registers has no such modes.
func (s *session) checkModes(ctx context.Context) error {
	if s.b.prof.ModeBase == 0 {
		return nil
	}
	for dir, ch := range s.d.o.Unlock {
		if ch == NotWired {
			continue
		}
		data, err := s.b.read(ctx, 3, s.b.prof.ModeBase+uint16(ch), 1)
		if errors.As(err, new(exception)) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read output mode: %w", err)
		}
		if data[0]|data[1] != 0 {
			return &hal.Error{
				Op: "check output mode", Device: s.d.o.name(), Err: fmt.Errorf("unlock %v: mode %d", dir, data[1]),
				Hint: "set the board's relays to normal mode with its maker's tool",
			}
		}
	}
	return nil
}

func (s *session) online() {
	s.wasOnline = true
	s.d.mu.Lock()
	s.d.live, s.d.fault, s.d.inert = s, nil, false
	s.d.relightLocked()
	s.d.mu.Unlock()
	s.d.emit(hal.Event{Kind: hal.DeviceOnline})
}

// offline makes every level unknown and says what is not known any more.
func (s *session) offline(inert bool, why error) {
	s.d.mu.Lock()
	g := s.d.track.lose()
	s.d.live, s.d.inert, s.d.fault = nil, inert, why
	s.d.mu.Unlock()
	s.d.emit(hal.Event{Kind: hal.DeviceOffline})
	if g.live {
		s.d.emit(hal.Event{Kind: hal.Desync, Grant: g.id, Dir: g.dir, Inferred: true})
	}
}

// loop polls and takes commands until the device is away or ctx ends.
func (s *session) loop(ctx context.Context) error {
	tick := time.NewTicker(s.d.o.Poll)
	defer tick.Stop()
	for {
		select { // a command must not wait behind a tick that is due as well
		case c := <-s.cmds:
			c.done <- c.run(c.ctx, s)
		default:
			select {
			case <-ctx.Done():
				return ctx.Err()
			case c := <-s.cmds:
				c.done <- c.run(c.ctx, s)
			case <-tick.C:
				s.note(s.turn(ctx))
			}
		}
		if s.broken != nil {
			return s.broken
		}
		if s.b.misses >= maxMisses {
			return s.d.failed("poll", hal.ErrOffline)
		}
	}
}

// note keeps an error that ends the session. What a board may recover from is
// counted by the bus; a caller that gave up says nothing about the board.
func (s *session) note(err error) {
	soft := errors.Is(err, errNoReply) || errors.Is(err, errGarbled) || errors.As(err, new(exception)) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if err != nil && s.broken == nil && (!soft || errors.Is(err, errChatter)) {
		s.broken = err
	}
}

// slowBaud is the speed below which relays are not read back at every poll.
const slowBaud = 38400

// turn is one poll: inputs, now and then the relays (which also makes each
// request differ from the one before, so that a reply that came late cannot
// fit), and one piece of housekeeping.
func (s *session) turn(ctx context.Context) error {
	if err := s.switchOff(ctx); err != nil {
		return err
	}
	if err := s.poll(ctx); err != nil {
		return err
	}
	s.cycle++
	if s.d.o.Port.Baud >= slowBaud || s.cycle%5 == 0 {
		if err := s.superviseOutputs(ctx); err != nil {
			return err
		}
	}
	return s.light(ctx)
}

// poll reads all inputs and turns them into events. After a failed exchange
// one reading of another kind and the first sample are spent on making sure
// that questions and answers belong together again.
func (s *session) poll(ctx context.Context) error {
	if s.b.suspect {
		if _, _, err := s.readRelays(ctx); err != nil {
			return err
		}
		if _, err := s.readInputs(ctx); err != nil {
			return err
		}
		s.b.suspect = false
	}
	r, err := s.readInputs(ctx)
	if err != nil {
		return err
	}
	if s.b.suspect { // the reading had to be repeated
		return nil
	}
	d := s.d
	d.mu.Lock()
	d.at = r.at
	events := d.track.sample(r.at, r.is, r.raw)
	d.mu.Unlock()
	d.emit(events...)
	return nil
}

type reading struct {
	at  hal.Mono
	is  levels
	raw []byte
}

func (s *session) readInputs(ctx context.Context) (reading, error) {
	at := hal.Now() // a level is as old as its question
	mask, data, err := s.b.bits(ctx, s.b.prof.InputFn, s.d.o.inputCount())
	if err != nil {
		return reading{}, fmt.Errorf("read inputs: %w", err)
	}
	r := reading{at: at, raw: append([]byte(nil), data...)}
	for in, ch := range s.d.o.Inputs {
		if ch != NotWired {
			r.is[in] = hal.LevelOf(mask>>ch&1 == 1 != s.d.o.ActiveLow[in])
		}
	}
	return r, nil
}

func (s *session) readRelays(ctx context.Context) (uint32, []byte, error) {
	mask, data, err := s.b.bits(ctx, s.b.prof.ReadFn, s.d.o.outputCount())
	if err != nil {
		return 0, nil, fmt.Errorf("read relays: %w", err)
	}
	return mask, data, nil
}

// superviseOutputs finds an unlock relay that is on though no pulse can still
// be running. It tells once, and switches it off where nobody is or may be
// between the leaves: a gate may shut when the level ends.
func (s *session) superviseOutputs(ctx context.Context) error {
	mask, data, err := s.readRelays(ctx)
	if err != nil {
		return err
	}
	s.d.mu.Lock()
	pulsed, free := s.d.used.last, s.d.track.now[hal.InputObstruction] == hal.Off || s.d.o.input(hal.InputObstruction) == NotWired
	s.d.mu.Unlock()
	for dir, ch := range s.d.o.Unlock {
		_, own := s.off[ch]
		if ch == NotWired || mask>>ch&1 == 0 || own || hal.Now().Sub(pulsed) < 2*s.d.o.Pulse+s.d.o.Reply {
			delete(s.stray, ch)
			continue
		}
		if !s.stray[ch] {
			s.stray[ch] = true
			s.d.emit(hal.Event{Kind: hal.Fault, Code: hal.CodeOutput, Dir: dir, Raw: append([]byte(nil), data...)})
		}
		if !free {
			continue
		}
		if _, err := s.b.relay(ctx, ch, false); err != nil {
			return fmt.Errorf("switch unlock %v off: %w", dir, err)
		}
	}
	return nil
}

// switchOff ends the pulses that the driver itself times. Switching off is the
// one write that is repeated until it is seen to have worked.
func (s *session) switchOff(ctx context.Context) error {
	for ch, due := range s.off {
		if time.Now().Before(due) {
			continue
		}
		if _, err := s.b.relay(ctx, ch, false); err != nil {
			return fmt.Errorf("end pulse: %w", err)
		}
		mask, _, err := s.readRelays(ctx)
		if err != nil {
			return err
		}
		if mask>>ch&1 == 0 {
			delete(s.off, ch)
		}
	}
	return nil
}

// makeInert writes every unlock relay and the stop relay off and reads them
// back.
func (s *session) makeInert(ctx context.Context) error {
	var all uint32
	relays := []int{s.d.o.Stop}
	for _, ch := range s.d.o.Unlock {
		relays = append(relays, ch)
	}
	for _, ch := range relays {
		if ch == NotWired {
			continue
		}
		all |= 1 << ch
		_, err := s.b.relay(ctx, ch, false)
		if errors.Is(err, errNoReply) || errors.Is(err, errGarbled) {
			_, err = s.b.relay(ctx, ch, false) // off twice is off
		}
		if err != nil {
			return fmt.Errorf("switch relay %d off: %w", ch, err)
		}
	}
	mask, _, err := s.readRelays(ctx)
	if err != nil {
		return err
	}
	if mask&all != 0 {
		return s.d.failed("switch unlock off", fmt.Errorf("%w: the relay is still on", hal.ErrRejected))
	}
	clear(s.off)
	return nil
}
