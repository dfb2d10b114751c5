package gate

import (
	"bordergate/gate/reason"
)

// The passage, from the grant to an empty lane. Nothing here closes the gate:
// the one command is to withdraw an authorisation, and that goes out only while
// nobody is, or may be, between the leaves and no emergency is or may be on. A
// withdrawal that has to wait for that is owed.

// revoke withdraws a grant, now or as soon as the passage is known to be free.
func (m *machine) revoke(id TxID) {
	if !m.mayRevoke() {
		m.owed = id
		return
	}
	m.o.Turnstile.Revoke(id)
}

// mayRevoke is safety rule 2: no withdrawal onto somebody, none in an
// emergency, and none on a level that is not known.
func (m *machine) mayRevoke() bool {
	return m.obstruction == Off && m.emergency == Off && m.opening == nil
}

// settleDebt withdraws what is owed once it may be, and forgets what has ended
// by itself.
func (m *machine) settleDebt(in Input) {
	if (m.owed == TxID{}) {
		return
	}
	switch in.kind {
	case inPassageCompleted, inPassageTimeout, inGrantFailed:
		if in.tx == m.owed {
			m.owed = TxID{}
		}
	case inTurnstile, inObstruction, inEmergency:
		if m.turnstile && m.mayRevoke() {
			m.o.Turnstile.Revoke(m.owed)
			m.owed = TxID{}
		}
	}
}

func (m *machine) ours(in Input) bool { return in.tx == m.tx.id }

// moving notes that the gate acts on the grant.
func moving(m *machine, in Input) State {
	if m.ours(in) {
		m.tx.step(StepGateMoving, in.At)
		m.show(false)
	}
	return m.state
}

// grantFailed sends the traveller to an officer: the gate did nothing.
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
	m.revoke(m.tx.id)
	m.finish(o, set, true, at)
	return ReferredAway
}

// recheckGrant withdraws the grant whose right was taken away before the
// passage has started.
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
	if !m.mayRevoke() {
		// Somebody is between the leaves: it comes too late for him. Should he
		// step back, it is looked at again.
		return m.state
	}
	e := m.evidence(true)
	// The account and the face alone decide whether the grant stands: a mode
	// ordered meanwhile waits for the traveller.
	e.Mode, e.CatchingUp = ModeNormal, false
	if v := Decide(e, m.o.Policy); !v.Admit() {
		return m.withdraw(v.Outcome, v.Reasons, in.At)
	}
	return m.state
}

// steppedBack looks again at a grant that could not be withdrawn while somebody
// was between the leaves.
func steppedBack(m *machine, in Input) State { return m.standOrWithdraw(in) }

// emergencyWhileGranted leaves everything to the hardware while its input is
// active; once its level is known to be off again the grant is looked at again.
func emergencyWhileGranted(m *machine, in Input) State {
	if m.emergency == On {
		return m.openAll(in.At)
	}
	return m.standOrWithdraw(in)
}

// deviceWhileGranted stops the lane when the turnstile is lost under a grant:
// nobody knows who went through.
func deviceWhileGranted(m *machine, in Input) State {
	if m.turnstile {
		return m.state
	}
	m.alarm(in.At, reason.DeviceFault, "")
	return deviceChanged(m, in)
}

// passageStarted notes that a person has stepped between the leaves.
func passageStarted(m *machine, in Input) State {
	if !m.ours(in) {
		return m.state
	}
	m.tx.step(StepPassageStarted, in.At)
	m.o.Eyes.Stop()
	return Passing
}

// passageCompleted closes the transaction: a sensor has seen the person
// through.
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

// unused ends a grant that nobody used; where somebody may be in the passage
// nobody knows that, and the lane is blocked.
func unused(m *machine, in Input) State {
	if in.kind == inPassageTimeout && !m.ours(in) {
		return m.state
	}
	if m.obstruction != Off {
		return passageStuck(m, in)
	}
	return m.withdraw(reason.Abandoned, []reason.Reason{reason.PassageUnused}, in.At)
}

// passageStuck blocks the lane: nobody knows whether the person went through,
// and no timer says so.
func passageStuck(m *machine, in Input) State {
	if in.kind == inPassageTimeout && !m.ours(in) {
		return m.state
	}
	m.alarm(in.At, reason.Obstruction, "")
	m.revoke(m.tx.id)
	m.finish(reason.Failed, []reason.Reason{reason.Obstruction}, false, in.At)
	return m.stop(Blocked, reason.Obstruction.String())
}

// unobserved ends a grant whose passage may have been missed. No timer and no
// empty place says that he went through; the officer is told, and the lane is
// free again as soon as it is empty.
func unobserved(m *machine, in Input) State {
	if !m.ours(in) {
		return m.state
	}
	m.alarm(in.At, reason.DeviceFault, "passage_unobserved")
	m.revoke(m.tx.id)
	m.finish(reason.Failed, []reason.Reason{reason.DeviceFault}, false, in.At)
	return clearedIfOff(m, in)
}

// wrongWayGranted ends the transaction: somebody came through against the
// direction of the grant.
func wrongWayGranted(m *machine, in Input) State {
	m.alarm(in.At, reason.WrongWay, "")
	m.revoke(m.tx.id)
	m.finish(reason.Abandoned, nil, true, in.At)
	return Clearing
}

// clearedIfOff is ready once nothing is between the leaves.
func clearedIfOff(m *machine, _ Input) State {
	if m.obstruction == Off {
		return Ready
	}
	return Clearing
}

// blockedAfter blocks the lane where it is not empty in time.
func blockedAfter(m *machine, in Input) State {
	m.alarm(in.At, reason.Obstruction, "")
	return m.stop(Blocked, reason.Obstruction.String())
}

// unblockIfOff is ready once the passage is free and the leaf is shut.
func unblockIfOff(m *machine, _ Input) State {
	if m.obstruction == Off && !m.heldOpen {
		return Ready
	}
	return m.blocked()
}

// Alarms that change nothing else.

// alarmTailgating records that another person followed on one grant.
func alarmTailgating(m *machine, in Input) State {
	m.alarm(in.At, reason.Tailgating, "")
	return m.state
}

// alarmWrongWay records that somebody came through against the direction.
func alarmWrongWay(m *machine, in Input) State {
	m.alarm(in.At, reason.WrongWay, "")
	return m.state
}

// alarmForced records that somebody came through without a grant.
func alarmForced(m *machine, in Input) State {
	m.alarm(in.At, reason.Forced, "")
	return m.state
}

// Causes of alarms that share a reason with others.
const (
	CauseHeldOpenWarning = "held_open_warning"
	CauseHeldOpen        = "held_open"
	CauseObjectLeft      = "object_left"
)

// alarmHeldOpen records that a leaf stays open. Nothing is commanded: who
// serves next finds the lane blocked until the leaf is shut.
func alarmHeldOpen(m *machine, in Input) State {
	cause := CauseHeldOpenWarning
	if in.up {
		cause = CauseHeldOpen
	}
	m.alarm(in.At, reason.DeviceFault, cause)
	return m.state
}

// heldOpenReady records it and blocks the lane at the alarm.
func heldOpenReady(m *machine, in Input) State {
	alarmHeldOpen(m, in)
	return m.ready(in)
}

// alarmObjectLeft records that something has been left between the leaves.
func alarmObjectLeft(m *machine, in Input) State {
	m.alarm(in.At, reason.Obstruction, CauseObjectLeft)
	return m.state
}
