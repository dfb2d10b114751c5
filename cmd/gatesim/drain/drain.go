package drain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"bordergate/cmd/gatesim/bare"
	"bordergate/cmd/gatesim/line"
	"bordergate/cmd/gatesim/station"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// Options of a run.
type Options struct {
	Dir      string // made anew by the caller
	Bin      string // folder of hqd
	Records  int    // in the journal when the link comes up
	RTT      time.Duration
	LiveRate int           // records a second while it drains
	Commits  int           // timed before and after
	Limit    time.Duration // for the drain
	Progress io.Writer
}

// Quantiles of durations, ms.
type Quantiles struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Report is the result.
type Report struct {
	Simulated bool      `json:"simulated"`
	Records   int       `json:"records"`
	RTTms     float64   `json:"rtt_ms"`
	Bytes     int64     `json:"journal_bytes"`
	FillRate  float64   `json:"fill_rate"`  // records/s into the journal
	DrainRate float64   `json:"drain_rate"` // records/s to headquarters, from the link's start to its acknowledgement of the last
	Seconds   float64   `json:"drain_seconds"`
	Live      Quantiles `json:"live_late"`   // until headquarters knew it
	LiveAlarm Quantiles `json:"alarm_late"`  // the same of the other stream
	Missed    int       `json:"live_missed"` // live records that it did not know by the end of the drain
	Before    Quantiles `json:"commit_before"`
	During    Quantiles `json:"commit_during"`
	After     Quantiles `json:"commit_after"`
	Pruning   float64   `json:"prune_seconds"`
}

const gateName = "drain-1"

type run struct {
	o    Options
	hq   *station.Headquarters
	gate *bare.Gate
	r    Report

	acked atomic.Uint64 // crossings
	full  chan struct{} // closed when the backlog is acknowledged
	goal  uint64
}

// Run measures once.
func Run(ctx context.Context, o Options) (Report, error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	x := &run{o: o, full: make(chan struct{}), goal: uint64(o.Records), r: Report{
		Simulated: true, Records: o.Records, RTTms: float64(o.RTT.Microseconds()) / 1000,
	}}
	var err error
	if x.hq, err = station.NewHeadquarters(ctx, filepath.Join(o.Dir, "hq"), o.Bin); err != nil {
		return x.r, err
	}
	dir := filepath.Join(o.Dir, gateName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return x.r, err
	}
	request, err := bare.Init(dir, gateName)
	if err != nil {
		return x.r, err
	}
	if err := x.hq.AddGate(ctx, request); err != nil {
		return x.r, err
	}
	if err := x.hq.Start(ctx); err != nil {
		return x.r, err
	}
	defer x.hq.Stop()
	l, err := line.New(line.Options{To: x.hq.Address, Delay: o.RTT / 2})
	if err != nil {
		return x.r, err
	}
	defer l.Close()
	if x.gate, err = bare.Open(bare.Options{
		Dir: dir, Name: gateName, Broker: "tcp://" + l.Address(), Bundle: x.hq.Bundle, Fingerprint: x.hq.Fingerprint,
		OnAck: x.onAck,
	}); err != nil {
		return x.r, err
	}
	defer x.gate.Close() //nolint:errcheck // a run's own file
	return x.r, x.play(ctx)
}

func (x *run) say(format string, a ...any) { fmt.Fprintf(x.o.Progress, "drain: "+format+"\n", a...) }

func (x *run) onAck(a wire.Ack) {
	if a.Stream != wire.StreamCrossing.String() {
		return
	}
	if before := x.acked.Swap(a.Cum); before < x.goal && a.Cum >= x.goal {
		close(x.full)
	}
}

func (x *run) play(ctx context.Context) error {
	if err := x.fill(ctx); err != nil {
		return fmt.Errorf("fill journal: %w", err)
	}
	var err error
	if x.r.Before, err = x.commits(ctx, x.o.Commits); err != nil {
		return err
	}
	x.say("%d records in the journal, %.0f a second; commit before: %+v ms", x.o.Records, x.r.FillRate, x.r.Before)
	if err := x.drain(ctx); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	start := time.Now()
	for _, r := range x.gate.Journal.Ranges() {
		if err := x.gate.Journal.Prune(ctx, r.Stream, r.Acked); err != nil {
			return err
		}
	}
	x.r.Pruning = time.Since(start).Seconds()
	x.r.After, err = x.commits(ctx, x.o.Commits)
	return err
}

// public and personal are about as long as those of a real crossing.
func draft(n int) journal.Draft {
	return journal.Draft{
		Stream: wire.StreamCrossing, Kind: "decision", Class: vault.ClassCrossing,
		Public:   map[string]any{"outcome": "admitted", "reasons": []string{}, "crossing": "HNG1", "direction": "exit", "score": 0.71, "n": n, "steps_us": map[string]int{"pass": 812345, "face": 1423456, "decision": 1423999}},
		Personal: fmt.Appendf(nil, `{"pass":"BP%010d","account":"a%08d","name":"NGUYEN VAN A","born":"1990-01-01","valid_to":"2027-01-01"}`, n, n%100000),
	}
}

// fill writes the backlog as fast as the journal takes it.
func (x *run) fill(ctx context.Context) error {
	start := time.Now()
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	room := make(chan struct{}, 900) // below the journal's queue
	for n := 0; n < x.o.Records && ctx.Err() == nil && failed.Load() == nil; n++ {
		room <- struct{}{}
		wg.Add(1)
		err := x.gate.Journal.AppendAsync(draft(n), func(_ journal.Position, err error) {
			if err != nil {
				failed.Store(&err)
			}
			<-room
			wg.Done()
		})
		if err != nil {
			<-room
			wg.Done()
			return err
		}
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	x.r.FillRate = float64(x.o.Records) / time.Since(start).Seconds()
	x.r.Bytes, _ = x.gate.Journal.Usage()
	return ctx.Err()
}

// commits times n appends, one after another.
func (x *run) commits(ctx context.Context, n int) (Quantiles, error) {
	var took []time.Duration
	for i := range n {
		start := time.Now()
		d := draft(i)
		d.Stream = wire.StreamAlarm
		if _, err := x.gate.Journal.Append(ctx, d); err != nil {
			return Quantiles{}, err
		}
		took = append(took, time.Since(start))
	}
	return quantiles(took), nil
}

func quantiles(d []time.Duration) Quantiles {
	if len(d) == 0 {
		return Quantiles{}
	}
	d = slices.Sorted(slices.Values(d))
	at := func(q float64) float64 {
		return float64(d[min(int(q*float64(len(d))), len(d)-1)].Microseconds()) / 1000
	}
	return Quantiles{N: len(d), P50: at(0.5), P95: at(0.95), P99: at(0.99), Max: at(1)}
}

// drain brings the link up and waits until headquarters has the backlog.
func (x *run) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, x.o.Limit, errors.New("the backlog was not drained in time"))
	defer cancel()
	start := time.Now()
	var wg sync.WaitGroup
	wg.Go(func() { _ = x.gate.Serve(ctx) })
	defer wg.Wait()
	defer cancel()
	live := newLive(x)
	wg.Go(func() { live.walk(ctx) })
	wg.Go(func() { live.watch(ctx) })
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			x.say("at %d when time was up; link %+v", x.acked.Load(), x.gate.Link.Status())
			return context.Cause(ctx)
		case <-tick.C:
			x.say("%.0f s: %d of %d at headquarters, live late %s", time.Since(start).Seconds(), x.acked.Load(), x.goal, live.now())
		case <-x.full:
			x.r.Seconds = time.Since(start).Seconds()
			x.r.DrainRate = float64(x.goal) / x.r.Seconds
			live.conclude(&x.r)
			x.say("drained in %.1f s; link %+v", x.r.Seconds, x.gate.Link.Status())
			return nil
		}
	}
}
