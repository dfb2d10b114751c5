package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bordergate/configs"
	"bordergate/gate"
)

func testServer(t *testing.T, h *hub) *server {
	t.Helper()
	s, err := newServer("127.0.0.1:0", h, func() Status {
		return Status{Gate: Place{ID: "lane-1"}, Faults: []Fault{{Part: "models", Error: "detect is <missing>"}}}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.http.Close(); _ = s.listener.Close() })
	return s
}

func TestStatusPageShowsFaultsEscaped(t *testing.T) {
	s := testServer(t, newHub(monoNow))
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "http://127.0.0.1/", nil)
	s.http.Handler.ServeHTTP(w, r)
	body := w.Body.String()
	if w.Code != http.StatusOK || !strings.Contains(body, "detect is &lt;missing&gt;") || strings.Contains(body, "<missing>") {
		t.Fatalf("status %d: %s", w.Code, body)
	}
	if w.Header().Get("Content-Security-Policy") == "" {
		t.Error("no content security policy")
	}
}

func TestStatusIsForThisMachineOnly(t *testing.T) {
	s := testServer(t, newHub(monoNow))
	for host, want := range map[string]int{
		"127.0.0.1:7080": http.StatusOK, "localhost": http.StatusOK, "[::1]:7080": http.StatusOK,
		"gate.example": http.StatusMisdirectedRequest, "10.0.0.1": http.StatusMisdirectedRequest, "localhost.example": http.StatusMisdirectedRequest,
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "http://127.0.0.1/status.json", nil)
		r.Host = host
		s.http.Handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("host %s: status %d, want %d", host, w.Code, want)
		}
	}
	w := httptest.NewRecorder()
	s.http.Handler.ServeHTTP(w, httptest.NewRequest("POST", "http://127.0.0.1/status.json", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("a change was taken with status %d", w.Code)
	}
}

func TestStatusStream(t *testing.T) {
	h := newHub(monoNow)
	s := testServer(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.serve(ctx) }()
	resp, err := http.Get("http://" + s.addr() + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	next := func() event {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var e event
				if err := json.Unmarshal([]byte(data), &e); err != nil {
					t.Fatal(err)
				}
				return e
			}
		}
		t.Fatalf("stream ended: %v", lines.Err())
		return event{}
	}
	next() // the state as it is
	h.Show(gate.View{State: gate.Emergency})
	if e := next(); e.State != "emergency" {
		t.Fatalf("event %+v", e)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("serve ended with %v", err)
	}
}

func TestTakenPortNamesItsCure(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := configs.DefaultGate()
	cfg.Status.Listen = l.Addr().String()
	cfg.Paths = configs.Paths{State: t.TempDir(), Identity: t.TempDir() + "/none", Control: t.TempDir() + "/c.sock"}
	a := New(&cfg, slog.New(slog.DiscardHandler))
	defer a.Close()
	if a.lane != nil {
		t.Fatal("a gate with faults has a lane")
	}
	if f := a.Faults(); len(f) != 1 || f[0].Part != "identity" {
		t.Fatalf("faults %+v", f)
	}
	if err := a.defects["status_page_port_taken"]; err == nil || !strings.Contains(err.Error(), "status.listen") {
		t.Fatalf("no cure in %v", err)
	}
}

func TestBrokenGateServesItsFaultsAndStaysClosed(t *testing.T) {
	a := newBroken(looseGate(), configs.Faults{{File: "gate.yaml", Line: 3, Message: "is not known", Path: "gaet"}}, slog.New(slog.DiscardHandler))
	defer a.Close()
	s := a.Status()
	if s.Lane.State != "closed" || len(s.Faults) == 0 || !strings.Contains(s.Faults[0].Error, "gate.yaml:3") {
		t.Fatalf("status %+v", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Serve(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestControlSocketIsNotTakenFromALivingDaemon(t *testing.T) {
	path := t.TempDir() + "/run/c.sock"
	l, err := listenControl(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listenControl(path); err == nil || !strings.Contains(err.Error(), "already runs") {
		t.Fatalf("second listener: %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = l.Close()
	again, err := listenControl(path) // what a dead one left is replaced
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}

// looseGate is a gate of defaults whose addresses the system chooses.
func looseGate() *configs.Gate {
	c := configs.DefaultGate()
	c.Status.Listen = "127.0.0.1:0"
	return &c
}
