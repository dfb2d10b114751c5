package gate

import (
	"bordergate/gate/reason"
)

// The moves of the table. Each handles one kind of input in one or more
// states; the levels have been noted before it is called.

// stay changes nothing.
func stay(m *machine, _ Input) State { return m.state }

// Start, self-test, service.

// toSelfTest opens the lane, as far as the mode lets it. An emergency that
// nobody has signed off outlasts the start of the machine.
func toSelfTest(m *machine, in Input) State {
	if m.mode != ModeNormal {
		m.recordMode("start", in.At)
	}
	if m.o.Unsigned {
		m.opening = &opening{since: in.At, restarted: true}
		return m.stop(Emergency, reason.ModeEmergency.String())
	}
	return m.stop(SelfTest, "self_test")
}

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

// testDone ends the self-test once every device has reported that it is well.
func testDone(m *machine, in Input) State {
	if m.emergency == On {
		return m.openAll(in.At)
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

// testOver serves with what there is, or names what is missing.
func testOver(m *machine, _ Input) State {
	m.tested = true
	if missing := m.healthy(); missing != "" {
		return m.stop(OutOfService, missing)
	}
	return Ready
}

// recoverService tests anew once nothing is missing any more.
func recoverService(m *machine, in Input) State {
	if m.emergency == On {
		return m.openAll(in.At)
	}
	if m.healthy() != "" {
		return m.stop(OutOfService, m.healthy())
	}
	return m.stop(SelfTest, "self_test")
}

// journalLost stops the lane: what it does could not be proven any more.
func journalLost(m *machine, in Input) State {
	if t := m.tx; t != nil {
		if t.granted {
			m.revoke(t.id)
		}
		m.finish(reason.Failed, []reason.Reason{reason.JournalFault}, false, in.At)
	}
	return m.stop(OutOfService, reason.JournalFault.String())
}

// deviceChanged stops the lane when the turnstile is lost.
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

// recheck looks at everything again: somebody may have come, or service may have to end.
func recheck(m *machine, in Input) State { return m.ready(in) }

// begin takes the traveller who stands before the gate.
func (m *machine) begin(in Input) State {
	m.session++
	m.last = nil
	m.o.Tracker.Begin()
	m.tx = &transaction{id: m.o.NewID(), session: m.session, looking: m.session, begun: in.At, steps: map[string]int64{StepPresence: 0}}
	m.o.Eyes.Watch(m.session)
	return Reading
}

// leftEarly ends the transaction of a traveller who went away.
func leftEarly(m *machine, in Input) State {
	if m.presence == On {
		return m.state
	}
	m.finish(reason.Abandoned, nil, false, in.At)
	return Ready
}

// readSymbol judges a code, and looks its holder up.
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
		m.show(false)
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
	if next := m.tryDecide(e, in); next != m.state {
		return next
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
		if m.state == Matching { // before, the time for reading is what is left
			m.deadline = min(m.deadline, in.At+m.o.Times.CatchUp.Nanoseconds())
		}
		return m.state
	}
	return m.decide(e, now)
}

// keepFace gathers a frame while the pass is still to come.
func keepFace(m *machine, in Input) State {
	if in.session == m.tx.looking {
		m.keep(in.face, in.At)
	}
	return m.state
}

// documentShown notes what tells a pass that cannot be read from none.
func documentShown(m *machine, in Input) State {
	if in.session == m.tx.session && !m.tx.shown {
		m.tx.shown = true
		m.show(false)
	}
	return m.state
}

// document is what the screen is told of the pass before one is read.
func (t *transaction) document() Document {
	switch {
	case t.read && t.claim.Fault == reason.PassFormat:
		return DocumentForeign
	case t.shown && !t.read:
		return DocumentShown
	default:
		return DocumentNone
	}
}

// matchFace gathers a frame and decides once every input is in.
func matchFace(m *machine, in Input) State {
	if in.session != m.tx.looking {
		return m.state
	}
	m.keep(in.face, in.At)
	return rematch(m, in)
}

// rematch decides once every input is in.
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

// decideNow decides on what there is: the time is up.
func decideNow(m *machine, in Input) State {
	m.mustBePresent()
	return m.decide(m.evidence(true), in.At)
}

// The decision is durable: carry it out.

// recordFailed stops the lane: the decision is not on record.
func recordFailed(m *machine, in Input) State {
	m.journal = false
	return journalLost(m, in)
}

// carryOut does what was decided, now that it is durable, if it still may be.
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
	if m.mustConfirm() {
		return Confirming // ordered while the record went to the disk
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

// After a referral the officer has the traveller; the lane waits until the
// place before it is empty.

// leftReferred is ready for the next once the traveller has gone.
func leftReferred(m *machine, _ Input) State {
	if m.presence == On {
		return m.state
	}
	return Ready
}

// referredOver goes on waiting while he stands there.
func referredOver(m *machine, in Input) State {
	if m.presence == On {
		m.deadline = in.At + m.o.Times.Referred.Nanoseconds()
		return m.state
	}
	return Ready
}
