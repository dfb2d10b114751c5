package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bordergate/configs"
)

// calibration runs the command on users with three frames each of the live
// score given, through a gatevision that answers as told.
func calibration(t *testing.T, scores []float64, args ...string) (out, said string, code int, cal string) {
	t.Helper()
	root, answers := t.TempDir(), map[string]string{}
	for i, score := range scores {
		dir := filepath.Join(root, fmt.Sprintf("u%02d", i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for k := range 3 {
			name := fmt.Sprintf("u%02d/u%02d_%d.jpg", i, i, k)
			if err := os.WriteFile(filepath.Join(root, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			line := answer(name, invented(uint64(i), 0), score)
			line = strings.Replace(line, `"found":1`, `"width":1280,"height":720,"found":1`, 1)
			answers[filepath.Base(name)] = strings.Replace(line, `[{"quality"`, `[{"box":{"x":560,"y":200,"w":160,"h":216},"quality"`, 1)
		}
	}
	program, dir := fakeVision(t, answers)
	text, err := os.ReadFile("../../configs/gate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "gate.yaml")
	whole := strings.ReplaceAll(string(text), strings.Repeat("0000 ", 15)+"0000", strings.Repeat("ab12 ", 16))
	manifest, err := filepath.Abs("../../configs/models.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(manifestIn(whole, manifest)), 0o600); err != nil {
		t.Fatal(err)
	}
	cal = filepath.Join(dir, "cal.yaml")
	all := append([]string{"face", "calibrate", "--gatevision", program, "--config", config, "--out", cal}, args...)
	var o, e bytes.Buffer
	code = dispatch(context.Background(), env{Out: &o, Err: &e}, commands(), append(all, root))
	return o.String(), e.String(), code, cal
}

// manifestIn names the manifest in a gate's file.
func manifestIn(text, path string) string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if strings.Contains(line, "manifest:") {
			line = line[:strings.Index(line, "manifest:")] + "manifest: " + path
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func TestFaceCalibrate(t *testing.T) {
	var scores []float64
	for i := range 20 {
		scores = append(scores, float64(i)-2.5)
	}
	out, said, code, cal := calibration(t, scores, "--bpcer", "0.05")
	if code != exitDone {
		t.Fatalf("status %d: %s", code, said)
	}
	got, err := configs.LoadCalibration(cal)
	if err != nil {
		t.Fatal(err)
	}
	if got.Threshold != -1.75 || got.Users != 20 || got.Frames != 60 || got.Rejected != 1 || got.Place.MinSize >= 0.3 || got.Place.MaxSize <= 0.3 {
		t.Errorf("%+v", got)
	}
	var line calibrationLine
	if err := json.Unmarshal([]byte(out), &line); err != nil || line.ID != got.ID() {
		t.Errorf("%s, %v", out, err)
	}
}

func TestFaceCalibrateRefuses(t *testing.T) {
	if _, said, code, cal := calibration(t, []float64{1, 2, 3}); code != exitUnable || !strings.Contains(said, "--few") {
		t.Errorf("three users: status %d, %s", code, said)
	} else if _, err := os.Stat(cal); err == nil {
		t.Error("a calibration was written all the same")
	}
	if _, said, code, _ := calibration(t, []float64{1, 2, 3}, "--few"); code != exitDone {
		t.Errorf("three users are enough: status %d, %s", code, said)
	}
	if _, said, code, _ := calibration(t, nil); code != exitUnable || !strings.Contains(said, "folder for each user") {
		t.Errorf("no users: status %d, %s", code, said)
	}
	if _, said, code, cal := calibration(t, []float64{-20, 2, 3}, "--few"); code != exitDone || !strings.Contains(said, "bounds hold") {
		t.Errorf("an odd user: status %d, %s", code, said)
	} else if got, err := configs.LoadCalibration(cal); err != nil || got.Threshold != -7 || got.Rejected != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}
