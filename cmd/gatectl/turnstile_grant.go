package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bordergate/cmd/gatectl/devices"
	"bordergate/cmd/gatectl/doctor"
	"bordergate/configs"
	"bordergate/gate"
	"bordergate/hal"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// Kinds of the records of a technician's grant: before it, and what came of it.
const (
	kindTrial    = "technician_grant"
	kindTrialEnd = "technician_grant_end"
)

// trial is the public part of both. Who he is on this machine is a number.
type trial struct {
	Direction string `json:"direction"`
	UID       int    `json:"uid"`
	Grant     string `json:"grant"`
	Outcome   string `json:"outcome,omitempty"` // of the second: passed, unused, refused or unknown
	Why       string `json:"why,omitempty"`
}

// runTurnstileGrant lets one person through. An officer has put the lane into
// maintenance before; the record is on the disk before anything moves.
func runTurnstileGrant(ctx context.Context, e env, args []string) int {
	const words = "turnstile grant"
	fs, config, asJSON := deviceFlags(e, words)
	dir := fs.String("direction", "", "entry or exit; empty: the lane's own")
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	cfg, err := alone(ctx, *config)
	if err = errors.Join(noMore(rest), err); err != nil {
		return unable(e, words, err)
	}
	if *dir == "" {
		*dir = cfg.Gate.Direction
	}
	if *dir != "entry" && *dir != "exit" {
		return unable(e, words, fmt.Errorf("direction %q: entry or exit", *dir))
	}
	t, err := letThrough(ctx, cfg, *dir)
	if err != nil {
		return unable(e, words, err)
	}
	if *asJSON {
		err = lineEncoder(e).Encode(t)
	} else {
		_, err = fmt.Fprintf(e.Out, "%s: %s %s\n", t.Direction, t.Outcome, t.Why)
	}
	if err != nil {
		return unable(e, words, fmt.Errorf("write result: %w", err))
	}
	if t.Outcome != "passed" {
		return exitNegative
	}
	return exitDone
}

// letThrough records, grants and records what came of it.
func letThrough(ctx context.Context, cfg *configs.Gate, dir string) (t trial, err error) {
	j, err := ownJournal(cfg)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	if err := inMaintenance(j); err != nil {
		return t, err
	}
	t = trial{Direction: dir, UID: os.Getuid()}
	err = devices.Turnstile(ctx, cfg.Turnstile, func(ctx context.Context, dev hal.Turnstile) error {
		g := hal.Grant{Dir: hal.Exit}
		if dir == "entry" {
			g.Dir = hal.Entry
		}
		_, _ = rand.Read(g.ID[:]) // it never fails
		t.Grant = g.ID.String()
		if err := note(ctx, j, kindTrial, t); err != nil {
			return fmt.Errorf("nothing was moved: %w", err)
		}
		t.Outcome, t.Why = passage(ctx, dev, g, cfg.Turnstile.PassageWait)
		// Also where the technician has stopped the program meanwhile.
		return note(context.WithoutCancel(ctx), j, kindTrialEnd, t)
	})
	return t, err
}

// passage grants once and waits for what comes of it.
func passage(ctx context.Context, dev hal.Turnstile, g hal.Grant, wait time.Duration) (outcome, why string) {
	switch err := dev.Grant(ctx, g); {
	case errors.Is(err, hal.ErrUnconfirmed):
		why = err.Error() // it may have been given
	case err != nil:
		return "refused", err.Error()
	}
	late := time.NewTimer(wait + 5*time.Second)
	defer late.Stop()
	for {
		select {
		case ev := <-dev.Events():
			switch {
			case ev.Grant != g.ID:
			case ev.Kind == hal.PassageCompleted:
				return "passed", why
			case ev.Kind == hal.PassageTimeout:
				return "unused", why
			}
		case <-late.C:
			return "unknown", why
		case <-ctx.Done():
			return "unknown", "stopped while it was waited for"
		}
	}
}

// ownJournal opens the journal as the daemon does; while that runs, it cannot.
func ownJournal(cfg *configs.Gate) (*journal.Journal, error) {
	id, err := vault.LoadIdentity(cfg.Paths.Identity)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(cfg.Paths.State, journalFile)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open journal: %w (the gate was never started here)", err)
	}
	v, err := vault.Open(filepath.Join(cfg.Paths.State, keysDir), id.Master)
	if err != nil {
		return nil, err
	}
	return journal.Open(journal.Options{
		Path: path, Gate: cfg.Gate.ID, Vault: v, Signer: id.Signer, Simulated: cfg.Simulated, MaxBytes: int64(cfg.Journal.MaxMiB) << 20,
	})
}

// blobModes is where gated keeps the orders of modes.
const blobModes = "lane_modes"

var errNoMaintenance = errors.New("the lane is not in maintenance mode: an officer orders it while gated runs (mode maintenance), then stop gated and try again")

// inMaintenance demands an officer's order that holds. One with an end counts
// only in the boot in which it was given: else nobody knows whether it is over.
func inMaintenance(j *journal.Journal) error {
	b, err := j.Blob(blobModes)
	if err != nil {
		return fmt.Errorf("read the orders of modes: %w", err)
	}
	var kept struct {
		Boot      string       `json:"boot"`
		Orders    []gate.Order `json:"orders"`
		Emergency bool         `json:"emergency"`
	}
	if len(b) > 0 {
		if err := json.Unmarshal(b, &kept); err != nil {
			return fmt.Errorf("read the orders of modes: %w", err)
		}
	}
	if kept.Emergency {
		return errors.New("an emergency waits for an officer's sign-off: nothing is granted before it")
	}
	for _, o := range kept.Orders {
		if o.Mode == gate.ModeMaintenance && (o.Until == 0 || kept.Boot == thisBoot() && o.Until > int64(hal.Now())) {
			return nil
		}
	}
	return errNoMaintenance
}

// thisBoot is the machine's boot as gated writes it.
func thisBoot() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(strings.TrimSpace(string(b)), "-", "")
}

// note puts a record on the disk.
func note(ctx context.Context, j *journal.Journal, kind string, public any) error {
	trust := gate.ClockPlausible
	if synced, _ := doctor.KernelClock(); synced {
		trust = gate.ClockSynced
	}
	_, err := j.Append(ctx, journal.Draft{
		Stream: wire.StreamAlarm, Kind: kind, Public: public, Mono: int64(hal.Now()), Wall: time.Now().UnixNano(), Trust: uint8(trust),
	})
	if err != nil {
		return fmt.Errorf("record a technician's grant: %w", err)
	}
	return nil
}
