package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTwentyFaultsInOneRun(t *testing.T) {
	got := gatectl(t, "config", "check", "--json", "../../configs/testdata/gate.twenty-faults.yaml")
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	if got.status != exitNegative || len(lines) != 20 {
		t.Fatalf("status %d, %d lines:\n%s", got.status, len(lines), got.out)
	}
	for _, want := range []string{`did you mean \"identity\"?`, `did you mean \"policy\"?`, `did you mean \"observe\"?`, "320 to 3840 pixels", "300ms, 8s, 72h"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("nothing says %s", want)
		}
	}
}

func TestConfigSchemaIsJSON(t *testing.T) {
	got := gatectl(t, "config", "schema")
	committed, err := os.ReadFile("../../configs/gate.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if got.status != exitDone || got.out != string(committed) || !json.Valid(committed) {
		t.Errorf("status %d, %d bytes", got.status, len(got.out))
	}
}

func TestConfigDiff(t *testing.T) {
	a := stoppedGate(t)
	b := edited(t, a, "face_timeout: 6s", "face_timeout: 5s", "cache_max_age: 72h", "cache_max_age: 24h")
	got := gatectl(t, "config", "diff", a, b, "--json")
	want := `{"path":"policy.cache_max_age","from":"72h","to":"24h"}` + "\n" + `{"path":"policy.face_timeout","from":"6s","to":"5s"}` + "\n"
	if got.status != exitNegative || got.out != want {
		t.Errorf("got %+v", got)
	}
	if got := gatectl(t, "config", "diff", a, edited(t, a, "pulse: 300ms ", "pulse: 0.3s ")); got.status != exitDone || got.out != "" {
		t.Errorf("another way to write the same: %+v", got)
	}
	if got := gatectl(t, "config", "diff", a); got.status != exitUnable {
		t.Errorf("one file: %+v", got)
	}
	if got := gatectl(t, "config", "diff", a, "../../configs/testdata/gate.empty.yaml"); got.status != exitUnable {
		t.Errorf("a broken file: %+v", got)
	}
}

// edited is a copy of a configuration with changes.
func edited(t *testing.T, file string, changes ...string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "gate.yaml")
	if err := os.WriteFile(out, []byte(strings.NewReplacer(changes...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestConfigExplain(t *testing.T) {
	config := stoppedGate(t)
	for name, c := range map[string]struct {
		args   string
		status int
		has    []string
	}{
		"from the file":      {"turnstile.pulse --config " + config, exitDone, []string{"300ms (line ", "100ms to 1s", "next start"}},
		"a default":          {"simulated --config " + config, exitDone, []string{"false (default)"}},
		"without a file":     {"policy.cache_max_age", exitDone, []string{"72h (default)", "SIGHUP"}},
		"a section":          {"policy.kind_max_age", exitDone, []string{"citizen", "foreigner", "organisation"}},
		"a whole file":       {config, exitDone, []string{"gate.id", "log.level", "evidence.images"}},
		"unknown":            {"turnstile.puls", exitUnable, []string{`did you mean "turnstile.pulse"?`}},
		"nothing":            {"", exitUnable, []string{"name a key"}},
		"a file with faults": {"../../configs/gate.yaml", exitUnable, []string{"hq.fingerprint"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := gatectl(t, append([]string{"config", "explain"}, strings.Fields(c.args)...)...)
			for _, want := range c.has {
				if got.status != c.status || !strings.Contains(got.out+got.err, want) {
					t.Errorf("status %d, want %q in\n%s%s", got.status, want, got.out, got.err)
				}
			}
		})
	}
}

// TestConfigExplainAsksWhatHeadquartersRules: the stricter value and whose it
// is.
func TestConfigExplainAsksWhatHeadquartersRules(t *testing.T) {
	config := stoppedGate(t)
	runningGate(t, config, map[string]string{"GET /v1/config": `{"headquarters":{"policy.cache_max_age":"12h"}}`})
	got := gatectl(t, "config", "explain", "policy.cache_max_age", "--config", config, "--json")
	var x explained
	if err := json.Unmarshal([]byte(got.out), &x); err != nil {
		t.Fatalf("%v: %s%s", err, got.out, got.err)
	}
	if x.Source != "headquarters" || x.Value != "12h" || x.File != "72h" || x.Line == 0 {
		t.Errorf("%+v", x)
	}
}
