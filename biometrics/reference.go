package biometrics

import (
	"errors"
	"fmt"
	"math"
)

// ErrReference is returned for bytes that are not a reference.
var ErrReference = errors.New("biometrics: not a reference")

// Reference is an enrolled face: the projected, normalised embedding in steps of its own largest value. The scale is not kept, since
// a cosine does not need it. Its length is the recogniser's.
type Reference []int8

// Bytes returns the reference's bytes, one two's complement byte per value.
func (r Reference) Bytes() []byte {
	out := make([]byte, len(r))
	for i, v := range r {
		out[i] = byte(v)
	}
	return out
}

// ParseReference reads what Bytes wrote, of whatever recogniser. It refuses what Enrol cannot have made: a length out of bounds, or a
// largest value other than 127.
func ParseReference(b []byte) (Reference, error) {
	if len(b) < MinValues || len(b) > MaxValues {
		return nil, fmt.Errorf("%w: %d bytes, want %d to %d", ErrReference, len(b), MinValues, MaxValues)
	}
	r := make(Reference, len(b))
	top := 0
	for i, v := range b {
		r[i] = int8(v)
		top = max(top, int(r[i]), -int(r[i]))
	}
	if top != math.MaxInt8 {
		return nil, fmt.Errorf("%w: largest step %d, want %d", ErrReference, top, math.MaxInt8)
	}
	return r, nil
}

func quantise(y []float64) (Reference, error) {
	var top float64
	for _, v := range y {
		top = max(top, math.Abs(v))
	}
	if top < 1e-9 {
		return nil, fmt.Errorf("quantise: %w: nothing left after projection", ErrEmbedding)
	}
	r := make(Reference, len(y))
	for i, v := range y {
		r[i] = int8(math.Round(v / top * math.MaxInt8))
	}
	return r, nil
}

// ModelID names a recogniser so that references of another one are never compared: its name and the first 12 digits of its SHA-256.
func ModelID(name, sha256 string) string {
	return name + "@" + sha256[:min(len(sha256), 12)]
}
