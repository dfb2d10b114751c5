package app

import (
	"context"
	"errors"
	"log/slog"
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
