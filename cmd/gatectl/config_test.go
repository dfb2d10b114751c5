package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bordergate/configs"
)

func TestConfigCheck(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("a.yaml", "version: 1\nstore: s\nidentity: i\n")
	bad := write("b.yaml", "version: 1\nstore: s\nlisten: x\nspeed: 3\n")
	for name, c := range map[string]struct {
		args   []string
		status int
		faults int
	}{
		"good":          {[]string{good, "--json"}, exitDone, 0},
		"bad":           {[]string{"--json", bad}, exitNegative, 2},
		"both":          {[]string{"--json", good, bad}, exitNegative, 2},
		"bad as a gate": {[]string{"--json", "--kind", "gate", good}, exitNegative, 11},
		"missing":       {[]string{"--json", filepath.Join(dir, "none")}, exitUnable, 1},
		"no file":       {nil, exitUnable, 0},
		"wrong kind":    {[]string{"--kind", "lane", good}, exitUnable, 0},
		"manifest":      {[]string{"--json", "../../configs/models.yaml"}, exitDone, 0},
		"broken file":   {[]string{"--json", write("hq.yaml", "a: [")}, exitNegative, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got := gatectl(t, append([]string{"config", "check"}, c.args...)...)
			lines := strings.FieldsFunc(got.out, func(r rune) bool { return r == '\n' })
			if got.status != c.status || len(lines) != c.faults {
				t.Fatalf("got %+v, want status %d and %d faults", got, c.status, c.faults)
			}
			for _, line := range lines {
				var f configs.Fault
				if err := json.Unmarshal([]byte(line), &f); err != nil || f.File == "" || f.Message == "" {
					t.Errorf("line %q: %v", line, err)
				}
			}
		})
	}
}

func TestConfigCheckPrintsForPeopleOnStandardError(t *testing.T) {
	const file = "../../configs/gate.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(text), "  fingerprint:")
	want := fmt.Sprintf("gate.yaml:%d:16: hq.fingerprint", 1+strings.Count(before, "\n"))
	got := gatectl(t, "config", "check", file)
	if got.status != exitNegative || got.out != "" || !strings.Contains(got.err, want) {
		t.Errorf("got %+v", got)
	}
}
