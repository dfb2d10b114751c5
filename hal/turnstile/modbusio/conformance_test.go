package modbusio

import (
	"testing"
	"time"

	"bordergate/cmd/gatesim/board"
	"bordergate/hal"
	"bordergate/hal/haltest"
	"bordergate/hal/turnstile/boardtest"
)

func TestConformance(t *testing.T) {
	profiles, models := Profiles(), board.Models()
	counting, counted := profiles["waveshare"], models["waveshare"]
	counting.Count, counted.Counters = 0x0100, 0x0100
	profiles["counting"], models["counting"] = counting, counted
	for name, profile := range profiles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			haltest.RunTurnstile(t, func(t *testing.T) (hal.Turnstile, haltest.Rig) {
				bo := models[name]
				b, path := boardtest.Power(t, bo)
				o := wired()
				o.Port.Path, o.Profile, o.Unit = path, profile, bo.Unit
				o.Passage, o.Settle = 700*time.Millisecond, 600*time.Millisecond
				r := &boardtest.Rig{
					Board: b, Unlock: profile.WriteFn,
					Withdrawn: func() int { return pulsesOf(b, o.Stop) },
					New:       func() (hal.Turnstile, error) { return New(o) },
				}
				return r.Restart(t), r
			})
		})
	}
}

// pulsesOf counts how often a relay went on.
func pulsesOf(b *board.Board, ch int) int {
	n := 0
	for _, c := range b.Changes() {
		if c.Channel == ch && c.On {
			n++
		}
	}
	return n
}
