package main

import (
	"strings"
	"testing"

	"bordergate/cmd/gatesim/clips"
	"bordergate/cmd/gatesim/enrol"
	"bordergate/cmd/gatesim/people"
	"bordergate/cmd/gatesim/scene"
	"bordergate/cmd/gatesim/station"
	"bordergate/gate"
	"bordergate/sync/journal"
)

const fullDecision = `{"outcome":"admitted","score":0.6,"threshold":0.43,"frames":3,"liveness":"live","liveness_enforced":true,` +
	`"steps_us":{"symbol_decoded":1,"seal_verified":2,"account_looked_up":3,"first_usable_face":4,"verdict":9}}`

func TestComplete(t *testing.T) {
	for name, c := range map[string]struct {
		change func(string) string
		want   int
	}{
		"full": {func(s string) string { return s }, 0},
		"observed liveness": {func(s string) string {
			return strings.Replace(strings.Replace(s, `"live"`, `"attack"`, 1), "true", "false", 1)
		}, 0},
		"enforced, and an attack":   {func(s string) string { return strings.Replace(s, `"live"`, `"attack"`, 1) }, 1},
		"no liveness":               {func(s string) string { return strings.Replace(s, `"liveness":"live",`, "", 1) }, 1},
		"no seal":                   {func(s string) string { return strings.Replace(s, `"seal_verified":2,`, "", 1) }, 1},
		"account after the verdict": {func(s string) string { return strings.Replace(s, `up":3`, `up":30`, 1) }, 1},
		"score below":               {func(s string) string { return strings.Replace(s, "0.6", "0.4", 1) }, 1},
		"no frames":                 {func(s string) string { return strings.Replace(s, `"frames":3,`, "", 1) }, 1},
	} {
		text := c.change(fullDecision)
		own := []journal.Line{record(1, gate.EntryDecision, "t", text), record(2, gate.EntryOutcome, "t", text)}
		if admitted, incomplete := complete(own); admitted != 1 || incomplete != c.want {
			t.Errorf("%s: %d admitted, %d incomplete, want %d", name, admitted, incomplete, c.want)
		}
	}
	if _, incomplete := complete([]journal.Line{record(1, gate.EntryOutcome, "t", fullDecision)}); incomplete != 1 {
		t.Error("an admission without a decision counts as complete")
	}
}

func TestStrikeReport(t *testing.T) {
	good := func() *strikeReport {
		r := &strikeReport{Wanted: 3, LimitMS: 2000, Strikes: []strike{
			{How: strikeKill, BackMS: 300, Outcome: "admitted"}, {How: strikeKill, BackMS: 500, Outcome: "referred"}, {How: strikeHang, BackMS: 1400, Outcome: "admitted"},
		}}
		r.Records.Journal = 6
		return r
	}
	r := good()
	if r.finish(); !r.OK || r.Back[strikeKill].Max != 500 || r.Back[strikeHang].Median != 1400 || r.Outcomes["admitted"] != 2 {
		t.Errorf("%+v", r)
	}
	for name, spoil := range map[string]func(*strikeReport){
		"late":       func(r *strikeReport) { r.Strikes[1].BackMS = 2001 },
		"too few":    func(r *strikeReport) { r.Strikes = r.Strikes[:2] },
		"incomplete": func(r *strikeReport) { r.Incomplete = 1 },
		"open":       func(r *strikeReport) { r.Open = 1 },
		"lost":       func(r *strikeReport) { r.Records.Missing = 1 },
		"fault":      func(r *strikeReport) { r.Faults = []string{"x"} },
		"empty":      func(r *strikeReport) { r.Records.Journal = 0 },
	} {
		r := good()
		spoil(r)
		if r.finish(); r.OK {
			t.Errorf("%s: the report is good", name)
		}
	}
}

func TestSharedFilmsAreOfTheSameFace(t *testing.T) {
	var roles []role
	for i, id := range []string{"a", "b", "a", "a", "b"} {
		r := role{face: enrol.Enrolled{Person: people.Person{ID: id}}}
		r.jobs[0].Face = &clips.FaceJob{Options: scene.FaceOptions{Seed: uint64(i)}}
		r.jobs[1].Pass = &clips.PassJob{Options: scene.PassOptions{Seed: uint64(i)}}
		roles = append(roles, r)
	}
	shareFilms(roles)
	for i, want := range []uint64{0, 1, 0, 0, 1} {
		if face, pass := roles[i].jobs[0].Face.Options.Seed, roles[i].jobs[1].Pass.Options.Seed; face != want || pass != uint64(i) {
			t.Errorf("traveller %d: face %d, want %d; pass %d", i, face, want, pass)
		}
	}
}

func TestServing(t *testing.T) {
	var before station.Status
	before.Devices = []station.Device{{Name: "turnstile", OK: true}, {Name: "face_camera", OK: true, Starts: 1}}
	before.Lane.State = "reading"
	if !before.Serving() || before.Restarted(before) != "" {
		t.Error("a lane at work is not")
	}
	after := before
	after.Devices = []station.Device{{Name: "turnstile", OK: true}, {Name: "face_camera", Starts: 2}}
	if after.Serving() || after.Restarted(before) != "face_camera" {
		t.Error("a lane with a camera that does not deliver serves")
	}
	after.Devices[1].OK = true
	if after.Lane.State = "out_of_service"; after.Serving() {
		t.Error("a lane out of service serves")
	}
}
