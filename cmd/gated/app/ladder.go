package app

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"bordergate/gate"
	"bordergate/hal"
	"bordergate/sync/wire"
)

// The rungs of the ladder that a device climbs while it is away. The driver
// itself retries and opens its line or camera again, at most every two seconds
// and for ever; when that does not help, the driver or the camera's worker is
// ended and started anew, and when that does not help either, slowly so.
const (
	rungRetry   = "retry"
	rungReopen  = "reopen"
	rungRestart = "restart"
	rungGivenUp = "given_up"
)

// ladderRule is when the next rung is climbed.
type ladderRule struct {
	Reopen  time.Duration // away so long: it is opened again and again
	Restart time.Duration // from restart to restart
	Most    int           // restarts before it is given up
	Slow    time.Duration // from restart to restart afterwards
}

func defaultLadderRule() ladderRule {
	return ladderRule{Reopen: 2 * time.Second, Restart: 20 * time.Second, Most: 3, Slow: 2 * time.Minute}
}

// ladder is one device's.
type ladder struct {
	name string
	up   func() bool
	work *service // what restarting it means

	mu       sync.Mutex
	rung     string // empty: the device is well
	since    time.Time
	restart  time.Time // of the last one
	tries    int       // restarts since it was well
	losses   int       // ever
	restarts int       // ever
	seen     bool      // it has been well once, so that going away is a loss
}

// look climbs the ladder or leaves it; true says that the rung has changed.
func (l *ladder) look(now time.Time, rule ladderRule) (rung string, changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.rung
	switch {
	case l.up():
		l.rung, l.tries, l.seen = "", 0, true
	case l.rung == "":
		l.rung, l.since, l.restart = rungRetry, now, now
		if l.seen {
			l.losses++
		}
	case l.tries < rule.Most && now.Sub(l.restart) >= rule.Restart, l.tries >= rule.Most && now.Sub(l.restart) >= rule.Slow:
		l.rung, l.restart = rungRestart, now
		if l.tries++; l.tries > rule.Most {
			l.rung = rungGivenUp
		}
		l.restarts++
		l.work.again()
	case l.rung == rungRetry && now.Sub(l.since) >= rule.Reopen:
		l.rung = rungReopen
	}
	return l.rung, l.rung != before
}

// tell puts the counters on a device's line of the status.
func (l *ladder) tell(d *Device) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d.Rung, d.Losses, d.Restarts = l.rung, l.losses, l.restarts
	if l.rung != "" {
		d.AwayS = time.Since(l.since).Seconds()
	}
}

// upkeepEvery is how often the devices are looked at.
const upkeepEvery = time.Second

// upkeep climbs the devices' ladders, and has the lane follow the cabinet's door.
type upkeep struct {
	ladders []*ladder
	log     *slog.Logger
	note    func(stream wire.Stream, kind string, public any)
	tamper  func() // looks at the cabinet; may be nil
}

func (c *upkeep) serve(ctx context.Context) error {
	for pause(ctx, upkeepEvery) {
		c.look(time.Now())
	}
	return ctx.Err()
}

func (c *upkeep) look(now time.Time) {
	for _, l := range c.ladders {
		rung, changed := l.look(now, defaultLadderRule())
		if !changed || rung == rungRetry {
			continue
		}
		c.log.Warn("Device's ladder", "device", l.name, "rung", rung)
		if rung == rungGivenUp {
			c.note(wire.StreamAlarm, KindDevice, deviceRecord{Device: l.name, Event: rungGivenUp, At: monoNow()})
		}
	}
	if c.tamper != nil {
		c.tamper()
	}
}

// of is a device's ladder, nil where it has none.
func (c *upkeep) of(name string) *ladder {
	if c == nil {
		return nil
	}
	for _, l := range c.ladders {
		if l.name == name {
			return l
		}
	}
	return nil
}

// openUpkeep makes the ladders of the devices that there are.
func (a *App) openUpkeep() {
	c := &upkeep{log: a.log, note: a.recorder.note}
	add := func(name, work string, up func() bool) {
		for _, s := range a.services {
			if s.name == work {
				c.ladders = append(c.ladders, &ladder{name: name, up: up, work: s})
			}
		}
	}
	for _, e := range a.eyes {
		add(e.name, strings.TrimSuffix(e.name, "_camera")+" camera", func() bool { return e.device().OK })
	}
	if a.scanner != nil {
		add("scanner", "scanner", func() bool { return a.scanner.device().OK })
	}
	if a.barrier != nil {
		add("turnstile", "turnstile", func() bool { return a.barrier.dev.Snapshot().Online })
		c.tamper = func() {
			if s := a.barrier.dev.Snapshot(); s.Online && s.Level(hal.InputTamper) != hal.Unknown {
				a.fit(gate.CauseTamper, s.Level(hal.InputTamper) == hal.On)
			}
		}
	}
	a.upkeep = c
	a.run("devices", c.serve)
}
