package replica

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"bordergate/sync/accounts"
	"bordergate/sync/journal"
	"bordergate/sync/link"
	"bordergate/sync/outbox"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// Setup is the first line that the gate's process reads.
type Setup struct {
	Dir         string `json:"dir"`
	Broker      string `json:"broker"`
	Fingerprint string `json:"fingerprint"`
}

// Step is every further line: what to do, and with how many accounts it ends.
type Step struct {
	Do       string `json:"do"` // fill, follow or rest
	Accounts int    `json:"accounts"`
}

// gateEnd is the gate's end.
type gateEnd struct {
	set     Setup
	out     *json.Encoder
	mu      sync.Mutex // of out
	id      *vault.Identity
	vault   *vault.Vault
	journal *journal.Journal
	replica *accounts.Replica
	bundle  wire.Bundle
	link    *link.Gate
	lane    *lane
	log     *slog.Logger
}

// ServeGate is the gate's process: it does the steps it reads and writes events.
func ServeGate(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	g := &gateEnd{out: json.NewEncoder(out)}
	if !lines.Scan() {
		return errors.New("no setup")
	}
	if err := json.Unmarshal(lines.Bytes(), &g.set); err != nil {
		return fmt.Errorf("read setup: %w", err)
	}
	if err := g.open(); err != nil {
		return err
	}
	defer func() { _ = errors.Join(g.replica.Close(), g.journal.Close()) }() // the folder goes next
	for lines.Scan() {
		var s Step
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return fmt.Errorf("read step: %w", err)
		}
		do := map[string]func(context.Context, int) error{"fill": g.fill, "follow": g.follow, "rest": g.rest}[s.Do]
		if do == nil {
			return fmt.Errorf("unknown step %q", s.Do)
		}
		if err := do(ctx, s.Accounts); err != nil {
			g.say(Event{What: "failed", Error: err.Error()})
			return err
		}
	}
	return lines.Err()
}

func (g *gateEnd) path(name string) string { return filepath.Join(g.set.Dir, "gate", name) }

func (g *gateEnd) open() error {
	f, err := os.Create(filepath.Join(g.set.Dir, "gate.log"))
	if err != nil {
		return err
	}
	g.log = slog.New(slog.NewTextHandler(f, nil)) // open until the process ends
	if g.id, err = vault.LoadIdentity(g.path("identity")); err != nil {
		return err
	}
	if g.vault, err = vault.Open(g.path("vault"), g.id.Master); err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(g.set.Dir, "hq.json"))
	if err != nil {
		return err
	}
	if g.bundle, err = wire.ParseBundle(raw, g.set.Fingerprint); err != nil {
		return err
	}
	if g.journal, err = journal.Open(journal.Options{Path: g.path("journal.db"), Gate: gateID, Vault: g.vault, Simulated: true}); err != nil {
		return err
	}
	g.replica, err = accounts.Open(accounts.Options{Path: g.path("accounts.db"), Key: g.vault.Key("accounts")})
	g.lane = &lane{replica: g.replica, journal: g.journal, others: make(map[string]int), notify: func() {}, catching: func() bool { return false }}
	return err
}

func (g *gateEnd) say(e Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e.At.IsZero() {
		e.At = time.Now()
	}
	_ = g.out.Encode(e) // nobody is there any more
}

// connect begins the link; what it returns ends it.
func (g *gateEnd) connect(ctx context.Context) (end func(), err error) {
	secure, err := vault.ClientTLS(g.path("identity"), gateID, g.bundle, time.Now)
	if err != nil {
		return nil, err
	}
	g.link, err = link.NewGate(link.GateOptions{
		Gate: gateID, Broker: g.set.Broker, TLS: secure, Bundle: g.bundle, Signer: g.id.Signer, Key: g.id.HPKE,
		Journal: outbox.Outbox{Journal: g.journal}, Keys: g.vault, Accounts: steps{g.replica, g}, Simulated: true, Logger: g.log,
	})
	if err != nil {
		return nil, err
	}
	g.lane.notify, g.lane.catching = g.link.Notify, g.link.CatchingUp
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = g.link.Serve(ctx) }) // ends with ctx
	return func() { cancel(); wg.Wait() }, nil
}

// reached waits until the replica is fresh with so many accounts.
func (g *gateEnd) reached(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		s := g.replica.Stats()
		if s.Synced && s.Accounts == int64(n) && g.replica.Behind() == 0 && !g.link.CatchingUp() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %d accounts, %d are here (see gate.log): %w", n, s.Accounts, ctx.Err())
		case <-tick.C:
		}
	}
}
