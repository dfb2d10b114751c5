package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/gate"
)

var errBroken = errors.New("it is broken")

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// supervised is an App of services alone.
func supervisedApp() *App {
	a := &App{log: quiet(), hub: newHub(monoNow), mono: monoNow, clock: newWallClock(time.Time{})}
	a.manager = newManager(a.log, func() string { return "" })
	return a
}

func TestPartThatEndsOrPanicsIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starts []time.Duration
		begun := time.Now()
		s := &service{name: "part", serve: func(ctx context.Context) error {
			starts = append(starts, time.Since(begun))
			switch len(starts) {
			case 1:
				return errBroken
			case 2:
				panic("name of a traveller")
			case 3:
				return nil
			default:
				<-ctx.Done()
				return ctx.Err()
			}
		}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		var said strings.Builder
		go func() { done <- s.keep(ctx, defaultServiceRule(), slog.New(slog.NewTextHandler(&said, nil))) }()
		after(10 * time.Minute)
		want := []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond, 700 * time.Millisecond}
		if !slices.Equal(starts, want) {
			t.Errorf("started at %v, want %v", starts, want)
		}
		if err := s.fault(defaultServiceRule()); err != nil {
			t.Errorf("a part that runs again is a fault: %v", err)
		}
		if !strings.Contains(said.String(), "Part panicked") || strings.Contains(said.String(), "traveller") {
			t.Errorf("log of the panic: %s", said.String())
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestPartThatFailsTooOftenIsNamedAndTriedSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := defaultServiceRule()
		var starts atomic.Int32
		var well atomic.Bool
		s := &service{name: "part", serve: func(ctx context.Context) error {
			if starts.Add(1); !well.Load() {
				return errBroken
			}
			<-ctx.Done()
			return ctx.Err()
		}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.keep(ctx, rule, quiet()) }()
		after(5*time.Minute + time.Second)
		if err := s.fault(rule); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "part has ended") {
			t.Errorf("fault %v", err)
		}
		if most := rule.Most + int(5*time.Minute/rule.Slow) + 1; int(starts.Load()) > most {
			t.Errorf("%d starts in five minutes, want at most %d", starts.Load(), most)
		}
		well.Store(true)
		after(rule.Slow + rule.Window + time.Second)
		if err := s.fault(rule); err != nil {
			t.Errorf("it runs and is still a fault: %v", err)
		}
		cancel()
		<-done
	})
}

func TestServeEndsWithWhatTheLaneCannotDoWithout(t *testing.T) {
	for name, c := range map[string]struct {
		vital bool
		err   error
	}{"a vital part that keeps failing": {true, errBroken}, "a restart that was ordered": {false, ErrRestart}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := supervisedApp()
				a.run("part", func(context.Context) error { return c.err }).vital = c.vital
				if err := a.Serve(t.Context()); !errors.Is(err, c.err) {
					t.Fatalf("ended with %v", err)
				}
			})
		})
	}
}

func TestPartThatFailsIsNotADeadGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := supervisedApp()
		a.run("part", func(context.Context) error { return errBroken })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Serve(ctx) }()
		after(time.Hour)
		select {
		case err := <-done:
			t.Fatalf("the gate ended: %v", err)
		default:
		}
		if d := a.degraded(); !slices.ContainsFunc(d, func(d Degraded) bool {
			return d.Device == "service" && d.Service == gate.ServiceOpen && strings.Contains(d.Error, "broken")
		}) {
			t.Errorf("degraded %+v", d)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stopped with %v", err)
		}
	})
}

// TestStopIsBounded has a device, a database and the lane's orders hang for
// ever.
func TestStopIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		a := supervisedApp()
		a.lane = blockedLane(t, release)
		a.barrier = newBarrier(nil, a.log, a.post) // nobody carries orders out
		a.run("turnstile", func(context.Context) error { <-release; return nil })
		a.run("camera", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		var closed []string
		for _, name := range []string{"first", "second"} {
			a.onClose(name, func() error { closed = append(closed, name); return nil })
		}
		a.onCloseWithin("journal", journalWait, func() error { <-release; return nil })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begun := time.Now()
		err := a.Serve(ctx)
		if err == nil || !strings.Contains(err.Error(), "left behind: turnstile") || strings.Contains(err.Error(), "camera") ||
			!strings.Contains(err.Error(), "lane did not end") || !strings.Contains(err.Error(), "last orders") {
			t.Errorf("stop said %v", err)
		}
		if err := a.Close(); err == nil || !strings.Contains(err.Error(), "close journal: it hangs") {
			t.Errorf("close said %v", err)
		}
		if !slices.Equal(closed, []string{"second", "first"}) {
			t.Errorf("closed %v", closed)
		}
		if d := time.Since(begun); d > 5*time.Second {
			t.Errorf("the stop took %v", d)
		}
	})
}

// TestNamedTeardownFitsIntoFiveSeconds holds the bounds of the steps together.
func TestNamedTeardownFitsIntoFiveSeconds(t *testing.T) {
	a := New(goodStation(t), quiet())
	total := laneWait + ordersWait + serviceWait
	for _, c := range a.closers {
		total += c.limit
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if total > 5*time.Second {
		t.Fatalf("a stop at which everything hangs takes %v", total)
	}
}

func TestStandstillIsSeenOnlyWhereAPartRuns(t *testing.T) {
	const limit = time.Second
	now := monoNow()
	p := pulse{limit: limit}
	if p.still(now + int64(time.Hour)) {
		t.Error("a part that does not run stands still")
	}
	p.beat()
	if p.still(now) || !p.still(now+int64(time.Minute)) {
		t.Error("silence is not seen")
	}
	p.read = func() int64 { return now + int64(time.Minute) }
	if p.still(now + int64(time.Minute)) {
		t.Error("a part that notes its own turns stands still")
	}
	p.rest()
	if p.still(now + int64(time.Hour)) {
		t.Error("a part between two starts stands still")
	}
}

// after lets a time of the bubble pass.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// deaf is a screen that never returns.
type deaf struct{ release <-chan struct{} }

func (d deaf) Show(gate.View) { <-d.release }

// blockedLane is a lane whose loop hangs.
func blockedLane(t *testing.T, release <-chan struct{}) *gate.Lane {
	t.Helper()
	l, err := gate.NewLane(gate.Options{
		Passes: struct{ gate.Passes }{}, Accounts: struct{ gate.Accounts }{}, Register: struct{ gate.Register }{},
		References: struct{ gate.References }{}, Matcher: struct{ gate.Matcher }{}, Tracker: struct{ gate.Tracker }{},
		Recorder: struct{ gate.Recorder }{}, Turnstile: struct{ gate.Turnstile }{}, Eyes: struct{ gate.Eyes }{},
		Clock: struct{ gate.Clock }{}, Screen: deaf{release}, Mono: monoNow, Times: gate.DefaultTimes(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}
