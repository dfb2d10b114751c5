package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// Options of headquarters.
type Options struct {
	Listen    string   // ssl://host:port of the MQTT listener, or host:port without TLS; port 0: any
	Names     []string // what gates call this machine, for its certificate, beside the listener's host
	Broker    string   // ssl://host:port of another MQTT 3.1.1 broker in place of the listener, or empty
	Store     string   // folder of the store, or with a cluster of what this process may lose
	Cluster   Cluster
	Identity  string // folder of the keys
	Control   string // path of the control socket
	Accounts  string // file of accounts to begin with, or empty
	Simulated bool
	Console   ConsoleOptions
	// SnapshotBehind is how many changes a gate may lack and still get them one
	// by one, 20,000; at least a twentieth of the accounts.
	SnapshotBehind int
	HeadEvery      time.Duration        // between heads, 10 s; a head expires after three
	Ready          func(address string) // called once, when ingest is there
	// Now tells the time that headquarters signs, as of heads and decisions;
	// nil: the system's.
	Now    func() time.Time
	Logger *slog.Logger
}

// App is a running headquarters.
type App struct {
	opts      Options
	id        *Identity
	engine    *engine
	store     *store
	records   *recordStore
	lookup    *lookup
	ledger    *ledger
	events    *eventStore
	fleet     *fleet
	door      *door
	secure    bool // gates come by TLS
	session   *link.Session
	boot      string
	shards    []chan link.Message
	replays   *replays
	news      *news
	snapshots *snapshots
	commands  *commands
	documents *documentStore
	lag       lag
	control   *control
	desk      *desk         // the officers' console; nil: none
	greet     chan struct{} // a gate has come
	conn      atomic.Uint64 // announced connection to our own broker; 0: none

	mu     sync.Mutex // guards the order of publishing and the group key
	closed []func() error
}

// shardCount is how many gates are taken in at once.
const shardCount = 4

// New opens the store and the listener. A failed New leaves nothing open.
func New(ctx context.Context, o Options) (*App, error) {
	if o.HeadEvery <= 0 {
		o.HeadEvery = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Ready == nil {
		o.Ready = func(string) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &App{opts: o, boot: randomID(8), commands: newCommands(), greet: make(chan struct{}, 1)}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start headquarters: %w", err), a.close())
	}
	return a, nil
}

func (a *App) defers(f func() error) { a.closed = append(a.closed, f) }

// close runs what was opened backwards.
func (a *App) close() error {
	var errs []error
	for _, f := range slices.Backward(a.closed) {
		errs = append(errs, f())
	}
	a.closed = nil
	return errors.Join(errs...)
}

func (a *App) open(ctx context.Context) error {
	var err error
	if a.id, err = LoadIdentity(a.opts.Identity); err != nil {
		return err
	}
	lock, err := lockStore(a.opts.Store)
	if err != nil {
		return err
	}
	a.defers(lock.Close)
	if err := a.openBroker(ctx); err != nil {
		return err
	}
	a.defers(func() error { a.engine.stop(); return nil })
	if err := a.openStore(ctx); err != nil {
		return err
	}
	if err := a.openStores(ctx); err != nil {
		return err
	}
	broker, secure, err := a.way()
	if err != nil {
		return err
	}
	if a.session, err = link.New(link.Options{
		Broker: broker, TLS: secure, ClientID: clientName, AllowPlain: a.opts.Broker == "", Filters: wire.HQFilters(),
		Will: a.will, Backoff: 50 * time.Millisecond, MaxBackoff: 2 * time.Second, Queue: 1024, Logger: a.opts.Logger,
	}); err != nil {
		return err
	}
	for range shardCount {
		a.shards = append(a.shards, make(chan link.Message, 64))
	}
	a.replays = newReplays()
	a.news = newNews()
	if err := a.openConsole(ctx); err != nil {
		return err
	}
	if a.control, err = listenControl(a.opts.Control, a.routes()); err != nil {
		return err
	}
	a.defers(a.control.close)
	return writeFile(filepath.Join(a.opts.Store, "address"), []byte(a.Address()+"\n"), 0o644)
}

func (a *App) openStores(ctx context.Context) error {
	var err error
	if a.records, err = openRecords(ctx, a.store); err != nil {
		return err
	}
	if a.lookup, err = openLookup(ctx, a.opts.Store, a.records, a.id, a.opts.Logger); err != nil {
		return err
	}
	a.defers(a.lookup.close)
	if a.ledger, err = openLedger(ctx, a.store, a.id); err != nil {
		return err
	}
	a.ledger.publish, a.ledger.now = a.publishChanges, a.opts.Now
	if a.snapshots, err = openSnapshots(filepath.Join(a.opts.Store, "snapshots"), a.ledger, a.opts.SnapshotBehind, a.opts.Logger); err != nil {
		return err
	}
	if a.documents, err = openDocuments(ctx, a.store); err != nil {
		return err
	}
	if a.events, err = openEvents(ctx, a.store); err != nil {
		return err
	}
	if a.opts.Accounts == "" {
		return nil
	}
	list, err := ReadAccounts(a.opts.Accounts)
	if err != nil {
		return err
	}
	_, err = a.ledger.Put(ctx, list)
	return err
}

// Serve works until ctx ends, then closes everything.
func (a *App) Serve(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, s := range a.shards {
		wg.Go(func() { a.ingest(ctx, s) })
	}
	wg.Go(func() { a.dispatch(ctx) })
	wg.Go(func() { a.heads(ctx) })
	wg.Go(func() { a.replays.serve(ctx, a.serveWish) })
	wg.Go(func() { a.control.serve(ctx) })
	wg.Go(func() { a.lookup.serve(ctx, a.opts.Logger) })
	if a.desk != nil {
		wg.Go(func() { a.serveConsole(ctx) })
		wg.Go(func() { a.desk.station.watch(ctx, a.desk.Console) })
		if a.store.shared {
			wg.Go(func() { a.store.follow(ctx, a.desk.log.stream, a.desk.log.follow) })
		}
	}
	if a.store.shared {
		wg.Go(func() { a.store.follow(ctx, a.ledger.stream, a.ledger.follow) })
		wg.Go(func() { a.store.follow(ctx, a.events.stream, a.events.follow) })
	}
	err := a.session.Serve(ctx)
	wg.Wait()
	return errors.Join(err, a.close())
}

// dispatch hands each gate's messages to its shard, in order.
func (a *App) dispatch(ctx context.Context) {
	first := true
	for {
		var m link.Message
		select {
		case <-ctx.Done():
			return
		case m = <-a.session.Messages():
		}
		switch m.Kind {
		case link.Down:
			a.conn.Store(0)
		case link.Ready:
			a.announce(m.Conn)
			if first {
				first = false
				a.opts.Ready(a.Address())
			}
		case link.Received:
			topic, err := wire.ParseTopic(m.Topic)
			if err != nil {
				a.fleet.count("", "topic")
				m.Ack()
				continue
			}
			select {
			case a.shards[shardOf(topic.Gate)] <- m:
			case <-ctx.Done():
				return
			}
		}
	}
}

func shardOf(gate string) int {
	n := 0
	for _, c := range []byte(gate) {
		n = (n*31 + int(c)) % shardCount
	}
	return n
}

// accountLine is an account in a file for enrolment.
type accountLine struct {
	ID           string      `json:"id"`
	Status       wire.Status `json:"status"`
	Level        int         `json:"level"`
	Kind         string      `json:"kind"`
	Organisation string      `json:"organisation"`
	Model        string      `json:"model"`
	Reference    []byte      `json:"reference"`
}

// ReadAccounts reads a file of accounts: a JSON list.
func ReadAccounts(path string) ([]wire.Change, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	return ParseAccounts(b)
}

// ParseAccounts reads a JSON list of accounts. Status defaults to active.
func ParseAccounts(b []byte) ([]wire.Change, error) {
	var lines []accountLine
	if err := strictJSON(b, &lines); err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	out := make([]wire.Change, len(lines))
	for i, l := range lines {
		if l.Status == "" {
			l.Status = wire.StatusActive
		}
		out[i] = wire.Change{
			Op: wire.OpPut, Account: l.ID, Ver: 1, Status: l.Status, Level: l.Level, Kind: l.Kind,
			Organisation: l.Organisation, Model: l.Model, Reference: l.Reference,
		}
		if err := out[i].Check(); err != nil {
			return nil, fmt.Errorf("read accounts: entry %d: %w", i, err)
		}
	}
	return out, nil
}

var errTrailing = errors.New("more than one JSON value")

// strictJSON refuses unknown fields and anything after the value.
func strictJSON(b []byte, v any) error {
	dec := json.NewDecoder(newReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if dec.More() {
		return errTrailing
	}
	return nil
}
