package gate

import (
	"slices"
	"testing"
	"time"

	"bordergate/gate/reason"
)

func TestModesHaveNamesAndRanks(t *testing.T) {
	for m := ModeNormal; m < modeEnd; m++ {
		got, ok := ParseMode(m.String())
		if ok != (m != ModeEmergency) || ok && got != m {
			t.Errorf("%v is read as %v, %v", m, got, ok)
		}
	}
	if _, ok := ParseMode("open"); ok || Mode(0).String() != "invalid" || modeEnd.String() != "invalid" || Mode(0).serves() {
		t.Error("what is no mode is one")
	}
}

func TestOrdersThatFit(t *testing.T) {
	const now = 1e12
	in := func(d time.Duration) int64 { return now + int64(d) }
	for name, tc := range map[string]struct {
		order Order
		ok    bool
	}{
		"closed":            {Order{Mode: ModeClosed, By: ByStation}, true},
		"closed for a day":  {Order{Mode: ModeClosed, By: ByStation, Until: in(24 * time.Hour)}, true},
		"supervised":        {Order{Mode: ModeSupervised, By: ByStation}, true},
		"suspended":         {Order{Mode: ModeBiometricsSuspended, By: ByStation, Until: in(MaxSuspension)}, true},
		"suspended no end":  {Order{Mode: ModeBiometricsSuspended, By: ByStation}, false},
		"suspended long":    {Order{Mode: ModeBiometricsSuspended, By: ByStation, Until: in(MaxSuspension) + 1}, false},
		"suspended before":  {Order{Mode: ModeBiometricsSuspended, By: ByStation, Until: now}, false},
		"closed for a year": {Order{Mode: ModeClosed, By: ByStation, Until: in(MaxOrder) + 1}, false},
		"over":              {Order{Mode: ModeClosed, By: ByStation, Until: now - 1}, false},
		"nobody's":          {Order{Mode: ModeClosed}, false},
		"emergency":         {Order{Mode: ModeEmergency, By: ByStation}, false},
		"none":              {Order{By: ByStation}, false},
	} {
		if got := tc.order.Fits(now); got != tc.ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestStrictestOrderHoldsUntilItRunsOut(t *testing.T) {
	o := Orders{}
	o.Give(Order{Mode: ModeSupervised, By: ByStation, Until: 100})
	o.Give(Order{Mode: ModeClosed, By: ByHQ, Until: 50})
	for _, tc := range []struct {
		now  int64
		mode Mode
		next int64
	}{{0, ModeClosed, 50}, {49, ModeClosed, 50}, {50, ModeSupervised, 100}, {100, ModeNormal, 0}} {
		held, next := o.Holds(tc.now)
		if held.Mode != tc.mode || next != tc.next {
			t.Fatalf("at %d: %+v, next %d", tc.now, held, next)
		}
	}
	o.Give(Order{Mode: ModeMaintenance, By: ByStation})
	o.Give(Order{Mode: ModeNormal, By: ByHQ}) // takes back nothing but its own
	if held, _ := o.Holds(1 << 60); held.Mode != ModeMaintenance {
		t.Fatalf("%+v", held)
	}
	o.Give(Order{Mode: ModeNormal, By: ByStation})
	if held, _ := o.Holds(0); held != (Order{Mode: ModeNormal}) || len(o) != 0 {
		t.Fatalf("%+v", held)
	}
}

// of gives the entries of a kind.
func (r *rig) of(kind string) (out []Entry) {
	for _, e := range r.entries {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

func TestEachChangeOfModeIsOnRecord(t *testing.T) {
	r := newRig(t)
	r.open(t)
	suspended := Order{Mode: ModeBiometricsSuspended, By: ByStation, Officer: "o-17", Cause: "device_failure", Until: r.now + 60e9}
	r.give(SetMode(0, suspended), SetMode(0, suspended), SetMode(0, Order{Mode: ModeClosed, By: ByHQ}))
	r.want(t, Closed)
	r.give(SetMode(0, Order{Mode: ModeNormal}))
	r.want(t, Ready)
	got := r.of(EntryMode)
	if len(got) != 3 {
		t.Fatalf("%d records: %+v", len(got), got)
	}
	in, hq, out := got[0], got[1], got[2]
	if p := in.Public; p.From != "normal" || p.Mode != "biometrics_suspended" || p.By != ByStation || p.Cause != "device_failure" || p.ForMS != 59_999 ||
		in.Personal == nil || in.Personal.Officer != "o-17" || !in.Alarm {
		t.Fatalf("into: %+v %+v", in.Public, in.Personal)
	}
	if p := hq.Public; p.From != "biometrics_suspended" || p.Mode != "closed" || p.By != ByHQ || p.ForMS != 0 || hq.Personal != nil {
		t.Fatalf("by headquarters: %+v", p)
	}
	if p := out.Public; p.From != "closed" || p.Mode != "normal" {
		t.Fatalf("out of: %+v", p)
	}
}

func TestLaneThatStartsClosedSaysSo(t *testing.T) {
	r := newRig(t)
	r.m.order, r.m.mode = Order{Mode: ModeClosed, By: ByStation, Cause: "security"}, ModeClosed
	r.give(SetMode(0, Order{Mode: ModeSupervised, By: ByStation}), SetMode(0, Order{Mode: ModeClosed, By: ByStation, Cause: "security"}))
	r.want(t, Closed) // not started
	if r.m.cause != "starting" {
		t.Fatalf("cause %q", r.m.cause)
	}
	r.give(Start(0), TurnstileUp(0, true), EmergencyInput(0, Off), Obstruction(0, Off), CameraUp(0, DocumentCamera, true), CameraUp(0, FaceCamera, true))
	r.want(t, Closed)
	if got := r.of(EntryMode); got[len(got)-1].Public.From != "start" || got[len(got)-1].Public.Cause != "security" {
		t.Fatalf("%+v", got)
	}
}

func TestModesOutOfService(t *testing.T) {
	r := newRig(t)
	r.open(t)
	for _, tc := range []struct {
		mode Mode
		want State
	}{{ModeMaintenance, Maintenance}, {ModeClosed, Closed}, {ModeMaintenance, Maintenance}, {ModeSupervised, Ready}, {ModeClosed, Closed}} {
		r.give(SetMode(0, Order{Mode: tc.mode, By: ByStation}))
		r.want(t, tc.want)
	}
	r.give(TurnstileUp(0, false), SetMode(0, Order{Mode: ModeNormal}))
	r.want(t, SelfTest)
	r.late()
	r.want(t, OutOfService)
	r.give(SetMode(0, Order{Mode: ModeMaintenance, By: ByStation}))
	r.want(t, Maintenance)
}

// supervisedRig is a lane in supervised mode before which a good traveller waits
// for an officer.
func supervisedRig(t *testing.T) (*rig, TxID) {
	t.Helper()
	r := newRig(t)
	r.open(t)
	r.give(SetMode(0, Order{Mode: ModeSupervised, By: ByStation}))
	r.want(t, Ready)
	r.give(Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.want(t, Confirming)
	if len(r.of(EntryDecision)) != 0 || len(r.grants) != 0 {
		t.Fatalf("%d decisions, %d grants before an officer's word", len(r.of(EntryDecision)), len(r.grants))
	}
	return r, r.m.tx.id
}

func TestSupervisedAdmissionWaitsForAnOfficer(t *testing.T) {
	r, tx := supervisedRig(t)
	r.give(Confirm(0, tx, ""), Confirm(0, TxID{99}, "o-17"))
	r.want(t, Confirming)
	r.give(Confirm(0, tx, "o-17"))
	r.want(t, Deciding)
	r.flushAll()
	r.want(t, Granted)
	r.give(PassageStarted(0, tx), Presence(0, Off), PassageCompleted(0, tx, DirExit))
	r.flushAll()
	d := r.of(EntryDecision)
	if len(d) != 1 || d[0].Public.Outcome != reason.Admitted || d[0].Personal == nil || d[0].Personal.Officer != "o-17" || d[0].Personal.PassNumber != "P1" ||
		d[0].Public.Mode != "supervised" {
		t.Fatalf("%+v", d)
	}
	r.wantEnd(t, reason.Admitted, reason.OfficerDecision)
}

func TestWaitingForAnOfficer(t *testing.T) {
	suspend := func(r *rig) {
		a := r.account["a1"]
		a.Status = AccountSuspended
		r.account["a1"] = a
	}
	for name, tc := range map[string]struct {
		do      func(r *rig, tx TxID)
		state   State
		outcome reason.Outcome
		reasons []reason.Reason
	}{
		"nobody says a word":   {func(r *rig, _ TxID) { r.late() }, ReferredAway, reason.Referred, []reason.Reason{reason.OfficerDecision}},
		"he leaves":            {func(r *rig, _ TxID) { r.give(Presence(0, Off)) }, Ready, reason.Abandoned, nil},
		"he leaves, then":      {func(r *rig, tx TxID) { r.give(Presence(0, Off), Confirm(0, tx, "o-17")) }, Ready, reason.Abandoned, nil},
		"not known to be here": {func(r *rig, tx TxID) { r.m.presence = Unknown; r.give(Confirm(0, tx, "o-17")) }, Confirming, 0, nil},
		"suspended meanwhile":  {func(r *rig, _ TxID) { suspend(r); r.give(AccountChanged(0, "a1")) }, ReferredAway, reason.Refused, []reason.Reason{reason.AccountSuspended}},
		"suspended, then": {
			func(r *rig, tx TxID) { suspend(r); r.give(Confirm(0, tx, "o-17")) }, ReferredAway, reason.Refused, []reason.Reason{reason.AccountSuspended, reason.OfficerDecision},
		},
		"nothing changed":      {func(r *rig, _ TxID) { r.give(AccountChanged(0, "")) }, Confirming, 0, nil},
		"another person":       {func(r *rig, _ TxID) { r.see(2, 1) }, ReferredAway, reason.Referred, []reason.Reason{reason.FaceMany}},
		"the same person":      {func(r *rig, _ TxID) { r.see(1, 1) }, Confirming, 0, nil},
		"his face is gone":     {func(r *rig, tx TxID) { r.gone = true; r.give(Confirm(0, tx, "o-17")) }, ReferredAway, reason.Referred, []reason.Reason{reason.FaceNone, reason.OfficerDecision}},
		"closed meanwhile":     {func(r *rig, _ TxID) { r.give(SetMode(0, Order{Mode: ModeClosed, By: ByHQ})) }, ReferredAway, reason.Referred, []reason.Reason{reason.ModeClosed}},
		"nobody need any more": {func(r *rig, _ TxID) { r.give(SetMode(0, Order{Mode: ModeNormal})) }, Granted, 0, nil},
		"emergency":            {func(r *rig, _ TxID) { r.give(EmergencyInput(0, On)) }, Emergency, reason.Failed, []reason.Reason{reason.ModeEmergency}},
		"turnstile away":       {func(r *rig, _ TxID) { r.give(TurnstileUp(0, false)) }, OutOfService, reason.Failed, []reason.Reason{reason.DeviceFault}},
	} {
		t.Run(name, func(t *testing.T) {
			r, tx := supervisedRig(t)
			tc.do(r, tx)
			r.flushAll()
			r.want(t, tc.state)
			if tc.state != Granted && len(r.grants) != 0 {
				t.Fatal("granted")
			}
			if tc.outcome != 0 {
				r.wantEnd(t, tc.outcome, tc.reasons...)
			}
			if name == "nobody says a word" {
				if d := r.of(EntryDecision); len(d) != 1 || d[0].Public.Cause != CauseNotConfirmed || r.m.last == nil {
					t.Fatalf("%+v", d)
				}
			}
		})
	}
}

func TestSupervisionOrderedWhileTheRecordIsWritten(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.want(t, Deciding)
	r.give(SetMode(0, Order{Mode: ModeSupervised, By: ByStation}))
	r.flushAll()
	r.want(t, Confirming)
	r.give(Confirm(0, r.m.tx.id, "o-17"))
	r.flushAll()
	r.want(t, Granted)
}

func TestSuspendedBiometricsAdmitNobodyByMachine(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(SetMode(0, Order{Mode: ModeBiometricsSuspended, By: ByStation, Until: 1e15}), Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.flushAll()
	r.want(t, ReferredAway)
	r.wantEnd(t, reason.Referred, reason.ModeSuspendedBiometrics)
	if len(r.used) != 0 {
		t.Fatal("a face was compared")
	}
	r.give(Override(0, r.m.last.id, "o-17", "identity_checked"))
	r.flushAll()
	r.want(t, Granted)
	r.give(SecondPassage(0, DirExit), Presence(0, Off), PassageCompleted(0, r.m.tx.id, DirExit))
	r.flushAll()
	r.wantEnd(t, reason.Overridden, reason.Tailgating, reason.ModeSuspendedBiometrics, reason.OfficerDecision)
	r.give(Presence(0, On), Presence(0, Off)) // one who leaves again
	r.flushAll()
	r.wantEnd(t, reason.Abandoned, reason.ModeSuspendedBiometrics)
	for _, e := range r.entries {
		if e.Kind != EntryMode && !slices.Contains(e.Public.Reasons, reason.ModeSuspendedBiometrics) {
			t.Errorf("%s is not marked: %v", e.Kind, e.Public.Reasons)
		}
	}
}

func TestSuspensionOfBiometricsMidway(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.want(t, Matching)
	r.usable(2)
	compared := len(r.used)
	r.give(SetMode(0, Order{Mode: ModeBiometricsSuspended, By: ByStation, Until: 1e15}))
	r.flushAll()
	r.want(t, ReferredAway)
	r.wantEnd(t, reason.Referred, reason.ModeSuspendedBiometrics)
	if len(r.used) != compared {
		t.Fatal("a face was compared")
	}
}

func TestReversibleLaneIsTurnedOnlyWhileItIsEmpty(t *testing.T) {
	for name, tc := range map[string]struct {
		before func(r *rig)
		turned bool
	}{
		"ready":              {func(*rig) {}, true},
		"closed":             {func(r *rig) { r.give(SetMode(0, Order{Mode: ModeClosed, By: ByStation})) }, true},
		"maintenance":        {func(r *rig) { r.give(SetMode(0, Order{Mode: ModeMaintenance, By: ByStation})) }, false},
		"somebody is there":  {func(r *rig) { r.give(Presence(0, On)) }, false},
		"presence unknown":   {func(r *rig) { r.give(Presence(0, Unknown)) }, false},
		"closed, occupied":   {func(r *rig) { r.give(SetMode(0, Order{Mode: ModeClosed, By: ByStation}), Presence(0, On)) }, false},
		"closed, obstructed": {func(r *rig) { r.give(SetMode(0, Order{Mode: ModeClosed, By: ByStation}), Obstruction(0, On)) }, false},
		"closed, unknown":    {func(r *rig) { r.give(SetMode(0, Order{Mode: ModeClosed, By: ByStation}), Obstruction(0, Unknown)) }, false},
		"closed, board lost": {func(r *rig) {
			r.give(SetMode(0, Order{Mode: ModeClosed, By: ByStation}), TurnstileUp(0, false), Presence(0, Off), Obstruction(0, Off), EmergencyInput(0, Off))
		}, false},
		"closed, fire":       {func(r *rig) { r.give(SetMode(0, Order{Mode: ModeClosed, By: ByStation}), EmergencyInput(0, Unknown)) }, false},
		"closed, no journal": {func(r *rig) { r.give(SetMode(0, Order{Mode: ModeClosed, By: ByStation}), JournalRoom(0, false)) }, false},
		"closed, grant owed": {func(r *rig) { r.give(SetMode(0, Order{Mode: ModeClosed, By: ByStation})); r.m.owed = TxID{9} }, false},
		"not a reversible":   {func(r *rig) { r.m.o.Reversible = false }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.m.o.Reversible = true
			r.open(t)
			tc.before(r)
			r.give(Turn(0, DirExit, "o-17", "crowd"), Turn(0, DirEntry, "", "crowd"), Turn(0, DirectionNone, "o-17", "crowd"))
			if len(r.of(EntryDirection)) != 0 {
				t.Fatal("turned to where it was, by nobody, or nowhere")
			}
			r.give(Turn(0, DirEntry, "o-17", "crowd"))
			got := r.of(EntryDirection)
			if (len(got) == 1) != tc.turned || (r.m.o.Policy.Direction == DirEntry) != tc.turned {
				t.Fatalf("%d records, direction %v", len(got), r.m.o.Policy.Direction)
			}
			if tc.turned && (got[0].Public.From != "exit" || got[0].Public.Direction != "entry" || got[0].Public.Cause != "crowd" || got[0].Personal.Officer != "o-17") {
				t.Fatalf("%+v", got[0])
			}
		})
	}
}

func TestTurnedLaneDecidesAndGrantsTheOtherWay(t *testing.T) {
	r := newRig(t)
	r.m.o.Reversible = true
	rules := goodPolicy() // headquarters' rules name the way of the lane's file
	r.m.o.Rules = func() Policy { return rules }
	r.open(t)
	r.give(Turn(0, DirEntry, "o-17", "crowd"), Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.flushAll()
	r.wantEnd(t, reason.Refused, reason.PassDirection)
	r.give(Presence(0, Off))
	c := r.claims["good"]
	c.Pass.Directions = []Direction{DirEntry}
	r.claims["good"] = c
	r.give(Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.flushAll()
	r.want(t, Granted)
	if !slices.Equal(r.ways, []Direction{DirEntry}) {
		t.Fatalf("granted %v", r.ways)
	}
}

func TestStampAtTheGate(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.passes["P1"] = PassState{Stamped: r.wall.Add(-11 * day)}
	r.give(Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.flushAll()
	r.wantEnd(t, reason.Referred, reason.PassStampDue)
	tx := r.m.last.id
	r.give(Stamp(0, tx, ""), Stamp(0, TxID{99}, "o-17"))
	if len(r.of(EntryStamp)) != 0 {
		t.Fatal("stamped by nobody, or another's pass")
	}
	r.give(Stamp(0, tx, "o-17"))
	got := r.of(EntryStamp)
	if len(got) != 1 || got[0].Tx != tx || got[0].Personal.PassNumber != "P1" || got[0].Personal.Officer != "o-17" || r.m.cause != CauseStamped {
		t.Fatalf("%+v", got)
	}
	r.give(Presence(0, Off), Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.flushAll()
	r.want(t, Granted)
}

func TestStampNeedsAPassAndAJournal(t *testing.T) {
	for name, do := range map[string]func(r *rig){
		"no pass": func(r *rig) { r.give(Presence(0, On)); r.late() },
		"forged":  func(r *rig) { r.give(Presence(0, On)); r.give(Symbol(0, r.documents(), r.now, []byte("forged"))) },
		"no journal": func(r *rig) {
			r.show(t)
			r.give(Symbol(0, r.documents(), r.now, []byte("good")), JournalRoom(0, false))
		},
	} {
		r := newRig(t)
		r.open(t)
		r.listed["P1"] = true
		do(r)
		r.flushAll()
		if r.m.state != ReferredAway || r.m.last == nil {
			t.Fatalf("%s: state %v", name, r.m.state)
		}
		r.give(Stamp(0, r.m.last.id, "o-17"))
		if len(r.of(EntryStamp)) != 0 {
			t.Errorf("%s: stamped", name)
		}
	}
}
