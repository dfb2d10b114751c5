package gate

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bordergate/gate/reason"
)

// TestWhatTakesARightAwayNeverAdmits puts one bar on random good evidence: it
// must name itself and keep the gate shut, whatever else there is.
func TestWhatTakesARightAwayNeverAdmits(t *testing.T) {
	bars := map[reason.Reason]func(t *rapid.T, e *Evidence, p *Policy){
		reason.PassRevoked: func(_ *rapid.T, e *Evidence, _ *Policy) { e.Pass.Revoked = true },
		reason.PassStampDue: func(t *rapid.T, e *Evidence, _ *Policy) {
			e.Pass.Stamped = e.Now.Add(-10*day - time.Duration(rapid.Int64Range(1, int64(400*day)).Draw(t, "late")))
		},
		reason.Passback: func(t *rapid.T, e *Evidence, p *Policy) {
			e.Pass.Last = Movement{Known: true, Direction: p.Direction, Ago: time.Duration(rapid.Int64Range(0, int64(p.Passback)-1).Draw(t, "ago"))}
		},
		reason.MovementSequence: func(t *rapid.T, e *Evidence, p *Policy) {
			e.Pass.Last = Movement{Known: true, Direction: p.Direction, Complete: true, Ago: p.Passback + time.Duration(rapid.Int64Range(0, int64(90*day)).Draw(t, "ago"))}
		},
		reason.PassCrossing:  func(_ *rapid.T, e *Evidence, _ *Policy) { e.Claim.Pass.Crossings = []string{"LCI1", "MCI1"} },
		reason.PassDirection: func(_ *rapid.T, e *Evidence, _ *Policy) { e.Claim.Pass.Directions = []Direction{DirEntry} },
		reason.AccountUnknown: func(t *rapid.T, e *Evidence, _ *Policy) {
			e.Claim.Pass.Organisation = rapid.StringMatching("[A-Z0-9]{1,24}").Draw(t, "organisation")
		},
	}
	all := make([]reason.Reason, 0, len(bars))
	for _, r := range reason.Reasons() {
		if bars[r] != nil {
			all = append(all, r)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		e, p := goodEvidence(), goodPolicy()
		e.Pass.Stamped = e.Now.Add(-time.Duration(rapid.Int64Range(0, int64(10*day)).Draw(t, "stamped")))
		if v := Decide(e, p); !v.Admit() || len(v.Reasons) != 0 {
			t.Fatalf("good evidence: %v", v)
		}
		want := rapid.SliceOfNDistinct(rapid.SampledFrom(all), 1, 3, rapid.ID).Draw(t, "bars")
		for _, r := range want {
			bars[r](t, &e, &p)
		}
		v := Decide(e, p)
		if v.Admit() || len(v.Notices) != 0 {
			t.Fatalf("admitted in spite of %v: %v", want, v)
		}
		for _, r := range want {
			other := r == reason.Passback && slices.Contains(v.Reasons, reason.MovementSequence) ||
				r == reason.MovementSequence && slices.Contains(v.Reasons, reason.Passback)
			if !slices.Contains(v.Reasons, r) && !other { // both are of one movement
				t.Fatalf("%v is not named: %v", r, v)
			}
		}
	})
}

// TestNoLivenessNoAdmission: where liveness is enforced, nothing is admitted
// but a face that was found alive, whatever else there is.
func TestNoLivenessNoAdmission(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, p := goodEvidence(), goodPolicy()
		e.Match.Similarity = Similarity(rapid.IntRange(0, 6).Draw(t, "similarity"))
		e.Match.Liveness = Liveness(rapid.IntRange(0, 6).Draw(t, "liveness"))
		e.Match.Score = rapid.Float64Range(-1, 1).Draw(t, "score")
		e.FaceCamera = rapid.Bool().Draw(t, "camera")
		e.Faces = FaceCount{Frames: rapid.IntRange(0, 9).Draw(t, "frames"), Usable: rapid.IntRange(0, 9).Draw(t, "usable"), Many: rapid.IntRange(0, 9).Draw(t, "many")}
		if rapid.Bool().Draw(t, "no reference") {
			e.Account.Reference = nil
		}
		v := Decide(e, p)
		if v.Admit() && (e.Match.Liveness != LiveYes || e.Match.Similarity != Same) {
			t.Fatalf("admitted with similarity %v and liveness %v", e.Match.Similarity, e.Match.Liveness)
		}
		if e.Match.Similarity == Same && e.Match.Liveness != LiveYes && len(e.Account.Reference) > 0 && v.Outcome != reason.Referred {
			t.Fatalf("liveness %v: %v, want referred", e.Match.Liveness, v)
		}
	})
}

// bar is what headquarters has taken from the holder of the good pass, or 0.
func (r *rig) bar() reason.Reason {
	switch p := r.claims["good"].Pass; {
	case r.account[p.Account].Status == AccountSuspended, p.Organisation != "" && r.account[p.Organisation].Status == AccountSuspended:
		return reason.AccountSuspended
	case r.account[p.Account].Status == AccountCancelled:
		return reason.AccountCancelled
	case r.passes[p.Number].Revoked:
		return reason.PassRevoked
	case r.listed[p.Number]:
		return reason.Watchlist
	default:
		return 0
	}
}

// TestRightTakenAwayWinsUntilThePassageStarts has headquarters take a right
// away at a random moment of a good traveller's way, from the first step to the
// last: until the passage has started it is withheld or revoked, and the second
// record says why; from then on it comes too late for him.
func TestRightTakenAwayWinsUntilThePassageStarts(t *testing.T) {
	takes := map[reason.Reason]func(r *rig) string{
		reason.AccountSuspended: func(r *rig) string {
			r.account["a1"] = Account{Status: AccountSuspended, Level: 2, Model: "m", Reference: []byte{1}, Organisation: "o1", Issued: r.wall}
			return "a1"
		},
		reason.AccountCancelled: func(r *rig) string {
			// The organisation and with it everybody it answers for.
			for _, id := range []string{"a1", "o1"} {
				a := r.account[id]
				a.Status = AccountCancelled
				r.account[id] = a
			}
			return ""
		},
		reason.PassRevoked: func(r *rig) string {
			r.passes["P1"] = PassState{Revoked: true, Stamped: r.wall}
			return ""
		},
		reason.Watchlist: func(r *rig) string {
			r.listed["P1"] = true
			return ""
		},
	}
	late := 0
	rapid.Check(t, func(t *rapid.T) {
		r := newRig(t)
		c := r.claims["good"]
		c.Pass.Organisation = "o1"
		r.claims["good"] = c
		own := r.account["a1"]
		own.Organisation, own.Kind = "o1", KindCitizen
		r.account["a1"], r.account["o1"] = own, Account{Status: AccountActive, Kind: KindOrganisation, Issued: r.wall}
		r.open(t)
		id := func() TxID {
			if r.m.tx == nil {
				return TxID{}
			}
			return r.m.tx.id
		}
		way := []func(){
			func() { r.give(Presence(0, On)) },
			func() { r.usable(1) },
			func() { r.give(Symbol(0, r.documents(), r.now, []byte("good"))) },
			func() { r.usable(2) },
			func() { r.flush(nil) },
			func() { r.give(GrantAccepted(0, id())) },
			func() { r.give(PassageStarted(0, id())) },
			func() { r.give(PassageCompleted(0, id(), DirExit)) },
		}
		const started = 7 // steps after which the passage has started
		at := rapid.IntRange(0, len(way)-1).Draw(t, "after so many steps")
		why := rapid.SampledFrom([]reason.Reason{reason.AccountSuspended, reason.AccountCancelled, reason.PassRevoked, reason.Watchlist}).Draw(t, "what")
		for i, step := range way {
			if i == at {
				account := takes[why](r)
				r.give(AccountChanged(0, account))
			}
			step()
		}
		r.flushAll()
		v := r.last(t)
		if at >= started {
			late++
			if v.Outcome != reason.Admitted {
				t.Fatalf("taken away after the passage had started: %v %v", v.Outcome, v.Reasons)
			}
			return
		}
		if v.Outcome == reason.Admitted || !slices.Contains(v.Reasons, why) {
			t.Fatalf("taken away after %d steps: %v %v", at, v.Outcome, v.Reasons)
		}
		granted := len(r.grants) > 0
		if granted != (len(r.revoked) > 0) {
			t.Fatalf("granted %v, revoked %v", r.grants, r.revoked)
		}
		last := r.entries[len(r.entries)-1]
		if last.Kind != EntryOutcome || last.Public.Outcome != v.Outcome || last.Public.Revoked != granted || !slices.Contains(last.Public.Reasons, why) {
			t.Fatalf("the second record says %+v", last.Public)
		}
	})
	if late == 0 {
		t.Error("no run came too late: the rule's end was never put to the test")
	}
}
