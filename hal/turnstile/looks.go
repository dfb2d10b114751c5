package turnstile

import (
	"time"

	"bordergate/hal"
)

// crossing is the shortest time in which somebody can enter the passage, cross
// it and leave it again.
const crossing = 500 * time.Millisecond

// look notes that the board was looked at: asked then, answered now. Between
// the question before and this answer a contact may have closed and opened
// again unseen. Where that is longer than a contact lasts and somebody was
// under way, or where it is long enough to cross, nobody can say any more that
// nobody passed.
func (t *tracker) look(asked, answered hal.Mono) {
	if t.looked != 0 {
		gap := answered.Sub(t.looked)
		t.looks.Note(gap, t.o.Contact)
		g := &t.grant
		under := g.started || !t.m.tells(hal.InputObstruction)
		if gap > t.o.Contact && t.m.Counter == 0 && g.live && (under || gap >= crossing) {
			g.blind = max(g.blind, gap)
		}
	}
	t.looked = asked
}

// unseen closes a grant whose passage may have been missed: at once when the
// place between the leaves is empty again and no contact has told of it, and
// else when the grant has run out.
func (t *tracker) unseen(at hal.Mono) []hal.Event {
	g := &t.grant
	if !g.live || g.blind == 0 {
		return nil
	}
	// A contact that still comes after the place is empty comes soon.
	left := g.started && t.objAt == 0 && at.Sub(t.freeAt) >= 2*t.o.Contact
	if !left && !t.ranOut(at) {
		return nil
	}
	e := hal.Event{At: at, Kind: hal.Unobserved, Dir: g.dir, Grant: g.id, Code: uint32(g.blind.Milliseconds()), Inferred: true}
	t.close(at, hal.CodeUnobserved)
	return []hal.Event{e}
}
