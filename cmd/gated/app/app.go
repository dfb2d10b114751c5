package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"bordergate/barcode/pass"
	"bordergate/cmd/gated/technician"
	"bordergate/configs"
	"bordergate/gate"
	"bordergate/sync/accounts"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// App is one gate: New opens it, Serve runs it, Close closes what New opened.
type App struct {
	cfg    *configs.Gate // as the gate was started; settings is as it works now
	log    *slog.Logger
	hub    *hub
	clock  *wallClock
	mono   func() int64 // CLOCK_MONOTONIC, ns
	faults []Fault      // each keeps the gate without a lane
	// defects are the parts that are missing and leave a lane, by their rows of
	// the table.
	defects map[string]error
	manager *manager
	upkeep  *upkeep
	tester  *tester // nil without a lane
	unfit   unfit

	server  *server
	control *control
	// technician is his page; nil: the gate has none.
	technician *technician.Server
	networks   networks // for his page
	// configFaults are what is wrong with a file that cannot be used.
	configFaults configs.Faults

	boot      [16]byte
	live      atomic.Pointer[live]
	reloaded  atomic.Pointer[ReloadStatus]
	tally     *counts
	identity  *vault.Identity
	journal   *journal.Journal
	vault     *vault.Vault
	replica   *accounts.Replica
	recorder  *recorder
	room      *room
	register  *register
	believer  *believer
	hq        *hqLink
	commands  *commander
	modes     *modes
	rules     rules
	documents *documents
	officers  *officers
	manifest  wire.Hash // of the models in use
	barrier   *barrier
	eyes      eyes
	mirror    mirror
	scanner   *passScanner // nil where the gate has none
	matcher   matcher
	templates pass.TemplateKeys
	lane      *gate.Lane

	started    time.Time
	supervised bool // a service manager starts the gate again when it ends

	services []*service
	closers  []closer
}

// New opens a gate. A device, the models or the status page that is missing
// leaves a lane that serves less and says so. An identity, journal, accounts,
// headquarters' keys or settings that cannot be used become a fault: the gate is
// then made without a lane and can only say why. Close must be called.
func New(cfg *configs.Gate, log *slog.Logger) *App {
	a := &App{
		cfg: cfg, log: log, hub: newHub(monoNow), clock: newWallClock(time.Time{}),
		started: time.Now(), supervised: supervised(), mono: monoNow, tally: newCounts(), defects: map[string]error{},
	}
	a.modes = newModes(a.mono)
	a.begin(cfg)
	a.hub.ended = a.tally.ended
	a.openManager()
	a.hub.Show(gate.View{State: gate.Closed, Mode: gate.ModeClosed, Cause: causeStarting, Since: monoNow()})
	a.try("status_page_port_taken", a.openStatus)
	a.try("screen_port_taken", a.openScreen)
	a.try("technician_page_unusable", a.openTechnician)
	a.open("control_socket", a.openControl)
	if !a.open("identity", a.openIdentity) || !a.open("journal", a.openJournal) {
		// Without a journal nothing else is worth opening.
		return a.finish()
	}
	a.open("modes", a.openModes)
	a.open("arming", a.openArmed)
	a.open("accounts", a.openAccounts)
	a.open("headquarters", a.openHQ)
	a.open("cameras", a.openEyes)
	a.open("turnstile", a.openTurnstile)
	a.try("scanner_dead", a.openScanner)
	a.try("template_keys_unusable", a.openTemplateKeys)
	if a.recorder != nil {
		a.openUpkeep()
	}
	if a.open("trust", a.openLane) && a.lane != nil {
		a.openTester()
	}
	return a.finish()
}

// finish puts the faults on show.
func (a *App) finish() *App {
	if len(a.faults) > 0 {
		a.lane = nil
		a.hub.Show(gate.View{State: gate.Closed, Mode: gate.ModeClosed, Cause: a.faults[0].Part, Since: monoNow()})
	}
	return a
}

// open runs one step and turns its error into a fault.
func (a *App) open(part string, step func() error) bool {
	err := step()
	if err != nil {
		a.faults = append(a.faults, Fault{Part: part, Error: err.Error()})
		a.log.Error("Gate stays closed", "part", part, "error", err)
	}
	return err == nil
}

// try runs one step whose error leaves a lane that serves as the row of the
// table says.
func (a *App) try(row string, step func() error) {
	if err := step(); err != nil {
		a.defects[row] = err
		a.log.Error("Gate serves without a part", "row", row, "error", err)
	}
}

// Faults is what keeps the gate closed; empty when it can serve.
func (a *App) Faults() []Fault { return slices.Clone(a.faults) }

// StatusAddr is the address of the status page, or empty.
func (a *App) StatusAddr() string {
	if a.server == nil {
		return ""
	}
	return a.server.addr()
}

func (a *App) openStatus() error {
	s, err := newServer(a.cfg.Status.Listen, a.hub, a.Status)
	if err != nil {
		return err
	}
	s.mux.HandleFunc("GET /metrics", a.serveMetrics)
	a.server = s
	a.run("status page", s.serve)
	a.onClose("status page", s.http.Close)
	return nil
}

func (a *App) openIdentity() error {
	id, err := vault.LoadIdentity(a.cfg.Paths.Identity)
	if err != nil {
		return err
	}
	if id.Gate != a.cfg.Gate.ID {
		return fmt.Errorf("identity in %s is of gate %s, gate.id says %s: correct one of them", a.cfg.Paths.Identity, id.Gate, a.cfg.Gate.ID)
	}
	a.identity = id
	return nil
}

func (a *App) openJournal() error {
	if err := os.MkdirAll(a.cfg.Paths.State, 0o700); err != nil {
		return fmt.Errorf("make state folder: %w", err)
	}
	v, err := vault.Open(filepath.Join(a.cfg.Paths.State, "keys"), a.identity.Master)
	if err != nil {
		return err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return fmt.Errorf("read boot id: %w", err)
	}
	a.boot = bootID(string(boot))
	j, err := journal.Open(journal.Options{
		Path: filepath.Join(a.cfg.Paths.State, "journal.db"), Gate: a.cfg.Gate.ID, Vault: v,
		Signer: a.identity.Signer, Boot: a.boot, Simulated: a.cfg.Simulated, MaxBytes: int64(a.cfg.Journal.MaxMiB) << 20,
	})
	if err != nil {
		return err
	}
	a.vault, a.journal = v, j
	a.onCloseWithin("journal", journalWait, func() error { return errors.Join(j.Checkpoint(context.Background()), j.Close()) })
	a.watchWriter()
	a.run("checkpoints", (&checkpoints{journal: j, log: a.log, notify: a.notify}).serve)
	a.recorder = &recorder{journal: j, clock: a.clock, log: a.log, notify: a.notify}
	if err := a.openClock(); err != nil {
		return err
	}
	a.room, err = newRoom(j, a.log.With("part", "journal"), a.recorder.note, func(ok bool) { a.post(gate.JournalRoom(a.mono(), ok)) })
	if err != nil {
		return err
	}
	a.recorder.refused = a.room.refused
	a.run("room", a.room.serve)
	keep := &retention{journal: j, vault: v, clock: a.clock, log: a.log, note: a.recorder.note}
	keep.kept = a.settings
	a.run("retention", keep.serve)
	n, err := a.recorder.closeInterrupted(context.Background())
	if n > 0 {
		a.log.Warn("Transactions were interrupted by the last stop", "count", n)
	}
	return err
}

func (a *App) notify() {
	if a.hq != nil {
		a.hq.gate.Notify()
	}
}

func (a *App) openAccounts() error {
	r, err := accounts.Open(accounts.Options{
		Path: filepath.Join(a.cfg.Paths.State, "accounts.db"), Key: a.vault.Key("accounts"),
	})
	if err != nil {
		return err
	}
	a.replica = r
	a.onClose("accounts", r.Close)
	a.believer = newBeliever(r, a.journal, a.cfg.Trust, a.log.With("part", "trust"))
	if err := a.openRegister(); err != nil {
		return err
	}
	if t, ok := r.Fresh(); ok {
		a.clock.raise(t)
	}
	return nil
}

// NewBroken makes a gate that cannot be configured: it stays closed and serves
// its faults on the default addresses, if they can be had.
func NewBroken(faults configs.Faults, log *slog.Logger) *App {
	cfg := configs.DefaultGate()
	cfg.Technician.Listen = configs.TechnicianListen
	return newBroken(&cfg, faults, log)
}

func newBroken(cfg *configs.Gate, faults configs.Faults, log *slog.Logger) *App {
	a := &App{
		cfg: cfg, log: log, hub: newHub(monoNow), clock: newWallClock(time.Time{}), mono: monoNow, tally: newCounts(), started: time.Now(),
		modes: newModes(monoNow), defects: map[string]error{}, configFaults: faults,
	}
	for _, f := range faults {
		a.faults = append(a.faults, Fault{Part: "configuration", Error: f.Error()})
	}
	a.openManager()
	a.try("status_page_port_taken", a.openStatus)
	a.try("technician_page_unusable", a.openTechnician)
	return a.finish()
}
