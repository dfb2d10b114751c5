package turnstile

import (
	"time"

	"bordergate/hal"
)

// grantState is a grant from its pulse until nothing more can come of it.
type grantState struct {
	id      hal.GrantID
	dir     hal.Direction
	live    bool     // waits for a passage
	started bool     // somebody was between the leaves
	until   hal.Mono // when it runs out
	ended   hal.Mono // when its passage was completed; zero if none was
	why     uint32   // CodeRevoked or CodeExpired when it ended without one
	tailTo  hal.Mono // until when passages still belong to it
}

// tracker turns readings and time into events. It does no I/O; the driver's
// lock guards it.
type tracker struct {
	o      *Options
	now    Levels
	openAt [hal.InputCount]hal.Mono // since when a passage contact is open; zero if it is not
	grant  grantState
	doorAt hal.Mono // since when the door is open; zero if it is not
	held   uint32   // what was said about it
	objAt  hal.Mono // since when something is between the leaves
	objOut bool     // said
	freeAt hal.Mono // since when nothing is
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

// sample takes one reading and returns what it shows, levels before passages.
func (t *tracker) sample(at hal.Mono, is Levels, raw []byte) []hal.Event {
	was := t.now
	t.now = is
	var out []hal.Event
	for _, in := range hal.Inputs() {
		off, on, level := levelKinds(in)
		if !level || is[in] == hal.Unknown || is[in] == was[in] {
			continue
		}
		kind := off
		if is[in] == hal.On {
			kind = on
		}
		out = append(out, hal.Event{At: at, Kind: kind, Raw: raw})
		out = t.levelChanged(out, at, in, is[in])
	}
	for _, dir := range []hal.Direction{hal.Entry, hal.Exit} {
		if t.edge(at, dir.Pass(), was[dir.Pass()], is[dir.Pass()]) {
			e := t.passed(at, dir)
			e.Raw = raw
			out = append(out, e)
		}
	}
	return append(out, t.tick(at)...)
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
	var out []hal.Event
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
	g := &t.grant
	if !g.live || at < g.until {
		return false
	}
	if !g.started {
		return true
	}
	return t.objAt == 0 && at.Sub(t.freeAt) >= t.o.Settle
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
// open.
func (t *tracker) lose() grantState {
	g := t.grant
	*t = tracker{o: t.o}
	return g
}
