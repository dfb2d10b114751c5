package play

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"bordergate/cmd/gatesim/camera"
	"bordergate/cmd/gatesim/scenario"
	"bordergate/cmd/gatesim/station"
)

// walk is one traveller under way.
type walk struct {
	Stage
	a   Actor
	res Result

	face, pass *camera.Program
	agenda     []act
	tx         string // of his transaction, from the gate's own events
	walking    bool
	refused    bool
	gone       bool
	struck     map[scenario.Fault]bool
	decided    chan error
	deciders   sync.WaitGroup
}

// act is something he or the gate's hardware does at a moment.
type act struct {
	at int64
	do func(at int64)
	// other is not his to drop: somebody else's, or the machine's.
	other bool
}

func (w *walk) plan(at int64, do func(at int64)) { w.add(act{at: at, do: do}) }

// planOther plans what happens whatever becomes of him.
func (w *walk) planOther(at int64, do func(at int64)) { w.add(act{at, do, true}) }

func (w *walk) add(a act) {
	w.agenda = append(w.agenda, a)
	slices.SortStableFunc(w.agenda, func(a, b act) int { return int(min(max(a.at-b.at, -1), 1)) })
}

// drop takes everything of his off the agenda.
func (w *walk) drop() {
	w.agenda = slices.DeleteFunc(w.agenda, func(a act) bool { return !a.other })
}

// Walk plays one traveller to the end: he has left and the gate is ready for
// the next.
func (s Stage) Walk(ctx context.Context, a Actor) (Result, error) {
	w := &walk{Stage: s, a: a, decided: make(chan error, 1)}
	w.quiet()
	w.arrive(ctx)
	err := w.loop(ctx)
	w.mendAll()
	w.deciders.Wait()
	w.Face.Show(nil)
	w.Document.Show(nil)
	w.Scanner.Remove()
	w.res.Face = w.face.Seen()
	if w.a.Code == nil {
		w.res.Pass = w.pass.Seen()
	}
	return w.res, err
}

// quiet forgets what was left of the traveller before.
func (w *walk) quiet() {
	for {
		select {
		case <-w.Unlocks:
			w.res.Faults = append(w.res.Faults, "the gate was released between two travellers")
		case <-w.Events:
		default:
			return
		}
	}
}

func (w *walk) arrive(ctx context.Context) {
	t := w.Timing
	now := w.Now()
	w.res.Arrived = now
	w.face = camera.NewProgram(w.a.Face.Intro, w.a.Face.Loop, w.a.Face.Outro)
	w.face.Start(now + int64(t.FaceFrom))
	w.pass = camera.NewProgram(w.a.Pass.Intro, w.a.Pass.Loop, w.a.Pass.Outro)
	shown := now + int64(t.PassInView)
	w.pass.Start(shown)
	if !w.a.Holds {
		w.pass.End(shown + int64(len(w.a.Pass.Intro))*int64(camera.Period) + int64(t.PassHeld))
	}
	w.Face.Show(w.face)
	switch {
	case w.a.Empty:
	case w.a.Code != nil:
		w.plan(shown, w.scan)
	default:
		w.Document.Show(w.pass)
	}
	w.Board.SetInput(inPresence, true)
	w.plan(now+int64(t.Patience), func(at int64) {
		w.fault("no answer within his patience")
		w.leave(at, turnsAway)
	})
	if w.a.Moment == scenario.BeforeGrant {
		w.plan(now+int64(w.a.DecideAfter), func(at int64) { w.midway(ctx, at) })
	}
	w.timedFaults(now)
}

// midway is what comes in between, whatever the gate does.
func (w *walk) midway(ctx context.Context, at int64) {
	if w.a.Case == scenario.Emergency {
		w.flee(ctx, at)
		return
	}
	w.decide(ctx)
}

// scan is him holding his pass to the scanner, until it is answered or he
// walks.
func (w *walk) scan(int64) {
	w.Scanner.Present(*w.a.Code)
	at := w.Now()
	w.res.Pass = camera.Seen{InView: at, Usable: at}
}

func (w *walk) decide(ctx context.Context) {
	w.deciders.Go(func() { w.decided <- w.a.Decide(ctx) })
}

func (w *walk) fault(format string, a ...any) {
	w.res.Faults = append(w.res.Faults, fmt.Sprintf(format, a...))
}

// loop follows agenda, board and gate until he is gone and the gate ready.
func (w *walk) loop(ctx context.Context) error {
	deciding := w.a.Moment != ""
	for !w.gone || w.res.Ready == 0 || deciding {
		t := time.NewTimer(w.until())
		select {
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("play traveller %d: %w", w.a.N, ctx.Err())
		case at := <-w.Unlocks:
			w.released(ctx, at)
		case e := <-w.Events:
			w.told(e)
		case err := <-w.decided:
			deciding = false
			if err != nil {
				w.fault("the decision was not taken: %v", err)
			}
		case <-t.C:
			if w.next() {
				return nil
			}
		}
		t.Stop()
		if w.gone && w.res.Grant() == 0 && w.a.Moment == scenario.AfterGrant {
			deciding = false // no grant, so nobody decides
		}
	}
	return nil
}

// until is the time to the next act, or the longest wait for the gate to be
// ready again.
func (w *walk) until() time.Duration {
	if len(w.agenda) > 0 {
		return time.Duration(max(w.agenda[0].at-w.Now(), 0))
	}
	if w.gone {
		return time.Duration(max(w.res.Left+int64(readyWait)-w.Now(), 0))
	}
	return readyWait
}

// next does the next act; true when there is none and the wait is over.
func (w *walk) next() (over bool) {
	if len(w.agenda) == 0 {
		w.fault("the gate was not ready again within %v", readyWait)
		return true
	}
	if w.agenda[0].at > w.Now() {
		return false
	}
	a := w.agenda[0]
	w.agenda = w.agenda[1:]
	a.do(a.at)
	return false
}

// released is the gate opening: it moves, is open, and he walks.
func (w *walk) released(ctx context.Context, at int64) {
	w.res.Unlocks = append(w.res.Unlocks, at)
	if len(w.res.Unlocks) > 1 || w.gone {
		return
	}
	t := w.Timing
	w.plan(at+int64(t.GateMoves), func(int64) { w.Board.SetInput(inDoorClosed, false) })
	open := at + int64(t.GateOpen)
	start := open + int64(t.StartsWalk)
	if w.a.Moment == scenario.AfterGrant {
		w.plan(at+int64(w.a.DecideAfter), func(at int64) { w.midway(ctx, at) })
		start += int64(standsOn)
	}
	switch w.a.Case {
	case scenario.NoShow:
		w.leave(at, changesMind)
		return
	case scenario.WrongWay:
		w.oncoming(open)
		return
	}
	w.plan(start, w.start)
}

// start is his first step: he leaves the camera and stands in the zone.
func (w *walk) start(at int64) {
	if w.refused {
		return
	}
	w.drop() // he is patient no longer
	w.Scanner.Remove()
	w.walking = true
	w.face.End(at)
	w.Board.SetInput(inObstruction, true)
	w.Board.SetInput(inPresence, false)
	end := at + int64(w.Timing.Passage)
	w.plan(end, func(int64) {
		w.passes()
		w.res.Passed = w.Now()
	})
	if w.a.Case == scenario.Tailgater {
		end += int64(followsIn)
		w.plan(end, func(int64) { w.passes() })
	}
	w.plan(end+int64(zoneClears), func(int64) {
		w.Board.SetInput(inObstruction, false)
		w.res.Cleared = w.Now()
		w.drop()
		w.plan(w.res.Cleared+int64(doorCloses), func(at int64) {
			w.Board.SetInput(inDoorClosed, true)
			w.left(at)
		})
	})
}

// passes is somebody going by the contact of the lane's direction.
func (w *walk) passes() {
	with, _ := w.ways()
	w.Board.Pulse(with, passPulse)
}

// told is what the gate says of itself.
func (w *walk) told(e station.Event) {
	w.stateFaults(e)
	switch {
	case e.Kind == "transaction" && w.res.Event.Tx == "" && (w.tx == "" || e.Tx == w.tx):
		w.res.Event = e
		if e.Outcome != "admitted" && !w.walking && !w.gone {
			w.refusal(e)
		}
	case e.Kind == "lane" && e.Tx != "" && w.tx == "":
		w.tx = e.Tx
	case e.Kind == "lane" && e.State == "ready" && e.Tx == "" && w.res.Event.Tx != "" && w.res.Ready == 0:
		w.res.Ready = e.At
	}
}

// refusal is being told that the gate will not open, or is not open any more.
func (w *walk) refusal(e station.Event) {
	w.refused = true
	after := w.Timing.LeavesAfter
	if e.Outcome == "abandoned" || e.Outcome == "failed" {
		after = turnsAway
	}
	w.drop()
	w.leave(w.Now(), after)
}

// left is him being gone, and with him the faults that last as long.
func (w *walk) left(at int64) {
	w.gone, w.res.Left = true, at
	w.mendFor()
}

// leave plans his going away without having passed.
func (w *walk) leave(at int64, after time.Duration) {
	w.drop()
	w.plan(at+int64(after), func(at int64) {
		w.face.End(at)
		w.pass.End(at)
		w.Scanner.Remove()
		w.Board.SetInput(inPresence, false)
		w.Board.SetInput(inDoorClosed, true)
		w.left(at)
	})
}
