package app

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bordergate/gate"
)

// notified is a service manager's socket.
type notified struct {
	t    *testing.T
	conn *net.UnixConn
}

func newNotified(t *testing.T) *notified {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second)) // a test that fails does not hang
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "3000000")
	t.Setenv("WATCHDOG_PID", "")
	return &notified{t, c}
}

// until reads until a line begins with what is wanted, and gives all lines.
func (n *notified) until(want string) []string {
	n.t.Helper()
	var all []string
	buf := make([]byte, 4096)
	for {
		k, err := n.conn.Read(buf)
		if err != nil {
			n.t.Fatalf("no %s after %q: %v", want, all, err)
		}
		lines := strings.Split(string(buf[:k]), "\n")
		all = append(all, lines...)
		for _, l := range lines {
			if strings.HasPrefix(l, want) {
				return all
			}
		}
	}
}

func has(lines []string, want string) bool {
	for _, l := range lines {
		if strings.HasPrefix(l, want) {
			return true
		}
	}
	return false
}

func TestServiceManagerIsToldInOrder(t *testing.T) {
	n := newNotified(t)
	a := supervisedApp()
	a.openManager()
	m := a.manager
	if m.every != time.Second {
		t.Fatalf("fed every %v, want a third of the watchdog's time", m.every)
	}
	a.hub.Show(gate.View{State: gate.Closed, Cause: causeStarting})
	done := make(chan error, 1)
	go func() { done <- m.serve(t.Context()) }()
	n.until("STATUS=lane closed: starting")
	a.hub.Show(gate.View{State: gate.SelfTest, Cause: "self_test"})
	lines := n.until("STATUS=lane self test: self test")
	a.hub.Show(gate.View{State: gate.OutOfService, Cause: gate.CauseTurnstile})
	lines = append(lines, n.until("STATUS=lane out of service: turnstile")...)
	if !has(lines, "READY=1") {
		t.Errorf("a cause that is named does not make the gate ready: %q", lines)
	}
	if i := len(lines); has(lines[:i-2], "READY=1") {
		t.Errorf("ready before the self-test was over: %q", lines)
	}

	// The watchdog is fed by the loop alone, and not while a part stands still.
	still, now := "", time.Now()
	m.feed(now, func() string { return still })
	n.until("WATCHDOG=1")
	still = "turnstile events"
	m.feed(now.Add(time.Minute), func() string { return still })
	a.hub.Show(gate.View{State: gate.Ready})
	if lines := n.until("STATUS=lane ready"); has(lines, "WATCHDOG") {
		t.Errorf("fed while a part stands still: %q", lines)
	}
	still = ""
	m.feed(now.Add(time.Minute), func() string { return still })
	n.until("WATCHDOG=1")
	m.stop()
	if lines := n.until("STOPPING=1"); has(lines, "READY") {
		t.Errorf("ready twice: %q", lines)
	}
}

// TestGateWithoutALaneIsReadyAndFed has a gate that can only say what it lacks
// be neither killed nor waited for.
func TestGateWithoutALaneIsReadyAndFed(t *testing.T) {
	n := newNotified(t)
	cfg := goodStation(t)
	cfg.Paths.Identity += "-none"
	a := New(cfg, quiet())
	defer a.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx) }()
	if lines := n.until("WATCHDOG=1"); !has(lines, "READY=1") || !has(lines, "STATUS=closed: identity:") {
		t.Errorf("told %q", lines)
	}
	cancel()
	n.until("STOPPING=1")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestGateWithoutServiceManagerSaysNothing(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	m := newManager(quiet(), func() string { return "" })
	m.feed(time.Now(), func() string { t.Error("asked without a watchdog"); return "" })
	if err := m.send("READY=1"); err != nil {
		t.Fatal(err)
	}
}

func TestStatusLineIsOneLine(t *testing.T) {
	if s := oneLine("a\nREADY=1\n" + strings.Repeat("x", 900)); strings.Contains(s, "\n") || len(s) > 300 {
		t.Fatalf("%q", s)
	}
}
