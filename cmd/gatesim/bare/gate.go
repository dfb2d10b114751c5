package bare

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"bordergate/sync/accounts"
	"bordergate/sync/journal"
	"bordergate/sync/link"
	"bordergate/sync/outbox"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// Options of a gate.
type Options struct {
	Dir         string // identity, vault, journal and replica are below it
	Name        string // the gate's id
	Broker      string // tcp://host:port
	Bundle      string // file of headquarters' keys
	Fingerprint string // of its root

	Known []string // accounts whose changes are held to their order

	Backoff, MaxBackoff time.Duration // as the link's
	Stall               time.Duration
	// OnAck is called after the journal's cursor was moved; it must not block.
	OnAck func(wire.Ack)
	// OnFatal is called when headquarters and the journal contradict each other.
	OnFatal func(error)
	// OnOrder is called with ErrOrder before a change out of order is refused.
	OnOrder func(error)
	Logger  *slog.Logger
}

// Gate is an open gate.
type Gate struct {
	Journal  *journal.Journal
	Accounts *accounts.Replica
	Vault    *vault.Vault
	Link     *link.Gate // nil without a broker
	order    *inOrder
}

// Init makes a gate's keys below dir and returns the request that registers
// it with headquarters.
func Init(dir, name string) (request []byte, err error) {
	id, err := vault.NewIdentity(filepath.Join(dir, "identity"), name)
	if err != nil {
		return nil, fmt.Errorf("make gate: %w", err)
	}
	return id.Request()
}

// Open opens a gate that Init made. Without a broker it has no link and can
// only record.
func Open(o Options) (*Gate, error) {
	id, err := vault.LoadIdentity(filepath.Join(o.Dir, "identity"))
	if err != nil {
		return nil, fmt.Errorf("open gate: %w", err)
	}
	g := &Gate{}
	if g.Vault, err = vault.Open(filepath.Join(o.Dir, "vault"), id.Master); err != nil {
		return nil, fmt.Errorf("open gate: %w", err)
	}
	jo := journal.Options{Path: filepath.Join(o.Dir, "journal.db"), Gate: id.Gate, Vault: g.Vault, Signer: id.Signer, Simulated: true}
	_, _ = rand.Read(jo.Boot[:]) // never fails
	if g.Journal, err = journal.Open(jo); err != nil {
		return nil, fmt.Errorf("open gate: %w", err)
	}
	ao := accounts.Options{Path: filepath.Join(o.Dir, "accounts.db"), Key: g.Vault.Key("accounts")}
	if g.Accounts, err = accounts.Open(ao); err != nil {
		return nil, errors.Join(fmt.Errorf("open gate: %w", err), g.Journal.Close())
	}
	g.order = newInOrder(g.Accounts, o.Known, o.OnOrder)
	if o.Broker == "" {
		return g, nil
	}
	if err := g.connect(o, id); err != nil {
		return nil, errors.Join(fmt.Errorf("open gate: %w", err), g.Close())
	}
	return g, nil
}

func (g *Gate) connect(o Options, id *vault.Identity) error {
	raw, err := os.ReadFile(o.Bundle)
	if err != nil {
		return fmt.Errorf("read bundle: %w", err)
	}
	bundle, err := wire.ParseBundle(raw, o.Fingerprint)
	if err != nil {
		return err
	}
	g.Link, err = link.NewGate(link.GateOptions{
		Gate: id.Gate, Broker: o.Broker, Bundle: bundle, Signer: id.Signer, Key: id.HPKE,
		Journal: outbox.Outbox{Journal: g.Journal, Agreed: o.OnAck}, Keys: g.Vault, Accounts: g.order,
		Software: "gatesim", Simulated: true, OnFatal: o.OnFatal,
		Stall: o.Stall, Backoff: o.Backoff, MaxBackoff: o.MaxBackoff, Logger: o.Logger,
	})
	return err
}

// Serve runs the link until ctx ends.
func (g *Gate) Serve(ctx context.Context) error { return g.Link.Serve(ctx) }

// Close closes the files. Serve must have returned.
func (g *Gate) Close() error { return errors.Join(g.Accounts.Close(), g.Journal.Close()) }

// Record appends one record with a personal part and returns when it is
// durable.
func (g *Gate) Record(ctx context.Context, s wire.Stream, kind string, public any, personal []byte) (journal.Position, error) {
	p, err := g.Journal.Append(ctx, journal.Draft{Stream: s, Kind: kind, Public: public, Personal: personal, Class: vault.ClassCrossing})
	if err == nil && g.Link != nil {
		g.Link.Notify()
	}
	return p, err
}
