package gate

import (
	"slices"
	"time"

	"bordergate/gate/reason"
)

// An officer may let a referred traveller through while he stands there. His
// act is a decision of its own under the transaction's id: durable before the
// grant, one grant, closed by a sensor, and recorded with his id, the code of his
// reason and every reason that he overrode. What is final, an emergency, an obstruction or a
// journal that takes no records, he cannot override, neither a mode in which nobody is let
// through, nor can a turnstile be granted that is not there. His word is good for
// a second: he who was not heard in time is told so, and says it again.

// ActFresh is how long after its input was made an officer's word still moves
// the lane: whoever waits for it longer has been told that it did not.
const ActFresh = time.Second

// late reports that an officer's word has waited too long for the lane.
func (m *machine) late(in Input) bool { return m.o.Mono()-in.At > ActFresh.Nanoseconds() }

// override begins the officer's decision on the traveller who was referred
// last.
func override(m *machine, in Input) State {
	t := m.last
	if t == nil || m.late(in) || in.tx != t.id || in.officer == "" || in.why == "" || m.presence != On || !m.mayOverride() {
		return m.state
	}
	m.last = nil // one act, one decision
	m.tx = &transaction{
		id: t.id, begun: in.At, steps: map[string]int64{StepPresence: 0}, read: t.read, claim: t.claim,
		marks: t.marks, officer: in.officer, why: in.why,
	}
	m.tx.verdict = Verdict{Outcome: reason.Overridden, Reasons: reason.Add(slices.Clone(t.verdict.Reasons), reason.OfficerDecision)}
	m.tx.step(StepVerdict, in.At)
	m.recordDecision(in.At)
	return Deciding
}

// mayOverride is false where what no officer can override holds.
func (m *machine) mayOverride() bool {
	return m.mode.releases() && m.journal && m.turnstile && m.unfit == "" && m.emergency == Off && m.obstruction == Off
}

// carryOverride grants what an officer decided, if it may still be.
func (m *machine) carryOverride(in Input) State {
	t := m.tx
	switch {
	case !m.mode.releases():
		m.finish(reason.Referred, reason.Add(slices.Clone(t.overridden()), reason.ModeClosed), false, in.At)
		return ReferredAway
	case m.unfit != "":
		m.finish(reason.Referred, reason.Add(slices.Clone(t.overridden()), reason.DeviceFault), false, in.At)
		return ReferredAway
	case !m.turnstile:
		return deviceChanged(m, in)
	case m.presence != On:
		m.finish(reason.Abandoned, t.overridden(), false, in.At)
		return Ready
	case !m.journal:
		m.finish(reason.Referred, reason.Add(slices.Clone(t.overridden()), reason.JournalFault), false, in.At)
		return ReferredAway
	case !m.mayOverride():
		m.finish(reason.Referred, reason.Add(slices.Clone(t.overridden()), reason.Obstruction), false, in.At)
		return ReferredAway
	}
	return m.grant(in.At)
}

// referred is what an officer may decide on of a transaction that ended so: its
// traveller and why he was not let through, and no face; nil for any other end,
// and where a grant was sent already: its id opens the gate once.
func (t *transaction) referred(o reason.Outcome) *transaction {
	if t.granted || o != reason.Referred && o != reason.Refused {
		return nil
	}
	return &transaction{id: t.id, read: t.read, claim: t.claim, marks: t.marks, verdict: t.verdict}
}

// stamp notes that an officer has stamped the pass of the traveller who was
// referred last: the count begins anew at once.
func stamp(m *machine, in Input) State {
	t := m.last
	if t == nil || in.tx != t.id || in.officer == "" || t.claim.Fault != 0 || t.claim.Pass.Number == "" || !m.journal {
		return m.state
	}
	p := personal(t.claim)
	p.Officer = in.officer
	m.record(Entry{Tx: t.id, Kind: EntryStamp, At: in.At, Personal: p, Public: Public{Reasons: []reason.Reason{reason.OfficerDecision}}})
	m.o.Register.Stamped(t.claim.Pass.Number, in.At)
	m.cause = CauseStamped
	m.show(false)
	return m.state
}

// CauseStamped is what a view says once the pass of a referred traveller was
// stamped.
const CauseStamped = "stamped"

// through is the outcome of a completed passage.
func (t *transaction) through() reason.Outcome {
	if t.officer != "" {
		return reason.Overridden
	}
	return reason.Admitted
}

// overridden are the reasons that an officer overrode, with his own.
func (t *transaction) overridden() []reason.Reason {
	if t.officer == "" {
		return nil
	}
	return t.verdict.Reasons
}

// moved notes a completed passage of a pass that was read.
func (m *machine) moved(at int64) {
	if n := m.tx.claim.Pass.Number; n != "" {
		m.o.Register.Moved(n, m.o.Policy.Direction, at)
	}
}

// unsure notes a passage that nobody knows the end of.
func (m *machine) unsure(t *transaction) {
	if n := t.claim.Pass.Number; n != "" {
		m.o.Register.Unsure(n)
	}
}
