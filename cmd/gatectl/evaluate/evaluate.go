package evaluate

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"bordergate/biometrics"
)

// ErrNothing is returned where there is nothing to take a rate of.
var ErrNothing = errors.New("nothing to measure: give more photographs, fewer frames to a probe, or no gate")

// Shot is a photograph analysed. Without an embedding it has no face.
type Shot struct {
	Name, Identity string
	Quality        biometrics.Quality
	Raw            biometrics.Embedding
}

// Pair are the places of two photographs in a list, the first the reference.
type Pair struct {
	A, B    int
	Genuine bool
}

// Options say what is measured beside the pairs.
type Options struct {
	Model *biometrics.Recogniser
	// All compares every two photographs of different identities, too.
	All bool
	// Gate repeats the comparisons behind the quality gate.
	Gate bool
	// Fuse compares probes of so many frames, where an identity has one photograph more; 0 for none.
	Fuse int
	// Score takes the score of every comparison of the first series; ok is false where one has no face.
	Score func(p Pair, score float64, ok bool) error
}

// Bin is the part of the comparisons whose smaller norm lies between two limits, at the manifest's threshold for Wanted.
type Bin struct {
	From float64 `json:"norm_from"`
	// To is 0 where there is no upper limit.
	To   float64 `json:"norm_to,omitempty"`
	FNMR Rate    `json:"fnmr"`
	FMR  Rate    `json:"fmr_measured"`
}

// Result is what was measured. The first series is of the stored reference and a single frame.
type Result struct {
	Unscored int      `json:"unscored_pairs"`
	FTA      Rate     `json:"failure_to_acquire"`
	Series   []Series `json:"series"`
	// Bins are at the manifest's threshold for BinFMR.
	Bins   []Bin   `json:"bins,omitempty"`
	BinFMR float64 `json:"bins_at_fmr,omitempty"`
}

// face is a photograph on both sides of a comparison: the reference as stored, the projected probe, and the whole embedding.
type face struct {
	Shot
	ref, probe, whole []float32
	// enrols and probes say which of the gates it passes.
	enrols, probes []bool
}

func newFace(m *biometrics.Recogniser, s Shot) (*face, error) {
	ref, err := m.Enrol(s.Raw)
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	f := &face{Shot: s, ref: unit(ref), probe: unit(m.Project(s.Raw)), whole: unit(s.Raw)}
	return f, nil
}

func (f *face) judge(gates []gate) {
	for _, g := range gates {
		enrols, _ := g.enrol(f.Quality)
		probes, _ := g.probe(f.Quality)
		f.enrols, f.probes = append(f.enrols, enrols), append(f.probes, probes)
	}
}

func unit[N int8 | float32 | float64](v []N) []float32 {
	var n float64
	for _, x := range v {
		n += float64(x) * float64(x)
	}
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(float64(x) / math.Sqrt(n))
	}
	return out
}

func dot(a, b []float32) float64 {
	var s [4]float32
	n := len(a) &^ 3
	b = b[:len(a)]
	for i := 0; i < n; i += 4 {
		s[0] += a[i] * b[i]
		s[1] += a[i+1] * b[i+1]
		s[2] += a[i+2] * b[i+2]
		s[3] += a[i+3] * b[i+3]
	}
	for i := n; i < len(a); i++ {
		s[0] += a[i] * b[i]
	}
	return float64(s[0] + s[1] + s[2] + s[3])
}

// run is one evaluation while it goes on.
type run struct {
	o            Options
	faces        []*face
	short, whole Series
	gates        []gate
	bins         []Series
	edges        []float64
}

// gate is a quality gate and what passes it.
type gate struct {
	n            int
	enrol, probe func(biometrics.Quality) (bool, biometrics.Hint)
	series       Series
	asked, left  int
}

// Run measures. The shots of one call are of one recogniser.
func Run(shots []Shot, pairs []Pair, o Options) (Result, error) {
	r := &run{o: o, faces: make([]*face, len(shots))}
	r.short.Name = fmt.Sprintf("reference of %d bytes", o.Model.Size())
	r.whole.Name = fmt.Sprintf("whole embedding of %d floats", o.Model.Dim)
	r.open()
	missing := 0
	for i, s := range shots {
		if len(s.Raw) == 0 {
			missing++
			continue
		}
		f, err := newFace(o.Model, s)
		if err != nil {
			return Result{}, err
		}
		f.judge(r.gates)
		r.faces[i] = f
	}
	res := Result{FTA: NewRate(missing, len(shots))}
	listed := map[[2]int]bool{}
	for _, p := range pairs {
		listed[[2]int{min(p.A, p.B), max(p.A, p.B)}] = true
		ok, err := r.compare(p)
		if err != nil {
			return Result{}, err
		}
		if !ok {
			res.Unscored++
		}
	}
	if o.All {
		for i, a := range r.faces {
			for j := i + 1; j < len(r.faces); j++ {
				if b := r.faces[j]; a == nil || b == nil || a.Identity == b.Identity || listed[[2]int{i, j}] {
					continue
				}
				if _, err := r.compare(Pair{A: i, B: j}); err != nil {
					return Result{}, err
				}
			}
		}
	}
	res.Series = r.close()
	res.Bins, res.BinFMR = r.binned()
	for _, s := range res.Series {
		if s.Genuine == 0 || s.Impostors == 0 {
			return Result{}, fmt.Errorf("%w: %s: %d genuine and %d impostor comparisons", ErrNothing, s.Name, s.Genuine, s.Impostors)
		}
	}
	return res, nil
}

// compare scores one pair in every series it belongs to.
func (r *run) compare(p Pair) (bool, error) {
	a, b := r.faces[p.A], r.faces[p.B]
	if a == nil || b == nil {
		return false, r.o.Score(p, 0, false)
	}
	s := dot(a.ref, b.probe)
	r.short.add(s, p.Genuine)
	r.whole.add(dot(a.whole, b.whole), p.Genuine)
	r.bin(min(a.Quality.Norm, b.Quality.Norm), s, p.Genuine)
	for i := range r.gates {
		r.gates[i].take(a, b, s, p.Genuine)
	}
	return true, r.o.Score(p, s, true)
}

func (g *gate) take(a, b *face, score float64, genuine bool) {
	if genuine {
		g.asked++
	}
	if a.enrols[g.n] && b.probes[g.n] {
		g.series.add(score, genuine)
		if genuine {
			g.left++
		}
	}
}

// open sets up the gates and bins.
func (r *run) open() {
	m := r.o.Model
	if limit := m.Norm.Probe; limit > 0 {
		// Steps of a fifteenth of the least norm, from two below to four above.
		r.edges = append(r.edges, 0)
		for k := -2; k <= 4; k++ {
			r.edges = append(r.edges, limit*(1+float64(k)/15))
		}
		r.bins = make([]Series, len(r.edges))
	}
	if !r.o.Gate {
		return
	}
	if n := m.Norm; n.Probe > 0 {
		least := func(limit float64) func(biometrics.Quality) (bool, biometrics.Hint) {
			return func(q biometrics.Quality) (bool, biometrics.Hint) { return q.Norm >= limit, biometrics.HintUncover }
		}
		r.gates = append(r.gates, gate{
			enrol: least(n.Enrol), probe: least(n.Probe),
			series: Series{Name: fmt.Sprintf("gate of norm %g for a reference, %g for a probe", n.Enrol, n.Probe)},
		})
	}
	r.gates = append(r.gates, gate{
		n: len(r.gates), enrol: m.EnrolRules().Judge, probe: m.ProbeRules().Judge, series: Series{Name: "gate of all quality rules"},
	})
}

func (r *run) bin(norm, score float64, genuine bool) {
	if len(r.edges) == 0 {
		return
	}
	i, found := slices.BinarySearch(r.edges, norm)
	if !found {
		i--
	}
	r.bins[max(i, 0)].add(score, genuine)
}

func (r *run) binned() (out []Bin, fmr float64) {
	fmr = 1e-4
	t, ok := r.o.Model.Limits.At(fmr, 1)
	if !ok || len(r.edges) == 0 {
		return nil, 0
	}
	for i := range r.bins {
		slices.Sort(r.bins[i].genuine)
		to := 0.0
		if i+1 < len(r.edges) {
			to = r.edges[i+1]
		}
		p := r.bins[i].at(fmr, t)
		out = append(out, Bin{From: r.edges[i], To: to, FNMR: p.FNMR, FMR: p.FMR})
	}
	return out, fmr
}

// close takes the rates of every series.
func (r *run) close() []Series {
	single := r.o.Model.Limits.Single
	out := []Series{r.short.close(single), r.whole.close(single)}
	for i := range r.gates {
		out = append(out, r.gates[i].close(r.faces, single))
	}
	if r.o.Fuse > 1 {
		out = append(out, r.fused(fmt.Sprintf("probe of %d frames", r.o.Fuse), nil))
		for i := range r.gates {
			g := &r.gates[i]
			out = append(out, r.fused(fmt.Sprintf("probe of %d frames, %s", r.o.Fuse, g.series.Name), g))
		}
	}
	return out
}

func (s *Series) close(manifest []biometrics.Point) Series {
	slices.Sort(s.genuine)
	s.Genuine, s.Impostors = len(s.genuine), s.impostors.n
	for _, fmr := range fixedRates(s.impostors.n) {
		t, _ := s.impostors.threshold(fmr)
		s.Fixed = append(s.Fixed, s.at(fmr, t))
	}
	for _, p := range manifest {
		s.Manifest = append(s.Manifest, s.at(p.FMR, p.Accept))
	}
	return *s
}

func (g *gate) close(faces []*face, manifest []biometrics.Point) Series {
	why, asProbe, asRef, n := map[string]int{}, 0, 0, 0
	for _, f := range faces {
		if f == nil {
			continue
		}
		n++
		if ok, hint := g.probe(f.Quality); !ok {
			asProbe++
			why[string(hint)]++
		}
		if ok, _ := g.enrol(f.Quality); !ok {
			asRef++
		}
	}
	g.series.Gate = &Rejected{AsProbe: NewRate(asProbe, n), AsReference: NewRate(asRef, n), Genuine: NewRate(g.asked-g.left, g.asked), Why: why}
	return g.series.close(manifest)
}
