package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bordergate/cmd/gatesim/board"
	"bordergate/cmd/gatesim/scanner"
	"bordergate/configs"
)

// plugged is a /dev with a board, a scanner and two cameras.
func plugged(t *testing.T) (dev string, b *board.Board) {
	t.Helper()
	dev = t.TempDir()
	for _, d := range []string{"serial/by-path", "gate", "v4l/by-path"} {
		if err := os.MkdirAll(filepath.Join(dev, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	bo, so := board.DefaultOptions(), scanner.DefaultOptions()
	bo.Link, so.Link = dev+"/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0", dev+"/gate/scanner"
	b, err := board.New(bo)
	if err != nil {
		t.Skipf("this machine has no pty: %v", err)
	}
	s, err := scanner.New(so)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(b.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	for _, name := range []string{"a-video-index0", "a-video-index1", "b-video-index0"} {
		if err := os.WriteFile(dev+"/v4l/by-path/"+name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dev, b
}

var stationAnswers = []string{
	"--set", "gate.id=lane-7", "--set", "gate.crossing=LC2", "--set", "gate.lane=7", "--set", "gate.direction=entry",
	"--set", "hq.broker=ssl://hq.example:8883", "--set", "hq.fingerprint=" + strings.Repeat("ab12", 16),
}

func TestInitFindsAndTriesDevicesAndWritesAGoodFile(t *testing.T) {
	t.Setenv("PATH", "") // no gatevision: cameras are listed
	dev, b := plugged(t)
	out := filepath.Join(t.TempDir(), "gate.yaml")
	got := gatectl(t, append([]string{"config", "init", "--json", "--dev", dev, "--out", out}, stationAnswers...)...)
	if got.status != exitDone {
		t.Fatalf("%+v", got)
	}
	var r initResult
	if err := json.Unmarshal([]byte(got.out), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Found) != 4 || len(r.Faults) != 0 {
		t.Errorf("%+v", r)
	}
	g, faults := configs.LoadGate(out)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(g.Turnstile.Port, "-port0") || g.Scanner.Port != dev+"/gate/scanner" || g.Scanner.Dialect != "honeywell" ||
		!strings.HasSuffix(g.Cameras.Document.Source, "a-video-index0") || !strings.HasSuffix(g.Cameras.Face.Source, "b-video-index0") || g.Gate.ID != "lane-7" {
		t.Errorf("%+v", g)
	}
	if n := len(b.Changes()); n != 0 {
		t.Errorf("outputs of the board were changed %d times", n)
	}
	if text, err := os.ReadFile(out); err != nil || strings.Count(string(text), "#") < 30 {
		t.Error("the file has no comments")
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("rights %v", info.Mode())
	}
	if got := gatectl(t, append([]string{"config", "init", "--dev", t.TempDir(), "--out", out}, stationAnswers...)...); got.status != exitUnable || !strings.Contains(got.err, "--force") {
		t.Errorf("a file that is there: %+v", got)
	}
	if got := gatectl(t, append([]string{"config", "init", "--force", "--dev", t.TempDir(), "--out", out}, stationAnswers...)...); got.status != exitNegative || !strings.Contains(got.err, "cameras.document.source") {
		// The shipped file's own example paths are left where nothing was found.
		if got.status != exitDone {
			t.Errorf("by force: %+v", got)
		}
	}
}

func TestInitReadsAnswersFromAFile(t *testing.T) {
	dir := t.TempDir()
	answers, out := dir+"/answers.yaml", dir+"/gate.yaml"
	if err := os.WriteFile(answers, []byte("gate.id: lane-3\ngate.direction: entry\nturnstile.port: /dev/gate/barrier\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := gatectl(t, "config", "init", "--dev", dir, "--answers", answers, "--out", out, "--set", "gate.id=lane-4")
	if got.status != exitNegative || !strings.Contains(got.err, "still to do: "+out) || !strings.Contains(got.err, "hq.fingerprint") {
		t.Errorf("%+v", got)
	}
	text, err := os.ReadFile(out)
	if err != nil || !strings.Contains(string(text), "id: lane-4 ") || !strings.Contains(string(text), "direction: entry") {
		t.Errorf("%s %v", text, err)
	}
	for name, args := range map[string][]string{
		"an unknown key": {"--set", "gate.idd=x"}, "no value": {"--set", "gate.id"}, "no file": {"--answers", dir + "/none"}, "a folder": {"--answers", dir},
	} {
		if got := gatectl(t, append([]string{"config", "init", "--dev", dir, "--out", dir + "/other.yaml"}, args...)...); got.status != exitUnable {
			t.Errorf("%s: %+v", name, got)
		}
		if _, err := os.Stat(dir + "/other.yaml"); err == nil {
			t.Errorf("%s: a file was written", name)
		}
	}
}

// TestInitAsksAndAsksAgain: a wrong answer is met with the rule's own words.
func TestInitAsksAndAsksAgain(t *testing.T) {
	dir := t.TempDir()
	out := dir + "/gate.yaml"
	var stdout, stderr bytes.Buffer
	typed := "Lane Seven\nlane-7\nLC2\n\nentry\nhttp://127.0.0.1:1/d\nhttp://127.0.0.1:1/f\n/dev/ttyUSB0\n/dev/gate/barrier\n\nlc\nnone\nssl://hq.example:8883\n" + strings.Repeat("ab12", 16) + "\n"
	e := env{Out: &stdout, Err: &stderr, In: strings.NewReader(typed)}
	status := dispatch(t.Context(), e, commands(), []string{"config", "init", "--dev", dir, "--out", out})
	if status != exitDone {
		t.Fatalf("status %d\n%s", status, &stderr)
	}
	for _, want := range []string{"that has a form that is not allowed", "number that changes when it is plugged in again", "[", "1 to 32 of a-z"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("nothing says %q:\n%s", want, &stderr)
		}
	}
	g, faults := configs.LoadGate(out)
	if err := faults.Err(); err != nil || g.Gate.ID != "lane-7" || g.Gate.Lane != "1" || g.Turnstile.Profile != "lc" || g.Cameras.Face.Source != "http://127.0.0.1:1/f" {
		t.Errorf("%+v %v", g, err)
	}
}
