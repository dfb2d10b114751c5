package board

import (
	"encoding/json"
	"slices"
	"time"
)

// timer ends a pulse: of an output, or of an input contact.
type timer struct {
	at     int64
	ch     int
	on     bool // the level it goes to
	output bool
}

// switchLocked sets a relay and logs it. The unlock log counts activations, so
// that a second pulse on a relay that is still on is seen too.
func (b *Board) switchLocked(calls []Change, ch int, on bool, pulse time.Duration) []Change {
	was := b.outputs[ch]
	unlock := on && slices.Contains(b.opts.Unlocks, ch)
	if was == on && !unlock {
		return calls
	}
	c := Change{At: now(), Channel: ch, On: on, Pulse: pulse.Milliseconds(), Unlock: unlock}
	b.outputs[ch] = on
	b.changes = append(b.changes, c)
	if unlock {
		b.grants = append(b.grants, GrantSeen{At: c.At, Channel: ch, Duration: pulse})
	} else if !on {
		b.endGrantLocked(ch, c.At)
	}
	b.writeLog(c)
	return append(calls, c)
}

// endGrantLocked measures an activation that had no time of its own.
func (b *Board) endGrantLocked(ch int, at int64) {
	for i := len(b.grants) - 1; i >= 0; i-- {
		if g := &b.grants[i]; g.Channel == ch {
			if g.Duration == 0 {
				g.Duration = time.Duration(at - g.At)
			}
			return
		}
	}
}

func (b *Board) writeLog(c Change) {
	if b.log == nil {
		return
	}
	line, err := json.Marshal(c)
	if err == nil {
		_, err = b.log.Write(append(line, '\n'))
	}
	if err != nil && b.logErr == nil {
		b.logErr = err
	}
}

// tell calls the hooks, outside the lock.
func (b *Board) tell(calls []Change) {
	for _, c := range calls {
		if b.opts.OnOutput != nil {
			b.opts.OnOutput(c)
		}
		if c.Unlock && b.opts.OnUnlock != nil {
			b.opts.OnUnlock(c.At, c.Channel)
		}
	}
}

// pulseLocked is the board-timed pulse: to level on for d, then back.
func (b *Board) pulseLocked(calls []Change, ch int, on bool, d time.Duration) []Change {
	b.cancelLocked(ch, true)
	calls = b.switchLocked(calls, ch, on, d)
	b.scheduleLocked(timer{at: now() + int64(d), ch: ch, on: !on, output: true})
	return calls
}

func (b *Board) scheduleLocked(t timer) {
	b.timers = append(b.timers, t)
	b.wakeLocked()
}

// wakeLocked has the timers looked at anew.
func (b *Board) wakeLocked() {
	select {
	case b.clock <- struct{}{}:
	default:
	}
}

// cancelLocked drops the channel's timers and reports whether there was one.
func (b *Board) cancelLocked(ch int, output bool) bool {
	n := len(b.timers)
	b.timers = slices.DeleteFunc(b.timers, func(t timer) bool { return t.ch == ch && t.output == output })
	return len(b.timers) < n
}

// runTimers ends pulses, also while the line is unplugged: a board keeps its
// power when its cable is pulled.
func (b *Board) runTimers() {
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	for {
		wake.Reset(b.expire())
		select {
		case <-wake.C:
		case <-b.clock:
		case <-b.stop:
			return
		}
	}
}

// expire applies what is due and returns the time until the next.
func (b *Board) expire() time.Duration {
	b.mu.Lock()
	var calls []Change
	next := time.Hour
	t0 := now()
	b.timers = slices.DeleteFunc(b.timers, func(t timer) bool {
		if left := time.Duration(t.at - t0); left > 0 {
			next = min(next, left)
			return false
		}
		if t.output {
			calls = b.switchLocked(calls, t.ch, t.on, 0)
		} else {
			b.driveLocked(t.ch, t.on)
		}
		return true
	})
	calls, next = b.fallLocked(calls, t0, next)
	calls, next = b.unusedLocked(calls, t0, next)
	b.mu.Unlock()
	b.tell(calls)
	return next
}

// fallLocked is the watchdog: after its silence every relay goes to its rest.
func (b *Board) fallLocked(calls []Change, t0 int64, next time.Duration) ([]Change, time.Duration) {
	if b.fallAt == 0 {
		return calls, next
	}
	if left := time.Duration(b.fallAt - t0); left > 0 {
		return calls, min(next, left)
	}
	b.fallAt = 0
	b.counts.Fallen++
	for ch := range b.outputs {
		calls = b.setLocked(calls, ch, b.rest>>ch&1 == 1)
	}
	return calls, next
}
