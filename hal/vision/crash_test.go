package vision

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCrashSaysWhichFrame(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "crashes")
	w, _ := serve(t, "abort", func(o *Options) {
		o.CrashDir = dir
		o.Config.Models = []ModelFile{{Name: "detect", SHA256: "d0"}, {Name: "feature", SHA256: "f0"}}
	})
	d := await[Down](t, w)
	if d.Crash == nil || d.Crash.Work == nil || d.Crash.Camera == nil || d.Crash.Model == nil {
		t.Fatalf("crash %+v", d.Crash)
	}
	want := Trace{Stage: "feature", Since: d.Crash.Work.Since, FrameAt: 70, Frame: 7, Width: 1280, Height: 720, Digest: 0xfeed, Mean: 90}
	if *d.Crash.Work != want || d.Crash.Work.Since == 0 || d.Crash.Camera.Stage != "read" || d.Crash.Model.SHA256 != "f0" {
		t.Errorf("work %+v, camera %+v, model %+v", d.Crash.Work, d.Crash.Camera, d.Crash.Model)
	}
	if s := d.Crash.Summary(); !strings.Contains(s, "frame 7 (1280x720), step feature") || !strings.Contains(s, "worker ended") {
		t.Errorf("summary %q", s)
	}
	b, err := os.ReadFile(d.Crash.File)
	if err != nil {
		t.Fatal(err)
	}
	var c Crash
	if err := json.Unmarshal(b, &c); err != nil || c.Work.Frame != 7 || !slices.Contains(c.Said, "terminate called after an exception") {
		t.Errorf("%v: %s", err, b)
	}
}

func TestCrashFilesAreFew(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "crash-document-20260101T000000.000000Z.json")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range keepCrashes + 5 {
		c := Crash{Worker: "face", At: at.Add(time.Duration(i) * time.Millisecond)}
		if err := c.write(dir); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "crash-face-*"))
	if err != nil || len(files) != keepCrashes {
		t.Fatalf("%d files, %v", len(files), err)
	}
	slices.Sort(files)
	if !strings.Contains(files[0], "05.005000Z") {
		t.Errorf("the oldest kept is %s", files[0])
	}
	if _, err := os.Stat(other); err != nil {
		t.Error("another worker's file is gone")
	}
}

func TestBlackBox(t *testing.T) {
	f, err := newBox()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Truncate(0) == nil {
		t.Error("the box can be taken away under its reader")
	}
	if _, err := readBox(f, LaneWork); !errors.Is(err, ErrBox) {
		t.Errorf("an empty box: %v", err)
	}
	write := func(at int, seq uint64, tr Trace) {
		b := make([]byte, slotBytes)
		tr.put(b, seq)
		if _, err := f.WriteAt(b, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	for seq := range uint64(5) {
		write(slot(LaneWork, seq+1), seq+1, Trace{Stage: fmt.Sprintf("step%d", seq+1), Frame: uint32(seq + 1)})
	}
	if tr, err := readBox(f, LaneWork); err != nil || tr.Frame != 5 || tr.Stage != "step5" {
		t.Errorf("%+v, %v", tr, err)
	}
	// Killed in the middle of a write: the other copy holds.
	if _, err := f.WriteAt([]byte("torn"), int64(slot(LaneWork, 5)+20)); err != nil {
		t.Fatal(err)
	}
	if tr, err := readBox(f, LaneWork); err != nil || tr.Frame != 4 {
		t.Errorf("%+v, %v", tr, err)
	}
	// What comes from a worker is not printed as it is.
	write(slot(LaneWork, 6), 6, Trace{Stage: "a\x1b[2Jface"})
	if tr, _ := readBox(f, LaneWork); tr.Stage != "a" {
		t.Errorf("stage %q", tr.Stage)
	}
}

func FuzzTrace(f *testing.F) {
	b := make([]byte, slotBytes)
	Trace{Stage: "detect", Frame: 3}.put(b, 9)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		tr, seq, ok := takeTrace(b)
		if !ok {
			return
		}
		if len(tr.Stage) > 15 || strings.ContainsFunc(tr.Stage, func(r rune) bool { return r < '0' || r > 'z' }) {
			t.Errorf("stage %q", tr.Stage)
		}
		again := make([]byte, slotBytes)
		tr.put(again, seq)
		if back, s, ok := takeTrace(again); !ok || back != tr || s != seq {
			t.Errorf("%+v became %+v", tr, back)
		}
	})
}
