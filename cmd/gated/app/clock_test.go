package app

import (
	"log/slog"
	"testing"
	"time"

	"bordergate/gate"
)

func TestClockTrust(t *testing.T) {
	synced := false
	c := newWallClock(time.Now().Add(-time.Hour))
	c.read = func() bool { return synced }
	trust := func() gate.ClockTrust {
		_, tr, _ := c.Wall()
		return tr
	}
	if got := trust(); got != gate.ClockPlausible {
		t.Fatalf("never synchronised: %v", got)
	}
	synced = true
	if got := trust(); got != gate.ClockSynced {
		t.Fatalf("synchronised: %v", got)
	}
	synced = false
	if got := trust(); got != gate.ClockHeldOver {
		t.Fatalf("was synchronised: %v", got)
	}
	c.raise(time.Now().Add(time.Hour))
	if got := trust(); got != gate.ClockBad {
		t.Fatalf("before the newest signed time: %v", got)
	}
	c.raise(time.Time{})
	c.raise(time.Now().Add(-2 * time.Hour))
	if got := trust(); got != gate.ClockBad {
		t.Fatalf("the floor fell: %v", got)
	}
}

func TestBootID(t *testing.T) {
	got := bootID("01234567-89ab-cdef-0123-456789abcdef\n")
	want := [16]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}
	if got != want {
		t.Fatalf("%x", got)
	}
	_ = bootID(string(make([]byte, 100)) + "ffffffffffffffffffffffffffffffffffffffffff")
}

func TestSetClockIsToldAndNotHeldOver(t *testing.T) {
	c := newWallClock(time.Time{})
	wall, mono, synced := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), int64(1e9), true
	c.now, c.read = func() time.Time { return wall }, func() bool { return synced }
	pass := func(d, set time.Duration) { wall, mono = wall.Add(d+set), mono+int64(d) }
	c.Wall()
	for _, s := range []struct {
		set, want time.Duration
	}{{0, 0}, {0, 0}, {time.Second, 0}, {time.Minute, time.Minute + time.Second}, {0, 0}, {-time.Hour, -time.Hour}, {0, 0}} {
		pass(time.Second, s.set)
		if got := c.stepped(mono); got != s.want {
			t.Fatalf("set by %v: told %v, want %v", s.set, got, s.want)
		}
	}
	if _, trust, _ := c.Wall(); trust != gate.ClockSynced {
		t.Fatalf("the time server set it: %v", trust)
	}
	synced = false
	if _, trust, _ := c.Wall(); trust != gate.ClockHeldOver {
		t.Fatalf("the time server is away: %v", trust)
	}
	pass(time.Second, time.Minute)
	c.stepped(mono)
	if _, trust, _ := c.Wall(); trust != gate.ClockPlausible {
		t.Fatalf("somebody set it: %v", trust)
	}
}

func TestNetworkTimeLiftsTheFloorWithinBounds(t *testing.T) {
	at := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	c := newWallClock(at)
	c.good(at.Add(time.Hour))
	if f := time.Unix(0, c.floor.Load()); !f.Equal(at.Add(time.Hour)) {
		t.Fatalf("floor %v", f)
	}
	c.good(at.Add(1000 * day)) // of a server that lies
	if f := time.Unix(0, c.floor.Load()); !f.Equal(at.Add(goodAhead)) {
		t.Fatalf("floor %v, want %v", f, at.Add(goodAhead))
	}
}

// TestClockOverARestart holds that the next start of one boot holds the clock
// over, unless it was set in between, and keeps the floor.
func TestClockOverARestart(t *testing.T) {
	cfg := goodStation(t)
	var floor time.Time
	start := func(set time.Duration, synced bool) (*App, gate.ClockTrust) {
		a := New(cfg, slog.New(slog.DiscardHandler))
		t.Cleanup(func() { _ = a.Close() })
		a.clock.read = func() bool { return synced }
		a.clock.now = func() time.Time { return time.Now().Add(set) }
		a.lookAtClock()
		_, trust, f := a.clock.Wall()
		floor = f
		a.keepClock()
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		return a, trust
	}
	if _, trust := start(0, false); trust != gate.ClockPlausible {
		t.Fatalf("never synchronised: %v", trust)
	}
	if _, trust := start(0, true); trust != gate.ClockSynced {
		t.Fatalf("synchronised: %v", trust)
	}
	if _, trust := start(0, false); trust != gate.ClockHeldOver {
		t.Fatalf("the same boot: %v", trust)
	}
	kept := floor
	if _, trust := start(time.Hour, false); trust != gate.ClockPlausible || floor.Before(kept) {
		t.Fatalf("set while nobody looked: %v, floor %v after %v", trust, floor, kept)
	}
}
