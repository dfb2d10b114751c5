package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"bordergate/sync/accounts"
	"bordergate/sync/journal"
	"bordergate/sync/link"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// gate is one gate of the fleet.
type gate struct {
	name     string
	id       *vault.Identity
	dir      string
	vault    *vault.Vault
	link     *link.Gate
	journal  book
	accounts link.Accounts
	status   func(account string) wire.Status
	close    func()
	written  atomic.Uint64
	online   atomic.Bool
	catching atomic.Bool
	lost     atomic.Int64 // connections that ended
	fatal    atomic.Pointer[error]
}

// newGate makes a gate's keys and stores.
func newGate(dir, name string, onDisk bool, epoch uint64) (*gate, error) {
	g := &gate{name: name, dir: dir, close: func() {}}
	g.catching.Store(true)
	var err error
	if g.id, err = vault.NewIdentity(g.identity(), name); err != nil {
		return nil, err
	}
	if g.vault, err = vault.Open(filepath.Join(dir, "vault"), g.id.Master); err != nil {
		return nil, err
	}
	g.journal.gate, g.journal.epoch = name, epoch
	if onDisk {
		return g, g.openReplica()
	}
	r := newRegister()
	g.accounts, g.status = r, r.status
	return g, nil
}

func (g *gate) identity() string { return filepath.Join(g.dir, "identity") }

// openReplica gives the gate the replica that gated has.
func (g *gate) openReplica() error {
	r, err := accounts.Open(accounts.Options{Path: filepath.Join(g.dir, "accounts.db"), Key: g.vault.Key("accounts")})
	if err != nil {
		return err
	}
	g.accounts, g.close = r, func() { _ = r.Close() }
	g.status = func(id string) wire.Status {
		a, _, err := r.Lookup(id)
		if err != nil {
			return ""
		}
		return a.Status
	}
	return nil
}

// recordKind is a crossing that nobody made.
const recordKind = "fleet_crossing"

type public struct {
	N int `json:"n"`
}

// personal stands for what a crossing says of its traveller, at its length.
func personal(n int) []byte { return fmt.Appendf(nil, `{"fleet":%180d}`, n) }

// cross writes the n-th crossing as gated's journal would.
func (g *gate) cross(n int) error {
	now := time.Now()
	open, err := json.Marshal(public{n})
	if err != nil {
		return err
	}
	return g.journal.add(wire.Record{
		Kind: recordKind, Wall: now.UnixNano(), Simulated: true, Public: open, Class: vault.ClassCrossing, Day: vault.Day(now),
	}, func(r *wire.Record) (err error) {
		r.Sealed, err = g.vault.Seal(r.Class, r.Day, journal.AAD(r), personal(n))
		return err
	})
}

// join puts headquarters' certificate in place and prepares the link.
func (g *gate) join(certificate, broker string, bundle wire.Bundle, log *slog.Logger) error {
	if _, err := vault.InstallCertificate(g.identity(), []byte(certificate)); err != nil {
		return err
	}
	secure, err := vault.ClientTLS(g.identity(), g.name, bundle, time.Now)
	if err != nil {
		return err
	}
	g.link, err = link.NewGate(link.GateOptions{
		Gate: g.name, Broker: broker, TLS: secure, Bundle: bundle, Signer: g.id.Signer, Key: g.id.HPKE,
		Journal: &g.journal, Keys: g.vault, Accounts: g.accounts, Software: "gatesim fleet", Simulated: true,
		State:        func() wire.State { return wire.State{Mode: "ready", Simulated: true} },
		OnCatchingUp: func(on bool) { g.catching.Store(on) },
		OnOnline: func(on bool) {
			if g.online.Swap(on) && !on {
				g.lost.Add(1)
			}
		},
		OnFatal:    func(err error) { g.fatal.CompareAndSwap(nil, &err) },
		MaxBackoff: 15 * time.Second, // as gated has it
		Logger:     log.With("gate", g.name),
	})
	return err
}

// ready tells that headquarters hears the gate and the gate knows what it
// knows.
func (g *gate) ready() bool { return g.online.Load() && !g.catching.Load() }

// acked is how many crossings headquarters has acknowledged.
func (g *gate) acked() uint64 {
	for _, r := range g.journal.Ranges() {
		if r.Stream == wire.StreamCrossing {
			return r.Acked
		}
	}
	return 0
}

// work writes a crossing every pace until ctx ends. The gates do not keep
// step: each begins somewhere in its first pace.
func (g *gate) work(ctx context.Context, pace, first time.Duration) error {
	wait := time.NewTimer(first)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-wait.C:
		}
		wait.Reset(pace)
		if err := g.cross(int(g.written.Load()) + 1); err != nil {
			return fmt.Errorf("gate %s: %w", g.name, err)
		}
		g.written.Add(1)
		g.link.Notify()
	}
}
