package app

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"bordergate/gate"
	"bordergate/sync/wire"
)

const (
	// maxClockError is the error bound above which a synchronised clock is not
	// called so, in microseconds.
	maxClockError = 1_000_000
	// clockStep is how far wall time may move against the monotonic clock before
	// it has been set.
	clockStep = 2 * time.Second
	// goodAhead is how far beyond the newest signed time the time of a network
	// alone lifts the floor: a server that lies must not lock the gate out for
	// longer.
	goodAhead = 7 * day
)

// wallClock judges wall time by the kernel's own word on its synchronisation
// and by the newest signed time.
type wallClock struct {
	floor  atomic.Int64 // Unix ns
	signed atomic.Int64 // newest signed time or the program's own, Unix ns
	synced atomic.Bool  // was synchronised since the boot
	read   func() (synced bool)
	now    func() time.Time

	mu     sync.Mutex
	offset int64 // wall less monotonic time when it was last known, ns; 0: never
	kept   keptClock
	// sets counts how often the clock was set since the start; lastBy and lastAt
	// are of the last time.
	sets   int
	lastBy time.Duration
	lastAt time.Time
}

func newWallClock(floor time.Time) *wallClock {
	c := &wallClock{read: kernelSynced, now: time.Now}
	c.raise(floor)
	return c
}

// raise lifts the floor to a signed time; it never falls.
func (c *wallClock) raise(t time.Time) {
	liftTo(&c.floor, t)
	liftTo(&c.signed, t)
}

// good lifts the floor to a time at which the clock was synchronised.
func (c *wallClock) good(t time.Time) {
	if limit := time.Unix(0, c.signed.Load()).Add(goodAhead); t.After(limit) {
		t = limit
	}
	liftTo(&c.floor, t)
}

func liftTo(v *atomic.Int64, t time.Time) {
	for {
		old := v.Load()
		if t.IsZero() || t.UnixNano() <= old || v.CompareAndSwap(old, t.UnixNano()) {
			return
		}
	}
}

// Wall implements gate.Clock.
func (c *wallClock) Wall() (time.Time, gate.ClockTrust, time.Time) {
	now, floor := c.now(), time.Unix(0, c.floor.Load())
	// Two machines' clocks may differ a little; more is a wrong clock.
	if now.Before(floor.Add(-clockStep)) {
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

// stepped tells by how much wall time was set against the monotonic one since the
// last call, zero where it was not. A clock that somebody set and nothing synchronises is not held
// over any more.
func (c *wallClock) stepped(mono int64) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	offset := c.now().UnixNano() - mono
	by := time.Duration(offset - c.offset)
	if c.offset == 0 || by.Abs() > clockStep {
		known := c.offset != 0
		c.offset = offset
		if known {
			c.sets, c.lastBy, c.lastAt = c.sets+1, by, c.now()
			if !c.read() {
				c.synced.Store(false)
			}
			return by
		}
	}
	return 0
}

// steps is how often the clock was set since the start, and the last time.
func (c *wallClock) steps() (n int, by time.Duration, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sets, c.lastBy, c.lastAt
}

func kernelSynced() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0 && t.Maxerror < maxClockError
}

// factFloor is the journal's monotone fact of the clock's floor, Unix ns.
const factFloor = "time_floor"

// blobClock is the journal's value that holds a clock over a restart.
const blobClock = "clock"

// keptClock is what the daemon's next start within the same boot takes up.
type keptClock struct {
	Boot   string `json:"boot"`
	Offset int64  `json:"offset_ns"` // wall less monotonic time
	Synced bool   `json:"synced"`
}

// KindClockStepped is the kind of the records of a clock that was set.
const KindClockStepped = "clock_stepped"

type steppedRecord struct {
	ByMS  int64  `json:"by_ms"`
	Clock string `json:"clock"` // trust afterwards
}

// openClock takes up the floor, the time of the program itself and, within one
// boot, that the clock was synchronised. One that was set while nobody looked is
// not held over; the first look tells of it.
func (a *App) openClock() error {
	a.clock.raise(buildTime())
	liftTo(&a.clock.floor, time.Unix(0, int64(a.journal.Fact(factFloor))))
	b, err := a.journal.Blob(blobClock)
	if err != nil {
		return fmt.Errorf("read the clock's state: %w", err)
	}
	var k keptClock
	if json.Unmarshal(b, &k) == nil && k.Boot == fmt.Sprintf("%x", a.boot) {
		a.clock.offset = k.Offset
		a.clock.synced.Store(k.Synced)
	}
	a.run("clock", a.serveClock)
	return nil
}

// buildTime is when the program's sources were committed, zero where it does
// not say so.
func buildTime() (t time.Time) {
	b, ok := debug.ReadBuildInfo()
	for i := 0; ok && i < len(b.Settings); i++ {
		if b.Settings[i].Key == "vcs.time" {
			t, _ = time.Parse(time.RFC3339, b.Settings[i].Value) // zero is no floor
		}
	}
	return t
}

const floorEvery = 5 * time.Minute

// serveClock looks every two seconds whether the clock was set, and keeps the floor
// every five minutes and at the end.
func (a *App) serveClock(ctx context.Context) error {
	every := time.NewTicker(2 * time.Second)
	defer every.Stop()
	save := time.NewTicker(floorEvery)
	defer save.Stop()
	for {
		a.lookAtClock()
		select {
		case <-every.C:
		case <-save.C:
			a.keepClock()
		case <-ctx.Done():
			a.keepClock()
			return ctx.Err()
		}
	}
}

func (a *App) lookAtClock() {
	by := a.clock.stepped(a.mono())
	if by == 0 {
		return
	}
	_, trust, _ := a.clock.Wall()
	a.log.Warn("Clock was set", "by", by.Round(time.Millisecond), "clock", clockWord(trust))
	a.recorder.note(wire.StreamAlarm, KindClockStepped, steppedRecord{ByMS: by.Milliseconds(), Clock: clockWord(trust)})
}

// keepClock makes the floor, and that the clock is held over, survive a
// restart.
func (a *App) keepClock() {
	now, trust, _ := a.clock.Wall()
	if trust == gate.ClockSynced {
		a.clock.good(now)
	}
	a.clock.mu.Lock()
	k := keptClock{Boot: fmt.Sprintf("%x", a.boot), Offset: a.clock.offset, Synced: a.clock.synced.Load()}
	news := k != a.clock.kept
	a.clock.kept = k
	a.clock.mu.Unlock()
	if news { // the disk is spared what it has
		b, _ := json.Marshal(k) // plain fields always encode
		if err := a.journal.PutBlob(blobClock, b); err != nil {
			a.log.Error("Clock's state is not kept", "error", err)
		}
	}
	if err := a.journal.Advance(factFloor, uint64(a.clock.floor.Load())); err != nil {
		a.log.Error("Time floor is not kept", "error", err)
	}
}
