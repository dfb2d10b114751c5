package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"bordergate/biometrics"
	"bordergate/cmd/gatectl/evaluate"
)

// facePair is a line of the pairs file.
type facePair struct {
	a, b    string
	genuine bool
}

// evaluation is what "face evaluate" prints. Rates are shares, limits are the 95 % Wilson limits. Its own points are those of the
// first series.
type evaluation struct {
	Images     int              `json:"images"`
	Genuine    int              `json:"genuine"`
	Impostors  int              `json:"impostors"`
	Points     []evaluate.Point `json:"points"`
	Comparison string           `json:"comparison"`
	Model      string           `json:"model"`
	evaluate.Result
	Seconds float64 `json:"seconds"`
}

// evaluateFlags are those of "face evaluate".
type evaluateFlags struct {
	faceFlags
	pairs, root, scores, impostors, det, plot string
	gate                                      bool
	fuse                                      int
}

func parseEvaluate(e env, words string, args []string) (f evaluateFlags, status int, ok bool) {
	fs := newFlags(e, words)
	f.register(fs)
	fs.StringVar(&f.pairs, "pairs", "", "pairs file: PATH PATH 1|0 a line")
	fs.StringVar(&f.root, "root", "", "folder the paths are relative to")
	fs.StringVar(&f.scores, "scores", "", "CSV file to write: a,b,label,score")
	fs.StringVar(&f.impostors, "impostors", "listed", "impostor pairs: listed, or all of different folders")
	fs.BoolVar(&f.gate, "quality", false, "measure behind the quality gate, too")
	fs.IntVar(&f.fuse, "fuse", 0, "measure probes fused of so many photographs, too; identities are folders")
	fs.StringVar(&f.det, "det", "", "CSV file to write: points of the detection error trade-off")
	fs.StringVar(&f.plot, "plot", "", "SVG file to write: the detection error trade-off")
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return f, status, false
	}
	var err error
	switch {
	case len(rest) > 0:
		err = fmt.Errorf("unexpected argument %q", rest[0])
	case f.pairs == "" || f.scores == "":
		err = errors.New("--pairs and --scores are needed")
	case f.impostors != "listed" && f.impostors != "all":
		err = fmt.Errorf("--impostors %q: listed or all", f.impostors)
	case f.fuse != 0 && (f.fuse < 2 || f.fuse > biometrics.MaxFrames):
		err = fmt.Errorf("--fuse %d: 2 to %d", f.fuse, biometrics.MaxFrames)
	case f.plot != "" && !strings.HasSuffix(f.plot, ".svg"):
		err = fmt.Errorf("--plot %q: the plot is an SVG, give a name that ends so", f.plot)
	}
	if err != nil {
		return f, unable(e, words, err), false
	}
	return f, 0, true
}

func faceEvaluate(ctx context.Context, e env, args []string) int {
	const words = "face evaluate"
	f, status, ok := parseEvaluate(e, words, args)
	if !ok {
		return status
	}
	start := time.Now()
	model, err := f.open()
	if err != nil {
		return unable(e, words, err)
	}
	ev, err := f.measure(ctx, e, model)
	if err != nil {
		return unable(e, words, err)
	}
	ev.Seconds = math.Round(time.Since(start).Seconds()*10) / 10
	for name, write := range map[string]func(io.Writer) error{f.det: ev.WriteDET, f.plot: ev.WriteSVG} {
		if err := writeTo(name, write); err != nil {
			return unable(e, words, err)
		}
	}
	if f.json {
		return printResult(e, words, ev, true)
	}
	fmt.Fprintf(e.Out, "%s: %d pictures in %.1f s\n", ev.Model, ev.Images, ev.Seconds)
	if err := ev.Print(e.Out); err != nil {
		return unable(e, words, err)
	}
	return exitDone
}

// writeTo writes a file, unless it has no name.
func writeTo(name string, write func(io.Writer) error) (err error) {
	if name == "" {
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(name), err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return write(f)
}

// measure embeds every picture once and compares.
func (f *evaluateFlags) measure(ctx context.Context, e env, model *biometrics.Recogniser) (ev evaluation, err error) {
	pairs, err := readPairs(f.pairs)
	if err != nil {
		return ev, err
	}
	names := picturesOf(pairs)
	shots, err := embedAll(ctx, e, f.tool, f.root, names)
	if err != nil {
		return ev, err
	}
	at := make(map[string]int, len(names))
	for i, n := range names {
		at[n] = i
	}
	list := make([]evaluate.Pair, len(pairs))
	for i, p := range pairs {
		list[i] = evaluate.Pair{A: at[p.a], B: at[p.b], Genuine: p.genuine}
	}
	err = writeTo(f.scores, func(out io.Writer) error {
		w := bufio.NewWriterSize(out, 1<<16)
		fmt.Fprintln(w, "a,b,label,score")
		ev.Result, err = evaluate.Run(shots, list, evaluate.Options{
			Model: model, All: f.impostors == "all", Gate: f.gate, Fuse: f.fuse,
			Score: func(p evaluate.Pair, s float64, ok bool) error {
				return writeScore(w, names[p.A], names[p.B], p.Genuine, s, ok)
			},
		})
		return errors.Join(err, w.Flush())
	})
	if err != nil {
		return ev, err
	}
	first := ev.Series[0]
	ev.Images, ev.Genuine, ev.Impostors, ev.Points = len(names), first.Genuine, first.Impostors, first.Fixed
	ev.Comparison, ev.Model = first.Name+", single frame", model.ID
	return ev, nil
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

// embedAll embeds every picture on two processes. One without a face, or that cannot be read as a picture, comes without an embedding:
// a failure to acquire.
func embedAll(ctx context.Context, e env, tool visionTool, root string, names []string) ([]evaluate.Shot, error) {
	shots := make([]evaluate.Shot, len(names))
	for i, n := range names {
		shots[i] = evaluate.Shot{Name: n, Identity: path.Dir(n)}
	}
	done := 0
	err := tool.embed(ctx, root, names, 2, func(p visionPicture) error {
		if done++; done%500 == 0 {
			fmt.Fprintf(e.Err, "gatectl face evaluate: %d of %d pictures\n", done, len(names))
		}
		i, ok := slices.BinarySearch(names, p.File)
		if !ok {
			return fmt.Errorf("gatevision answered for %q, which nobody asked", p.File)
		}
		if f := p.main(); f != nil {
			shots[i].Quality, shots[i].Raw = p.quality(), f.raw
		}
		return nil
	})
	if err == nil && done != len(names) {
		err = fmt.Errorf("gatevision answered for %d of %d pictures", done, len(names))
	}
	return shots, err
}

// writeScore writes a line; a comparison without a face has no score.
func writeScore(w *bufio.Writer, a, b string, genuine bool, score float64, ok bool) error {
	label, text := ",0,", ""
	if genuine {
		label = ",1,"
	}
	if ok {
		text = strconv.FormatFloat(score, 'f', 6, 64)
	}
	for _, s := range []string{a, ",", b, label, text, "\n"} {
		if _, err := w.WriteString(s); err != nil {
			return fmt.Errorf("write scores: %w", err)
		}
	}
	return nil
}
