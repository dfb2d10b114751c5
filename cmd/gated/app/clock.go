package app

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"bordergate/gate"
)

// maxClockError is the error bound above which a synchronised clock is not
// called so, in microseconds.
const maxClockError = 1_000_000

// wallClock judges wall time by the kernel's own word on its synchronisation
// and by the newest signed time.
type wallClock struct {
	floor  atomic.Int64 // Unix ns
	synced atomic.Bool  // was synchronised since the start
	read   func() (synced bool)
	now    func() time.Time
}

func newWallClock(floor time.Time) *wallClock {
	c := &wallClock{read: kernelSynced, now: time.Now}
	c.raise(floor)
	return c
}

// raise lifts the floor to a signed time; it never falls.
func (c *wallClock) raise(t time.Time) {
	for {
		old := c.floor.Load()
		if t.IsZero() || t.UnixNano() <= old || c.floor.CompareAndSwap(old, t.UnixNano()) {
			return
		}
	}
}

// Wall implements gate.Clock.
func (c *wallClock) Wall() (time.Time, gate.ClockTrust, time.Time) {
	now, floor := c.now(), time.Unix(0, c.floor.Load())
	// Two machines' clocks may differ a little; more is a wrong clock.
	if now.Before(floor.Add(-2 * time.Second)) {
		return now, gate.ClockBad, floor
	}
	switch {
	case c.read():
		c.synced.Store(true)
		return now, gate.ClockSynced, floor
	case c.synced.Load():
		return now, gate.ClockHeldOver, floor
	default:
		return now, gate.ClockPlausible, floor
	}
}

func kernelSynced() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0 && t.Maxerror < maxClockError
}
