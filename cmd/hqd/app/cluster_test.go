package app

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"bordergate/sync/wire"
)

// clusterRig is three NATS nodes, each a process of its own that can be killed.
type clusterRig struct {
	t     *testing.T
	nodes []*clusterNode
}

type clusterNode struct {
	Name, Client, Route, Dir string
	Routes                   []string
	cmd                      *exec.Cmd
}

func newCluster(t *testing.T) *clusterRig {
	t.Helper()
	if testing.Short() {
		t.Skip("starts three processes")
	}
	c := &clusterRig{t: t}
	var routes []string
	for i := range clusterReplicas {
		n := &clusterNode{Name: fmt.Sprintf("node-%d", i+1), Client: freeAddress(t), Route: freeAddress(t), Dir: t.TempDir()}
		c.nodes, routes = append(c.nodes, n), append(routes, "nats://"+n.Route)
	}
	t.Cleanup(func() {
		for _, n := range c.nodes {
			n.kill()
		}
	})
	for _, n := range c.nodes {
		n.Routes = routes
		c.start(n)
	}
	return c
}

// urls is how hqd is told of the cluster.
func (c *clusterRig) urls() string {
	var list []string
	for _, n := range c.nodes {
		list = append(list, n.Client)
	}
	return "nats://" + strings.Join(list, ",")
}

func (c *clusterRig) node(name string) *clusterNode {
	i := slices.IndexFunc(c.nodes, func(n *clusterNode) bool { return n.Name == name })
	if i < 0 {
		c.t.Fatalf("no node %q", name)
	}
	return c.nodes[i]
}

func (c *clusterRig) start(n *clusterNode) {
	c.t.Helper()
	conf, err := json.Marshal(n)
	if err != nil {
		c.t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	n.cmd = exec.Command(exe)
	n.cmd.Env = append(os.Environ(), "HQD_TEST_NODE="+string(conf))
	n.cmd.Stderr = os.Stderr
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := n.cmd.StdoutPipe()
	if err == nil {
		err = n.cmd.Start()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		c.t.Fatalf("%s said %q, %v", n.Name, line, err)
	}
}

// kill ends the node with SIGKILL.
func (n *clusterNode) kill() {
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait()
	n.cmd = nil
}

// serveNodeForTest is a node as production runs it: nats-server with JetStream
// and sync_interval always.
func serveNodeForTest(conf string) int {
	var n clusterNode
	err := json.Unmarshal([]byte(conf), &n)
	var o *server.Options
	if err == nil {
		file := filepath.Join(n.Dir, "nats.conf")
		err = os.WriteFile(file, fmt.Appendf(nil, `
server_name: %s
listen: "%s"
jetstream { store_dir: "%s", sync_interval: always }
cluster { name: hq, listen: "%s", routes: ["%s"] }
`, n.Name, n.Client, n.Dir, n.Route, strings.Join(n.Routes, `", "`)), 0o600)
		if err == nil {
			o, err = server.ProcessConfigFile(file)
		}
	}
	var s *server.Server
	if err == nil {
		o.NoSigs, o.NoLog = true, true
		s, err = server.NewServer(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		return 2
	}
	fmt.Fprintln(os.Stdout, "ready")
	s.WaitForShutdown()
	return 0
}

// newClusterHQ is a headquarters with the cluster as its store; with another
// one given, a second process of the same headquarters.
func newClusterHQ(t *testing.T, c *clusterRig, twin *hqRig) *hqRig {
	t.Helper()
	h := newHQ(t)
	h.cluster = c.urls()
	if twin != nil {
		id := filepath.Join(h.dir, "id")
		if out, err := exec.Command("cp", "-a", filepath.Join(twin.dir, "id")+"/.", id).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		h.fingerprint = twin.fingerprint
	}
	return h
}

// whole waits until every copy of the records has all of them.
func (h *hqRig) whole() {
	h.t.Helper()
	limit, tick := time.After(patience), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for {
		info, err := h.app.records.stream.Info(h.t.Context())
		if err == nil && info.Cluster.Leader != "" && len(info.Cluster.Replicas) == clusterReplicas-1 {
			current := true
			for _, r := range info.Cluster.Replicas {
				current = current && r.Current && !r.Offline
			}
			if current {
				return
			}
		}
		select {
		case <-tick.C:
		case <-limit:
			h.t.Fatal("waited in vain for every copy of the records")
		}
	}
}

// TestCluster has two processes of one headquarters on a cluster of three
// nodes, first in peace and then while nodes are killed.
func TestCluster(t *testing.T) {
	c := newCluster(t)
	h1 := newClusterHQ(t, c, nil)
	g1, g2 := newGate(t, h1, "lane-1"), newGate(t, h1, "lane-2")
	h2 := newClusterHQ(t, c, h1)
	h1.start()
	h2.start()
	t.Run("two share the gates", func(t *testing.T) { twoShareTheGates(t, h1, h2, g1, g2) })
	t.Run("node killed under load", func(t *testing.T) { nodeKilledUnderLoad(t, c, h2, g2) })
}

func twoShareTheGates(t *testing.T, h1, h2 *hqRig, g1, g2 *gateRig) {
	g1.start(h1)
	g2.start(h2)
	until(t, "the end of catching up", g2.catching, false)
	enrol(t, h1, "a1", "a2")
	until(t, "the enrolment at the other's gate", g2.changed, "a1")

	// What one decides bites at the gates of both, and both know of it.
	id := decide(t, h1, "a1", suspension)
	for statusOf(t, g2, "a1") != wire.StatusSuspended {
		until(t, "the suspension at the other's gate", g2.changed, "a1")
	}
	for _, h := range []*hqRig{h1, h2} {
		if r := waitApplied(t, h, id); len(r.Gates) != 2 {
			t.Fatalf("applied report: %+v", r)
		}
	}
	decide(t, h2, "a2", suspension) // after what the other wrote

	// A batch that reaches both at once is stored once.
	g1.cross(40)
	g1.out.waitAcked(t, 40)
	g1.stop()
	g1.cross(200)
	var wg sync.WaitGroup
	for _, h := range []*hqRig{h1, h2} {
		wg.Go(func() {
			for first := uint64(41); first <= 240; first += 20 {
				h.app.take(t.Context(), g1.batch(first, 20))
			}
		})
	}
	wg.Wait()
	for _, h := range []*hqRig{h1, h2} {
		onceEach(t, recordsOf(t, h, "lane-1", false), 240)
	}

	// A gate that finds its headquarters gone goes on at the other.
	h1.stop()
	g1.start(h2)
	g1.cross(10)
	g1.out.waitAcked(t, 250)
	onceEach(t, recordsOf(t, h2, "lane-1", false), 250)
}

// nodeKilledUnderLoad kills the node that leads the records while a gate's
// come in; HQD_TEST_KILLS kills so often, the leader and the node that
// headquarters talks to by turns.
func nodeKilledUnderLoad(t *testing.T, c *clusterRig, h *hqRig, g *gateRig) {
	kills := 1
	if n, err := strconv.Atoi(os.Getenv("HQD_TEST_KILLS")); err == nil {
		kills = n
	}
	load := startLoad(g)
	for i := range kills {
		g.out.waitAcked(t, load.written()+200)
		h.whole()
		whom, name := "connected", h.app.store.nc.ConnectedServerName()
		if i%2 == 0 {
			info, err := h.app.records.stream.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			whom, name = "leading", info.Cluster.Leader
		}
		n := c.node(name)
		n.kill()
		at, killed := time.Now(), load.written()
		g.out.waitAcked(t, killed+2) // written after the node was gone
		t.Logf("%s node killed with %d records written: ingest resumed after %.1f s", whom, killed, time.Since(at).Seconds())
		if i+1 < kills {
			c.start(n)
		}
	}
	total := load.stop()
	g.out.waitAcked(t, total)
	onceEach(t, recordsOf(t, h, g.id.Gate, false), int(total))
	t.Logf("%d nodes killed, %d records: none lost, none twice", kills, total)
}

// mostBehind is how far the load's gate goes ahead of headquarters. It writes
// faster than three nodes on one machine take in, and what resumed would else
// be measured behind all that it had written in between.
const mostBehind = 400

// load is a gate that writes records all the time.
type load struct {
	out        *outbox
	mu         sync.Mutex
	total      uint64
	enough, at chan struct{}
}

func startLoad(g *gateRig) *load {
	l := &load{out: g.out, enough: make(chan struct{}), at: make(chan struct{})}
	go func() {
		defer close(l.at)
		for {
			select {
			case <-l.enough:
				return
			default:
			}
			if !l.mayWrite() {
				continue
			}
			g.cross(1)
			l.mu.Lock()
			l.total++
			l.mu.Unlock()
		}
	}()
	return l
}

// written is how many records are in the journal, or one less.
func (l *load) written() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// mayWrite waits until headquarters is near enough; false asks to look whether
// it is enough.
func (l *load) mayWrite() bool {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	if l.written() < l.out.acked+mostBehind {
		return true
	}
	l.out.cond.Wait()
	return false
}

func (l *load) stop() uint64 {
	close(l.enough)
	l.out.cond.Broadcast()
	<-l.at
	return l.written()
}

func TestClusterNodes(t *testing.T) {
	for text, want := range map[string]string{
		"nats://127.0.0.1:4222,127.0.0.1:4223,localhost:4224": "nats://127.0.0.1:4222 nats://127.0.0.1:4223 nats://localhost:4224",
		"nats://[::1]:4222":                   "nats://[::1]:4222",
		"nats://127.0.0.1,nats://127.0.0.1:1": "nats://127.0.0.1 nats://127.0.0.1:1",
		"http://127.0.0.1":                    "",
		"nats://10.0.0.1:4222":                "",
		"nats://user:word@127.0.0.1":          "",
		"nats://127.0.0.1,,127.0.0.1":         "",
		"nats://":                             "",
	} {
		got, err := clusterNodes(text, false)
		if strings.Join(got, " ") != want || (err == nil) != (want != "") {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if got, err := clusterNodes("nats://10.0.0.1:4222", true); err != nil || len(got) != 1 {
		t.Errorf("with TLS: %v, %v", got, err)
	}
}
