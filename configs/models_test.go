package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestShippedManifest(t *testing.T) {
	m, err := LoadModels("models.yaml")
	if err != nil {
		t.Fatal(err)
	}
	photos := 0
	for _, f := range m.Models {
		if f.Use == UseDemonstration {
			photos++
		}
		if _, ok := m.SourceOf(f); !ok {
			t.Errorf("%s has no source", f.Name)
		}
	}
	if photos != 6 {
		t.Errorf("%d photographs, want 6", photos)
	}
	feature, ok := m.ByUse(UseFeature)
	if !ok || feature.Input.SwapRB {
		t.Errorf("feature model %+v: it wants BGR", feature)
	}
	for _, c := range []struct {
		fmr    float64
		frames int
		score  float64
		ok     bool
	}{
		{1e-4, 1, 0.411, true},
		{1e-4, 2, 0.411, true},
		{1e-4, 3, 0.43, true},
		{1e-6, 5, 0.55, true},
		{1e-2, 1, 0, false},
		{1e-4, 0, 0, false},
	} {
		if score, ok := m.AcceptAt(c.fmr, c.frames); score != c.score || ok != c.ok {
			t.Errorf("AcceptAt(%v, %d) = %v, %v; want %v, %v", c.fmr, c.frames, score, ok, c.score, c.ok)
		}
	}
}

func TestManifestRules(t *testing.T) {
	base, err := os.ReadFile("models.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct{ from, to, path string }{
		"version range":    {"js@0.0.1", "js@^0.0.1", "sources[0].npm"},
		"package option":   {"faceplugin-face-recognition-js@0.0.1", "\"--global@0.0.1\"", "sources[0].npm"},
		"package folder":   {"faceplugin-face-recognition-js@0.0.1", "../x@0.0.1", "sources[0].npm"},
		"integrity":        {"sha512-shri", "sha1-shri", "sources[0].integrity"},
		"escaping file":    {"file: fr_detect.onnx", "file: ../fr_detect.onnx", "models[0].file"},
		"absolute file":    {"file: fr_detect.onnx", "file: /etc/fr_detect.onnx", "models[0].file"},
		"short hash":       {"sha256: 6c0256cc", "sha256: 6c02", "models[0].sha256"},
		"same file":        {"file: fr_landmark.onnx", "file: fr_detect.onnx", "models[1].file"},
		"unknown source":   {"source: faceapi\n    member: package/demo/sample6.jpg", "source: other\n    member: package/demo/sample6.jpg", "models[9].source"},
		"colour swapped":   {"colour: bgr, scale: 1,", "colour: rgb, scale: 1,", "models[3].input.swap_rb"},
		"no feature model": {"use: feature", "use: detect", "models"},
		"score falls":      {"fmr: 1e-5, score: 0.475", "fmr: 1e-5, score: 0.4", "thresholds.accept[2].score"},
		"rate twice":       {"{frames: 3, fmr: 1e-6, score: 0.55}", "{frames: 3, fmr: 1e-5, score: 0.55}", "thresholds.accept[7]"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(string(base), c.from) {
				t.Fatalf("the base does not hold %q", c.from)
			}
			text := strings.ReplaceAll(string(base), c.from, c.to)
			m, faults := parse("models.yaml", []byte(text), Models{}, checkModels)
			if m != nil || len(faults) != 1 || faults[0].Path != c.path {
				t.Fatalf("faults = %v, want one at %s", faults, c.path)
			}
		})
	}
}

func TestCheckRefusesWhatTheManifestDoesNotName(t *testing.T) {
	dir := t.TempDir()
	content := []byte("a model")
	sum := sha256.Sum256(content)
	m := &Models{Models: []Model{{
		Name: "m", Use: UseFeature, File: "m.onnx", Bytes: int64(len(content)), SHA256: hex.EncodeToString(sum[:]),
	}}}
	if err := m.Check(dir); !errors.Is(err, ErrModelMissing) || !strings.Contains(err.Error(), "make models") {
		t.Errorf("missing file: %v", err)
	}
	path := filepath.Join(dir, "m.onnx")
	write := func(b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(content)
	if err := m.Check(dir); err != nil {
		t.Errorf("right file: %v", err)
	}
	for _, wrong := range [][]byte{[]byte("A model"), append(content, 'x'), nil} {
		write(wrong)
		if err := m.Check(dir); !errors.Is(err, ErrModelHash) || !strings.Contains(err.Error(), path) {
			t.Errorf("file %q: %v", wrong, err)
		}
	}
	if err := m.Check(dir, UseDetect); err != nil {
		t.Errorf("use without a file: %v", err)
	}
}
