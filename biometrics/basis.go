package biometrics

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"sync"
)

// basisSHA256 fixes the projection for all sites: signs and order of its columns are arbitrary, so a second one made by the same
// recipe would not compare with references made by this one.
const basisSHA256 = "46495cb84e015309f48c30782be7a9ae3ae04ebaf9c5b783036fec7f7eacfb6c"

//go:embed fr_feature_basis_512x160_f32le.bin
var basisFile string

// ErrBasis is returned when the projection compiled into the program is not the one whose hash is fixed.
var ErrBasis = errors.New("biometrics: projection does not have its SHA-256")

// Basis is the 512x160 orthonormal projection. It is immutable.
type Basis struct {
	// u is row-major: u[row*RefDim+column], column k is direction k.
	u []float32
}

// loadBasis decodes the compiled-in projection once.
var loadBasis = sync.OnceValues(func() (*Basis, error) { return parseBasis(basisFile) })

// DefaultBasis returns the projection of the shipped recogniser.
func DefaultBasis() (*Basis, error) { return loadBasis() }

func parseBasis(raw string) (*Basis, error) {
	sum := sha256.Sum256([]byte(raw))
	if hex.EncodeToString(sum[:]) != basisSHA256 || len(raw) != Dim*RefDim*4 {
		return nil, ErrBasis
	}
	u := make([]float32, Dim*RefDim)
	for i := range u {
		u[i] = math.Float32frombits(binary.LittleEndian.Uint32([]byte(raw[4*i : 4*i+4])))
	}
	return &Basis{u: u}, nil
}

// Project returns the RefDim coordinates of x. The caller has checked x.
func (b *Basis) Project(x Embedding) [RefDim]float64 {
	var y [RefDim]float64
	for i, v := range x {
		row := b.u[i*RefDim : (i+1)*RefDim]
		for k, w := range row {
			y[k] += float64(v) * float64(w)
		}
	}
	return y
}
