package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bordergate/barcode/pass"
	"bordergate/barcode/seal"
	"bordergate/cmd/gatesim/board"
	"bordergate/cmd/gatesim/camera"
	"bordergate/cmd/gatesim/enrol"
	"bordergate/cmd/gatesim/issue"
	"bordergate/cmd/gatesim/people"
	"bordergate/cmd/gatesim/play"
	"bordergate/cmd/gatesim/report"
	"bordergate/cmd/gatesim/scenario"
	"bordergate/cmd/gatesim/scene"
	"bordergate/cmd/gatesim/station"
	"bordergate/gate/reason"
	"bordergate/sync/journal"
)

func record(seq uint64, kind, tx, public string) journal.Line {
	return journal.Line{Stream: "crossing", Epoch: 1, Seq: seq, Kind: kind, Tx: tx, Mono: int64(seq) * 1e9, Public: json.RawMessage(public)}
}

func TestCompare(t *testing.T) {
	a, b, c := record(1, "decision", "x", "{}"), record(2, "outcome", "x", "{}"), record(3, "outcome", "y", "{}")
	changed := b
	changed.Hash[0] = 1
	for _, v := range []struct {
		name       string
		own, there []journal.Line
		want       report.Records
	}{
		{"the same", []journal.Line{a, b}, []journal.Line{b, a}, report.Records{Journal: 2, HQ: 2}},
		{"one missing", []journal.Line{a, b}, []journal.Line{a}, report.Records{Journal: 2, HQ: 1, Missing: 1}},
		{"one twice", []journal.Line{a}, []journal.Line{a, a}, report.Records{Journal: 1, HQ: 2, Doubled: 1}},
		{"one more", []journal.Line{a}, []journal.Line{a, c}, report.Records{Journal: 1, HQ: 2, Unknown: 1}},
		{"one changed", []journal.Line{b}, []journal.Line{changed}, report.Records{Journal: 1, HQ: 1, Missing: 1, Unknown: 1}},
	} {
		if got := compare(v.own, v.there); got != v.want {
			t.Errorf("%s: %+v, want %+v", v.name, got, v.want)
		}
	}
}

func TestUnrecordedGrants(t *testing.T) {
	own := []journal.Line{
		record(1, "decision", "x", `{"outcome":"admitted"}`), record(2, "outcome", "x", `{"outcome":"admitted"}`),
		record(5, "decision", "y", `{"outcome":"refused"}`), record(6, "outcome", "y", `{"outcome":"refused"}`),
		record(20, "decision", "y", `{"outcome":"overridden"}`),
	}
	at := func(s ...float64) (out []board.GrantSeen) {
		for _, v := range s {
			out = append(out, board.GrantSeen{At: int64(v * 1e9)})
		}
		return out
	}
	for _, v := range []struct {
		name   string
		grants []board.GrantSeen
		want   int
	}{
		{"after its record", at(1.1), 0},
		{"before its record", at(0.9), 1},
		{"two for one record", at(1.1, 1.2), 1},
		{"long after", at(4.5), 1},
		{"after a refusal", at(5.1), 1},
		{"after an officer's decision", at(20.1), 0},
		{"two for an officer's decision", at(20.1, 20.2), 1},
		{"before an officer's decision", at(19.9), 1},
		{"none", nil, 0},
	} {
		if got := unrecorded(v.grants, own); got != v.want {
			t.Errorf("%s: %d, want %d", v.name, got, v.want)
		}
	}
}

func TestUnfinished(t *testing.T) {
	d, o := record(1, "decision", "x", "{}"), record(2, "outcome", "x", "{}")
	for _, v := range []struct {
		own  []journal.Line
		want int
	}{
		{[]journal.Line{d, o}, 0},
		{[]journal.Line{o}, 0}, // left before anything was decided
		{[]journal.Line{d}, 1},
		{[]journal.Line{d, o, o}, 1},
		{[]journal.Line{d, o, record(3, "decision", "x", `{"outcome":"overridden"}`)}, 1},
		{[]journal.Line{d, o, record(3, "decision", "x", `{"outcome":"overridden"}`), o}, 0},
	} {
		if got := unfinished(v.own); got != v.want {
			t.Errorf("%d records: %d unfinished, want %d", len(v.own), got, v.want)
		}
	}
}

func TestContradictions(t *testing.T) {
	there := []journal.Line{record(1, "outcome", "x", `{"outcome":"refused","reasons":["face_mismatch"],"score":0.1,"reference":"cache"}`)}
	for _, v := range []struct {
		name string
		edit func(*report.Traveller)
		want int
	}{
		{"the same", func(*report.Traveller) {}, 0},
		{"another outcome", func(t *report.Traveller) { t.Outcome = "referred" }, 1},
		{"another reason", func(t *report.Traveller) { t.Reasons = []reason.Reason{reason.PassExpired} }, 1},
		{"another notice", func(t *report.Traveller) { t.Notices = []string{"stamp_soon"} }, 1},
		{"no record", func(t *report.Traveller) { t.Tx = "z" }, 1},
		{"no transaction seen", func(t *report.Traveller) { t.Tx = "" }, 1},
		{"another reference", func(t *report.Traveller) { t.Case = scenario.PassTemplate }, 1},
	} {
		tr := report.Traveller{Tx: "x", Outcome: "refused", Reasons: []reason.Reason{reason.FaceMismatch}, AsExpected: true}
		v.edit(&tr)
		r := &report.Report{Travellers: []report.Traveller{tr}}
		contradictions(r, there)
		if got := r.Travellers[0]; r.Records.Unmatched != v.want || got.AsExpected != (v.want == 0) {
			t.Errorf("%s: %d unmatched, as expected %v", v.name, r.Records.Unmatched, got.AsExpected)
		}
	}
}

// TestAnOfficersActIsNoContradiction: who was referred and then let through has
// two outcomes, and one more only where an officer decided.
func TestAnOfficersActIsNoContradiction(t *testing.T) {
	referred := record(2, "outcome", "x", `{"outcome":"referred","reasons":["face_mismatch"],"score":0.1,"reference":"cache"}`)
	act := record(3, "decision", "x", `{"outcome":"overridden","reasons":["face_mismatch","officer_decision"]}`)
	through := record(4, "outcome", "x", `{"outcome":"overridden","reasons":["face_mismatch","officer_decision"]}`)
	for _, v := range []struct {
		name  string
		there []journal.Line
		seen  string
		want  int
	}{
		{"overridden", []journal.Line{referred, act, through}, "referred", 0},
		{"no outcome of the act", []journal.Line{referred, act}, "referred", 1},
		{"no act", []journal.Line{referred, through}, "referred", 1},
		{"the outcome twice", []journal.Line{referred, act, through, through}, "referred", 1},
		{"another outcome was seen", []journal.Line{referred, act, through}, "refused", 1},
	} {
		r := &report.Report{Travellers: []report.Traveller{{Tx: "x", Outcome: v.seen, Reasons: []reason.Reason{reason.FaceMismatch}, AsExpected: true}}}
		if contradictions(r, v.there); r.Records.Unmatched != v.want {
			t.Errorf("%s: %d unmatched, want %d", v.name, r.Records.Unmatched, v.want)
		}
	}
}

func TestMeasure(t *testing.T) {
	const ms = int64(time.Millisecond)
	good := play.Result{
		Unlocks: []int64{1500 * ms}, Passed: 4500 * ms, Cleared: 4540 * ms, Ready: 4560 * ms,
		Face: camera.Seen{InView: 600 * ms, Usable: 1200 * ms}, Pass: camera.Seen{InView: 1000 * ms, Usable: 1040 * ms},
	}
	var tr report.Traveller
	measure(&tr, good)
	if tr.GrantMS != 300 || tr.ReadyMS != 20 || tr.MachineMS != 320 || tr.TotalMS != 3500 || len(tr.Faults) > 0 {
		t.Errorf("measured %+v", tr)
	}
	early := good
	early.Unlocks = []int64{1100 * ms}
	tr = report.Traveller{}
	if measure(&tr, early); len(tr.Faults) != 1 || tr.MachineMS != 0 {
		t.Errorf("a grant before the face was usable: %+v", tr)
	}
	refused := good
	refused.Unlocks, refused.Passed = nil, 0
	tr = report.Traveller{}
	if measure(&tr, refused); tr.MachineMS != 0 || len(tr.Faults) > 0 {
		t.Errorf("a refused traveller: %+v", tr)
	}
}

func TestCrashReport(t *testing.T) {
	good := func() *crashReport {
		return &crashReport{Times: 1, Kills: []kill{{Next: "admitted"}}, Records: report.Records{Journal: 2, HQ: 2}}
	}
	for _, v := range []struct {
		name string
		edit func(*crashReport)
		ok   bool
	}{
		{"good", func(*crashReport) {}, true},
		{"a release after the kill", func(r *crashReport) { r.Kills[0].Pending = 1 }, false},
		{"the next was not served", func(r *crashReport) { r.Kills[0].Next = "referred" }, false},
		{"a record lost", func(r *crashReport) { r.Records.Missing = 1 }, false},
		{"a grant without a record", func(r *crashReport) { r.Records.NotDurable = 1 }, false},
		{"too few kills", func(r *crashReport) { r.Times = 2 }, false},
		{"a fault", func(r *crashReport) { r.Faults = []string{"x"} }, false},
		{"a transaction without an end", func(r *crashReport) { r.Open = 1 }, false},
	} {
		r := good()
		v.edit(r)
		if r.finish(); r.OK != v.ok {
			t.Errorf("%s: ok is %v", v.name, r.OK)
		}
	}
}

func persons(n int) (out []enrol.Enrolled) {
	for i := range n {
		out = append(out, enrol.Enrolled{Person: people.Person{ID: string(rune('a' + i)), Source: people.Demonstration}, Model: "m@1", Reference: bytes.Repeat([]byte{1}, pass.TemplateSize)})
	}
	return out
}

func TestCast(t *testing.T) {
	sc, err := scenario.Load("default")
	if err != nil {
		t.Fatal(err)
	}
	office, err := issue.Open(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	scripted := len(sc.Plan(0, 1))
	second := persons(2)
	second[0].Source, second[1].Source = people.LFW, people.LFW
	roles, err := cast(sc.Plan(scripted+5, 1), scripted, persons(5), second, office, sc, 1)
	if err != nil {
		t.Fatal(err)
	}
	accounts := map[string]bool{}
	for i, r := range roles {
		if accounts[r.account] {
			t.Errorf("two travellers have account %s", r.account)
		}
		accounts[r.account] = true
		if impostor := r.holder.ID != r.face.ID; impostor != (r.Case == scenario.Impostor) {
			t.Errorf("traveller %d is %s: holder %s, face %s", r.N, r.Case, r.holder.ID, r.face.ID)
		}
		if shown := r.other.ID != "" && r.other.ID != r.face.ID; shown != slices.Contains([]string{scenario.PhotoPrint, scenario.PhotoScreen, scenario.TwoFaces}, r.Case) {
			t.Errorf("traveller %d is %s: beside %s stands %q", r.N, r.Case, r.face.ID, r.other.ID)
		}
		if medium := r.jobs[0].Face.Device.Medium; medium != map[string]scene.Medium{scenario.PhotoPrint: scene.Print, scenario.PhotoScreen: scene.Screen}[r.Case] {
			t.Errorf("traveller %d is %s and holds a %s", r.N, r.Case, medium)
		}
		if filled := r.face.Source == people.LFW; filled != (i >= scripted) {
			t.Errorf("traveller %d comes from %s", r.N, r.face.Source)
		}
		if len(r.jobs[1].Pass.Payload) == 0 || r.jobs[0].Face.Options.Look == 0 {
			t.Errorf("traveller %d has no clips", r.N)
		}
	}
	if again, err := cast(sc.Plan(scripted+5, 1), scripted, persons(5), second, office, sc, 1); err != nil || string(again[0].jobs[1].Pass.Payload) != string(roles[0].jobs[1].Pass.Payload) {
		t.Errorf("the same seed gives another pass (%v)", err)
	}
}

// TestPicturesAreHeldUpright: a leaning head would be refused for its pose.
func TestPicturesAreHeldUpright(t *testing.T) {
	list := persons(3)
	for i := range list {
		list[i].Film.Face.Eyes = [2][2]float64{{100, 100}, {160, 130}}
	}
	list[1].Film.Face.Eyes[1] = [2]float64{160, 104}
	order := []int{0, 2, 1}
	for i := range 5 {
		if got := upright(list, order, i); got.ID != list[1].ID {
			t.Errorf("place %d: %s shows a leaning head", i, got.ID)
		}
	}
	list[1].Film.Face.Eyes = list[0].Film.Face.Eyes
	if got := upright(list, order, 4); got.ID != list[2].ID {
		t.Errorf("nobody is upright: %s, want the one whose turn it is", got.ID)
	}
}

func TestCastOfPasses(t *testing.T) {
	sc, err := scenario.Load("passes")
	if err != nil {
		t.Fatal(err)
	}
	office, err := issue.Open(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	plan := sc.Plan(0, 1)
	roles, err := cast(plan, len(plan), persons(5), nil, office, sc, 1)
	if err != nil {
		t.Fatal(err)
	}
	now, owner := time.Now(), role{}
	for _, r := range roles {
		same := r.number == owner.number && r.account == owner.account && r.face.ID == owner.face.ID && r.organisation == owner.organisation
		if same != (r.Case == scenario.Passback) {
			t.Errorf("traveller %d is %s and comes with pass %s, the last admitted had %s", r.N, r.Case, r.number, owner.number)
		}
		days := int(now.Sub(r.stamp(now).At).Hours() / 24)
		if due, soon := days > 10, days > 8 && days <= 10; due != (r.Case == scenario.StampDue) || soon != (r.Case == scenario.StampSoon) {
			t.Errorf("traveller %d is %s, stamped %d days ago", r.N, r.Case, days)
		}
		if alone := len(r.entry().Reference) == 0; alone != (r.Case == scenario.PassTemplate) {
			t.Errorf("traveller %d is %s, his reference in the pass alone: %v", r.N, r.Case, alone)
		}
		if (r.text != nil) != (r.Reader != "") {
			t.Errorf("traveller %d at %q has a text of %d bytes", r.N, r.Reader, len(r.text))
		}
		forms := [][]byte{r.jobs[1].Pass.Payload}
		if r.text != nil {
			forms = append(forms, r.text)
		}
		for _, form := range forms {
			s, err := seal.Parse(form)
			if err != nil {
				t.Fatal(err)
			}
			p, err := pass.FromSeal(s)
			if err != nil || p.Number != r.number || (len(p.SealedTemplate) > 0) != (r.Case == scenario.PassTemplate) {
				t.Errorf("traveller %d is %s with pass %s and %d bytes of template (%v)", r.N, r.Case, p.Number, len(p.SealedTemplate), err)
			}
		}
		if r.Expect.Outcome == reason.Admitted {
			owner = r
		}
	}
	if _, err := cast(plan[1:], 0, persons(5), nil, office, sc, 1); err == nil {
		t.Error("a pass comes back that nobody had")
	}
}

func TestOptions(t *testing.T) {
	o, err := parseRun([]string{"--travellers", "7", "--bin", "b", "--external-broker", "tcp://localhost:1"}, io.Discard)
	if err != nil || o.broker != "tcp://localhost:1" || o.travellers != 7 || o.bin != "b" || o.scenario != "default" || o.photos != filepath.Join("models", "demo-faces") {
		t.Errorf("options %+v (%v)", o, err)
	}
	for _, args := range [][]string{{"--travellers", "-1"}, {"more"}, {"--hold", "-1s"}, {"--hold", "25h"}, {"--external-broker", "tcp://x:1"}, {"--console", "0.0.0.0:8444"}, {"--console", "8444"}, {"--external-broker", "ssl://127.0.0.1:1"}, {"--external-broker", "tcp://localhost"}, {"--nonsense"}} {
		if _, err := parseRun(args, io.Discard); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}

func TestFreshRemovesOnlyOutputFolders(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "mine")
	if err := os.MkdirAll(own, 0o700); err != nil {
		t.Fatal(err)
	}
	o := options{out: own}
	if err := o.fresh(); err == nil || !strings.Contains(err.Error(), "by hand") {
		t.Errorf("a folder that is no output folder: %v", err)
	}
	o = options{out: filepath.Join(dir, "out", "demo"), keep: true}
	for range 2 {
		if err := o.fresh(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(o.out, "x"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(o.out + ".old/x"); err != nil {
		t.Errorf("the earlier folder was not kept: %v", err)
	}
	o.keep = false
	if err := o.fresh(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(o.out, "x")); err == nil {
		t.Error("the folder was not made anew")
	}
}

func TestLineTakesUnknownReasonsAsAFault(t *testing.T) {
	x := &production{}
	v := role{Traveller: scenario.Traveller{N: 1, Case: scenario.Impostor, Expect: scenario.Expect{Outcome: reason.Refused}}}
	got := x.line(v, play.Result{Event: station.Event{Outcome: "refused", Reasons: []string{"made_up"}, Tx: "x"}})
	if got.AsExpected || len(got.Faults) == 0 {
		t.Errorf("line %+v", got)
	}
}

func TestFaceTimes(t *testing.T) {
	// Decided at 3 s on the clock, 2.5 s into the transaction, which began at 0.5 s.
	const live = `{"liveness":"live","steps_us":{"account_looked_up":400000,"match_decided":2499000,"liveness_decided":2500000,"verdict":2500000}}`
	for _, v := range []struct {
		name   string
		own    []journal.Line
		usable int64
		want   float64
	}{
		{"the pass first", []journal.Line{record(3, "decision", "x", live), record(4, "outcome", "x", live)}, 2.75e9, 250},
		{"the face before the pass was read", []journal.Line{record(3, "decision", "x", live)}, 0.8e9, 0},
		{"nobody seen", []journal.Line{record(3, "decision", "x", live)}, 0, 0},
		{"liveness open", []journal.Line{record(3, "decision", "x", strings.Replace(live, `"live"`, `"undecided"`, 1))}, 2.75e9, 0},
		{"no decision", []journal.Line{record(3, "outcome", "x", live)}, 2.75e9, 0},
	} {
		r := &report.Report{Travellers: []report.Traveller{{Tx: "x", FaceUsable: v.usable}}}
		faceTimes(r, v.own)
		if got := r.Travellers[0].FaceMS; got != v.want {
			t.Errorf("%s: %v ms, want %v", v.name, got, v.want)
		}
	}
}

func TestFleetOptions(t *testing.T) {
	o, err := parseFleet([]string{"--gates", "50", "--suspensions", "3", "--out", "out/x"}, io.Discard)
	if err != nil || o.fleet.Gates != 50 || o.fleet.Ramp != time.Second || o.report != filepath.Join("out/x", "report.json") {
		t.Fatalf("%+v, %v", o, err)
	}
	for _, args := range [][]string{
		{"--gates", "0"},
		{"--gates", "10001"},
		{"--suspensions", "-1"},
		{"--pace", "-1s"},
		{"--for", "-1s"},
		{"--mosquitto", "--config", "hq.yaml"},
		{"extra"},
	} {
		if _, err := parseFleet(args, io.Discard); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}
