package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// What was asked for: suspensions take effect at a gate within so many
// milliseconds, and at the slowest of so many gates.
const (
	goalEffect      = 50.0
	goalSlowest     = 1000.0
	goalGates       = 500
	goalSuspensions = 300
)

// suspension measures the way of a suspension from headquarters' decision to
// the gates' refusal, through mosquitto.
type suspension struct{ gates, alone, together int }

func (s *suspension) flags(fs *flag.FlagSet) {
	fs.IntVar(&s.gates, "suspension-gates", goalGates, "gates of the fleet")
	fs.IntVar(&s.alone, "suspension-alone", 400, "suspensions with one gate, which has gated's own replica")
	fs.IntVar(&s.together, "suspension-together", 40, "suspensions with the fleet")
}

// fleetReport is the part of "gatesim fleet"'s report that counts here.
type fleetReport struct {
	OK        bool     `json:"ok"`
	Gates     int      `json:"gates"`
	Listed    int      `json:"listed"`
	EffectMS  fleetMS  `json:"effect_ms"`
	SlowestMS fleetMS  `json:"slowest_ms"`
	Load      string   `json:"load_after"`
	Faults    []string `json:"faults"`
}

type fleetMS struct {
	N                  int
	P50, P95, P99, Max float64
}

func (s *suspension) measure(ctx context.Context, o syncOptions, out, progress io.Writer) ([]row, bool, error) {
	one, err := fleetRun(ctx, o, progress, "one", "--gates", "1", "--suspensions", strconv.Itoa(s.alone), "--disk", "--for", "1s")
	if err != nil {
		return nil, false, err
	}
	all, err := fleetRun(ctx, o, progress, "all", "--gates", strconv.Itoa(s.gates), "--suspensions", strconv.Itoa(s.together))
	if err != nil {
		return nil, false, err
	}
	fmt.Fprintf(out, "\ndecision to effect through mosquitto, ms %21s %8s %8s %8s %8s\n", "n", "p50", "p95", "p99", "max")
	for _, l := range []struct {
		name string
		ms   fleetMS
	}{{"one gate with its own replica", one.EffectMS}, {"every gate of the fleet", all.EffectMS}, {"the fleet's slowest gate", all.SlowestMS}} {
		fmt.Fprintf(out, "%-52s %10d %8.1f %8.1f %8.1f %8.1f\n", l.name, l.ms.N, l.ms.P50, l.ms.P95, l.ms.P99, l.ms.Max)
	}
	fmt.Fprintf(out, "hqd applied lists %d of %d gates; load %s and %s\n", all.Listed, all.Gates, one.Load, all.Load)
	whole := s.gates >= goalGates && s.alone >= goalSuspensions
	return []row{
		{Name: "suspension at one gate, p99", Value: one.EffectMS.P99, Unit: "ms", Goal: "<= 50", OK: one.EffectMS.P99 <= goalEffect},
		{Name: fmt.Sprintf("suspension at the slowest of %d gates", all.Gates), Value: all.SlowestMS.Max, Unit: "ms", Goal: "<= 1000", OK: all.SlowestMS.Max <= goalSlowest},
		{
			Name: "gates that hqd applied lists", Value: float64(all.Listed), Unit: "gates",
			Goal: "= " + strconv.Itoa(all.Gates), OK: all.Listed == all.Gates && all.OK && one.OK,
		},
	}, whole, nil
}

// fleetRun plays one fleet. Its status says whether all was well, and so does
// its report, which is there in either case.
func fleetRun(ctx context.Context, o syncOptions, progress io.Writer, name string, args ...string) (fleetReport, error) {
	dir := filepath.Join(o.work, "suspension-"+name)
	cmd := exec.CommandContext(ctx, filepath.Join(o.bin, "gatesim"), append([]string{"fleet", "--mosquitto", "--bin", o.bin, "--out", dir}, args...)...)
	cmd.Stderr = progress
	var r fleetReport
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		return r, fmt.Errorf("run gatesim fleet: %w", err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return r, fmt.Errorf("read the fleet's report: %w", err)
	}
	return r, nil
}
