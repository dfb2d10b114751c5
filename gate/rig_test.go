package gate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"bordergate/gate/reason"
)

var errDisk = errors.New("disk is gone")

// helper is what the rig needs of a test, ordinary or property.
type helper interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// rig is a machine with every port played by the test, in one goroutine.
type rig struct {
	m   *machine
	now int64
	ids uint32

	wall    time.Time
	trust   ClockTrust
	claims  map[string]Claim
	account map[string]Account
	passes  map[string]PassState
	unsure  []string
	catch   bool
	listed  map[string]bool // on the watch-list, by pass number
	blind   bool            // the watch-list cannot be asked
	match   Match
	own     []byte   // what opens in a pass
	asked   int      // how often
	used    [][]byte // references given to Matcher

	inbox   []Input // posted by the machine itself
	entries []Entry
	pending []func(error) // records on their way to the disk
	durable map[TxID]reason.Outcome
	grants  []TxID
	ways    []Direction
	sent    func(TxID) // told of a grant as it goes out; may be nil
	taken   func(TxID) // told of its withdrawal; may be nil
	revoked []TxID
	views   []View
	watched []uint32
	// Whom the cameras see: the person's number is his face's place.
	who        float32 // the one followed
	held, gone bool
	shown      []float32 // since the traveller came
	matched    []Face    // the last frames compared
	looks      []uint32
	refuse     error // the recorder's
	jammed     error // the turnstile's
}

// idOf is the n-th transaction's id.
func idOf(n uint32) (id TxID) {
	binary.LittleEndian.PutUint32(id[:], n)
	return id
}

func goodPass() Pass {
	return Pass{
		Number: "P1", Type: "border_pass", Account: "a1", Crossings: []string{"HNG1"},
		Directions: []Direction{DirExit},
		ValidFrom:  time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), ValidTo: time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC),
	}
}

func goodPolicy() Policy {
	return Policy{
		Crossing: "HNG1", Direction: DirExit, PassTypes: map[string]PassRule{
			"border_pass": {Level: 2, StampEvery: 10 * 24 * time.Hour, StampSoon: 2 * 24 * time.Hour},
		},
		Passback: 10 * time.Minute, CacheMaxAge: 72 * time.Hour, ClockMargin: 30 * 24 * time.Hour,
	}
}

func newRig(t helper) *rig {
	t.Helper()
	r := &rig{
		now: 1, wall: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), trust: ClockSynced,
		match:   Match{Similarity: Same, Liveness: LiveYes, Score: .7, Frames: 3},
		durable: map[TxID]reason.Outcome{},
	}
	r.claims = map[string]Claim{"good": {Pass: goodPass()}, "forged": {Fault: reason.PassSignature}, "url": {Fault: reason.PassFormat}}
	r.account = map[string]Account{"a1": {Status: AccountActive, Level: 2, Model: "m", Reference: []byte{1}, Issued: r.wall}}
	r.listed = map[string]bool{}
	r.passes = map[string]PassState{"P1": {Stamped: r.wall.Add(-24 * time.Hour)}}
	o := Options{
		Policy: goodPolicy(), Times: DefaultTimes(), Order: Order{Mode: ModeNormal},
		Passes: r, Accounts: r, Register: r, References: r, Matcher: r, Tracker: r, Recorder: r, Turnstile: r, Eyes: r, Screen: r, Clock: r,
		Mono: func() int64 { return r.now },
		NewID: func() TxID {
			r.ids++
			return idOf(r.ids)
		},
	}
	if err := o.check(); err != nil {
		t.Fatal(err)
	}
	if o.Order.Mode == 0 {
		o.Order.Mode = ModeNormal
	}
	r.m = newMachine(o, func(in Input) { r.inbox = append(r.inbox, in) })
	return r
}

func (r *rig) Read(p []byte, _ time.Time) Claim {
	if c, ok := r.claims[string(p)]; ok {
		return c
	}
	return Claim{Fault: reason.PassFormat}
}
func (r *rig) Look(a string) Account { return r.account[a] }
func (r *rig) CatchingUp() bool      { return r.catch }

func (r *rig) Watched(p Pass) (on, ok bool) { return r.listed[p.Number], !r.blind }

func (r *rig) Pass(n string) PassState { return r.passes[n] }
func (r *rig) Moved(n string, d Direction, _ int64) {
	p := r.passes[n]
	p.Last = Movement{Known: true, Direction: d}
	r.passes[n] = p
}

func (r *rig) Stamped(n string, _ int64) {
	p := r.passes[n]
	p.Stamped = r.wall
	r.passes[n] = p
}
func (r *rig) Unsure(n string) { r.unsure = append(r.unsure, n) }

func (r *rig) Fits(model string) bool { return model == "m" }
func (r *rig) Open(Pass) []byte {
	r.asked++
	return bytes.Clone(r.own)
}

func (r *rig) Match(faces []Face, _ string, reference []byte, _ bool) Match {
	r.used = append(r.used, bytes.Clone(reference))
	r.matched = slices.Clone(faces)
	if len(faces) < 3 {
		return Match{}
	}
	return r.match
}

func (r *rig) Record(e Entry, done func(error)) error {
	if r.refuse != nil {
		return r.refuse
	}
	r.entries = append(r.entries, e)
	r.pending = append(r.pending, func(err error) {
		if err == nil && e.Kind == EntryDecision {
			r.durable[e.Tx] = e.Public.Outcome
		}
		done(err)
	})
	return nil
}

func (r *rig) Grant(id TxID, d Direction, _ time.Duration) error {
	if r.sent != nil {
		r.sent(id)
	}
	r.ways = append(r.ways, d)
	r.grants = append(r.grants, id)
	return r.jammed
}

func (r *rig) Revoke(id TxID) {
	if r.taken != nil {
		r.taken(id)
	}
	r.revoked = append(r.revoked, id)
}
func (r *rig) Watch(s uint32)                           { r.watched, r.shown = append(r.watched, s), nil }
func (r *rig) Again(s uint32)                           { r.looks = append(r.looks, s) }
func (r *rig) Hold()                                    { r.held = true }
func (r *rig) Begin()                                   { r.who, r.held, r.gone = 0, false, false }
func (r *rig) Present(int64) bool                       { return r.who != 0 && !r.gone }
func (r *rig) Stop()                                    {}
func (r *rig) Show(v View)                              { r.views = append(r.views, v) }
func (r *rig) Wall() (time.Time, ClockTrust, time.Time) { return r.wall, r.trust, r.wall }

// Follow knows everybody by number; 0 is nobody.
func (r *rig) Follow(f Face) Sight {
	id := f.Box[0]
	switch {
	case f.Count > 1:
		if !r.held {
			r.who = 0
		}
		return SightCrowd
	case id == 0 || f.Count == 0:
		return SightAway
	case r.held && id != r.who:
		return SightOther
	case r.who == id && !r.gone:
		return SightKept
	case r.who == 0 || r.gone:
		r.who, r.gone = id, false
		return SightNew
	default:
		r.who = id
		return SightOther
	}
}

// give steps the machine and then through whatever it posted itself.
func (r *rig) give(ins ...Input) {
	for _, in := range ins {
		r.now++
		in.At = r.now
		r.m.step(in)
		r.drain()
	}
}

func (r *rig) drain() {
	for len(r.inbox) > 0 {
		in := r.inbox[0]
		r.inbox = r.inbox[1:]
		r.m.step(in)
	}
}

// flush makes the oldest record durable, or fails it.
func (r *rig) flush(err error) {
	if len(r.pending) == 0 {
		return
	}
	done := r.pending[0]
	r.pending = r.pending[1:]
	r.now++
	done(err)
	r.drain()
}

func (r *rig) flushAll() {
	for len(r.pending) > 0 {
		r.flush(nil)
	}
}

// late lets the state's limit pass.
func (r *rig) late() {
	if r.m.deadline == 0 {
		return
	}
	r.now = r.m.deadline
	if in, ok := r.m.timeout(r.now); ok {
		r.m.step(in)
		r.drain()
	}
}

func (r *rig) open(t helper) {
	t.Helper()
	r.give(Start(0), TurnstileUp(0, true), EmergencyInput(0, Off), Obstruction(0, Off), Presence(0, Off),
		CameraUp(0, DocumentCamera, true), CameraUp(0, FaceCamera, true))
	r.want(t, Ready)
}

func (r *rig) want(t helper, s State) {
	t.Helper()
	if r.m.state != s {
		t.Fatalf("state %v (cause %q), want %v", r.m.state, r.m.cause, s)
	}
}

func (r *rig) usable(n int) { r.see(1, n) }

// see shows n usable frames of a person.
func (r *rig) see(who float32, n int) {
	for range n {
		r.shown = append(r.shown, who)
		r.give(FaceSeen(0, r.m.session, Face{FrameAt: r.now, Count: 1, Usable: true, Box: [4]float32{who}, Embedding: []float32{who}}))
	}
}

// granted brings a good traveller to the open gate.
func (r *rig) granted(t helper) TxID {
	t.Helper()
	r.open(t)
	r.give(Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.want(t, Deciding)
	if len(r.grants) != 0 {
		t.Fatal("granted before the record was durable")
	}
	r.flush(nil)
	r.want(t, Granted)
	return r.m.tx.id
}

// last is the newest finished transaction as outside sees it.
func (r *rig) last(t helper) View {
	t.Helper()
	for i := len(r.views) - 1; i >= 0; i-- {
		if r.views[i].Finished {
			return r.views[i]
		}
	}
	t.Fatal("no transaction has finished")
	return View{}
}

func (r *rig) wantEnd(t helper, o reason.Outcome, reasons ...reason.Reason) {
	t.Helper()
	v := r.last(t)
	if v.Outcome != o || len(v.Reasons) != len(reasons) {
		t.Fatalf("ended %v %v, want %v %v", v.Outcome, v.Reasons, o, reasons)
	}
	for i := range reasons {
		if v.Reasons[i] != reasons[i] {
			t.Fatalf("ended %v %v, want %v %v", v.Outcome, v.Reasons, o, reasons)
		}
	}
}

// documents is the session of the document camera.
func (r *rig) documents() uint32 {
	if len(r.watched) == 0 {
		return 0
	}
	return r.watched[len(r.watched)-1]
}
