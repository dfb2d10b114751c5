package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"bordergate/cmd/gatesim/board"
	"bordergate/cmd/gatesim/report"
	"bordergate/cmd/gatesim/scenario"
	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/sync/journal"
)

// reconcile compares what the gate wrote, what headquarters holds, what the
// board did and what was seen of each traveller.
func (x *production) reconcile(ctx context.Context, r *report.Report) error {
	e, err := x.settle(ctx)
	if err != nil {
		return err
	}
	r.Records = e.records
	contradictions(r, e.there)
	alarms(r, e.there)
	r.Faults = append(r.Faults, wrongSide(x.hw.board.Grants(), x.scenario.Direction)...)
	faceTimes(r, e.own)
	return x.leaks(ctx, r)
}

// ending is what a run left: the gate's journal, headquarters' records, how many grants the board took, and how these agree.
type ending struct {
	own     []journal.Line
	there   []journal.Line
	grants  int
	records report.Records
}

// settle waits until headquarters has everything, and compares.
func (x *production) settle(ctx context.Context) (ending, error) {
	var e ending
	err := x.station.WaitDelivered(ctx)
	if err != nil {
		return ending{}, err
	}
	if e.own, err = x.station.Journal(ctx); err != nil {
		return ending{}, err
	}
	if e.there, err = x.station.HQRecords(ctx); err != nil {
		return ending{}, err
	}
	grants := x.hw.board.Grants()
	e.grants, e.records = len(grants), compare(e.own, e.there)
	e.records.NotDurable = unrecorded(grants, e.own)
	return e, nil
}

// recordID names a record.
type recordID struct {
	stream string
	epoch  uint64
	seq    uint64
	hash   string
}

func idOf(l journal.Line) recordID {
	return recordID{l.Stream, l.Epoch, l.Seq, fmt.Sprintf("%x", l.Hash)}
}

// compare counts the records of the gate and of headquarters.
func compare(own, there []journal.Line) report.Records {
	c := report.Records{Journal: len(own), HQ: len(there)}
	count := map[recordID]int{}
	for _, l := range there {
		count[idOf(l)]++
	}
	for _, n := range count {
		c.Doubled += n - 1
	}
	known := map[recordID]bool{}
	for _, l := range own {
		known[idOf(l)] = true
		if count[idOf(l)] == 0 {
			c.Missing++
		}
	}
	for id := range count {
		if !known[id] {
			c.Unknown++
		}
	}
	return c
}

// public is what the simulator reads of a record.
type public struct {
	Outcome string             `json:"outcome"`
	Reasons []string           `json:"reasons"`
	Notices []string           `json:"notices"`
	Score   float64            `json:"score"`
	Ref     string             `json:"reference"`
	Steps   map[string]float64 `json:"steps_us"`

	Threshold float64 `json:"threshold"`
	Frames    int     `json:"frames"`
	Liveness  string  `json:"liveness"`
	Enforced  *bool   `json:"liveness_enforced"`
}

func publicOf(l journal.Line) public {
	var p public
	if json.Unmarshal(l.Public, &p) != nil {
		return public{}
	}
	return p
}

// grantAfter is how long after its decision a grant may come, ns.
const grantAfter = 3e9

// opens tells whether a record decides to let somebody through: the lane's own
// decision, or an officer's on who was referred.
func opens(l journal.Line) bool {
	o := publicOf(l).Outcome
	return l.Kind == gate.EntryDecision && (o == reason.Admitted.String() || o == reason.Overridden.String())
}

// overrides counts the officers' decisions on each transaction. Each follows an
// outcome of it and ends in one more.
func overrides(lines []journal.Line) map[string]int {
	n := map[string]int{}
	for _, l := range lines {
		if l.Kind == gate.EntryDecision && publicOf(l).Outcome == reason.Overridden.String() {
			n[l.Tx]++
		}
	}
	return n
}

// unrecorded counts the grants on the board that no decision to let somebody
// through in the journal precedes; each decision answers for one.
func unrecorded(grants []board.GrantSeen, own []journal.Line) int {
	var decided []int64
	for _, l := range own {
		if opens(l) {
			decided = append(decided, l.Mono)
		}
	}
	slices.Sort(decided)
	missing := 0
	for _, g := range grants {
		i := slices.IndexFunc(decided, func(at int64) bool { return at <= g.At && g.At-at < grantAfter })
		if i < 0 {
			missing++
			continue
		}
		decided = slices.Delete(decided, i, i+1)
	}
	return missing
}

// unfinished counts the decided transactions that do not have exactly one
// outcome, and one more for each officer's decision.
func unfinished(own []journal.Line) int {
	decided, ended := map[string]bool{}, map[string]int{}
	for _, l := range own {
		switch l.Kind {
		case gate.EntryDecision:
			decided[l.Tx] = true
		case gate.EntryOutcome:
			ended[l.Tx]++
		}
	}
	n, acts := 0, overrides(own)
	for tx := range decided {
		if ended[tx] != 1+acts[tx] {
			n++
		}
	}
	return n
}

// referenceOf is where the reference of a traveller is.
func referenceOf(t report.Traveller) string {
	if t.Case == scenario.PassTemplate {
		return "pass"
	}
	return "cache"
}

// seen finds the record of the outcome that was seen of a traveller; false where
// there is none.
func seen(t report.Traveller, recs []public) (public, bool) {
	var words []string
	for _, v := range t.Reasons {
		words = append(words, v.String())
	}
	slices.Sort(words)
	i := slices.IndexFunc(recs, func(p public) bool {
		return p.Outcome == t.Outcome && slices.Equal(p.Notices, t.Notices) && slices.Equal(slices.Sorted(slices.Values(p.Reasons)), words)
	})
	if t.Tx == "" || i < 0 {
		return public{}, false
	}
	return recs[i], true
}

// contradictions holds each traveller's outcome as it was seen against the
// record of it at headquarters, and takes the score over. There is one record,
// and one more for each time that an officer decided on him.
func contradictions(r *report.Report, there []journal.Line) {
	outcome, acts := map[string][]public{}, overrides(there)
	for _, l := range there {
		if l.Kind == gate.EntryOutcome {
			outcome[l.Tx] = append(outcome[l.Tx], publicOf(l))
		}
	}
	for i := range r.Travellers {
		t := &r.Travellers[i]
		recs := outcome[t.Tx]
		rec, ok := seen(*t, recs)
		if !ok || len(recs) != 1+acts[t.Tx] {
			r.Records.Unmatched++
			t.AsExpected = false
			t.Faults = append(t.Faults, fmt.Sprintf("headquarters has %d records of his outcome, or another outcome", len(recs)))
			continue
		}
		t.Score, t.Liveness, t.Reference = rec.Score, rec.Liveness, rec.Ref
		if want := referenceOf(*t); t.Reference != want && t.Reference != "" || t.Outcome == reason.Admitted.String() && t.Reference == "" {
			r.Records.Unmatched++
			t.AsExpected = false
			t.Faults = append(t.Faults, fmt.Sprintf("he was compared with the reference of %q, expected %q", t.Reference, want))
		}
	}
}
