package turnstile

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
	l         *Line
	board     Board
	cmds      chan command
	done      chan struct{} // closed when no command is taken any more
	wasOnline bool
	cycle     int
	stray     [hal.Exit + 1]bool // unlocks told to stand without a grant
	broken    error              // a command met the end of the line
	refused   int                // polls in a row that the device refused
}

// maxMisses exchanges in a row without an answer are a device that is away.
const maxMisses = 3

func newSession(d *Driver, p port.Port) *session {
	l := NewLine(p, d.o.Port.Baud, d.o.Reply)
	l.noise = &d.noise
	return &session{d: d, l: l, board: d.m.Open(l), cmds: make(chan command), done: make(chan struct{})}
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
	inert := ctx.Err() != nil && s.board.Inert(last) == nil
	s.offline(inert, err)
	return err
}

// greet identifies the board, makes it inert and reads every level.
func (s *session) greet(ctx context.Context) error {
	// A reading tells an echoing adapter from a board, and finds nobody home
	// before anything is written.
	if _, err := s.board.Sample(ctx); err != nil {
		return err
	}
	if err := s.board.Greet(ctx); err != nil {
		if errors.Is(err, ErrSetting) {
			s.d.emit(hal.Event{Kind: hal.Fault, Code: hal.CodeMode})
		}
		return err
	}
	if err := s.board.Inert(ctx); err != nil {
		return err
	}
	s.l.suspect = false
	return s.poll(ctx)
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
		s.d.turn()
		if s.broken != nil {
			return s.broken
		}
		if s.l.misses >= maxMisses || s.refused >= maxMisses {
			return s.d.failed("poll", hal.ErrOffline)
		}
	}
}

// note keeps an error that ends the session. What a board may recover from is
// counted by the bus; a caller that gave up says nothing about the board.
func (s *session) note(err error) {
	soft := Missed(err) || errors.As(err, new(Refused)) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if err != nil && s.broken == nil && (!soft || errors.Is(err, ErrChatter)) {
		s.broken = err
	}
}

// superviseEvery is at how many polls the unlocks are read back. The levels go
// first: on a machine or line that is slow, each further question makes it
// longer until they are looked at again, and a passage contact does not wait.
const superviseEvery = 5

// turn is one poll: levels, now and then the unlocks, and one piece of
// housekeeping.
func (s *session) turn(ctx context.Context) error {
	if err := s.board.Tend(ctx); err != nil {
		return err
	}
	err := s.poll(ctx)
	if errors.As(err, new(Refused)) {
		s.refused++ // it answers, and of its levels nothing is known
	} else {
		s.refused = 0
	}
	if err != nil {
		return err
	}
	s.cycle++
	if s.cycle%superviseEvery == 0 {
		if err := s.supervise(ctx); err != nil {
			return err
		}
	}
	return s.light(ctx)
}

// poll reads all inputs and turns them into events. After a failed exchange
// one reading of another kind and the first sample are spent on making sure
// that questions and answers belong together again.
func (s *session) poll(ctx context.Context) error {
	if s.l.suspect {
		if _, err := s.board.Standing(ctx); err != nil {
			return err
		}
		if _, err := s.board.Sample(ctx); err != nil {
			return err
		}
		s.l.suspect = false
	}
	r, err := s.board.Sample(ctx)
	if err != nil {
		return err
	}
	if s.l.suspect { // the reading had to be repeated
		return nil
	}
	answered := hal.Now()
	d := s.d
	d.mu.Lock()
	d.at = r.At
	d.track.look(r.At, answered)
	events := d.track.sample(r)
	d.mu.Unlock()
	d.emit(events...)
	return nil
}

// supervise finds an unlock that stands though no pulse or grant explains it.
// It tells once, and takes it back where nobody is or may be between the
// leaves, since a gate may shut when the level ends, and where there is no
// emergency.
func (s *session) supervise(ctx context.Context) error {
	st, err := s.board.Standing(ctx)
	if err != nil {
		return err
	}
	s.d.mu.Lock()
	pulsed, grant := s.d.used.last, s.d.track.grant
	now := s.d.track.now
	free := now[hal.InputEmergency] == hal.Off && (now[hal.InputObstruction] == hal.Off || !s.d.m.tells(hal.InputObstruction))
	s.d.mu.Unlock()
	for _, dir := range s.d.m.Unlocks {
		due := hal.Now().Sub(pulsed) < 2*s.d.o.Pulse+s.d.o.Reply || s.d.m.Holds && grant.live && grant.dir == dir
		if st.Open[dir] != hal.On || due {
			s.stray[dir] = false
			continue
		}
		if !s.stray[dir] {
			s.stray[dir] = true
			s.d.emit(hal.Event{Kind: hal.Fault, Code: hal.CodeOutput, Dir: dir, Raw: st.Raw})
		}
		if !free {
			continue
		}
		if err := s.board.Lock(ctx, dir); err != nil {
			return fmt.Errorf("take unlock %v back: %w", dir, err)
		}
	}
	return nil
}
