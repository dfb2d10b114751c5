package gate

import (
	"maps"
	"slices"

	"bordergate/gate/reason"
)

// What the lane puts on record, and what it shows.

func (m *machine) show(finished bool) {
	v := View{State: m.state, Mode: m.holds(), Order: m.order, Direction: m.o.Policy.Direction, Cause: m.cause, Since: m.since, Finished: finished}
	if t := m.tx; t != nil {
		v.Tx, v.Steps, v.Granted = t.id, maps.Clone(t.steps), t.granted
		v.Outcome, v.Reasons, v.Notices = t.verdict.Outcome, t.verdict.Reasons, t.verdict.Notices
		v.Hint, v.Detail, v.Document = t.hint, t.claim.Detail, t.document()
	}
	m.o.Screen.Show(v)
}

// record hands an entry to the journal; its fate comes back as an input. It is
// false where the journal has not taken it.
func (m *machine) record(e Entry) bool {
	tx, kind := e.Tx, e.Kind
	e.Public.Mode = m.holds().String()
	e.Public.Direction = m.o.Policy.Direction.String()
	if e.Public.Reasons == nil {
		e.Public.Reasons = []reason.Reason{}
	}
	err := m.o.Recorder.Record(e, func(err error) { m.post(recorded(m.o.Mono(), tx, kind, err)) })
	if err != nil && m.journal {
		m.self = append(m.self, recorded(m.o.Mono(), tx, kind, err))
	}
	return err == nil
}

// recordDecision sends the decision on the transaction to the disk.
func (m *machine) recordDecision(at int64) {
	t := m.tx
	m.record(Entry{Tx: t.id, Kind: EntryDecision, At: at, Public: m.public(t.verdict.Outcome, t.verdict.Reasons), Personal: t.sealed()})
}

// alarm records a safety or security event; it never changes the state. Cause
// tells apart what shares a reason.
func (m *machine) alarm(at int64, r reason.Reason, cause string) {
	e := Entry{Kind: EntryAlarm, Alarm: true, At: at, Public: Public{
		Reasons: reason.Add(m.modeReasons(), r), State: m.state.String(), Cause: cause,
	}}
	if m.tx != nil {
		e.Tx = m.tx.id
		m.tx.marks = reason.Add(m.tx.marks, r)
	}
	m.record(e)
}

func (m *machine) public(o reason.Outcome, reasons []reason.Reason) Public {
	t := m.tx
	p := Public{
		Outcome: o, Reasons: reasons, Detail: t.claim.Detail, Cause: t.cause, Why: t.why, Steps: maps.Clone(t.steps), Granted: t.granted,
		Restarts: t.voids, Score: t.match.Score, Threshold: t.match.Threshold, Frames: t.match.Frames, Model: t.match.Model, Reference: t.source,
	}
	if o == reason.Admitted {
		p.Notices = t.verdict.Notices
	}
	if t.total.Frames > 0 {
		c := t.total
		p.Faces = &c
	}
	p.Policy = m.o.Policy.Version
	if t.match.Frames > 0 {
		enforced := !m.o.Policy.ObserveLiveness
		p.Liveness, p.LiveBy, p.Live = t.match.Liveness.String(), t.match.LivenessVersion, &enforced
	}
	return p
}

// sealed is the personal part of a record of the transaction; nil where nobody
// is known by name or number.
func (t *transaction) sealed() *Personal {
	p := personal(t.claim)
	who := t.officer
	if who == "" {
		who = t.confirmed
	}
	if who == "" {
		return p
	}
	if p == nil {
		p = &Personal{}
	}
	p.Officer = who
	return p
}

func personal(c Claim) *Personal {
	if c.Fault != 0 || c.Pass.Number == "" {
		return nil
	}
	return &Personal{PassNumber: c.Pass.Number, PassType: c.Pass.Type, Account: c.Pass.Account, Organisation: c.Pass.Organisation}
}

// finish closes the transaction with its second record. The lane goes on
// without waiting for the disk; should the record fail, it stops.
func (m *machine) finish(o reason.Outcome, reasons []reason.Reason, revoked bool, at int64) {
	t := m.tx
	reasons = slices.Clone(reasons)
	for _, r := range t.marks {
		reasons = reason.Add(reasons, r)
	}
	_, decided := t.steps[StepVerdict]
	if !decided {
		for _, r := range m.modeReasons() {
			reasons = reason.Add(reasons, r)
		}
	}
	p := m.public(o, reasons)
	p.Withheld = decided && t.verdict.Admit() && !t.granted
	t.verdict = Verdict{Outcome: o, Reasons: reasons, Notices: p.Notices}
	if t.granted && (o == reason.Failed || o == reason.Interrupted) {
		m.unsure(t)
	}
	p.Revoked = revoked
	e := Entry{Tx: t.id, Kind: EntryOutcome, At: at, Public: p}
	if !decided {
		e.Personal = personal(t.claim)
	}
	m.last = t.referred(o)
	m.o.Eyes.Stop()
	m.o.Tracker.Begin()
	t.void()
	m.record(e)
	m.show(true)
	clear(t.own) // it does not outlive its transaction
	m.tx = nil
}
