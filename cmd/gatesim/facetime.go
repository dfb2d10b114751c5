package main

import (
	"bordergate/cmd/gatesim/report"
	"bordergate/gate"
	"bordergate/sync/journal"
)

// faceTimes fills how long each face took, from the camera frame that the
// simulator knows to be the first good one to the moment when the gate had
// decided on match and liveness. The record of the decision ties the gate's
// steps to the clock that both share. A face that came before the pass was
// read waited for it: its time says nothing and is left out, as is one whose
// liveness was still open.
func faceTimes(r *report.Report, own []journal.Line) {
	decisions := map[string]journal.Line{}
	for _, l := range own {
		if l.Kind == gate.EntryDecision {
			decisions[l.Tx] = l
		}
	}
	for i := range r.Travellers {
		t := &r.Travellers[i]
		l, ok := decisions[t.Tx]
		steps := publicOf(l).Steps
		match, live, read := steps[gate.StepMatch], steps[gate.StepLiveness], steps[gate.StepAccount]
		if !ok || t.FaceUsable == 0 || match == 0 || live == 0 || read == 0 || publicOf(l).Liveness == gate.LiveUndecided.String() {
			continue
		}
		begun := l.Mono - int64(steps[gate.StepVerdict]*1000)
		if begun+int64(read*1000) > t.FaceUsable {
			continue
		}
		t.FaceMS = float64(begun+int64(max(match, live)*1000)-t.FaceUsable) / 1e6
	}
}
