package turnstile

import (
	"slices"
	"time"

	"bordergate/hal"
)

// grantState is a grant from its pulse until nothing more can come of it.
type grantState struct {
	id      hal.GrantID
	dir     hal.Direction
	live    bool          // waits for a passage
	started bool          // somebody was between the leaves
	until   hal.Mono      // when it runs out
	ended   hal.Mono      // when its passage was completed; zero if none was
	why     uint32        // CodeRevoked or CodeExpired when it ended without one
	tailTo  hal.Mono      // until when passages still belong to it
	stood   bool          // the board was seen to hold it
	shut    int           // samples in a row in which it does not any more
	blind   time.Duration // for how long, at most, nobody looked while somebody may have passed
}

// tracker turns readings and time into events. It does no I/O; the driver's
// lock guards it.
type tracker struct {
	o      *Options
	m      *Model
	now    Levels
	openAt [hal.InputCount]hal.Mono // since when a passage contact is open; zero if it is not
	grant  grantState
	doorAt hal.Mono // since when the door is open; zero if it is not
	held   uint32   // what was said about it
	objAt  hal.Mono // since when something is between the leaves
	objOut bool     // said
	freeAt hal.Mono // since when nothing is
	alarms []Alarm  // that were told and still stand

	counts  [hal.Exit + 1]uint32 // of the last sample; kept while the line is away
	counted bool                 // there was one
	resumed bool                 // there was one since the line came up

	looked hal.Mono  // when the board was asked last; zero before the first time
	looks  hal.Looks // kept while the line is away
}

// restPolls is for how many polls' time a passage contact must have been open
// before it counts again, so that one that chatters is not a second person. It
// is time and not samples: a slow bus must not lose a person.
const restPolls = 2

// levelKinds are the events of each level input: off, on.
func levelKinds(in hal.Input) (off, on hal.EventKind, ok bool) {
	switch in {
	case hal.InputObstruction:
		return hal.ObstructionOff, hal.ObstructionOn, true
	case hal.InputPresence:
		return hal.PresenceOff, hal.PresenceOn, true
	case hal.InputEmergency:
		return hal.EmergencyOff, hal.EmergencyOn, true
	case hal.InputTamper:
		return hal.TamperOff, hal.TamperOn, true
	case hal.InputMains:
		return hal.PowerFail, hal.PowerOK, true
	case hal.InputReady:
		return hal.OutOfService, hal.InService, true
	case hal.InputDoorClosed:
		return hal.DoorOpened, hal.DoorClosed, true
	default:
		return 0, 0, false
	}
}

// order is that of the inputs in one sample: an emergency is told before what it
// brings about, such as a gate that says that it is out of service.
func order() []hal.Input {
	return append([]hal.Input{hal.InputEmergency}, slices.DeleteFunc(hal.Inputs(), func(in hal.Input) bool { return in == hal.InputEmergency })...)
}

// sample takes one reading and returns what it shows, levels before passages. A
// level that is not known any more, such as under a code that no table has, is
// told by a Desync: who relied on it reads the snapshot.
func (t *tracker) sample(s Sample) []hal.Event {
	was, at := t.now, s.At
	t.now = s.Levels
	var out []hal.Event
	if t.dimmed(was) {
		out = append(out, hal.Event{At: at, Kind: hal.Desync, Inferred: true})
	}
	for _, in := range order() {
		off, on, level := levelKinds(in)
		if l := s.Levels[in]; level && l != hal.Unknown && l != was[in] {
			kind := off
			if l == hal.On {
				kind = on
			}
			out = t.levelChanged(append(out, hal.Event{At: at, Kind: kind}), at, in, l)
		}
	}
	for _, dir := range []hal.Direction{hal.Entry, hal.Exit} {
		if t.m.Counter != 0 {
			out = t.count(out, s, dir)
		} else if t.edge(at, dir.Pass(), was[dir.Pass()], s.Levels[dir.Pass()]) {
			out = append(out, t.passed(at, dir))
		}
	}
	t.counts, t.counted, t.resumed = s.Count, true, true
	out = append(t.alarmed(out, s), t.ended(s)...)
	for i := range out {
		out[i].Raw = s.Raw
	}
	return append(out, t.tick(at)...)
}

// dimmed reports whether a level that was known is not any more.
func (t *tracker) dimmed(was Levels) bool {
	for in, l := range t.now {
		if l == hal.Unknown && was[in] != hal.Unknown {
			return true
		}
	}
	return false
}

// maxCounted is how many people a counter may tell of at once. More is a
// counter that was reset or a board that was changed.
const maxCounted = 16

// count is what a counter has gone up by. What it counted while the line was
// away is told as that: nobody knows under which grant.
func (t *tracker) count(out []hal.Event, s Sample, dir hal.Direction) []hal.Event {
	n := (s.Count[dir] - t.counts[dir]) & t.m.Counter
	switch {
	case !t.counted || n == 0:
	case n > maxCounted:
		out = append(out, hal.Event{At: s.At, Kind: hal.Fault, Dir: dir, Code: hal.CodeCounter})
		if g := &t.grant; g.live && t.resumed {
			g.blind = max(g.blind, time.Millisecond) // he may have been counted before the jump
		}
	case !t.resumed:
		out = append(out, hal.Event{At: s.At, Kind: hal.Desync, Dir: dir, Code: n})
	default:
		for range n {
			out = append(out, t.passed(s.At, dir))
		}
	}
	return out
}

// alarmed tells of what the device has begun to say of itself. An alarm about a
// passage belongs to the grant that is open or has just been used.
func (t *tracker) alarmed(out []hal.Event, s Sample) []hal.Event {
	for _, a := range s.Alarms {
		if slices.Contains(t.alarms, a) {
			continue
		}
		e := hal.Event{At: s.At, Kind: a.Kind, Dir: a.Dir, Code: a.Code}
		if g := &t.grant; a.Kind != hal.Fault && (g.live || s.At <= g.tailTo) {
			e.Grant = g.id
		}
		out = append(out, e)
	}
	t.alarms = s.Alarms
	return out
}

// endSamples is for how many samples in a row a board must hold a grant no more
// before it is over: its counter may follow a moment later.
const endSamples = 2

// ended is a grant that the board itself has ended because nobody came.
func (t *tracker) ended(s Sample) []hal.Event {
	g := &t.grant
	if !g.live || s.Open[g.dir] != hal.Off {
		g.stood, g.shut = g.live && (g.stood || s.Open[g.dir] == hal.On), 0
		return nil
	}
	g.shut++
	if !g.stood || g.shut < endSamples || !t.deserted(s.At) || g.blind != 0 {
		return nil // see unseen for who may have passed unseen
	}
	e := hal.Event{At: s.At, Kind: hal.PassageTimeout, Dir: g.dir, Grant: g.id}
	t.close(s.At, hal.CodeExpired)
	return []hal.Event{e}
}

// edge reports a passage contact that closes after having been open. One that
// is open when it is first seen has been open for long enough.
func (t *tracker) edge(at hal.Mono, in hal.Input, was, is hal.Level) bool {
	rest := restPolls * t.o.Poll
	since := t.openAt[in]
	if is == hal.Off {
		if since == 0 {
			t.openAt[in] = at
		}
		if was == hal.Unknown {
			t.openAt[in] = at.Add(-rest)
		}
		return false
	}
	t.openAt[in] = 0
	return is == hal.On && since != 0 && at.Sub(since) >= rest
}

func (t *tracker) levelChanged(out []hal.Event, at hal.Mono, in hal.Input, l hal.Level) []hal.Event {
	switch in {
	case hal.InputDoorClosed:
		t.doorAt, t.held = 0, 0
		if l == hal.Off {
			t.doorAt = at
		} else if t.grant.ended != 0 {
			t.grant.tailTo = 0 // the leaves are shut behind one person
		}
	case hal.InputObstruction:
		t.objAt, t.objOut, t.freeAt = 0, false, 0
		if l == hal.Off {
			t.freeAt = at
			break
		}
		t.objAt = at
		if g := &t.grant; g.live && !g.started {
			g.started = true
			out = append(out, hal.Event{At: at, Kind: hal.PassageStarted, Dir: g.dir, Grant: g.id})
		}
	}
	return out
}

// passed judges a passage by the grant.
func (t *tracker) passed(at hal.Mono, dir hal.Direction) hal.Event {
	g := &t.grant
	e := hal.Event{At: at, Dir: dir, Grant: g.id}
	switch {
	case g.live && dir == g.dir:
		e.Kind = hal.PassageCompleted
		g.live, g.ended, g.tailTo = false, at, at.Add(t.o.Settle)
	case g.live:
		// It was the one from the other side who stood between the leaves: the
		// grant's own passage has not begun, so that it can be withdrawn.
		e.Kind, g.started = hal.ReverseEntry, false
	case g.ended != 0 && dir == g.dir && at <= g.tailTo:
		e.Kind = hal.Tailgating
	case g.why != 0 && dir == g.dir && at <= g.tailTo:
		e.Kind, e.Code = hal.ForcedEntry, g.why
	default:
		e.Kind, e.Grant = hal.ForcedEntry, hal.GrantID{}
	}
	if e.Kind == hal.ForcedEntry && t.now[hal.InputEmergency] == hal.On {
		e.Code = hal.CodeEmergency
	}
	return e
}

// tick is what time alone brings about.
func (t *tracker) tick(at hal.Mono) []hal.Event {
	out := t.unseen(at)
	if t.ranOut(at) {
		g := &t.grant
		out = append(out, hal.Event{At: at, Kind: hal.PassageTimeout, Dir: g.dir, Grant: g.id, Inferred: true})
		t.close(at, hal.CodeExpired)
	}
	if t.doorAt != 0 {
		open := at.Sub(t.doorAt)
		if open >= t.o.HeldAlarm && t.held < hal.CodeAlarm {
			t.held = hal.CodeAlarm
			out = append(out, hal.Event{At: at, Kind: hal.HeldOpen, Code: hal.CodeAlarm, Inferred: true})
		} else if open >= t.o.HeldWarn && t.held < hal.CodeWarning {
			t.held = hal.CodeWarning
			out = append(out, hal.Event{At: at, Kind: hal.HeldOpen, Code: hal.CodeWarning, Inferred: true})
		}
	}
	if t.objAt != 0 && !t.objOut && at.Sub(t.objAt) >= t.o.ObjectLeft {
		t.objOut = true
		out = append(out, hal.Event{At: at, Kind: hal.ObjectLeft, Inferred: true})
	}
	return out
}

// ranOut reports whether the live grant is over. Somebody who is between the
// leaves, or was there a moment ago, is not timed out under way; somebody who
// stepped back is.
func (t *tracker) ranOut(at hal.Mono) bool {
	return t.grant.live && at >= t.grant.until && t.deserted(at)
}

// deserted reports that nobody is under way, nor was a moment ago.
func (t *tracker) deserted(at hal.Mono) bool {
	return !t.grant.started || t.objAt == 0 && at.Sub(t.freeAt) >= t.o.Settle
}

// begin opens a grant whose pulse may have been given.
func (t *tracker) begin(g hal.Grant, at hal.Mono) {
	t.grant = grantState{id: g.ID, dir: g.Dir, live: true, until: at.Add(t.o.Passage)}
}

// close ends the live grant without a passage; one that comes yet is forced,
// and is still told with the grant's id.
func (t *tracker) close(at hal.Mono, why uint32) {
	g := &t.grant
	g.live, g.why, g.tailTo = false, why, at.Add(max(t.o.Passage, 2*time.Second))
}

// lose forgets every level and the grant, and returns the grant if it was
// open. What the counters said it keeps.
func (t *tracker) lose() grantState {
	g := t.grant
	*t = tracker{o: t.o, m: t.m, counts: t.counts, counted: t.counted, looks: t.looks}
	return g
}
