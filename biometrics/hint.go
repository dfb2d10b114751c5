package biometrics

import (
	"slices"
	"time"
)

// Hints lists the hints in the order in which they go before one another: without a face or with two there is no use in asking for a
// steadier one.
func Hints() []Hint {
	return []Hint{
		HintLookHere, HintOnePerson, HintCloser, HintTooDark, HintTooBright, HintUpright, HintHoldStill, HintUncover,
	}
}

// HintRule says how slowly hints change.
type HintRule struct {
	// After is how long, on balance, something must be wrong before the traveller is told, and right again before it is taken away.
	After time.Duration
	// Keep is how long a hint stays at least: long enough to be read.
	Keep time.Duration
	// Step is the most that one frame counts, so that a camera that pauses proves nothing.
	Step time.Duration
}

// DefaultHintRule returns the times of a screen that is read in passing.
func DefaultHintRule() HintRule {
	return HintRule{After: 300 * time.Millisecond, Keep: time.Second, Step: 150 * time.Millisecond}
}

// Hinter turns the cause that each frame names into the one hint that is on the screen. Each cause gathers the time for which it
// held, up to After, and loses the time for which it did not: a cause that flickers is told as soon as it holds more often than not,
// and one bad frame is not told at all. The zero value gives no hint; it is not safe for concurrent use.
type Hinter struct {
	rule  HintRule
	time  map[Hint]time.Duration
	shown Hint
	since time.Duration
	last  time.Duration
	begun bool
}

// NewHinter returns a hinter by the rule.
func NewHinter(r HintRule) *Hinter { return &Hinter{rule: r, time: map[Hint]time.Duration{}} }

// Reset begins with the next traveller.
func (h *Hinter) Reset() { *h = *NewHinter(h.rule) }

// See takes what the frame at that time, on any clock that only rises, asks for, and gives what to show.
func (h *Hinter) See(at time.Duration, cause Hint) Hint {
	step := min(max(at-h.last, 0), h.rule.Step)
	if !h.begun {
		step = 0
	}
	h.begun, h.last = true, max(at, h.last)
	if h.time == nil {
		return HintNone
	}
	for _, c := range Hints() {
		d := -step
		if c == cause {
			d = step
		}
		h.time[c] = min(max(h.time[c]+d, 0), h.rule.After)
	}
	h.change(h.last)
	return h.shown
}

func (h *Hinter) change(at time.Duration) {
	if h.shown != HintNone && at-h.since < h.rule.Keep {
		return
	}
	if i := slices.IndexFunc(Hints(), func(c Hint) bool { return h.time[c] >= h.rule.After }); i >= 0 {
		h.show(Hints()[i], at)
		return
	}
	if h.shown != HintNone && h.time[h.shown] <= 0 {
		h.show(HintNone, at)
	}
}

func (h *Hinter) show(c Hint, at time.Duration) {
	if c != h.shown {
		h.shown, h.since = c, at
	}
}
