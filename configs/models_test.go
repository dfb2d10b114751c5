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
	r := feature.Recognise
	if r.Dimension != 512 || r.Reference != (ReferenceForm{160, BasisBuiltin}) || r.Norm != (NormLimits{3, 3.2}) || r.Thresholds.Accept[1].Score != 0.411 {
		t.Errorf("recogniser %+v", r)
	}
	if got := feature.Input.Mean.Three(); got != [3]float64{127, 127, 127} {
		t.Errorf("one mean for all channels: %v", got)
	}
}

// TestSecondRecogniser shows that another model takes a manifest and nothing else.
func TestSecondRecogniser(t *testing.T) {
	m, err := LoadModels("testdata/models.second-recogniser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f, ok := m.ByUse(UseFeature)
	if !ok || f.Name != "other" || f.Input.Mean.Three() != [3]float64{104, 117, 123} || len(f.Recognise.Align) != 5 {
		t.Errorf("in use: %+v", f)
	}
	b, ok := m.Basis(f)
	if !ok || b.Name != "other_basis" {
		t.Errorf("projection %+v", b)
	}
	// Only what is used must be there: neither the other recogniser nor its projection.
	err = m.Check(t.TempDir())
	if err == nil || strings.Contains(err.Error(), "unused") || !strings.Contains(err.Error(), "other.onnx") || !strings.Contains(err.Error(), "other_basis.bin") {
		t.Errorf("asked for: %v", err)
	}
}

func TestManifestRules(t *testing.T) {
	base, err := os.ReadFile("models.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, fused, _ := strings.Cut(string(base), "score: 0.533}\n")
	fused, _, _ = strings.Cut(fused, "  - name")
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
		"no feature model": {"use: feature", "use: detect", "recogniser"},
		"none in use":      {"recogniser: fr_feature", "recogniser: fr_detect", "recogniser"},
		"no recogniser":    {"recogniser: fr_feature", "", "recogniser"},
		"two means":        {"mean: 127, swap_rb: false", "mean: [127, 127], swap_rb: false", "models[2].input.mean"},
		"mean too large":   {"mean: 127, swap_rb: false", "mean: [127, 127, 300], swap_rb: false", "models[2].input.mean[2]"},
		"four points":      {"[41.5493, 92.3655], [70.7299", "[70.7299", "models[2].recognise.align"},
		"point outside":    {"[41.5493, 92.3655]", "[41.5493, 192.3655]", "models[2].recognise.align[3][1]"},
		"point in 3D":      {"[41.5493, 92.3655]", "[41.5493, 92.3655, 1]", "models[2].recognise.align[3]"},
		"large embedding":  {"dimension: 512", "dimension: 4096", "models[2].recognise.dimension"},
		"reference cut":    {"basis: builtin", "basis: \"\"", "models[2].recognise.reference.size"},
		"basis misfit":     {"size: 160", "size: 128", "models[2].recognise.reference.basis"},
		"no such basis":    {"basis: builtin", "basis: fr_detect", "models[2].recognise.reference.basis"},
		"enrols laxer":     {"enrol: 3.2", "enrol: 2.9", "models[2].recognise.norm.enrol"},
		"no fused scores":  {fused, "", "models[2].recognise.thresholds.accept"},
		"score falls":      {"fmr: 1e-5, score: 0.475", "fmr: 1e-5, score: 0.4", "models[2].recognise.thresholds.accept[2].score"},
		"rate twice":       {"{frames: 3, fmr: 1e-6, score: 0.55}", "{frames: 3, fmr: 1e-5, score: 0.55}", "models[2].recognise.thresholds.accept[7]"},
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
	m := &Models{Recogniser: "m", Models: []Model{{
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
