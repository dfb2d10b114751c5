package biometrics

import (
	"errors"
	"fmt"
	"math"
)

// RefDim is the number of values, and of bytes, in a reference.
const RefDim = 160

// ErrReference is returned for bytes that are not a reference.
var ErrReference = errors.New("biometrics: not a reference")

// Reference is an enrolled face: the projected, normalised embedding in steps of its own largest value. The scale is not kept, since
// a cosine does not need it.
type Reference [RefDim]int8

// Bytes returns the reference's 160 bytes, one two's complement byte per value.
func (r Reference) Bytes() []byte {
	out := make([]byte, RefDim)
	for i, v := range r {
		out[i] = byte(v)
	}
	return out
}

// ParseReference reads what Bytes wrote. It refuses what Enrol cannot have made: another length, or a largest value below 127.
func ParseReference(b []byte) (Reference, error) {
	var r Reference
	if len(b) != RefDim {
		return r, fmt.Errorf("%w: %d bytes, want %d", ErrReference, len(b), RefDim)
	}
	top := 0
	for i, v := range b {
		r[i] = int8(v)
		top = max(top, int(r[i]), -int(r[i]))
	}
	if top != math.MaxInt8 {
		return Reference{}, fmt.Errorf("%w: largest step %d, want %d", ErrReference, top, math.MaxInt8)
	}
	return r, nil
}

// Enrol makes a reference from one or more raw embeddings of one person. Raw vectors are summed, so that a better frame (a longer
// vector) weighs more.
func Enrol(raws ...Embedding) (Reference, error) {
	if len(raws) == 0 {
		return Reference{}, fmt.Errorf("enrol: %w: none given", ErrEmbedding)
	}
	sum := make(Embedding, Dim)
	for _, e := range raws {
		if err := e.Check(); err != nil {
			return Reference{}, fmt.Errorf("enrol: %w", err)
		}
		for i, v := range e {
			sum[i] += v
		}
	}
	if err := sum.Check(); err != nil {
		return Reference{}, fmt.Errorf("enrol: %w", err)
	}
	basis, err := DefaultBasis()
	if err != nil {
		return Reference{}, fmt.Errorf("enrol: %w", err)
	}
	return quantise(basis.Project(sum))
}

func quantise(y [RefDim]float64) (Reference, error) {
	var top float64
	for _, v := range y {
		top = max(top, math.Abs(v))
	}
	if top < 1e-9 {
		return Reference{}, fmt.Errorf("quantise: %w: nothing left after projection", ErrEmbedding)
	}
	var r Reference
	for i, v := range y {
		r[i] = int8(math.Round(v / top * math.MaxInt8))
	}
	return r, nil
}

// Score returns the cosine between an embedding, or a sum of embeddings, and a reference.
func Score(x Embedding, r Reference) (float64, error) {
	if err := x.Check(); err != nil {
		return 0, fmt.Errorf("score: %w", err)
	}
	basis, err := DefaultBasis()
	if err != nil {
		return 0, fmt.Errorf("score: %w", err)
	}
	y := basis.Project(x)
	var dot, ny, nr float64
	for i, v := range y {
		w := float64(r[i])
		dot += v * w
		ny += v * v
		nr += w * w
	}
	if ny == 0 || nr == 0 {
		return 0, fmt.Errorf("score: %w", ErrReference)
	}
	return dot / math.Sqrt(ny*nr), nil
}

// ModelID names a recogniser so that references of another one are never compared: its name and the first 12 digits of its SHA-256.
func ModelID(name, sha256 string) string {
	return name + "@" + sha256[:min(len(sha256), 12)]
}
