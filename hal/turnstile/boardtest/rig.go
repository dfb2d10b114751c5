// Package boardtest puts the simulated gate's board into the hands of the
// conformance suite, for every driver that has its other end there. Contacts
// and relays are those of the gate's default wiring.
package boardtest

import (
	"path/filepath"
	"testing"
	"time"

	"bordergate/cmd/gatesim/board"
	"bordergate/hal"
	"bordergate/hal/haltest"
)

// Power makes a board, idle and healthy, under a stable path of the test.
func Power(t *testing.T, o board.Options) (b *board.Board, path string) {
	t.Helper()
	o.Link = filepath.Join(t.TempDir(), "barrier")
	b, err := board.New(o)
	if err != nil {
		t.Skipf("this machine has no pty: %v", err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b, o.Link
}

// Rig is a simulated board as the suite's device.
type Rig struct {
	Board  *board.Board
	Unlock byte // function or command of an unlock in the exit direction
	// Withdrawn is how often an authorisation was taken back.
	Withdrawn func() int
	New       func() (hal.Turnstile, error)
	Has       haltest.Traits

	rested time.Time // when a passage contact may close again
}

var _ haltest.Rig = (*Rig)(nil)

func (r *Rig) channel(d hal.Direction) int { return int(d - hal.Entry) }

// Traits of the kind of device.
func (r *Rig) Traits() haltest.Traits { return r.Has }

// Pulses counts the activations of a direction's unlock.
func (r *Rig) Pulses(d hal.Direction) int {
	n := 0
	for _, g := range r.Board.Grants() {
		if g.Channel == r.channel(d) {
			n++
		}
	}
	return n
}

// Unlocked reports whether an unlock stands.
func (r *Rig) Unlocked() bool {
	out := r.Board.Outputs()
	return out[0] || out[1]
}

// Stops counts withdrawals.
func (r *Rig) Stops() int { return r.Withdrawn() }

// Set drives an input's contact; tamper and emergency are closed while all is
// well.
func (r *Rig) Set(in hal.Input, on bool) {
	channels := [hal.InputCount]int{
		hal.InputPassEntry: 0, hal.InputPassExit: 1, hal.InputReady: 2, hal.InputDoorClosed: 3, hal.InputObstruction: 4,
		hal.InputTamper: 5, hal.InputEmergency: 6, hal.InputMains: 7, hal.InputPresence: 8,
	}
	r.Board.SetInput(channels[in], on != (in == hal.InputTamper || in == hal.InputEmergency))
}

const passPulse = 150 * time.Millisecond

// Pass closes the contact for as long as a gate does, after it has been open
// for long enough to count as another person.
func (r *Rig) Pass(d hal.Direction) {
	r.Rest()
	r.Board.Pulse(r.channel(d), passPulse)
	r.rested = time.Now().Add(2 * passPulse)
}

// Rest waits until the contacts are open again.
func (r *Rig) Rest() { <-time.After(time.Until(r.rested)) }

// Lose has the board act on the next unlock and lose its answer.
func (r *Rig) Lose() {
	r.Board.Inject(board.Fault{Kind: board.FaultNoReply, Fn: r.Unlock, Count: 1})
}

// Refuse has the board refuse the next unlock.
func (r *Rig) Refuse() {
	r.Board.Inject(board.Fault{Kind: board.FaultException, Fn: r.Unlock, Count: 1})
}

// Unplug pulls the cable.
func (r *Rig) Unplug(t *testing.T) {
	t.Helper()
	if err := r.Board.Unplug(); err != nil {
		t.Fatal(err)
	}
}

// Replug puts it in again.
func (r *Rig) Replug(t *testing.T) {
	t.Helper()
	if err := r.Board.Replug(); err != nil {
		t.Fatal(err)
	}
}

// Restart is a new driver on the same board.
func (r *Rig) Restart(t *testing.T) hal.Turnstile {
	t.Helper()
	d, err := r.New()
	if err != nil {
		t.Fatal(err)
	}
	return d
}
