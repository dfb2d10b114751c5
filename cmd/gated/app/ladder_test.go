package app

import (
	"context"
	"slices"
	"testing"
	"time"

	"bordergate/hal"
	"bordergate/sync/wire"
)

// TestLadderOfADevice has a device stay away for ten minutes and come back.
func TestLadderOfADevice(t *testing.T) {
	up, starts := true, 0
	work := &service{}
	ctx, cancel := context.WithCancelCause(t.Context())
	work.restart = cancel
	l := &ladder{name: "camera", up: func() bool { return up }, work: work}
	var noted []string
	c := &upkeep{ladders: []*ladder{l}, log: quiet(), note: func(_ wire.Stream, _ string, public any) { noted = append(noted, public.(deviceRecord).Event) }}
	now := time.Now()
	look := func(d time.Duration) {
		for range int(d / upkeepEvery) {
			now = now.Add(upkeepEvery)
			c.look(now)
			if ctx.Err() != nil {
				starts++
				ctx, cancel = context.WithCancelCause(t.Context())
				work.restart = cancel
			}
		}
	}
	look(time.Minute)
	if l.rung != "" || l.losses != 0 {
		t.Fatalf("a device that is well stands on rung %q after %d losses", l.rung, l.losses)
	}
	up = false
	var rungs []string
	for range int(10 * time.Minute / upkeepEvery) {
		look(upkeepEvery)
		if n := len(rungs); n == 0 || rungs[n-1] != l.rung {
			rungs = append(rungs, l.rung)
		}
	}
	if want := []string{rungRetry, rungReopen, rungRestart, rungGivenUp}; !slices.Equal(rungs, want) {
		t.Errorf("climbed %v, want %v", rungs, want)
	}
	if want := 3 + 4; starts != want { // three at 20 s, then one every two minutes
		t.Errorf("started anew %d times in ten minutes, want %d", starts, want)
	}
	if !slices.Equal(noted, []string{rungGivenUp}) {
		t.Errorf("on record %v", noted)
	}
	up = true
	look(upkeepEvery)
	up = false
	look(time.Second)
	d := Device{}
	l.tell(&d)
	if d.Rung != rungRetry || d.Losses != 2 || d.Restarts != 7 {
		t.Errorf("after its return %+v", d)
	}
}

func TestServiceIsStartedAgainOnPurpose(t *testing.T) {
	started := make(chan struct{}, 2)
	s := &service{name: "camera", serve: func(ctx context.Context) error {
		started <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.keep(ctx, defaultServiceRule(), quiet()) }()
	<-started
	s.again()
	<-started
	if err := s.fault(defaultServiceRule()); err != nil || s.total != 0 {
		t.Errorf("a restart on purpose counts as an end: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// stated is a turnstile of whom only the state is asked.
type stated struct {
	hal.Turnstile
	state hal.State
}

func (s *stated) Snapshot() hal.State { return s.state }

func TestOpenCabinetClosesTheLaneUntilItIsShut(t *testing.T) {
	a := New(goodStation(t), quiet())
	defer a.Close()
	dev := &stated{state: hal.State{Online: true}}
	a.barrier.dev = dev
	for _, c := range []struct {
		level hal.Level
		want  string
	}{{hal.Unknown, ""}, {hal.On, "tamper"}, {hal.Unknown, "tamper"}, {hal.Off, ""}} {
		dev.state.Inputs[hal.InputTamper].Level = c.level
		a.upkeep.tamper()
		if got := a.unfit.holds(); got != c.want {
			t.Errorf("level %v: cause %q, want %q", c.level, got, c.want)
		}
	}
}
