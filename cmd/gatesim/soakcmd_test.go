package main

import (
	"io"
	"strings"
	"testing"

	"bordergate/cmd/gatesim/soak"
)

// TestHalves holds that nothing of what was asked for is left out.
func TestHalves(t *testing.T) {
	k := soak.Options{Seed: 3, Kills: 101, Records: 7, Deltas: 4}
	for broker, want := range map[string][]bool{"own": {false}, "mosquitto": {true}, "both": {false, true}} {
		var sum soak.Options
		list := halves(k, broker)
		if len(list) != len(want) {
			t.Fatalf("%s: %d campaigns", broker, len(list))
		}
		for i, c := range list {
			sum.Kills, sum.Records, sum.Deltas = sum.Kills+c.Kills, sum.Records+c.Records, sum.Deltas+c.Deltas
			if c.Mosquitto != want[i] || c.Seed != 3 {
				t.Errorf("%s: campaign %d is %+v", broker, i, c)
			}
		}
		if sum.Kills != 101 || sum.Records != 7 || sum.Deltas != 4 {
			t.Errorf("%s: together %+v", broker, sum)
		}
	}
}

func TestSoakRefusesWhatIsNotThere(t *testing.T) {
	for _, args := range [][]string{nil, {"people"}, {"lane", "x"}, {"sync", "--broker", "none"}, {"sync", "--kills", "0"}, {"sync", "x"}} {
		if _, err := soakCommand(t.Context(), args, io.Discard, io.Discard); err == nil || strings.Contains(err.Error(), "panic") {
			t.Errorf("%q: %v", args, err)
		}
	}
}
