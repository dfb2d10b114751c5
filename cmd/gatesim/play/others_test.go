package play

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/cmd/gatesim/scenario"
	"bordergate/cmd/gatesim/station"
)

// does holds what a traveller and others did against a list, times in ms after
// his arrival.
func (r *rig) does(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(r.log, want) {
		t.Errorf("did\n%s\nwant\n%s", strings.Join(r.log, "\n"), strings.Join(want, "\n"))
	}
}

func TestTailgaterFollowsOnOneGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.after(1000*time.Millisecond, func() { r.unlocks <- now() })
		r.after(4020*time.Millisecond, func() { r.says(station.Event{Kind: "transaction", Tx: "a", Outcome: "admitted"}) })
		r.after(4780*time.Millisecond, func() { r.says(station.Event{Kind: "lane", State: "ready"}) })
		res, err := r.stage().Walk(t.Context(), actor(scenario.Tailgater))
		if err != nil || len(res.Faults) > 0 {
			t.Fatalf("faults %q (%v)", res.Faults, err)
		}
		r.does(t, "   0 in8 true", "1100 in3 false", "2200 in4 true", "2200 in8 false", "4000 pulse1 150", "4700 pulse1 150", "4740 in4 false", "5340 in3 true")
	})
}

// Somebody comes from the other side; he himself is turned away and leaves.
func TestWrongWayGoesOnWhateverHeDoes(t *testing.T) {
	for entry, contact := range map[bool]string{false: "pulse0 150", true: "pulse1 150"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig()
			r.after(1000*time.Millisecond, func() { r.unlocks <- now() })
			r.after(2410*time.Millisecond, func() { r.says(station.Event{Kind: "transaction", Tx: "a", Outcome: "abandoned"}) })
			r.after(2450*time.Millisecond, func() { r.says(station.Event{Kind: "lane", State: "ready"}) })
			s := r.stage()
			s.Entry = entry
			res, err := s.Walk(t.Context(), actor(scenario.WrongWay))
			if err != nil || len(res.Faults) > 0 || res.Passed != 0 {
				t.Fatalf("result %+v (%v)", res, err)
			}
			r.does(t, "   0 in8 true", "1100 in3 false", "1800 in4 true", "2400 "+contact, "2440 in4 false", "2710 in8 false", "2710 in3 true")
		})
	}
}

func TestEmergencyStrikesAndIsSignedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		a := actor(scenario.Emergency)
		a.Moment, a.DecideAfter = scenario.BeforeGrant, 500*time.Millisecond
		a.Decide = func(context.Context) error {
			r.note("reset")
			r.says(station.Event{Kind: "lane", State: "ready"})
			return nil
		}
		r.after(520*time.Millisecond, func() { r.says(station.Event{Kind: "transaction", Tx: "a", Outcome: "failed"}) })
		res, err := r.stage().Walk(t.Context(), a)
		if err != nil || len(res.Faults) > 0 || res.Event.Outcome != "failed" {
			t.Fatalf("result %+v (%v)", res, err)
		}
		r.does(t, "   0 in8 true", " 500 in6 false", " 500 in3 false", " 900 in4 true", " 900 in8 false", "2700 pulse1 150", "2740 in4 false", "2740 in3 true", "2740 reset")
	})
}

// broken notes what strikes and what is mended.
type broken struct{ r *rig }

func (b broken) Strike(f scenario.Fault) error {
	b.r.note("strike %s %s", f.Device, f.Verb)
	return nil
}
func (b broken) Mend(f scenario.Fault) error { b.r.note("mend %s %s", f.Device, f.Verb); return nil }

func TestFaultsStrikeWhenTheyShould(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		a := actor(scenario.Genuine)
		a.Faults = []scenario.Fault{
			{Device: scenario.Board, Verb: "hang_up", At: "granted", For: 700 * time.Millisecond},
			{Device: scenario.Scanner, Verb: "silent", At: "300ms"},
			{Device: scenario.HQ, Verb: "away", At: "passing"},
		}
		r.after(200*time.Millisecond, func() { r.says(station.Event{Kind: "lane", State: "granted"}) }) // of somebody before
		r.after(900*time.Millisecond, func() { r.says(station.Event{Kind: "lane", State: "granted", Tx: "a"}) })
		r.after(1000*time.Millisecond, func() { r.says(station.Event{Kind: "transaction", Tx: "a", Outcome: "failed"}) })
		r.after(1700*time.Millisecond, func() { r.says(station.Event{Kind: "lane", State: "ready"}) })
		s := r.stage()
		s.Devices = broken{r}
		res, err := s.Walk(t.Context(), a)
		if err != nil || len(res.Faults) != 1 || !strings.Contains(res.Faults[0], "never struck") {
			t.Errorf("faults %q (%v)", res.Faults, err)
		}
		var did []string
		for _, l := range r.log {
			if !strings.Contains(l, " in") {
				did = append(did, l)
			}
		}
		want := []string{
			" 300 strike scanner silent", " 900 strike board hang_up", "1300 mend scanner silent", "1600 mend board hang_up",
			"1700 mend board hang_up", "1700 mend scanner silent", // once more at the end: no device stays broken
		}
		if !slices.Equal(did, want) {
			t.Errorf("did %q, want %q", did, want)
		}
	})
}
