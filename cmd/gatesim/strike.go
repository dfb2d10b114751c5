package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"bordergate/cmd/gatesim/report"
	"bordergate/cmd/gatesim/station"
	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/sync/journal"
)

// How a worker is struck.
const (
	strikeKill = "kill"
	strikeHang = "hang"
)

// backLimit is how soon after its worker was struck a lane must serve again.
const backLimit = 2 * time.Second

// strike is one worker killed or stopped under a traveller.
type strike struct {
	N       int     `json:"n"`
	How     string  `json:"how"`
	Camera  string  `json:"camera"`
	AfterMS float64 `json:"after_ms"` // from the traveller's arrival
	BackMS  float64 `json:"back_ms"`  // from the signal to a lane that serves with all its cameras
	Outcome string  `json:"outcome"`  // of the traveller it hit
}

// strikeReport is the result of "gatesim crash --kills --hangs".
type strikeReport struct {
	Simulated bool     `json:"simulated"`
	OK        bool     `json:"ok"`
	Seed      uint64   `json:"seed"`
	Wanted    int      `json:"wanted"`
	LimitMS   float64  `json:"limit_ms"`
	Strikes   []strike `json:"strikes"`
	// Back is for each way of striking how soon the lane was back.
	Back     map[string]backTimes `json:"back"`
	Outcomes map[string]int       `json:"outcomes"`
	// Admitted counts the admissions in the journal, Incomplete those without a full decision before them.
	Admitted   int            `json:"admitted"`
	Incomplete int            `json:"incomplete"`
	Open       int            `json:"open"` // decided transactions without exactly one outcome
	Grants     int            `json:"grants"`
	Records    report.Records `json:"records"`
	Load       []string       `json:"load"` // of the machine, at the start and at the end
	Faults     []string       `json:"faults"`
}

// backTimes are in milliseconds.
type backTimes struct {
	Count  int     `json:"count"`
	Median float64 `json:"p50"`
	P95    float64 `json:"p95"`
	Max    float64 `json:"max"`
}

func (r *strikeReport) finish() {
	r.Back, r.Outcomes = map[string]backTimes{}, map[string]int{}
	times := map[string][]float64{}
	late := 0
	for _, s := range r.Strikes {
		times[s.How] = append(times[s.How], s.BackMS)
		r.Outcomes[s.Outcome]++
		if s.BackMS > r.LimitMS {
			late++
		}
	}
	for how, list := range times {
		slices.Sort(list)
		at := func(share float64) float64 { return list[int(share*float64(len(list)-1))] }
		r.Back[how] = backTimes{Count: len(list), Median: at(0.5), P95: at(0.95), Max: at(1)}
	}
	r.OK = r.Wanted > 0 && len(r.Strikes) == r.Wanted && late == 0 && r.Incomplete == 0 && r.Open == 0 && len(r.Faults) == 0 && r.Records.Whole()
}

// shareFilms gives everybody the first film of his face. Each keeps a pass of his own; how faces vary is not what is tried here.
func shareFilms(roles []role) {
	first := map[string]int{}
	for i, r := range roles {
		if k, ok := first[r.face.ID]; ok {
			roles[i].jobs[0] = roles[k].jobs[0]
			continue
		}
		first[r.face.ID] = i
	}
}

// strikes hits a worker under every traveller.
func (x *production) strikes(ctx context.Context, r *strikeReport, errOut io.Writer) error {
	rnd := rand.New(rand.NewPCG(x.seed, 0x571))
	hows := slices.Concat(slices.Repeat([]string{strikeKill}, x.o.kills), slices.Repeat([]string{strikeHang}, x.o.hangs))
	rnd.Shuffle(len(hows), func(i, k int) { hows[i], hows[k] = hows[k], hows[i] })
	for i, how := range hows {
		// Over the whole of a traveller's way: about 4.5 s.
		after := time.Duration(rnd.Int64N(int64(4500 * time.Millisecond)))
		s := strike{N: i + 1, How: how, AfterMS: float64(after.Microseconds()) / 1000}
		if err := x.strike(ctx, &s, x.roles[i], after, rnd.IntN(2)); err != nil {
			return fmt.Errorf("strike %d: %w", s.N, err)
		}
		r.Strikes = append(r.Strikes, s)
		fmt.Fprintf(errOut, "strike %d: %s of the %s worker after %.0f ms, lane back after %.0f ms, he: %s\n", s.N, s.How, s.Camera, s.AfterMS, s.BackMS, s.Outcome)
	}
	e, err := x.settle(ctx)
	if err != nil {
		return err
	}
	r.Records, r.Grants, r.Open = e.records, e.grants, unfinished(e.own)
	r.Admitted, r.Incomplete = complete(e.own)
	return nil
}

// strike lets a traveller come, hits a worker, and measures until the lane serves again.
func (x *production) strike(ctx context.Context, s *strike, v role, after time.Duration, worker int) error {
	if err := pause(ctx, x.scenario.Timing.Gap); err != nil {
		return err
	}
	a, err := v.actor(x.store)
	if err != nil {
		return err
	}
	before, err := x.station.Status(ctx)
	if err != nil {
		return err
	}
	walk, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() {
		res, err := x.stage().Walk(walk, a)
		s.Outcome = res.Event.Outcome
		done <- err
	}()
	err = pause(ctx, after)
	if err == nil {
		err = x.hit(ctx, s, before, worker)
	}
	if err != nil {
		stop()
		<-done
		return err
	}
	return <-done
}

func (x *production) hit(ctx context.Context, s *strike, before station.Status, worker int) error {
	sig := syscall.SIGKILL
	if s.How == strikeHang {
		sig = syscall.SIGSTOP
	}
	struck := time.Now()
	if !x.station.SignalWorker(worker, sig) {
		return errors.New("the gate has no such worker")
	}
	camera, err := x.station.WaitServing(ctx, before)
	s.Camera, s.BackMS = strings.TrimSuffix(camera, "_camera"), float64(time.Since(struck).Milliseconds())
	return err
}

// complete counts the admissions, and those that lack any part of a full decision.
func complete(own []journal.Line) (admitted, incomplete int) {
	decisions := map[string]int{}
	for _, l := range own {
		p := publicOf(l)
		if p.Outcome != reason.Admitted.String() {
			continue
		}
		switch l.Kind {
		case gate.EntryDecision:
			decisions[l.Tx]++
		case gate.EntryOutcome:
			admitted++
			if decisions[l.Tx] != 1 || !p.full() {
				incomplete++
			}
		}
	}
	return admitted, incomplete
}

// full tells that a decision had everything: pass, account, face, match and liveness, each before the verdict.
func (p public) full() bool {
	verdict, ok := p.Steps[gate.StepVerdict]
	for _, step := range []string{gate.StepSymbolDecoded, gate.StepSealVerified, gate.StepAccount, gate.StepFirstUsable} {
		at, done := p.Steps[step]
		ok = ok && done && at <= verdict
	}
	lived := p.Liveness == "live" || p.Liveness != "" && p.Enforced != nil && !*p.Enforced
	return ok && p.Frames > 0 && p.Threshold > 0 && p.Score >= p.Threshold && lived
}

// load is the machine's, as the system gives it.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}
