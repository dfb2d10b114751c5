package gate

import (
	"testing"

	"bordergate/gate/reason"
)

// TestDryRunReleasesNobody: everything is looked at and recorded, and the one
// who would be admitted is referred with mode_closed alone.
func TestDryRunReleasesNobody(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(SetMode(0, Order{Mode: ModeDryRun, By: ByArming, Cause: "not_armed"}), Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.flushAll()
	r.want(t, ReferredAway)
	r.wantEnd(t, reason.Referred, reason.ModeClosed)
	if len(r.used) == 0 {
		t.Error("no face was compared: the record would not say what the gate had done")
	}
	r.give(Override(0, r.m.last.id, "o-17", "identity_checked"))
	r.flushAll()
	r.want(t, ReferredAway)
	if len(r.grants) != 0 {
		t.Fatalf("%d grants in a dry run", len(r.grants))
	}
}

// TestOverrideMeetsAModeThatReleasesNobody: a gate that is a dry run, in
// maintenance or closed lets nobody through by an officer's word either, whether
// that was ordered before he spoke or while his decision went to the disk. A
// stricter order over the dry run of a gate that is not armed does not lift it.
func TestOverrideMeetsAModeThatReleasesNobody(t *testing.T) {
	for _, mode := range []Mode{ModeDryRun, ModeMaintenance, ModeClosed} {
		for _, before := range []bool{true, false} {
			r := newRig(t)
			r.open(t)
			r.match.Similarity = Different
			r.give(Presence(0, On))
			r.usable(3)
			r.give(Symbol(0, r.documents(), r.now, []byte("good")))
			r.flushAll()
			r.want(t, ReferredAway)
			order, act := SetMode(0, Order{Mode: mode, By: ByArming}), Override(0, r.m.last.id, "o-17", "identity_checked")
			if before {
				r.give(order, act)
				r.want(t, ReferredAway)
			} else {
				r.give(act)
				r.want(t, Deciding)
				r.give(order)
			}
			r.flushAll()
			if len(r.grants) != 0 {
				t.Fatalf("%d grants in mode %v, ordered before: %v", len(r.grants), mode, before)
			}
			r.want(t, ReferredAway)
		}
	}
}
