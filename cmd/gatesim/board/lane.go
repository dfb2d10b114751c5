package board

import (
	"slices"
	"time"
)

// Controllers that a board can be instead of relays and inputs.
const (
	LOT   = "lot" // a LOT turnstile's own registers
	Swing = "7e"  // a swing gate's own board, which speaks 7E/7F frames
)

// The contacts behind a controller, by the gate's default wiring; its unlocks
// are relays 0 (entry) and 1 (exit).
const (
	inPass        = 0 // entry; exit is the next
	inReady       = 2
	inDoor        = 3
	inObstruction = 4
	inTamper      = 5
	inEmergency   = 6
	inMains       = 7
	inPresence    = 8
)

// controller answers requests in place of relays and inputs. All but next are
// called with the board's lock held.
type controller interface {
	next(p []byte) (frame, rest []byte, noise int)
	address(req []byte) (unit, fn byte)
	act(req []byte) (reply []byte, calls []Change)
	refuse(req []byte) []byte
	foreign(reply []byte) []byte // the same in another unit's name
}

// lane is what such a gate keeps for itself: how many may still pass in each
// direction, and how many have.
type lane struct {
	left   [2]uint32
	passed [2]uint32
	until  [2]int64 // when an unused permission ends
	said   map[int]byte
	errno  uint16 // of a LOT's error register
	lamps  [12]uint16
	setup  map[int]uint16 // a LOT's settings
	forbid [2]bool
	exec   byte // what became of the last command
}

// allowLocked lets n pass in a direction.
func (b *Board) allowLocked(calls []Change, ch int, n uint32) []Change {
	b.lane.left[ch] = n
	b.lane.until[ch] = now() + int64(b.opts.StartTimeout)
	b.wakeLocked()
	return b.switchLocked(calls, ch, true, 0)
}

// endLocked takes a permission back.
func (b *Board) endLocked(calls []Change, ch int) []Change {
	b.lane.left[ch], b.lane.until[ch] = 0, 0
	return b.switchLocked(calls, ch, false, 0)
}

func (b *Board) withdrawLocked(calls []Change, ch int) []Change {
	if b.lane.left[ch] > 0 {
		b.counts.Withdrawn++
	}
	return b.endLocked(calls, ch)
}

// walkedLocked counts somebody who passes.
func (b *Board) walkedLocked(ch int) {
	b.lane.passed[ch]++
	if b.lane.left[ch] == 0 {
		return
	}
	if b.lane.left[ch]--; b.lane.left[ch] == 0 {
		b.endLocked(nil, ch)
	}
}

// unusedLocked ends the permissions that nobody used; somebody between the
// leaves is waited for.
func (b *Board) unusedLocked(calls []Change, t0 int64, next time.Duration) ([]Change, time.Duration) {
	for ch, at := range b.lane.until {
		if at == 0 {
			continue
		}
		left := time.Duration(at - t0)
		if left <= 0 && b.inputs[inObstruction] {
			left = 20 * time.Millisecond
			b.lane.until[ch] = t0 + int64(left)
		}
		if left > 0 {
			next = min(next, left)
			continue
		}
		calls = b.endLocked(calls, ch)
	}
	return calls, next
}

// Say has a controller give a code of its own at a place of its status, or in a
// LOT's error register where the place is 0; below zero it is its own again.
func (b *Board) Say(place, code int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if place == 0 {
		b.lane.errno = uint16(max(code, 0))
		return
	}
	if code < 0 {
		delete(b.lane.said, place)
		return
	}
	b.lane.said[place] = byte(code)
}

// Allow lets n pass, by somebody else's order.
func (b *Board) Allow(ch int, n uint32) {
	b.mu.Lock()
	calls := b.allowLocked(nil, ch, n)
	b.mu.Unlock()
	b.tell(calls)
}

// Setting sets a register of a LOT's settings.
func (b *Board) Setting(addr int, val uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lane.setup[addr] = val
}

// Passed is how many have passed by relay's direction, as a controller counts.
func (b *Board) Passed(ch int) uint32 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lane.passed[ch]
}

// controllerFits reports whether the board has the contacts of its controller.
func (o Options) controllerFits() bool {
	return o.Controller == "" || slices.Contains([]string{LOT, Swing}, o.Controller) && o.Inputs > inPresence && o.Outputs >= 2
}
