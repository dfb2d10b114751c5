package gate

import (
	"slices"
	"testing"
	"time"

	"bordergate/gate/reason"
)

func goodEvidence() Evidence {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	return Evidence{
		Now: now, Clock: ClockSynced, Floor: now, Mode: ModeNormal, Emergency: Off, Obstruction: Off,
		Turnstile: true, Journal: true, Read: true, Claim: Claim{Pass: goodPass()},
		Account:    Account{Status: AccountActive, Level: 2, Reference: []byte{1}, Issued: now},
		FaceCamera: true, Match: Match{Similarity: Same, Liveness: LiveYes}, Faces: FaceCount{Frames: 3, Usable: 3},
	}
}

func TestDecide(t *testing.T) {
	one := func(r ...reason.Reason) []reason.Reason { return r }
	cases := []struct {
		name   string
		change func(e *Evidence, p *Policy)
		want   reason.Outcome
		why    []reason.Reason
	}{
		{"all well", func(*Evidence, *Policy) {}, reason.Admitted, nil},
		{"zero policy", func(e *Evidence, p *Policy) { *p = Policy{}; e.Account.Issued = e.Now.Add(-1) }, reason.Refused, one(reason.PassType, reason.PassCrossing, reason.PassDirection, reason.CacheStale)},
		{"closed", func(e *Evidence, _ *Policy) { e.Mode = ModeClosed }, reason.Referred, one(reason.ModeClosed)},
		{"emergency unknown", func(e *Evidence, _ *Policy) { e.Emergency = Unknown }, reason.Referred, one(reason.ModeEmergency)},
		{"obstruction unknown", func(e *Evidence, _ *Policy) { e.Obstruction = Unknown }, reason.Referred, one(reason.Obstruction)},
		{"turnstile", func(e *Evidence, _ *Policy) { e.Turnstile = false }, reason.Referred, one(reason.DeviceFault)},
		{"journal", func(e *Evidence, _ *Policy) { e.Journal = false }, reason.Referred, one(reason.JournalFault)},
		{"catching up", func(e *Evidence, _ *Policy) { e.CatchingUp = true }, reason.Referred, one(reason.ModeCatchingUp)},
		{"nothing read", func(e *Evidence, _ *Policy) { e.Read = false }, reason.Referred, one(reason.PassUnreadable)},
		{"forged says nothing else", func(e *Evidence, _ *Policy) {
			e.Claim = Claim{Fault: reason.PassSignature}
			e.Account = Account{}
		}, reason.Refused, one(reason.PassSignature)},
		{"type", func(e *Evidence, _ *Policy) { e.Claim.Pass.Type = "port_permit" }, reason.Referred, one(reason.PassType)},
		{"crossing", func(e *Evidence, _ *Policy) { e.Claim.Pass.Crossings = []string{"X"} }, reason.Refused, one(reason.PassCrossing)},
		{"direction", func(e *Evidence, _ *Policy) { e.Claim.Pass.Directions = []Direction{DirEntry} }, reason.Refused, one(reason.PassDirection)},
		{"expired at the first moment after", func(e *Evidence, _ *Policy) { e.Now = e.Claim.Pass.ValidTo; e.Account.Issued = e.Now }, reason.Refused, one(reason.PassExpired)},
		{"valid at the last moment", func(e *Evidence, _ *Policy) {
			e.Now = e.Claim.Pass.ValidTo.Add(-1)
			e.Account.Issued = e.Now
		}, reason.Admitted, nil},
		{"not yet", func(e *Evidence, _ *Policy) { e.Claim.Pass.ValidFrom = e.Now.Add(1) }, reason.Refused, one(reason.PassNotYetValid)},
		{"plausible clock, far from expiry", func(e *Evidence, _ *Policy) { e.Clock = ClockPlausible }, reason.Admitted, nil},
		{"plausible clock, near expiry", func(e *Evidence, _ *Policy) {
			e.Clock = ClockPlausible
			e.Claim.Pass.ValidTo = e.Floor.Add(29 * 24 * time.Hour)
		}, reason.Referred, one(reason.ClockUntrusted)},
		{"plausible clock, expired for certain", func(e *Evidence, _ *Policy) {
			e.Clock = ClockPlausible
			e.Claim.Pass.ValidTo = e.Floor
		}, reason.Refused, one(reason.PassExpired)},
		{"bad clock", func(e *Evidence, _ *Policy) { e.Clock = ClockBad }, reason.Referred, one(reason.ClockUntrusted)},
		{"never synchronised", func(e *Evidence, _ *Policy) { e.Account.Issued = time.Time{} }, reason.Referred, one(reason.CacheStale)},
		{"cache at its limit", func(e *Evidence, _ *Policy) { e.Account.Issued = e.Now.Add(-72 * time.Hour) }, reason.Admitted, nil},
		{"cache past its limit", func(e *Evidence, _ *Policy) { e.Account.Issued = e.Now.Add(-72*time.Hour - 1) }, reason.Referred, one(reason.CacheStale)},
		{"head from the future", func(e *Evidence, _ *Policy) { e.Account.Issued = e.Now.Add(2 * time.Minute) }, reason.Referred, one(reason.CacheStale)},
		{"damaged cache", func(e *Evidence, _ *Policy) { e.Account.Unusable = true }, reason.Referred, one(reason.CacheStale)},
		{"level 1", func(e *Evidence, _ *Policy) { e.Account.Level = 1 }, reason.Referred, one(reason.AccountLevel)},
		{"cancelled", func(e *Evidence, _ *Policy) { e.Account.Status = AccountCancelled }, reason.Refused, one(reason.AccountCancelled)},
		{"no reference", func(e *Evidence, _ *Policy) { e.Account.Reference = nil }, reason.Referred, one(reason.BiometricsUnavailable)},
		{"no face", func(e *Evidence, _ *Policy) { e.Match = Match{}; e.Faces = FaceCount{Frames: 4, None: 4} }, reason.Referred, one(reason.FaceNone)},
		{"two faces", func(e *Evidence, _ *Policy) { e.Match = Match{}; e.Faces = FaceCount{Frames: 4, Many: 3} }, reason.Referred, one(reason.FaceMany)},
		{"poor faces", func(e *Evidence, _ *Policy) { e.Match = Match{}; e.Faces = FaceCount{Frames: 4, Poor: 4} }, reason.Referred, one(reason.FaceQuality)},
		{"reference of another model", func(e *Evidence, _ *Policy) { e.Match = Match{} }, reason.Referred, one(reason.BiometricsUnavailable)},
		{"no frames", func(e *Evidence, _ *Policy) { e.Match = Match{}; e.Faces = FaceCount{} }, reason.Referred, one(reason.CaptureTimeout)},
		{"camera lost", func(e *Evidence, _ *Policy) { e.Match = Match{}; e.FaceCamera = false }, reason.Referred, one(reason.BiometricsUnavailable)},
		{"too good", func(e *Evidence, _ *Policy) { e.Match.Similarity = TooGood }, reason.Referred, one(reason.LivenessUndecided)},
		{"between and expired", func(e *Evidence, _ *Policy) { e.Match.Similarity = Between; e.Claim.Pass.ValidTo = e.Now }, reason.Refused, one(reason.PassExpired, reason.FaceMismatch)},
		{"liveness undecided", func(e *Evidence, _ *Policy) { e.Match.Liveness = LiveUndecided }, reason.Referred, one(reason.LivenessUndecided)},
		{"liveness observed only", func(e *Evidence, p *Policy) { e.Match.Liveness = LiveAttack; p.ObserveLiveness = true }, reason.Admitted, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e, p := goodEvidence(), goodPolicy()
			c.change(&e, &p)
			got := Decide(e, p)
			if got.Outcome != c.want || !slices.Equal(got.Reasons, c.why) {
				t.Fatalf("%v %v, want %v %v", got.Outcome, got.Reasons, c.want, c.why)
			}
		})
	}
}

func TestZeroEvidenceIsNeverAdmitted(t *testing.T) {
	if v := Decide(Evidence{}, Policy{}); v.Admit() {
		t.Fatal("admitted on nothing")
	}
	if v := Decide(Evidence{Read: true}, goodPolicy()); v.Admit() {
		t.Fatal("admitted on an empty pass")
	}
}
