package gate

import (
	"slices"
	"testing"
	"time"

	"bordergate/gate/reason"
)

// referredRig is a lane whose traveller was referred and stands there still.
func referredRig(t *testing.T) (*rig, TxID) {
	t.Helper()
	r := newRig(t)
	r.open(t)
	a := r.account["a1"]
	a.Status = AccountSuspended
	r.account["a1"] = a
	r.give(Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.flushAll()
	if r.m.state != ReferredAway || r.m.last == nil || len(r.grants) != 0 {
		t.Fatalf("state %v, %d grants", r.m.state, len(r.grants))
	}
	return r, r.m.last.id
}

func TestOfficerLetsAReferredTravellerThrough(t *testing.T) {
	r, tx := referredRig(t)
	r.give(Override(0, tx, "o-17", "document_checked"))
	if r.m.state != Deciding || len(r.grants) != 0 {
		t.Fatalf("state %v, granted before the record: %v", r.m.state, r.grants)
	}
	r.flushAll()
	if r.m.state != Granted || !slices.Equal(r.grants, []TxID{tx}) || r.durable[tx] != reason.Overridden {
		t.Fatalf("state %v, grants %v, durable %v", r.m.state, r.grants, r.durable[tx])
	}
	r.give(AccountChanged(0, "")) // the officer knew it
	r.give(PassageStarted(0, tx), Presence(0, Off), PassageCompleted(0, tx, DirExit))
	r.flushAll()
	last := r.entries[len(r.entries)-1]
	want := []reason.Reason{reason.AccountSuspended, reason.OfficerDecision}
	if last.Kind != EntryOutcome || last.Public.Outcome != reason.Overridden || !slices.Equal(last.Public.Reasons, want) {
		t.Fatalf("recorded %+v", last)
	}
	decision := r.entries[len(r.entries)-2]
	if decision.Kind != EntryDecision || decision.Personal == nil || decision.Personal.Officer != "o-17" || decision.Personal.PassNumber != "P1" {
		t.Fatalf("recorded %+v", decision)
	}
	if !r.passes["P1"].Last.Known {
		t.Error("the passage is no movement")
	}
}

func TestOverridesThatChangeNothing(t *testing.T) {
	for name, do := range map[string]func(r *rig, tx TxID){
		"another transaction": func(r *rig, tx TxID) { tx[0]++; r.give(Override(0, tx, "o-17", "document_checked")) },
		"nobody":              func(r *rig, tx TxID) { r.give(Override(0, tx, "", "document_checked")) },
		"he has gone":         func(r *rig, tx TxID) { r.give(Presence(0, Off), Override(0, tx, "o-17", "document_checked")) },
		"another came": func(r *rig, tx TxID) {
			r.give(Presence(0, Off), Presence(0, On), Override(0, tx, "o-17", "document_checked"))
		},
		"emergency":         func(r *rig, tx TxID) { r.give(EmergencyInput(0, On), Override(0, tx, "o-17", "document_checked")) },
		"emergency unknown": func(r *rig, tx TxID) { r.give(EmergencyInput(0, Unknown), Override(0, tx, "o-17", "document_checked")) },
		"obstruction":       func(r *rig, tx TxID) { r.give(Obstruction(0, On), Override(0, tx, "o-17", "document_checked")) },
		"journal fault":     func(r *rig, tx TxID) { r.give(JournalLost(0), Override(0, tx, "o-17", "document_checked")) },
		"turnstile away":    func(r *rig, tx TxID) { r.give(TurnstileUp(0, false), Override(0, tx, "o-17", "document_checked")) },
		"journal fails":     func(r *rig, tx TxID) { r.give(Override(0, tx, "o-17", "document_checked")); r.flush(errDisk) },
		"obstruction meanwhile": func(r *rig, tx TxID) {
			r.give(Override(0, tx, "o-17", "document_checked"), Obstruction(0, On))
			r.flushAll()
		},
		"emergency meanwhile": func(r *rig, tx TxID) {
			r.give(Override(0, tx, "o-17", "document_checked"), EmergencyInput(0, On))
			r.flushAll()
		},
		"gone meanwhile": func(r *rig, tx TxID) {
			r.give(Override(0, tx, "o-17", "document_checked"), Presence(0, Off))
			r.flushAll()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, tx := referredRig(t)
			do(r, tx)
			r.flushAll()
			if len(r.grants) != 0 {
				t.Fatalf("granted in state %v", r.m.state)
			}
		})
	}
}

// TestLateWordMovesNothing: an officer's word that waited in the queue for longer
// than he was made to wait is not carried out behind his back.
func TestLateWordMovesNothing(t *testing.T) {
	said := func(r *rig, in Input, waited time.Duration) {
		in.At = r.now
		r.now += waited.Nanoseconds()
		r.m.step(in)
		r.drain()
	}
	for waited, want := range map[time.Duration]State{ActFresh: Deciding, ActFresh + 1: ReferredAway} {
		r, tx := referredRig(t)
		said(r, Override(0, tx, "o-17", "document_checked"), waited)
		r.want(t, want)
	}
	for waited, want := range map[time.Duration]State{ActFresh: Deciding, ActFresh + 1: Confirming} {
		r := newRig(t)
		r.open(t)
		r.give(SetMode(0, Order{Mode: ModeSupervised, By: ByStation}), Presence(0, On))
		r.usable(3)
		r.give(Symbol(0, r.documents(), r.now, []byte("good")))
		r.want(t, Confirming)
		said(r, Confirm(0, r.m.tx.id, "o-17"), waited)
		r.want(t, want)
	}
	for waited, want := range map[time.Duration]Direction{ActFresh: DirEntry, ActFresh + 1: DirExit} {
		r := newRig(t)
		r.m.o.Reversible = true
		r.open(t)
		said(r, Turn(0, DirEntry, "o-17", "flow"), waited)
		if got := r.m.o.Policy.Direction; got != want {
			t.Errorf("the lane goes %v after %v, want %v", got, waited, want)
		}
	}
}

func TestOneActOneGrant(t *testing.T) {
	r, tx := referredRig(t)
	r.give(Override(0, tx, "o-17", "document_checked"), Override(0, tx, "o-17", "document_checked"))
	r.flushAll()
	r.give(Override(0, tx, "o-17", "document_checked"), PassageTimeout(0, tx))
	r.flushAll()
	r.give(Override(0, tx, "o-17", "document_checked"))
	r.flushAll()
	if len(r.grants) != 1 || r.m.state != ReferredAway {
		t.Fatalf("%d grants, state %v", len(r.grants), r.m.state)
	}
}

func TestAdmittedTravellerIsNotOverridden(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.flushAll()
	if r.m.state != Granted {
		t.Fatalf("state %v", r.m.state)
	}
	r.give(Override(0, r.m.tx.id, "o-17", "document_checked"))
	if len(r.grants) != 1 || r.m.tx.officer != "" {
		t.Fatalf("grants %v", r.grants)
	}
}

// TestPolicyInForceDecides: the lane asks for its rules at each turn, and what
// they forbid withholds a grant that is on its way.
func TestPolicyInForceDecides(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Policy)
		want   []reason.Reason
	}{
		"lost":          {func(p *Policy) { p.Lost = true }, []reason.Reason{reason.CacheStale}},
		"other models":  {func(p *Policy) { p.NoModels = true }, []reason.Reason{reason.BiometricsUnavailable}},
		"type accepted": {func(p *Policy) { p.PassTypes = map[string]PassRule{"port_permit": {Level: 2}} }, []reason.Reason{reason.PassType}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			now := goodPolicy()
			now.Version = 7
			r.m.o.Rules = func() Policy { return now }
			r.open(t)
			r.give(Presence(0, On))
			r.usable(3)
			r.give(Symbol(0, r.documents(), r.now, []byte("good")))
			if r.entries[len(r.entries)-1].Public.Policy != 7 {
				t.Fatalf("recorded %+v", r.entries[len(r.entries)-1].Public)
			}
			tc.change(&now)
			r.flushAll()
			if len(r.grants) != 0 || !slices.Equal(r.entries[len(r.entries)-1].Public.Reasons, tc.want) {
				t.Fatalf("grants %v, recorded %v", r.grants, r.entries[len(r.entries)-1].Public.Reasons)
			}
		})
	}
}
