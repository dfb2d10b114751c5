package play

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/cmd/gatesim/camera"
	"bordergate/cmd/gatesim/clips"
	"bordergate/cmd/gatesim/scanner"
	"bordergate/cmd/gatesim/scenario"
	"bordergate/cmd/gatesim/scene"
	"bordergate/cmd/gatesim/station"
)

// rig is a stage with a gate that does what the test says.
type rig struct {
	unlocks chan int64
	events  chan station.Event
	start   int64

	mu  sync.Mutex
	log []string
}

func newRig() *rig {
	return &rig{unlocks: make(chan int64, 8), events: make(chan station.Event, 64), start: now()}
}

func now() int64 { return time.Now().UnixNano() }

func (r *rig) note(format string, a ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf("%4d ", (now()-r.start)/1e6)+fmt.Sprintf(format, a...))
}

func (r *rig) SetInput(ch int, on bool)      { r.note("in%d %v", ch, on) }
func (r *rig) Pulse(ch int, d time.Duration) { r.note("pulse%d %d", ch, d.Milliseconds()) }

// Present and Remove are the scanner's.
func (r *rig) Present(c scanner.Code) { r.note("present %s", c.Payload) }
func (r *rig) Remove()                {}

type blind struct{}

func (blind) Show(*camera.Program) {}

func (r *rig) stage() Stage {
	return Stage{
		Board: r, Unlocks: r.unlocks, Events: r.events, Face: blind{}, Document: blind{}, Scanner: r, Timing: scenario.DefaultTiming(), Now: now,
	}
}

// gate is what the gate does at a moment after the traveller's arrival.
func (r *rig) after(d time.Duration, do func()) { time.AfterFunc(d, do) }

func (r *rig) says(e station.Event) { e.At = now(); r.events <- e }

func actor(c string) Actor {
	f := []scene.Frame{{JPEG: []byte("x")}}
	return Actor{Traveller: scenario.Traveller{N: 1, Case: c}, Face: clips.Clip{Loop: f}, Pass: clips.Clip{Loop: f}}
}

func TestAdmittedTravellerKeepsTheDefaultTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.after(1300*time.Millisecond, func() { r.unlocks <- now() })
		r.after(1310*time.Millisecond, func() { r.says(station.Event{Kind: "lane", State: "granted", Tx: "a"}) })
		r.after(4320*time.Millisecond, func() { r.says(station.Event{Kind: "transaction", Tx: "a", Outcome: "admitted"}) })
		r.after(4380*time.Millisecond, func() { r.says(station.Event{Kind: "lane", State: "ready"}) })
		res, err := r.stage().Walk(t.Context(), actor(scenario.Genuine))
		if err != nil || len(res.Faults) > 0 {
			t.Fatalf("faults %q (%v)", res.Faults, err)
		}
		want := []string{
			"   0 in8 true",
			"1400 in3 false",
			"2500 in4 true", "2500 in8 false", // 1300 + 800 open + 400
			"4300 pulse1 150", // 1800 later
			"4340 in4 false",
			"4940 in3 true",
		}
		if !slices.Equal(r.log, want) {
			t.Errorf("did\n%s\nwant\n%s", strings.Join(r.log, "\n"), strings.Join(want, "\n"))
		}
		if res.Event.Outcome != "admitted" || (res.Ready-res.Cleared)/1e6 != 40 || res.Grant() == 0 {
			t.Errorf("result %+v", res)
		}
	})
}

func TestPassIsHeldToTheScanner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.after(1300*time.Millisecond, func() { r.unlocks <- now() })
		r.after(4320*time.Millisecond, func() { r.says(station.Event{Kind: "transaction", Tx: "a", Outcome: "admitted"}) })
		r.after(4380*time.Millisecond, func() { r.says(station.Event{Kind: "lane", State: "ready"}) })
		a := actor(scenario.Genuine)
		a.Code = &scanner.Code{Payload: []byte("PASS")}
		res, err := r.stage().Walk(t.Context(), a)
		if err != nil || len(res.Faults) > 0 {
			t.Fatalf("faults %q (%v)", res.Faults, err)
		}
		if !slices.Contains(r.log, "1000 present PASS") || res.Pass.Usable-res.Arrived != int64(time.Second) {
			t.Errorf("did %q; pass in view %d ms after his arrival", r.log, (res.Pass.Usable-res.Arrived)/1e6)
		}
	})
}

func TestTravellersWhoDoNotPass(t *testing.T) {
	for _, c := range []struct {
		name  string
		act   Actor
		gate  func(r *rig)
		left  int64 // ms
		pass  bool
		fault string
	}{
		{"refused", actor(scenario.Impostor), func(r *rig) {
			r.after(time.Second, func() { r.says(station.Event{Kind: "transaction", Tx: "a", Outcome: "refused"}) })
			r.after(2600*time.Millisecond, func() { r.says(station.Event{Kind: "lane", State: "ready"}) })
		}, 2500, false, ""},
		{"no answer", actor(scenario.Genuine), func(r *rig) {
			r.after(20500*time.Millisecond, func() { r.says(station.Event{Kind: "transaction", Tx: "a", Outcome: "abandoned"}) })
			r.after(20600*time.Millisecond, func() { r.says(station.Event{Kind: "lane", State: "ready"}) })
		}, 20300, false, "patience"},
		{"never walks", actor(scenario.NoShow), func(r *rig) {
			r.after(time.Second, func() { r.unlocks <- now() })
			r.after(9*time.Second, func() { r.says(station.Event{Kind: "transaction", Tx: "a", Outcome: "abandoned"}) })
			r.after(9100*time.Millisecond, func() { r.says(station.Event{Kind: "lane", State: "ready"}) })
		}, 4000, false, ""},
		{"gate not ready again", actor(scenario.Impostor), func(r *rig) {
			r.after(time.Second, func() { r.says(station.Event{Kind: "transaction", Tx: "a", Outcome: "refused"}) })
		}, 2500, false, "not ready"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig()
				c.gate(r)
				res, err := r.stage().Walk(t.Context(), c.act)
				if err != nil {
					t.Fatal(err)
				}
				if left := (res.Left - res.Arrived) / 1e6; left != c.left {
					t.Errorf("left after %d ms, want %d", left, c.left)
				}
				if passed := res.Passed != 0; passed != c.pass || slices.ContainsFunc(r.log, func(s string) bool { return strings.Contains(s, "pulse") }) != c.pass {
					t.Errorf("passed: %v; %q", passed, r.log)
				}
				if got := strings.Join(res.Faults, " "); c.fault == "" && got != "" || !strings.Contains(got, c.fault) {
					t.Errorf("faults %q, want %q", got, c.fault)
				}
			})
		})
	}
}

// A decision after the grant comes before he walks, and then he does not.
func TestRevokedBeforeHeWalks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		a := actor(scenario.SuspendedMidway)
		a.Moment, a.DecideAfter = scenario.AfterGrant, 100*time.Millisecond
		a.Decide = func(context.Context) error {
			r.note("decide")
			r.after(400*time.Millisecond, func() { r.says(station.Event{Kind: "transaction", Tx: "a", Outcome: "refused", Granted: true}) })
			r.after(2500*time.Millisecond, func() { r.says(station.Event{Kind: "lane", State: "ready"}) })
			return nil
		}
		r.after(time.Second, func() { r.unlocks <- now() })
		res, err := r.stage().Walk(t.Context(), a)
		if err != nil || len(res.Faults) > 0 || res.Passed != 0 || res.Event.Outcome != "refused" {
			t.Errorf("result %+v (%v)", res, err)
		}
		if !slices.Contains(r.log, "1100 decide") {
			t.Errorf("decided otherwise: %q", r.log)
		}
	})
}

func TestDecisionThatFailsIsAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		a := actor(scenario.SuspendedMidway)
		a.Moment, a.DecideAfter = scenario.BeforeGrant, 100*time.Millisecond
		a.Decide = func(context.Context) error { return errors.New("refused") }
		r.after(time.Second, func() { r.says(station.Event{Kind: "transaction", Tx: "a", Outcome: "referred"}) })
		r.after(4*time.Second, func() { r.says(station.Event{Kind: "lane", State: "ready"}) })
		res, err := r.stage().Walk(t.Context(), a)
		if err != nil || len(res.Faults) != 1 {
			t.Errorf("faults %q (%v)", res.Faults, err)
		}
	})
}

func TestReleaseWithoutATravellerIsAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.unlocks <- now()
		r.after(time.Second, func() { r.says(station.Event{Kind: "transaction", Tx: "a", Outcome: "refused"}) })
		r.after(4*time.Second, func() { r.says(station.Event{Kind: "lane", State: "ready"}) })
		res, err := r.stage().Walk(t.Context(), actor(scenario.Impostor))
		if err != nil || len(res.Faults) != 1 || len(res.Unlocks) != 0 {
			t.Errorf("result %+v (%v)", res, err)
		}
	})
}

func TestWalkEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := newRig().stage().Walk(ctx, actor(scenario.Genuine)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
}
