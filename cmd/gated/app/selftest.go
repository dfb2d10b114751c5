package app

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"bordergate/gate"
	"bordergate/sync/wire"
)

// SelfCheck is one finding of the self-test, with its cure.
type SelfCheck struct {
	Check  string  `json:"check"`
	OK     bool    `json:"ok"`
	Detail string  `json:"detail"`
	Hint   string  `json:"hint"` // the cure; empty where all is well
	Millis float64 `json:"millis"`
	// Critical findings take the lane out of service until a later test is
	// without them.
	Critical bool `json:"critical,omitempty"`
}

// SelfTest is what the last self-test found. It names nobody.
type SelfTest struct {
	At     string      `json:"at"`
	Why    string      `json:"why"` // start, schedule, order or again
	OK     bool        `json:"ok"`
	Checks []SelfCheck `json:"checks"`
}

// KindSelfTest is the kind of its records.
const KindSelfTest = "self_test"

// Why a self-test is run.
const (
	testAtStart  = "start"
	testNightly  = "schedule"
	testOrdered  = "order"
	testRepeated = "again" // a critical finding is looked at again
)

const (
	selfTestLimit  = 20 * time.Second
	selfTestAgain  = 5 * time.Minute
	selfTestHour   = 3 // of the local night
	selfTestLook   = time.Minute
	selfTestSettle = 15 * time.Second // for the devices to report after the start
)

// finding is what a check says: nothing wrong, or a cure.
type finding struct {
	detail, hint string
	bad          bool
	critical     bool // where bad
}

func well(format string, args ...any) finding { return finding{detail: fmt.Sprintf(format, args...)} }

func ill(hint, format string, args ...any) finding {
	return finding{detail: fmt.Sprintf(format, args...), hint: hint, bad: true}
}

func (f finding) gravely() finding {
	f.critical = f.bad
	return f
}

// tester runs the gate's self-test, one at a time: at the start, at night when
// nobody is there, when a technician asks, and again while it has a critical
// finding.
type tester struct {
	app    *App
	checks func(ctx context.Context) []namedCheck

	running sync.Mutex // one test at a time
	mu      sync.Mutex
	last    *SelfTest
	when    time.Time
	grave   bool
}

type namedCheck struct {
	name string
	run  func(ctx context.Context) finding
}

func (t *tester) newest() *SelfTest {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// run makes every check and carries out what they say.
func (t *tester) run(ctx context.Context, why string) SelfTest {
	t.running.Lock()
	defer t.running.Unlock()
	ctx, cancel := context.WithTimeout(ctx, selfTestLimit)
	defer cancel()
	now, _, _ := t.app.clock.Wall()
	out := SelfTest{At: now.UTC().Format(time.RFC3339), Why: why, OK: true, Checks: []SelfCheck{}}
	grave := false
	for _, c := range t.checks(ctx) {
		begun := time.Now()
		f := c.run(ctx)
		out.Checks = append(out.Checks, SelfCheck{
			Check: c.name, OK: !f.bad, Detail: f.detail, Hint: f.hint, Critical: f.critical, Millis: float64(time.Since(begun).Microseconds()) / 1000,
		})
		out.OK = out.OK && !f.bad
		grave = grave || f.critical
		if f.bad {
			t.app.log.Warn("Self-test found something", "check", c.name, "critical", f.critical, "detail", f.detail, "hint", f.hint)
		}
	}
	t.mu.Lock()
	t.last, t.when, t.grave = &out, time.Now(), grave
	t.mu.Unlock()
	t.app.fit(gate.CauseSelfTest, grave)
	t.app.recorder.note(wire.StreamTelemetry, KindSelfTest, out)
	return out
}

// due is why a test should be run now, empty where none should.
func (t *tester) due(now time.Time, idle bool) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	since := now.Sub(t.when)
	switch {
	case t.grave && since >= selfTestAgain:
		return testRepeated
	case idle && now.Hour() == selfTestHour && since > 2*time.Hour:
		return testNightly
	default:
		return ""
	}
}

// serve tests once the devices have reported, and whenever it is due.
func (t *tester) serve(ctx context.Context) error {
	if !t.app.reported(ctx) {
		return ctx.Err()
	}
	t.run(ctx, testAtStart)
	for pause(ctx, selfTestLook) {
		v, _ := t.app.hub.snapshot()
		idle := v.State == gate.Ready && t.app.mono()-v.Since > (5*time.Minute).Nanoseconds()
		if why := t.due(time.Now(), idle); why != "" {
			t.run(ctx, why)
		}
	}
	return ctx.Err()
}

// reported waits until the lane has finished its own test of the devices, or
// long enough; false: ctx has ended.
func (a *App) reported(ctx context.Context) bool {
	wait, cancel := context.WithTimeout(ctx, selfTestSettle)
	defer cancel()
	a.until(wait, func(state, cause string) bool {
		return state != gate.SelfTest.String() && cause != causeStarting
	})
	return ctx.Err() == nil
}

// until waits for a state of the lane; false: ctx ended first.
func (a *App) until(ctx context.Context, good func(state, cause string) bool) bool {
	for {
		events, end := a.hub.listen()
		for open := true; open; {
			select {
			case e, ok := <-events:
				if open = ok; ok && e.Kind == "lane" && good(e.State, e.Cause) {
					end()
					return true
				}
			case <-ctx.Done():
				end()
				return false
			}
		}
		end() // too slow for the events: listen anew
	}
}

// aside takes the lane out of service while nobody is there and do works on its
// devices; false: somebody is there.
func (a *App) aside(ctx context.Context, do func()) bool {
	if a.lane == nil {
		return false
	}
	switch a.laneState() {
	case gate.Ready, gate.OutOfService, gate.Closed, gate.Maintenance:
	default:
		return false
	}
	a.fit(causeTesting, true)
	defer a.fit(causeTesting, false)
	wait, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	out := a.until(wait, func(state, _ string) bool {
		return state == gate.OutOfService.String() || state == gate.Closed.String() || state == gate.Maintenance.String()
	})
	if out {
		do()
	}
	return out
}

// causeTesting is the lane's cause while its turnstile is tested.
const causeTesting = "self_test"

func (a *App) openTester() {
	a.tester = &tester{app: a}
	a.tester.checks = a.selfChecks
	a.run("self-test", a.tester.serve)
}

// selftest runs a test now, for a technician.
func (c *control) selftest(w http.ResponseWriter, r *http.Request) {
	if c.app.tester == nil {
		refuse(w, http.StatusServiceUnavailable, "the gate has no lane to test; see the status page")
		return
	}
	writeJSON(w, c.app.tester.run(r.Context(), testOrdered))
}
