package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSuspensionRows lets a script play gatesim: what it reports is what the
// rows say, and a missed goal is one.
func TestSuspensionRows(t *testing.T) {
	for name, c := range map[string]struct {
		report string
		status string
		ok     []bool // p99, slowest, listed
		fails  string
	}{
		"met":       {`{"ok":true,"gates":500,"listed":500,"effect_ms":{"n":400,"p99":49},"slowest_ms":{"max":999}}`, "0", []bool{true, true, true}, ""},
		"slow":      {`{"ok":true,"gates":500,"listed":500,"effect_ms":{"n":400,"p99":51},"slowest_ms":{"max":1001}}`, "0", []bool{false, false, true}, ""},
		"not all":   {`{"ok":false,"gates":500,"listed":499,"effect_ms":{"p99":1},"slowest_ms":{"max":1}}`, "1", []bool{true, true, false}, ""},
		"a loss":    {`{"ok":false,"gates":500,"listed":500,"effect_ms":{"p99":1},"slowest_ms":{"max":1}}`, "1", []bool{true, true, false}, ""},
		"could not": {`{}`, "2", nil, "run gatesim fleet"},
		"no report": {`no`, "0", nil, "report"},
	} {
		t.Run(name, func(t *testing.T) {
			bin := t.TempDir()
			script := "#!/bin/sh\nwhile [ \"$1\" != --out ]; do shift; done\nmkdir -p \"$2\"\nprintf '%s' '" + c.report + "' >\"$2/report.json\"\nexit " + c.status + "\n"
			if err := os.WriteFile(filepath.Join(bin, "gatesim"), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			s := &suspension{gates: 500, alone: 400, together: 1}
			rows, whole, err := s.measure(t.Context(), syncOptions{bin: bin, work: t.TempDir()}, io.Discard, io.Discard)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Fatalf("%v, want %q", err, c.fails)
				}
				return
			}
			if err != nil || !whole || len(rows) != len(c.ok) {
				t.Fatalf("%v, whole %v, %+v", err, whole, rows)
			}
			for i, want := range c.ok {
				if rows[i].OK != want {
					t.Errorf("%+v", rows[i])
				}
			}
		})
	}
}
