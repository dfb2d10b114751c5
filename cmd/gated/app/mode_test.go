package app

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/gate"
	"bordergate/hal"
)

// modesRig is modes whose clocks the test sets.
type modesRig struct {
	*modes
	mono  int64
	clock time.Time
	trust gate.ClockTrust
	kept  []byte
}

func newModesRig(boot string) *modesRig {
	r := &modesRig{mono: 1e12, clock: time.Unix(1e9, 0), trust: gate.ClockSynced}
	r.modes = newModes(func() int64 { return r.mono })
	r.boot = boot
	r.wall = func() (time.Time, gate.ClockTrust) { return r.clock, r.trust }
	r.keep = func(k keptModes) error {
		b, err := json.Marshal(k)
		r.kept = b
		return err
	}
	return r
}

func TestOrdersOverARestart(t *testing.T) {
	hour := int64(time.Hour)
	closed := gate.Order{Mode: gate.ModeClosed, By: gate.ByStation, Cause: "security"}
	for name, tc := range map[string]struct {
		order  gate.Order
		length int64 // 0: without an end
		boot   string
		later  time.Duration
		trust  gate.ClockTrust
		before gate.ClockTrust // when it was kept
		want   gate.Mode
		left   int64 // 0: without an end
	}{
		"closed, same boot":             {closed, 0, "a", 10 * time.Hour, gate.ClockBad, gate.ClockBad, gate.ModeClosed, 0},
		"closed, another boot":          {closed, 0, "b", 10 * time.Hour, gate.ClockBad, gate.ClockBad, gate.ModeClosed, 0},
		"an hour, same boot":            {closed, hour, "a", 30 * time.Minute, gate.ClockBad, gate.ClockBad, gate.ModeClosed, hour / 2},
		"an hour, over":                 {closed, hour, "a", 2 * time.Hour, gate.ClockBad, gate.ClockBad, gate.ModeNormal, 0},
		"an hour, boot, good clock":     {closed, hour, "b", 30 * time.Minute, gate.ClockSynced, gate.ClockSynced, gate.ModeClosed, hour / 2},
		"an hour, boot, over":           {closed, hour, "b", 2 * time.Hour, gate.ClockSynced, gate.ClockSynced, gate.ModeNormal, 0},
		"an hour, boot, bad clock":      {closed, hour, "b", 2 * time.Hour, gate.ClockPlausible, gate.ClockSynced, gate.ModeClosed, 0},
		"an hour, boot, was bad":        {closed, hour, "b", 2 * time.Hour, gate.ClockSynced, gate.ClockPlausible, gate.ModeClosed, 0},
		"an hour, boot, clock set back": {closed, hour, "b", -30 * 24 * time.Hour, gate.ClockSynced, gate.ClockSynced, gate.ModeClosed, int64(gate.MaxOrder)},
		"suspended, same boot":          {gate.Order{Mode: gate.ModeBiometricsSuspended, By: gate.ByStation}, hour, "a", 30 * time.Minute, gate.ClockBad, gate.ClockBad, gate.ModeBiometricsSuspended, hour / 2},
		"suspended, over":               {gate.Order{Mode: gate.ModeBiometricsSuspended, By: gate.ByStation}, hour, "a", time.Hour, gate.ClockBad, gate.ClockBad, gate.ModeNormal, 0},
		"suspended, boot":               {gate.Order{Mode: gate.ModeBiometricsSuspended, By: gate.ByStation}, hour, "b", 30 * time.Minute, gate.ClockHeldOver, gate.ClockSynced, gate.ModeBiometricsSuspended, hour / 2},
		"suspended, boot, bad clock":    {gate.Order{Mode: gate.ModeBiometricsSuspended, By: gate.ByStation}, hour, "b", time.Minute, gate.ClockPlausible, gate.ClockSynced, gate.ModeClosed, 0},
		"suspended, boot, set back":     {gate.Order{Mode: gate.ModeBiometricsSuspended, By: gate.ByStation}, hour, "b", -24 * time.Hour, gate.ClockSynced, gate.ClockSynced, gate.ModeBiometricsSuspended, int64(gate.MaxSuspension)},
	} {
		t.Run(name, func(t *testing.T) {
			r := newModesRig("a")
			r.trust = tc.before
			o := tc.order
			if tc.length != 0 {
				o.Until = r.mono + tc.length
			}
			r.give(o)
			r.give(gate.Order{Mode: gate.ModeClosed, By: gate.ByRestart}) // is for this process alone
			if err := r.save(); err != nil {
				t.Fatal(err)
			}
			n := newModesRig(tc.boot)
			n.clock, n.trust = r.clock.Add(tc.later), tc.trust
			if n.mono = 5e9; tc.boot == "a" {
				n.mono = r.mono + int64(tc.later)
			}
			var k keptModes
			if err := json.Unmarshal(r.kept, &k); err != nil {
				t.Fatal(err)
			}
			n.restore(k)
			held := n.now()
			left := int64(0)
			if held.Until != 0 {
				left = held.Until - n.mono
			}
			if held.Mode != tc.want || left != tc.left {
				t.Fatalf("%+v, %v left", held, time.Duration(left))
			}
			if tc.want == gate.ModeClosed && tc.order.Mode != gate.ModeClosed && held.Cause != causeRestart {
				t.Fatalf("no cause is named: %+v", held)
			}
			n.give(gate.Order{Mode: gate.ModeNormal, By: gate.ByStation}) // an officer can take it back
			if n.now().Mode != gate.ModeNormal {
				t.Fatalf("%+v", n.now())
			}
		})
	}
}

// TestOrderEndsByItself: the lane is told at the moment at which an order runs
// out, by the monotonic clock.
func TestOrderEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		m := newModes(func() int64 { return int64(time.Since(start)) + 1 })
		type told struct {
			mode gate.Mode
			at   time.Duration
		}
		var got []told
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error)
		go func() {
			over <- m.serve(ctx, func(o gate.Order) {
				if len(got) == 0 || got[len(got)-1].mode != o.Mode {
					got = append(got, told{o.Mode, time.Since(start).Round(time.Second)})
				}
			}, func(err error) { t.Error(err) })
		}()
		synctest.Wait()
		m.give(gate.Order{Mode: gate.ModeBiometricsSuspended, By: gate.ByStation, Until: int64(2 * time.Hour)})
		m.give(gate.Order{Mode: gate.ModeClosed, By: gate.ByHQ, Until: int64(time.Hour)})
		<-time.After(3 * time.Hour)
		synctest.Wait()
		cancel()
		<-over
		want := []told{{gate.ModeNormal, 0}, {gate.ModeClosed, 0}, {gate.ModeBiometricsSuspended, time.Hour}, {gate.ModeNormal, 2 * time.Hour}}
		if len(got) != len(want) {
			t.Fatalf("told %v", got)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("told %v, want %v", got, want)
			}
		}
	})
}

func TestOpeningIsKeptBeforeItHolds(t *testing.T) {
	r := newModesRig("a")
	a := &App{modes: r.modes, mono: func() int64 { return r.mono }}
	closed := gate.Order{Mode: gate.ModeClosed, By: gate.ByStation, Cause: "security"}
	r.keep = func(keptModes) error { return errors.New("disk") }
	if err := a.orderKept(closed); !errors.Is(err, errNotKept) || r.now() != closed {
		t.Fatalf("a closure that is not kept: %v, %+v", err, r.now())
	}
	if err := a.orderKept(gate.Order{Mode: gate.ModeNormal, By: gate.ByStation}); err == nil || r.now() != closed {
		t.Fatalf("an opening that is not kept: %v, %+v", err, r.now())
	}
}

// TestWhatADeviceSaysReachesItsPlace: passages with their direction and what
// stays open reach the lane, the rest is on record, and a level that is told
// again is recorded once.
func TestWhatADeviceSaysReachesItsPlace(t *testing.T) {
	var posted []gate.Input
	var noted []string
	b := newBarrier(nil, slog.New(slog.DiscardHandler), func(in gate.Input) { posted = append(posted, in) })
	b.note = func(_ string, public any) { noted = append(noted, public.(deviceRecord).Event) }
	for _, k := range hal.EventKinds() {
		switch k {
		case hal.DeviceOnline, hal.Desync, hal.InService: // these ask the device itself
		default:
			b.tell(hal.Event{Kind: k, Dir: hal.Entry, Code: hal.CodeAlarm})
		}
	}
	for _, k := range []hal.EventKind{hal.TamperOff, hal.TamperOff, hal.PowerOK, hal.TamperOn, hal.TamperOn, hal.Fault, hal.Fault} {
		b.tell(hal.Event{Kind: k})
	}
	want := []string{"grant_revoked", "tamper_on", "tamper_off", "power_fail", "power_ok", "fault", "tamper_on", "fault", "fault"}
	if len(noted) != len(want) {
		t.Fatalf("recorded %v", noted)
	}
	for i := range want {
		if noted[i] != want[i] {
			t.Fatalf("recorded %v, want %v", noted, want)
		}
	}
	if n := len(hal.EventKinds()) - 3 - 6; len(posted) != n {
		t.Fatalf("%d inputs, want one for each of %d kinds", len(posted), n)
	}
	b = newBarrier(nil, slog.New(slog.DiscardHandler), func(gate.Input) {})
	b.note = func(string, any) { t.Error("a cabinet that is shut from the start is on record") }
	b.tell(hal.Event{Kind: hal.TamperOff})
	b.tell(hal.Event{Kind: hal.PowerOK})
}

// told is a turnstile that keeps what it is told.
type toldDevice struct {
	hal.Turnstile
	grants chan hal.Grant
}

func (d toldDevice) Grant(_ context.Context, g hal.Grant) error {
	d.grants <- g
	return nil
}

// TestGrantGoesTheWayOfTheLane: a lane for entry and one for exit reach the
// driver each with its own direction, and what the driver says of a direction
// reaches the lane.
func TestGrantGoesTheWayOfTheLane(t *testing.T) {
	d := toldDevice{grants: make(chan hal.Grant, 1)}
	b := newBarrier(d, slog.New(slog.DiscardHandler), func(gate.Input) {})
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- b.serveOrders(ctx, func() {}) }()
	for lane, device := range map[gate.Direction]hal.Direction{gate.DirEntry: hal.Entry, gate.DirExit: hal.Exit} {
		if err := b.Grant(gate.TxID{1}, lane, time.Second); err != nil {
			t.Fatal(err)
		}
		if g := <-d.grants; g.Dir != device || g.ID != (hal.GrantID{1}) {
			t.Errorf("%v: %+v", lane, g)
		}
		if way(device) != lane {
			t.Errorf("%v is told as %v", device, way(device))
		}
	}
	if way(0) != gate.DirectionNone {
		t.Error("no direction is one")
	}
	cancel()
	<-over
}
