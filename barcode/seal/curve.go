package seal

import (
	"bytes"
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

// newPointKey takes a key as it stands in a certificate: the curve by its
// object identifier or by its parameters, and the point uncompressed, its
// coordinates as long as the field. ok is false for a curve not known here.
func newPointKey(parameters, point []byte) (key publicKey, ok bool, err error) {
	var oid asn1.ObjectIdentifier
	var curve elliptic.Curve
	if rest, err := asn1.Unmarshal(parameters, &oid); err == nil && len(rest) == 0 {
		curve, ok = brainpoolCurve(oid)
	} else {
		curve, ok = explicitCurve(parameters)
	}
	if !ok {
		return nil, false, nil
	}
	w, p := brainpoolP224r1(), brainpoolP224r1().p
	if curve != nil {
		p = curve.Params().P
	}
	size := (p.BitLen() + 7) / 8
	if len(point) != 1+2*size || point[0] != 4 {
		return nil, true, fmt.Errorf("%w: not an uncompressed point", ErrKey)
	}
	x, y := new(big.Int).SetBytes(point[1:1+size]), new(big.Int).SetBytes(point[1+size:])
	switch {
	case x.Cmp(p) >= 0 || y.Cmp(p) >= 0 || curve == nil && !w.on(x, y) || curve != nil && !curve.IsOnCurve(x, y):
		return nil, true, fmt.Errorf("%w: point is not on its curve", ErrKey)
	case curve == nil:
		return weierstrassKey{w, x, y}, true, nil
	}
	return curveKey{&ecdsa.PublicKey{Curve: curve, X: x, Y: y}}, true, nil
}

// brainpoolCurve knows the object identifiers of RFC 5639, which crypto/x509
// does not. The curve is nil for brainpoolP224r1.
func brainpoolCurve(oid asn1.ObjectIdentifier) (elliptic.Curve, bool) {
	arc := asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1}
	if len(oid) != len(arc)+1 || !oid[:len(arc)].Equal(arc) {
		return nil, false
	}
	switch oid[len(arc)] {
	case 5:
		return nil, true
	case 7:
		return brainpool.P256r1(), true
	case 11:
		return brainpool.P384r1(), true
	case 13:
		return brainpool.P512r1(), true
	}
	return nil, false
}

// explicitCurve finds the known curve with these parameters, which ICAO Doc
// 9303-12 asks authorities to spell out. Field, base point and order must be
// the curve's; its coefficients need no look, for it is the known curve that
// is computed with.
func explicitCurve(parameters []byte) (elliptic.Curve, bool) {
	var given struct {
		Version int
		Field   struct {
			Kind  asn1.ObjectIdentifier
			Prime *big.Int
		}
		Coefficients asn1.RawValue
		Base         []byte
		Order        *big.Int
		Cofactor     *big.Int `asn1:"optional"`
	}
	prime := asn1.ObjectIdentifier{1, 2, 840, 10045, 1, 1}
	if rest, err := asn1.Unmarshal(parameters, &given); err != nil || len(rest) != 0 || !given.Field.Kind.Equal(prime) {
		return nil, false
	}
	fits := func(p, n, x, y *big.Int) bool {
		size := (p.BitLen() + 7) / 8
		base := append([]byte{4}, x.FillBytes(make([]byte, size))...)
		base = append(base, y.FillBytes(make([]byte, size))...)
		return p.Cmp(given.Field.Prime) == 0 && n.Cmp(given.Order) == 0 && bytes.Equal(base, given.Base)
	}
	for _, c := range []elliptic.Curve{
		elliptic.P256(), elliptic.P384(), elliptic.P521(), brainpool.P256r1(), brainpool.P384r1(), brainpool.P512r1(),
	} {
		if p := c.Params(); fits(p.P, p.N, p.Gx, p.Gy) {
			return c, true
		}
	}
	w := brainpoolP224r1()
	return nil, fits(w.p, w.n, w.x, w.y)
}
