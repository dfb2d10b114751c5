package turnstile

import (
	"context"
	"errors"
	"slices"
	"time"

	"bordergate/hal"
)

// lampState is what a lamp should show and what it was last told.
type lampState struct {
	want  hal.Pattern
	dirty bool // something must be written
	lit   bool
	next  time.Time // when a blinking lamp changes
	tries int
}

const (
	blinkHalf = 500 * time.Millisecond
	onceFor   = 200 * time.Millisecond
	lampTries = 3 // then the lamp waits for its next order
)

// Indicate sets what a lamp shows. It takes effect within a few polls; a lamp
// that is not wired, or that fails, is no error, and one that is set while the
// device is away shows when it is back.
func (d *Driver) Indicate(ctx context.Context, l hal.Lamp, p hal.Pattern) error {
	if err := ctx.Err(); err != nil {
		return d.failed("indicate", err)
	}
	if l.String() == "invalid" || p > hal.Once {
		return d.failed("indicate", hal.ErrInvalid)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return d.failed("indicate", hal.ErrClosed)
	}
	if slices.Contains(d.m.Lamps, l) {
		d.lamps[l] = lampState{want: p, dirty: true, lit: d.lamps[l].lit}
	}
	return nil
}

// nextLamp picks one relay that has to change and notes it as done.
func (d *Driver) nextLamp(now time.Time) (l hal.Lamp, lit, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range hal.Lamps() {
		s, set := d.lamps[l]
		if !set || !s.dirty || now.Before(s.next) {
			continue
		}
		switch s.want {
		case hal.Steady:
			s.lit, s.dirty = true, false
		case hal.Dark:
			s.lit, s.dirty = false, false
		case hal.Blink:
			s.lit, s.next = !s.lit, now.Add(blinkHalf)
		case hal.Once:
			// First on; the next turn is the end of it.
			s.lit, s.want, s.next = true, hal.Dark, now.Add(onceFor)
		}
		d.lamps[l] = s
		return l, s.lit, true
	}
	return 0, false, false
}

// light writes at most one lamp. A lamp that does not answer is tried a few
// times and then left alone until its next order.
func (s *session) light(ctx context.Context) error {
	l, lit, ok := s.d.nextLamp(time.Now())
	if !ok {
		return nil
	}
	err := s.board.Light(ctx, l, lit)
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	st := s.d.lamps[l]
	if err == nil {
		st.tries = 0
	} else if st.tries++; st.tries < lampTries {
		st.dirty = true
	} else {
		st.dirty = false
	}
	s.d.lamps[l] = st
	if err != nil && errors.As(err, new(Refused)) {
		return nil
	}
	return err
}

// relightLocked makes every lamp be written again after a reconnect.
func (d *Driver) relightLocked() {
	for l, s := range d.lamps {
		s.dirty, s.tries, s.next = true, 0, time.Time{}
		d.lamps[l] = s
	}
}
