package app

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bordergate/sync/accounts"
	"bordergate/sync/journal"
	"bordergate/sync/link"
	box "bordergate/sync/outbox"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// patience bounds a wait for an event; it is no measurement.
const patience = 30 * time.Second

// hqRig is a headquarters that can be stopped and started on one address.
type hqRig struct {
	t           *testing.T
	dir, listen string
	scheme      string // tcp or ssl
	foreign     bool   // another broker listens there
	cluster     string // that keeps the store; empty: the broker
	fingerprint string
	behind      int // SnapshotBehind
	console     ConsoleOptions
	app         *App
	stop        func()
}

func newHQ(t *testing.T) *hqRig {
	t.Helper()
	h := &hqRig{t: t, dir: t.TempDir(), listen: freeAddress(t), scheme: "tcp"}
	print, err := Init(filepath.Join(h.dir, "id"))
	if err != nil {
		t.Fatal(err)
	}
	h.fingerprint = print
	t.Cleanup(func() {
		if h.stop != nil {
			h.stop()
		}
	})
	return h
}

// newSecureHQ is newHQ with TLS, as at a station.
func newSecureHQ(t *testing.T) *hqRig {
	t.Helper()
	h := newHQ(t)
	h.scheme = "ssl"
	return h
}

func (h *hqRig) address() string { return h.scheme + "://" + h.listen }

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

func (h *hqRig) options(ready func(string)) Options {
	broker := ""
	if h.foreign {
		broker = h.address()
	}
	return Options{
		Broker: broker,
		Listen: h.address(), Store: filepath.Join(h.dir, "store"), Identity: filepath.Join(h.dir, "id"),
		Control: filepath.Join(h.dir, "hqd.sock"), Simulated: true, Ready: ready, HeadEvery: time.Second,
		SnapshotBehind: h.behind,
		Cluster:        Cluster{URL: h.cluster}, Console: h.console,
	}
}

func (h *hqRig) start() {
	h.t.Helper()
	ready := make(chan struct{})
	a, err := New(h.t.Context(), h.options(func(string) { close(ready) }))
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = a.Serve(ctx) }()
	h.app = a
	h.stop = func() { cancel(); <-done; h.stop = nil }
	wait(h.t, "headquarters to be ready", ready)
}

func wait(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
}

// ask uses the control socket as the commands do.
func ask[T any](t *testing.T, h *hqRig, method, target string, body any) (T, error) {
	t.Helper()
	var out lines
	err := NewClient(filepath.Join(h.dir, "hqd.sock")).Do(t.Context(), method, target, body, &out)
	var v T
	if err == nil {
		if err := json.Unmarshal(out.b, &v); err != nil {
			t.Fatal(err)
		}
	}
	return v, err
}

type lines struct{ b []byte }

func (l *lines) Write(p []byte) (int, error) { l.b = append(l.b, p...); return len(p), nil }

// recordsOf lists what HQ holds.
func recordsOf(t *testing.T, h *hqRig, gate string, open bool) []journal.Line {
	t.Helper()
	target := "/records?stream=crossing&gate=" + gate
	if open {
		target += "&open=1"
	}
	var out lines
	if err := NewClient(filepath.Join(h.dir, "hqd.sock")).Do(t.Context(), "GET", target, nil, &out); err != nil {
		t.Fatal(err)
	}
	var list []journal.Line
	for dec := json.NewDecoder(newReader(out.b)); dec.More(); {
		var l journal.Line
		if err := dec.Decode(&l); err != nil {
			t.Fatal(err)
		}
		list = append(list, l)
	}
	return list
}

// outbox is the journal as the link sees it, with news of acknowledgements.
type outbox struct {
	box.Outbox
	mu     sync.Mutex
	cond   *sync.Cond
	acked  uint64
	status func() link.GateStatus
}

func (o *outbox) Acknowledge(a wire.Ack) error {
	err := o.Outbox.Acknowledge(a)
	if err == nil && a.Stream == wire.StreamCrossing.String() {
		o.mu.Lock()
		o.acked = max(o.acked, a.Cum)
		o.cond.Broadcast()
		o.mu.Unlock()
	}
	return err
}

// waitAcked returns when HQ has acknowledged n crossings.
func (o *outbox) waitAcked(t *testing.T, n uint64) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		for o.acked < n {
			o.cond.Wait()
		}
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %d acknowledged records; journal %+v, link %+v", n, o.Ranges(), o.status())
	}
}

// gateRig is a gate without its lane.
type gateRig struct {
	t        *testing.T
	id       *vault.Identity
	vault    *vault.Vault
	dir      string
	out      *outbox
	accounts *accounts.Replica
	link     *link.Gate
	changed  chan string
	catching chan bool
	online   chan bool
	fatal    chan error
	bundle   []byte                            // headquarters' bundle; nil: the one it has now
	slow     func(link.Accounts) link.Accounts // stands before the replica; nil: nothing
	now      func() time.Time                  // by which certificates are judged; nil: the system's
	orders   chan link.Order
	// onCommand is called with each command, where not nil.
	onCommand func(link.Order)
	documents chan link.Document
	// onDocument is called with each, where not nil.
	onDocument func(link.Document)
	mu         *sync.Mutex
	state      wire.State // what the gate says of itself
	stop       func()
}

func newGate(t *testing.T, h *hqRig, name string) *gateRig {
	t.Helper()
	dir := t.TempDir()
	g := &gateRig{
		t: t, dir: dir, changed: make(chan string, 4096), catching: make(chan bool, 256), online: make(chan bool, 256), fatal: make(chan error, 8), orders: make(chan link.Order, 64), documents: make(chan link.Document, 64), mu: new(sync.Mutex),
	}
	var err error
	if g.id, err = vault.NewIdentity(filepath.Join(dir, "id"), name); err != nil {
		t.Fatal(err)
	}
	request, err := g.id.Request()
	if err != nil {
		t.Fatal(err)
	}
	var entry GateEntry
	if h.app != nil {
		entry, err = ask[GateEntry](t, h, "POST", "/gates", request)
	} else {
		entry, err = AddGate(filepath.Join(h.dir, "id"), request)
	}
	if err == nil {
		_, err = vault.InstallCertificate(filepath.Join(dir, "id"), []byte(entry.Certificate))
	}
	if err != nil {
		t.Fatal(err)
	}
	if g.vault, err = vault.Open(filepath.Join(dir, "vault"), g.id.Master); err != nil {
		t.Fatal(err)
	}
	g.openJournal()
	g.openAccounts()
	t.Cleanup(func() {
		if g.stop != nil {
			g.stop()
		}
		if err := g.out.Verify(); err != nil {
			t.Errorf("journal after the test: %v", err)
		}
		_ = g.out.Close()
		_ = g.accounts.Close()
	})
	return g
}

func (g *gateRig) openJournal() {
	g.t.Helper()
	j, err := journal.Open(journal.Options{
		Path: filepath.Join(g.dir, "journal.db"), Gate: g.id.Gate, Vault: g.vault, Signer: g.id.Signer, Simulated: true,
	})
	if err != nil {
		g.t.Fatal(err)
	}
	g.out = &outbox{Outbox: box.Outbox{Journal: j}}
	g.out.cond = sync.NewCond(&g.out.mu)
}

func (g *gateRig) openAccounts() {
	g.t.Helper()
	var err error
	if g.accounts, err = accounts.Open(accounts.Options{Path: filepath.Join(g.dir, "accounts.db"), Key: g.vault.Key("accounts")}); err != nil {
		g.t.Fatal(err)
	}
}

// reopen opens the replica of a stopped gate anew.
func (g *gateRig) reopen() {
	g.t.Helper()
	if err := g.accounts.Close(); err != nil {
		g.t.Fatal(err)
	}
	g.openAccounts()
}

func (g *gateRig) start(h *hqRig) {
	g.t.Helper()
	g.startAt(h, h.address())
}

// startAt starts the gate with a broker's address.
func (g *gateRig) startAt(h *hqRig, broker string) {
	g.t.Helper()
	raw, err := os.ReadFile(BundlePath(filepath.Join(h.dir, "id")))
	if g.bundle != nil {
		raw = g.bundle
	}
	if err != nil {
		g.t.Fatal(err)
	}
	bundle, err := wire.ParseBundle(raw, h.fingerprint)
	if err != nil {
		g.t.Fatal(err)
	}
	now := g.now
	if now == nil {
		now = time.Now
	}
	secure, err := vault.ClientTLS(filepath.Join(g.dir, "id"), g.id.Gate, bundle, now)
	if err != nil {
		g.t.Fatal(err)
	}
	var replica link.Accounts = g.accounts
	if g.slow != nil {
		replica = g.slow(replica)
	}
	g.link, err = link.NewGate(link.GateOptions{
		Gate: g.id.Gate, Broker: broker, TLS: secure, Bundle: bundle, Signer: g.id.Signer, Key: g.id.HPKE,
		Journal: g.out, Keys: g.vault, Accounts: replica, Simulated: true,
		OnChange:     func(id string) { offer(g.changed, id) },
		OnCatchingUp: func(on bool) { offer(g.catching, on) },
		OnOnline:     func(on bool) { offer(g.online, on) },
		OnFatal:      func(err error) { offer(g.fatal, err) },
		OnCommand:    g.onCommand,
		OnDocument:   g.onDocument,
		State: func() wire.State {
			g.mu.Lock()
			defer g.mu.Unlock()
			return g.state
		},
		Backoff: 10 * time.Millisecond, MaxBackoff: 100 * time.Millisecond,
	})
	if err != nil {
		g.t.Fatal(err)
	}
	g.out.status = g.link.Status
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = g.link.Serve(ctx) }()
	g.stop = func() { cancel(); <-done; g.stop = nil }
}

func offer[T any](c chan T, v T) {
	select {
	case c <- v:
	default:
	}
}

// until reads c until it gives want.
func until[T comparable](t *testing.T, what string, c <-chan T, want T) {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case v := <-c:
			if v == want {
				return
			}
		case <-limit:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// cross writes n crossings.
func (g *gateRig) cross(n int) {
	g.t.Helper()
	for i := range n {
		if _, err := g.out.Append(g.t.Context(), journal.Draft{
			Stream: wire.StreamCrossing, Kind: "decision", Public: map[string]int{"n": i},
			Personal: fmt.Appendf(nil, `{"number":%d}`, i), Class: vault.ClassCrossing,
		}); err != nil {
			g.t.Fatal(err)
		}
		if g.link != nil {
			g.link.Notify()
		}
	}
}

// onceEach fails unless HQ holds exactly records 1 to n, chained.
func onceEach(t *testing.T, list []journal.Line, n int) {
	t.Helper()
	if len(list) != n {
		t.Fatalf("headquarters has %d records, want %d", len(list), n)
	}
	var prev wire.Hash
	for i, l := range list {
		if l.Seq != uint64(i+1) || l.Prev != prev || !l.Simulated {
			t.Fatalf("record %d at headquarters: seq %d, simulated %v, chained %v", i+1, l.Seq, l.Simulated, l.Prev == prev)
		}
		prev = l.Hash
	}
}

// TestMain also plays hqd and a node of its cluster, so that a test can kill a
// real process.
func TestMain(m *testing.M) {
	if dir := os.Getenv("HQD_TEST_SERVE"); dir != "" {
		os.Exit(serveForTest(dir))
	}
	if conf := os.Getenv("HQD_TEST_NODE"); conf != "" {
		os.Exit(serveNodeForTest(conf))
	}
	os.Exit(m.Run())
}

func serveForTest(dir string) int {
	a, err := New(context.Background(), Options{
		Listen: os.Getenv("HQD_TEST_LISTEN"), Store: filepath.Join(dir, "store"), Identity: filepath.Join(dir, "id"),
		Control: filepath.Join(dir, "hqd.sock"), HeadEvery: time.Second, Ready: func(addr string) { fmt.Fprintln(os.Stdout, "HQ ready", addr) },
	})
	if err == nil {
		err = a.Serve(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	return 2
}

// spawn starts headquarters as a process of its own; stop kills it with
// SIGKILL.
func (h *hqRig) spawn() {
	h.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "HQD_TEST_SERVE="+h.dir, "HQD_TEST_LISTEN="+h.address())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		h.stop = nil
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HQ ready") {
		h.t.Fatalf("headquarters said %q, %v", line, err)
	}
}

// walkFiles calls f with every file below dir.
func walkFiles(t *testing.T, dir string, f func(path string, b []byte)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil {
			f(path, b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
