package gate

import "testing"

// reachable gives a lane in each of its states, by its shortest way.
func reachable(t *testing.T) map[State]*rig {
	t.Helper()
	ways := map[State]func(r *rig){
		Closed:   func(*rig) {},
		SelfTest: func(r *rig) { r.give(Start(0)) },
		Ready:    func(r *rig) { r.open(t) },
		Reading:  func(r *rig) { r.open(t); r.give(Presence(0, On)) },
		Matching: func(r *rig) {
			r.open(t)
			r.give(Presence(0, On))
			r.give(Symbol(0, r.documents(), r.now, []byte("good")))
		},
		Confirming: func(r *rig) {
			r.open(t)
			r.give(SetMode(0, Order{Mode: ModeSupervised, By: ByStation}), Presence(0, On))
			r.usable(3)
			r.give(Symbol(0, r.documents(), r.now, []byte("good")))
		},
		Deciding: func(r *rig) {
			r.open(t)
			r.give(Presence(0, On))
			r.usable(3)
			r.give(Symbol(0, r.documents(), r.now, []byte("good")))
		},
		Granted: func(r *rig) { r.granted(t) },
		Passing: func(r *rig) { id := r.granted(t); r.give(PassageStarted(0, id)) },
		Clearing: func(r *rig) {
			id := r.granted(t)
			r.give(PassageStarted(0, id), Presence(0, Off), Obstruction(0, On), PassageCompleted(0, id, DirExit))
		},
		ReferredAway: func(r *rig) {
			r.open(t)
			r.give(Presence(0, On))
			r.give(Symbol(0, r.documents(), r.now, []byte("forged")))
			r.flushAll()
		},
		Blocked:   func(r *rig) { r.open(t); r.give(Obstruction(0, On)) },
		Emergency: func(r *rig) { r.open(t); r.give(EmergencyInput(0, On)) },
		Maintenance: func(r *rig) {
			r.open(t)
			r.give(SetMode(0, Order{Mode: ModeMaintenance, By: ByStation}))
		},
		OutOfService: func(r *rig) { r.open(t); r.give(TurnstileUp(0, false)) },
	}
	out := map[State]*rig{}
	for _, s := range States() {
		do := ways[s]
		if do == nil {
			t.Fatalf("no way into %v is known", s)
		}
		r := newRig(t)
		do(r)
		r.want(t, s)
		out[s] = r
	}
	return out
}
