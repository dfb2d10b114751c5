package configs

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestDiffLooksAtValuesNotAtText(t *testing.T) {
	a, faults := parseGate(validGate(t))
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("  pulse: 300ms ", "  pulse: 0.3s ", "  unit: 1\n", "", "lane: \"1\"", "lane: 1", "face_timeout: 6s", "face_timeout: 7s", "version: 1", "version: 1\n# more words").Replace(validGate(t))
	b, faults := parseGate(text)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	want := []Change{{"policy.face_timeout", "6s", "7s"}}
	if got := DiffGate(a, b); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	b.Policy.PassTypes = []string{"border_pass"}
	if got := DiffGate(a, b); len(got) != 2 || got[0].Path != "policy.pass_types" || got[0].To != "[border_pass]" {
		t.Errorf("got %v", got)
	}
}

func TestPlacesTellTheFileFromTheDefaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gate.yaml")
	if err := os.WriteFile(path, []byte(validGate(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	g, places, faults := LoadGatePlaces(path)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if len(GateValues(g)) < 60 {
		t.Fatalf("%d values", len(GateValues(g)))
	}
	if at := places["turnstile.pulse"]; at.Line < 10 || at.Column != 10 {
		t.Errorf("turnstile.pulse at %+v", at)
	}
	if _, ok := places["simulated"]; ok {
		t.Error("simulated is not in the file")
	}
}
