package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bordergate/gate"
)

// How long each step of a stop may last. Together they stay below five seconds,
// whatever hangs; the service manager's own limit lies above.
const (
	laneWait    = 500 * time.Millisecond
	ordersWait  = 500 * time.Millisecond
	serviceWait = 2 * time.Second
	closeWait   = 200 * time.Millisecond
	journalWait = time.Second
)

// Heartbeats of the goroutines without which the lane does not serve. A device
// that is away stops none of them.
const (
	eventsStill = 10 * time.Second
	// driverStill leaves room for a line whose closing the kernel draws out.
	driverStill = time.Minute
	writerStill = 15 * time.Second // the disk of a small machine may take some
)

// run has a part supervised.
func (a *App) run(name string, serve func(ctx context.Context) error) *service {
	s := &service{name: name, serve: serve}
	a.services = append(a.services, s)
	return s
}

// runWatched is run for a part that says when it has completed a piece of work.
// While it stands still the watchdog is not fed.
func (a *App) runWatched(name string, serve func(ctx context.Context, beat func()) error) *service {
	s := a.run(name, nil)
	s.pulse.limit = eventsStill
	s.serve = func(ctx context.Context) error { return serve(ctx, s.pulse.beat) }
	return s
}

// watchWriter has the journal's writing goroutine show that it takes turns.
func (a *App) watchWriter() {
	s := a.runWatched("journal writer", func(ctx context.Context, beat func()) error {
		for {
			if err := a.journal.Ping(ctx); err != nil {
				return err
			}
			beat()
			if !pause(ctx, pulseEvery) {
				return ctx.Err()
			}
		}
	})
	s.pulse.limit = writerStill
}

// closer is one step of the teardown, bounded in time.
type closer struct {
	name  string
	limit time.Duration
	close func() error
}

func (a *App) onClose(name string, f func() error) { a.onCloseWithin(name, closeWait, f) }

func (a *App) onCloseWithin(name string, limit time.Duration, f func() error) {
	a.closers = append(a.closers, closer{name, limit, f})
}

// Serve runs the gate until ctx ends, which is not an error, or until the lane
// or a part it cannot do without fails for good; every other part that ends is
// started again. The lane stops first, so that no grant is pending, then its
// last orders reach the turnstile, whose driver makes the device inert. Whatever
// hangs is left behind: Serve is back within its bounds.
func (a *App) Serve(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	defer context.AfterFunc(ctx, a.manager.stop)()
	services, endServices := context.WithCancel(context.WithoutCancel(ctx))
	defer endServices()
	ended := make([]chan struct{}, len(a.services))
	for i, s := range a.services {
		ended[i] = make(chan struct{})
		go func() { // Serve waits for it, within bounds
			defer close(ended[i])
			if err := s.keep(services, defaultServiceRule(), a.log); err != nil {
				fail(err)
			}
		}()
	}
	errs := []error{a.serveLane(ctx, fail)}
	if a.barrier != nil && a.lane != nil {
		last, cancel := context.WithTimeout(services, ordersWait)
		if err := a.barrier.settle(last); err != nil {
			errs = append(errs, fmt.Errorf("give the turnstile its last orders: %w", err))
		}
		cancel()
	}
	endServices()
	errs = append(errs, a.await(ended))
	if why := context.Cause(ctx); !errors.Is(why, context.Canceled) {
		errs = append(errs, why)
	}
	return errors.Join(errs...)
}

// await waits for the services and names those that hang.
func (a *App) await(ended []chan struct{}) error {
	limit := time.NewTimer(serviceWait)
	defer limit.Stop()
	var hang []string
	for i, s := range a.services {
		select {
		case <-ended[i]:
			continue
		default:
		}
		select {
		case <-ended[i]:
		case <-limit.C:
			limit.Reset(0)
			hang = append(hang, s.name)
		}
	}
	if len(hang) == 0 {
		return nil
	}
	return fmt.Errorf("did not end in time and are left behind: %s", strings.Join(hang, ", "))
}

// serveLane runs the lane's loop, or where there is none what feeds the watchdog
// in its place, until ctx ends. A lane that ends by itself ends the gate: what
// it knew of a traveller is gone with it.
func (a *App) serveLane(ctx context.Context, fail context.CancelCauseFunc) error {
	s := &service{name: "lane", serve: func(ctx context.Context) error {
		a.lane.Post(gate.Fit(a.mono(), a.unfit.holds()))
		a.lane.Post(gate.Start(a.mono()))
		return a.lane.Serve(ctx)
	}}
	if a.lane == nil {
		s.serve = a.serveNoLane
	}
	done := make(chan struct{})
	go func() { // waited for below, within bounds
		defer close(done)
		if err := s.once(ctx, a.log); ctx.Err() == nil {
			fail(fmt.Errorf("lane ended: %w", cause(err)))
		}
	}()
	<-ctx.Done()
	limit := time.NewTimer(laneWait)
	defer limit.Stop()
	select {
	case <-done:
		return nil
	case <-limit.C:
		return errors.New("lane did not end in time and is left behind")
	}
}

// serveNoLane keeps a gate that can only say what it lacks from being started
// over and over.
func (a *App) serveNoLane(ctx context.Context) error {
	for pause(ctx, time.Second/2) {
		a.beat()
	}
	return ctx.Err()
}

func cause(err error) error {
	if err == nil {
		return errors.New("without a reason")
	}
	return err
}

// Close closes what New opened, last in first out, each step within its bound.
// Safe to call twice.
func (a *App) Close() error {
	var errs []error
	for _, c := range slices.Backward(a.closers) {
		if err := c.run(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", c.name, err))
		}
	}
	a.closers = nil
	return errors.Join(errs...)
}

func (c closer) run() error {
	done := make(chan error, 1)
	go func() { done <- c.close() }() // one that hangs is left behind
	limit := time.NewTimer(c.limit)
	defer limit.Stop()
	select {
	case err := <-done:
		return err
	case <-limit.C:
		return errors.New("it hangs and is left behind")
	}
}
