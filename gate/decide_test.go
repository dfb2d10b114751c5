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
		Pass:       PassState{Stamped: now.Add(-24 * time.Hour)},
		FaceCamera: true, DocumentCamera: true, Match: Match{Similarity: Same, Liveness: LiveYes}, Faces: FaceCount{Frames: 3, Usable: 3},
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
		{"watched", func(e *Evidence, _ *Policy) { e.Watched = true }, reason.Referred, one(reason.Watchlist)},
		{"watched and suspended", func(e *Evidence, _ *Policy) {
			e.Watched, e.Account.Status = true, AccountSuspended
		}, reason.Referred, one(reason.AccountSuspended, reason.Watchlist)},
		{"watch-list lost", func(e *Evidence, _ *Policy) { e.WatchLost = true }, reason.Referred, one(reason.CacheStale)},
		{"level 1", func(e *Evidence, _ *Policy) { e.Account.Level = 1 }, reason.Referred, one(reason.AccountLevel)},
		{"level 1 where the type allows it", func(e *Evidence, p *Policy) {
			e.Account.Level, p.PassTypes = 1, map[string]PassRule{"border_pass": {Level: 1}}
		}, reason.Admitted, nil},
		{"cancelled", func(e *Evidence, _ *Policy) { e.Account.Status = AccountCancelled }, reason.Refused, one(reason.AccountCancelled)},
		{"cache as old as a kind allows", func(e *Evidence, p *Policy) {
			e.Account.Kind, p.KindMaxAge = KindForeigner, map[AccountKind]time.Duration{KindForeigner: time.Hour}
			e.Account.Issued = e.Now.Add(-time.Hour)
		}, reason.Admitted, nil},
		{"cache older than a kind allows", func(e *Evidence, p *Policy) {
			e.Account.Kind, p.KindMaxAge = KindForeigner, map[AccountKind]time.Duration{KindForeigner: time.Hour}
			e.Account.Issued = e.Now.Add(-time.Hour - 1)
		}, reason.Referred, one(reason.CacheStale)},
		{"of another kind", func(e *Evidence, p *Policy) {
			e.Account.Kind, p.KindMaxAge = KindCitizen, map[AccountKind]time.Duration{KindForeigner: time.Hour}
			e.Account.Issued = e.Now.Add(-time.Hour - 1)
		}, reason.Admitted, nil},
		{"a kind allows no more than all", func(e *Evidence, p *Policy) {
			e.Account.Kind, p.KindMaxAge = KindForeigner, map[AccountKind]time.Duration{KindForeigner: 1000 * time.Hour}
			e.Account.Issued = e.Now.Add(-p.CacheMaxAge - 1)
		}, reason.Referred, one(reason.CacheStale)},
		{"catching up", func(e *Evidence, _ *Policy) { e.CatchingUp = true }, reason.Referred, one(reason.ModeCatchingUp)},
		{"nothing read of what was shown", func(e *Evidence, _ *Policy) { e.Read, e.Shown = false, true }, reason.Referred, one(reason.PassUnreadable)},
		{"nothing shown", func(e *Evidence, _ *Policy) { e.Read = false }, reason.Referred, one(reason.CaptureTimeout)},
		{"document camera lost", func(e *Evidence, _ *Policy) { e.Read, e.DocumentCamera = false, false }, reason.Referred, one(reason.DeviceFault)},
		{"document camera lost, scanner there", func(e *Evidence, _ *Policy) { e.Read, e.DocumentCamera, e.Scanner = false, false, true }, reason.Referred, one(reason.CaptureTimeout)},
		{"document camera lost, pass scanned", func(e *Evidence, _ *Policy) { e.DocumentCamera, e.Scanner = false, true }, reason.Admitted, nil},
		{"forged says nothing else", func(e *Evidence, _ *Policy) {
			e.Claim = Claim{Fault: reason.PassSignature}
			e.Account = Account{}
		}, reason.Refused, one(reason.PassSignature)},
		{"type", func(e *Evidence, _ *Policy) { e.Claim.Pass.Type = "port_permit" }, reason.Referred, one(reason.PassType)},
		{"crossing", func(e *Evidence, _ *Policy) { e.Claim.Pass.Crossings = []string{"X"} }, reason.Refused, one(reason.PassCrossing)},
		{"direction", func(e *Evidence, _ *Policy) { e.Claim.Pass.Directions = []Direction{DirEntry} }, reason.Refused, one(reason.PassDirection)},
		{"expired at the first moment after", func(e *Evidence, _ *Policy) {
			e.Now = e.Claim.Pass.ValidTo
			e.Account.Issued, e.Pass.Stamped = e.Now, e.Now
		}, reason.Refused, one(reason.PassExpired)},
		{"valid at the last moment", func(e *Evidence, _ *Policy) {
			e.Now = e.Claim.Pass.ValidTo.Add(-1)
			e.Account.Issued, e.Pass.Stamped = e.Now, e.Now
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
		{"too good and an attack", func(e *Evidence, _ *Policy) { e.Match.Similarity, e.Match.Liveness = TooGood, LiveAttack }, reason.Referred, one(reason.LivenessAttack)},
		{"too good, liveness observed only", func(e *Evidence, p *Policy) {
			e.Match.Similarity, e.Match.Liveness, p.ObserveLiveness = TooGood, LiveAttack, true
		}, reason.Referred, one(reason.LivenessUndecided)},
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

const day = 24 * time.Hour

func TestDecideOnAPassByItsNumber(t *testing.T) {
	one := func(r ...reason.Reason) []reason.Reason { return r }
	soon := []Notice{NoticeStampSoon}
	stamped := func(ago time.Duration) func(*Evidence, *Policy) {
		return func(e *Evidence, _ *Policy) { e.Pass.Stamped = e.Now.Add(-ago) }
	}
	last := func(m Movement) func(*Evidence, *Policy) {
		return func(e *Evidence, _ *Policy) { m.Known = true; e.Pass.Last = m }
	}
	cases := []struct {
		name   string
		change func(e *Evidence, p *Policy)
		want   reason.Outcome
		why    []reason.Reason
		notice []Notice
	}{
		{"revoked", func(e *Evidence, _ *Policy) { e.Pass.Revoked = true }, reason.Refused, one(reason.PassRevoked), nil},
		{"revoked and suspended at once", func(e *Evidence, _ *Policy) {
			e.Pass.Revoked, e.Account.Status = true, AccountSuspended
		}, reason.Refused, one(reason.PassRevoked, reason.AccountSuspended), nil},
		{"number cannot be looked up", func(e *Evidence, _ *Policy) { e.Pass = PassState{Unusable: true, Stamped: e.Now} }, reason.Referred, one(reason.CacheStale), nil},

		{"stamp of today", stamped(0), reason.Admitted, nil, nil},
		{"two days left", stamped(8 * day), reason.Admitted, nil, nil},
		{"less than two days left", stamped(8*day + 1), reason.Admitted, nil, soon},
		{"stamp at its limit", stamped(10 * day), reason.Admitted, nil, soon},
		{"stamp past its limit", stamped(10*day + 1), reason.Referred, one(reason.PassStampDue), nil},
		{"no stamp, issued today", func(e *Evidence, _ *Policy) { e.Pass.Stamped, e.Claim.Pass.ValidFrom = time.Time{}, e.Now }, reason.Admitted, nil, nil},
		{"no stamp, issued nine days ago", func(e *Evidence, _ *Policy) {
			e.Pass.Stamped, e.Claim.Pass.ValidFrom = time.Time{}, e.Now.Add(-9*day)
		}, reason.Admitted, nil, soon},
		{"no stamp, issued long ago", func(e *Evidence, _ *Policy) { e.Pass.Stamped = time.Time{} }, reason.Referred, one(reason.PassStampDue), nil},
		{"soon is said to nobody who is turned away", func(e *Evidence, _ *Policy) {
			e.Pass.Stamped, e.Account.Level = e.Now.Add(-9*day), 1
		}, reason.Referred, one(reason.AccountLevel), nil},
		{"a type that needs no stamp", func(e *Evidence, p *Policy) {
			e.Claim.Pass.Type, e.Pass.Stamped = "port_permit", time.Time{}
			p.PassTypes["port_permit"] = PassRule{Level: 2}
		}, reason.Admitted, nil, nil},
		{"plausible time judges a stamp", func(e *Evidence, p *Policy) {
			e.Clock = ClockPlausible
			stamped(9*day)(e, p)
		}, reason.Admitted, nil, soon},
		{"plausible time finds it due", func(e *Evidence, p *Policy) {
			e.Clock = ClockPlausible
			stamped(11*day)(e, p)
		}, reason.Referred, one(reason.PassStampDue), nil},
		{"bad time knows only what the floor has passed", func(e *Evidence, p *Policy) {
			e.Clock, e.Floor = ClockBad, e.Now.Add(-5*day)
			stamped(11*day)(e, p)
		}, reason.Referred, one(reason.ClockUntrusted), nil},
		{"bad time, due for certain", func(e *Evidence, p *Policy) {
			e.Clock = ClockBad
			stamped(11*day)(e, p)
		}, reason.Referred, one(reason.PassStampDue, reason.ClockUntrusted), nil},

		{"entry before", last(Movement{Direction: DirEntry}), reason.Admitted, nil, nil},
		{"out again at once", last(Movement{Direction: DirExit, Ago: time.Second}), reason.Referred, one(reason.Passback), nil},
		{"out again at once, all known", last(Movement{Direction: DirExit, Complete: true}), reason.Referred, one(reason.Passback), nil},
		{"a movement from the future", last(Movement{Direction: DirExit, Ago: -time.Minute}), reason.Referred, one(reason.Passback), nil},
		{"last moment of passback", last(Movement{Direction: DirExit, Ago: 10*time.Minute - 1}), reason.Referred, one(reason.Passback), nil},
		{"out twice, others' movements unknown", last(Movement{Direction: DirExit, Ago: 10 * time.Minute}), reason.Admitted, one(reason.MovementUnchecked), nil},
		{"out twice, all known", last(Movement{Direction: DirExit, Ago: 10 * time.Minute, Complete: true}), reason.Referred, one(reason.MovementSequence), nil},
		{"passback not in force", func(e *Evidence, p *Policy) {
			p.Passback = 0
			last(Movement{Direction: DirExit})(e, p)
		}, reason.Admitted, one(reason.MovementUnchecked), nil},
		{"passed back to another person", func(e *Evidence, p *Policy) {
			e.Match.Similarity = Different
			last(Movement{Direction: DirExit})(e, p)
		}, reason.Refused, one(reason.Passback, reason.FaceMismatch), nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e, p := goodEvidence(), goodPolicy()
			c.change(&e, &p)
			got := Decide(e, p)
			if got.Outcome != c.want || !slices.Equal(got.Reasons, c.why) || !slices.Equal(got.Notices, c.notice) {
				t.Fatalf("%v %v %v, want %v %v %v", got.Outcome, got.Reasons, got.Notices, c.want, c.why, c.notice)
			}
		})
	}
}

func TestDecideOnAPersonActingForAnOrganisation(t *testing.T) {
	one := func(r ...reason.Reason) []reason.Reason { return r }
	cases := []struct {
		name   string
		change func(e *Evidence)
		want   reason.Outcome
		why    []reason.Reason
	}{
		{"of the organisation", func(*Evidence) {}, reason.Admitted, nil},
		{"with the organisation's own account", func(e *Evidence) {
			e.Claim.Pass.Account = "o1"
			e.Account.Organisation, e.Account.Kind = "", KindOrganisation
		}, reason.Admitted, nil},
		{"of another", func(e *Evidence) { e.Account.Organisation = "o2" }, reason.Referred, one(reason.AccountUnknown)},
		{"of none", func(e *Evidence) { e.Account.Organisation = "" }, reason.Referred, one(reason.AccountUnknown)},
		{"organisation not known", func(e *Evidence) { e.Organisation = Account{} }, reason.Referred, one(reason.AccountUnknown)},
		{"organisation is a person", func(e *Evidence) { e.Organisation.Kind = KindCitizen }, reason.Referred, one(reason.AccountUnknown)},
		{"organisation suspended", func(e *Evidence) { e.Organisation.Status = AccountSuspended }, reason.Refused, one(reason.AccountSuspended)},
		{"organisation cancelled", func(e *Evidence) { e.Organisation.Status = AccountCancelled }, reason.Refused, one(reason.AccountCancelled)},
		{"cache older than organisations allow", func(e *Evidence) { e.Account.Issued = e.Now.Add(-2 * time.Hour) }, reason.Referred, one(reason.CacheStale)},
		{"cache as old as organisations allow", func(e *Evidence) { e.Account.Issued = e.Now.Add(-time.Hour) }, reason.Admitted, nil},
		{"nobody to act for", func(e *Evidence) { e.Claim.Pass.Organisation, e.Organisation = "", Account{} }, reason.Admitted, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := goodEvidence()
			e.Claim.Pass.Organisation, e.Account.Organisation = "o1", "o1"
			e.Organisation = Account{Status: AccountActive, Kind: KindOrganisation}
			c.change(&e)
			p := goodPolicy()
			p.KindMaxAge = map[AccountKind]time.Duration{KindOrganisation: time.Hour}
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

func TestPlausibleTimeJudgesOnlyWhatItCan(t *testing.T) {
	for name, tc := range map[string]struct {
		now, from, stamped time.Duration // from the floor
		want               []reason.Reason
	}{
		"valid since the floor":        {2 * day, day, 0, nil},
		"valid since later":            {3 * day, 2 * day, 0, []reason.Reason{reason.ClockUntrusted}},
		"not yet":                      {day, 2 * day, 0, []reason.Reason{reason.PassNotYetValid}},
		"stamp, by the clock":          {9 * day, 0, -2 * day, []reason.Reason{reason.PassStampDue}},
		"stamp, the clock lags":        {-2 * day, -20 * day, -9 * day, nil},
		"stamp is due, the clock lags": {-2 * day, -20 * day, -11 * day, []reason.Reason{reason.PassStampDue}},
	} {
		t.Run(name, func(t *testing.T) {
			e, p := goodEvidence(), goodPolicy()
			e.Clock, e.Floor = ClockPlausible, e.Now
			e.Now = e.Floor.Add(tc.now)
			e.Claim.Pass.ValidFrom, e.Claim.Pass.ValidTo = e.Floor.Add(tc.from), e.Floor.Add(365*day)
			e.Pass.Stamped = e.Floor.Add(tc.stamped)
			e.Account.Issued = e.Now
			if v := Decide(e, p); !slices.Equal(v.Reasons, tc.want) {
				t.Fatalf("%v, want %v", v.Reasons, tc.want)
			}
		})
	}
}
