package modbusio

import (
	"path/filepath"
	"testing"
	"time"

	"bordergate/cmd/gatesim/board"
	"bordergate/hal"
	"bordergate/hal/haltest"
)

// boardRig is a simulated board under the conformance suite.
type boardRig struct {
	b *board.Board
	o Options
	f byte // function of an unlock

	rested time.Time // when a passage contact may close again
}

func (r *boardRig) Pulses(d hal.Direction) int {
	n := 0
	for _, g := range r.b.Grants() {
		if g.Channel == r.o.Unlock[d] {
			n++
		}
	}
	return n
}

func (r *boardRig) Unlocked() bool {
	out := r.b.Outputs()
	return out[r.o.Unlock[hal.Entry]] || out[r.o.Unlock[hal.Exit]]
}

func (r *boardRig) Stops() int {
	n := 0
	for _, c := range r.b.Changes() {
		if c.Channel == r.o.Stop && c.On {
			n++
		}
	}
	return n
}

func (r *boardRig) Set(in hal.Input, on bool) { r.b.SetInput(r.o.Inputs[in], on != r.o.ActiveLow[in]) }

// Pass closes the contact for as long as a gate does, after it has been open
// for long enough to count as another person.
func (r *boardRig) Pass(d hal.Direction) {
	r.Rest()
	r.b.Pulse(r.o.Inputs[d.Pass()], passPulse)
	r.rested = time.Now().Add(2 * passPulse)
}

const passPulse = 150 * time.Millisecond

func (r *boardRig) Rest() { <-time.After(time.Until(r.rested)) }

func (r *boardRig) Lose() {
	r.b.Inject(board.Fault{Kind: board.FaultNoReply, Fn: r.f, Count: 1})
}

func (r *boardRig) Refuse() {
	r.b.Inject(board.Fault{Kind: board.FaultException, Fn: r.f, Count: 1})
}

func (r *boardRig) Unplug(t *testing.T) {
	t.Helper()
	if err := r.b.Unplug(); err != nil {
		t.Fatal(err)
	}
}

func (r *boardRig) Replug(t *testing.T) {
	t.Helper()
	if err := r.b.Replug(); err != nil {
		t.Fatal(err)
	}
}

func (r *boardRig) Restart(t *testing.T) hal.Turnstile {
	t.Helper()
	d, err := New(r.o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestConformance(t *testing.T) {
	for name, profile := range Profiles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			haltest.RunTurnstile(t, func(t *testing.T) (hal.Turnstile, haltest.Rig) {
				bo := board.Models()[name]
				bo.Link = filepath.Join(t.TempDir(), "barrier")
				b, err := board.New(bo)
				if err != nil {
					t.Skipf("this machine has no pty: %v", err)
				}
				t.Cleanup(func() {
					if err := b.Close(); err != nil {
						t.Error(err)
					}
				})
				o := wired()
				o.Port.Path, o.Profile, o.Unit = bo.Link, profile, bo.Unit
				o.Passage, o.Settle = 700*time.Millisecond, 600*time.Millisecond
				r := &boardRig{b: b, o: o, f: profile.WriteFn}
				return r.Restart(t), r
			})
		})
	}
}
