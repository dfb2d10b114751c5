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
	"time"

	"bordergate/cmd/gatesim/report"
)

// laneReport is a campaign's result: the stands', and the leg with the real
// daemon added to it.
type laneReport struct {
	Seed       uint64     `json:"seed"`
	Runs       int        `json:"runs"`
	Lost       int        `json:"lost"`
	Duplicated int        `json:"duplicated"`
	Wrong      int        `json:"wrong"`
	Unsafe     int        `json:"unsafe"`
	Detail     laneDetail `json:"detail"`
}

type laneDetail struct {
	Stands json.RawMessage `json:"stands"`
	Gate   *gateLeg        `json:"gate,omitempty"`
}

// gateLeg is the scenario that the real daemon was put through.
type gateLeg struct {
	Scenario   string         `json:"scenario"`
	Travellers int            `json:"travellers"`
	AsExpected int            `json:"as_expected"`
	Records    report.Records `json:"records"`
	Faults     []string       `json:"faults"`
}

// soakLane is "gatesim soak lane". The stands are of the daemon's own parts,
// which this program must not share: they are a program of their own.
func soakLane(ctx context.Context, args []string, out, errOut io.Writer) (bool, error) {
	fs := flag.NewFlagSet("gatesim soak lane", flag.ContinueOnError)
	fs.SetOutput(errOut)
	seed := fs.Uint64("seed", 1, "seed of what breaks, and where")
	long := fs.Duration("for", 4*time.Minute, "how long stands are broken")
	stands := fs.String("stands", "bin/.bench/lane.test", "program of the stands")
	gate := fs.Bool("gate", true, "play the scenario faults with the real daemon too")
	file := fs.String("report", "out/soak-lane.json", "result to write")
	dir := fs.String("out", "out/soak/lane", "folder made anew; it must be under a folder called out")
	if err := fs.Parse(args); err != nil {
		return false, err
	}
	switch {
	case fs.NArg() > 0:
		return false, fmt.Errorf("%q is not wanted here", fs.Arg(0))
	case *long < time.Second || *long > 24*time.Hour:
		return false, errors.New("--for: 1s to 24h")
	}
	if err := (options{out: *dir}).fresh(); err != nil {
		return false, err
	}
	fmt.Fprintf(errOut, "soak: seed %d, %v\n", *seed, *long)
	r, err := brokenStands(ctx, *stands, *dir, *seed, *long, errOut)
	if err != nil {
		return false, err
	}
	if *gate {
		if err := r.addGate(ctx, filepath.Join(*dir, "gate"), errOut); err != nil {
			return false, err
		}
	}
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return false, fmt.Errorf("write result: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(*file), 0o755); err != nil {
		return false, fmt.Errorf("write result: %w", err)
	}
	if err := os.WriteFile(*file, append(b, '\n'), 0o644); err != nil {
		return false, fmt.Errorf("write result: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s\n", b)
	return r.Lost+r.Duplicated+r.Wrong+r.Unsafe == 0, err
}

// brokenStands runs the stands' program. It says what it found in its file; its
// own words go to a log.
func brokenStands(ctx context.Context, program, dir string, seed uint64, long time.Duration, errOut io.Writer) (*laneReport, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, fmt.Errorf("find stands: %w", err)
	}
	file, err := filepath.Abs(filepath.Join(dir, "stands.json"))
	if err != nil {
		return nil, fmt.Errorf("find stands: %w", err)
	}
	log, err := os.Create(filepath.Join(dir, "stands.log"))
	if err != nil {
		return nil, fmt.Errorf("run stands: %w", err)
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, program, "-test.run", "^TestLaneSoak$", "-test.timeout", (long + 10*time.Minute).String(),
		"-lane.for", long.String(), "-lane.seed", fmt.Sprint(seed), "-lane.out", file)
	cmd.Stdout, cmd.Stderr = log, log
	ran := cmd.Run()
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("run stands (make soak PART=lane builds them; see %s): %w", log.Name(), errors.Join(ran, err))
	}
	var found struct {
		laneReport
		Detail json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal(b, &found); err != nil {
		return nil, fmt.Errorf("read what the stands found: %w", err)
	}
	r := found.laneReport
	r.Detail = laneDetail{Stands: found.Detail}
	fmt.Fprintf(errOut, "soak: %d travellers at stands: lost %d, duplicated %d, wrong %d, unsafe %d\n", r.Runs, r.Lost, r.Duplicated, r.Wrong, r.Unsafe)
	return &r, nil
}

// addGate plays the scenario with the real daemon.
func (r *laneReport) addGate(ctx context.Context, dir string, errOut io.Writer) error {
	file := filepath.Join(dir, "report.json")
	_, err := runCommand(ctx, []string{"--scenario", "faults", "--out", dir, "--report", file}, errOut, errOut)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	var played report.Report
	if err := json.Unmarshal(b, &played); err != nil {
		return fmt.Errorf("read report: %w", err)
	}
	r.add(&played)
	return nil
}

// add counts what the run with the real daemon found.
func (r *laneReport) add(p *report.Report) {
	leg := &gateLeg{Scenario: "faults", Travellers: p.Summary.Travellers, AsExpected: p.Summary.AsExpected, Records: p.Records, Faults: p.Faults}
	for _, t := range p.Travellers {
		for _, f := range t.Faults {
			leg.Faults = append(leg.Faults, fmt.Sprintf("traveller %d: %s", t.N, f))
		}
	}
	r.Runs += leg.Travellers
	r.Wrong += leg.Travellers - leg.AsExpected + p.Records.Unknown + len(p.Faults)
	r.Lost += p.Records.Missing
	r.Duplicated += p.Records.Doubled
	r.Unsafe += p.Records.NotDurable
	r.Detail.Gate = leg
}
