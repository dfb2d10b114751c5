package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"

	"bordergate/cmd/gatectl/doctor"
	"bordergate/configs"
)

func doctorCommands() []command {
	return []command{
		{words: "doctor", summary: "examine devices, models, keys, clock, disk and broker, each with its cure", run: runDoctor},
		{words: "selftest", summary: "have a running gated test itself now, each finding with its cure", run: runSelfTest},
		{words: "log level", summary: "set how much one part of a running gated logs, for a time", run: runLogLevel},
		{words: "log show", summary: "print the last lines of a running gated's log", run: runLogShow},
		{words: "explain", summary: "tell step by step why a transaction ended as it did", run: runExplain},
		{words: "support-bundle", summary: "pack what support needs to help, without secrets and personal data", run: runSupportBundle},
	}
}

// runDoctor ends with 1 where something is not well.
func runDoctor(ctx context.Context, e env, args []string) int {
	const words = "doctor"
	fs := newFlags(e, words)
	config := fs.String("config", "", "the gate's configuration file")
	asJSON := fs.Bool("json", false, "a JSON object a line, on standard output")
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if *config == "" || len(rest) > 0 {
		return unable(e, words, errors.New("name the gate: gatectl doctor --config FILE [--json]"))
	}
	list, err := examine(ctx, *config)
	if err != nil {
		return unable(e, words, err)
	}
	worst, enc := exitDone, lineEncoder(e)
	for _, c := range list {
		if !c.OK {
			worst = exitNegative
		}
		if *asJSON {
			err = enc.Encode(c)
		} else {
			_, err = fmt.Fprint(e.Out, checkLine(c))
		}
		if err != nil {
			return unable(e, words, fmt.Errorf("write result: %w", err))
		}
	}
	return worst
}

func checkLine(c doctor.Check) string {
	mark := "well"
	if !c.OK {
		mark = "ILL "
	}
	text := fmt.Sprintf("%s  %-18s %6.0f ms  %s\n", mark, c.Check, c.Millis, c.Detail)
	if c.Hint != "" {
		text += fmt.Sprintf("      %-18s    cure:  %s\n", "", c.Hint)
	}
	return text
}

// examine makes the checks. A file with faults ends the examination there: what
// it says of the devices cannot be believed.
func examine(ctx context.Context, file string) ([]doctor.Check, error) {
	cfg, faults := configs.LoadGate(file)
	if len(faults) > 0 && faults[0].Line == 0 {
		return nil, faults
	}
	if len(faults) > 0 {
		return configFaults(faults), nil
	}
	o := doctor.Options{Config: cfg, Version: version(), Program: func() (string, error) { return findVision(cfg.Vision.Program) }}
	if c := newControlClient(cfg.Paths.Control); c.alive(ctx) {
		o.Gated = c.get
	}
	o.Trust = func(ctx context.Context) (string, error) { return trustWell(ctx, cfg) }
	return append([]doctor.Check{{Check: "config", OK: true, Detail: file + " has no faults"}}, doctor.Run(ctx, o)...), nil
}

func configFaults(faults configs.Faults) []doctor.Check {
	var out []doctor.Check
	for _, f := range faults {
		hint := cmp.Or(f.Hint, "gatectl config explain "+f.Path)
		f.Hint = ""
		out = append(out, doctor.Check{Check: "config", Detail: f.Error(), Hint: hint})
	}
	return out
}

// trustWell says whose seals the gate believes.
func trustWell(ctx context.Context, cfg *configs.Gate) (string, error) {
	g, err := findTrust(ctx, cfg)
	if err != nil {
		return "", err
	}
	if g.Status.Fault != "" {
		return "", errors.New(g.Status.Fault)
	}
	t, err := g.trust(cfg.Trust)
	if err != nil {
		return "", err
	}
	if t.Signers() == 0 {
		return "", errors.New("nobody is believed: every pass is referred")
	}
	return fmt.Sprintf("%d signers, from %s", t.Signers(), g.Status.Source), nil
}

// findVision finds the cameras' program as gated does: beside this one first.
func findVision(name string) (string, error) {
	if filepath.Base(name) != name {
		_, err := os.Stat(name)
		return name, err
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), name)
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	return exec.LookPath(name)
}

func version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "unknown"
}

// runningGateOf is the control socket of a gate that must be running.
func runningGateOf(ctx context.Context, file string) (*controlClient, error) {
	cfg, faults := configs.LoadGate(file)
	if err := faults.Err(); err != nil {
		return nil, fmt.Errorf("load configuration: %w", err)
	}
	c := newControlClient(cfg.Paths.Control)
	if !c.alive(ctx) {
		return nil, fmt.Errorf("gated does not run here: nobody listens on %s", strings.TrimSpace(cfg.Paths.Control))
	}
	return c, nil
}
