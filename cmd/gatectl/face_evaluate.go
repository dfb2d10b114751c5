package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"bordergate/biometrics"
)

// facePair is a line of the pairs file.
type facePair struct {
	a, b    string
	genuine bool
}

// evaluation is what "face evaluate" prints. Rates are shares, limits are the 95 % Wilson limits.
type evaluation struct {
	Images     int         `json:"images"`
	Genuine    int         `json:"genuine"`
	Impostors  int         `json:"impostors"`
	Unscored   int         `json:"unscored_pairs"`
	FTA        faceRate    `json:"failure_to_acquire"`
	Points     []errorRate `json:"points"`
	Comparison string      `json:"comparison"`
	Seconds    float64     `json:"seconds"`
}

type faceRate struct {
	Count int     `json:"count"`
	Of    int     `json:"of"`
	Rate  float64 `json:"rate"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

type errorRate struct {
	FMR       float64  `json:"fmr"`
	Threshold float64  `json:"threshold"`
	FNMR      faceRate `json:"fnmr"`
	FalseHits int      `json:"false_matches"`
}

func newFaceRate(k, n int) faceRate {
	r := faceRate{Count: k, Of: n}
	if n > 0 {
		r.Rate = float64(k) / float64(n)
	}
	r.Low, r.High = wilson(k, n)
	return r
}

// faceSide is a picture on both sides of a comparison: the reference as stored, and the projected probe.
type faceSide struct {
	ref, probe []float32
}

func newFaceSide(model *biometrics.Recogniser, raw biometrics.Embedding) (*faceSide, error) {
	ref, err := model.Enrol(raw)
	if err != nil {
		return nil, err
	}
	y := model.Project(raw)
	s := &faceSide{ref: make([]float32, len(y)), probe: make([]float32, len(y))}
	var nr, ny float64
	for i := range y {
		nr += float64(ref[i]) * float64(ref[i])
		ny += y[i] * y[i]
	}
	for i := range y {
		s.ref[i] = float32(float64(ref[i]) / math.Sqrt(nr))
		s.probe[i] = float32(y[i] / math.Sqrt(ny))
	}
	return s, nil
}

func (s *faceSide) score(probe *faceSide) float64 {
	var d float32
	for i, v := range s.ref {
		d += v * probe.probe[i]
	}
	return float64(d)
}

// histogram counts impostor scores, so that tens of millions of them need no memory. A threshold is an upper edge of a step.
type histogram struct {
	counts [histogramSteps + 1]int
	n      int
}

const histogramSteps = 40000

func (h *histogram) add(s float64) {
	h.counts[min(max(int((s+1)/2*histogramSteps), 0), histogramSteps)]++
	h.n++
}

// threshold is the lowest score that at most fmr of the impostors reach, and how many reach it.
func (h *histogram) threshold(fmr float64) (t float64, hits int) {
	allowed := int(fmr * float64(h.n) * (1 + 1e-12))
	for i := histogramSteps; i >= 0; i-- {
		if hits+h.counts[i] > allowed {
			return float64(i+1)/histogramSteps*2 - 1, hits
		}
		hits += h.counts[i]
	}
	return -1, hits
}

func faceEvaluate(ctx context.Context, e env, args []string) int {
	const words = "face evaluate"
	fs := newFlags(e, words)
	var ff faceFlags
	ff.register(fs)
	pairsFile := fs.String("pairs", "", "pairs file: PATH PATH 1|0 a line")
	root := fs.String("root", "", "folder the paths are relative to")
	scores := fs.String("scores", "", "CSV file to write: a,b,label,score")
	impostors := fs.String("impostors", "listed", "impostor pairs: listed, or all of different folders")
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	switch {
	case len(rest) > 0:
		return unable(e, words, fmt.Errorf("unexpected argument %q", rest[0]))
	case *pairsFile == "" || *scores == "":
		return unable(e, words, errors.New("--pairs and --scores are needed"))
	case *impostors != "listed" && *impostors != "all":
		return unable(e, words, fmt.Errorf("--impostors %q: listed or all", *impostors))
	}
	start := time.Now()
	model, err := ff.open()
	if err != nil {
		return unable(e, words, err)
	}
	pairs, err := readPairs(*pairsFile)
	if err != nil {
		return unable(e, words, err)
	}
	names := picturesOf(pairs)
	sides, err := embedAll(ctx, e, model, ff.tool, *root, names)
	if err != nil {
		return unable(e, words, err)
	}
	ev, err := scorePairs(pairs, names, sides, *scores, *impostors == "all")
	if err != nil {
		return unable(e, words, err)
	}
	ev.Seconds = math.Round(time.Since(start).Seconds()*10) / 10
	if ff.json {
		return printResult(e, words, ev, true)
	}
	ev.print(e)
	return exitDone
}

func (ev evaluation) print(e env) {
	fmt.Fprintf(e.Out, "pictures %d, genuine pairs %d, impostor pairs %d, %.1f s\n", ev.Images, ev.Genuine, ev.Impostors, ev.Seconds)
	fmt.Fprintf(e.Out, "failure to acquire %.3f %% (%d of %d, 95 %% limits %.3f to %.3f %%)\n",
		100*ev.FTA.Rate, ev.FTA.Count, ev.FTA.Of, 100*ev.FTA.Low, 100*ev.FTA.High)
	for _, p := range ev.Points {
		fmt.Fprintf(e.Out, "FMR %-6g threshold %.4f  FNMR %.3f %% (%d of %d, 95 %% limits %.3f to %.3f %%), %d false matches\n",
			p.FMR, p.Threshold, 100*p.FNMR.Rate, p.FNMR.Count, p.FNMR.Of, 100*p.FNMR.Low, 100*p.FNMR.High, p.FalseHits)
	}
}

func readPairs(file string) ([]facePair, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read pairs: %w", err)
	}
	defer f.Close()
	var out []facePair
	sc := bufio.NewScanner(f)
	for n := 1; sc.Scan(); n++ {
		w := strings.Fields(sc.Text())
		if len(w) == 0 {
			continue
		}
		if len(w) != 3 || (w[2] != "0" && w[2] != "1") {
			return nil, fmt.Errorf("read pairs: line %d is not \"PATH PATH 1|0\"", n)
		}
		out = append(out, facePair{w[0], w[1], w[2] == "1"})
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read pairs: %w", err)
	}
	if len(out) == 0 {
		return nil, errors.New("read pairs: the file is empty")
	}
	return out, nil
}

// picturesOf lists every picture once, sorted.
func picturesOf(pairs []facePair) []string {
	var out []string
	for _, p := range pairs {
		out = append(out, p.a, p.b)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// embedAll embeds every picture on two processes. A picture without a face, or that cannot be read as a picture, is missing in the
// result: a failure to acquire.
func embedAll(ctx context.Context, e env, model *biometrics.Recogniser, tool visionTool, root string, names []string) (map[string]*faceSide, error) {
	sides := make(map[string]*faceSide, len(names))
	done := 0
	err := tool.embed(ctx, root, names, 2, func(p visionPicture) error {
		if done++; done%500 == 0 {
			fmt.Fprintf(e.Err, "gatectl face evaluate: %d of %d pictures\n", done, len(names))
		}
		f := p.main()
		if f == nil {
			return nil
		}
		s, err := newFaceSide(model, f.raw)
		if err != nil {
			return err
		}
		sides[p.File] = s
		return nil
	})
	if err == nil && done != len(names) {
		err = fmt.Errorf("gatevision answered for %d of %d pictures", done, len(names))
	}
	return sides, err
}

// scorePairs compares all pairs, writes them down, and takes the rates. The first picture of a pair is the reference.
func scorePairs(pairs []facePair, names []string, sides map[string]*faceSide, file string, all bool) (ev evaluation, err error) {
	f, err := os.Create(file)
	if err != nil {
		return ev, fmt.Errorf("write scores: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<16)
	fmt.Fprintln(w, "a,b,label,score")
	ev = evaluation{Images: len(names), FTA: newFaceRate(len(names)-len(sides), len(names)), Comparison: "160-byte reference, single frame"}
	var genuine []float64
	hist := &histogram{}
	listed := map[[2]string]bool{}
	for _, p := range pairs {
		listed[[2]string{p.a, p.b}] = true
		a, b := sides[p.a], sides[p.b]
		if a == nil || b == nil {
			ev.Unscored++
			writeScore(w, p, "")
			continue
		}
		s := a.score(b)
		writeScore(w, p, strconv.FormatFloat(s, 'f', 6, 64))
		if p.genuine {
			genuine = append(genuine, s)
		} else {
			hist.add(s)
		}
	}
	if all {
		scoreAll(w, names, sides, listed, hist)
	}
	if err := w.Flush(); err != nil {
		return ev, fmt.Errorf("write scores: %w", err)
	}
	ev.Genuine, ev.Impostors = len(genuine), hist.n
	slices.Sort(genuine)
	for _, fmr := range []float64{1e-2, 1e-3, 1e-4} {
		t, hits := hist.threshold(fmr)
		missed, _ := slices.BinarySearch(genuine, t)
		ev.Points = append(ev.Points, errorRate{FMR: fmr, Threshold: t, FNMR: newFaceRate(missed, len(genuine)), FalseHits: hits})
	}
	return ev, nil
}

// scoreAll adds every pair of different folders that was not listed.
func scoreAll(w *bufio.Writer, names []string, sides map[string]*faceSide, listed map[[2]string]bool, hist *histogram) {
	for i, a := range names {
		for _, b := range names[i+1:] {
			sa, sb := sides[a], sides[b]
			if sa == nil || sb == nil || path.Dir(a) == path.Dir(b) || listed[[2]string{a, b}] || listed[[2]string{b, a}] {
				continue
			}
			s := sa.score(sb)
			hist.add(s)
			writeScore(w, facePair{a: a, b: b}, strconv.FormatFloat(s, 'f', 6, 64))
		}
	}
}

// writeScore writes a line; the writer keeps the first error for Flush.
func writeScore(w *bufio.Writer, p facePair, score string) {
	label := ",0,"
	if p.genuine {
		label = ",1,"
	}
	for _, s := range []string{p.a, ",", p.b, label, score, "\n"} {
		_, _ = w.WriteString(s)
	}
}
