package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"bordergate/cmd/gatesim/play"
	"bordergate/cmd/gatesim/report"
	"bordergate/gate/reason"
)

// Whom a crash hits.
const (
	hitDaemon = "gated"
	hitWorker = "gatevision" // either of the two
)

// kill is one crash.
type kill struct {
	N         int      `json:"n"`
	Target    string   `json:"target"`
	AfterMS   float64  `json:"after_ms"`   // from the traveller's arrival
	RestartMS float64  `json:"restart_ms"` // from the kill to a gate that is ready
	Outcome   string   `json:"outcome"`    // of the traveller it hit, where he had one
	Pending   int      `json:"pending"`    // unlock pulses or outputs after the kill without a traveller
	Next      string   `json:"next"`       // outcome of the next traveller
	NextWhy   []string `json:"next_faults"`
}

// crashReport is the result of "gatesim crash".
type crashReport struct {
	Simulated bool           `json:"simulated"`
	OK        bool           `json:"ok"`
	Seed      uint64         `json:"seed"`
	Times     int            `json:"times"`
	Kills     []kill         `json:"kills"`
	Pending   int            `json:"pending"`
	Unserved  int            `json:"unserved"` // travellers after a crash who should have passed and did not
	Open      int            `json:"open"`     // decided transactions without exactly one outcome
	Grants    int            `json:"grants"`   // unlock pulses in the board's log
	Records   report.Records `json:"records"`
	Faults    []string       `json:"faults"`
}

func (r *crashReport) finish() {
	for _, k := range r.Kills {
		r.Pending += k.Pending
		if k.Next != reason.Admitted.String() {
			r.Unserved++
		}
	}
	r.OK = len(r.Kills) == r.Times && r.Times > 0 && r.Pending == 0 && r.Unserved == 0 && r.Open == 0 && len(r.Faults) == 0 && r.Records.Whole()
}

// crashCommand is "gatesim crash".
func crashCommand(ctx context.Context, args []string, out, errOut io.Writer) (bool, error) {
	o, err := parseCrash(args, errOut)
	if err != nil {
		return false, err
	}
	if o.report == "" {
		o.report = filepath.Join(o.out, "crash.json")
	}
	if o.seed == 0 {
		o.seed = rand.Uint64() >> 12
	}
	o.travellers = 2 * o.times
	if o.kills+o.hangs > 0 {
		o.travellers = o.kills + o.hangs
	}
	x, err := prepare(ctx, o, progress{errOut})
	if err != nil {
		return false, err
	}
	defer x.close()
	// A live traveller who is referred would tell nothing of the crash.
	x.scenario.Policy.Enforce = false
	if err := x.open(ctx, progress{errOut}); err != nil {
		return false, err
	}
	var result any
	var good bool
	if o.kills+o.hangs > 0 {
		r := &strikeReport{Simulated: true, Seed: x.seed, Wanted: o.kills + o.hangs, LimitMS: float64(backLimit.Milliseconds()), Faults: []string{}, Load: []string{load()}}
		if err := x.strikes(ctx, r, errOut); err != nil {
			r.Faults = append(r.Faults, err.Error())
		}
		r.Load = append(r.Load, load())
		r.finish()
		result, good = r, r.OK
	} else {
		r := &crashReport{Simulated: true, Seed: x.seed, Times: o.times, Faults: []string{}}
		if err := x.crashes(ctx, r, errOut); err != nil {
			r.Faults = append(r.Faults, err.Error())
		}
		r.finish()
		result, good = r, r.OK
	}
	b, err := json.MarshalIndent(result, "", " ")
	if err != nil {
		return false, fmt.Errorf("write result: %w", err)
	}
	fmt.Fprintf(out, "%s\n", b)
	if err := os.WriteFile(o.report, append(b, '\n'), 0o644); err != nil {
		return false, fmt.Errorf("write result: %w", err)
	}
	return good, ctx.Err()
}

// crashes kills something under every other traveller and lets the next one
// pass in peace.
func (x *production) crashes(ctx context.Context, r *crashReport, errOut io.Writer) error {
	rnd := rand.New(rand.NewPCG(x.seed, 0xdead))
	for i := range r.Times {
		k := kill{N: i + 1, Target: hitDaemon}
		if i%2 == 1 {
			k.Target = hitWorker
		}
		// Over the whole of a traveller's way: about 4.5 s.
		after := time.Duration(rnd.Int64N(int64(4500 * time.Millisecond)))
		k.AfterMS = float64(after.Microseconds()) / 1000
		worker := i / 2 % 2
		if err := x.crash(ctx, &k, x.roles[2*i], after, worker); err != nil {
			return fmt.Errorf("crash %d: %w", k.N, err)
		}
		if err := x.peace(ctx, &k, x.roles[2*i+1]); err != nil {
			return fmt.Errorf("after crash %d: %w", k.N, err)
		}
		r.Kills = append(r.Kills, k)
		fmt.Fprintf(errOut, "crash %d: %s after %.0f ms, ready again after %.0f ms, he: %s, next: %s\n", k.N, k.Target, k.AfterMS, k.RestartMS, k.Outcome, k.Next)
	}
	e, err := x.settle(ctx)
	if err != nil {
		return err
	}
	r.Records, r.Grants, r.Open = e.records, e.grants, unfinished(e.own)
	return nil
}

// crash lets a traveller come and kills something under him.
func (x *production) crash(ctx context.Context, k *kill, v role, after time.Duration, worker int) error {
	a, err := v.actor(x.store)
	if err != nil {
		return err
	}
	walk, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan play.Result, 1)
	go func() {
		res, _ := x.stage().Walk(walk, a) // ended by stop, or finished
		done <- res
	}()
	if err := pause(ctx, after); err != nil {
		stop()
		<-done
		return err
	}
	struck := time.Now()
	if k.Target == hitDaemon {
		return x.killDaemon(ctx, k, struck, stop, done)
	}
	hit := x.station.SignalWorker(worker, syscall.SIGKILL)
	res := <-done
	k.Outcome = res.Event.Outcome
	if !hit {
		return errors.New("the gate has no such worker")
	}
	err = x.station.WaitReady(ctx)
	k.RestartMS = float64(time.Since(struck).Milliseconds())
	k.Pending = max(len(res.Unlocks)-1, 0)
	return err
}

// killDaemon kills gated, sends the traveller away and starts it again. From
// the kill on, nothing may be released.
func (x *production) killDaemon(ctx context.Context, k *kill, struck time.Time, stop context.CancelFunc, done <-chan play.Result) error {
	x.station.KillGate()
	before := len(x.hw.board.Grants())
	stop()
	k.Outcome = (<-done).Event.Outcome
	x.stage().Clear()
	err := x.station.StartGate(ctx)
	k.RestartMS = float64(time.Since(struck).Milliseconds())
	k.Pending = len(x.hw.board.Grants()) - before
	for _, ch := range []int{0, 1} {
		if x.hw.board.Outputs()[ch] {
			k.Pending++
		}
	}
	return err
}

// peace lets a traveller pass.
func (x *production) peace(ctx context.Context, k *kill, v role) error {
	if err := pause(ctx, x.scenario.Timing.Gap); err != nil {
		return err
	}
	a, err := v.actor(x.store)
	if err != nil {
		return err
	}
	res, err := x.stage().Walk(ctx, a)
	if err != nil {
		return err
	}
	t := x.line(v, res)
	k.Next, k.NextWhy = t.Outcome, t.Faults
	return nil
}
