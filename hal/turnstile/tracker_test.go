package turnstile

import (
	"slices"
	"testing"
	"time"

	"bordergate/hal"
)

// walk is a tracker in time of its own.
type walk struct {
	t  *tracker
	at hal.Mono
	is Levels
}

func idleWalk() *walk {
	o := DefaultOptions()
	w := &walk{t: &tracker{o: &o, m: &Model{}}, at: hal.Mono(time.Hour)}
	for _, in := range hal.Inputs() {
		w.is[in] = hal.Off
	}
	w.is[hal.InputReady], w.is[hal.InputDoorClosed], w.is[hal.InputMains] = hal.On, hal.On, hal.On
	w.step(0)
	return w
}

// step lets time pass and takes a sample.
func (w *walk) step(d time.Duration) []hal.EventKind {
	w.at = w.at.Add(d)
	var out []hal.EventKind
	for _, e := range w.t.sample(Sample{At: w.at, Levels: w.is}) {
		out = append(out, e.Kind)
	}
	return out
}

func (w *walk) set(in hal.Input, l hal.Level, d time.Duration) []hal.EventKind {
	w.is[in] = l
	return w.step(d)
}

const poll = 20 * time.Millisecond

func want(t *testing.T, got []hal.EventKind, kinds ...hal.EventKind) {
	t.Helper()
	if !slices.Equal(got, kinds) {
		t.Errorf("got %v, want %v", got, kinds)
	}
}

func TestFirstSampleTellsEveryLevelAndNoPassage(t *testing.T) {
	o := DefaultOptions()
	tr := &tracker{o: &o, m: &Model{}}
	var is Levels
	for _, in := range hal.Inputs() {
		is[in] = hal.On
	}
	got := map[hal.EventKind]bool{}
	for _, e := range tr.sample(Sample{At: 1, Levels: is}) {
		got[e.Kind] = true
	}
	for _, in := range hal.Inputs() {
		if _, on, level := levelKinds(in); level && !got[on] {
			t.Errorf("%v is not told", in)
		}
	}
	if got[hal.ForcedEntry] {
		t.Error("a contact that was closed from the start is a passage")
	}
}

func TestChatteringContactIsOnePerson(t *testing.T) {
	w := idleWalk()
	w.t.begin(hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit}, w.at)
	want(t, w.set(hal.InputPassExit, hal.On, poll), hal.PassageCompleted)
	want(t, w.set(hal.InputPassExit, hal.Off, poll))
	want(t, w.set(hal.InputPassExit, hal.On, poll))
	want(t, w.set(hal.InputPassExit, hal.Off, poll))
	want(t, w.step(poll))
	want(t, w.set(hal.InputPassExit, hal.On, poll), hal.Tailgating)
}

// A bus that is slow sees a contact open only once between two people.
func TestSlowPollsLoseNobody(t *testing.T) {
	w := idleWalk()
	w.grant()
	want(t, w.set(hal.InputPassExit, hal.On, poll), hal.PassageCompleted)
	want(t, w.set(hal.InputPassExit, hal.Off, 5*poll))
	want(t, w.set(hal.InputPassExit, hal.On, 5*poll), hal.Tailgating)
}

func TestPassagesAreJudgedByTheGrant(t *testing.T) {
	for name, c := range map[string]struct {
		before func(w *walk)
		pass   hal.Input
		want   hal.EventKind
		code   uint32
	}{
		"no grant":      {func(*walk) {}, hal.InputPassExit, hal.ForcedEntry, 0},
		"granted":       {func(w *walk) { w.grant() }, hal.InputPassExit, hal.PassageCompleted, 0},
		"wrong way":     {func(w *walk) { w.grant() }, hal.InputPassEntry, hal.ReverseEntry, 0},
		"revoked":       {func(w *walk) { w.grant(); w.t.close(w.at, hal.CodeRevoked) }, hal.InputPassExit, hal.ForcedEntry, hal.CodeRevoked},
		"run out":       {func(w *walk) { w.grant(); w.step(w.t.o.Passage) }, hal.InputPassExit, hal.ForcedEntry, hal.CodeExpired},
		"long run out":  {func(w *walk) { w.grant(); w.step(w.t.o.Passage); w.step(time.Minute) }, hal.InputPassExit, hal.ForcedEntry, 0},
		"emergency":     {func(w *walk) { w.set(hal.InputEmergency, hal.On, poll) }, hal.InputPassExit, hal.ForcedEntry, hal.CodeEmergency},
		"long after":    {func(w *walk) { w.passed(); w.step(w.t.o.Settle) }, hal.InputPassExit, hal.ForcedEntry, 0},
		"second person": {func(w *walk) { w.passed() }, hal.InputPassExit, hal.Tailgating, 0},
		"door shut between": {func(w *walk) {
			w.grant()
			w.set(hal.InputDoorClosed, hal.Off, poll)
			w.pass()
			w.set(hal.InputDoorClosed, hal.On, poll)
		}, hal.InputPassExit, hal.ForcedEntry, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := idleWalk()
			c.before(w)
			w.at = w.at.Add(poll)
			w.is[c.pass] = hal.On
			got := w.t.sample(Sample{At: w.at, Levels: w.is, Raw: []byte{7}})
			if len(got) != 1 || got[0].Kind != c.want || got[0].Code != c.code || len(got[0].Raw) != 1 {
				t.Errorf("%+v, want %v with code %d", got, c.want, c.code)
			}
		})
	}
}

func (w *walk) grant() { w.t.begin(hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit}, w.at) }

// pass closes the contact and opens it for long enough.
func (w *walk) pass() {
	w.set(hal.InputPassExit, hal.On, poll)
	w.set(hal.InputPassExit, hal.Off, poll)
	w.step(poll)
}

func (w *walk) passed() { w.grant(); w.pass() }

// Whoever came from the other side has not begun the grant's passage: it can be
// withdrawn once the place between the leaves is free, and the lane serves on.
func TestReverseEntryIsNoStartOfTheGrantsPassage(t *testing.T) {
	w := idleWalk()
	w.grant()
	want(t, w.set(hal.InputObstruction, hal.On, poll), hal.ObstructionOn, hal.PassageStarted)
	want(t, w.set(hal.InputPassEntry, hal.On, 3*poll), hal.ReverseEntry)
	want(t, w.set(hal.InputObstruction, hal.Off, poll), hal.ObstructionOff)
	if g := w.t.grant; !g.live || g.started {
		t.Errorf("the grant is %+v", g)
	}
	want(t, w.set(hal.InputObstruction, hal.On, poll), hal.ObstructionOn, hal.PassageStarted)
}

func TestGrantRunsOutUnlessSomebodyIsInside(t *testing.T) {
	w := idleWalk()
	w.grant()
	want(t, w.step(w.t.o.Passage-poll))
	want(t, w.step(poll), hal.PassageTimeout)
	want(t, w.step(time.Minute))

	w = idleWalk()
	w.grant()
	want(t, w.set(hal.InputObstruction, hal.On, poll), hal.ObstructionOn, hal.PassageStarted)
	want(t, w.step(w.t.o.Passage+time.Second))
	want(t, w.set(hal.InputObstruction, hal.Off, poll), hal.ObstructionOff)
	want(t, w.step(w.t.o.Settle-poll))
	want(t, w.step(poll), hal.PassageTimeout)
}

func TestStandingThingsAreToldOnceEach(t *testing.T) {
	w := idleWalk()
	want(t, w.set(hal.InputDoorClosed, hal.Off, poll), hal.DoorOpened)
	want(t, w.step(w.t.o.HeldWarn), hal.HeldOpen)
	want(t, w.step(w.t.o.HeldAlarm-w.t.o.HeldWarn), hal.HeldOpen)
	want(t, w.step(time.Hour))
	want(t, w.set(hal.InputDoorClosed, hal.On, poll), hal.DoorClosed)
	want(t, w.set(hal.InputObstruction, hal.On, poll), hal.ObstructionOn)
	want(t, w.step(w.t.o.ObjectLeft), hal.ObjectLeft)
	want(t, w.step(time.Hour))
}

func TestLosingTheDeviceForgetsEverything(t *testing.T) {
	w := idleWalk()
	w.grant()
	if g := w.t.lose(); !g.live || g.id != (hal.GrantID{1}) {
		t.Errorf("lost %+v", g)
	}
	for _, in := range hal.Inputs() {
		if w.t.now[in] != hal.Unknown {
			t.Errorf("%v is still %v", in, w.t.now[in])
		}
	}
}

// tally is a walk on a gate that counts and holds its own grants.
func tally() *walk {
	w := idleWalk()
	w.t.m.Counter = 0xFFFFFF
	return w
}

// look samples a counter of exits and whether the board holds the grant.
func (w *walk) look(exits uint32, held hal.Level) []hal.Event {
	w.at = w.at.Add(poll)
	s := Sample{At: w.at, Levels: w.is}
	s.Count[hal.Exit], s.Open[hal.Exit] = exits, held
	return w.t.sample(s)
}

func TestCounterTellsEachPersonAndWraps(t *testing.T) {
	w := tally()
	wantEvents(t, w.look(0xFFFFFE, hal.Off), hal.Event{Kind: hal.Fault, Code: hal.CodeCounter})
	w.grant()
	wantEvents(t, w.look(0xFFFFFE, hal.On))
	wantEvents(t, w.look(1, hal.Off), hal.Event{Kind: hal.PassageCompleted}, hal.Event{Kind: hal.Tailgating}, hal.Event{Kind: hal.Tailgating})
	wantEvents(t, w.look(0, hal.Off), hal.Event{Kind: hal.Fault, Code: hal.CodeCounter})
}

// A board that began to count anew under a grant may have forgotten him who
// passed: nobody knows, and no timer says that he did not.
func TestCounterThatJumpsUnderAGrantLeavesItUnknown(t *testing.T) {
	for name, held := range map[string]hal.Level{"the board holds it": hal.On, "the board has ended it": hal.Off} {
		t.Run(name, func(t *testing.T) {
			w := tally()
			w.look(500, hal.Off)
			w.grant()
			wantEvents(t, w.look(500, hal.On))
			wantEvents(t, w.look(0, held), hal.Event{Kind: hal.Fault, Code: hal.CodeCounter})
			wantEvents(t, w.look(0, held))
			wantEvents(t, w.look(0, held))
			w.at = w.at.Add(w.t.o.Passage)
			wantEvents(t, w.look(0, held), hal.Event{Kind: hal.Unobserved, Code: 1})
		})
	}
}

func TestCounterTellsWhatItCountedWhileAway(t *testing.T) {
	w := tally()
	w.look(5, hal.Off)
	w.t.lose()
	got := w.look(7, hal.Off)
	if e := got[len(got)-1]; e.Kind != hal.Desync || e.Code != 2 || e.Dir != hal.Exit {
		t.Errorf("told %+v", e)
	}
	wantEvents(t, w.look(8, hal.Off), hal.Event{Kind: hal.ForcedEntry})
}

func TestBoardEndsItsOwnGrant(t *testing.T) {
	w := tally()
	w.look(0, hal.Off)
	w.grant()
	wantEvents(t, w.look(0, hal.Off)) // it has not taken it up yet
	wantEvents(t, w.look(0, hal.Off))
	wantEvents(t, w.look(0, hal.On))
	wantEvents(t, w.look(0, hal.Off))
	got := w.look(0, hal.Off)
	wantEvents(t, got, hal.Event{Kind: hal.PassageTimeout})
	if len(got) == 1 && got[0].Inferred {
		t.Error("what the board did is called inferred")
	}
	wantEvents(t, w.look(1, hal.Off), hal.Event{Kind: hal.ForcedEntry, Code: hal.CodeExpired})

	w = tally()
	w.look(0, hal.Off)
	w.grant()
	w.look(0, hal.On)
	w.is[hal.InputObstruction] = hal.On
	wantEvents(t, w.look(0, hal.Off), hal.Event{Kind: hal.ObstructionOn}, hal.Event{Kind: hal.PassageStarted})
	wantEvents(t, w.look(0, hal.Off)) // somebody is inside: his passage is still to be counted
	wantEvents(t, w.look(1, hal.Off), hal.Event{Kind: hal.PassageCompleted})
}

func TestStandingAlarmsAreToldOnce(t *testing.T) {
	w := idleWalk()
	w.grant()
	fault, alarm := Alarm{Kind: hal.Fault, Code: 9}, Alarm{Kind: hal.Tailgating, Dir: hal.Exit, Code: 3}
	see := func(a ...Alarm) []hal.Event {
		w.at = w.at.Add(poll)
		return w.t.sample(Sample{At: w.at, Levels: w.is, Alarms: a})
	}
	wantEvents(t, see(fault), hal.Event{Kind: hal.Fault, Code: 9})
	got := see(fault, alarm)
	wantEvents(t, got, hal.Event{Kind: hal.Tailgating, Code: 3})
	if len(got) == 1 && got[0].Grant != (hal.GrantID{1}) {
		t.Errorf("of grant %v", got[0].Grant)
	}
	wantEvents(t, see(fault, alarm))
	wantEvents(t, see())
	wantEvents(t, see(fault), hal.Event{Kind: hal.Fault, Code: 9})
}

// wantEvents compares kinds and codes.
func wantEvents(t *testing.T, got []hal.Event, list ...hal.Event) {
	t.Helper()
	same := func(a, b hal.Event) bool { return a.Kind == b.Kind && a.Code == b.Code }
	if !slices.EqualFunc(got, list, same) {
		t.Errorf("got %+v, want %+v", got, list)
	}
}

// A gate that goes out of service because of a fire says the fire first.
func TestEmergencyIsToldBeforeWhatItBringsAbout(t *testing.T) {
	w := idleWalk()
	w.is[hal.InputReady], w.is[hal.InputDoorClosed], w.is[hal.InputMains] = hal.Off, hal.Off, hal.Off
	want(t, w.set(hal.InputEmergency, hal.On, poll), hal.EmergencyOn, hal.OutOfService, hal.DoorOpened, hal.PowerFail)
}

// A level that a board stops telling is told as not known, once.
func TestLevelThatIsNotKnownAnyMoreIsTold(t *testing.T) {
	w := idleWalk()
	want(t, w.set(hal.InputEmergency, hal.Unknown, poll), hal.Desync)
	want(t, w.step(poll))
	want(t, w.set(hal.InputEmergency, hal.Off, poll), hal.EmergencyOff)
}
