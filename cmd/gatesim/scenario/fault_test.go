package scenario

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"bordergate/cmd/gatesim/board"
	"bordergate/cmd/gatesim/camera"
	"bordergate/cmd/gatesim/scanner"
)

// A verb that a scenario may name and no device has, or the other way round,
// would be found out in the middle of a run.
func TestVerbsAreThoseOfTheDevices(t *testing.T) {
	for device, have := range map[string][]string{
		Board: board.Verbs(), Scanner: scanner.Verbs(), Face: camera.Verbs(), Document: camera.Verbs(), HQ: {"away"},
	} {
		if said := slices.Sorted(slices.Values(Verbs(device))); !slices.Equal(said, have) {
			t.Errorf("%s: a scenario has %q, the device %q", device, said, have)
		}
	}
	if len(DeviceNames()) != 5 {
		t.Errorf("devices %q", DeviceNames())
	}
}

func TestFaultsAreParsedStrictly(t *testing.T) {
	good := strings.Replace(base, "{case: genuine, count: 3}", `{case: genuine, count: 3, faults: [{device: board, verb: hang_up, at: granted, for: 1s}],
      expect: {outcome: failed, reasons: [device_fault], alarms: [device_fault], unlocks: 1}}`, 1)
	s, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if p := s.Plan(0, 1); len(p[0].Faults) != 1 || p[0].Expect.Outcome.String() != "failed" || *p[0].Expect.Unlocks != 1 || p[3].Expect.Outcome.String() != "refused" {
		t.Errorf("planned %+v", p[0])
	}
	for _, c := range []struct{ old, new, say string }{
		{"device: board", "device: toaster", "toaster"},
		{"verb: hang_up", "verb: explode", "explode"},
		{"at: granted", "at: ready", "ready"},
		{"at: granted", "at: 2h", "at most"},
		{"for: 1s", "for: -1s", "at most"},
		{"for: 1s", "until: 1s", "until"},
		{"outcome: failed, ", "", "no outcome"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if _, err := Parse([]byte(text)); text == good || !errors.Is(err, ErrScenario) || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: error %v does not name %q", c.new, err, c.say)
		}
	}
}

func TestDirectionIsParsed(t *testing.T) {
	if s, err := Parse([]byte(base)); err != nil || s.Direction != Exit {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := Load("entry"); err != nil || s.Direction != Entry {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := Parse([]byte(base + "direction: up\n")); err == nil || !strings.Contains(err.Error(), "direction") {
		t.Errorf("error %v", err)
	}
}

// contract are the cases that all of us have promised to play.
var contract = strings.Fields(`genuine genuine_offline impostor photo_print photo_screen forged_seal unknown_signer expired_pass wrong_crossing
	wrong_direction revoked_pass stamp_due stamp_soon level1 suspended suspended_midway restored cancelled unknown_account stale_cache watchlisted
	two_faces tailgater wrong_way no_show unreadable no_pass passback emergency`)

func TestAllPlaysEveryCase(t *testing.T) {
	s, err := Load("all")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range s.Plan(0, 1) {
		seen[p.Case] = true
	}
	for _, c := range append(Cases(), contract...) {
		if !seen[c] {
			t.Errorf("nobody plays %s", c)
		}
	}
	if len(contract) != 29 {
		t.Errorf("%d cases of the contract", len(contract))
	}
}

// The long demonstration has what can happen in the passage.
func TestDefaultPlaysWhatHappensInThePassage(t *testing.T) {
	s, err := Load("default")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range s.Plan(0, 1) {
		seen[p.Case] = true
	}
	for _, c := range []string{Tailgater, WrongWay, NoShow, TwoFaces, Emergency, WrongDirection} {
		if !seen[c] {
			t.Errorf("nobody plays %s", c)
		}
	}
}
