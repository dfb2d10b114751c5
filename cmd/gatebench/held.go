package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"bordergate/cmd/gatebench/stream"
)

// held measures how long a held pass waits at the two sizes of a document
// camera.
func held(ctx context.Context, o barcodeOptions, stdout, progress io.Writer) ([]row, error) {
	var rows []row
	for _, size := range []struct {
		name string
		w, h int
	}{{"stream 720p", 1280, 720}, {"stream 1080p", 1920, 1080}} {
		if !strings.HasPrefix(size.name, o.only) {
			continue
		}
		r, err := stream.Run(ctx, stream.Options{
			Worker: o.worker, Width: size.w, Height: size.h, Passes: o.passes, Seed: o.seed, Log: progress,
		}, func(done, all int) { fmt.Fprintf(progress, "bench: %s, pass %d of %d\n", size.name, done, all) })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", size.name, err)
		}
		printHeld(stdout, size.name, r)
		rows = append(rows, heldRows(size.name, r)...)
	}
	return rows, nil
}

func printHeld(w io.Writer, name string, r stream.Result) {
	fmt.Fprintf(w, "\n%s, 25 frames/s, through the worker: ms from the pass held in view to the verified pass\n%-28s %5s %8s %8s %8s\n",
		name, "", "n", "median", "p95", "max")
	for _, line := range []struct {
		name   string
		values []float64
	}{
		{"held to verified", r.Waited},
		{"  held frames before the one", r.Frames},
		{"  sent to in hand", r.Camera},
		{"  in hand to payload", r.Read},
		{"  payload to verified", r.Verified},
	} {
		fmt.Fprintf(w, "%-28s %5d %8.2f %8.2f %8.2f\n", line.name, len(line.values), quantile(line.values, 0.5), quantile(line.values, 0.95), quantile(line.values, 1))
	}
	fmt.Fprintf(w, "verified on the way in: %d; not verified in %v: %d\n", r.Early, stream.Limit, r.Missed)
}

func heldRows(name string, r stream.Result) []row {
	median, p95 := quantile(r.Waited, 0.5), quantile(r.Waited, 0.95)
	return []row{
		{Name: name + " held to verified, median", Value: median, Unit: "ms", Goal: "<= 60", OK: len(r.Waited) > 0 && median <= 60},
		{Name: name + " held to verified, p95", Value: p95, Unit: "ms", Goal: "<= 200", OK: len(r.Waited) > 0 && p95 <= 200},
		{Name: name + " held to verified, max", Value: quantile(r.Waited, 1), Unit: "ms", OK: true},
		{Name: name + " verified on the way in", Value: float64(r.Early), Unit: "passes", OK: true},
		{Name: name + " not verified", Value: float64(r.Missed), Unit: "passes", Goal: "0", OK: r.Missed == 0},
	}
}
