package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func goodCalibration() Calibration {
	return Calibration{
		Version: 1, Gate: "lane-1", Camera: "/dev/v4l/by-path/face", Width: 1280, Height: 720, Model: "net@1", Rule: "2",
		Made: "2026-11-22T08:00:00Z", Users: 24, Frames: 120, BPCER: 0.01, UpTo: 0.14, Threshold: -3.5,
		Place: Spot{0.2, 0.5, 0.3, 0.7, 0.2, 0.6},
	}
}

func parseCalibration(c Calibration) (*Calibration, Faults) {
	b, err := c.YAML()
	if err != nil {
		return nil, Faults{{Message: err.Error()}}
	}
	return parse("cal.yaml", b, Calibration{}, checkCalibration)
}

func TestCalibrationSurvivesItsFile(t *testing.T) {
	want := goodCalibration()
	b, err := want.YAML()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cal.yaml")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := LoadCalibration(path)
	if err != nil || *got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	if id := got.ID(); !strings.HasPrefix(id, "2026-11-22-") || len(id) != 19 {
		t.Errorf("id %q", id)
	}
	other := want
	other.Threshold += 0.1
	if other.ID() == want.ID() {
		t.Error("another threshold has the same id")
	}
	if d := got.Expires().Sub(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)); d != CalibrationLife {
		t.Errorf("expires after %v", d)
	}
}

func TestCalibrationFaults(t *testing.T) {
	for path, change := range map[string]func(*Calibration){
		"version":        func(c *Calibration) { c.Version = 2 },
		"camera":         func(c *Calibration) { c.Camera = "" },
		"made":           func(c *Calibration) { c.Made = "yesterday" },
		"users":          func(c *Calibration) { c.Users = 0 },
		"rejected":       func(c *Calibration) { c.Rejected = 25 },
		"threshold":      func(c *Calibration) { c.Threshold = -400 },
		"place.min_size": func(c *Calibration) { c.Place = Spot{} },
		"bpcer":          func(c *Calibration) { c.BPCER = 0.9 },
	} {
		c := goodCalibration()
		change(&c)
		got, faults := parseCalibration(c)
		if got != nil || len(faults) == 0 || faults[0].Path != path {
			t.Errorf("%s: %v", path, faults)
		}
	}
}

func TestCalibrationOfAnotherCameraMismatches(t *testing.T) {
	g := DefaultGate()
	g.Gate.ID, g.Cameras.Face.Source = "lane-1", "/dev/v4l/by-path/face"
	lim := defaultModels().Liveness
	c := goodCalibration()
	if bad := c.Mismatches(&g, "net@1", "2", lim); bad != nil {
		t.Fatal(bad)
	}
	for word, change := range map[string]func(*Calibration){
		"gate":       func(c *Calibration) { c.Gate = "lane-2" },
		"camera":     func(c *Calibration) { c.Camera = "/dev/v4l/by-path/other" },
		"frame size": func(c *Calibration) { c.Width = 640 },
		"model":      func(c *Calibration) { c.Model = "net@2" },
		"rule":       func(c *Calibration) { c.Rule = "1" },
		"threshold":  func(c *Calibration) { c.Threshold = lim.Lowest - 0.01 },
	} {
		c := goodCalibration()
		change(&c)
		if bad := c.Mismatches(&g, "net@1", "2", lim); len(bad) != 1 || !strings.HasPrefix(bad[0], word) {
			t.Errorf("%s: %v", word, bad)
		}
	}
}

func TestDocumentCameraIsNotCalibrated(t *testing.T) {
	text := strings.Replace(validGate(t), "  document: {", "  document: {calibration: cal.yaml, ", 1)
	if _, faults := parseGate(text); len(faults) != 1 || faults[0].Path != "cameras.document.calibration" {
		t.Errorf("%v", faults)
	}
}
