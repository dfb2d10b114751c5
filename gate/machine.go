package gate

import (
	"bytes"
	"slices"

	"bordergate/gate/reason"
)

// The steps of a transaction, in the order in which they mostly come.
const (
	StepPresence         = "presence"
	StepSymbolInView     = "symbol_in_view"
	StepSymbolDecoded    = "symbol_decoded"
	StepSealVerified     = "seal_verified"
	StepAccount          = "account_looked_up"
	StepFirstFace        = "first_face"
	StepFirstUsable      = "first_usable_face"
	StepLiveness         = "liveness_decided"
	StepMatch            = "match_decided"
	StepVerdict          = "verdict"
	StepJournaled        = "journaled"
	StepGrantSent        = "grant_sent"
	StepGateMoving       = "gate_moving"
	StepPassageStarted   = "passage_started"
	StepPassageCompleted = "passage_completed"
	StepReady            = "ready"
)

// maxFaces bounds what a transaction keeps of the face camera; the newest are
// kept, and those that were looked at for liveness.
const maxFaces = 48

// maxSymbols bounds how many different codes of one traveller are remembered.
const maxSymbols = 16

// transaction is one traveller's way, from presence to an empty lane.
type transaction struct {
	id      TxID
	session uint32 // of the documents
	looking uint32 // of the faces
	begun   int64
	steps   map[string]int64
	shown   bool
	read    bool
	claim   Claim
	symbols [][]byte
	faces   []Face    // of one person
	count   FaceCount // since what was gathered was last dropped
	total   FaceCount // of the transaction
	hint    string
	account Account
	source  string // of the reference: sourceCache, sourcePass or empty for none
	opened  bool   // the pass's own reference was asked for
	own     []byte
	match   Match
	verdict Verdict
	marks   []reason.Reason
	granted bool
	// officer is who overrode the decision, and why the code of his reason; see
	// override.go. Confirmed is who confirmed an admission; see supervise.go.
	officer, why, confirmed string
	cause                   string // of a referral, where its reasons do not say it
	// Whom the camera sees: see follow.go.
	voids, others, strange int
	broken                 reason.Reason
	held                   bool // the one who matched is the only one followed
}

func (t *transaction) step(name string, at int64) {
	if _, done := t.steps[name]; !done {
		t.steps[name] = (at - t.begun) / 1000
	}
}

// machine is the lane without its loop: step takes one input at a time.
type machine struct {
	o     Options
	table [stateCount]row
	post  func(Input)

	state    State
	since    int64
	deadline int64 // 0: none
	order    Order // the one that holds, and its mode
	mode     Mode
	cause    string
	started  bool
	// direction is that of a reversible lane once it was changed.
	direction Direction

	presence, obstruction, emergency Level
	turnstile, faceCam, docCam       bool
	scanner                          bool
	journal                          bool
	tested                           bool   // the first self-test's time is over
	unfit                            string // why the gate's own checks stop it
	heldOpen                         bool   // the leaf, past its alarm time

	session uint32
	tx      *transaction
	last    *transaction // the one that was referred just now
	opening *opening     // the emergency that nobody has signed off; in no other state
	owed    TxID         // the grant to be withdrawn once that is safe; see passage.go
	// self holds what became known inside a step and is handled after it.
	self []Input
}

func newMachine(o Options, post func(Input)) *machine {
	return &machine{o: o, table: newTable(), post: post, order: o.Order, mode: o.Order.Mode, journal: true, cause: "starting"}
}

// step takes one input, and then whatever followed from it at once.
func (m *machine) step(in Input) {
	m.one(in)
	for len(m.self) > 0 {
		next := m.self[0]
		m.self = m.self[1:]
		m.one(next)
	}
}

// one takes one input: levels are noted whatever the state, then the table
// answers, then the lane settles.
func (m *machine) one(in Input) {
	if m.o.Rules != nil {
		m.o.Policy = m.o.Rules() // one policy for all that one input leads to
	}
	if m.direction != DirectionNone {
		m.o.Policy.Direction = m.direction
	}
	m.note(in)
	m.settleDebt(in)
	if in.kind == inFace {
		defer m.forget(in.face)
	}
	next := m.table[m.state][in.kind](m, in)
	for hops := 0; next != m.state && hops < int(stateCount); hops++ {
		m.enter(next, in.At)
		next = m.settle(in)
	}
}

// note keeps the levels: they are facts in every state.
func (m *machine) note(in Input) {
	switch in.kind {
	case inStart:
		m.started = true
	case inPresence:
		m.presence = in.level
	case inObstruction:
		m.obstruction = in.level
	case inEmergency:
		m.emergency = in.level
	case inTurnstile:
		m.turnstile = in.up
		if !in.up {
			// What a lost board said last is not known any more.
			m.presence, m.obstruction, m.emergency = Unknown, Unknown, Unknown
		}
	case inDoor:
		m.heldOpen = m.heldOpen && in.level != On
	case inHeldOpen:
		m.heldOpen = m.heldOpen || in.up
	case inRecordFailed:
		m.journal = false
	case inJournal:
		m.journal = in.up
	case inFit:
		m.unfit = in.cause
	case inEyes:
		switch in.camera {
		case FaceCamera:
			m.faceCam = in.up
		case passScanner:
			m.scanner = in.up
		default:
			m.docCam = in.up
		}
	}
}

func (m *machine) enter(s State, at int64) {
	m.state, m.since, m.deadline = s, at, 0
	if l := s.limit(m.o.Times); l > 0 {
		m.deadline = at + l.Nanoseconds()
	}
	m.show(false)
}

// settle leaves at once a state whose reason to stay is gone already.
func (m *machine) settle(in Input) State {
	switch m.state {
	case SelfTest:
		return testDone(m, in)
	case Ready:
		return m.ready(in)
	case Clearing:
		return clearedIfOff(m, in)
	case Blocked:
		return unblockIfOff(m, in)
	default:
		return m.state
	}
}

// ready is where every way leads back to; it serves only if all is well.
func (m *machine) ready(in Input) State {
	switch {
	case m.emergency == On:
		return m.openAll(in.At)
	case !m.mode.serves():
		return m.outOfUse()
	case m.healthy() != "":
		return m.stop(OutOfService, m.healthy())
	case m.obstruction != Off, m.heldOpen:
		return m.blocked()
	case m.presence == On:
		return m.begin(in)
	default:
		m.cause = ""
		return Ready
	}
}

// blocked names what is in the way: something between the leaves, or a leaf
// that does not shut.
func (m *machine) blocked() State {
	if m.obstruction == Off && m.heldOpen {
		return m.stop(Blocked, CauseHeldOpen)
	}
	return m.stop(Blocked, reason.Obstruction.String())
}

func (m *machine) stop(s State, cause string) State {
	m.cause = cause
	return s
}

// timeout is the input of a state that has lasted too long, if it has.
func (m *machine) timeout(now int64) (Input, bool) {
	if m.deadline == 0 || now < m.deadline {
		return Input{}, false
	}
	m.deadline = 0
	return Input{kind: inTimeout, At: now}, true
}

func (m *machine) evidence(final bool) Evidence {
	now, trust, floor := m.o.Clock.Wall()
	e := Evidence{
		Now: now, Clock: trust, Floor: floor,
		Mode: m.mode, Emergency: m.emergency, Obstruction: m.obstruction,
		Turnstile: m.turnstile && m.unfit == "", Journal: m.journal, CatchingUp: m.o.Accounts.CatchingUp(),
		FaceCamera: m.faceCam, DocumentCamera: m.docCam, Scanner: m.scanner,
	}
	t := m.tx
	e.Shown, e.Read, e.Claim, e.Faces = t.shown, t.read, t.claim, t.count
	if t.read && t.claim.Fault == 0 {
		t.account = m.o.Accounts.Look(t.claim.Pass.Account)
		m.chooseReference(t)
		e.Pass = m.o.Register.Pass(t.claim.Pass.Number)
		watched, ok := m.o.Accounts.Watched(t.claim.Pass)
		e.Watched, e.WatchLost = watched, !ok
		if id := t.claim.Pass.Organisation; id != "" {
			e.Organisation = m.o.Accounts.Look(id)
		}
		e.Others, e.Broken = t.others, t.broken
		if len(t.account.Reference) > 0 && m.mode != ModeBiometricsSuspended {
			t.match = m.o.Matcher.Match(t.faces, t.account.Model, t.account.Reference, final)
		}
		e.Account, e.Match = t.account, t.match
	}
	return e
}

// Where a reference comes from, as records name it.
const (
	sourceCache = "cache"
	sourcePass  = "pass"
)

// chooseReference leaves the cache's reference where it can be compared, and
// takes the pass's where an account that is known has none such. A template
// that nobody asks for stays sealed.
func (m *machine) chooseReference(t *transaction) {
	a, p := &t.account, t.claim.Pass
	t.source = ""
	if len(a.Reference) > 0 && m.o.References.Fits(a.Model) {
		t.source = sourceCache
		return
	}
	if a.Status == AccountUnknown || len(p.Template) == 0 {
		return
	}
	if !t.opened {
		t.opened, t.own = true, m.o.References.Open(p)
	}
	if len(t.own) > 0 {
		a.Model, a.Reference, t.source = p.Model, t.own, sourcePass
	}
}

// decided reports whether waiting for more faces could change anything.
func (m *machine) decided(e Evidence) bool {
	if e.Mode == ModeBiometricsSuspended || len(e.Account.Reference) == 0 || !e.FaceCamera || e.Others >= othersLimit {
		return true
	}
	if e.Match.Similarity == Undecided {
		return false
	}
	// Whoever it is, what he holds up may be a picture: the reasons must not
	// depend on which of the two was known first.
	return m.o.Policy.ObserveLiveness || e.Match.Liveness != LiveUndecided
}

// decide takes the decision and sends its record on the way.
func (m *machine) decide(e Evidence, at int64) State {
	t := m.tx
	t.verdict = Decide(e, m.o.Policy)
	t.hint = ""
	if t.verdict.Admit() && m.mustConfirm() {
		m.hold()
		return Confirming
	}
	if t.confirmed != "" {
		t.verdict.Reasons = reason.Add(t.verdict.Reasons, reason.OfficerDecision)
	}
	for _, r := range t.verdict.Reasons {
		if r.Effect() == reason.Mark {
			t.marks = reason.Add(t.marks, r) // stays, whatever comes of it
		}
	}
	t.step(StepVerdict, at)
	if t.verdict.Admit() {
		m.hold()
	} else {
		m.o.Eyes.Stop()
	}
	m.recordDecision(at)
	return Deciding
}

// hold has the one who matched followed as the only one who counts.
func (m *machine) hold() {
	if !m.tx.held {
		m.tx.held = true
		m.o.Tracker.Hold()
		m.o.Eyes.Hold()
	}
}

// seen reports whether the payload was shown before, and notes it.
func (t *transaction) seen(payload []byte) bool {
	for _, p := range t.symbols {
		if bytes.Equal(p, payload) {
			return true
		}
	}
	if len(t.symbols) == maxSymbols {
		// The oldest is judged once more should it come again: a pass after
		// many foreign codes must not be missed.
		t.symbols = slices.Delete(t.symbols, 0, 1)
	}
	t.symbols = append(t.symbols, bytes.Clone(payload))
	return false
}
