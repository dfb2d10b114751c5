package app

import (
	"testing"

	"bordergate/sync/wire"
)

// TestKilledHeadquartersLosesAndDoublesNothing kills the process with SIGKILL
// while records and decisions are under way.
func TestKilledHeadquartersLosesAndDoublesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process several times")
	}
	h := newHQ(t)
	g := newGate(t, h, "lane-1")
	h.spawn()
	enrol(t, h, "a1")
	g.start(h)
	total := 0
	for round := range 5 {
		g.cross(25 + 40*round)
		total += 25 + 40*round
		o := suspension
		want := wire.StatusSuspended
		if round%2 == 1 {
			o = Order{Action: wire.ActionRestore, By: "N. N.", Role: wire.DeciderCommander, Ground: wire.GroundCleared}
			want = wire.StatusActive
		}
		id := decide(t, h, "a1", o)
		h.stop() // whatever was on its way is lost; the decision is not
		h.spawn()
		waitApplied(t, h, id)
		if got := statusOf(t, g, "a1"); got != want {
			t.Fatalf("round %d: account is %s, want %s", round, got, want)
		}
	}
	g.out.waitAcked(t, uint64(total))
	onceEach(t, recordsOf(t, h, "lane-1", false), total)
}
