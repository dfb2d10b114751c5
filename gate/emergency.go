package gate

import (
	"time"

	"bordergate/gate/reason"
)

// An emergency opens the gate by hardware. The lane reads its input, counts who
// goes through, and commands nothing at all until the hardware was reset and an
// officer has signed that the lane is safe; what he signs off is on record, and
// durable, before service begins again.

// Causes in the records of a sign-off, and of its being overtaken by the input.
const (
	CauseSignedOff   = "emergency_signed_off"
	CauseSignOffVoid = "sign_off_void"
)

// opening is one emergency, from its input to the officer's sign-off.
type opening struct {
	since                int64
	tx                   TxID // open when it began, or zero
	entry, exit, unknown int  // passages since
	restarted            bool // since is when this process began
	signing              bool // the sign-off is on its way to the disk
}

// Reconciliation is what an officer signs off after an emergency.
type Reconciliation struct {
	LastedMS int64 `json:"lasted_ms"` // from the input to the sign-off
	Entry    int   `json:"entry"`     // passages in each direction meanwhile
	Exit     int   `json:"exit"`
	Unknown  int   `json:"unknown"` // passages of which no direction is known
	// Open is the transaction that was under way when it began.
	Open string `json:"open_tx,omitempty"`
	// Restarted says that the machine began anew meanwhile: the time and the
	// counts are of what came after.
	Restarted bool `json:"restarted,omitempty"`
}

// toEmergency leaves everything to the hardware while its input is active; a
// level that is not known stops no more than new grants.
func toEmergency(m *machine, in Input) State {
	if m.emergency != On {
		return m.state
	}
	return m.openAll(in.At)
}

// openAll notes an emergency: its alarm, which names the transaction that was
// open, then that transaction's end. No command goes to the gate.
func (m *machine) openAll(at int64) State {
	if m.opening != nil {
		return Emergency
	}
	m.opening = &opening{since: at}
	if t := m.tx; t != nil {
		m.opening.tx = t.id
		if t.granted {
			m.revoke(t.id) // owed until the sign-off
		}
	}
	m.alarm(at, reason.ModeEmergency, "")
	if m.tx != nil {
		// The leaves are free by hardware now; who passes is counted, not
		// admitted.
		m.finish(reason.Failed, []reason.Reason{reason.ModeEmergency}, false, at)
	}
	m.last = nil
	return m.stop(Emergency, reason.ModeEmergency.String())
}

// emergencyLevel stays, and ends a sign-off that was under way when the input
// became active again.
func emergencyLevel(m *machine, _ Input) State {
	if m.emergency != Off {
		m.opening.signing = false
	}
	return Emergency
}

// signOff needs both: the hardware's reset and the officer's word. It is
// recorded with what happened meanwhile, and takes effect when that is durable.
func signOff(m *machine, in Input) State {
	o := m.opening
	if m.emergency != Off || o.signing || in.officer == "" {
		return Emergency
	}
	r := &Reconciliation{
		LastedMS: (in.At - o.since) / int64(time.Millisecond), Entry: o.entry, Exit: o.exit, Unknown: o.unknown, Restarted: o.restarted,
	}
	if (o.tx != TxID{}) {
		r.Open = o.tx.String()
	}
	o.signing = m.record(Entry{Kind: EntryState, At: in.At, Personal: &Personal{Officer: in.officer}, Public: Public{
		Reasons: []reason.Reason{reason.OfficerDecision}, State: SelfTest.String(), Cause: CauseSignedOff, Reconciliation: r,
	}})
	return Emergency
}

// signedOff begins the self-test once the sign-off is durable and the input is
// still known to be off. One that was overtaken while it went to the disk is void:
// the record of that follows it, so that a restart does not take the emergency
// for signed off.
func signedOff(m *machine, in Input) State {
	if in.entry != EntryState {
		return Emergency
	}
	signing := m.opening.signing
	m.opening.signing = false
	if !signing || m.emergency != Off {
		m.alarm(in.At, reason.ModeEmergency, CauseSignOffVoid)
		return Emergency
	}
	m.opening = nil
	if m.mayRevoke() && m.owed != (TxID{}) {
		m.revoke(m.owed)
		m.owed = TxID{}
	}
	if !m.started {
		return m.stop(Closed, "starting")
	}
	return m.stop(SelfTest, "self_test")
}

// signOffLost waits for another sign-off: the last one is not on record.
func signOffLost(m *machine, _ Input) State {
	m.opening.signing = false
	return Emergency
}

// countFree counts a passage during the opening, which nobody decided on.
func countFree(m *machine, in Input) State {
	switch in.dir {
	case DirEntry:
		m.opening.entry++
	case DirExit:
		m.opening.exit++
	default:
		m.opening.unknown++
	}
	if in.kind != inPassageCompleted {
		m.alarm(in.At, alarmOf[in.kind], "")
	}
	return Emergency
}

// alarmOf is the reason that a passage nobody was granted is recorded with.
var alarmOf = map[input]reason.Reason{
	inSecondPassage: reason.Tailgating, inReverse: reason.WrongWay, inForced: reason.Forced,
}
