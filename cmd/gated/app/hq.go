package app

import (
	"context"
	"crypto/hpke"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"bordergate/gate"
	"bordergate/sync/accounts"
	"bordergate/sync/link"
	"bordergate/sync/outbox"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// The link fills the cache anew through the wrapper too.
var _ link.Snapshots = cache{}

// cache is the account replica as the lane and the link see it.
type cache struct {
	*accounts.Replica
	clock    *wallClock
	catching func() bool
	trust    func() // told of another trust store; never blocks
}

// Apply tells of another trust store once it is committed.
func (c cache) Apply(epoch, first uint64, prev, hash wire.Hash, changes []wire.Change) error {
	err := c.Replica.Apply(epoch, first, prev, hash, changes)
	if err == nil && ofTrust(changes) {
		c.trust()
	}
	return err
}

// InstallSnapshot tells of another trust store, which a snapshot may bring.
func (c cache) InstallSnapshot(ctx context.Context) error {
	defer c.trust()
	return c.Replica.InstallSnapshot(ctx)
}

// Look implements gate.Accounts.
func (c cache) Look(id string) gate.Account {
	var out gate.Account
	out.Issued, _ = c.Fresh()
	a, known, err := c.Lookup(id)
	switch {
	case err != nil:
		out.Unusable = true
		return out
	case !known:
		return out
	}
	out.Level, out.Model, out.Reference = a.Level, a.Model, a.Reference
	out.Organisation, out.Kind = a.Organisation, kinds[a.Kind]
	switch a.Status {
	case wire.StatusActive:
		out.Status = gate.AccountActive
	case wire.StatusSuspended:
		out.Status = gate.AccountSuspended
	default:
		// A status this version does not know is no reason to open.
		out.Status = gate.AccountCancelled
	}
	return out
}

// kinds are the lane's words for the kinds of account on the wire.
var kinds = map[string]gate.AccountKind{
	wire.KindCitizen: gate.KindCitizen, wire.KindForeigner: gate.KindForeigner, wire.KindOrganisation: gate.KindOrganisation,
}

// Watched implements gate.Accounts.
func (c cache) Watched(p gate.Pass) (on, ok bool) {
	about := []wire.Watched{wire.WatchPass(p.Number), wire.WatchAccount(p.Account), wire.WatchPerson(p.NameMRZ, p.Birth)}
	if p.Organisation != "" {
		about = append(about, wire.WatchAccount(p.Organisation))
	}
	on, err := c.Replica.Watched(about...)
	return on, err == nil
}

// CatchingUp implements gate.Accounts.
func (c cache) CatchingUp() bool { return c.catching() }

// Head lifts the clock's floor to the newest signed time.
func (c cache) Head(h wire.Head) error {
	if err := c.Replica.Head(h); err != nil {
		return err
	}
	c.clock.raise(time.Unix(0, h.Issued))
	return nil
}

// loadBundle reads headquarters' keys and checks them against the pinned root.
func loadBundle(path, fingerprint string) (wire.Bundle, error) {
	f, err := os.Open(path)
	if err != nil {
		return wire.Bundle{}, fmt.Errorf("open hq.bundle: %w (get hq.json from headquarters)", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, wire.MaxBundle+1))
	if err != nil {
		return wire.Bundle{}, fmt.Errorf("read hq.bundle: %w", err)
	}
	bundle, err := wire.ParseBundle(b, fingerprint)
	if err != nil {
		return wire.Bundle{}, fmt.Errorf("check hq.bundle %s: %w (compare hq.fingerprint with headquarters by eye)", path, err)
	}
	return bundle, nil
}

// hqLink is the way to headquarters.
type hqLink struct {
	gate *link.Gate
	seal hpke.PublicKey // of headquarters
}

func (a *App) openHQ() error {
	bundle, err := loadBundle(a.cfg.HQ.Bundle, a.cfg.HQ.Fingerprint)
	if err != nil {
		return err
	}
	if err := a.noRollback(bundle); err != nil {
		return err
	}
	secure, err := a.linkTLS(bundle)
	if err != nil {
		return err
	}
	seal, err := wire.ParseSealKey(bundle.Seal)
	if err != nil {
		return fmt.Errorf("check hq.bundle: %w", err)
	}
	if err := a.openCommands(); err != nil {
		return err
	}
	if err := a.openDocuments(bundle); err != nil {
		return err
	}
	g, err := link.NewGate(link.GateOptions{
		Gate: a.cfg.Gate.ID, Broker: a.cfg.HQ.Broker, TLS: secure, Bundle: bundle, Signer: a.identity.Signer, Key: a.identity.HPKE,
		Journal: outbox.Outbox{Journal: a.journal, Agreed: a.room.agreed}, Keys: a.vault, Accounts: a.cache(), Software: version(), Simulated: a.cfg.Simulated,
		State: a.wireState, Now: a.linkClock,
		OnChange:     func(account string) { a.post(gate.AccountChanged(a.mono(), account)) },
		OnCatchingUp: a.catchingChanged,
		OnOnline:     a.hqOnline,
		OnFatal:      a.contradicted,
		OnCommand:    a.commands.take,
		OnDocument:   a.documents.take,
		// A gate that is offline misses suspensions: it comes back sooner than
		// the link would by itself, still with full jitter.
		MaxBackoff: 15 * time.Second,
		Logger:     a.log.With("part", "link"),
	})
	if err != nil {
		return err
	}
	a.hq = &hqLink{gate: g, seal: seal}
	a.run("commands", a.commands.serve)
	a.run("documents", a.documents.serve)
	a.run("headquarters", g.Serve)
	return nil
}

// linkTLS is nil for a broker on this machine without TLS. A certificate that is
// missing or out of time keeps the gate from headquarters, not from its work.
func (a *App) linkTLS(b wire.Bundle) (*tls.Config, error) {
	if !strings.HasPrefix(a.cfg.HQ.Broker, "ssl://") {
		return nil, nil
	}
	c, err := vault.ClientTLS(a.cfg.Paths.Identity, a.cfg.Gate.ID, b, a.tlsClock)
	if errors.Is(err, wire.ErrNoAuthority) {
		return nil, fmt.Errorf("check hq.bundle: %w (have headquarters run hqd authority renew, and get its newest hq.json)", err)
	}
	return c, err
}

// tlsClock is by what certificates are judged: a clock that has fallen behind
// what headquarters once signed is known to be wrong by that much at least.
func (a *App) tlsClock() time.Time {
	now, _, floor := a.clock.Wall()
	if now.Before(floor) {
		return floor
	}
	return now
}

// hqOnline is told that the way to headquarters opens or closes.
func (a *App) hqOnline(on bool) {
	a.log.Info("Way to headquarters changed", "online", on)
	if on {
		a.commands.repeat()
	}
}

// factBundle is the journal's monotone fact of the bundle's version.
const factBundle = "hq_bundle"

// noRollback refuses keys older than those the gate has used.
func (a *App) noRollback(b wire.Bundle) error {
	if used := a.journal.Fact(factBundle); b.Ver < used {
		return fmt.Errorf("check hq.bundle: version %d is older than version %d that was used here before; get the newest hq.json from headquarters", b.Ver, used)
	}
	return a.journal.Advance(factBundle, b.Ver)
}

// contradicted stops the lane: headquarters and the journal hold different
// records, so one of them was changed.
func (a *App) contradicted(err error) {
	a.log.Error("Headquarters and the journal contradict each other", "error", err)
	a.post(gate.JournalLost(a.mono()))
	a.room.contradicted(err)
}

// linkClock judges the expiry of messages by wall time where it can be
// trusted.
func (a *App) linkClock() (time.Time, bool) {
	now, trust, _ := a.clock.Wall()
	return now, trust >= gate.ClockHeldOver
}

func (a *App) cache() cache {
	return cache{Replica: a.replica, clock: a.clock, catching: a.catchingUp, trust: a.believer.changed}
}

// catchingChanged has a traveller who waits for it decided on anew.
func (a *App) catchingChanged(on bool) {
	a.log.Info(logCatchingUp, "on", on)
	a.post(gate.AccountChanged(a.mono(), ""))
}

const logCatchingUp = "Catching up with headquarters"

func (a *App) catchingUp() bool { return a.hq != nil && a.hq.gate.CatchingUp() }

func (a *App) wireState() wire.State {
	v, _ := a.hub.snapshot()
	s := wire.State{
		Mode: v.State.String(), Simulated: a.cfg.Simulated, Queue: map[string]uint64{},
		Config: a.digest().config, Models: a.digest().models,
	}
	now, trust, _ := a.clock.Wall()
	s.Clock, s.Wall = clockWord(trust), now.UnixNano()
	if v.Cause != "" {
		s.Faults = []string{v.Cause}
	}
	if a.believer != nil && a.believer.now.Load().fault != "" {
		s.Faults = append(s.Faults, "trust")
	}
	s.Faults = append(s.Faults, a.room.codes()...)
	s.Faults = append(s.Faults, a.degradedCodes()...)
	a.worksBy(&s)
	for _, r := range a.journal.Ranges() {
		s.Queue[r.Name] = r.Next - 1 - r.Acked
	}
	return s
}

func version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "unknown"
}
