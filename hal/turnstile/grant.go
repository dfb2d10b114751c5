package turnstile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bordergate/hal"
)

// memorySize is how many grants are remembered, far more than a lane gives in
// the validity of one.
const memorySize = 1024

// memory holds the answers of the grants whose pulse may have been given, so
// that none is given twice. The driver's lock guards it.
type memory struct {
	answers map[hal.GrantID]error
	order   []hal.GrantID
	last    hal.Mono // when the last pulse was sent
}

func (m *memory) answer(id hal.GrantID) (err error, known bool) {
	err, known = m.answers[id]
	return err, known
}

func (m *memory) put(id hal.GrantID, err error) {
	if m.answers == nil {
		m.answers = map[hal.GrantID]error{}
	}
	if _, known := m.answers[id]; !known {
		if len(m.order) >= memorySize {
			delete(m.answers, m.order[0])
			m.order = m.order[1:]
		}
		m.order = append(m.order, id)
	}
	m.answers[id] = err
}

// drop forgets the grant put in last: its pulse never left.
func (m *memory) drop(id hal.GrantID) {
	if n := len(m.order); n > 0 && m.order[n-1] == id {
		m.order = m.order[:n-1]
		delete(m.answers, id)
	}
}

// Grant implements hal.Turnstile.
func (d *Driver) Grant(ctx context.Context, g hal.Grant) error {
	if g.ID.IsZero() || !slices.Contains(d.m.Unlocks, g.Dir) || g.Valid < 0 {
		return d.failed("grant", hal.ErrInvalid)
	}
	if g.Valid == 0 {
		g.Valid = d.o.Valid
	}
	limit := hal.Now().Add(g.Valid)
	return d.do(ctx, "grant", func(ctx context.Context, s *session) error { return s.grant(ctx, g, limit) })
}

func (s *session) grant(ctx context.Context, g hal.Grant, limit hal.Mono) error {
	d := s.d
	d.mu.Lock()
	answer, known := d.used.answer(g.ID)
	busy := d.track.grant.live
	d.mu.Unlock()
	switch {
	case known:
		return answer
	case busy:
		return hal.ErrBusy
	}
	if err := s.permitNow(ctx, g.Dir); err != nil {
		return err
	}
	if hal.Now() > limit {
		return hal.ErrExpired
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.unlock(ctx, g)
}

// permitTries is how often the levels are read for one grant: a machine that did
// not let us run between the reading and its use has made it old.
const permitTries = 3

// permitNow permits a grant on levels that are read now.
func (s *session) permitNow(ctx context.Context, dir hal.Direction) (err error) {
	for range permitTries {
		if err = s.fresh(ctx); err != nil {
			return err
		}
		if err = s.d.permit(dir); !errors.Is(err, hal.ErrUnknownInput) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// fresh reads the inputs now, since nothing is granted on what was known. A
// reading that had to be repeated does not count, and one more is made.
func (s *session) fresh(ctx context.Context) error {
	d := s.d
	asked := hal.Now()
	for range 2 {
		if err := s.poll(ctx); err != nil {
			s.note(err)
			return errors.Join(hal.ErrUnknownInput, err)
		}
		d.mu.Lock()
		at := d.at
		d.mu.Unlock()
		if at >= asked {
			return nil
		}
	}
	return fmt.Errorf("%w: the last reading was not certain", hal.ErrUnknownInput)
}

// permit refuses a grant on any level that is not known to be safe.
func (d *Driver) permit(dir hal.Direction) error {
	st := d.Snapshot()
	var all []error
	need := func(in hal.Input, want hal.Level, no error) {
		if !d.m.tells(in) {
			return
		}
		switch st.Level(in) {
		case want:
		case hal.Unknown:
			all = append(all, fmt.Errorf("%w: %v", hal.ErrUnknownInput, in))
		default:
			all = append(all, no)
		}
	}
	need(hal.InputEmergency, hal.Off, hal.ErrEmergency)
	need(hal.InputObstruction, hal.Off, hal.ErrObstructed)
	need(hal.InputReady, hal.On, hal.ErrNotReady)
	need(dir.Pass(), hal.Off, hal.ErrStuck)
	return errors.Join(all...)
}

// unlock gives the pulse, once, and finds out what became of it. The grant is
// open before the bytes go out, so that a passage can never come first.
func (s *session) unlock(ctx context.Context, g hal.Grant) error {
	d := s.d
	at := hal.Now()
	d.mu.Lock()
	d.track.begin(g, at)
	d.used.put(g.ID, hal.ErrUnconfirmed)
	d.used.last = at
	d.mu.Unlock()

	sent, err := s.board.Unlock(ctx, g.Dir)
	var no Refused
	switch {
	case !sent:
		d.forget(g.ID, err)
		s.note(err)
		return errors.Join(hal.ErrOffline, err)
	case errors.As(err, &no):
		answer := errors.Join(hal.ErrRejected, err)
		d.forget(g.ID, answer)
		d.emit(hal.Event{Kind: hal.GrantRejected, Grant: g.ID, Dir: g.Dir, Code: no.Code})
		return answer
	}
	s.note(err)
	raw, answer := s.confirm(ctx, g.Dir, err)
	d.mu.Lock()
	d.used.put(g.ID, answer)
	d.mu.Unlock()
	kind := hal.GrantAccepted
	if answer != nil {
		kind = hal.GrantUnconfirmed
	}
	d.emit(hal.Event{Kind: kind, Grant: g.ID, Dir: g.Dir, Raw: raw})
	return answer
}

// confirm reads the unlock back while it lasts. An echo proves nothing, and
// neither does an unlock that is not seen: it may be over.
func (s *session) confirm(ctx context.Context, dir hal.Direction, sendErr error) (raw []byte, err error) {
	// It is out: the caller's patience must not hide what came of it.
	st, err := s.board.Standing(context.WithoutCancel(ctx))
	if err != nil {
		s.note(err)
		return nil, errors.Join(hal.ErrUnconfirmed, sendErr, err)
	}
	if st.Open[dir] != hal.On {
		return st.Raw, errors.Join(hal.ErrUnconfirmed, sendErr)
	}
	return st.Raw, nil
}

// forget takes back a grant whose pulse was certainly not given. Its id stays
// used up if the board has seen it.
func (d *Driver) forget(id hal.GrantID, answer error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.track.grant = grantState{}
	if errors.Is(answer, hal.ErrRejected) {
		d.used.put(id, answer)
	} else {
		d.used.drop(id)
	}
}

// Revoke implements hal.Turnstile.
func (d *Driver) Revoke(ctx context.Context, id hal.GrantID) error {
	return d.do(ctx, "revoke", func(ctx context.Context, s *session) error { return s.revoke(ctx, id) })
}

// revoke withdraws the authorisation only where nobody is between the leaves and
// no emergency is on, by a reading made now.
func (s *session) revoke(ctx context.Context, id hal.GrantID) error {
	d := s.d
	if err := s.fresh(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	g, level, emergency := d.track.grant, d.track.now[hal.InputObstruction], d.track.now[hal.InputEmergency]
	d.mu.Unlock()
	switch {
	case !g.live || g.id != id || id.IsZero():
		return hal.ErrNoGrant
	case g.started:
		return hal.ErrPassageStarted
	case emergency != hal.Off:
		return hal.ErrEmergency
	case level != hal.Off:
		return hal.ErrObstructed
	}
	err := s.board.Withdraw(ctx, g.dir)
	s.note(err)
	if err != nil {
		return err // the grant stays open until it passes or runs out
	}
	d.mu.Lock()
	d.track.close(hal.Now(), hal.CodeRevoked)
	d.mu.Unlock()
	d.emit(hal.Event{Kind: hal.GrantRevoked, Grant: id, Dir: g.dir})
	return nil
}
