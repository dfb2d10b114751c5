package link

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/sync/wire"
)

// later lets time pass and the downlink notice.
func (r *downRig) later(after time.Duration) {
	<-time.After(after)
	r.d.tick(time.Now())
}

// TestCatchingUpGoesOnWhileItCatchesUp: ten seconds are enough for a
// headquarters that says nothing, and too few for days of changes over a slow
// link.
func TestCatchingUpGoesOnWhileItCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newDown(t)
		var missed []Message
		for n := range 12 {
			missed = append(missed, r.hq.live(r.hq.delta(put(fmt.Sprint(n)))))
		}
		r.give(Message{Kind: Up}, r.hq.head())
		for _, m := range missed[:10] {
			r.later(8 * time.Second)
			r.give(m)
			if !r.d.CatchingUp() {
				t.Fatalf("ended at %d of %d changes", r.acc.seq, len(missed))
			}
		}
		r.later(8 * time.Second)
		r.give(missed[9]) // once more is no progress
		r.later(3 * time.Second)
		if r.d.CatchingUp() {
			t.Fatal("goes on although nothing more comes")
		}
	})
}

func TestCatchingUpHasAnEndWhateverComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newDown(t)
		r.give(Message{Kind: Up})
		began := time.Now()
		for n := 0; r.d.CatchingUp(); n++ {
			d := r.hq.delta(put(fmt.Sprint(n)))
			r.hq.seq++ // headquarters stays ahead
			r.give(r.hq.head(), r.hq.live(d))
			r.hq.seq--
			r.later(5 * time.Second)
			if time.Since(began) > time.Hour {
				t.Fatal("catching up has no bound")
			}
		}
		if took := time.Since(began); took < 4*time.Minute {
			t.Errorf("ended after %v", took)
		}
	})
}

func TestPiecesOfASnapshotAreProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTransfer(t)
		r.hq.seq = 50
		r.give(Message{Kind: Up}, r.hq.head(), r.manifest())
		for n := range 30 {
			r.later(4 * time.Second)
			r.give(r.piece(2*n, "piece"), r.piece(2*n+1, "piece"))
			if !r.d.CatchingUp() {
				t.Fatalf("ended at piece %d", 2*n)
			}
		}
		r.snaps.installed = make(chan struct{})
		r.d.install(t.Context())
		r.later(time.Minute) // the file is built
		if !r.d.CatchingUp() {
			t.Fatal("ended while the file is built")
		}
		close(r.snaps.installed)
		r.d.installed(<-r.d.built)
		if r.d.CatchingUp() {
			t.Fatal("still catching up at the head")
		}
	})
}

// TestOrganisationIsNotGivenBackUnlawfully: what holds for an account holds for
// an organisation, and the refusal is reported.
func TestOrganisationIsNotGivenBackUnlawfully(t *testing.T) {
	r := newDown(t)
	on := func(ver uint64, c wire.Change) wire.Change {
		return wire.Change{Op: wire.OpOrganisation, Organisation: "ORG", Ver: ver, Status: c.Status, Decision: c.Decision}
	}
	cancel := status("", 0, wire.StatusCancelled, wire.ActionCancel, wire.GroundSecurity)
	r.give(r.hq.live(r.hq.delta(on(1, cancel))), r.hq.live(r.hq.delta(on(2, restore("", 0)))))
	r.give(r.hq.live(r.hq.delta(on(3, suspend("", 0)), on(4, restore("", 0)))))
	if len(r.applied) != 3 || len(r.applied[0].Refused) != 0 || len(r.applied[1].Refused) != 1 || r.applied[1].Refused[0].Seq != 2 {
		t.Fatalf("reported %+v", r.applied)
	}
	if len(r.applied[2].Refused) != 1 || r.applied[2].Refused[0].Seq != 4 {
		t.Fatalf("in one delta: %+v", r.applied[2])
	}
}
