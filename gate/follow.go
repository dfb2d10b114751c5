package gate

import (
	"slices"

	"bordergate/gate/reason"
)

// One grant is for one person: the one whose face matched. The face is followed
// from the first frame to the start of the passage. Until the decision another
// face, a second one beside it, or too long without one drops what was gathered
// and matching starts anew; from then to the grant it withholds it; after the
// grant another face in his place withdraws it. Somebody who turns to walk is
// seen no more and that alone takes no grant back.

// strangeLimit is how many frames in a row must show another person before a
// grant is taken back: a gate that shuts before the right one is a harm too.
const strangeLimit = 2

// keep follows the face, counts the frame and keeps it where it is usable, the
// oldest making room.
func (m *machine) keep(f Face, at int64) {
	t := m.tx
	sight := m.o.Tracker.Follow(f)
	switch sight {
	case SightOther, SightCrowd:
		if len(t.faces) > 0 {
			t.others++
		}
		m.anew()
	case SightNew:
		m.anew()
	}
	if sight == SightCrowd {
		f.Count = max(f.Count, 2)
	}
	t.tally(f, at)
	m.hint(f.Hint)
	if f.Count != 1 || !f.Usable || sight == SightAway || sight == SightCrowd {
		return
	}
	if len(t.faces) == maxFaces {
		// The worker looks for liveness in a session's first frames only: those
		// stay, or who takes long would become undecided again.
		i := max(slices.IndexFunc(t.faces, func(f Face) bool { return !f.LiveDone }), 0)
		t.faces[i].forget()
		t.faces = slices.Delete(t.faces, i, i+1)
	}
	t.faces = append(t.faces, f)
}

// hint has the screen say at once what the traveller can do better.
func (m *machine) hint(h string) {
	if t := m.tx; t.hint != h {
		t.hint = h
		m.show(false)
	}
}

// tally counts a frame, for what was gathered and for the whole transaction.
func (t *transaction) tally(f Face, at int64) {
	t.count.add(f)
	t.total.add(f)
	if f.Count > 0 {
		t.step(StepFirstFace, f.FrameAt)
	}
	if f.Count == 1 && f.Usable {
		t.step(StepFirstUsable, at)
	}
}

func (c *FaceCount) add(f Face) {
	c.Frames++
	switch {
	case f.Count == 0:
		c.None++
	case f.Count > 1:
		c.Many++
	case !f.Usable:
		c.Poor++
	default:
		c.Usable++
	}
}

// anew drops what was gathered of a face and has the camera's worker begin
// again, since it measures some things on a traveller's first frames only.
func (m *machine) anew() {
	if len(m.tx.faces) == 0 {
		return
	}
	m.tx.void()
	m.session++
	m.tx.looking = m.session
	m.o.Eyes.Again(m.session)
}

// void drops what was gathered of a face and zeroes it.
func (t *transaction) void() {
	if len(t.faces) > 0 {
		t.voids++
		t.count = FaceCount{}
	}
	for _, f := range t.faces {
		f.forget()
	}
	t.faces, t.match = nil, Match{}
}

// forget zeroes a frame's probe where the transaction did not keep it.
func (m *machine) forget(f Face) {
	if t := m.tx; t != nil && len(f.Embedding) > 0 && len(t.faces) > 0 {
		if last := t.faces[len(t.faces)-1].Embedding; len(last) > 0 && &last[0] == &f.Embedding[0] {
			return
		}
	}
	f.forget()
}

// mustBePresent drops what was gathered of somebody who is not there any more:
// no match rests on it.
func (m *machine) mustBePresent() {
	if t := m.tx; len(t.faces) > 0 && !m.o.Tracker.Present(m.o.Mono()) {
		m.anew()
		t.count = FaceCount{Frames: 1, None: 1}
	}
}

// breakOff notes that the one who matched is no longer known to be there.
func (t *transaction) breakOff(r reason.Reason) {
	if t.broken == 0 {
		t.broken = r
	}
}

// followFace watches on while the record of an admission goes to the disk.
func followFace(m *machine, in Input) State {
	if in.session != m.tx.looking || !m.tx.verdict.Admit() {
		return m.state
	}
	switch m.o.Tracker.Follow(in.face) {
	case SightOther, SightNew, SightCrowd:
		m.tx.breakOff(reason.FaceMany)
	}
	return m.state
}

// watchGrant takes a grant back from another person who stands in the place of
// the one who matched.
func watchGrant(m *machine, in Input) State {
	t := m.tx
	if in.session != t.looking {
		return m.state
	}
	switch m.o.Tracker.Follow(in.face) {
	case SightOther:
		if t.strange++; t.strange < strangeLimit {
			return m.state
		}
		t.breakOff(reason.FaceMany)
		return m.standOrWithdraw(in)
	case SightKept:
		t.strange = 0
	}
	return m.state
}
