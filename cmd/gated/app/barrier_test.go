package app

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/gate"
	"bordergate/hal"
)

// stuckDevice takes an order and never answers it.
type stuckDevice struct {
	hal.Turnstile
	events chan hal.Event
}

func (stuckDevice) Grant(ctx context.Context, _ hal.Grant) error {
	<-ctx.Done()
	return ctx.Err()
}
func (d stuckDevice) Events() <-chan hal.Event { return d.events }

// TestStuckLineDelaysNoInput: while the driver waits on its line, the lane is
// answered at once, however much it orders, and hears what the device reports.
func TestStuckLineDelaysNoInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer stop()
		posted := make(chan gate.Input, 64)
		dev := stuckDevice{events: make(chan hal.Event)}
		b := newBarrier(dev, slog.New(slog.DiscardHandler), func(in gate.Input) { posted <- in })
		wg.Go(func() { _ = b.serveOrders(ctx, func() {}) }) // both end with their context
		wg.Go(func() { _ = b.serveEvents(ctx, func() {}) })

		began := time.Now()
		var err error
		for range 100 {
			if err = b.Grant(gate.TxID{1}, gate.DirExit, 0); err != nil {
				break
			}
		}
		if !errors.Is(err, errHung) {
			t.Errorf("a driver that takes nothing more: %v", err)
		}
		b.Revoke(gate.TxID{1})
		synctest.Wait()
		dev.events <- hal.Event{Kind: hal.EmergencyOn, At: 7}
		if in := <-posted; in.At != 7 {
			t.Errorf("the lane heard %+v first", in)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the lane waited %v", waited)
		}
	})
}

// heardDevice notes the grants that reach it.
type heardDevice struct {
	hal.Turnstile
	grants *[]hal.Grant
}

func (d heardDevice) Grant(_ context.Context, g hal.Grant) error {
	*d.grants = append(*d.grants, g)
	return nil
}
func (heardDevice) Snapshot() hal.State { return hal.State{} }

// TestGrantGrowsOldBehindOtherOrders: a grant that waited for longer than it is
// good for does not reach the device, and one that waited has what is left.
func TestGrantGrowsOldBehindOtherOrders(t *testing.T) {
	for name, c := range map[string]struct {
		waited time.Duration
		left   []time.Duration
	}{
		"soon": {time.Second / 2, []time.Duration{time.Second + time.Second/2}},
		"late": {2 * time.Second, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var grants []hal.Grant
			var posted []gate.Input
			b := newBarrier(heardDevice{grants: &grants}, slog.New(slog.DiscardHandler), func(in gate.Input) { posted = append(posted, in) })
			now := int64(time.Hour)
			b.now = func() int64 { return now }
			if err := b.Grant(gate.TxID{1}, gate.DirExit, 2*time.Second); err != nil {
				t.Fatal(err)
			}
			now += int64(c.waited)
			b.carryOut(t.Context(), <-b.orders)
			var left []time.Duration
			for _, g := range grants {
				left = append(left, g.Valid)
			}
			if !slices.Equal(left, c.left) {
				t.Errorf("given with %v left, want %v", left, c.left)
			}
			if want := gate.GrantFailed(now, gate.TxID{1}); c.left == nil && (len(posted) != 1 || !reflect.DeepEqual(posted[0], want)) {
				t.Errorf("the lane heard %+v, want %+v", posted, want)
			}
		})
	}
}

// TestMissedEventsAreOnRecord: how many events, or people, nobody saw is not
// only read over by taking a snapshot.
func TestMissedEventsAreOnRecord(t *testing.T) {
	b := newBarrier(heardDevice{}, slog.New(slog.DiscardHandler), func(gate.Input) {})
	var kept []any
	b.note = func(_ string, public any) { kept = append(kept, public) }
	b.tell(hal.Event{Kind: hal.Desync, At: 7, Dir: hal.Exit, Code: 2})
	b.tell(hal.Event{Kind: hal.Desync, At: 8})
	if want := (deviceRecord{Device: "turnstile", Event: "desync", Code: 2, At: 7}); len(kept) != 1 || kept[0] != want {
		t.Errorf("kept %+v, want %+v", kept, want)
	}
}

// busyDevice is online and was not polled in time, at first.
type busyDevice struct {
	hal.Turnstile
	looks *int
}

func (d busyDevice) Snapshot() hal.State {
	s := hal.State{Online: true}
	*d.looks++
	for in, l := range map[hal.Input]hal.Level{hal.InputEmergency: hal.Off, hal.InputObstruction: hal.Off, hal.InputReady: hal.On, hal.InputPresence: hal.Off} {
		s.Inputs[in] = hal.Reading{Level: l, At: 1}
		if *d.looks < 20 {
			s.Inputs[in].Level = hal.Unknown
		}
	}
	return s
}

// TestLevelsTooOldAreLookedAtAgain: a level that is unknown by its age alone is
// never handed to the lane as the last word, since no event would follow it.
func TestLevelsTooOldAreLookedAtAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []gate.Input
		looks := 0
		b := newBarrier(busyDevice{looks: &looks}, slog.New(slog.DiscardHandler), func(in gate.Input) { told = append(told, in) })
		b.tell(hal.Event{Kind: hal.DeviceOnline, At: 7})
		for _, want := range []gate.Input{gate.EmergencyInput(7, gate.Off), gate.Obstruction(7, gate.Off), gate.TurnstileUp(7, true), gate.Presence(7, gate.Off)} {
			if !slices.ContainsFunc(told, func(in gate.Input) bool { return reflect.DeepEqual(in, want) }) {
				t.Errorf("the lane was not told %+v, but %+v", want, told)
			}
		}
		// One that is on its way out does not wait for a device that never answers.
		looks = -1 << 30
		quit := make(chan struct{})
		b.quit = quit
		close(quit)
		b.tell(hal.Event{Kind: hal.DeviceOnline, At: 8})
	})
}
