package gate

import (
	"bordergate/gate/reason"
)

// In supervised mode a traveller who would be admitted waits until an officer
// confirms. His word is for this one transaction; everything is looked at again
// when it comes, and what he confirmed is on record before the grant.

// CauseNotConfirmed is the cause in the record of a referral that no officer's
// word kept.
const CauseNotConfirmed = "not_confirmed"

// mustConfirm reports whether an admission waits for an officer.
func (m *machine) mustConfirm() bool { return m.mode == ModeSupervised && m.tx.confirmed == "" }

// confirm decides anew, now with the officer's word.
func confirm(m *machine, in Input) State {
	t := m.tx
	if !m.ours(in) || m.late(in) || in.officer == "" || m.presence != On {
		return m.state
	}
	t.confirmed = in.officer
	if !m.o.Tracker.Present(m.o.Mono()) {
		t.breakOff(reason.FaceNone)
	}
	return m.decide(m.evidence(true), in.At)
}

// followWaiting watches on while an officer is waited for, and refers at once
// where another person stands in the place of the one who matched.
func followWaiting(m *machine, in Input) State {
	followFace(m, in)
	if m.tx.broken != 0 {
		return m.decide(m.evidence(true), in.At)
	}
	return m.state
}

// reconsider decides at once where waiting for an officer has lost its sense:
// the traveller would not be admitted any more, or nobody need confirm.
func reconsider(m *machine, in Input) State {
	if in.kind == inMode {
		m.take(in)
	}
	e := m.evidence(true)
	if m.mustConfirm() && Decide(e, m.o.Policy).Admit() {
		return m.state
	}
	return m.decide(e, in.At)
}

// confirmLate refers the traveller on whom no officer has said a word in time.
func confirmLate(m *machine, in Input) State {
	t := m.tx
	t.cause = CauseNotConfirmed
	t.verdict = Verdict{Outcome: reason.Referred, Reasons: reason.Add(m.modeReasons(), reason.OfficerDecision)}
	t.step(StepVerdict, in.At)
	m.o.Eyes.Stop()
	m.recordDecision(in.At)
	return Deciding
}

// modeReasons mark what is recorded while biometrics are suspended.
func (m *machine) modeReasons() []reason.Reason {
	if m.mode == ModeBiometricsSuspended {
		return []reason.Reason{reason.ModeSuspendedBiometrics}
	}
	return nil
}
