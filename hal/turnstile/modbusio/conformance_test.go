package modbusio

import (
	"context"
	"testing"
	"time"

	"bordergate/cmd/gatesim/board"
	"bordergate/hal"
	"bordergate/hal/haltest"
	"bordergate/hal/turnstile/boardtest"
)

// open is a driver of a profile with the board behind it.
func open(t *testing.T, name string) (hal.Turnstile, *boardtest.Rig) {
	t.Helper()
	profile, bo := Profiles()[name], board.Models()[name]
	if name == "counting" { // a waveshare board that counts its inputs
		profile, bo = Profiles()["waveshare"], board.Models()["waveshare"]
		profile.Count, bo.Counters = 0x0100, 0x0100
	}
	b, path := boardtest.Power(t, bo)
	o := wired()
	o.Port.Path, o.Profile, o.Unit = path, profile, bo.Unit
	o.Passage, o.Settle = 700*time.Millisecond, 600*time.Millisecond
	r := &boardtest.Rig{
		Board: b, Unlock: o.Profile.WriteFn,
		Withdrawn: func() int { return pulsesOf(b, o.Stop) },
		New:       func() (hal.Turnstile, error) { return New(o) },
	}
	return r.Restart(t), r
}

// The whole suite, for each way in which a board differs in kind: pulses that it
// times, pulses that the driver times, registers for everything, and counters.
func TestConformance(t *testing.T) {
	for _, name := range []string{"waveshare", "lc", "fc06", "counting"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			haltest.RunTurnstile(t, func(t *testing.T) (hal.Turnstile, haltest.Rig) { return open(t, name) })
		})
	}
}

// Every profile's addresses and values reach the board that it is made for.
func TestEveryProfileDrivesItsBoard(t *testing.T) {
	for name := range Profiles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dev, r := open(t, name)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- dev.Serve(ctx) }()
			t.Cleanup(func() { cancel(); <-done })
			want := func(k hal.EventKind) {
				t.Helper()
				haltest.Want(t, dev.Events(), k)
			}
			want(hal.DeviceOnline)
			for _, dir := range []hal.Direction{hal.Entry, hal.Exit} {
				if err := dev.Grant(t.Context(), hal.Grant{ID: hal.GrantID{byte(dir)}, Dir: dir}); err != nil {
					t.Fatal(err)
				}
				if r.Pulses(dir) != 1 {
					t.Errorf("%d pulses %v", r.Pulses(dir), dir)
				}
				r.Set(hal.InputObstruction, true)
				want(hal.PassageStarted)
				r.Set(hal.InputObstruction, false)
				r.Pass(dir)
				want(hal.PassageCompleted)
				haltest.Until(t, "the pulse's end", func() bool { return !r.Unlocked() })
			}
			r.Set(hal.InputEmergency, true)
			want(hal.EmergencyOn)
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
