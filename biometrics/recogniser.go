package biometrics

import (
	"errors"
	"fmt"
	"math"
)

// ErrRecogniser is returned for a description of a recogniser that contradicts itself.
var ErrRecogniser = errors.New("biometrics: recogniser is not usable")

// Recogniser is all that comparing faces needs to know of the model that embeds them. It comes from the model manifest, so that
// another model takes another manifest and no other program. It is not changed once it is in use.
type Recogniser struct {
	// ID stands beside every reference (see ModelID). References of another id are never compared.
	ID string
	// Dim is the number of values in a raw embedding.
	Dim int
	// Basis makes a reference's values of an embedding; nil keeps them all.
	Basis *Basis
	// Norm holds the least L2 norms of a raw embedding.
	Norm NormLimits
	// Limits are its operating points.
	Limits Thresholds
}

// NormLimits are the least norms of a raw embedding that takes part. Zeros say that this model's norm tells nothing about quality.
type NormLimits struct{ Probe, Enrol float64 }

// Validate refuses a recogniser whose parts do not fit each other.
func (r *Recogniser) Validate() error {
	switch {
	case r.ID == "":
		return fmt.Errorf("%w: it has no id", ErrRecogniser)
	case r.Dim < MinValues || r.Dim > MaxValues:
		return fmt.Errorf("%w: embeddings of %d values, want %d to %d", ErrRecogniser, r.Dim, MinValues, MaxValues)
	case r.Basis != nil && r.Basis.dim != r.Dim:
		return fmt.Errorf("%w: projection of %d values, embeddings of %d", ErrRecogniser, r.Basis.dim, r.Dim)
	case !(r.Norm.Probe >= 0 && r.Norm.Enrol >= r.Norm.Probe) || math.IsInf(r.Norm.Enrol, 0):
		return fmt.Errorf("%w: least norm %v of a probe, %v of an enrolment", ErrRecogniser, r.Norm.Probe, r.Norm.Enrol)
	}
	if err := r.Limits.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrRecogniser, err)
	}
	return nil
}

// Size is the number of values, and of bytes, in a reference.
func (r *Recogniser) Size() int {
	if r.Basis == nil {
		return r.Dim
	}
	return r.Basis.size
}

// Check tells whether an embedding is one of this model's and can be compared.
func (r *Recogniser) Check(e Embedding) error {
	if len(e) != r.Dim {
		return fmt.Errorf("%w: %d values, the recogniser %s gives %d", ErrEmbedding, len(e), r.ID, r.Dim)
	}
	return e.Check()
}

// ProbeRules are the limits for a frame at the gate.
func (r *Recogniser) ProbeRules() Rules {
	rules := ProbeRules()
	rules.MinNorm = r.Norm.Probe
	return rules
}

// EnrolRules are the stricter limits for a picture that becomes a reference.
func (r *Recogniser) EnrolRules() Rules {
	rules := EnrolRules()
	rules.MinNorm = r.Norm.Enrol
	return rules
}

// sum adds up raw vectors. Where the norm tells quality a better frame, being longer, weighs more; elsewhere all weigh the same.
func (r *Recogniser) sum(raws ...Embedding) Embedding {
	out := make(Embedding, r.Dim)
	for _, e := range raws {
		k := float32(1)
		if r.Norm.Probe == 0 {
			k = float32(1 / e.Norm())
		}
		for i, v := range e {
			out[i] += k * v
		}
	}
	return out
}

// Sum fuses raw embeddings of one person into one, as a probe's frames and an enrolment's photographs are.
func (r *Recogniser) Sum(raws ...Embedding) (Embedding, error) {
	if len(raws) == 0 {
		return nil, fmt.Errorf("%w: none given", ErrEmbedding)
	}
	for _, e := range raws {
		if err := r.Check(e); err != nil {
			return nil, err
		}
	}
	sum := r.sum(raws...)
	return sum, sum.Check()
}

// Enrol makes a reference from one or more raw embeddings of one person. Whoever calls has judged their quality and that they show
// one person.
func (r *Recogniser) Enrol(raws ...Embedding) (Reference, error) {
	sum, err := r.Sum(raws...)
	if err != nil {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	ref, err := quantise(r.Project(sum))
	if err != nil {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	return ref, nil
}

// Parse reads a reference of this model.
func (r *Recogniser) Parse(b []byte) (Reference, error) {
	if len(b) != r.Size() {
		return nil, fmt.Errorf("%w: %d bytes, the recogniser %s keeps %d", ErrReference, len(b), r.ID, r.Size())
	}
	return ParseReference(b)
}

// Project returns the values of an embedding that a reference keeps, before they are made bytes. The caller has checked it.
func (r *Recogniser) Project(x Embedding) []float64 {
	if r.Basis != nil {
		return r.Basis.Project(x)
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// Score returns the cosine between an embedding, or a sum of embeddings, and a reference.
func (r *Recogniser) Score(x Embedding, ref Reference) (float64, error) {
	if err := r.Check(x); err != nil {
		return 0, fmt.Errorf("score: %w", err)
	}
	if len(ref) != r.Size() {
		return 0, fmt.Errorf("score: %w: %d values, want %d", ErrReference, len(ref), r.Size())
	}
	y := r.Project(x)
	var dot, ny, nr float64
	for i, v := range y {
		w := float64(ref[i])
		dot += v * w
		ny += v * v
		nr += w * w
	}
	if ny == 0 || nr == 0 {
		return 0, fmt.Errorf("score: %w", ErrReference)
	}
	return dot / math.Sqrt(ny*nr), nil
}
