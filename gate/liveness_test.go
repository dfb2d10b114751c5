package gate

import (
	"testing"

	"bordergate/gate/reason"
)

// TestDecisionWaitsForLiveness: whatever the comparison says, what is known of
// liveness one frame later belongs to the same decision.
func TestDecisionWaitsForLiveness(t *testing.T) {
	for _, c := range []struct {
		name    string
		like    Similarity
		then    Liveness
		outcome reason.Outcome
		reasons []reason.Reason
	}{
		{"same and live", Same, LiveYes, reason.Admitted, nil},
		{"same and an attack", Same, LiveAttack, reason.Referred, []reason.Reason{reason.LivenessAttack}},
		{"too good and an attack", TooGood, LiveAttack, reason.Referred, []reason.Reason{reason.LivenessAttack}},
		{"too good and live", TooGood, LiveYes, reason.Referred, []reason.Reason{reason.LivenessUndecided}},
		{"different and live", Different, LiveYes, reason.Refused, []reason.Reason{reason.FaceMismatch}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.match.Similarity, r.match.Liveness = c.like, LiveUndecided
			r.open(t)
			r.give(Presence(0, On))
			r.usable(3)
			r.give(Symbol(0, r.documents(), r.now, []byte("good")))
			r.flushAll()
			r.want(t, Matching)
			r.match.Liveness = c.then
			r.usable(1)
			r.flushAll()
			if c.outcome == reason.Admitted {
				r.want(t, Granted)
				return
			}
			r.wantEnd(t, c.outcome, c.reasons...)
		})
	}
}

// TestLivenessThatStaysOpenRefers: the wait has an end.
func TestLivenessThatStaysOpenRefers(t *testing.T) {
	for _, like := range []Similarity{Same, TooGood} {
		r := newRig(t)
		r.match.Similarity, r.match.Liveness = like, LiveUndecided
		r.open(t)
		r.give(Presence(0, On))
		r.usable(3)
		r.give(Symbol(0, r.documents(), r.now, []byte("good")))
		r.want(t, Matching)
		r.late()
		r.flushAll()
		r.wantEnd(t, reason.Referred, reason.LivenessUndecided)
	}
}

// TestLivenessOutlastsALongWait: the frames that were looked at for liveness
// are still there after more frames than are kept.
func TestLivenessOutlastsALongWait(t *testing.T) {
	r := newRig(t)
	r.match.Similarity = Undecided
	r.open(t)
	r.give(Presence(0, On))
	for i := range maxFaces + 9 {
		f := Face{FrameAt: int64(i + 1), Count: 1, Usable: true, Box: [4]float32{1}, Embedding: []float32{1}, LiveDone: i < 5}
		r.give(FaceSeen(r.now, r.m.session, f))
	}
	live := 0
	for _, f := range r.m.tx.faces {
		if f.LiveDone {
			live++
		}
	}
	if live != 5 || len(r.m.tx.faces) != maxFaces {
		t.Errorf("%d of %d frames have liveness, want 5 of %d", live, len(r.m.tx.faces), maxFaces)
	}
}
