package app

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bordergate/biometrics"
	"bordergate/configs"
)

func TestLivenessRuleIsOfTheCamera(t *testing.T) {
	m, err := configs.LoadModels("../../../configs/models.yaml")
	if err != nil {
		t.Fatal(err)
	}
	net, _ := m.ByUse(configs.UseLiveness)
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	good := configs.Calibration{
		Version: 1, Gate: "lane-1", Camera: "/dev/v4l/by-path/face", Width: 1280, Height: 720,
		Model: biometrics.ModelID(net.Name, net.SHA256), Rule: biometrics.LivenessRuleVersion, Made: "2026-11-01T08:00:00Z",
		Users: 24, Frames: 120, UpTo: 0.14, Threshold: -3.5, Place: configs.Spot{MinSize: 0.2, MaxSize: 0.5, MinX: 0.3, MaxX: 0.7, MinY: 0.2, MaxY: 0.6},
	}
	for _, c := range []struct {
		name   string
		change func(*configs.Calibration)
		now    time.Time
		refuse string
		warns  bool
	}{
		{"fits", func(*configs.Calibration) {}, now, "", false},
		{"old", func(*configs.Calibration) {}, now.AddDate(2, 0, 0), "", true},
		{"another camera", func(c *configs.Calibration) { c.Camera = "/dev/v4l/by-path/x" }, now, "camera is", false},
		{"another network", func(c *configs.Calibration) { c.Model = "net@1" }, now, "model is", false},
		{"laxer than allowed", func(c *configs.Calibration) { c.Threshold = -9 }, now, "threshold", false},
		{"not whole", func(c *configs.Calibration) { c.Users = 0 }, now, "users", false},
	} {
		cfg := configs.DefaultGate()
		cfg.Gate.ID, cfg.Cameras.Face.Source = "lane-1", good.Camera
		cfg.Cameras.Face.Calibration = filepath.Join(t.TempDir(), "cal.yaml")
		cal := good
		c.change(&cal)
		text, err := cal.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(cfg.Cameras.Face.Calibration, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		rule, err := livenessRule(&cfg, m, c.now, slog.New(slog.NewTextHandler(&log, nil)))
		if c.refuse != "" {
			if err == nil || !strings.Contains(err.Error(), c.refuse) || !strings.Contains(err.Error(), "gatectl face calibrate") {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || rule.Threshold != -3.5 || rule.Place.MaxX != 0.7 || rule.Calibration != cal.ID() || c.warns != strings.Contains(log.String(), "old") {
			t.Errorf("%s: %+v, %v, log %q", c.name, rule, err, log.String())
		}
	}
	cfg := configs.DefaultGate()
	if rule, err := livenessRule(&cfg, m, now, slog.New(slog.DiscardHandler)); err != nil || rule != biometrics.DefaultLivenessRule() {
		t.Errorf("without a calibration: %+v, %v", rule, err)
	}
	cfg.Cameras.Face.Calibration = filepath.Join(t.TempDir(), "none.yaml")
	if _, err := livenessRule(&cfg, m, now, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a calibration that is not there was taken")
	}
}
