package biometrics

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// person makes raw embeddings of one invented person: a direction of its own inside the projection's span, with a little noise.
type person struct {
	rng  *rand.Rand
	base Embedding
}

// shipped is the recogniser that the manifest describes, in this test's own words.
func shipped() *Recogniser {
	b, err := DefaultBasis()
	if err != nil {
		panic(err)
	}
	return &Recogniser{ID: "m@1", Dim: basisDim, Basis: b, Norm: NormLimits{Probe: 3, Enrol: 3.2}, Limits: Thresholds{
		Single:  []Point{{1e-3, 0.335}, {1e-4, 0.41}, {1e-5, 0.475}, {1e-6, 0.535}},
		Fused:   []Point{{1e-3, 0.355}, {1e-4, 0.43}, {1e-5, 0.49}, {1e-6, 0.55}},
		Reject:  0.34,
		TooGood: 0.97,
	}}
}

func newPerson(seed uint64) person {
	p := person{rng: rand.New(rand.NewPCG(seed, 1)), base: make(Embedding, basisDim)}
	b, err := DefaultBasis()
	if err != nil {
		panic(err)
	}
	for k := range basisSize {
		c := float32(p.rng.NormFloat64())
		for i := range basisDim {
			p.base[i] += c * b.u[i*basisSize+k]
		}
	}
	return p
}

// frame returns an embedding of the given norm, off the base by noise (as a share of its length).
func (p person) frame(norm, noise float64) Embedding {
	e := make(Embedding, basisDim)
	scale := noise * p.base.Norm() / math.Sqrt(basisDim)
	for i, v := range p.base {
		e[i] = v + float32(p.rng.NormFloat64()*scale)
	}
	k := float32(norm / e.Norm())
	for i := range e {
		e[i] *= k
	}
	return e
}

func TestBasisIsTheFixedOne(t *testing.T) {
	b, err := DefaultBasis()
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]int{{0, 0}, {0, 1}, {5, 5}, {159, 159}, {17, 140}} {
		var dot float64
		for i := range basisDim {
			dot += float64(b.u[i*basisSize+pair[0]]) * float64(b.u[i*basisSize+pair[1]])
		}
		want := 0.0
		if pair[0] == pair[1] {
			want = 1
		}
		if math.Abs(dot-want) > 1e-4 {
			t.Errorf("columns %v: product %v, want %v", pair, dot, want)
		}
	}
	broken := bytes.Clone(basisFile)
	broken[1000] ^= 1
	if _, err := ParseBasis(broken, basisDim, basisSize, basisSHA256); !errors.Is(err, ErrBasis) {
		t.Errorf("a changed projection: %v, want ErrBasis", err)
	}
}

func TestReferenceKeepsTheCosine(t *testing.T) {
	for seed := range uint64(20) {
		a := newPerson(seed)
		x, y := a.frame(3.8, 0), a.frame(3.5, 0.5)
		other := newPerson(seed+1000).frame(3.8, 0.5)
		ref, err := shipped().Enrol(x)
		if err != nil {
			t.Fatal(err)
		}
		for _, probe := range []Embedding{x, other} {
			full, err := Cosine(x, probe)
			if err != nil {
				t.Fatal(err)
			}
			short, err := shipped().Score(probe, ref)
			if err != nil {
				t.Fatal(err)
			}
			// The invented noise lies partly outside the projection, where a model's output has next to nothing.
			if math.Abs(full-short) > 0.15 {
				t.Errorf("512 floats give %.3f, 160 bytes %.3f", full, short)
			}
		}
		if s, _ := shipped().Score(x, ref); s < 0.9995 {
			t.Errorf("score with itself %.5f", s)
		}
		if s, _ := shipped().Score(y, ref); s < 0.8 {
			t.Errorf("score of a second frame %.5f", s)
		}
	}
}

func TestEnrolRefuses(t *testing.T) {
	good := newPerson(1).frame(3.5, 0)
	nan := newPerson(1).frame(3.5, 0)
	nan[7] = float32(math.NaN())
	inverse := make(Embedding, basisDim)
	for i, v := range good {
		inverse[i] = -v
	}
	for name, raws := range map[string][]Embedding{
		"none": nil, "nil": {nil}, "short": {good[:511]}, "zero": {make(Embedding, basisDim)}, "not a number": {good, nan}, "nothing left": {good, inverse},
	} {
		if r, err := shipped().Enrol(raws...); !errors.Is(err, ErrEmbedding) {
			t.Errorf("%s: %v, %v; want ErrEmbedding", name, r, err)
		}
	}
}

func TestParseReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ref, err := shipped().Enrol(newPerson(rapid.Uint64().Draw(t, "seed")).frame(3.5, 0.2))
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseReference(ref.Bytes())
		if err != nil || !slices.Equal(back, ref) {
			t.Fatalf("came back as %v, %v", back[:4], err)
		}
	})
	for name, b := range map[string][]byte{"empty": nil, "short": make([]byte, 15), "long": make([]byte, 1025), "zero": make([]byte, 160)} {
		if _, err := ParseReference(b); !errors.Is(err, ErrReference) {
			t.Errorf("%s: %v, want ErrReference", name, err)
		}
	}
}

func FuzzParseReference(f *testing.F) {
	ref, err := shipped().Enrol(newPerson(1).frame(3.5, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ref.Bytes())
	f.Add(make([]byte, basisSize))
	f.Add(ref.Bytes()[:basisSize-1])
	probe := newPerson(2).frame(3.5, 0)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseReference(b)
		if err != nil {
			return
		}
		s, err := shipped().Score(probe, r)
		if len(r) != basisSize {
			// Another recogniser's: whole, and never compared.
			if !errors.Is(err, ErrReference) {
				t.Fatalf("%d values: score %v, %v", len(r), s, err)
			}
			return
		}
		if err != nil || math.IsNaN(s) || s < -1.0001 || s > 1.0001 {
			t.Fatalf("score %v, %v", s, err)
		}
	})
}

func TestFusionKeepsTheBestFive(t *testing.T) {
	p := newPerson(3)
	ref, err := shipped().Enrol(p.frame(3.8, 0))
	if err != nil {
		t.Fatal(err)
	}
	f := shipped().NewFusion()
	if s := f.Score(ref); s != -1 || f.N() != 0 {
		t.Errorf("empty: score %v, %d frames", s, f.N())
	}
	single := 0.0
	for i := range 9 {
		e := p.frame(3.2+float64(i)*0.1, 0.9)
		if err := f.Add(e, e.Norm()); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			single = f.Score(ref)
		}
	}
	if f.N() != MaxFrames {
		t.Errorf("%d frames, want %d", f.N(), MaxFrames)
	}
	if got := f.frames[MaxFrames-1].rank; got < 3.59 {
		t.Errorf("worst frame kept has rank %.2f, want at least 3.6", got)
	}
	if s := f.Score(ref); s <= single {
		t.Errorf("fused %.3f is not better than single %.3f", s, single)
	}
	probe := f.Probe()
	f.Reset()
	if f.N() != 0 || f.Score(ref) != -1 || probe.Norm() == 0 {
		t.Error("reset left something behind, or took the copy with it")
	}
}

func TestFusionRefuses(t *testing.T) {
	p := newPerson(4)
	for name, c := range map[string]struct {
		raw  Embedding
		want error
	}{
		"weak":         {p.frame(2.9, 0), ErrWeakFrame},
		"unusable":     {p.base[:100], ErrEmbedding},
		"other person": {newPerson(5).frame(3.8, 0), ErrOtherPerson},
	} {
		f := shipped().NewFusion()
		if err := f.Add(p.frame(3.5, 0.2), 3.5); err != nil {
			t.Fatal(err)
		}
		if err := f.Add(c.raw, 9); !errors.Is(err, c.want) || f.N() != 1 {
			t.Errorf("%s: %v and %d frames, want %v and 1", name, err, f.N(), c.want)
		}
	}
}

func TestThresholds(t *testing.T) {
	th := shipped().Limits
	if err := th.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		fmr    float64
		frames int
		want   float64
		ok     bool
	}{
		{1e-4, 1, 0.41, true},
		{1e-4, 2, 0.43, true},
		{1e-4, 5, 0.43, true},
		{5e-4, 1, 0.41, true},
		{1e-2, 1, 0.335, true},
		{1e-6, 3, 0.55, true},
		{1e-7, 3, 0, false},
		{0, 3, 0, false},
		{1e-4, 0, 0, false},
	} {
		if got, ok := th.At(c.fmr, c.frames); got != c.want || ok != c.ok {
			t.Errorf("at %g with %d frames: %v %v, want %v %v", c.fmr, c.frames, got, ok, c.want, c.ok)
		}
	}
	for name, change := range map[string]func(*Thresholds){
		"no points":     func(t *Thresholds) { t.Single = nil },
		"falling":       func(t *Thresholds) { t.Fused = []Point{{1e-3, 0.5}, {1e-4, 0.4}} },
		"rate":          func(t *Thresholds) { t.Fused = []Point{{0, 0.5}} },
		"no reject":     func(t *Thresholds) { t.Reject = 0 },
		"too good":      func(t *Thresholds) { t.TooGood = 1.5 },
		"not a number":  func(t *Thresholds) { t.Single = []Point{{1e-3, math.NaN()}} },
		"reject number": func(t *Thresholds) { t.Reject = math.NaN() },
	} {
		bad := shipped().Limits
		change(&bad)
		if err := bad.Validate(); !errors.Is(err, ErrThresholds) {
			t.Errorf("%s: %v, want ErrThresholds", name, err)
		}
	}
}

func TestJudgeMatch(t *testing.T) {
	th := shipped().Limits
	for _, c := range []struct {
		score float64
		want  Match
	}{
		{-1, MatchReject},
		{0.339, MatchReject},
		{0.34, MatchBetween},
		{0.429, MatchBetween},
		{0.43, MatchAccept},
		{0.97, MatchAccept},
		{0.971, MatchTooGood},
		{1, MatchTooGood},
		{math.NaN(), MatchNone},
		{-2, MatchNone},
	} {
		if got := th.Judge(c.score, 1e-4, 3); got != c.want {
			t.Errorf("score %v: %v, want %v", c.score, got, c.want)
		}
	}
	if got := th.Judge(0.9, 1e-9, 3); got != MatchNone {
		t.Errorf("a rate nobody measured: %v, want none", got)
	}
}

func TestJudgeQuality(t *testing.T) {
	good := Quality{
		Faces: 1, Score: 0.99, Norm: 3.6, EyeDistance: 60, Laplacian: 35, Luminance: 120, ShareOver: 0.01, ShareUnder: 0.05,
		NoseOffset: 0.05, NoseDrop: 0.57, Roll: 2,
	}
	if ok, hint := ProbeRules().Judge(good); !ok || hint != HintNone {
		t.Fatalf("a good face: %v %q", ok, hint)
	}
	for _, c := range []struct {
		name   string
		change func(*Quality)
		want   Hint
	}{
		{"no face", func(q *Quality) { q.Faces = 0 }, HintLookHere},
		{"faint", func(q *Quality) { q.Score = 0.8 }, HintLookHere},
		{"two", func(q *Quality) { q.Faces, q.Second = 2, 0.6 }, HintOnePerson},
		{"far", func(q *Quality) { q.EyeDistance = 30 }, HintCloser},
		{"dark", func(q *Quality) { q.Luminance = 40 }, HintTooDark},
		{"shadow", func(q *Quality) { q.ShareUnder = 0.4 }, HintTooDark},
		{"bright", func(q *Quality) { q.Luminance = 220 }, HintTooBright},
		{"glare", func(q *Quality) { q.ShareOver = 0.2 }, HintTooBright},
		{"turned left", func(q *Quality) { q.NoseOffset = -0.3 }, HintLookHere},
		{"looking down", func(q *Quality) { q.NoseDrop = 0.8 }, HintLookHere},
		{"looking up", func(q *Quality) { q.NoseDrop = 0.3 }, HintLookHere},
		{"tilted", func(q *Quality) { q.Roll = -20 }, HintUpright},
		{"blurred", func(q *Quality) { q.Laplacian = 10 }, HintHoldStill},
		{"covered", func(q *Quality) { q.Norm = 2.5 }, HintUncover},
		{"not embedded", func(q *Quality) { q.Norm = 0 }, HintUncover},
		{"not a number", func(q *Quality) { q.Laplacian = math.NaN() }, HintLookHere},
	} {
		q := good
		c.change(&q)
		if ok, hint := ProbeRules().Judge(q); ok || hint != c.want {
			t.Errorf("%s: %v %q, want %q", c.name, ok, hint, c.want)
		}
	}
	good.Norm = 3.1
	if ok, _ := EnrolRules().Judge(good); ok {
		t.Error("enrolment took a norm that only a probe may have")
	}
	good.Faces, good.Second = 2, 0.3
	if ok, hint := ProbeRules().Judge(good); !ok {
		t.Errorf("a small face in the background: %q", hint)
	}
}
