package biometrics

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// plain is a recogniser of another kind: 128 values, all kept, a norm that tells nothing.
func plain() *Recogniser {
	r := shipped()
	r.ID, r.Dim, r.Basis, r.Norm = "other@2", 128, nil, NormLimits{}
	return r
}

func random(seed uint64, n int, norm float64) Embedding {
	rng := rand.New(rand.NewPCG(seed, 9))
	e := make(Embedding, n)
	for i := range e {
		e[i] = float32(rng.NormFloat64())
	}
	k := float32(norm / e.Norm())
	for i := range e {
		e[i] *= k
	}
	return e
}

func TestAnotherRecogniser(t *testing.T) {
	r := plain()
	if err := r.Validate(); err != nil || r.Size() != 128 {
		t.Fatal(r.Size(), err)
	}
	a, b := random(1, 128, 900), random(2, 128, 4)
	ref, err := r.Enrol(a)
	if err != nil || len(ref.Bytes()) != 128 {
		t.Fatal(len(ref), err)
	}
	full, err := Cosine(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := r.Score(b, ref); err != nil || math.Abs(s-full) > 0.02 {
		t.Errorf("score %v, cosine %v (%v)", s, full, err)
	}
	// The long vector is no better: both weigh the same.
	both, err := r.Enrol(a, b)
	if err != nil {
		t.Fatal(err)
	}
	sa, _ := r.Score(a, both)
	sb, _ := r.Score(b, both)
	if math.Abs(sa-sb) > 0.02 {
		t.Errorf("fused reference scores %.3f and %.3f", sa, sb)
	}
	f := r.NewFusion()
	if err := f.Add(random(3, 128, 0.01), 0); err != nil {
		t.Errorf("a short vector where length tells nothing: %v", err)
	}
	if rules := r.ProbeRules(); rules.MinNorm != 0 {
		t.Errorf("least norm %v", rules.MinNorm)
	}
}

func TestRecognisersAreNotMixed(t *testing.T) {
	one, other := shipped(), plain()
	ref, err := one.Enrol(newPerson(1).frame(3.8, 0))
	if err != nil {
		t.Fatal(err)
	}
	e := random(1, 128, 4)
	if _, err := other.Score(e, ref); !errors.Is(err, ErrReference) {
		t.Errorf("a reference of 160 values against 128: %v", err)
	}
	if _, err := other.Parse(ref.Bytes()); !errors.Is(err, ErrReference) {
		t.Errorf("another model's bytes: %v", err)
	}
	if _, err := one.Enrol(e); !errors.Is(err, ErrEmbedding) {
		t.Errorf("another model's embedding: %v", err)
	}
	if err := one.NewFusion().Add(e, 4); !errors.Is(err, ErrEmbedding) {
		t.Errorf("another model's frame: %v", err)
	}
	if _, err := Cosine(e, random(1, 64, 4)); !errors.Is(err, ErrEmbedding) {
		t.Errorf("two lengths: %v", err)
	}
}

func TestRecogniserRefused(t *testing.T) {
	for name, change := range map[string]func(*Recogniser){
		"no id":           func(r *Recogniser) { r.ID = "" },
		"too small":       func(r *Recogniser) { r.Dim, r.Basis = 8, nil },
		"too large":       func(r *Recogniser) { r.Dim, r.Basis = 4096, nil },
		"other basis":     func(r *Recogniser) { r.Dim = 128 },
		"enrolment laxer": func(r *Recogniser) { r.Norm = NormLimits{Probe: 3, Enrol: 2} },
		"norm no number":  func(r *Recogniser) { r.Norm = NormLimits{Probe: math.NaN(), Enrol: 2} },
		"no thresholds":   func(r *Recogniser) { r.Limits = Thresholds{} },
	} {
		r := shipped()
		change(r)
		if err := r.Validate(); !errors.Is(err, ErrRecogniser) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseBasisRefuses(t *testing.T) {
	make32 := func(v func(i int) float32) []byte {
		var b []byte
		for i := range 32 * 16 {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v(i)))
		}
		return b
	}
	unit := make32(func(i int) float32 {
		if i/16 == i%16 {
			return 1
		}
		return 0
	})
	sum := func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }
	if b, err := ParseBasis(unit, 32, 16, sum(unit)); err != nil || b.Project(random(1, 32, 1))[3] != float64(random(1, 32, 1)[3]) {
		t.Errorf("the first 16 axes: %v", err)
	}
	nan, skew := make32(func(int) float32 { return float32(math.NaN()) }), make32(func(int) float32 { return 0.25 })
	for name, c := range map[string]struct {
		b         []byte
		dim, size int
		sha       string
	}{
		"hash":         {unit, 32, 16, sum(skew)},
		"size":         {unit, 32, 32, sum(unit)},
		"wide":         {unit, 16, 32, sum(unit)},
		"not a number": {nan, 32, 16, sum(nan)},
		"parallel":     {skew, 32, 16, sum(skew)},
	} {
		if _, err := ParseBasis(c.b, c.dim, c.size, c.sha); !errors.Is(err, ErrBasis) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
