package play

import (
	"context"

	"bordergate/cmd/gatesim/scenario"
	"bordergate/cmd/gatesim/station"
)

// What others do while a traveller is there: somebody who comes from the other
// side, a fire, and what breaks.

// oncoming is somebody who comes through the open gate from the other side.
func (w *walk) oncoming(at int64) {
	_, against := w.ways()
	w.planOther(at, func(int64) { w.Board.SetInput(inObstruction, true) })
	end := at + int64(comesBack)
	w.planOther(end, func(int64) { w.Board.Pulse(against, passPulse) })
	w.planOther(end+int64(zoneClears), func(int64) { w.Board.SetInput(inObstruction, false) })
}

// flee is the fire input striking: the leaves are free by hardware, he goes
// through, and when he has, the input is reset and an officer signs off.
func (w *walk) flee(ctx context.Context, at int64) {
	w.drop()
	w.walking = true
	w.Board.SetInput(inEmergency, false)
	w.Board.SetInput(inDoorClosed, false)
	start := at + int64(w.Timing.StartsWalk)
	w.plan(start, func(at int64) {
		w.Scanner.Remove()
		w.face.End(at)
		w.pass.End(at)
		w.Board.SetInput(inObstruction, true)
		w.Board.SetInput(inPresence, false)
	})
	end := start + int64(w.Timing.Passage)
	w.plan(end, func(int64) {
		w.passes()
		w.res.Passed = w.Now()
	})
	w.plan(end+int64(zoneClears), func(at int64) {
		w.Board.SetInput(inObstruction, false)
		w.res.Cleared = w.Now()
		w.Board.SetInput(inDoorClosed, true)
		w.left(at)
		w.decide(ctx)
	})
}

// timedFaults plans those that strike so long after his arrival.
func (w *walk) timedFaults(now int64) {
	for _, f := range w.a.Faults {
		if after, ok := f.After(); ok {
			w.planOther(now+int64(after), func(at int64) { w.strike(f, at) })
		}
	}
}

// stateFaults has those strike that wait for what the lane has just reached.
func (w *walk) stateFaults(e station.Event) {
	for _, f := range w.a.Faults {
		if e.Kind == "lane" && e.State == f.At && !w.struck[f] && (e.Tx != "" || w.tx != "") {
			w.strike(f, w.Now())
		}
	}
}

func (w *walk) strike(f scenario.Fault, at int64) {
	if w.struck == nil {
		w.struck = map[scenario.Fault]bool{}
	}
	w.struck[f] = true
	if err := w.Devices.Strike(f); err != nil {
		w.fault("%v", err)
	}
	if f.For > 0 {
		w.planOther(at+int64(f.For), func(int64) { w.mend(f) })
	}
}

func (w *walk) mend(f scenario.Fault) {
	if err := w.Devices.Mend(f); err != nil {
		w.fault("%v", err)
	}
}

// mendFor is what lasts as long as he is there.
func (w *walk) mendFor() {
	for _, f := range w.a.Faults {
		if w.struck[f] && f.For == 0 {
			w.mend(f)
		}
	}
}

// mendAll leaves no device struck, and says so of a fault that never was.
func (w *walk) mendAll() {
	for _, f := range w.a.Faults {
		if !w.struck[f] {
			w.fault("%s %s never struck: the lane did not come to %s", f.Device, f.Verb, f.At)
			continue
		}
		w.mend(f)
	}
}
