package app

import (
	"errors"
	"log/slog"
	"slices"
	"testing"

	"bordergate/configs"
	"bordergate/gate"
	"bordergate/sync/journal"
	"bordergate/sync/wire"
)

// realStation is a station that is not simulated: its liveness is enforced.
func realStation(t *testing.T) *configs.Gate {
	t.Helper()
	c := goodStation(t)
	c.Simulated = false
	return c
}

func TestNewGateIsADryRunUntilItIsArmed(t *testing.T) {
	c := realStation(t)
	a := orderRig(t, New(c, slog.New(slog.DiscardHandler)))
	serviceable(a)
	reach(t, a, "ready as a dry run", func(v gate.View) bool { return v.State == gate.Ready && v.Mode == gate.ModeDryRun })
	for _, by := range []string{"", "Nguyen Van A", "../x"} {
		if err := a.arm(by, true); !errors.Is(err, errWho) {
			t.Errorf("armed by %q: %v", by, err)
		}
	}
	if got, err := a.armed(); err != nil || got.On {
		t.Fatalf("armed: %+v, %v", got, err)
	}
	if err := a.arm("tech-7", true); err != nil {
		t.Fatal(err)
	}
	// It was on the disk before anybody could be released.
	raws, err := a.journal.Tail(wire.StreamAlarm, 8)
	if err != nil || !slices.ContainsFunc(raws, func(raw journal.RawRecord) bool {
		rec, err := wire.DecodeRecord(raw.Bytes)
		return err == nil && rec.Kind == kindArming
	}) {
		t.Errorf("no record of the arming, %v", err)
	}
	reach(t, a, "normal", func(v gate.View) bool { return v.State == gate.Ready && v.Mode == gate.ModeNormal })
	if got, err := a.armed(); err != nil || !got.On || got.By != "tech-7" || got.At.IsZero() {
		t.Fatalf("armed: %+v, %v", got, err)
	}
	if err := a.arm("tech-8", false); err != nil {
		t.Fatal(err)
	}
	reach(t, a, "a dry run again", func(v gate.View) bool { return v.Mode == gate.ModeDryRun })
}

func TestArmedGateStaysSoOverARestart(t *testing.T) {
	c := realStation(t)
	a := New(c, slog.New(slog.DiscardHandler))
	if err := a.arm("tech-7", true); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	c.Paths.Control += "2" // only a gate that serves gives its socket back
	a = orderRig(t, New(c, slog.New(slog.DiscardHandler)))
	if got := a.modes.now().Mode; got != gate.ModeNormal {
		t.Fatalf("mode %v after the restart", got)
	}
}

// TestArmingOpensNothingThatIsClosed: an order to close stays what it is.
func TestArmingOpensNothingThatIsClosed(t *testing.T) {
	a := orderRig(t, New(realStation(t), slog.New(slog.DiscardHandler)))
	serviceable(a)
	a.order(gate.Order{Mode: gate.ModeClosed, By: gate.ByStation})
	if err := a.arm("tech-7", true); err != nil {
		t.Fatal(err)
	}
	reach(t, a, "closed", func(v gate.View) bool { return v.State == gate.Closed && v.Mode == gate.ModeClosed })
}

func TestGateWithFaultsIsNotArmed(t *testing.T) {
	c := realStation(t)
	c.Trust.Dir += "/nowhere"
	a := New(c, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = a.Close() })
	if len(a.Faults()) == 0 {
		t.Fatal("no fault")
	}
	if err := a.arm("tech-7", true); !errors.Is(err, errUnwell) {
		t.Fatal(err)
	}
	if got, _ := a.armed(); got.On {
		t.Fatal("armed with faults")
	}
}
