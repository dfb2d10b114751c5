package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"bordergate/cmd/gatesim/report"
	"bordergate/sync/wire"
)

// Report is what a fleet's run has shown. Times of suspensions are from
// headquarters' decision to the moment at which the gate refuses the account,
// on one machine's clock, as headquarters itself reports them.
type Report struct {
	Simulated bool    `json:"simulated"`
	OK        bool    `json:"ok"`
	Gates     int     `json:"gates"`
	OnDisk    bool    `json:"on_disk"`
	Broker    string  `json:"broker"`
	ComeMS    float64 `json:"come_ms"` // until the last gate was heard and up to date
	RampMS    float64 `json:"ramp_ms"` // of which they came one after another
	Lost      int64   `json:"connections_lost"`

	Suspensions int           `json:"suspensions"`
	EffectMS    report.Spread `json:"effect_ms"`  // of every gate and suspension
	SlowestMS   report.Spread `json:"slowest_ms"` // of each suspension's slowest gate
	Listed      int           `json:"listed"`     // gates that "hqd applied" lists as following the last one
	Inferred    int           `json:"inferred"`   // effects that headquarters has no report on
	Wrong       int           `json:"wrong"`      // accounts at a gate that are not what was decided

	Written int     `json:"records_written"`
	Stored  int     `json:"records_stored"`
	Seconds float64 `json:"seconds"` // of work

	LoadBefore string         `json:"load_before"`
	LoadAfter  string         `json:"load_after"`
	Machine    map[string]any `json:"machine"`
	Faults     []string       `json:"faults"`
}

func (r *Report) fault(format string, args ...any) {
	r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
}

// Run starts the fleet, suspends, lets it work and compares what is at
// headquarters.
func (f *Fleet) Run(ctx context.Context) (*Report, error) {
	r := &Report{
		Simulated: true, Gates: len(f.gates), OnDisk: f.o.OnDisk, RampMS: millis(f.o.Ramp), Suspensions: f.o.Suspensions,
		LoadBefore: load(), Faults: []string{},
	}
	if err := f.Start(ctx); err != nil {
		return nil, err
	}
	r.ComeMS = millis(time.Since(f.began))
	f.o.Say("fleet: %d gates in touch after %.1f s", len(f.gates), r.ComeMS/1e3)
	at := time.Now()
	if err := f.suspend(ctx, r); err != nil {
		return nil, err
	}
	wait := time.NewTimer(time.Until(at.Add(f.o.Hold)))
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-wait.C:
	}
	r.Seconds = time.Since(at).Seconds()
	r.LoadAfter = load()
	if err := f.Settle(ctx); errors.Is(err, ErrNotReady) {
		r.fault("%v", err)
	} else if err != nil {
		return nil, err
	}
	if err := f.compare(ctx, r); err != nil {
		return nil, err
	}
	r.OK = len(r.Faults) == 0 && r.Wrong == 0 && r.Inferred == 0 && r.Stored == r.Written && (r.Suspensions == 0 || r.Listed == r.Gates)
	return r, nil
}

// order is a suspension as hqd takes it.
type order struct {
	Action  string `json:"action"`
	Account string `json:"account"`
	By      string `json:"by"`
	Role    string `json:"role"`
	Ground  string `json:"ground"`
}

// applied is the part of hqd's answer that counts here.
type applied struct {
	All   bool `json:"all"`
	Gates []struct {
		Gate     string  `json:"gate"`
		Applied  bool    `json:"applied"`
		Millis   float64 `json:"millis"`
		Inferred bool    `json:"inferred"`
	} `json:"gates"`
}

// suspend decides one account after another, each once every gate follows the
// one before.
func (f *Fleet) suspend(ctx context.Context, r *Report) error {
	ours := make(map[string]bool, len(f.gates))
	for _, g := range f.gates {
		ours[g.name] = true
	}
	var all, slowest []float64
	var last string
	for i, account := range f.accounts[:f.o.Suspensions] {
		answer, err := f.hq.Post(ctx, "/decide", order{
			string(wire.ActionSuspend), account, "Simulated Office", string(wire.DeciderCommander), string(wire.GroundSecurity),
		})
		var d struct{ Decision string }
		if err == nil {
			err = json.Unmarshal(answer, &d)
		}
		if err != nil {
			return fmt.Errorf("suspend: %w", err)
		}
		var a applied
		if err := f.hq.Get(ctx, "/applied?wait=30s&decision="+d.Decision, &a); err != nil {
			return fmt.Errorf("suspend: %w", err)
		}
		n, most := 0, 0.0
		for _, g := range a.Gates {
			switch {
			case !ours[g.Gate] || !g.Applied:
			case g.Inferred:
				n++
				r.Inferred++
			default:
				n++
				all, most = append(all, g.Millis), max(most, g.Millis)
			}
		}
		if n < len(f.gates) {
			r.fault("suspension %d: %d of %d gates follow after 30 s", i+1, n, len(f.gates))
		}
		slowest, last = append(slowest, most), d.Decision
	}
	r.EffectMS, r.SlowestMS = report.SpreadOf(all), report.SpreadOf(slowest)
	if last == "" {
		return nil
	}
	return f.listed(ctx, r, last, ours)
}

// listed has the command itself say who follows.
func (f *Fleet) listed(ctx context.Context, r *Report, decision string, ours map[string]bool) error {
	out, err := f.hq.Command(ctx, "applied", "--decision", decision)
	if len(out) == 0 && err != nil {
		return err
	}
	var a applied
	if err := json.Unmarshal(out, &a); err != nil {
		return fmt.Errorf("read hqd applied: %w", err)
	}
	for _, g := range a.Gates {
		if ours[g.Gate] && g.Applied {
			r.Listed++
		}
	}
	return nil
}

// compare sets what the gates hold beside what headquarters holds.
func (f *Fleet) compare(ctx context.Context, r *Report) error {
	st, err := f.hq.Status(ctx)
	if err != nil {
		return err
	}
	r.Broker = f.hq.Broker
	stored := make(map[string]uint64, len(st.Gates))
	for _, g := range st.Gates {
		stored[g.Gate] = g.Stored[wire.StreamCrossing.String()]
	}
	for _, g := range f.gates {
		n := g.written.Load()
		r.Written, r.Stored, r.Lost = r.Written+int(n), r.Stored+int(stored[g.name]), r.Lost+g.lost.Load()
		if stored[g.name] != n {
			r.fault("gate %s wrote %d records, headquarters has %d", g.name, n, stored[g.name])
		}
		if err := g.fatal.Load(); err != nil {
			r.fault("gate %s: %v", g.name, *err)
		}
		for i, account := range f.accounts {
			want := wire.StatusActive
			if i < f.o.Suspensions {
				want = wire.StatusSuspended
			}
			if g.status(account) != want {
				r.Wrong++
			}
		}
	}
	return nil
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// load is the machine's load over 1, 5 and 15 minutes.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	words := strings.Fields(string(b))
	return strings.Join(words[:min(3, len(words))], " ")
}
