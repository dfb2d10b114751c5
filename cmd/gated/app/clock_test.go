package app

import (
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
