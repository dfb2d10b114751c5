package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
)

// warmUp frames are not counted.
const warmUp = 20

// maxRatio is what the way through Go may cost beside C++.
const maxRatio = 1.10

// timed are the times of one stage, ours and a peer's, over the same frames.
type timed struct {
	stage      string
	threads    int
	ours, peer []float64
}

// measureStages times the pipeline beside the same networks called from C++:
// each frame goes to both, the one after the other, and who is first changes
// with every frame, so that what the machine does beside meets both alike.
func measureStages(ctx context.Context, o faceOptions, w, progress io.Writer) ([]row, error) {
	photos, err := demoPhotos(o.models)
	if err != nil {
		return nil, err
	}
	var all []timed
	for _, threads := range []int{1, 2} {
		fmt.Fprintf(progress, "bench: stages, %d threads\n", threads)
		list, err := timeStages(ctx, o, photos, threads)
		if err != nil {
			return nil, err
		}
		all = append(all, list[:]...)
	}
	printStages(w, o, all)
	return stageRows(all), nil
}

func timeStages(ctx context.Context, o faceOptions, photos []picture, threads int) (out [stages]timed, err error) {
	ours, err := startOurs(ctx, o, threads)
	if err != nil {
		return out, err
	}
	defer closeAll([]*reader{ours})
	peer, err := startOpenCV(ctx, o, threads)
	if err != nil {
		return out, err
	}
	defer closeAll([]*reader{peer})
	for i, name := range stageNames() {
		out[i] = timed{stage: name, threads: threads}
	}
	r := rand.New(rand.NewPCG(o.seed, 0x57a6e))
	counted := 0
	for n := 0; counted < warmUp+o.frames; n++ {
		if n > 10*(warmUp+o.frames) {
			return out, fmt.Errorf("only %d of %d frames have a face in them", counted, n)
		}
		a, b, err := both(ours, peer, frameOf(photos, r), n%2 == 0)
		if err != nil {
			return out, err
		}
		if a.Found == 0 {
			continue
		}
		if counted++; counted <= warmUp {
			continue
		}
		at, bt := a.millis(), b.millis()
		for i := range out {
			out[i].ours, out[i].peer = append(out[i].ours, at[i]), append(out[i].peer, bt[i])
		}
	}
	return out, nil
}

// both gives a frame to each, and holds them to the same result.
func both(ours, peer *reader, p picture, oursFirst bool) (a, b seen, err error) {
	order := []*reader{ours, peer}
	if !oursFirst {
		order[0], order[1] = peer, ours
	}
	for _, r := range order {
		s, err := r.look(p, faceLive)
		if err != nil {
			return a, b, err
		}
		if r == ours {
			a = s
		} else {
			b = s
		}
	}
	return a, b, agree(a, b)
}

// agree holds two readers of the same networks to the same face and vector.
func agree(a, b seen) error {
	if a.Found != b.Found {
		return fmt.Errorf("%w: %d faces and %d", errPeer, a.Found, b.Found)
	}
	if a.Found == 0 {
		return nil
	}
	for i := range a.Box {
		if math.Abs(a.Box[i]-b.Box[i]) > 1 {
			return fmt.Errorf("%w: boxes %.1f and %.1f", errPeer, a.Box, b.Box)
		}
	}
	if c := cosine(a.Vector, b.Vector); c < 0.999 {
		return fmt.Errorf("%w: vectors have cosine %.4f", errPeer, c)
	}
	if math.Abs(a.Live[0]-b.Live[0]) > 0.2 || math.Abs(a.Live[1]-b.Live[1]) > 0.2 || a.Live[2] != b.Live[2] {
		return fmt.Errorf("%w: liveness %.2f and %.2f", errPeer, a.Live, b.Live)
	}
	return nil
}

func printStages(w io.Writer, o faceOptions, all []timed) {
	fmt.Fprintf(w, "\nStages of a frame of %dx%d, ms: gatevision beside the same networks in C++, %d frames each, taken in turns\n", cameraW, cameraH, o.frames)
	fmt.Fprintf(w, "%-12s %7s %10s %10s %10s %10s %7s\n", "stage", "threads", "median", "p95", "C++ median", "C++ p95", "ratio")
	for _, t := range all {
		a, b := quantile(t.ours, 0.5), quantile(t.peer, 0.5)
		fmt.Fprintf(w, "%-12s %7d %10.2f %10.2f %10.2f %10.2f %7.3f\n", t.stage, t.threads, a, quantile(t.ours, 0.95), b, quantile(t.peer, 0.95), a/b)
	}
}

func stageRows(all []timed) []row {
	var out []row
	for _, t := range all {
		a, b := quantile(t.ours, 0.5), quantile(t.peer, 0.5)
		name := fmt.Sprintf("%s, %d threads", t.stage, t.threads)
		out = append(out,
			row{Name: name + " median", Value: a, Unit: "ms", Peer: "OpenCV in C++", PeerValue: b, OK: true},
			row{Name: name + " p95", Value: quantile(t.ours, 0.95), Unit: "ms", Peer: "OpenCV in C++", PeerValue: quantile(t.peer, 0.95), OK: true},
			row{Name: name + " over C++", Value: a / b, Unit: "times", Goal: fmt.Sprintf("<= %.2f", maxRatio), OK: a/b <= maxRatio})
	}
	return out
}
