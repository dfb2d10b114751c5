package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bordergate/cmd/gatesim/report"
)

// standsAs is a program that finds what a test says, and ends with 1 as the
// stands do when they found something.
func standsAs(t *testing.T, found string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "stands")
	script := "#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = -lane.out ] && out=$2; shift; done\nprintf '%s' '" + found + "' > $out\nexit 1\n"
	if err := os.WriteFile(file, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSoakLaneTellsWhatTheStandsFound(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out", "lane")
	var out, errOut bytes.Buffer
	args := func(program string) []string {
		return []string{"lane", "--for", "1s", "--gate=false", "--out", dir, "--report", filepath.Join(dir, "r.json"), "--stands", program}
	}
	ok, err := soakCommand(t.Context(), args(standsAs(t, `{"seed":1,"runs":7,"unsafe":2,"detail":{"found":["x"]}}`)), &out, &errOut)
	if err != nil || ok || !strings.Contains(out.String(), `"unsafe": 2`) || !strings.Contains(out.String(), `"found"`) {
		t.Errorf("%v, %v: %s", ok, err, out.String())
	}
	if ok, err := soakCommand(t.Context(), args(standsAs(t, `{"seed":1,"runs":7,"detail":{}}`)), &out, &errOut); err != nil || !ok {
		t.Errorf("%v, %v", ok, err)
	}
	if _, err := soakCommand(t.Context(), args("/nowhere"), &out, &errOut); err == nil || !strings.Contains(err.Error(), "make soak PART=lane") {
		t.Errorf("error %v", err)
	}
	if _, err := soakCommand(t.Context(), []string{"lane", "--for", (48 * time.Hour).String()}, &out, &errOut); err == nil {
		t.Error("two days are taken")
	}
}

func TestSoakLaneCountsTheRealGate(t *testing.T) {
	var r laneReport
	r.add(&report.Report{
		Summary: report.Summary{Travellers: 5, AsExpected: 4}, Records: report.Records{Missing: 1, Doubled: 2, NotDurable: 3}, Faults: []string{"x"},
		Travellers: []report.Traveller{{N: 2, Faults: []string{"y"}}},
	})
	if r.Runs != 5 || r.Wrong != 2 || r.Lost != 1 || r.Duplicated != 2 || r.Unsafe != 3 || len(r.Detail.Gate.Faults) != 2 {
		t.Errorf("%+v", r)
	}
}
