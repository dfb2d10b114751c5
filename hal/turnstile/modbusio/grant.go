package modbusio

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bordergate/hal"
)

// grantState is the one grant of the lane.
type grantState struct {
	live    bool // waits for a passage
	id      hal.GrantID
	dir     hal.Direction
	started bool
	until   hal.Mono
	answer  error
	ended   hal.Mono // when the last passage ended
}

// Grant implements hal.Turnstile.
func (d *Driver) Grant(ctx context.Context, g hal.Grant) error {
	ch, ok := d.o.Unlock[g.Dir]
	if g.ID.IsZero() || !ok || ch == NotWired {
		return &hal.Error{Op: "grant", Device: d.o.Port.Path, Err: hal.ErrInvalid}
	}
	asked := hal.Now()
	err := d.do(ctx, "grant", func(s *session) error { return s.grant(g, ch, asked) })
	var named *hal.Error
	if err != nil && !errors.As(err, &named) {
		err = &hal.Error{Op: "grant", Device: d.o.Port.Path, Err: err}
	}
	return err
}

func (s *session) grant(g hal.Grant, ch int, asked hal.Mono) error {
	d := s.d
	d.mu.Lock()
	open := d.open
	d.mu.Unlock()
	switch {
	case open.id == g.ID:
		return open.answer
	case open.live:
		return hal.ErrBusy
	case g.Valid > 0 && hal.Now().Sub(asked) > g.Valid:
		return hal.ErrExpired
	}
	if err := s.poll(); err != nil {
		return errors.Join(hal.ErrUnknownInput, err)
	}
	if err := d.permit(g.Dir); err != nil {
		return err
	}
	answer, sent := s.unlock(ch)
	if !sent {
		return answer
	}
	d.mu.Lock()
	d.open = grantState{live: true, id: g.ID, dir: g.Dir, until: hal.Now().Add(d.o.Passage), answer: answer}
	d.mu.Unlock()
	kind := hal.GrantAccepted
	if answer != nil {
		kind = hal.GrantUnconfirmed
	}
	d.emit(hal.Event{Kind: kind, Grant: g.ID, Dir: g.Dir})
	return answer
}

// permit refuses a grant on a level that is not known to be safe.
func (d *Driver) permit(dir hal.Direction) error {
	st := d.Snapshot()
	need := func(in hal.Input, want hal.Level, err error) error {
		if ch, ok := d.o.Inputs[in]; !ok || ch == NotWired {
			return nil
		}
		switch l := st.Level(in); l {
		case want:
			return nil
		case hal.Unknown:
			return fmt.Errorf("%w: %v", hal.ErrUnknownInput, in)
		default:
			return err
		}
	}
	return errors.Join(
		need(hal.InputEmergency, hal.Off, hal.ErrEmergency),
		need(hal.InputObstruction, hal.Off, hal.ErrObstructed),
		need(hal.InputReady, hal.On, hal.ErrNotReady),
		need(dir.Pass(), hal.Off, hal.ErrStuck),
	)
}

// unlock sends one pulse, once. Sent says that it may have reached the board;
// the error then is ErrUnconfirmed, or none when the relay was seen on.
func (s *session) unlock(ch int) (err error, sent bool) {
	o := s.d.o
	if o.Profile.FlashBase == 0 {
		return s.softPulse(ch)
	}
	units := uint16((o.Pulse + 50*time.Millisecond) / (100 * time.Millisecond))
	_, err = s.b.exchange(request(o.Unit, fnWriteCoil, o.Profile.FlashBase+uint16(ch), units))
	if errors.Is(err, ErrException) {
		return errors.Join(hal.ErrRejected, err), false
	}
	return s.confirm(ch), true
}

// confirm reads the relay back; an echo proves nothing.
func (s *session) confirm(ch int) error {
	on, err := s.relay(ch)
	switch {
	case err != nil:
		return errors.Join(hal.ErrUnconfirmed, err)
	case !on:
		return hal.ErrUnconfirmed
	default:
		return nil
	}
}

// softPulse is for boards that time nothing: off follows on in any case.
func (s *session) softPulse(ch int) (err error, sent bool) {
	werr := s.write(ch, true)
	if errors.Is(werr, ErrException) {
		return errors.Join(hal.ErrRejected, werr), false
	}
	err = s.confirm(ch)
	<-time.After(s.d.o.Pulse)
	if off := s.write(ch, false); off != nil {
		off = s.write(ch, false) // switching off twice is safe
		err = errors.Join(err, off)
	}
	if err != nil {
		err = errors.Join(hal.ErrUnconfirmed, err)
	}
	return err, true
}

// Revoke implements hal.Turnstile.
func (d *Driver) Revoke(ctx context.Context, id hal.GrantID) error {
	return d.do(ctx, "revoke", func(s *session) error { return s.revoke(id) })
}

func (s *session) revoke(id hal.GrantID) error {
	d := s.d
	d.mu.Lock()
	open := d.open
	d.mu.Unlock()
	if !open.live || open.id != id {
		return hal.ErrNoGrant
	}
	if open.started {
		return hal.ErrPassageStarted
	}
	if err := s.poll(); err != nil {
		return err
	}
	if d.Snapshot().Level(hal.InputObstruction) != hal.Off {
		return hal.ErrObstructed
	}
	err := s.write(d.o.Unlock[open.dir], false)
	if d.o.Stop == NotWired {
		err = errors.Join(err, hal.ErrNoWithdrawal)
	} else if _, stop := s.b.exchange(request(d.o.Unit, fnWriteCoil, d.o.Profile.FlashBase+uint16(d.o.Stop), 3)); stop != nil {
		err = errors.Join(err, stop)
	}
	d.end(open)
	d.emit(hal.Event{Kind: hal.GrantRevoked, Grant: id, Dir: open.dir})
	return err
}

func (d *Driver) end(g grantState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	g.live = false
	d.open = g
}

// timers ends a grant that nobody uses.
func (s *session) timers() {
	d := s.d
	d.mu.Lock()
	open := d.open
	d.mu.Unlock()
	if open.live && !open.started && hal.Now() > open.until {
		d.end(open)
		d.emit(hal.Event{Kind: hal.PassageTimeout, Grant: open.id, Dir: open.dir, Inferred: true})
	}
}

// changes turns two readings of the inputs into events.
func (s *session) changes(before, after [hal.InputCount]hal.Reading, at hal.Mono, raw []byte) {
	d := s.d
	edges := map[hal.Input][2]hal.EventKind{
		hal.InputObstruction: {hal.ObstructionOff, hal.ObstructionOn},
		hal.InputPresence:    {hal.PresenceOff, hal.PresenceOn},
		hal.InputEmergency:   {hal.EmergencyOff, hal.EmergencyOn},
		hal.InputTamper:      {hal.TamperOff, hal.TamperOn},
		hal.InputMains:       {hal.PowerFail, hal.PowerOK},
		hal.InputReady:       {hal.OutOfService, hal.InService},
		hal.InputDoorClosed:  {hal.DoorOpened, hal.DoorClosed},
	}
	for _, in := range hal.Inputs() {
		was, is := before[in].Level, after[in].Level
		if was == is || is == hal.Unknown {
			continue
		}
		kinds, level := edges[in]
		switch {
		case level:
			e := hal.Event{At: at, Kind: kinds[is-hal.Off], Raw: raw}
			d.started(in, is, at)
			d.emit(e)
		case is == hal.On && was == hal.Off:
			dir := hal.Entry
			if in == hal.InputPassExit {
				dir = hal.Exit
			}
			d.passed(dir, at, raw)
		}
	}
}

// started notes that somebody has stepped between the leaves under a grant.
func (d *Driver) started(in hal.Input, is hal.Level, at hal.Mono) {
	d.mu.Lock()
	start := in == hal.InputObstruction && is == hal.On && d.open.live && !d.open.started
	if start {
		d.open.started = true
	}
	open := d.open
	d.mu.Unlock()
	if start {
		d.emit(hal.Event{At: at, Kind: hal.PassageStarted, Grant: open.id, Dir: open.dir})
	}
}

// passed judges a passage contact by the grant.
func (d *Driver) passed(dir hal.Direction, at hal.Mono, raw []byte) {
	d.mu.Lock()
	open := d.open
	d.mu.Unlock()
	e := hal.Event{At: at, Grant: open.id, Dir: dir, Raw: raw}
	switch {
	case open.live && dir == open.dir:
		e.Kind = hal.PassageCompleted
		open.ended = at
		d.end(open)
	case open.live:
		e.Kind = hal.ReverseEntry
	case open.ended != 0 && dir == open.dir && at.Sub(open.ended) < d.o.Settle:
		e.Kind = hal.Tailgating
	default:
		e.Kind, e.Grant = hal.ForcedEntry, hal.GrantID{}
	}
	d.emit(e)
}
