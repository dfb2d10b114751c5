package biometrics

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"sync"
)

// The shipped recogniser's projection. Its hash fixes it for all sites: signs and order of its columns are arbitrary, so a second one
// made by the same recipe would not compare with references made by this one.
const (
	basisDim    = 512
	basisSize   = 160
	basisSHA256 = "46495cb84e015309f48c30782be7a9ae3ae04ebaf9c5b783036fec7f7eacfb6c"
)

//go:embed fr_feature_basis_512x160_f32le.bin
var basisFile []byte

// ErrBasis is returned for a projection that is not the one whose hash is fixed, or is none.
var ErrBasis = errors.New("biometrics: projection is not usable")

// Basis is an orthonormal projection of raw embeddings. It is immutable.
type Basis struct {
	dim, size int
	// u is row-major: u[row*size+column], column k is direction k.
	u []float32
}

// loadBasis decodes the compiled-in projection once.
var loadBasis = sync.OnceValues(func() (*Basis, error) { return ParseBasis(basisFile, basisDim, basisSize, basisSHA256) })

// DefaultBasis returns the projection of the shipped recogniser.
func DefaultBasis() (*Basis, error) { return loadBasis() }

// ParseBasis reads dim rows of size float32, little-endian, whose SHA-256 is given in hex. Its columns must be orthonormal: only then
// do thresholds measured on whole embeddings hold for references.
func ParseBasis(raw []byte, dim, size int, sha string) (*Basis, error) {
	if dim < MinValues || dim > MaxValues || size < MinValues || size > dim || len(raw) != dim*size*4 {
		return nil, fmt.Errorf("%w: %d bytes are not %d rows of %d float32", ErrBasis, len(raw), dim, size)
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != sha {
		return nil, fmt.Errorf("%w: its SHA-256 is %x, want %s", ErrBasis, sum, sha)
	}
	b := &Basis{dim: dim, size: size, u: make([]float32, dim*size)}
	for i := range b.u {
		b.u[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	if off := b.skew(); !(off < 1e-3) {
		return nil, fmt.Errorf("%w: its columns are not orthonormal (off by %.2g)", ErrBasis, off)
	}
	return b, nil
}

// skew returns how far the columns' products are from those of orthonormal ones.
func (b *Basis) skew() (worst float64) {
	for k := range b.size {
		for other := k; other < b.size; other++ {
			var dot float64
			for i := 0; i < len(b.u); i += b.size {
				dot += float64(b.u[i+k]) * float64(b.u[i+other])
			}
			if other == k {
				dot--
			}
			if math.IsNaN(dot) {
				return dot
			}
			worst = max(worst, math.Abs(dot))
		}
	}
	return worst
}

// Project returns the coordinates of x, which has as many values as the projection has rows.
func (b *Basis) Project(x Embedding) []float64 {
	y := make([]float64, b.size)
	for i, v := range x[:b.dim] {
		row := b.u[i*b.size : (i+1)*b.size]
		for k, w := range row {
			y[k] += float64(v) * float64(w)
		}
	}
	return y
}
