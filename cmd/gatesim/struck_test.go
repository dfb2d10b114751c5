package main

import (
	"testing"

	"bordergate/cmd/gatesim/board"
	"bordergate/cmd/gatesim/report"
	"bordergate/cmd/gatesim/scenario"
	"bordergate/gate/reason"
	"bordergate/sync/journal"
)

func TestAlarmsAreThoseOfTheTraveller(t *testing.T) {
	there := []journal.Line{
		record(1, "alarm", "", `{"reasons":["forced"]}`), // before anybody came
		record(3, "alarm", "", `{"reasons":["tailgating"]}`), record(4, "alarm", "", `{"reasons":["tailgating"]}`), record(4, "outcome", "x", `{"reasons":["forced"]}`),
		record(6, "alarm", "y", `{"reasons":["wrong_way"]}`),
	}
	expect := func(list ...reason.Reason) scenario.Expect { return scenario.Expect{Alarms: list} }
	for name, c := range map[string]struct {
		first, second scenario.Expect
		bad           int
	}{
		"as expected":      {expect(reason.Tailgating), expect(reason.WrongWay), 0},
		"one not expected": {expect(), expect(reason.WrongWay), 1},
		"one is missing":   {expect(reason.Tailgating, reason.Forced), expect(reason.WrongWay), 1},
		"of another":       {expect(reason.WrongWay), expect(reason.Tailgating), 2},
	} {
		r := &report.Report{Travellers: []report.Traveller{
			{Arrived: 2e9, Expected: c.first, AsExpected: true}, {Arrived: 5e9, Expected: c.second, AsExpected: true},
		}}
		alarms(r, there)
		bad := 0
		for _, v := range r.Travellers {
			if !v.AsExpected {
				bad++
			}
			if v.AsExpected != (len(v.Faults) == 0) {
				t.Errorf("%s: %+v", name, v)
			}
		}
		if bad != c.bad {
			t.Errorf("%s: %d not as expected, want %d", name, bad, c.bad)
		}
	}
}

func TestReleasesToTheWrongSide(t *testing.T) {
	grants := []board.GrantSeen{{Channel: 1}, {Channel: 0}, {Channel: 1}}
	if e, x := wrongSide(grants, scenario.Entry), wrongSide(grants, scenario.Exit); len(e) != 2 || len(x) != 1 {
		t.Errorf("entry %q, exit %q", e, x)
	}
}
