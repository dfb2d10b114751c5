package seal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/ProtonMail/go-crypto/brainpool"
)

// newKey makes a key on any curve.
func newKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// oids are the object identifiers of the curves and of ECDSA with the hash
// that fits them.
func oids(t testing.TB, curve elliptic.Curve) (named, signature asn1.ObjectIdentifier) {
	t.Helper()
	arc := asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, 0}
	sha := func(n int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, n} }
	switch curve {
	case elliptic.P256():
		return asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, sha(2)
	case brainpool.P256r1():
		arc[9] = 7
		return arc, sha(2)
	case brainpool.P384r1():
		arc[9] = 11
		return arc, sha(3)
	case brainpool.P512r1():
		arc[9] = 13
		return arc, sha(4)
	}
	t.Fatal("no object identifier for this curve")
	return nil, nil
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// certifyAny makes a certificate with keys that crypto/x509 cannot: it lets it
// make one with others and puts key and signature into their places.
func certifyAny(t testing.TB, c, issuer *x509.Certificate, key *ecdsa.PublicKey, by *ecdsa.PrivateKey) []byte {
	t.Helper()
	stand, up := newKey(t, elliptic.P256()), *issuer
	up.PublicKey = nil
	raw, err := x509.CreateCertificate(rand.Reader, c, &up, &stand.PublicKey, stand)
	if err != nil {
		t.Fatal(err)
	}
	var shape certificateShape
	if _, err := asn1.Unmarshal(raw, &shape); err != nil {
		t.Fatal(err)
	}
	named, _ := oids(t, key.Curve)
	_, algorithm := oids(t, by.Curve)
	size := (key.Curve.Params().BitSize + 7) / 8
	point := append([]byte{4}, key.X.FillBytes(make([]byte, size))...)
	point = append(point, key.Y.FillBytes(make([]byte, size))...)
	shape.Raw, shape.TBS.Raw = nil, nil
	shape.Algorithm = asn1.RawValue{FullBytes: marshal(t, pkix.AlgorithmIdentifier{Algorithm: algorithm})}
	shape.TBS.Algorithm = shape.Algorithm
	shape.TBS.Key = keyShape{
		Algorithm: pkix.AlgorithmIdentifier{
			Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1},
			Parameters: asn1.RawValue{FullBytes: marshal(t, named)},
		},
		Point: asn1.BitString{Bytes: point, BitLength: 8 * len(point)},
	}
	shape.Signature = asn1.BitString{Bytes: signDER(t, by, marshal(t, shape.TBS))}
	shape.Signature.BitLength = 8 * len(shape.Signature.Bytes)
	return marshal(t, shape)
}

func signDER(t testing.TB, by *ecdsa.PrivateKey, content []byte) []byte {
	t.Helper()
	r, s, err := ecdsa.Sign(rand.Reader, by, digest(by.Curve.Params().N.BitLen(), content))
	if err != nil {
		t.Fatal(err)
	}
	return marshal(t, struct{ R, S *big.Int }{r, s})
}

// signAny signs a seal with a key that Sign refuses to sign with.
func signAny(t testing.TB, h Header, fs []Feature, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	raw, err := encode(h, fs)
	if err != nil {
		t.Fatal(err)
	}
	bits := key.Curve.Params().N.BitLen()
	r, s, err := ecdsa.Sign(rand.Reader, key, digest(bits, raw))
	if err != nil {
		t.Fatal(err)
	}
	half := (bits + 7) / 8
	signature := append(r.FillBytes(make([]byte, half)), s.FillBytes(make([]byte, half))...)
	return appendValue(raw, signatureTag, signature)
}

// trustOf loads files as a gate does.
func trustOf(t testing.TB, o TrustOptions, files map[string][]byte) *Trust {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trust, err := LoadTrust(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// TestBrainpoolChains signs with each curve, under an authority with each.
func TestBrainpoolChains(t *testing.T) {
	a := authority(t)
	curves := []elliptic.Curve{brainpool.P256r1(), brainpool.P384r1(), brainpool.P512r1(), elliptic.P256()}
	for i, curve := range curves {
		over := curves[(i+1)%len(curves)]
		t.Run(curve.Params().Name+" under "+over.Params().Name, func(t *testing.T) {
			ca, key, stranger := newKey(t, over), newKey(t, curve), newKey(t, over)
			files := map[string][]byte{
				"ca.der":     certifyAny(t, a.CA, a.CA, &ca.PublicKey, ca),
				"signer.der": certifyAny(t, a.Signer, a.CA, &key.PublicKey, ca),
			}
			s := parsed(t, signAny(t, header(t, a), features(), key))
			trust := trustOf(t, TrustOptions{}, files)
			if got := trust.Verify(s, now); !got.Valid() || len(trust.Warnings()) != 0 {
				t.Errorf("%s %v %q", got.Code, got.Err, trust.Warnings())
			}
			forged := parsed(t, signAny(t, header(t, a), features(), stranger))
			if got := trust.Verify(forged, now); got.Code != InvalidSignature {
				t.Errorf("another key's signature: %s %v", got.Code, got.Err)
			}
			files["signer.der"] = certifyAny(t, a.Signer, a.CA, &key.PublicKey, stranger)
			if got := trustOf(t, TrustOptions{}, files).Verify(s, now); !errors.Is(got.Err, ErrChain) {
				t.Errorf("a certificate of another authority: %s %v", got.Code, got.Err)
			}
			if got := trustOf(t, TrustOptions{Pin: true}, files).Verify(s, now); !got.Valid() {
				t.Errorf("pinned: %s %v", got.Code, got.Err)
			}
		})
	}
}

// TestKeyRefuses breaks a good point in one way each.
func TestKeyRefuses(t *testing.T) {
	named := func(last int) []byte {
		return marshal(t, asn1.ObjectIdentifier{1, 3, 36, 3, 3, 2, 8, 1, 1, last})
	}
	const p224, p256 = 5, 7
	w := brainpoolP224r1()
	good := append([]byte{4}, append(w.x.FillBytes(make([]byte, 28)), w.y.FillBytes(make([]byte, 28))...)...)
	if _, _, err := newPointKey(named(p224), good); err != nil {
		t.Fatal(err)
	}
	over := bytes.Clone(good)
	for i := 1; i <= 28; i++ {
		over[i] = 0xFF
	}
	off := bytes.Clone(good)
	off[len(off)-1] ^= 1
	for name, c := range map[string]struct {
		curve int
		point []byte
	}{
		"empty": {p224, nil}, "short": {p224, good[:56]}, "long": {p224, append(good, 0)}, "off the curve": {p224, off},
		"compressed": {p224, append([]byte{2}, good[1:]...)}, "of another curve": {p256, good}, "coordinate above p": {p224, over},
		"zero": {p256, append([]byte{4}, make([]byte, 64)...)},
	} {
		if key, ok, err := newPointKey(named(c.curve), c.point); !ok || !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v %v %v", name, key, ok, err)
		}
	}
	for name, parameters := range map[string][]byte{
		"twisted": named(8), "160 bits": named(1), "nothing": nil, "null": {5, 0}, "more": append(named(p224), 0),
		"another arc": marshal(t, asn1.ObjectIdentifier{1, 2, 3}),
	} {
		if _, ok, _ := newPointKey(parameters, good); ok {
			t.Errorf("%s: taken for a curve", name)
		}
	}
}

// explicit spells a curve out as ICAO Doc 9303-12 asks for.
type explicit struct {
	Version int
	Field   struct {
		Kind  asn1.ObjectIdentifier
		Prime *big.Int
	}
	Coefficients struct{ A, B []byte }
	Base         []byte
	Order        *big.Int
	Cofactor     int
}

func spellOut(p *elliptic.CurveParams) explicit {
	size := (p.BitSize + 7) / 8
	e := explicit{Version: 1, Order: p.N, Cofactor: 1}
	e.Field.Kind, e.Field.Prime = asn1.ObjectIdentifier{1, 2, 840, 10045, 1, 1}, p.P
	e.Coefficients.A, e.Coefficients.B = make([]byte, size), make([]byte, size)
	e.Base = append([]byte{4}, append(p.Gx.FillBytes(make([]byte, size)), p.Gy.FillBytes(make([]byte, size))...)...)
	return e
}

// TestExplicitParameters: a curve spelled out is the known one only if field,
// base point and order are.
func TestExplicitParameters(t *testing.T) {
	for _, curve := range []elliptic.Curve{
		elliptic.P256(), elliptic.P384(), elliptic.P521(), brainpool.P256r1(), brainpool.P384r1(), brainpool.P512r1(),
	} {
		p := curve.Params()
		valid := spellOut(p)
		key, ok, err := newPointKey(marshal(t, valid), valid.Base)
		if !ok || err != nil || key.curve() != p.Name {
			t.Errorf("%s: %v %v", p.Name, ok, err)
		}
		for name, change := range map[string]func(*explicit){
			"field": func(e *explicit) { e.Field.Prime = new(big.Int).Add(p.P, big.NewInt(2)) },
			"kind":  func(e *explicit) { e.Field.Kind = asn1.ObjectIdentifier{1, 2, 840, 10045, 1, 2} },
			"order": func(e *explicit) { e.Order = new(big.Int).Sub(p.N, big.NewInt(2)) },
			// An attacker's base point makes his key fit anybody's (CVE-2020-0601).
			"base point": func(e *explicit) {
				key := newKey(t, curve)
				size := (p.BitSize + 7) / 8
				e.Base = append([]byte{4}, append(key.X.FillBytes(make([]byte, size)), key.Y.FillBytes(make([]byte, size))...)...)
			},
		} {
			bad := spellOut(p)
			change(&bad)
			if _, ok, _ := newPointKey(marshal(t, bad), valid.Base); ok {
				t.Errorf("%s with another %s: taken for the known curve", p.Name, name)
			}
		}
	}
}

// TestExplicitChain believes a signer under an authority that spells its curve
// out, as real ones do.
func TestExplicitChain(t *testing.T) {
	a := authority(t)
	for _, curve := range []elliptic.Curve{elliptic.P256(), brainpool.P384r1()} {
		ca, key := newKey(t, curve), newKey(t, brainpool.P256r1())
		named, _ := oids(t, curve)
		raw := certifyAny(t, a.CA, a.CA, &ca.PublicKey, ca)
		var shape certificateShape
		if _, err := asn1.Unmarshal(raw, &shape); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(shape.TBS.Key.Algorithm.Parameters.FullBytes, marshal(t, named)) {
			t.Fatal("the curve is not where it is looked for")
		}
		shape.Raw, shape.TBS.Raw, shape.TBS.Key.Raw = nil, nil, nil
		shape.TBS.Key.Algorithm.Parameters = asn1.RawValue{FullBytes: marshal(t, spellOut(curve.Params()))}
		sum := signDER(t, ca, marshal(t, shape.TBS))
		shape.Signature = asn1.BitString{Bytes: sum, BitLength: 8 * len(sum)}
		trust := trustOf(t, TrustOptions{}, map[string][]byte{
			"ca": marshal(t, shape), "signer": certifyAny(t, a.Signer, a.CA, &key.PublicKey, ca),
		})
		got := trust.Verify(parsed(t, signAny(t, header(t, a), features(), key)), now)
		if !got.Valid() || trust.Anchors() != 1 {
			t.Errorf("%s: %s %v %q", curve.Params().Name, got.Code, got.Err, trust.Warnings())
		}
	}
}

// TestWeierstrass holds the own arithmetic to the standard library's, on a
// curve that both have.
func TestWeierstrass(t *testing.T) {
	p := elliptic.P256().Params()
	w := weierstrass{p.Name, p.P, new(big.Int).Sub(p.P, big.NewInt(3)), p.B, p.N, p.Gx, p.Gy}
	for i := range 8 {
		key := newKey(t, elliptic.P256())
		own := weierstrassKey{w, key.X, key.Y}
		if !w.on(key.X, key.Y) {
			t.Fatal("a key of the standard library is not on the curve")
		}
		sum := digest(256, []byte{byte(i)})
		r, s, err := ecdsa.Sign(rand.Reader, key, sum)
		if err != nil {
			t.Fatal(err)
		}
		one := big.NewInt(1)
		for name, c := range map[string]struct {
			sum  []byte
			r, s *big.Int
			good bool
		}{
			"good": {sum, r, s, true}, "r + 1": {sum, new(big.Int).Add(r, one), s, false},
			"s + 1": {sum, r, new(big.Int).Add(s, one), false}, "swapped": {sum, s, r, false},
			"content": {digest(256, []byte("x")), r, s, false}, "zero": {sum, new(big.Int), new(big.Int), false},
			"r above n": {sum, new(big.Int).Add(r, p.N), s, false}, "n - s": {sum, r, new(big.Int).Sub(p.N, s), true},
			"longer digest": {append(sum, 7, 7), r, s, true},
		} {
			if own.verify(c.sum, c.r, c.s) != c.good {
				t.Errorf("%s: want %v", name, c.good)
			}
		}
	}
	g := point{w.x, w.y}
	opposite := point{w.x, new(big.Int).Sub(w.p, w.y)}
	if w.add(g, opposite).x != nil || w.add(point{}, g).x.Cmp(g.x) != 0 || w.add(g, point{}).x.Cmp(g.x) != 0 {
		t.Error("the point at infinity is not neutral")
	}
	if b := brainpoolP224r1(); !b.on(b.x, b.y) {
		t.Error("brainpoolP224r1's base point is not on it")
	}
}

// TestP224 reads the real seals on brainpoolP224r1 only where admitted.
func TestP224(t *testing.T) {
	files := map[string][]byte{"DETS32.der": sharedData(t, "seals/certs/DETS32.der")}
	at, seen := day(2024, 12, 1), 0
	for _, v := range sharedVectors(t) {
		s, err := Parse(v.raw(t))
		if err != nil || s.CertRef != "32" {
			continue
		}
		seen++
		if got := trustOf(t, TrustOptions{Pin: true, AllowP224: true}, files).Verify(s, at); !got.Valid() {
			t.Errorf("%s: %s %v", v.Name, got.Code, got.Err)
		}
		if got := trustOf(t, TrustOptions{Pin: true}, files).Verify(s, at); !errors.Is(got.Err, ErrCurve) {
			t.Errorf("%s not admitted: %s %v", v.Name, got.Code, got.Err)
		}
		s.signed[30] ^= 1
		if got := trustOf(t, TrustOptions{Pin: true, AllowP224: true}, files).Verify(s, at); !errors.Is(got.Err, ErrSignature) {
			t.Errorf("%s changed: %s %v", v.Name, got.Code, got.Err)
		}
	}
	if seen == 0 {
		t.Error("no seal on brainpoolP224r1 in the data")
	}
}

// FuzzCertificate takes what an IDB can bring along: any bytes are a
// certificate or an error, and no stranger's is believed.
func FuzzCertificate(f *testing.F) {
	a := authority(f)
	key := newKey(f, brainpool.P256r1())
	f.Add(a.CA.Raw)
	f.Add(a.Signer.Raw)
	f.Add(certifyAny(f, a.Signer, a.CA, &key.PublicKey, key))
	for _, real := range realCertificates() {
		b, err := base64.StdEncoding.DecodeString(real)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	trust := NewTrust([]*x509.Certificate{authority(f).CA}, TrustOptions{AllowP224: true})
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := parseCertificate(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Raw, raw) {
			t.Error("the certificate is not the bytes it was read from")
		}
		h := &idbHeader{reference: c.index(), certificate: raw}
		of, err := trust.candidatesIDB(h)
		if err != nil {
			return
		}
		if r, _ := trust.standing(of[0], now); r.Valid() {
			t.Error("a stranger's certificate is believed")
		}
	})
}

// FuzzList takes the files of revocation lists.
func FuzzList(f *testing.F) {
	a := authority(f)
	f.Add(revoke(f, a, 1, nil, 1, 2, 3))
	f.Add(revoke(f, a, 1, nil))
	trust := NewTrust([]*x509.Certificate{authority(f).CA}, TrustOptions{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if l, err := parseList(raw); err == nil && trust.addList(l) == nil {
			t.Error("a stranger's list is believed")
		}
	})
}

// realCertificates are those of the reference seals on brainpoolP256r1 and
// P224r1 (tsenger/vdstools, Apache-2.0).
func realCertificates() []string {
	return []string{
		"MIIBlTCCARygAwIBAgIBJzAKBggqhkjOPQQDAjA+MQswCQYDVQQGEwJERTEQMA4GA1UEChMHdHNlbmdlcjEQMA4GA1UECxMHc2VhbHZlcjELMAkGA1UEAxMCVFMwHhcNMjAwMTEwMDc0NDAwWhcNMjUwMTEwMDc0NDAwWjAaMQswCQYDVQQGEwJERTELMAkGA1UEAxMCVFMwWjAUBgcqhkjOPQIBBgkrJAMDAggBAQcDQgAEikpschFh4e7+Bem2t+2aCiJ8lpkKQmh1EU3NeSsU0QiWtRge4xffNzjXlaCkFxrbT3EzeKMp0Io+5SGxNleZVqMuMCwwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBSCuXe88ll0OwYU4hD9AkJIUzSpUTAKBggqhkjOPQQDAgNnADBkAjAuT5yepDu7m6sbB23uTm1O1VE3nzcrFFobOoP2Xse5Z4pkM8zZvgif/ZmmIqGhq8ECMH2eIWhcj6KxaN8luS7mqWHCIV5c6VMmrc7CJB0viofD3mkktEeCOCA0aTX6kSyQsg==",
		"MIIBjTCCARSgAwIBAgIBMjAKBggqhkjOPQQDATA+MQswCQYDVQQGEwJERTEQMA4GA1UEChMHdHNlbmdlcjEQMA4GA1UECxMHc2VhbHZlcjELMAkGA1UEAxMCVFMwHhcNMjAwMTEwMDc0NzAwWhcNMjUwMTEwMDc0NzAwWjAaMQswCQYDVQQGEwJERTELMAkGA1UEAxMCVFMwUjAUBgcqhkjOPQIBBgkrJAMDAggBAQUDOgAETOIyomqmp9RBbLHMvVub9H6JzQDytcWZNcg8+lgaqlMSaGHuNEmv46DNM4pj4u0ubfo3iM4Xj+KjLjAsMAkGA1UdEwQCMAAwHwYDVR0jBBgwFoAUgrl3vPJZdDsGFOIQ/QJCSFM0qVEwCgYIKoZIzj0EAwEDZwAwZAIwNEZFHXrFgg3YXsXCKuhYt0yLcJgciyK7roQJhy7DgAHP+Dn+cTmSXLCDKRZ4+uxYAjBwbKhofQmix77CrOoalurdFbmTtPOWLghIDcS6+N7ty7c/FkMgwvOnb9fgIpxHnOI=",
	}
}

func BenchmarkVerifyBrainpool(b *testing.B) {
	a := authority(b)
	key := newKey(b, brainpool.P256r1())
	s := parsed(b, signAny(b, header(b, a), features(), key))
	trust := trustOf(b, TrustOptions{Pin: true}, map[string][]byte{"signer": certifyAny(b, a.Signer, a.CA, &key.PublicKey, key)})
	for b.Loop() {
		if !trust.Verify(s, now).Valid() {
			b.Fatal("not valid")
		}
	}
}
