package seal

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/ProtonMail/go-crypto/brainpool"
)

// ErrCurve is the reason for a curve below the 256 bits of the standard's
// recommendation that was not admitted.
var ErrCurve = errors.New("curve brainpoolP224r1 is not admitted here")

// publicKey is one signature scheme over one curve.
type publicKey interface {
	curve() string
	bits() int // of the curve's order
	verify(digest []byte, r, s *big.Int) bool
}

// curveKey is a key on a curve of the standard library, or on a Brainpool
// curve of 256 bits and more.
type curveKey struct{ key *ecdsa.PublicKey }

// newCurveKey refuses curves below 256 bits.
func newCurveKey(key *ecdsa.PublicKey) (publicKey, error) {
	switch key.Curve {
	case elliptic.P256(), elliptic.P384(), elliptic.P521():
		return curveKey{key}, nil
	}
	return nil, ErrKey
}

func (k curveKey) curve() string { return k.key.Curve.Params().Name }

func (k curveKey) bits() int { return k.key.Curve.Params().N.BitLen() }

func (k curveKey) verify(digest []byte, r, s *big.Int) bool {
	return within(r, s, k.key.Curve.Params().N) && ecdsa.Verify(k.key, digest, r, s)
}

// within is true for r and s in [1, n-1].
func within(r, s, n *big.Int) bool {
	return r.Sign() > 0 && s.Sign() > 0 && r.Cmp(n) < 0 && s.Cmp(n) < 0
}

// brainpoolBits tells the curve of an object identifier in RFC 5639, which
// crypto/x509 does not know; 0 is any other.
func brainpoolBits(oid asn1.ObjectIdentifier) int {
	arc := asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1}
	if len(oid) != len(arc)+1 || !oid[:len(arc)].Equal(arc) {
		return 0
	}
	return map[int]int{5: 224, 7: 256, 11: 384, 13: 512}[oid[len(arc)]]
}

// newBrainpoolKey takes a point as it stands in a certificate: uncompressed,
// its coordinates as long as the field.
func newBrainpoolKey(bits int, point []byte) (publicKey, error) {
	size := bits / 8
	if len(point) != 1+2*size || point[0] != 4 {
		return nil, fmt.Errorf("%w: not an uncompressed point", ErrKey)
	}
	x, y := new(big.Int).SetBytes(point[1:1+size]), new(big.Int).SetBytes(point[1+size:])
	var curve elliptic.Curve
	switch bits {
	case 224:
		w := brainpoolP224r1()
		if !w.on(x, y) {
			return nil, fmt.Errorf("%w: point is not on its curve", ErrKey)
		}
		return weierstrassKey{w, x, y}, nil
	case 256:
		curve = brainpool.P256r1()
	case 384:
		curve = brainpool.P384r1()
	case 512:
		curve = brainpool.P512r1()
	default:
		return nil, ErrKey
	}
	p := curve.Params().P
	if x.Cmp(p) >= 0 || y.Cmp(p) >= 0 || !curve.IsOnCurve(x, y) {
		return nil, fmt.Errorf("%w: point is not on its curve", ErrKey)
	}
	return curveKey{&ecdsa.PublicKey{Curve: curve, X: x, Y: y}}, nil
}
