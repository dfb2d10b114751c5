package evaluate

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"bordergate/biometrics"
)

// model is a recogniser of 32 values, all kept, whose norm tells quality.
func model() *biometrics.Recogniser {
	points := func(t float64) []biometrics.Point {
		return []biometrics.Point{{FMR: 1e-3, Accept: t}, {FMR: 1e-4, Accept: t + 0.1}}
	}
	return &biometrics.Recogniser{
		ID: "m@1", Dim: 32, Norm: biometrics.NormLimits{Probe: 3, Enrol: 3.2},
		Limits: biometrics.Thresholds{Single: points(0.5), Fused: points(0.55), Reject: 0.4, TooGood: 0.99},
	}
}

// album makes photographs of invented people: a direction each, a length each, and noise that shrinks with the length.
func album(people, each int) (shots []Shot, pairs []Pair) {
	rng := rand.New(rand.NewPCG(7, 7))
	for p := range people {
		base := make([]float64, 32)
		for i := range base {
			base[i] = rng.NormFloat64()
		}
		for k := range each {
			length := 2.8 + 1.2*rng.Float64()
			e := make(biometrics.Embedding, 32)
			for i := range e {
				e[i] = float32(base[i] + rng.NormFloat64()*(4.6-length)*0.8)
			}
			scale := float32(length / e.Norm())
			for i := range e {
				e[i] *= scale
			}
			shots = append(shots, Shot{
				Name: fmt.Sprintf("p%d/%d", p, k), Identity: fmt.Sprintf("p%d", p), Raw: e,
				Quality: biometrics.Quality{
					Faces: 1, Score: 1, Norm: length, EyeDistance: 60, Laplacian: 40, Luminance: 120, NoseDrop: 0.55,
				},
			})
			for j := range k {
				pairs = append(pairs, Pair{A: p*each + j, B: p*each + k, Genuine: true})
			}
		}
	}
	for p := range people {
		pairs = append(pairs, Pair{A: p * each, B: (p + 1) % people * each})
	}
	return shots, pairs
}

func TestRunAgreesWithCountingByHand(t *testing.T) {
	shots, pairs := album(30, 5)
	shots = append(shots, Shot{Name: "none/1", Identity: "none"})
	pairs = append(pairs, Pair{A: len(shots) - 1, B: 0})
	m := model()
	type scored struct {
		s       float64
		genuine bool
	}
	var all []scored
	unscored := 0
	res, err := Run(shots, pairs, Options{Model: m, All: true, Gate: true, Fuse: 3, Score: func(p Pair, s float64, ok bool) error {
		if !ok {
			unscored++
			return nil
		}
		ref, err := m.Enrol(shots[p.A].Raw)
		if err != nil {
			return err
		}
		if want, err := m.Score(shots[p.B].Raw, ref); err != nil || math.Abs(want-s) > 1e-5 {
			t.Fatalf("%v scores %v, the gate would give %v (%v)", p, s, want, err)
		}
		all = append(all, scored{s, p.Genuine})
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	first := res.Series[0]
	if res.FTA.Count != 1 || res.FTA.Of != 151 || res.Unscored != 1 || unscored != 1 {
		t.Errorf("failures %+v, unscored %d", res.FTA, res.Unscored)
	}
	if first.Genuine != 300 || first.Impostors != 150*149/2-300 || len(all) != first.Genuine+first.Impostors {
		t.Errorf("%d genuine, %d impostors, %d scored", first.Genuine, first.Impostors, len(all))
	}
	for _, p := range append(first.Fixed, first.Manifest...) {
		missed, hits := 0, 0
		for _, c := range all {
			if c.genuine && c.s < p.Threshold {
				missed++
			}
			if !c.genuine && c.s >= p.Threshold {
				hits++
			}
		}
		if missed != p.FNMR.Count || hits != p.Hits {
			t.Errorf("at %.4f: %d missed and %d hits, counted %d and %d", p.Threshold, p.FNMR.Count, p.Hits, missed, hits)
		}
	}
	if missed := first.Manifest[0].FNMR.Count; missed == 0 {
		t.Error("nobody was missed: the album is too easy to tell anything")
	}
	var binned int
	for _, b := range res.Bins {
		binned += b.FNMR.Of
	}
	if binned != first.Genuine {
		t.Errorf("%d genuine comparisons in bins", binned)
	}
	t.Run("gate", func(t *testing.T) {
		g := res.Series[2]
		probe, enrol := 0, 0
		for _, s := range shots[:150] {
			if s.Quality.Norm < 3 {
				probe++
			}
			if s.Quality.Norm < 3.2 {
				enrol++
			}
		}
		if g.Gate == nil || g.Gate.AsProbe.Count != probe || g.Gate.AsReference.Count != enrol || g.Gate.Genuine.Of != 300 ||
			g.Genuine != 300-g.Gate.Genuine.Count || g.Manifest[0].FNMR.Rate >= first.Manifest[0].FNMR.Rate {
			t.Errorf("gate %+v, FNMR %v", g.Gate, g.Manifest[0].FNMR)
		}
		if all := res.Series[3]; all.Gate == nil || all.Genuine != g.Genuine || all.Gate.Why["uncover"] != probe {
			t.Errorf("all rules: %+v", all.Gate)
		}
	})
	t.Run("fused", func(t *testing.T) {
		f := res.Series[4]
		if f.Genuine != 150 || f.Impostors != 150*145 || f.Manifest[0].Threshold != 0.55 || f.Fixed[0].FNMR.Rate > first.Fixed[0].FNMR.Rate {
			t.Errorf("%d genuine, %d impostors, FNMR %v after %v", f.Genuine, f.Impostors, f.Fixed[0].FNMR, first.Fixed[0].FNMR)
		}
	})
	t.Run("files", func(t *testing.T) { files(t, res) })
}

func files(t *testing.T, res Result) {
	var det, plot, text bytes.Buffer
	if err := errors.Join(res.WriteDET(&det), res.WriteSVG(&plot), res.Print(&text)); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&det).ReadAll()
	if err != nil || len(rows) != 1+321*len(res.Series) || len(rows[1]) != 4 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	lines := 0
	for d := xml.NewDecoder(&plot); ; {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "polyline" {
			lines++
		}
	}
	if lines != len(res.Series) || !bytes.Contains(text.Bytes(), []byte("cost of the short reference")) {
		t.Errorf("%d curves of %d series", lines, len(res.Series))
	}
}

func TestNothingToMeasure(t *testing.T) {
	shots, pairs := album(3, 3)
	quiet := func(Pair, float64, bool) error { return nil }
	for name, c := range map[string]struct {
		shots []Shot
		pairs []Pair
		fuse  int
	}{
		"too few for a probe": {shots, pairs, 3}, "no impostors": {shots, pairs[:3], 0}, "no genuine": {shots, pairs[9:], 0}, "no faces": {make([]Shot, 9), pairs, 0},
	} {
		if _, err := Run(c.shots, c.pairs, Options{Model: model(), Fuse: c.fuse, Score: quiet}); !errors.Is(err, ErrNothing) {
			t.Errorf("%s: %v", name, err)
		}
	}
	shots[0].Raw = shots[0].Raw[:20]
	if _, err := Run(shots, pairs, Options{Model: model(), Score: quiet}); !errors.Is(err, biometrics.ErrEmbedding) {
		t.Errorf("another model's embedding: %v", err)
	}
}

func TestHistogramThreshold(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	h := &histogram{}
	var all []float64
	for range 50000 {
		s := rng.NormFloat64()*0.1 + 0.05
		all = append(all, s)
		h.add(s)
	}
	for _, fmr := range []float64{1e-2, 1e-3, 1e-4} {
		threshold, hits := h.threshold(fmr)
		above := 0
		for _, s := range all {
			if s >= threshold {
				above++
			}
		}
		if above != hits || hits > int(fmr*50000) || hits < int(fmr*50000*0.9) {
			t.Errorf("rate %g: threshold %.4f, %d above, %d counted", fmr, threshold, above, hits)
		}
	}
}

func TestWilson(t *testing.T) {
	for _, c := range []struct {
		k, n      int
		low, high float64
	}{{0, 0, 0, 1}, {0, 100, 0, 0.0370}, {5, 100, 0.0215, 0.1118}, {100, 100, 0.9630, 1}} {
		r := NewRate(c.k, c.n)
		low, high := r.Low, r.High
		if math.Abs(low-c.low) > 1e-4 || math.Abs(high-c.high) > 1e-4 {
			t.Errorf("%d of %d: %.4f to %.4f, want %.4f to %.4f", c.k, c.n, low, high, c.low, c.high)
		}
	}
}
