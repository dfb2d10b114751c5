package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	bio "bordergate/biometrics"
)

// fmrGoal is the false match rate that false rejects are compared at.
const fmrGoal = 1e-3

// cameraFrames is how many frames of the camera's size the peers are timed on.
const cameraFrames = 30

// recogniser is one way from a photograph to a comparison.
type recogniser struct {
	*reader
	score func(a, b []float64) float64

	vectors [][]float64 // by photograph, nil where no face was found
	large   []float64   // ms a frame of the camera's size
	small   []float64   // ms a labelled photograph
}

// measureRecognition compares with face-api in Node, one thread each, on the
// same pixels: time from pixels to vector, and false rejects.
func measureRecognition(ctx context.Context, o faceOptions, w, progress io.Writer) ([]row, error) {
	list, err := startRecognisers(ctx, o)
	defer func() {
		for _, r := range list {
			closeAll([]*reader{r.reader})
		}
	}()
	if err != nil {
		return nil, err
	}
	photos, err := demoPhotos(o.models)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(progress, "bench: recognition, frames of the camera's size")
	r := rand.New(rand.NewPCG(o.seed, 0xface))
	for n := range cameraFrames + 3 {
		p := frameOf(photos, r)
		for _, k := range list {
			s, err := k.look(p, 0)
			if err != nil {
				return nil, err
			}
			if n >= 3 { // the first ones warm up
				k.large = append(k.large, s.millis()[stageFrame])
			}
		}
	}
	pairs, err := labelledPairs(o)
	if errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(w, "\nNo labelled photographs here (--data): false rejects are not compared.")
		return recognitionRows(w, list, nil, nil), nil
	}
	if err != nil {
		return nil, err
	}
	for i, name := range pairs.names {
		if i%50 == 0 {
			fmt.Fprintf(progress, "bench: recognition, photograph %d of %d\n", i, len(pairs.names))
		}
		p, err := readPhoto(filepath.Join(o.data, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		for _, k := range list {
			if err := k.take(p); err != nil {
				return nil, err
			}
		}
	}
	var rates []rate
	for _, k := range list {
		rates = append(rates, pairs.rate(k))
	}
	return recognitionRows(w, list, pairs, rates), nil
}

func startRecognisers(ctx context.Context, o faceOptions) ([]*recogniser, error) {
	var list []*recogniser
	ours, err := startOurs(ctx, o, 1)
	if err != nil {
		return nil, err
	}
	list = append(list, &recogniser{reader: ours, score: cosine})
	for _, detector := range []string{"ssd", "tiny"} {
		peer, err := startFaceAPI(ctx, o, detector)
		if err != nil {
			return list, err
		}
		list = append(list, &recogniser{reader: peer, score: nearness})
	}
	return list, nil
}

// take looks at a labelled photograph, whose person is in the middle.
func (k *recogniser) take(p picture) error {
	s, err := k.look(p, faceCentre)
	if err != nil {
		return err
	}
	k.small = append(k.small, s.millis()[stageFrame])
	if s.Found == 0 {
		s.Vector = nil
	}
	k.vectors = append(k.vectors, s.Vector)
	return nil
}

// pairSet is a set of labelled photographs, and the pairs of one person among
// them.
type pairSet struct {
	names   []string
	genuine [][2]int
}

// labelledPairs draws people by lot until there are enough photographs, and
// keeps the pairs of the list whose photographs are both among them.
func labelledPairs(o faceOptions) (*pairSet, error) {
	f, err := os.Open(filepath.Join(o.data, "pairs.txt"))
	if err != nil {
		return nil, fmt.Errorf("read pairs: %w", err)
	}
	defer f.Close()
	var listed [][2]string
	people := map[string][]string{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var a, b, label string
		if n, _ := fmt.Sscan(sc.Text(), &a, &b, &label); n != 3 || label != "1" {
			continue
		}
		listed = append(listed, [2]string{a, b})
		for _, name := range []string{a, b} {
			if !filepath.IsLocal(filepath.FromSlash(name)) {
				return nil, fmt.Errorf("read pairs: %q leaves the folder", name)
			}
			if who := path.Dir(name); !slices.Contains(people[who], name) {
				people[who] = append(people[who], name)
			}
		}
	}
	order := make([]string, 0, len(people))
	for who := range people {
		order = append(order, who)
	}
	slices.SortFunc(order, strings.Compare)
	r := rand.New(rand.NewPCG(o.seed, 0x9a125))
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	s := &pairSet{}
	at := map[string]int{}
	for _, who := range order {
		if len(s.names) >= o.photographs {
			break
		}
		for _, name := range people[who] {
			at[name] = len(s.names)
			s.names = append(s.names, name)
		}
	}
	for _, p := range listed {
		i, oki := at[p[0]]
		j, okj := at[p[1]]
		if oki && okj {
			s.genuine = append(s.genuine, [2]int{i, j})
		}
	}
	if len(s.genuine) == 0 {
		return nil, errors.New("read pairs: no pair of one person")
	}
	return s, nil
}

// rate is what a recogniser came to.
type rate struct {
	fnmr, low, high float64 // %, with 95 % limits by Wilson
	missed, genuine int
	impostors       int
	noFace          int
	found           float64 // %, of the pairs with a face found in both only
}

// rate takes the threshold at which at most fmrGoal of the pairs of two people
// match, and counts the pairs of one person below it. A photograph without a
// face matches nobody.
func (s *pairSet) rate(k *recogniser) rate {
	out := rate{genuine: len(s.genuine)}
	var impostors []float64
	for i, a := range k.vectors {
		if a == nil {
			out.noFace++
		}
		for j, b := range k.vectors[:i] {
			if path.Dir(s.names[i]) == path.Dir(s.names[j]) {
				continue
			}
			out.impostors++
			if a != nil && b != nil {
				impostors = append(impostors, k.score(a, b))
			}
		}
	}
	slices.Sort(impostors)
	limit := math.Inf(-1)
	if allowed := int(fmrGoal * float64(out.impostors)); allowed < len(impostors) {
		limit = impostors[len(impostors)-1-allowed]
	}
	lost := 0
	for _, p := range s.genuine {
		a, b := k.vectors[p[0]], k.vectors[p[1]]
		switch {
		case a == nil || b == nil:
			lost++
			out.missed++
		case k.score(a, b) <= limit:
			out.missed++
		}
	}
	out.found = percent(out.missed-lost, out.genuine-lost)
	out.fnmr = percent(out.missed, out.genuine)
	out.low, out.high = wilson(out.missed, out.genuine)
	return out
}

// wilson gives the 95 % limits of a share, in per cent.
func wilson(k, n int) (low, high float64) {
	low, high = bio.Wilson(k, n)
	return 100 * low, 100 * high
}

// recognitionRows prints the table and gives the rows; reader 0 is ours.
func recognitionRows(w io.Writer, list []*recogniser, pairs *pairSet, rates []rate) []row {
	if pairs != nil {
		fmt.Fprintf(w, "\nRecognition, one thread each: %d photographs drawn by lot, %d pairs of one person, %d of two\n",
			len(pairs.names), len(pairs.genuine), rates[0].impostors)
	}
	fmt.Fprintf(w, "%-14s %14s %14s %10s %16s %8s %12s\n", "", "1280x720 ms", "250x250 ms", "FNMR %", "95 % limits", "no face", "where found")
	for i, k := range list {
		fmt.Fprintf(w, "%-14s %14.1f", k.name, quantile(k.large, 0.5))
		if pairs != nil {
			r := rates[i]
			fmt.Fprintf(w, " %14.1f %10.2f %16s %8d %12.2f", quantile(k.small, 0.5), r.fnmr, fmt.Sprintf("%.2f to %.2f", r.low, r.high), r.noFace, r.found)
		}
		fmt.Fprintln(w)
	}
	var out []row
	beside := func(name, unit string, value func(i int) float64) {
		for i, k := range list[1:] {
			a, b := value(0), value(i+1)
			out = append(out, row{Name: name + ", beside " + k.name, Value: a, Unit: unit, Peer: k.name, PeerValue: b, Goal: "<= peer", OK: a <= b})
		}
	}
	beside("photograph 1280x720 median", "ms", func(i int) float64 { return quantile(list[i].large, 0.5) })
	if pairs == nil {
		return out
	}
	beside("photograph 250x250 median", "ms", func(i int) float64 { return quantile(list[i].small, 0.5) })
	beside("FNMR at FMR 1e-3", "%", func(i int) float64 { return rates[i].fnmr })
	beside("FNMR where both faces are found", "%", func(i int) float64 { return rates[i].found })
	beside("photographs without a face", "photos", func(i int) float64 { return float64(rates[i].noFace) })
	return append(out,
		row{Name: "FNMR at FMR 1e-3, lower 95 % limit", Value: rates[0].low, Unit: "%", OK: true},
		row{Name: "FNMR at FMR 1e-3, upper 95 % limit", Value: rates[0].high, Unit: "%", OK: true},
		row{Name: "FNMR at FMR 1e-3, pairs of one person", Value: float64(rates[0].genuine), Unit: "pairs", OK: true})
}
