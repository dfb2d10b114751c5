package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"bordergate/gate"
	"bordergate/sync/accounts"
	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// orderRig is a gate without its devices whose lane runs.
func orderRig(t *testing.T, a *App) *App {
	t.Helper()
	if len(a.Faults()) > 0 {
		t.Fatalf("faults %+v", a.Faults())
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() { defer close(over); _ = a.lane.Serve(ctx) }()
	a.lane.Post(gate.Start(monoNow()))
	t.Cleanup(func() {
		cancel()
		<-over
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func newOrderRig(t *testing.T) *App {
	t.Helper()
	return orderRig(t, New(goodStation(t), slog.New(slog.DiscardHandler)))
}

// reach waits until the lane is as wanted.
func reach(t *testing.T, a *App, what string, ok func(gate.View) bool) {
	t.Helper()
	events, end := a.hub.listen()
	defer end()
	limit := time.After(30 * time.Second)
	for {
		if v, _ := a.hub.snapshot(); ok(v) {
			return
		}
		select {
		case <-events:
		case <-limit:
			v, _ := a.hub.snapshot()
			t.Fatalf("waited in vain for %s: %+v", what, v)
		}
	}
}

// serviceable has the lane's devices report that all is well.
func serviceable(a *App) {
	a.post(gate.TurnstileUp(monoNow(), true))
	a.post(gate.EmergencyInput(monoNow(), gate.Off))
	a.post(gate.Obstruction(monoNow(), gate.Off))
	a.post(gate.CameraUp(monoNow(), gate.FaceCamera, true))
	a.post(gate.CameraUp(monoNow(), gate.DocumentCamera, true))
}

func inState(s gate.State) func(gate.View) bool {
	return func(v gate.View) bool { return v.State == s }
}

func mode(m string) link.Order {
	return link.Order{Command: wire.Command{ID: testID, Do: wire.DoMode, Mode: m}}
}

func give(t *testing.T, a *App, o link.Order) done {
	t.Helper()
	out, err := a.commands.do[o.Do](t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestHeadquartersClosesAndTakesItsOwnClosureBack(t *testing.T) {
	a := newOrderRig(t)
	serviceable(a)
	reach(t, a, "ready", inState(gate.Ready))
	give(t, a, mode(wire.ModeClosed))
	reach(t, a, "closed", inState(gate.Closed))
	give(t, a, mode(wire.ModeNormal))
	reach(t, a, "ready again", inState(gate.Ready))
	a.order(gate.Order{Mode: gate.ModeClosed, By: gate.ByStation})
	reach(t, a, "closed by the station", inState(gate.Closed))
	if out := give(t, a, mode(wire.ModeNormal)); !strings.Contains(out.why, "station") || a.modes.now().Mode != gate.ModeClosed {
		t.Fatalf("headquarters opened what the station has closed: %+v", out)
	}
}

func TestHeadquartersClosureOutlastsARestart(t *testing.T) {
	c := goodStation(t)
	a := New(c, slog.New(slog.DiscardHandler))
	give(t, a, mode(wire.ModeClosed))
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	c.Paths.Control += "2" // only a gate that serves gives its socket back
	a = orderRig(t, New(c, slog.New(slog.DiscardHandler)))
	serviceable(a)
	reach(t, a, "closed", func(v gate.View) bool { return v.State == gate.Closed && v.Cause == "mode_closed" })
}

// TestNoOrderEndsWhatStandsAboveIt: an emergency, an obstruction and a journal
// that takes no records stay what they are, whatever headquarters orders.
func TestNoOrderEndsWhatStandsAboveIt(t *testing.T) {
	for name, tc := range map[string]struct {
		happen gate.Input
		state  gate.State
	}{
		"emergency":     {gate.EmergencyInput(1, gate.On), gate.Emergency},
		"obstruction":   {gate.Obstruction(1, gate.On), gate.Blocked},
		"journal fault": {gate.JournalLost(1), gate.OutOfService},
	} {
		t.Run(name, func(t *testing.T) {
			a := newOrderRig(t)
			serviceable(a)
			reach(t, a, "ready", inState(gate.Ready))
			a.post(tc.happen)
			reach(t, a, name, inState(tc.state))
			for _, m := range []string{wire.ModeClosed, wire.ModeNormal} {
				give(t, a, mode(m))
			}
			// Once this has been handled, so have the orders before it.
			a.post(gate.Presence(monoNow(), gate.On))
			a.post(gate.EmergencyInput(monoNow(), gate.On))
			a.post(gate.Presence(monoNow(), gate.Off))
			if name == "emergency" {
				a.post(gate.EmergencyInput(monoNow(), gate.Off)) // the hardware's reset, without an officer's word
				give(t, a, mode(wire.ModeNormal))
				if v, _ := a.hub.snapshot(); v.State != gate.Emergency {
					t.Fatalf("state %v", v.State)
				}
			}
			reach(t, a, "the end", inState(gate.Emergency))
			if v, _ := a.hub.snapshot(); v.Granted || v.Tx != (gate.TxID{}) {
				t.Fatalf("somebody was served: %+v", v)
			}
		})
	}
}

func TestRestartNeedsAServiceManager(t *testing.T) {
	a := newOrderRig(t)
	a.supervised = false
	if _, err := a.orderedRestart(t.Context(), link.Order{}); err == nil {
		t.Fatal("the gate would stay away")
	}
	a.supervised = true
	if out, err := a.orderedRestart(t.Context(), link.Order{}); err != nil || !out.restart {
		t.Fatalf("%+v, %v", out, err)
	}
}

func TestRestartWaitsForTheTraveller(t *testing.T) {
	a := newOrderRig(t)
	a.supervised = true
	serviceable(a)
	reach(t, a, "ready", inState(gate.Ready))
	a.post(gate.Presence(monoNow(), gate.On))
	reach(t, a, "a traveller", inState(gate.Reading))
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // as when he stays too long
	if _, err := a.orderedRestart(ctx, link.Order{}); err == nil || a.modes.now().Mode != gate.ModeNormal {
		t.Fatalf("%v; the lane is %v", err, a.modes.now())
	}
	over := make(chan error, 1)
	go func() {
		out, err := a.orderedRestart(t.Context(), link.Order{})
		if err == nil && !out.restart {
			err = context.Canceled
		}
		over <- err
	}()
	a.post(gate.Presence(monoNow(), gate.Off))
	if err := <-over; err != nil {
		t.Fatal(err)
	}
}

func TestResyncAdmitsNobodyUntilTheAccountsAreHere(t *testing.T) {
	a := newOrderRig(t)
	put := wire.Change{Op: wire.OpPut, Account: "a", Ver: 1, Status: wire.StatusActive, Level: 2, Kind: wire.KindCitizen}
	if err := a.replica.Apply(1, 1, wire.Hash{}, wire.Hash{1}, []wire.Change{put}); err != nil {
		t.Fatal(err)
	}
	if err := a.replica.Head(wire.Head{Epoch: 1, Seq: 1, Hash: wire.Hash{1}, Issued: time.Now().UnixNano()}); err != nil {
		t.Fatal(err)
	}
	if got := a.cache().Look("a"); got.Unusable || got.Status != gate.AccountActive {
		t.Fatalf("before: %+v", got)
	}
	a.replica.Move("P1", accounts.Movement{Direction: 1, Wall: time.Now().UnixNano(), Mono: monoNow(), Boot: a.boot})
	give(t, a, link.Order{Command: wire.Command{ID: testID, Do: wire.DoResync}})
	if got := a.cache().Look("a"); !got.Unusable {
		t.Fatalf("after: %+v", got)
	}
	if _, seq := a.replica.Cursor(); seq != 0 {
		t.Fatalf("cursor %d", seq)
	}
}

func TestClockHint(t *testing.T) {
	for name, tc := range map[string]struct {
		synced bool
		floor  time.Duration // of the newest signed time, from now
		hint   time.Duration
		ok     bool
		bad    bool // the clock afterwards
	}{
		"synchronised, agrees":        {true, -time.Hour, 0, true, false},
		"synchronised, differs":       {true, -time.Hour, time.Minute, false, false},
		"never synchronised, agrees":  {false, -time.Hour, 0, true, false},
		"never synchronised, behind":  {false, -time.Hour, time.Minute, true, true},
		"never synchronised, ahead":   {false, -time.Hour, -time.Minute, true, false},
		"older than what HQ has said": {false, -time.Hour, -2 * time.Hour, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := newOrderRig(t)
			a.clock.read = func() bool { return tc.synced }
			now := time.Now()
			a.clock.raise(now.Add(tc.floor))
			_, _, floor := a.clock.Wall()
			out, err := a.orderedClock(t.Context(), link.Order{Command: wire.Command{Time: now.Add(tc.hint).UnixNano()}})
			if (err == nil) != tc.ok || tc.ok && out.why == "" {
				t.Fatalf("%+v, %v", out, err)
			}
			_, trust, after := a.clock.Wall()
			if (trust == gate.ClockBad) != tc.bad || after.Before(floor) || !tc.ok && !after.Equal(floor) {
				t.Fatalf("clock %v, floor moved by %v", trust, after.Sub(floor))
			}
			if kept := a.journal.Fact(factFloor); tc.ok && kept != uint64(after.UnixNano()) {
				t.Fatalf("the journal keeps %d", kept)
			}
		})
	}
}

func TestDiagnosticsAreBoundedAndNameNobody(t *testing.T) {
	a := newOrderRig(t)
	secret := "PASS-SECRET-77"
	done := make(chan error, 1)
	err := a.recorder.Record(gate.Entry{Kind: gate.EntryDecision, Personal: &gate.Personal{PassNumber: secret, Account: secret}}, func(err error) { done <- err })
	if err == nil {
		err = <-done
	}
	if err != nil {
		t.Fatal(err)
	}
	d := a.diagnostics()
	b, err := d.encode()
	if err != nil || strings.Contains(string(b), secret) || d.Config == "" || d.DiskSize == 0 || d.Stacks == "" {
		t.Fatalf("%.300s, %v", b, err)
	}
	d.Stacks = strings.Repeat("s", wire.MaxDiagnostics)
	if b, err := d.encode(); err != nil || len(b) > wire.MaxDiagnostics || !json.Valid(b) {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	d.Status.HQ.Error = strings.Repeat("e", wire.MaxDiagnostics)
	if _, err := d.encode(); err == nil {
		t.Fatal("too large")
	}
	out := give(t, a, link.Order{Command: wire.Command{ID: testID, Do: wire.DoDiagnostics}})
	if len(out.sealed) == 0 {
		t.Fatal("nothing sealed")
	}
}
