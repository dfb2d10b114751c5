package gate

import (
	"bordergate/gate/reason"
)

// The moves of the table. Each handles one kind of input in one or more
// states; the levels have been noted before it is called.

func stay(m *machine, _ Input) State { return m.state }

// Start, self-test, service.

func toSelfTest(m *machine, _ Input) State { return m.stop(SelfTest, "self_test") }

// healthy names the first thing that is missing for service, or nothing.
func (m *machine) healthy() string {
	switch {
	case !m.journal:
		return reason.JournalFault.String()
	case !m.turnstile:
		return CauseTurnstile
	case m.unfit != "":
		return m.unfit
	case m.emergency != Off:
		return CauseEmergencyInput
	case !m.canRead():
		return CauseDocument
	default:
		return "" // without the face camera everybody is referred, and told so
	}
}

// canRead reports whether a pass could be read at all.
func (m *machine) canRead() bool { return m.docCam || m.scanner }

func testDone(m *machine, _ Input) State {
	if m.emergency == On {
		return Emergency
	}
	missing := m.healthy()
	// The scanner alone would do, and so would an officer for every face, but
	// the cameras' workers take longer to start: they have the rest of the
	// test's time.
	switch {
	case missing != "":
	case m.tested: // once is enough: later, whatever is there serves
	case !m.docCam:
		missing = CauseDocument
	case !m.faceCam:
		missing = CauseFace
	}
	if missing != "" {
		return m.stop(SelfTest, missing)
	}
	return Ready
}

func testOver(m *machine, _ Input) State {
	m.tested = true
	if missing := m.healthy(); missing != "" {
		return m.stop(OutOfService, missing)
	}
	return Ready
}

func recoverService(m *machine, in Input) State {
	if in.kind == inEmergency && m.emergency == On {
		return toEmergency(m, in)
	}
	if m.healthy() != "" {
		return m.stop(OutOfService, m.healthy())
	}
	return m.stop(SelfTest, "self_test")
}

func setMode(m *machine, in Input) State {
	m.mode = in.mode
	return m.state
}

func openOrStay(m *machine, in Input) State {
	m.mode = in.mode
	if m.mode == ModeNormal {
		return m.stop(SelfTest, "self_test")
	}
	return m.state
}

// changeMode lets a transaction that has begun go on; its decision sees the
// mode, and the lane leaves service when it is over.
func changeMode(m *machine, in Input) State {
	m.mode = in.mode
	if m.state == Ready {
		return m.ready(in)
	}
	return m.state
}

func blockIfOn(m *machine, in Input) State { return m.ready(in) }

func unblockIfOff(m *machine, _ Input) State {
	if m.obstruction == Off {
		return Ready
	}
	return Blocked
}

// Emergency.

func toEmergency(m *machine, in Input) State {
	if m.emergency != On {
		return m.state
	}
	if m.tx != nil {
		// The leaves are free by hardware now; who passes is counted, not
		// admitted.
		m.finish(reason.Failed, []reason.Reason{reason.ModeEmergency}, false, in.At)
	}
	m.alarm(in.At, reason.ModeEmergency)
	return m.stop(Emergency, reason.ModeEmergency.String())
}

// signOff needs both: the hardware's reset and the officer's word.
func signOff(m *machine, in Input) State {
	if m.emergency != Off {
		return Emergency
	}
	m.record(Entry{Kind: EntryState, At: in.At, Public: Public{Reasons: []reason.Reason{reason.OfficerDecision}, State: SelfTest.String(), Cause: "emergency_signed_off"}})
	return m.stop(SelfTest, "self_test")
}

// Alarms that change nothing else.

func alarmTailgating(m *machine, in Input) State {
	m.alarm(in.At, reason.Tailgating)
	return m.state
}

func alarmWrongWay(m *machine, in Input) State {
	m.alarm(in.At, reason.WrongWay)
	return m.state
}

func alarmForced(m *machine, in Input) State {
	m.alarm(in.At, reason.Forced)
	return m.state
}

// journalLost stops the lane: what it does could not be proven any more.
func journalLost(m *machine, in Input) State {
	if m.tx != nil {
		m.finish(reason.Failed, []reason.Reason{reason.JournalFault}, false, in.At)
	}
	return m.stop(OutOfService, reason.JournalFault.String())
}

func deviceChanged(m *machine, in Input) State {
	if m.turnstile {
		return m.state
	}
	if m.tx != nil {
		m.finish(reason.Failed, []reason.Reason{reason.DeviceFault}, false, in.At)
	}
	return m.stop(OutOfService, CauseTurnstile)
}

// A traveller arrives and shows his pass.

func begin(m *machine, in Input) State {
	if m.presence != On {
		return m.state
	}
	if m.state == Ready {
		if next := m.serviceable(); next != Ready {
			return next
		}
	}
	m.session++
	m.last = nil
	m.o.Tracker.Begin()
	m.tx = &transaction{id: m.o.NewID(), session: m.session, looking: m.session, begun: in.At, steps: map[string]int64{StepPresence: 0}}
	m.o.Eyes.Watch(m.session)
	return Reading
}

// serviceable is the state the lane should be in without a traveller.
func (m *machine) serviceable() State {
	if m.mode == ModeNormal && m.obstruction == Off && m.healthy() == "" {
		return Ready
	}
	return m.ready(Input{})
}

func leftEarly(m *machine, in Input) State {
	if m.presence == On {
		return m.state
	}
	m.finish(reason.Abandoned, nil, false, in.At)
	return Ready
}

func readSymbol(m *machine, in Input) State {
	t := m.tx
	if in.session != t.session || t.seen(in.payload) {
		return m.state
	}
	t.step(StepSymbolInView, in.frameAt)
	t.step(StepSymbolDecoded, in.At)
	now, _, _ := m.o.Clock.Wall()
	c := m.o.Passes.Read(in.payload, now)
	// A foreign code in view is no pass and no attack; the traveller may yet
	// show the right one. A seal of the right kind that does not verify ends it.
	t.read, t.claim = true, c
	switch c.Fault {
	case 0:
		t.step(StepSealVerified, m.o.Mono())
		return m.look(in)
	case reason.PassFormat:
		return m.state
	default:
		return m.decide(m.evidence(true), in.At)
	}
}

// look asks the cache and tries the faces seen so far.
func (m *machine) look(in Input) State {
	m.mustBePresent()
	e := m.evidence(false)
	m.tx.step(StepAccount, m.o.Mono())
	if next := m.tryDecide(e, in); next == Deciding {
		return Deciding
	}
	return Matching
}

// tryDecide decides once every input is in; missed suspensions on their way
// are waited for, within bounds.
func (m *machine) tryDecide(e Evidence, in Input) State {
	t := m.tx
	if !m.decided(e) {
		return m.state
	}
	now := m.o.Mono()
	if e.Match.Similarity != Undecided {
		t.step(StepMatch, now)
		t.step(StepLiveness, now)
	}
	if e.CatchingUp {
		if soon := in.At + m.o.Times.CatchUp.Nanoseconds(); m.state == Matching && !t.waiting {
			t.waiting = true
			m.deadline = min(m.deadline, soon)
		}
		return m.state
	}
	return m.decide(e, now)
}

func keepFace(m *machine, in Input) State {
	if in.session == m.tx.looking {
		m.keep(in.face, in.At)
	}
	return m.state
}

// documentShown notes what tells a pass that cannot be read from none.
func documentShown(m *machine, in Input) State {
	if in.session == m.tx.session {
		m.tx.shown = true
	}
	return m.state
}

func matchFace(m *machine, in Input) State {
	if in.session != m.tx.looking {
		return m.state
	}
	m.keep(in.face, in.At)
	return rematch(m, in)
}

func rematch(m *machine, in Input) State {
	m.mustBePresent()
	return m.tryDecide(m.evidence(false), in)
}

// eyesWhileMatching refers at once when the face camera's worker is gone: a
// traveller is not kept waiting for a restart.
func eyesWhileMatching(m *machine, in Input) State {
	if in.camera != FaceCamera || in.up {
		return m.state
	}
	return m.decide(m.evidence(true), in.At)
}

func decideNow(m *machine, in Input) State {
	m.mustBePresent()
	return m.decide(m.evidence(true), in.At)
}

// The decision is durable: carry it out.

func recordFailed(m *machine, in Input) State {
	m.journal = false
	return journalLost(m, in)
}

func carryOut(m *machine, in Input) State {
	t := m.tx
	if in.tx != t.id || in.entry != EntryDecision {
		return m.state
	}
	t.step(StepJournaled, in.At)
	if t.officer != "" {
		return m.carryOverride(in)
	}
	if !t.verdict.Admit() {
		m.finish(t.verdict.Outcome, t.verdict.Reasons, false, in.At)
		return ReferredAway
	}
	if !m.turnstile {
		return deviceChanged(m, in)
	}
	if m.presence != On {
		m.finish(reason.Abandoned, nil, false, in.At)
		return Ready
	}
	// The last moment: whatever changed while the record went to the disk
	// withholds the grant, and so does it that the one who matched is gone.
	if !m.o.Tracker.Present(m.o.Mono()) {
		t.breakOff(reason.FaceNone)
	}
	if again := Decide(m.evidence(true), m.o.Policy); !again.Admit() {
		m.finish(again.Outcome, again.Reasons, false, in.At)
		return ReferredAway
	}
	return m.grant(in.At)
}

// grant sends the one grant of a transaction whose decision is durable.
func (m *machine) grant(at int64) State {
	t := m.tx
	t.granted = true
	t.step(StepGrantSent, m.o.Mono())
	if err := m.o.Turnstile.Grant(t.id, m.o.Policy.Direction, m.o.Times.GrantLife); err != nil {
		m.self = append(m.self, GrantFailed(at, t.id))
	}
	return Granted
}

func (m *machine) ours(in Input) bool { return in.tx == m.tx.id }

func moving(m *machine, in Input) State {
	if m.ours(in) {
		m.tx.step(StepGateMoving, in.At)
		m.show(false)
	}
	return m.state
}

func grantFailed(m *machine, in Input) State {
	if !m.ours(in) {
		return m.state
	}
	m.tx.granted = false
	m.finish(reason.Failed, []reason.Reason{reason.DeviceFault}, false, in.At)
	return ReferredAway
}

// withdraw takes the grant back while nobody has started to pass.
func (m *machine) withdraw(o reason.Outcome, set []reason.Reason, at int64) State {
	m.o.Turnstile.Revoke(m.tx.id)
	m.finish(o, set, true, at)
	return ReferredAway
}

func recheckGrant(m *machine, in Input) State {
	t := m.tx
	if in.account != "" && in.account != t.claim.Pass.Account && in.account != t.claim.Pass.Organisation {
		return m.state
	}
	return m.standOrWithdraw(in)
}

// standOrWithdraw decides whether the grant that was given stands.
func (m *machine) standOrWithdraw(in Input) State {
	if m.tx.officer != "" {
		return m.state // an officer has decided, who knows more than the cache
	}
	e := m.evidence(true)
	// Somebody stepping in is a level of its own here; the account and the face
	// alone decide whether the grant stands.
	e.Obstruction, e.CatchingUp = Off, false
	if v := Decide(e, m.o.Policy); !v.Admit() {
		return m.withdraw(v.Outcome, v.Reasons, in.At)
	}
	return m.state
}

func revokeJournalLost(m *machine, in Input) State {
	m.o.Turnstile.Revoke(m.tx.id)
	return journalLost(m, in)
}

func deviceWhileGranted(m *machine, in Input) State {
	if m.turnstile {
		return m.state
	}
	m.alarm(in.At, reason.DeviceFault)
	return deviceChanged(m, in)
}

// The passage.

func passageStarted(m *machine, in Input) State {
	if !m.ours(in) {
		return m.state
	}
	m.tx.step(StepPassageStarted, in.At)
	m.o.Eyes.Stop()
	return Passing
}

func passageCompleted(m *machine, in Input) State {
	if !m.ours(in) {
		return m.state
	}
	m.tx.step(StepPassageStarted, in.At)
	m.tx.step(StepPassageCompleted, in.At)
	m.moved(in.At)
	m.finish(m.tx.through(), m.tx.overridden(), false, in.At)
	return Clearing
}

func unused(m *machine, in Input) State {
	if in.kind == inPassageTimeout && !m.ours(in) {
		return m.state
	}
	return m.withdraw(reason.Abandoned, []reason.Reason{reason.PassageUnused}, in.At)
}

func passageStuck(m *machine, in Input) State {
	if in.kind == inPassageTimeout && !m.ours(in) {
		return m.state
	}
	// Nobody knows whether he went through; no timer says so.
	m.alarm(in.At, reason.Obstruction)
	m.finish(reason.Failed, []reason.Reason{reason.Obstruction}, false, in.At)
	return m.stop(Blocked, reason.Obstruction.String())
}

func wrongWayGranted(m *machine, in Input) State {
	m.alarm(in.At, reason.WrongWay)
	m.o.Turnstile.Revoke(m.tx.id)
	m.finish(reason.Abandoned, nil, true, in.At)
	return Clearing
}

func clearedIfOff(m *machine, _ Input) State {
	if m.obstruction == Off {
		return Ready
	}
	return Clearing
}

func blockedAfter(m *machine, in Input) State {
	m.alarm(in.At, reason.Obstruction)
	return m.stop(Blocked, reason.Obstruction.String())
}

// After a referral the officer has the traveller; the lane waits until the
// place before it is empty.

func leftReferred(m *machine, _ Input) State {
	if m.presence == On {
		return m.state
	}
	return Ready
}

func referredOver(m *machine, in Input) State {
	if m.presence == On {
		m.deadline = in.At + m.o.Times.Referred.Nanoseconds()
		return m.state
	}
	return Ready
}
