package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"bordergate/cmd/gatebench/replica"
)

type accountsOptions struct {
	hqd, peer, out, dir string
	accounts            int
}

func accounts(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	var o accountsOptions
	fs := flag.NewFlagSet("gatebench accounts", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.hqd, "hqd", "bin/hqd", "headquarters' program")
	fs.StringVar(&o.peer, "peer", "bin/.bench/sqlite", "the peer's program; empty: none")
	fs.StringVar(&o.out, "out", "out/bench.json", "file of results")
	fs.StringVar(&o.dir, "dir", "out/bench-accounts", "folder of both sides, made anew and removed; 3 KB an account")
	fs.IntVar(&o.accounts, "accounts", 1_000_000, "accounts, at least 1000; only the results of a million are kept")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if o.accounts < 1000 {
		return fmt.Errorf("measure %d accounts: want 1000 or more", o.accounts)
	}
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(o.dir), os.MkdirAll(o.dir, 0o700)); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	t, err := o.transfer(ctx, stderr)
	if err == nil {
		err = o.askPeer(ctx, t, stderr)
	}
	if err != nil {
		return fmt.Errorf("%w (the folder %s stays for a look)", err, o.dir)
	}
	if err := os.RemoveAll(o.dir); err != nil {
		return fmt.Errorf("remove folder: %w", err)
	}
	t.print(stdout)
	return conclude(stdout, o.out, "accounts", t.rows(), o.accounts == goalAccounts)
}

// transfers is what one snapshot's way came to.
type transfers struct {
	accounts           int
	enrolled, making   time.Duration
	made               replica.Made
	at                 map[string]time.Time
	suspended          map[string]time.Time // when the command began
	during, paced, row replica.Measures
	memory             replica.Memory
	bytes              int64
	stored             float64 // by the peer, s
	peer50, peer99     float64
	peerBytes          int64
}

// transfer has a gate follow from a tenth of the accounts to all.
func (o accountsOptions) transfer(ctx context.Context, progress io.Writer) (t *transfers, err error) {
	office, err := replica.NewOffice(ctx, o.hqd, o.dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, office.Close()) }()
	t = &transfers{accounts: o.accounts, at: map[string]time.Time{}, suspended: map[string]time.Time{}}
	first := o.accounts / 10
	fmt.Fprintf(progress, "bench: enrolling %d accounts\n", first)
	if err := office.Enrol(ctx, 0, first); err != nil {
		return nil, err
	}
	gate, err := startGate(ctx, office.Setup())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, gate.close()) }()
	if _, err := gate.do("fill", first, "filled", nil); err != nil {
		return nil, err
	}
	fmt.Fprintf(progress, "bench: enrolling the other %d\n", o.accounts-first)
	start := time.Now()
	if err := office.Enrol(ctx, first, o.accounts); err != nil {
		return nil, err
	}
	t.enrolled = time.Since(start)
	fmt.Fprintf(progress, "bench: making the snapshot\n")
	start = time.Now()
	if t.made, err = office.Snapshot(ctx); err != nil {
		return nil, err
	}
	t.making = time.Since(start)
	fmt.Fprintf(progress, "bench: the gate fetches it\n")
	return t, t.follow(ctx, office, gate)
}

// follow measures the transfer and what comes after.
func (t *transfers) follow(ctx context.Context, office *replica.Office, gate *gateProcess) error {
	suspend := map[string]struct {
		n       int
		refused string
	}{"begun": {0, "refused_in_transfer"}, "received": {1, "refused_in_installation"}}
	events, err := gate.do("follow", t.accounts, "followed", func(e replica.Event) error {
		s, due := suspend[e.What]
		if !due {
			return nil
		}
		delete(suspend, e.What) // a transfer that begins again suspends nobody again
		at, err := office.Suspend(ctx, replica.Account(s.n))
		t.suspended[s.refused] = at
		return err
	})
	if err != nil {
		return err
	}
	for _, e := range events {
		t.at[e.What] = e.At
		if e.Measures != nil {
			t.during, t.memory, t.bytes = *e.Measures, *e.Memory, e.Bytes
		}
	}
	for _, name := range []string{"start", "begun", "received", "installed", "caught", "refused_in_transfer", "refused_in_installation"} {
		if t.at[name].IsZero() {
			return fmt.Errorf("measure snapshot: nothing was heard of %q", name)
		}
	}
	if t.at["refused_in_installation"].After(t.at["installed"]) {
		return errors.New("measure snapshot: the second suspension took effect only after the installation")
	}
	events, err = gate.do("rest", t.accounts, "row", nil)
	for _, e := range events {
		switch {
		case e.Measures == nil:
		case e.What == "paced":
			t.paced = *e.Measures
		default:
			t.row = *e.Measures
		}
	}
	return err
}

// gateProcess is the gate's end, a process of its own for its memory's sake.
type gateProcess struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func startGate(ctx context.Context, set replica.Setup) (*gateProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	g := &gateProcess{cmd: exec.CommandContext(ctx, self, "accounts-gate")}
	g.cmd.Stderr = os.Stderr
	if g.in, err = g.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start gate: %w", err)
	}
	out, err := g.cmd.StdoutPipe()
	if err == nil {
		err = g.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start gate: %w", err)
	}
	g.out = json.NewDecoder(bufio.NewReader(out))
	return g, json.NewEncoder(g.in).Encode(set)
}

// do has the gate do a step and gives its events up to the last one.
func (g *gateProcess) do(step string, n int, last string, each func(replica.Event) error) (list []replica.Event, err error) {
	if err := json.NewEncoder(g.in).Encode(replica.Step{Do: step, Accounts: n}); err != nil {
		return nil, fmt.Errorf("tell gate: %w", err)
	}
	for {
		var e replica.Event
		if err := g.out.Decode(&e); err != nil {
			return nil, fmt.Errorf("hear of gate: %w", err)
		}
		list = append(list, e)
		switch {
		case e.Error != "":
			return nil, fmt.Errorf("gate: %s", e.Error)
		case each != nil:
			err = errors.Join(err, each(e))
		}
		if e.What == last {
			return list, err
		}
	}
}

func (g *gateProcess) close() error { return errors.Join(g.in.Close(), g.cmd.Wait()) }

// askPeer has the peer store and look up as many accounts.
func (o accountsOptions) askPeer(ctx context.Context, t *transfers, progress io.Writer) error {
	if o.peer == "" {
		return nil
	}
	fmt.Fprintf(progress, "bench: the peer stores %d accounts\n", o.accounts)
	var fault bytes.Buffer
	cmd := exec.CommandContext(ctx, o.peer, filepath.Join(o.dir, "peer.db"), fmt.Sprint(o.accounts))
	cmd.Stderr = &fault
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("run peer: %w: %s", err, strings.TrimSpace(fault.String()))
	}
	var most float64
	if _, err := fmt.Sscan(string(out), &t.stored, &t.peer50, &t.peer99, &most, &t.peerBytes); err != nil {
		return fmt.Errorf("read peer's line %q: %w", out, err)
	}
	return nil
}
