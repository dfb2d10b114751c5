package replica

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"bordergate/sync/wire"
)

// fill has the gate filled and leaves headquarters again.
func (g *gateEnd) fill(ctx context.Context, n int) error {
	end, err := g.connect(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := g.reached(ctx, n); err != nil {
		return err
	}
	g.lane.known.Store(int64(n))
	g.say(Event{What: "filled"})
	return nil
}

// follow comes back to headquarters and measures until everything is here. The
// first two accounts are suspended on the way.
func (g *gateEnd) follow(ctx context.Context, n int) error {
	debug.FreeOSMemory()
	var m Memory
	var err error
	if m.Before, err = anonymous(); err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	start := time.Now()
	end, err := g.connect(ctx)
	if err != nil {
		return err
	}
	defer end()
	wg.Go(func() { g.lane.serve(working) })
	wg.Go(func() { m.watch(working) })
	for i, name := range []string{"refused_in_transfer", "refused_in_installation"} {
		wg.Go(func() { g.refused(working, Account(i), name) })
	}
	g.say(Event{What: "start", At: start})
	if err := g.reached(ctx, n); err != nil {
		return err
	}
	g.say(Event{What: "caught"})
	stop()
	wg.Wait()
	if m.After, err = anonymous(); err != nil {
		return err
	}
	for i := range 2 {
		if a, _, err := g.replica.Lookup(Account(i)); err != nil || a.Status != wire.StatusSuspended {
			return fmt.Errorf("account %d, suspended on the way, is %s now: %w", i, a.Status, err)
		}
	}
	measures, err := g.lane.measures()
	g.say(Event{What: "followed", Measures: measures, Memory: &m, Bytes: g.replica.Stats().Bytes})
	g.lane.known.Store(int64(n))
	return err
}

// watch follows anonymous memory.
func (m *Memory) watch(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if now, err := anonymous(); err == nil {
			m.Peak = max(m.Peak, now)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// refused says when an account is suspended.
func (g *gateEnd) refused(ctx context.Context, account, name string) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if a, _, err := g.replica.Lookup(account); err == nil && a.Status == wire.StatusSuspended {
			g.say(Event{What: name})
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// rest measures a gate that has nothing else to do: for ten seconds at the pace
// of before, then look-ups one after another, each of another account.
func (g *gateEnd) rest(ctx context.Context, n int) error {
	working, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	g.lane.serve(working)
	paced, err := g.lane.measures()
	if err != nil {
		return err
	}
	const lookUps, stride = 200_000, 7_919
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for i := range min(lookUps, 2*n) {
		if err := g.lane.lookUp((i * stride) % n); err != nil {
			return err
		}
	}
	row, err := g.lane.measures()
	if err != nil {
		return err
	}
	g.say(Event{What: "paced", Measures: paced})
	g.say(Event{What: "row", Measures: row})
	return nil
}
