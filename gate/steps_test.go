package gate

import (
	"flag"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bordergate/gate/reason"
)

// Inputs in random order that the safety properties take at least. The race
// detector makes each dear and finds nothing in one goroutine.
const (
	manySteps = 1_000_000
	raceSteps = 100_000
)

var wantSteps = flag.Int("gate.steps", 0, "inputs that the safety properties give the lane at least; 0: a million, fewer with -race")

// watch holds a lane to the safety rules, at each command that it gives and
// after each input that it takes.
type watch struct {
	t      *rapid.T
	r      *rig
	used   map[TxID]bool
	flight TxID // the grant that may open the gate, or zero
	seen   *seen
	// resting is while all is made well: no step of a random order.
	resting bool
}

// seen is what the runs came to, so that a rule that was never put to the test
// is a fault.
type seen struct {
	steps, grants, overrides, confirmed, revoked, recovered int
	states                                                  map[State]int
	leads                                                   map[string]map[State]bool // move, and where it led
}

func newWatch(t *rapid.T, s *seen) *watch {
	r := newRig(t)
	w := &watch{t: t, r: r, used: map[TxID]bool{}, seen: s}
	r.m.o.Reversible = rapid.Bool().Draw(t, "reversible")
	r.m.o.Unsigned = rapid.IntRange(0, 7).Draw(t, "unsigned") == 7
	r.sent, r.taken = w.granted, w.revoked
	for state, row := range r.m.table {
		for in, do := range row {
			name := moveName(do)
			r.m.table[state][in] = func(m *machine, in Input) State {
				next := do(m, in)
				if next != m.state {
					w.led(name, next)
				}
				return next
			}
		}
	}
	return w
}

func (w *watch) led(name string, to State) {
	if w.seen.leads[name] == nil {
		w.seen.leads[name] = map[State]bool{}
	}
	w.seen.leads[name][to] = true
}

// moveName is the name of a cell's function.
func moveName(do move) string {
	name := runtime.FuncForPC(reflect.ValueOf(do).Pointer()).Name()
	return name[strings.LastIndexByte(name, '.')+1:]
}

// granted is called as a grant goes out.
func (w *watch) granted(id TxID) {
	t, r, m := w.t, w.r, w.r.m
	w.seen.grants++
	tx := m.tx
	switch {
	case tx == nil || tx.id != id:
		t.Fatal("granted to nobody")
	case w.used[id]:
		t.Fatalf("grant %v sent twice", id)
	case w.flight != TxID{}:
		t.Fatalf("grant %v while %v is in flight", id, w.flight)
	case m.emergency != Off, m.opening != nil, m.obstruction != Off, !m.turnstile, !m.journal, m.presence != On, m.unfit != "":
		t.Fatalf("granted in spite of a bar: %+v", m)
	}
	w.used[id] = true
	if r.jammed == nil {
		w.flight = id
	}
	if tx.officer != "" {
		w.seen.overrides++
		if r.durable[id] != reason.Overridden || tx.why == "" {
			t.Fatalf("an override that is not on record, or says not why: %v", r.durable[id])
		}
		return
	}
	p := r.passes["P1"]
	switch {
	case r.durable[id] != reason.Admitted:
		t.Fatalf("grant %v without a durable admission", id)
	case m.mode != ModeNormal && (m.mode != ModeSupervised || tx.confirmed == ""):
		t.Fatalf("granted in mode %v, confirmed by %q", m.mode, tx.confirmed)
	case r.account["a1"].Status != AccountActive:
		t.Fatal("granted to an account that is not active")
	case r.twoFaces() != "":
		t.Fatal(r.twoFaces())
	case p.Revoked:
		t.Fatal("granted on a revoked pass")
	case r.listed["P1"]:
		t.Fatal("granted to somebody on the watch-list")
	case p.Last.Known && p.Last.Direction == m.o.Policy.Direction && p.Last.Ago < m.o.Policy.Passback:
		t.Fatal("granted twice on one pass within the time of passback")
	}
	if tx.confirmed != "" {
		w.seen.confirmed++
	}
}

// revoked is called as a withdrawal goes out: the one command that could shut a
// gate.
func (w *watch) revoked(id TxID) {
	m := w.r.m
	w.seen.revoked++
	if m.obstruction != Off || m.emergency != Off || m.opening != nil {
		w.t.Fatalf("withdrawn with obstruction %v, emergency %v, signed off %v", m.obstruction, m.emergency, m.opening == nil)
	}
	if id == w.flight {
		w.flight = TxID{}
	}
}

// give has the lane take inputs, and judges it after each.
func (w *watch) give(ins ...Input) {
	for _, in := range ins {
		switch {
		case in.kind == inPassageCompleted || in.kind == inPassageTimeout || in.kind == inGrantFailed:
			if in.tx == w.flight {
				w.flight = TxID{}
			}
		case in.kind == inTurnstile && !in.up:
			w.flight = TxID{} // a driver that reconnects drops what was pending
		}
		w.r.give(in)
		w.judge()
	}
}

// judge holds the lane's own state to the rules.
func (w *watch) judge() {
	t, r, m := w.t, w.r, w.r.m
	if !w.resting {
		w.seen.steps++
	}
	w.seen.states[m.state]++
	s := m.state
	if withTx := s >= Reading && s <= Passing; withTx != (m.tx != nil) {
		t.Fatalf("state %v with transaction %v", s, m.tx != nil)
	}
	if bar := r.bar(); s == Granted && m.tx.officer == "" && bar != 0 && m.mayRevoke() {
		t.Fatalf("the grant stands in spite of %v", bar) // a right taken away wins until the passage starts
	}
	switch {
	case m.emergency == On && s != Emergency:
		t.Fatalf("state %v while the emergency input is active", s)
	case (s == Emergency) != (m.opening != nil):
		t.Fatalf("state %v, emergency signed off: %v", s, m.opening == nil)
	case s == Ready && (m.healthy() != "" || m.obstruction != Off || m.heldOpen || m.presence == On || !m.mode.serves()):
		t.Fatalf("ready in spite of a bar: %+v", m)
	case s.limit(m.o.Times) > 0 && m.deadline == 0:
		t.Fatalf("state %v has no end", s)
	case s.limit(m.o.Times) == 0 && s != Ready && m.cause == "":
		t.Fatalf("state %v lasts and names no cause", s)
	case m.owed != TxID{} && m.owed != w.flight && w.flight != TxID{}:
		t.Fatalf("%v is owed and %v in flight", m.owed, w.flight)
	}
	// What was looked at need not be kept: a run is long.
	if len(r.views) > 64 {
		r.views, r.entries, r.used = r.views[48:], r.entries[max(0, len(r.entries)-48):], nil
	}
}

// well tells the lane that all is well, over and over until it has had time for
// every limit: it must be ready, or name its cause; and ready once an officer
// has signed an emergency off.
func (w *watch) well() {
	r := w.r
	r.refuse, w.resting = nil, true
	defer func() { w.resting = false }()
	allWell := func() {
		w.give(Start(0), SetMode(0, Order{Mode: ModeNormal}), Presence(0, Off), Obstruction(0, Off), Door(0, On), EmergencyInput(0, Off), TurnstileUp(0, true),
			CameraUp(0, DocumentCamera, true), CameraUp(0, FaceCamera, true), JournalRoom(0, true), Fit(0, ""))
		r.flushAll()
		r.late()
		w.judge()
	}
	for range 4 {
		allWell()
	}
	if m := r.m; m.state != Ready && m.cause == "" {
		w.t.Fatalf("all is well, and the lane is %v and says not why", m.state)
	}
	w.give(SignOff(0, "o-17"))
	for range 4 {
		allWell()
	}
	if m := r.m; m.state != Ready {
		w.t.Fatalf("all is well and signed off, and the lane is %v (%q)", m.state, m.cause)
	}
	w.seen.recovered++
}

// TestNeverOpensWithoutADurableAdmission drives the machine with random inputs
// in random order, a million and more, and holds it to the safety rules at every
// command and after every step.
func TestNeverOpensWithoutADurableAdmission(t *testing.T) {
	want := *wantSteps
	switch {
	case want > 0:
	case raced:
		want = raceSteps
	default:
		want = manySteps
	}
	all := &seen{states: map[State]int{}, leads: map[string]map[State]bool{}}
	for all.steps < want {
		rapid.Check(t, func(t *rapid.T) {
			w := newWatch(t, all)
			if rapid.IntRange(0, 9).Draw(t, "in service") > 0 {
				w.well()
			}
			for range rapid.IntRange(200, 600).Draw(t, "acts") {
				act(t, w)
			}
			w.well()
		})
	}
	t.Logf("%d steps, %d grants (%d by override, %d confirmed), %d withdrawn, %d times back to ready", all.steps, all.grants, all.overrides, all.confirmed, all.revoked, all.recovered)
	t.Logf("states: %v", all.states)
	if all.steps < want || all.grants == 0 || all.overrides == 0 || all.confirmed == 0 || all.revoked == 0 {
		t.Error("the rules were not put to the test")
	}
	for _, s := range States() {
		if all.states[s] == 0 {
			t.Errorf("no run came to %v", s)
		}
	}
	for name, to := range all.leads {
		for s := range to {
			if !slices.Contains(leads[name], s) {
				t.Errorf("%s led to %v, which docs/lane.md does not say", name, s)
			}
		}
	}
}

// right sets right what only headquarters or time can.
func (w *watch) right() {
	a := w.r.account["a1"]
	a.Status = AccountActive
	w.r.account["a1"], w.r.listed["P1"], w.r.catch = a, false, false
	w.r.passes["P1"] = PassState{Stamped: w.r.wall}
	w.give(AccountChanged(0, ""))
}

// act does one of acts.
func act(t *rapid.T, w *watch) {
	id := idOf(w.r.ids)
	switch {
	case w.r.m.tx != nil:
		id = w.r.m.tx.id
	case w.r.m.last != nil:
		id = w.r.m.last.id
	}
	acts[rapid.IntRange(0, len(acts)-1).Draw(t, "act")](t, w, id)
}

var someLevel = rapid.SampledFrom([]Level{Off, On, Unknown, Off, On})

// acts are what can happen. The generator prefers small numbers: what leads far
// comes first.
var acts = []func(t *rapid.T, w *watch, id TxID){
	func(_ *rapid.T, w *watch, _ TxID) { // a traveller whom nothing is wrong with
		w.right()
		w.give(Presence(0, Off), Presence(0, On))
		w.r.usable(3)
		w.give(Symbol(0, w.r.documents(), w.r.now, []byte("good")))
	},
	func(_ *rapid.T, w *watch, _ TxID) { w.r.flushAll(); w.judge() },
	func(_ *rapid.T, w *watch, id TxID) { w.give(Confirm(0, id, "o-17")) },
	func(_ *rapid.T, w *watch, id TxID) { w.give(Override(0, id, "o-17", "document_checked")) },
	func(t *rapid.T, w *watch, _ TxID) { w.give(Presence(0, someLevel.Draw(t, "presence"))) },
	func(t *rapid.T, w *watch, _ TxID) { w.give(Obstruction(0, someLevel.Draw(t, "obstruction"))) },
	func(_ *rapid.T, w *watch, _ TxID) { w.give(Obstruction(0, Off)) },
	func(t *rapid.T, w *watch, _ TxID) {
		mode := rapid.SampledFrom([]Mode{ModeNormal, ModeSupervised, ModeNormal, ModeBiometricsSuspended, ModeSupervised, ModeClosed, ModeMaintenance}).Draw(t, "mode")
		w.give(SetMode(0, Order{Mode: mode, By: ByStation}))
	},
	func(_ *rapid.T, w *watch, id TxID) { w.give(PassageStarted(0, id)) },
	func(_ *rapid.T, w *watch, id TxID) { w.give(PassageCompleted(0, id, DirExit)) },
	func(_ *rapid.T, w *watch, _ TxID) { w.r.late(); w.judge() },
	func(_ *rapid.T, w *watch, _ TxID) { w.right() },
	func(_ *rapid.T, w *watch, _ TxID) { // one with whom something may be wrong
		w.give(Presence(0, Off), Presence(0, On))
		w.r.usable(3)
		w.give(Symbol(0, w.r.documents(), w.r.now, []byte("good")))
	},
	func(t *rapid.T, w *watch, _ TxID) {
		if rapid.IntRange(0, 3).Draw(t, "well") == 0 {
			w.well()
		}
	},
	func(t *rapid.T, w *watch, _ TxID) {
		w.give(EmergencyInput(0, rapid.SampledFrom([]Level{Off, Off, Off, Off, Off, Unknown, Off, On}).Draw(t, "emergency")))
	},
	func(_ *rapid.T, w *watch, _ TxID) { w.give(SignOff(0, "o-17")) },
	func(t *rapid.T, w *watch, _ TxID) { w.give(TurnstileUp(0, rapid.IntRange(0, 5).Draw(t, "up") > 0)) },
	func(_ *rapid.T, w *watch, _ TxID) { w.give(Start(0)) },
	func(t *rapid.T, w *watch, _ TxID) {
		w.give(CameraUp(0, DocumentCamera, rapid.IntRange(0, 3).Draw(t, "document camera") > 0), ScannerUp(0, rapid.Bool().Draw(t, "scanner")),
			CameraUp(0, FaceCamera, rapid.IntRange(0, 3).Draw(t, "face camera") > 0))
	},
	func(t *rapid.T, w *watch, _ TxID) { w.r.usable(rapid.IntRange(1, 4).Draw(t, "faces")); w.judge() },
	func(t *rapid.T, w *watch, _ TxID) {
		w.r.see(float32(rapid.IntRange(1, 2).Draw(t, "who")), rapid.IntRange(1, 4).Draw(t, "faces"))
		w.judge()
	},
	func(t *rapid.T, w *watch, _ TxID) {
		w.give(FaceSeen(0, w.r.m.session, Face{Count: rapid.IntRange(0, 2).Draw(t, "count")}))
	},
	func(t *rapid.T, w *watch, _ TxID) { w.r.gone = rapid.IntRange(0, 2).Draw(t, "gone") == 2 },
	func(t *rapid.T, w *watch, _ TxID) {
		w.give(Symbol(0, w.r.documents(), w.r.now, []byte(rapid.SampledFrom([]string{"good", "good", "forged", "url"}).Draw(t, "symbol"))))
	},
	func(_ *rapid.T, w *watch, _ TxID) { w.r.flush(nil); w.judge() },
	func(t *rapid.T, w *watch, _ TxID) {
		if rapid.IntRange(0, 20).Draw(t, "disk") == 20 {
			w.r.flush(errDisk)
			w.judge()
		}
	},
	func(t *rapid.T, w *watch, _ TxID) {
		if w.r.refuse = nil; rapid.IntRange(0, 20).Draw(t, "journal") == 20 {
			w.r.refuse = errDisk
		}
	},
	func(_ *rapid.T, w *watch, id TxID) { w.give(GrantAccepted(0, id)) },
	func(_ *rapid.T, w *watch, id TxID) { w.give(GrantFailed(0, id)) },
	func(_ *rapid.T, w *watch, id TxID) { w.give(PassageTimeout(0, id)) },
	func(_ *rapid.T, w *watch, _ TxID) { w.give(PassageTimeout(0, w.flight)) },
	func(_ *rapid.T, w *watch, id TxID) { w.give(PassageUnobserved(0, id)) },
	func(_ *rapid.T, w *watch, _ TxID) { w.give(SecondPassage(0, DirExit)) },
	func(_ *rapid.T, w *watch, _ TxID) { w.give(ReversePassage(0, DirEntry)) },
	func(_ *rapid.T, w *watch, _ TxID) { w.give(ForcedPassage(0, DirEntry)) },
	func(t *rapid.T, w *watch, _ TxID) { w.give(HeldOpen(0, rapid.Bool().Draw(t, "alarm"))) },
	func(t *rapid.T, w *watch, _ TxID) { w.give(Door(0, someLevel.Draw(t, "door"))) },
	func(_ *rapid.T, w *watch, _ TxID) { w.give(ObjectLeft(0)) },
	func(t *rapid.T, w *watch, _ TxID) {
		a := w.r.account["a1"]
		a.Status = rapid.SampledFrom([]AccountStatus{AccountActive, AccountActive, AccountSuspended}).Draw(t, "status")
		w.r.account["a1"] = a
		w.give(AccountChanged(0, "a1"))
	},
	func(t *rapid.T, w *watch, _ TxID) {
		p := w.r.passes["P1"]
		p.Revoked = rapid.IntRange(0, 3).Draw(t, "revoked") == 3
		w.r.passes["P1"] = p
		w.give(AccountChanged(0, ""))
	},
	func(t *rapid.T, w *watch, _ TxID) {
		w.r.listed["P1"] = rapid.IntRange(0, 3).Draw(t, "listed") == 3
		w.give(AccountChanged(0, ""))
	},
	func(_ *rapid.T, w *watch, _ TxID) { // time enough for another movement
		p := w.r.passes["P1"]
		p.Last.Ago = time.Hour
		w.r.passes["P1"] = p
	},
	func(_ *rapid.T, w *watch, _ TxID) { w.give(DocumentSeen(0, w.r.documents())) },
	func(t *rapid.T, w *watch, _ TxID) { w.give(JournalRoom(0, rapid.IntRange(0, 3).Draw(t, "room") < 3)) },
	func(t *rapid.T, w *watch, _ TxID) {
		w.give(Fit(0, rapid.SampledFrom([]string{"", "", "", "", CauseTamper}).Draw(t, "unfit")))
	},
	func(t *rapid.T, w *watch, _ TxID) { w.r.catch = rapid.IntRange(0, 4).Draw(t, "catch") == 4 },
	func(_ *rapid.T, w *watch, _ TxID) { w.r.wall = w.r.wall.Add(time.Minute) },
	func(_ *rapid.T, w *watch, id TxID) { w.give(Stamp(0, id, "o-17")) },
	func(t *rapid.T, w *watch, _ TxID) {
		w.give(Turn(0, rapid.SampledFrom([]Direction{DirExit, DirEntry}).Draw(t, "way"), "o-17", "crowd"))
	},
}
