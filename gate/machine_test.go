package gate

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"bordergate/gate/reason"
)

func TestTableAnswersEveryInputInEveryState(t *testing.T) {
	table := newTable()
	for s := range table {
		for in := range table[s] {
			if table[s][in] == nil {
				t.Errorf("state %v has no answer to %s", State(s), inputText[in])
			}
		}
	}
	for _, s := range States() {
		if s.String() == "" || s.String() == "invalid" {
			t.Errorf("state %d has no name", s)
		}
	}
}

func TestStatesWithATravellerHaveALimit(t *testing.T) {
	for _, s := range []State{SelfTest, Reading, Matching, Deciding, Granted, Passing, Clearing, ReferredAway} {
		if s.limit(DefaultTimes()) <= 0 {
			t.Errorf("state %v has no time limit", s)
		}
	}
}

func TestGenuineTravellerPasses(t *testing.T) {
	r := newRig(t)
	id := r.granted(t)
	r.give(GrantAccepted(0, id), Presence(0, Off), Obstruction(0, On), PassageStarted(0, id))
	r.want(t, Passing)
	r.give(PassageCompleted(0, id, DirExit))
	r.want(t, Clearing)
	r.give(Obstruction(0, Off))
	r.want(t, Ready)
	r.wantEnd(t, reason.Admitted)
	if len(r.grants) != 1 || r.grants[0] != id || len(r.revoked) != 0 {
		t.Fatalf("grants %v, revoked %v", r.grants, r.revoked)
	}
	var kinds []string
	for _, e := range r.entries {
		kinds = append(kinds, e.Kind)
	}
	if len(kinds) != 2 || kinds[0] != EntryDecision || kinds[1] != EntryOutcome {
		t.Fatalf("entries %v", kinds)
	}
	if r.entries[1].Personal != nil {
		t.Error("the second record repeats personal data")
	}
	for _, s := range []string{StepPresence, StepSymbolDecoded, StepSealVerified, StepAccount, StepMatch, StepVerdict, StepJournaled, StepGrantSent, StepPassageStarted, StepPassageCompleted} {
		if _, ok := r.last(t).Steps[s]; !ok {
			t.Errorf("step %s has no time", s)
		}
	}
}

func TestTravellersThatAreNotAdmitted(t *testing.T) {
	cases := []struct {
		name    string
		change  func(r *rig)
		symbol  string
		outcome reason.Outcome
		reasons []reason.Reason
	}{
		{"forged", nil, "forged", reason.Refused, []reason.Reason{reason.PassSignature}},
		{"suspended", func(r *rig) { a := r.account["a1"]; a.Status = AccountSuspended; r.account["a1"] = a }, "good", reason.Refused, []reason.Reason{reason.AccountSuspended}},
		{"unknown account", func(r *rig) { r.account = map[string]Account{"": {}}; r.account["a1"] = Account{Issued: r.wall} }, "good", reason.Referred, []reason.Reason{reason.AccountUnknown}},
		{"impostor", func(r *rig) { r.match = Match{Similarity: Different, Liveness: LiveYes, Frames: 6} }, "good", reason.Refused, []reason.Reason{reason.FaceMismatch}},
		{"between", func(r *rig) { r.match = Match{Similarity: Between, Liveness: LiveYes, Frames: 6} }, "good", reason.Referred, []reason.Reason{reason.FaceMismatch}},
		{"attack", func(r *rig) { r.match.Liveness = LiveAttack }, "good", reason.Referred, []reason.Reason{reason.LivenessAttack}},
		{"expired and suspended at once", func(r *rig) {
			p := goodPass()
			p.ValidTo = r.wall
			r.claims["good"] = Claim{Pass: p}
			a := r.account["a1"]
			a.Status = AccountSuspended
			r.account["a1"] = a
		}, "good", reason.Refused, []reason.Reason{reason.PassExpired, reason.AccountSuspended}},
		{"stale cache", func(r *rig) { r.wall = r.wall.Add(73 * time.Hour) }, "good", reason.Referred, []reason.Reason{reason.CacheStale}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			if c.change != nil {
				c.change(r)
			}
			r.open(t)
			r.give(Presence(0, On))
			r.usable(3)
			r.give(Symbol(0, r.documents(), r.now, []byte(c.symbol)))
			r.flushAll()
			r.want(t, ReferredAway)
			r.wantEnd(t, c.outcome, c.reasons...)
			if len(r.grants) != 0 {
				t.Fatal("the gate was granted")
			}
			r.late()
			r.want(t, ReferredAway) // he still stands there
			r.give(Presence(0, Off))
			r.want(t, Ready)
		})
	}
}

// TestDetailOfASealIsRecorded: what one reason sums up is in both records and on
// the technician's page, and nowhere else.
func TestDetailOfASealIsRecorded(t *testing.T) {
	r := newRig(t)
	r.claims["revoked"] = Claim{Fault: reason.PassSigner, Detail: "signer_revoked"}
	r.open(t)
	r.give(Presence(0, On))
	r.give(Symbol(0, r.m.session, r.now, []byte("revoked")))
	r.flushAll()
	r.wantEnd(t, reason.Referred, reason.PassSigner)
	var kinds []string
	for _, e := range r.entries {
		if e.Public.Detail == "signer_revoked" {
			kinds = append(kinds, e.Kind)
		}
	}
	if !slices.Equal(kinds, []string{EntryDecision, EntryOutcome}) || r.last(t).Detail != "signer_revoked" {
		t.Errorf("detail in records %v, shown %q", kinds, r.last(t).Detail)
	}
	r.give(Presence(0, Off))
	r.late()
	if v := r.views[len(r.views)-1]; v.Detail != "" {
		t.Errorf("detail %q of nobody", v.Detail)
	}
}

func TestUnreadablePassIsReferredWhenTheReadingIsOver(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.usable(2)
	r.give(DocumentSeen(0, r.documents()))
	r.late()
	r.flushAll()
	r.want(t, ReferredAway)
	r.wantEnd(t, reason.Referred, reason.PassUnreadable)
}

func TestWhoShowsNothingShowsNoUnreadablePass(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.usable(2)
	r.give(DocumentSeen(0, r.m.session+1)) // of another traveller
	r.late()
	r.flushAll()
	r.wantEnd(t, reason.Referred, reason.CaptureTimeout)
}

func (r *rig) show(t helper) {
	t.Helper()
	r.give(Presence(0, Off), Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.flushAll()
}

func TestPassIsNotGoodTwiceInARow(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.show(t)
	r.give(PassageStarted(0, r.m.tx.id), PassageCompleted(0, r.m.tx.id, DirExit))
	r.flushAll()
	r.wantEnd(t, reason.Admitted)
	r.show(t)
	r.wantEnd(t, reason.Referred, reason.Passback)
	if len(r.grants) != 1 || len(r.unsure) != 0 {
		t.Fatalf("grants %v, unsure %v", r.grants, r.unsure)
	}
}

func TestUnusedGrantIsNoMovement(t *testing.T) {
	r := newRig(t)
	r.granted(t)
	r.late()
	r.wantEnd(t, reason.Abandoned, reason.PassageUnused)
	if r.passes["P1"].Last.Known {
		t.Fatal("a passage that did not happen is a movement")
	}
}

func TestPassageNobodyKnowsTheEndOf(t *testing.T) {
	r := newRig(t)
	id := r.granted(t)
	r.give(PassageStarted(0, id))
	r.late()
	r.wantEnd(t, reason.Failed, reason.Obstruction)
	if len(r.unsure) != 1 || r.passes["P1"].Last.Known {
		t.Fatalf("unsure %v, last %+v", r.unsure, r.passes["P1"].Last)
	}
}

func TestMarkStaysInTheOutcome(t *testing.T) {
	r := newRig(t)
	p := r.passes["P1"]
	p.Last = Movement{Known: true, Direction: DirExit, Ago: time.Hour}
	r.passes["P1"] = p
	id := r.granted(t)
	r.give(PassageStarted(0, id), PassageCompleted(0, id, DirExit))
	r.wantEnd(t, reason.Admitted, reason.MovementUnchecked)
}

func TestNoticeIsShownAndRecorded(t *testing.T) {
	r := newRig(t)
	r.passes["P1"] = PassState{Stamped: r.wall.Add(-9 * day)}
	id := r.granted(t)
	if v := r.views[len(r.views)-1]; len(v.Notices) != 1 {
		t.Fatalf("not shown while the gate is open: %+v", v)
	}
	r.give(PassageStarted(0, id), PassageCompleted(0, id, DirExit))
	r.wantEnd(t, reason.Admitted)
	if v := r.last(t); len(v.Notices) != 1 || v.Notices[0] != NoticeStampSoon {
		t.Fatalf("notices %v", v.Notices)
	}
	for _, e := range r.entries {
		if len(e.Public.Notices) != 1 {
			t.Errorf("record %s has notices %v", e.Kind, e.Public.Notices)
		}
	}
}

func TestRevocationOfThePassWithholdsAndRevokes(t *testing.T) {
	revoke := func(r *rig) { r.passes["P1"] = PassState{Revoked: true, Stamped: r.wall} }
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	revoke(r)
	r.flush(nil)
	r.wantEnd(t, reason.Refused, reason.PassRevoked)
	if len(r.grants) != 0 {
		t.Fatal("the gate was granted")
	}
	r = newRig(t)
	r.granted(t)
	revoke(r)
	r.give(AccountChanged(0, "")) // a change of a pass names no account
	r.wantEnd(t, reason.Refused, reason.PassRevoked)
	if len(r.revoked) != 1 {
		t.Fatalf("revoked %v", r.revoked)
	}
}

func TestSuspensionOfTheOrganisationRevokes(t *testing.T) {
	r := newRig(t)
	p := goodPass()
	p.Organisation = "o1"
	r.claims["good"] = Claim{Pass: p}
	a := r.account["a1"]
	a.Organisation = "o1"
	r.account["a1"] = a
	r.account["o1"] = Account{Status: AccountActive, Kind: KindOrganisation, Issued: r.wall}
	r.granted(t)
	r.account["o1"] = Account{Status: AccountSuspended, Kind: KindOrganisation, Issued: r.wall}
	r.give(AccountChanged(0, "o1"))
	r.wantEnd(t, reason.Refused, reason.AccountSuspended)
}

func TestForeignCodeDoesNotEndTheReading(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.usable(3)
	for i := range maxSymbols + 4 {
		r.give(Symbol(0, r.documents(), r.now, []byte("url")[:1+i%3]))
		r.give(Symbol(0, r.documents(), r.now, []byte{byte(i)}))
	}
	r.want(t, Reading)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.want(t, Deciding)
}

func TestSuspensionBeforeTheGrantWithholdsIt(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.want(t, Deciding)
	r.account["a1"] = Account{Status: AccountSuspended, Reference: []byte{1}, Issued: r.wall}
	r.flush(nil)
	r.want(t, ReferredAway)
	r.wantEnd(t, reason.Refused, reason.AccountSuspended)
	if len(r.grants) != 0 {
		t.Fatal("the gate was granted")
	}
}

func TestSuspensionBeforeThePassageRevokes(t *testing.T) {
	r := newRig(t)
	id := r.granted(t)
	r.account["a1"] = Account{Status: AccountSuspended, Reference: []byte{1}, Issued: r.wall}
	r.give(AccountChanged(0, "another"))
	r.want(t, Granted)
	r.give(AccountChanged(0, "a1"))
	r.want(t, ReferredAway)
	r.wantEnd(t, reason.Refused, reason.AccountSuspended)
	if len(r.revoked) != 1 || r.revoked[0] != id {
		t.Fatalf("revoked %v", r.revoked)
	}
}

func TestSuspensionAfterThePassageStartedComesTooLate(t *testing.T) {
	r := newRig(t)
	id := r.granted(t)
	r.give(Obstruction(0, On), PassageStarted(0, id))
	r.account["a1"] = Account{Status: AccountSuspended, Reference: []byte{1}, Issued: r.wall}
	r.give(AccountChanged(0, "a1"), PassageCompleted(0, id, DirExit))
	r.wantEnd(t, reason.Admitted)
}

func TestNoShowDiesWithItsGrant(t *testing.T) {
	for name, end := range map[string]func(r *rig, id TxID){
		"turnstile's timer": func(r *rig, id TxID) { r.give(PassageTimeout(0, id)) },
		"lane's timer":      func(r *rig, _ TxID) { r.late() },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			id := r.granted(t)
			end(r, id)
			r.wantEnd(t, reason.Abandoned, reason.PassageUnused)
			if len(r.revoked) != 1 {
				t.Fatalf("revoked %v", r.revoked)
			}
		})
	}
}

// TestUnobservedPassageEndsAtOnce: the lane neither waits for its limit nor
// takes the empty place for a passage, and it is free for the next.
func TestUnobservedPassageEndsAtOnce(t *testing.T) {
	for name, before := range map[string]func(r *rig, id TxID){
		"granted": func(r *rig, _ TxID) { r.give(Presence(0, Off)) },
		"passing": func(r *rig, id TxID) {
			r.give(Obstruction(0, On), PassageStarted(0, id), Presence(0, Off), Obstruction(0, Off))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			id := r.granted(t)
			before(r, id)
			r.give(PassageUnobserved(0, TxID{9}))
			if r.m.tx == nil {
				t.Fatal("another grant's word ended this one")
			}
			r.give(PassageUnobserved(0, id))
			r.wantEnd(t, reason.Failed, reason.DeviceFault)
			r.want(t, Ready)
			if len(r.unsure) != 1 {
				t.Errorf("movements in doubt: %v", r.unsure)
			}
		})
	}
}

func TestJournalFaultStopsTheLane(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.flush(errDisk)
	r.want(t, OutOfService)
	r.wantEnd(t, reason.Failed, reason.JournalFault)
	r.give(TurnstileUp(0, true), Start(0), Presence(0, Off), Presence(0, On))
	r.want(t, OutOfService)
	if len(r.grants) != 0 {
		t.Fatal("the gate was granted")
	}
}

// TestNoRoomInTheJournalAdmitsNobody: whoever stands there is brought to an end
// on record, nobody is begun, and the lane comes back with the room.
func TestNoRoomInTheJournalAdmitsNobody(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.usable(3)
	r.give(JournalRoom(0, false), Symbol(0, r.documents(), r.now, []byte("good")))
	r.flush(nil)
	r.want(t, ReferredAway)
	r.wantEnd(t, reason.Referred, reason.JournalFault)
	r.give(Presence(0, Off), Presence(0, On))
	r.want(t, OutOfService)
	if r.m.cause != reason.JournalFault.String() || len(r.grants) != 0 {
		t.Fatalf("cause %q, grants %v", r.m.cause, r.grants)
	}
	entries := len(r.entries)
	r.give(Presence(0, Off), Presence(0, On), Presence(0, Off))
	if len(r.entries) != entries {
		t.Error("a full journal gets more records of those who come")
	}
	r.give(JournalRoom(0, true))
	r.want(t, Ready)
	r.give(JournalRoom(0, false))
	r.want(t, OutOfService)
}

func TestRoomThatRunsOutLetsAPassageEnd(t *testing.T) {
	r := newRig(t)
	id := r.granted(t)
	r.give(GrantAccepted(0, id), JournalRoom(0, false), Presence(0, Off), Obstruction(0, On), PassageStarted(0, id), PassageCompleted(0, id, DirExit), Obstruction(0, Off))
	r.wantEnd(t, reason.Admitted)
	r.want(t, OutOfService)
	if len(r.revoked) != 0 {
		t.Errorf("revoked %v", r.revoked)
	}
}

func TestEmergencyIsLeftOnlyByResetAndSignOff(t *testing.T) {
	r := newRig(t)
	r.granted(t)
	r.give(EmergencyInput(0, On))
	r.want(t, Emergency)
	r.wantEnd(t, reason.Failed, reason.ModeEmergency)
	r.give(SignOff(0, "o-17"))
	r.want(t, Emergency)
	r.give(EmergencyInput(0, Off), Start(0), SetMode(0, Order{Mode: ModeNormal, By: ByStation}))
	r.want(t, Emergency)
	r.give(Presence(0, Off), SignOff(0, "o-17"))
	r.want(t, Emergency) // until it is on record
	r.flushAll()
	r.want(t, Ready)
}

func TestMissedSuspensionsAreWaitedForWithinBounds(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.usable(3)
	r.catch = true
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.want(t, Matching)
	r.catch = false
	r.give(AccountChanged(0, ""))
	r.want(t, Deciding)

	r = newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.usable(3)
	r.catch = true
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.usable(1)
	r.late()
	r.flushAll()
	r.wantEnd(t, reason.Referred, reason.ModeCatchingUp)
}

func TestServiceWaitsForEveryDeviceAtTheStart(t *testing.T) {
	r := newRig(t)
	r.give(Start(0), TurnstileUp(0, true), EmergencyInput(0, Off), Obstruction(0, Off), CameraUp(0, DocumentCamera, true))
	r.want(t, SelfTest)
	if r.m.cause != CauseFace {
		t.Fatalf("cause %q", r.m.cause)
	}
	r.late()
	r.want(t, Ready) // reduced: everybody is referred for his face
	r.give(CameraUp(0, FaceCamera, true))
	r.want(t, Ready)
	r.give(TurnstileUp(0, false))
	r.want(t, OutOfService)
	r.give(TurnstileUp(0, true), Obstruction(0, Off))
	r.want(t, OutOfService) // what a lost board said last is not known any more
	r.give(EmergencyInput(0, Off))
	r.want(t, Ready)
}

func TestEitherReaderServesAlone(t *testing.T) {
	r := newRig(t)
	r.give(Start(0), TurnstileUp(0, true), EmergencyInput(0, Off), Obstruction(0, Off), Presence(0, Off), CameraUp(0, FaceCamera, true))
	r.late()
	r.want(t, OutOfService)
	if r.m.cause != CauseDocument {
		t.Fatalf("cause %q", r.m.cause)
	}
	r.give(ScannerUp(0, true))
	r.want(t, Ready) // the camera had its time at the start
	r.give(Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.m.session, r.now, []byte("good")))
	r.flush(nil)
	r.want(t, Granted)

	r = newRig(t)
	r.open(t)
	r.give(ScannerUp(0, true), Presence(0, On), CameraUp(0, DocumentCamera, false), ScannerUp(0, false))
	r.usable(3)
	r.late()
	r.flushAll()
	r.wantEnd(t, reason.Referred, reason.DeviceFault)
}

func TestStopClosesTheRecordOfWhoIsThere(t *testing.T) {
	r := newRig(t)
	id := r.granted(t)
	l := &Lane{o: r.m.o, m: r.m}
	l.stop()
	r.flushAll()
	r.wantEnd(t, reason.Interrupted, reason.Interrupt)
	if len(r.revoked) != 1 || r.revoked[0] != id || len(r.unsure) != 1 {
		t.Fatalf("revoked %v, unsure %v", r.revoked, r.unsure)
	}
	l.stop() // nobody is there: no record
	if n := len(r.entries); n != 2 {
		t.Fatalf("%d records, want decision and outcome", n)
	}
}

func TestSelfTestDoesNotWaitForTheScanner(t *testing.T) {
	r := newRig(t)
	r.give(ScannerUp(0, false))
	r.open(t)
}

func TestLostFaceCameraRefersAtOnce(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On), Symbol(0, 1, r.now, []byte("good")))
	r.want(t, Matching)
	r.give(CameraUp(0, FaceCamera, false))
	r.flushAll()
	r.wantEnd(t, reason.Referred, reason.BiometricsUnavailable)
}

func TestStaleSessionIsIgnored(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	old := r.m.session
	r.give(Presence(0, Off), Presence(0, On), Symbol(0, old, r.now, []byte("good")))
	r.want(t, Reading)
}

func TestModeChangeWaitsForTheTraveller(t *testing.T) {
	r := newRig(t)
	id := r.granted(t)
	r.give(SetMode(0, Order{Mode: ModeClosed, By: ByStation}), PassageStarted(0, id), PassageCompleted(0, id, DirExit))
	r.want(t, Closed)
	r.give(Presence(0, Off), SetMode(0, Order{Mode: ModeNormal, By: ByStation}))
	r.want(t, Ready)
}

func TestRecordThatIsNotTakenStopsTheLane(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.usable(3)
	r.refuse = errDisk
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.want(t, OutOfService)
	r.wantEnd(t, reason.Failed, reason.JournalFault)
}

func TestGrantThatIsNotTakenFails(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.jammed = errDisk
	r.give(Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.flush(nil)
	r.want(t, ReferredAway)
	r.wantEnd(t, reason.Failed, reason.DeviceFault)
}

func TestTurnstileLostWhileTheRecordIsWrittenIsNoAbandonment(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")), TurnstileUp(0, false))
	r.flush(nil)
	r.want(t, OutOfService)
	r.wantEnd(t, reason.Failed, reason.DeviceFault)
}

// TestReferenceOfThePass stands in where the cache has none that fits.
func TestReferenceOfThePass(t *testing.T) {
	other := func(a *Account) { a.Model = "older" }
	none := func(a *Account) { a.Model, a.Reference = "", nil }
	cases := []struct {
		name    string
		change  func(*Account)
		sealed  []byte
		own     []byte
		used    []byte // nil: nothing is compared
		source  string
		asked   int
		outcome reason.Outcome
		reasons []reason.Reason
	}{
		{"cache first", func(*Account) {}, []byte("s"), []byte{2}, []byte{1}, "cache", 0, reason.Admitted, nil},
		{"cache has none", none, []byte("s"), []byte{2}, []byte{2}, "pass", 1, reason.Admitted, nil},
		{"cache has one of another model", other, []byte("s"), []byte{2}, []byte{2}, "pass", 1, reason.Admitted, nil},
		{"neither", none, nil, nil, nil, "", 0, reason.Referred, []reason.Reason{reason.BiometricsUnavailable}},
		{"it does not open", none, []byte("s"), nil, nil, "", 1, reason.Referred, []reason.Reason{reason.BiometricsUnavailable}},
		{"unknown account", func(a *Account) { *a = Account{Issued: a.Issued} }, []byte("s"), []byte{2}, nil, "", 0, reason.Referred, []reason.Reason{reason.AccountUnknown}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			a := r.account["a1"]
			c.change(&a)
			r.account["a1"] = a
			claim := r.claims["good"]
			claim.Pass.Model, claim.Pass.Template = "m", c.sealed
			r.claims["good"], r.own = claim, c.own
			r.open(t)
			r.give(Presence(0, On))
			r.usable(2)
			r.give(Symbol(0, r.m.session, r.now, []byte("good")))
			if c.outcome == reason.Admitted {
				r.want(t, Matching)
				r.usable(2)
			}
			id := r.m.tx.id
			r.flush(nil)
			if c.outcome == reason.Admitted {
				r.want(t, Granted)
				r.give(PassageStarted(0, id), PassageCompleted(0, id, DirExit))
			}
			r.wantEnd(t, c.outcome, c.reasons...)
			if r.asked != c.asked {
				t.Errorf("the pass's template was opened %d times, want %d", r.asked, c.asked)
			}
			for _, used := range r.used {
				if !bytes.Equal(used, c.used) {
					t.Errorf("compared with %v, want %v", used, c.used)
				}
			}
			for _, e := range r.entries {
				if e.Public.Reference != c.source {
					t.Errorf("%s names the reference of %q, want %q", e.Kind, e.Public.Reference, c.source)
				}
			}
		})
	}
}
