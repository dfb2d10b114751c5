package hal

import (
	"errors"
	"os"
	"testing"
)

func TestEveryKindHasItsOwnName(t *testing.T) {
	seen := map[string]EventKind{}
	for _, k := range EventKinds() {
		name := k.String()
		if name == "" || name == "invalid" {
			t.Errorf("kind %d has no name", k)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("kinds %d and %d share the name %q", k, other, name)
		}
		seen[name] = k
	}
	if EventKind(0).String() != "invalid" || kindEnd.String() != "invalid" {
		t.Error("a kind outside the list has a name")
	}
}

func TestSafetyAndPassageEventsNeverCoalesce(t *testing.T) {
	levels := map[EventKind]bool{
		ObstructionOn: true, ObstructionOff: true, DoorOpened: true, DoorClosed: true, PresenceOn: true, PresenceOff: true,
	}
	for _, k := range EventKinds() {
		if got := k.Coalesces() != 0; got != levels[k] {
			t.Errorf("%v coalesces: %v, want %v", k, got, levels[k])
		}
	}
}

func TestInputNamesRoundTrip(t *testing.T) {
	for _, in := range Inputs() {
		got, err := ParseInput(in.String())
		if err != nil || got != in {
			t.Errorf("ParseInput(%q) = %v, %v", in, got, err)
		}
	}
	for _, bad := range []string{"", "invalid", "Ready"} {
		if _, err := ParseInput(bad); err == nil {
			t.Errorf("ParseInput(%q) accepted", bad)
		}
	}
}

func TestZeroValuesFailClosed(t *testing.T) {
	var s State
	for _, in := range Inputs() {
		if s.Level(in) != Unknown {
			t.Errorf("%v of a zero state is %v", in, s.Level(in))
		}
	}
	if s.Level(inputEnd) != Unknown {
		t.Error("an input outside the list is known")
	}
	var d Direction
	var tr Trust
	if d.Valid() || d.Opposite().Valid() || tr != TrustBad || s.Online {
		t.Error("a zero value permits something")
	}
}

func TestErrorSaysAllAndUnwraps(t *testing.T) {
	err := error(&Error{Op: "open port", Device: "/dev/gate/barrier", Err: os.ErrPermission, Hint: "add the user to dialout"})
	if !errors.Is(err, os.ErrPermission) {
		t.Error("the cause is lost")
	}
	if got, want := err.Error(), "open port /dev/gate/barrier: permission denied (add the user to dialout)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNowNeverFalls(t *testing.T) {
	last := Now()
	if last <= 0 {
		t.Fatal("no monotonic clock")
	}
	for range 1000 {
		now := Now()
		if now.Sub(last) < 0 {
			t.Fatalf("fell from %d to %d", last, now)
		}
		last = now
	}
}
