package seal

import "math/big"

// weierstrass is the curve y² = x³ + ax + b over the integers modulo p, with a
// base point of prime order n. Its arithmetic is plain and its time depends on
// the values: it verifies signatures, which are public, and makes none.
type weierstrass struct {
	name             string
	p, a, b, n, x, y *big.Int
}

// brainpoolP224r1 is the curve of RFC 5639 §3.3.
func brainpoolP224r1() weierstrass {
	v := func(hex string) *big.Int {
		n, _ := new(big.Int).SetString(hex, 16)
		return n
	}
	return weierstrass{
		name: "brainpoolP224r1",
		p:    v("d7c134aa264366862a18302575d1d787b09f075797da89f57ec8c0ff"),
		a:    v("68a5e62ca9ce6c1c299803a6c1530b514e182ad8b0042a59cad29f43"),
		b:    v("2580f63ccfe44138870713b1a92369e33e2135d266dbb372386c400b"),
		n:    v("d7c134aa264366862a18302575d0fb98d116bc4b6ddebca3a5a7939f"),
		x:    v("0d9029ad2c7e5cf4340823b2a87dc68c9e4ce3174c1e6efdee12c07d"),
		y:    v("58aa56f772c0726f24c6b89e4ecdac24354b9e99caa3f6d3761402cd"),
	}
}

func (w weierstrass) on(x, y *big.Int) bool {
	if x.Cmp(w.p) >= 0 || y.Cmp(w.p) >= 0 {
		return false
	}
	right := new(big.Int).Mul(x, x)
	right.Add(right, w.a).Mul(right, x).Add(right, w.b).Mod(right, w.p)
	left := new(big.Int).Mul(y, y)
	return left.Mod(left, w.p).Cmp(right) == 0
}

// point is affine; the zero value is the point at infinity.
type point struct{ x, y *big.Int }

func (w weierstrass) add(s, t point) point {
	switch {
	case s.x == nil:
		return t
	case t.x == nil:
		return s
	}
	var above, below *big.Int
	if s.x.Cmp(t.x) == 0 {
		below = new(big.Int).Add(s.y, t.y)
		if below.Mod(below, w.p).Sign() == 0 {
			return point{} // opposite points
		}
		above = new(big.Int).Mul(s.x, s.x)
		above.Mul(above, big.NewInt(3)).Add(above, w.a)
	} else {
		above, below = new(big.Int).Sub(t.y, s.y), new(big.Int).Sub(t.x, s.x)
		below.Mod(below, w.p)
	}
	slope := above.Mul(above, below.ModInverse(below, w.p))
	slope.Mod(slope, w.p)
	x := new(big.Int).Mul(slope, slope)
	x.Sub(x, s.x).Sub(x, t.x).Mod(x, w.p)
	y := new(big.Int).Sub(s.x, x)
	y.Mul(y, slope).Sub(y, s.y).Mod(y, w.p)
	return point{x, y}
}

// weierstrassKey is a point on the curve.
type weierstrassKey struct {
	w    weierstrass
	x, y *big.Int
}

func (k weierstrassKey) curve() string { return k.w.name }

func (k weierstrassKey) bits() int { return k.w.n.BitLen() }

// verify is ECDSA (FIPS 186-5 §6.4.2): the x of u1·G + u2·Q must be r.
func (k weierstrassKey) verify(digest []byte, r, s *big.Int) bool {
	n := k.w.n
	if !within(r, s, n) {
		return false
	}
	e := new(big.Int).SetBytes(digest)
	if extra := 8*len(digest) - n.BitLen(); extra > 0 {
		e.Rsh(e, uint(extra))
	}
	inverse := new(big.Int).ModInverse(s, n)
	u1 := e.Mul(e, inverse)
	u1.Mod(u1, n)
	u2 := new(big.Int).Mul(r, inverse)
	u2.Mod(u2, n)
	g, q := point{k.w.x, k.w.y}, point{k.x, k.y}
	both, sum := k.w.add(g, q), point{}
	for i := n.BitLen() - 1; i >= 0; i-- {
		sum = k.w.add(sum, sum)
		switch u1.Bit(i) | u2.Bit(i)<<1 {
		case 1:
			sum = k.w.add(sum, g)
		case 2:
			sum = k.w.add(sum, q)
		case 3:
			sum = k.w.add(sum, both)
		}
	}
	return sum.x != nil && new(big.Int).Mod(sum.x, n).Cmp(r) == 0
}
