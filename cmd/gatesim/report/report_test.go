package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bordergate/cmd/gatesim/scenario"
	"bordergate/gate/reason"
)

func admitted(n int) Traveller {
	return Traveller{
		N: n, Case: scenario.Genuine, Expected: scenario.Expect{Outcome: reason.Admitted}, Outcome: "admitted",
		Unlocks: 1, MachineMS: float64(n), TotalMS: 4000,
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Traveller)
		ok   bool
	}{
		{"as expected", func(*Traveller) {}, true},
		{"other outcome", func(v *Traveller) { v.Outcome = "referred" }, false},
		{"a reason too many", func(v *Traveller) { v.Reasons = []reason.Reason{reason.FaceQuality} }, false},
		{"no pulse seen", func(v *Traveller) { v.Unlocks = 0 }, false},
		{"two pulses seen", func(v *Traveller) { v.Unlocks = 2 }, false},
		{"a fault of the run", func(v *Traveller) { v.Faults = []string{"x"} }, false},
		{"refused, and the gate opened", func(v *Traveller) {
			v.Case, v.Expected.Outcome, v.Outcome = scenario.Impostor, reason.Refused, "refused"
		}, false},
		{"granted and not used", func(v *Traveller) {
			v.Case, v.Outcome = scenario.NoShow, "abandoned"
			v.Expected = scenario.Expect{Outcome: reason.Abandoned, Reasons: []reason.Reason{reason.PassageUnused}}
			v.Reasons = v.Expected.Reasons
		}, true},
		{"revoked after the grant", func(v *Traveller) {
			v.Case, v.Moment, v.Outcome = scenario.SuspendedMidway, scenario.AfterGrant, "refused"
			v.Expected.Outcome = reason.Refused
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := admitted(1)
			c.edit(&v)
			Judge(&v)
			if v.AsExpected != c.ok || c.ok != (len(v.Faults) == 0) {
				t.Errorf("as expected: %v, faults %q", v.AsExpected, v.Faults)
			}
		})
	}
}

func TestSpread(t *testing.T) {
	var v []float64
	for i := range 300 {
		v = append(v, float64(300-i))
	}
	if got, want := SpreadOf(v), (Spread{300, 150, 285, 297, 300}); got != want {
		t.Errorf("spread %+v, want %+v", got, want)
	}
	if got := SpreadOf([]float64{7}); got != (Spread{1, 7, 7, 7, 7}) {
		t.Errorf("spread of one value %+v", got)
	}
	if SpreadOf(nil) != (Spread{}) {
		t.Error("a spread of nothing")
	}
}

func report(n int) *Report {
	r := &Report{Scenario: "default", Seed: 4, Records: Records{Journal: 3, HQ: 3}}
	for i := range n {
		v := admitted(i + 1)
		Judge(&v)
		r.Travellers = append(r.Travellers, v)
	}
	return r
}

func TestFinish(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*Report)
		ok   bool
	}{
		{"good", func(*Report) {}, true},
		{"a traveller not as expected", func(r *Report) { r.Travellers[0].AsExpected = false }, false},
		{"a record missing", func(r *Report) { r.Records.Missing = 1 }, false},
		{"a record doubled", func(r *Report) { r.Records.Doubled = 1 }, false},
		{"no record at all", func(r *Report) { r.Records = Records{} }, false},
		{"a fault", func(r *Report) { r.Faults = []string{"gated died"} }, false},
		{"nobody", func(r *Report) { r.Travellers = nil }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := report(2)
			c.edit(r)
			if r.Finish(); r.OK != c.ok {
				t.Errorf("ok is %v", r.OK)
			}
		})
	}
}

// TestReferredForLiveness: an attack that is referred is none of them.
func TestReferredForLiveness(t *testing.T) {
	r := report(3)
	for i, why := range []reason.Reason{reason.LivenessAttack, reason.LivenessUndecided} {
		r.Travellers[i].Outcome, r.Travellers[i].Reasons = reason.Referred.String(), []reason.Reason{why}
	}
	attack := r.Travellers[0]
	attack.Expected.Outcome = reason.Referred
	r.Travellers = append(r.Travellers, attack)
	r.Finish()
	var b bytes.Buffer
	Table(&b, r)
	if r.Summary.NotLive != 2 || !strings.Contains(b.String(), "2 of 3") {
		t.Errorf("%d referred for liveness, want 2: %s", r.Summary.NotLive, b.String())
	}
}

func TestReportKeepsTheContract(t *testing.T) {
	r := report(1)
	r.Finish()
	path := filepath.Join(t.TempDir(), "a", "report.json")
	if err := r.Write(path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Simulated  *bool
		Travellers []map[string]json.RawMessage
		Summary    map[string]json.RawMessage
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.Simulated == nil || !*got.Simulated {
		t.Error("not marked as simulated")
	}
	for _, k := range []string{"n", "case", "expected", "outcome", "reasons", "as_expected", "steps_ms", "machine_ms", "total_ms"} {
		if _, ok := got.Travellers[0][k]; !ok {
			t.Errorf("a traveller has no %s", k)
		}
	}
	for _, k := range []string{"travellers", "as_expected", "admitted", "referred", "refused", "machine_ms", "total_ms"} {
		if _, ok := got.Summary[k]; !ok {
			t.Errorf("the summary has no %s", k)
		}
	}
	if string(got.Travellers[0]["reasons"]) != "[]" {
		t.Errorf("no reasons are written as %s", got.Travellers[0]["reasons"])
	}
}

func TestTextIsPlain(t *testing.T) {
	for _, n := range []int{2, Few} {
		r := report(n)
		r.Finish()
		var b bytes.Buffer
		Head(&b)
		Line(&b, r.Travellers[0])
		Table(&b, r)
		if i := slices.IndexFunc(b.Bytes(), func(c byte) bool { return c < ' ' && c != '\n' || c > '~' }); i >= 0 {
			t.Errorf("control character %q", b.Bytes()[i])
		}
		if few := strings.Contains(b.String(), "percentiles are shown from"); few != (n < Few) {
			t.Errorf("%d travellers: few %v", n, few)
		}
	}
}
