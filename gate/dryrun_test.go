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

// TestOverrideMeetsADryRun: a gate that was made a dry run while the officer's
// decision went to the disk releases nobody either.
func TestOverrideMeetsADryRun(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.match.Similarity = Different
	r.give(Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.flushAll()
	r.want(t, ReferredAway)
	r.give(Override(0, r.m.last.id, "o-17", "identity_checked"))
	r.want(t, Deciding)
	r.give(SetMode(0, Order{Mode: ModeDryRun, By: ByArming}))
	r.flushAll()
	if len(r.grants) != 0 {
		t.Fatalf("%d grants in a dry run", len(r.grants))
	}
	r.want(t, ReferredAway)
}
