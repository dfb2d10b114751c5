package station

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bordergate/cmd/gatesim/scenario"
	"bordergate/configs"
)

func TestConfigurationIsOneTheProgramsTake(t *testing.T) {
	dir := t.TempDir()
	o := Options{
		Out: dir, Bin: "bin", Models: "models", Manifest: "configs/models.yaml", Face: "http://127.0.0.1:1/face",
		Document: "http://127.0.0.1:2/document", Port: filepath.Join(dir, "barrier"), Scanner: filepath.Join(dir, "scanner"),
		Policy: scenario.Policy{CaptureTimeout: 6 * time.Second, FaceTimeout: 4 * time.Second, ReferralHold: 3 * time.Second}, Direction: scenario.Entry,
	}
	gate, hq := filepath.Join(dir, "gate.yaml"), filepath.Join(dir, "hq.yaml")
	if err := writeYAML(gate, o.gateFile("127.0.0.1:7080", "127.0.0.1:1883", strings.Repeat("ab", 32))); err != nil {
		t.Fatal(err)
	}
	g, faults := configs.LoadGate(gate)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if !g.Simulated || g.Gate.Direction != "entry" || g.Models.Liveness != "observe" || g.Policy.CaptureTimeout != 6*time.Second || g.Cameras.Face.Source != o.Face || g.Scanner.Port != o.Scanner || !g.Scanner.Present() {
		t.Errorf("read back as %+v", g)
	}
	if err := writeYAML(hq, o.hqFile("127.0.0.1:1883")); err != nil {
		t.Fatal(err)
	}
	if h, faults := configs.LoadHQ(hq); faults.Err() != nil || !h.Simulated {
		t.Errorf("headquarters' file: %v", faults.Err())
	}
	o.Broker = "tcp://127.0.0.1:1"
	if err := errors.Join(writeYAML(hq, o.hqFile("127.0.0.1:1883")), writeYAML(gate, o.gateFile("127.0.0.1:7080", "127.0.0.1:1883", strings.Repeat("ab", 32)))); err != nil {
		t.Fatal(err)
	}
	h, faults := configs.LoadHQ(hq)
	if g, more := configs.LoadGate(gate); faults.Err() != nil || more.Err() != nil || h.Broker != o.Broker || g.HQ.Broker != o.Broker {
		t.Errorf("with another broker: %v, %v", faults.Err(), more.Err())
	}
}

func TestMissingProgramsNameTheCure(t *testing.T) {
	_, err := New(t.Context(), Options{Out: t.TempDir(), Bin: t.TempDir()})
	if !errors.Is(err, ErrProgram) || !strings.Contains(err.Error(), "make build") {
		t.Errorf("error %v", err)
	}
}

func TestProcess(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	p, err := start("sleeper", log, "/bin/sh", "-c", "echo here; exec sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.ended(); err != nil {
		t.Errorf("a running process has ended: %v", err)
	}
	p.kill()
	if err := p.ended(); !errors.Is(err, ErrEnded) {
		t.Errorf("a killed process: %v", err)
	}
	p.stop(time.Second) // once more does nothing

	if _, err := start("none", log, filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing program: %v", err)
	}
}

// A program that does not listen to a request to end is killed.
func TestStopKillsTheDeaf(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	p, err := start("deaf", log, "/bin/sh", "-c", "trap '' TERM; while :; do sleep 60; done")
	if err != nil {
		t.Fatal(err)
	}
	p.stop(10 * time.Millisecond)
	if err := syscall.Kill(p.pid, 0); err == nil {
		t.Error("still there")
	}
}

func TestParseEvent(t *testing.T) {
	e, ok := parseEvent(`data: {"kind":"transaction","tx":"ab","outcome":"refused","reasons":["face_mismatch"],"steps_ms":{"verdict":1.5},"granted":true}`)
	if !ok || e.Outcome != "refused" || e.Steps["verdict"] != 1.5 || !e.Granted || len(e.Reasons) != 1 {
		t.Errorf("event %+v, %v", e, ok)
	}
	for _, line := range []string{"", "event: lane", "data: {", `data: {"at":1}`} {
		if _, ok := parseEvent(line); ok {
			t.Errorf("%q is an event", line)
		}
	}
}

func TestLinesRefuseWhatIsNoRecord(t *testing.T) {
	got, err := lines([]byte("{\"stream\":\"crossing\",\"seq\":1,\"kind\":\"decision\"}\n{\"stream\":\"alarm\",\"seq\":1,\"kind\":\"alarm\"}\n"))
	if err != nil || len(got) != 2 || got[1].Stream != "alarm" {
		t.Errorf("%d lines (%v)", len(got), err)
	}
	for _, bad := range []string{`{"error":"x"}`, "{", "[]"} {
		if _, err := lines([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add(`data: {"kind":"lane","state":"ready"}`)
	f.Fuzz(func(t *testing.T, line string) {
		if e, ok := parseEvent(line); ok && e.Kind == "" {
			t.Error("an event without a kind")
		}
	})
}

func FuzzLines(f *testing.F) {
	f.Add([]byte(`{"stream":"crossing","seq":1,"kind":"decision","prev":"","hash":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := lines(b)
		for _, l := range got {
			if err == nil && l.Kind == "" {
				t.Error("a record without a kind")
			}
		}
	})
}
