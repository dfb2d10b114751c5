package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Goals of the stream, ms.
const (
	streamMedian = 400
	streamP95    = 700
	// streamNever stands for whoever was referred at the time limit, his face still open: longer than any decision can take.
	streamNever = 60_000
)

// streamReport is what is read of the simulator's report.
type streamReport struct {
	Travellers []struct {
		Outcome  string  `json:"outcome"`
		Face     string  `json:"face"`
		FaceMS   float64 `json:"face_ms"`
		Liveness string  `json:"liveness"`
	} `json:"travellers"`
	Sources map[string]int `json:"faces_sources"`
}

// measureStream has travellers walk through a whole gate and takes the time
// from the first camera frame with a good face to the decision on match and
// liveness. The simulator drew the frames, so it knows which that is.
func measureStream(ctx context.Context, o faceOptions, w, progress io.Writer) ([]row, error) {
	if o.travellers == 0 {
		return nil, nil
	}
	file := filepath.Join(o.work, "faces.json")
	if err := os.MkdirAll(o.work, 0o700); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(o.bin, "gatesim"), "run", "--scenario", "faces", "--travellers", strconv.Itoa(o.travellers),
		"--people", o.data, "--models", o.models, "--manifest", o.manifest, "--bin", o.bin, "--out", filepath.Join(o.work, "station"), "--report", file)
	cmd.Stdout, cmd.Stderr = io.Discard, progress
	// It ends its own children when it is asked to.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	fmt.Fprintf(progress, "bench: stream, %d travellers through a simulated gate\n", o.travellers)
	err := cmd.Run()
	text, errRead := os.ReadFile(file)
	if errRead != nil {
		return nil, fmt.Errorf("run the simulator: %w", err)
	}
	var r streamReport
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("read the simulator's report: %w", err)
	}
	if err != nil {
		fmt.Fprintf(progress, "bench: a traveller was not treated as expected: see %s\n", file)
	}
	return streamRows(r, w)
}

func streamRows(r streamReport, w io.Writer) ([]row, error) {
	var times []float64
	people, live, ends := map[string]bool{}, map[string]int{}, map[string]int{}
	decided, left, unjudged := 0, 0, 0
	for _, t := range r.Travellers {
		ends[t.Outcome]++
		switch {
		case t.FaceMS > 0:
			decided++
			times = append(times, t.FaceMS)
			people[t.Face] = true
			live[t.Liveness]++
		case t.Outcome == "admitted":
			unjudged++
		default:
			left++
			times = append(times, streamNever)
		}
	}
	if decided == 0 {
		return nil, fmt.Errorf("none of %d travellers was decided on after his face came into view", len(r.Travellers))
	}
	p50, p95 := quantile(times, 0.5), quantile(times, 0.95)
	fmt.Fprintf(w, "\nFace in view to match and liveness decided, 25 frames/s over HTTP, gate and simulator on one machine: "+
		"median %.0f ms, p95 %.0f; %d of %d travellers decided, %d people, %v, liveness %v, photographs %v\n",
		p50, p95, decided, len(r.Travellers), len(people), ends, live, r.Sources)
	return []row{
		{Name: "face in view to decided, median", Value: p50, Unit: "ms", Goal: fmt.Sprintf("<= %d", streamMedian), OK: p50 <= streamMedian},
		{Name: "face in view to decided, p95", Value: p95, Unit: "ms", Goal: fmt.Sprintf("<= %d", streamP95), OK: p95 <= streamP95},
		{Name: "face in view, open at the time limit", Value: float64(left), Unit: "people", OK: true},
		{Name: "admitted without both decided", Value: float64(unjudged), Unit: "people", Goal: "0", OK: unjudged == 0},
		{Name: "face in view to decided, travellers", Value: float64(decided), Unit: "people", OK: true},
	}, nil
}
