package scenario

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bordergate/gate/reason"
)

const base = `
version: 1
seed: 5
fumbles: 2
expect:
  genuine: {outcome: admitted, reasons: []}
  impostor: {outcome: refused, reasons: [face_mismatch]}
  suspended_midway: {outcome: refused, reasons: [account_suspended]}
steps:
  - {case: genuine, count: 3}
  - {case: impostor, count: 1}
  - {case: suspended_midway, count: 1, moment: after_grant}
fill: genuine
`

func TestBuiltinScenarios(t *testing.T) {
	s, err := Load("default")
	if err != nil {
		t.Fatal(err)
	}
	if s.Timing != DefaultTiming() {
		t.Error("the default scenario has not the default traveller")
	}
	plan := s.Plan(0, s.Seed)
	if len(plan) < 24 {
		t.Errorf("%d travellers", len(plan))
	}
	seen := map[string]bool{}
	for _, p := range plan {
		seen[p.Case] = true
	}
	passes, err := Load("passes")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range passes.Plan(0, passes.Seed) {
		seen[p.Case] = true
	}
	for _, c := range Cases() {
		if !seen[c] {
			t.Errorf("nobody plays %s", c)
		}
	}
	if g, err := Load("genuine"); err != nil || len(g.Plan(300, 1)) != 300 {
		t.Errorf("genuine: %v", err)
	}
	// A face's own time can only be told where the pass was read before.
	if f, err := Load("faces"); err != nil || f.Timing.PassInView+800*time.Millisecond > f.Timing.FaceUsable {
		t.Errorf("faces: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, old, new, say string }{
		{"unknown key", "seed: 5", "sead: 5", "sead"},
		{"unknown case", "{case: impostor, count: 1}", "{case: ghost, count: 1}", "ghost"},
		{"no expectation", "{case: impostor, count: 1}", "{case: restored, count: 1}", "no expectation"},
		{"no count", "{case: genuine, count: 3}", "{case: genuine}", "count"},
		{"unknown outcome", "outcome: refused, reasons: [face", "outcome: denied, reasons: [face", "denied"},
		{"unknown reason", "face_mismatch", "face_wrong", "face_wrong"},
		{"moment missing", ", moment: after_grant", "", "moment"},
		{"moment of another", "{case: impostor, count: 1}", "{case: impostor, count: 1, moment: after_grant}", "moment"},
		{"reader", "{case: genuine, count: 3}", "{case: genuine, count: 3, reader: keyboard}", "keyboard"},
		{"version", "version: 1", "version: 9", "version"},
		{"times", "fumbles: 2", "timing: {face_usable: 100ms}", "times"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(base, c.old, c.new, 1)
			if text == base {
				t.Fatal("the mutation changes nothing")
			}
			_, err := Parse([]byte(text))
			if !errors.Is(err, ErrScenario) || !strings.Contains(err.Error(), c.say) {
				t.Errorf("error %v does not name %q", err, c.say)
			}
		})
	}
}

func TestPlanIsRepeatableAndFits(t *testing.T) {
	s, err := Parse([]byte(base))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(s.Plan(40, 9), s.Plan(40, 9)) {
		t.Error("the same seed gives another plan")
	}
	for _, n := range []int{1, 3, 5, 40} {
		if got := s.Plan(n, 1); len(got) != n || got[n-1].N != n {
			t.Errorf("%d travellers planned, want %d", len(got), n)
		}
	}
	var cases []string
	for _, p := range s.Plan(3, 1) {
		cases = append(cases, p.Case)
	}
	if want := []string{Genuine, Impostor, SuspendedMidway}; !slices.Equal(cases, want) {
		t.Errorf("three of five are %v", cases)
	}
	// Each keeps the part he has in the whole.
	whole := s.Plan(0, 1)
	for _, p := range s.Plan(3, 1) {
		if w := whole[p.Seat]; w.Case != p.Case || w.Seed != p.Seed {
			t.Errorf("traveller %d of three is played as %+v, in the whole as %+v", p.N, p, w)
		}
	}
	fumbles := 0
	for _, p := range s.Plan(200, 1) {
		if p.Fumbles() {
			fumbles++
			if p.Expect.Outcome != reason.Admitted {
				t.Errorf("traveller %d fumbles and is %s", p.N, p.Case)
			}
		}
	}
	if fumbles < 90 || fumbles > 100 {
		t.Errorf("%d of 200 fumble, one in two was wanted", fumbles)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(base))
	f.Add([]byte("steps: [{case: 1}]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			return
		}
		if n := len(s.Plan(7, 1)); n > 7 {
			t.Errorf("%d travellers planned, 7 wanted", n)
		}
	})
}
