package turnstile

import (
	"testing"
	"time"

	"bordergate/hal"
)

// late takes a sample whose answer comes so long after the question before.
func (w *walk) late(gap time.Duration) []hal.EventKind {
	w.t.look(w.at.Add(gap-5*time.Millisecond), w.at.Add(gap))
	return w.step(gap - 5*time.Millisecond)
}

// watched is a walk of a gate whose contacts are all wired, with a grant.
func watched(counter uint32) *walk {
	w := idleWalk()
	w.t.m.Inputs, w.t.m.Counter = hal.Inputs(), counter
	w.t.look(w.at, w.at)
	w.grant()
	return w
}

// TestMissedPassageIsSaid: whoever was between the leaves, and is not any more
// when somebody looks again, may have passed or not.
func TestMissedPassageIsSaid(t *testing.T) {
	const long = 150 * time.Millisecond // a contact lasts 100 ms
	enter := func(w *walk) { w.set(hal.InputObstruction, hal.On, poll); w.t.look(w.at, w.at) }
	for name, c := range map[string]struct {
		counter uint32
		gap     time.Duration
		inside  bool // somebody was between the leaves before
		want    hal.EventKind
	}{
		"gone unseen":          {0, long, true, hal.Unobserved},
		"looked in time":       {0, 90 * time.Millisecond, true, 0},
		"counted by the board": {0xFFFF, long, true, 0},
		"nobody there":         {0, long, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := watched(c.counter)
			if c.inside {
				enter(w)
			}
			w.is[hal.InputObstruction] = hal.Off
			w.late(c.gap)
			var got hal.EventKind
			for range 20 {
				for _, k := range w.step(poll) {
					got = k
				}
			}
			if got != c.want {
				t.Errorf("told %v, want %v", got, c.want)
			}
			if open := w.t.grant.live; open == (c.want != 0) {
				t.Errorf("the grant is open: %v", open)
			}
		})
	}
}

// A contact that is still closed at the late look, or that closes a moment
// after the place is empty, tells what there is to know.
func TestLateLookThatSeesTheContactIsAPassage(t *testing.T) {
	for name, after := range map[string]time.Duration{"still closed": 0, "a moment later": 60 * time.Millisecond} {
		w := watched(0)
		w.set(hal.InputObstruction, hal.On, poll)
		w.t.look(w.at, w.at)
		w.is[hal.InputObstruction] = hal.Off
		var got []hal.EventKind
		if after == 0 {
			w.is[hal.InputPassExit] = hal.On
			got = w.late(400 * time.Millisecond)
		} else {
			w.late(400 * time.Millisecond)
			got = w.set(hal.InputPassExit, hal.On, after)
		}
		if len(got) == 0 || got[len(got)-1] != hal.PassageCompleted {
			t.Errorf("%s: told %v", name, got)
		}
		w.is[hal.InputPassExit] = hal.Off
		want(t, w.step(time.Second))
	}
}

// A look so late that somebody can have crossed meanwhile takes the timer's
// word away: nobody knows that the grant was not used.
func TestGrantIsNotCalledUnusedAfterABlindTime(t *testing.T) {
	w := watched(0)
	w.late(crossing)
	want(t, w.step(w.t.o.Passage), hal.Unobserved)
	want(t, w.set(hal.InputPassExit, hal.On, poll), hal.ForcedEntry)

	w = watched(0)
	w.late(crossing - poll)
	want(t, w.step(w.t.o.Passage), hal.PassageTimeout)
}

func TestLooksAreCounted(t *testing.T) {
	w := watched(0)
	for _, ms := range []int{25, 26, 101, 700} {
		w.late(time.Duration(ms) * time.Millisecond)
	}
	w.t.lose()
	l := w.t.looks
	if l.Count != 4 || l.Longest != 700*time.Millisecond || l.Late != 2 || l.Within != [6]uint64{1, 1, 0, 1, 0, 1} {
		t.Errorf("%+v", l)
	}
}
