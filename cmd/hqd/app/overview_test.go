package app

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"bordergate/sync/journal"
	box "bordergate/sync/outbox"
	"bordergate/sync/wire"
)

// TestOverview holds what each fault of a gate is called, and that it is called
// by nothing else.
func TestOverview(t *testing.T) {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	head := wire.Head{Epoch: 3, Seq: 40}
	well := func() *gateState {
		return &gateState{
			up: true, seen: now, count: map[string]uint64{}, birth: wire.Birth{Software: "1.0"},
			state: wire.State{
				Mode: "reading", Accounts: wire.Cursor{Epoch: 3, Cursor: 40}, HeadIssued: now.Add(-5 * time.Second).UnixNano(),
				Clock: "synchronised", Config: "c", Models: "m", Queue: map[string]uint64{"crossing": 2, "alarm": 1},
			},
		}
	}
	for why, change := range map[string]func(*gateState){
		"":                  func(*gateState) {},
		"never_seen":        func(s *gateState) { *s = gateState{count: s.count} },
		"down":              func(s *gateState) { s.up = false },
		"silent":            func(s *gateState) { s.seen = now.Add(-31 * time.Second) },
		"fault":             func(s *gateState) { s.state.Faults = []string{"turnstile"} },
		"cache_stale":       func(s *gateState) { s.state.HeadIssued = now.Add(-2 * time.Minute).UnixNano() },
		"clock":             func(s *gateState) { s.state.Clock = "plausible" },
		"queue":             func(s *gateState) { s.state.Queue["crossing"] = 1001 },
		"config_differs":    func(s *gateState) { s.state.Config = "d" },
		"models_differ":     func(s *gateState) { s.state.Models = "n" },
		"software_differs":  func(s *gateState) { s.birth.Software = "0.9" },
		"two_gates":         func(s *gateState) { s.twins.at = now },
		"contradicts_store": func(s *gateState) { s.count["fork"] = 1 },
	} {
		s := well()
		change(s)
		f := &fleet{gates: map[string]*gateState{"lane-1": well(), "lane-2": well(), "lane-3": s, "gone": {entry: GateEntry{Retired: now}}}}
		o := f.overview(head, now)
		var want []string
		if why != "" {
			want = []string{why}
		}
		got := o.List[2]
		if o.Gates != 3 || !slices.Equal(got.Why, want) || got.Well != (why == "") || o.Config != "c" || o.Models != "m" || o.Software != "1.0" {
			t.Errorf("%s: %+v of %+v", why, got, o)
		}
		if first := o.List[0]; !first.Well || first.CacheAge != 5 || first.Queue != 3 || first.Behind != 0 {
			t.Errorf("%s: a gate that is well: %+v", why, first)
		}
	}
	s := well()
	s.say(wire.State{Wall: now.Add(-40 * time.Second).UnixNano(), Clock: "synchronised"})
	if v := s.view("x", head); v.ClockOff != -40 || v.Behind != 40 || v.CacheAge != -1 {
		t.Errorf("a clock behind: %+v", v)
	}
}

func TestTwins(t *testing.T) {
	for name, c := range map[string]struct {
		boots []string
		two   int
	}{
		"connections of one start":  {[]string{"a-1", "a-2", "a-2", "a-3"}, 0},
		"restarts":                  {[]string{"a-1", "b-1", "c-1", "c-2"}, 0},
		"two machines":              {[]string{"a-1", "b-1", "a-2", "b-2", "a-3"}, 3},
		"one of two started anew":   {[]string{"a-1", "b-1", "c-1", "b-2", "c-2"}, 2},
		"hostile: no name, no dash": {[]string{"", "x", "", "x"}, 1},
	} {
		var w twins
		n := 0
		for _, b := range c.boots {
			if w.born(b, time.Now()) {
				n++
			}
		}
		if n != c.two {
			t.Errorf("%s: seen %d times, want %d", name, n, c.two)
		}
	}
	var w twins
	for i := range 100 {
		w.born(string(rune('a'+i))+"-1", time.Now())
	}
	if len(w.former) > maxFormer {
		t.Errorf("%d former starts kept", len(w.former))
	}
}

// twin is a second machine with the gate's identity; its journal is its own.
func (g *gateRig) twin() *gateRig {
	g.t.Helper()
	other := *g
	other.dir, other.stop, other.link = g.t.TempDir(), nil, nil
	other.changed, other.catching, other.online, other.fatal = make(chan string, 4096), make(chan bool, 256), make(chan bool, 256), make(chan error, 8)
	j, err := journal.Open(journal.Options{Path: filepath.Join(other.dir, "journal.db"), Gate: g.id.Gate, Vault: g.vault, Simulated: true})
	if err != nil {
		g.t.Fatal(err)
	}
	other.out = &outbox{Outbox: box.Outbox{Journal: j}}
	other.out.cond = sync.NewCond(&other.out.mu)
	other.openAccounts()
	g.t.Cleanup(func() {
		if other.stop != nil {
			other.stop()
		}
		_ = j.Close()
		_ = other.accounts.Close()
	})
	return &other
}

// TestTwoGatesWithOneID has both at the broker, which knows one client of an id
// and puts the other out again and again.
func TestTwoGatesWithOneID(t *testing.T) {
	h := newHQ(t)
	h.start()
	g := newGate(t, h, "lane-1")
	other := g.twin()
	g.cross(30)
	other.cross(20)
	g.start(h)
	other.start(h)
	g.out.waitAcked(t, 30)
	other.out.waitAcked(t, 20)
	for limit := time.Now().Add(patience); gateCounters(h, "lane-1")["two_gates"] == 0; {
		if time.Now().After(limit) {
			t.Fatalf("not noticed: %v", gateCounters(h, "lane-1"))
		}
		<-g.online // they go on putting each other out
	}
	g.stop()
	other.stop()
	byEpoch := map[uint64][]journal.Line{}
	for _, l := range recordsOf(t, h, "lane-1", false) {
		byEpoch[l.Epoch] = append(byEpoch[l.Epoch], l)
	}
	if len(byEpoch) != 2 {
		t.Fatalf("records of %d journals", len(byEpoch))
	}
	onceEach(t, byEpoch[g.out.Epoch()], 30)
	onceEach(t, byEpoch[other.out.Epoch()], 20)
	if o := h.app.fleet.overview(h.app.ledger.Head(), time.Now()); !slices.Contains(o.List[0].Why, "two_gates") {
		t.Errorf("overview: %+v", o.List[0])
	}
}
