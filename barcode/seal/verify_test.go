package seal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func parsed(t testing.TB, raw []byte) *Seal {
	t.Helper()
	s, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestVerify changes one thing of a valid case each.
func TestVerify(t *testing.T) {
	type world struct {
		a     *Authority
		h     Header
		seal  func(*Seal)
		certs []*x509.Certificate
		pin   bool
		at    time.Time
	}
	other := authority(t) // same names, other keys
	cases := map[string]struct {
		change func(*world)
		code   Code
		err    error
	}{
		"valid":               {func(*world) {}, Valid, nil},
		"pinned":              {func(w *world) { w.pin, w.certs = true, w.certs[1:] }, Valid, nil},
		"pinned among others": {func(w *world) { w.pin, w.certs = true, append(w.certs, other.Signer) }, Valid, nil},
		"no certificate":      {func(w *world) { w.certs = w.certs[:1] }, UnknownCertificate, ErrUnknownSigner},
		"other reference":     {func(w *world) { w.h.CertRef = "1B" }, UnknownCertificate, ErrUnknownSigner},
		"other signer":        {func(w *world) { w.h.Signer = "UTGX" }, UnknownCertificate, ErrUnknownSigner},
		"test reference":      {func(w *world) { w.h.CertRef = "00" }, UnknownCertificate, ErrTestReference},
		"longer reference":    {func(w *world) { w.h.CertRef = "0001A" }, Valid, nil},
		"no authority":        {func(w *world) { w.certs = w.certs[1:] }, UntrustedCertificate, ErrChain},
		"other authority":     {func(w *world) { w.certs = []*x509.Certificate{other.CA, w.a.Signer} }, UntrustedCertificate, ErrChain},
		"rogue signer": {
			func(w *world) { w.certs = []*x509.Certificate{w.a.CA, other.Signer} }, UntrustedCertificate, ErrChain,
		},
		"forged by a rogue key": {
			func(w *world) { w.certs = []*x509.Certificate{other.CA, other.Signer} }, InvalidSignature, ErrSignature,
		},
		"certificate over": {
			func(w *world) { w.at = day(2031, 1, 2) }, ExpiredCertificate, ErrCertificateTime,
		},
		"certificate not begun": {
			func(w *world) { w.at = day(2025, 12, 30) }, ExpiredCertificate, ErrCertificateTime,
		},
		"signed before the certificate": {
			func(w *world) { w.h.Signed = day(2025, 12, 29) }, ExpiredCertificate, ErrSignedOutside,
		},
		"signed after the certificate": {
			func(w *world) { w.h.Signed = day(2031, 1, 3) }, ExpiredCertificate, ErrSignedOutside,
		},
		"signed on the eve, somewhere": {func(w *world) { w.h.Signed = day(2025, 12, 31) }, Valid, nil},
		"signed tomorrow, somewhere already": {
			func(w *world) { w.h.Signed = day(2026, 9, 6) }, Valid, nil,
		},
		"signed in the future": {
			func(w *world) { w.h.Signed = day(2026, 9, 7) }, InvalidSignature, ErrSignedInFuture,
		},
		"issued in the future": {
			func(w *world) { w.h.Issued = day(2026, 9, 7) }, InvalidSignature, ErrIssuedInFuture,
		},
		"content changed": {func(w *world) { w.seal = func(s *Seal) { s.signed[20] ^= 1 } }, InvalidSignature, ErrSignature},
		"signature of another curve": {
			func(w *world) { w.seal = func(s *Seal) { s.Signature = make([]byte, 96) } }, InvalidSignature, ErrSignature,
		},
		"r and s zero": {
			func(w *world) { w.seal = func(s *Seal) { clear(s.Signature) } }, InvalidSignature, ErrSignature,
		},
		"r above the order": {
			func(w *world) { w.seal = func(s *Seal) { copy(s.Signature, bytes.Repeat([]byte{0xFF}, 32)) } },
			InvalidSignature, ErrSignature,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := authority(t)
			w := world{a: a, h: header(t, a), at: now, certs: []*x509.Certificate{a.CA, a.Signer}, seal: func(*Seal) {}}
			c.change(&w)
			raw, err := Sign(w.h, features(), a.SignerKey)
			if err != nil {
				t.Fatal(err)
			}
			s := parsed(t, raw)
			w.seal(s)
			got := NewTrust(w.certs, TrustOptions{Pin: w.pin}).Verify(s, w.at)
			if got.Code != c.code || !errors.Is(got.Err, c.err) || got.Valid() != (c.code == Valid) {
				t.Errorf("%s: %v, want %s: %v", got.Code, got.Err, c.code, c.err)
			}
		})
	}
}

// TestCurves signs with each curve allowed, and refuses a weak one.
func TestCurves(t *testing.T) {
	a := authority(t)
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := certify(a.Signer, a.CA, &key.PublicKey, a.CAKey)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := Sign(header(t, a), features(), key)
		if err != nil {
			t.Fatal(err)
		}
		trust := NewTrust([]*x509.Certificate{a.CA, cert}, TrustOptions{})
		if got := trust.Verify(parsed(t, raw), now); !got.Valid() {
			t.Errorf("%s: %s %v", curve.Params().Name, got.Code, got.Err)
		}
	}
	weak, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Sign(header(t, a), nil, weak); !errors.Is(err, ErrKey) {
		t.Errorf("P-224: %v", err)
	}
	if _, err := Sign(header(t, a), nil, nil); !errors.Is(err, ErrKey) {
		t.Errorf("no key: %v", err)
	}
}

// TestMalleable documents that a seal can be turned into another valid one by
// anybody: nothing may take the raw bytes for an identity.
func TestMalleable(t *testing.T) {
	a := authority(t)
	s := parsed(t, made(t, a))
	v := new(big.Int).SetBytes(s.Signature[32:])
	v.Sub(elliptic.P256().Params().N, v).FillBytes(s.Signature[32:])
	trust := NewTrust([]*x509.Certificate{a.CA, a.Signer}, TrustOptions{})
	if got := trust.Verify(s, now); !got.Valid() {
		t.Errorf("%s %v", got.Code, got.Err)
	}
}

func TestSignRefuses(t *testing.T) {
	a := authority(t)
	for name, change := range map[string]func(*Header, *[]Feature){
		"version 3":      func(h *Header, _ *[]Feature) { h.Version = 3 },
		"country":        func(h *Header, _ *[]Feature) { h.Country = "" },
		"long country":   func(h *Header, _ *[]Feature) { h.Country = "UTOP" },
		"signer":         func(h *Header, _ *[]Feature) { h.Signer = "UT-1" },
		"no reference":   func(h *Header, _ *[]Feature) { h.CertRef = "" },
		"long reference": func(h *Header, _ *[]Feature) { h.CertRef = strings.Repeat("1", MaxCertRef+1) },
		"reference":      func(h *Header, _ *[]Feature) { h.CertRef = "1a" },
		"kind":           func(h *Header, _ *[]Feature) { h.FeatureRef = 0xFF },
		"date":           func(h *Header, _ *[]Feature) { h.Signed = day(10000, 1, 1) },
		"tag twice":      func(_ *Header, f *[]Feature) { *f = append(*f, (*f)[0]) },
		"tag reserved":   func(_ *Header, f *[]Feature) { *f = append(*f, Feature{Tag: 0xFF}) },
		"value too long": func(_ *Header, f *[]Feature) { *f = append(*f, Feature{20, make([]byte, MaxSize+1)}) },
		"too long":       func(_ *Header, f *[]Feature) { *f = append(*f, Feature{20, make([]byte, MaxSize)}) },
	} {
		h, fs := header(t, a), features()
		change(&h, &fs)
		if raw, err := Sign(h, fs, a.SignerKey); err == nil {
			t.Errorf("%s: made %d bytes", name, len(raw))
		}
	}
}

func TestLoadTrust(t *testing.T) {
	a := authority(t)
	dir := t.TempDir()
	block := func(c *x509.Certificate) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	weak, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weakCert, err := certify(a.Signer, a.CA, &weak.PublicKey, a.CAKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"authority.pem": block(a.CA),
		"signer.der":    a.Signer.Raw,
		"junk.pem":      []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
		"empty.crt":     nil,
		"key.pem":       []byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
		"weak.der":      weakCert.Raw,
		".hidden":       []byte("junk"),
		"large.der":     make([]byte, MaxTrustFile+1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trust, err := LoadTrust(dir, TrustOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if trust.Signers() != 1 || trust.Anchors() != 1 || len(trust.Warnings()) != 5 {
		t.Errorf("%d signers, %d anchors, warnings %q", trust.Signers(), trust.Anchors(), trust.Warnings())
	}
	if got := trust.Verify(parsed(t, made(t, a)), now); !got.Valid() {
		t.Errorf("%s %v", got.Code, got.Err)
	}
	if _, err := LoadTrust(filepath.Join(dir, "none"), TrustOptions{}); !errors.Is(err, ErrTrust) {
		t.Errorf("no folder: %v", err)
	}
	both := append(block(a.CA), block(a.Signer)...)
	bundle := t.TempDir()
	if err := os.WriteFile(filepath.Join(bundle, "all.pem"), both, 0o600); err != nil {
		t.Fatal(err)
	}
	if trust, err = LoadTrust(bundle, TrustOptions{}); err != nil || trust.Signers() != 1 || trust.Anchors() != 1 {
		t.Errorf("a bundle: %v", err)
	}
}

// TestOwnVectors verifies the seals made elsewhere with test keys.
func TestOwnVectors(t *testing.T) {
	own := ownVectors(t)
	csca, signer, rogue := parsePEM(t, own.CSCA), parsePEM(t, own.Signer), parsePEM(t, own.Rogue)
	chained := NewTrust([]*x509.Certificate{csca, signer}, TrustOptions{})
	confused := NewTrust([]*x509.Certificate{csca, rogue}, TrustOptions{})
	for _, v := range own.Vectors {
		s := parsed(t, v.raw(t))
		want := InvalidSignature
		if v.Verify == "valid" {
			want = Valid
		}
		if got := chained.Verify(s, now); got.Code != want {
			t.Errorf("%s: %s %v, want %s", v.Name, got.Code, got.Err, want)
		}
		if got := confused.Verify(s, now); got.Code != UntrustedCertificate {
			t.Errorf("%s with the rogue certificate: %s %v", v.Name, got.Code, got.Err)
		}
	}
}

// TestSharedCertificates loads a folder of real certificates on all kinds of
// keys, with a real revocation list.
func TestSharedCertificates(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"DETS27.der", "DETS32.pem", "UTTS5B.pem", "AUS_CSCA_rsa4096.pem", "AUS_DFAT_bsc.der", "AUS.crl.der",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), sharedData(t, "seals/certs/"+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trust, err := LoadTrust(dir, TrustOptions{})
	if err != nil {
		t.Fatal(err)
	}
	lists := listEntries(trust)
	if trust.Anchors() != 1 || trust.Signers() != 3 || len(trust.Warnings()) != 1 || len(lists) != 1 || !errors.Is(lists[0].Err, ErrListOld) {
		t.Errorf("%d anchors, %d signers, warnings %q, lists %+v", trust.Anchors(), trust.Signers(), trust.Warnings(), lists)
	}
	for _, v := range sharedVectors(t) {
		if s, err := Parse(v.raw(t)); err == nil {
			if got := trust.Verify(s, now); got.Code != UntrustedCertificate {
				t.Errorf("%s: %s %v", v.Name, got.Code, got.Err)
			}
		}
	}
	australian, err := parseCertificate(sharedData(t, "seals/certs/AUS_DFAT_bsc.der"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o   TrustOptions
		err error
	}{
		"as found": {TrustOptions{}, nil},
		"fresh":    {TrustOptions{Lists: ListsFresh}, ErrListOld},
		"own age":  {TrustOptions{Lists: ListsFresh, ListAge: 20 * 365 * 24 * time.Hour}, nil},
	} {
		trust, err := LoadTrust(dir, c.o)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := trust.standing(trust.newSigner(australian), now); !errors.Is(got.Err, c.err) {
			t.Errorf("%s: %s %v, want %v", name, got.Code, got.Err, c.err)
		}
	}
}

func TestSignerOf(t *testing.T) {
	a := authority(t)
	if id, ref, err := SignerOf(a.Signer); err != nil || id != "UTGT" || ref != "1A" {
		t.Errorf("%q %q %v", id, ref, err)
	}
	if _, _, err := SignerOf(a.CA); err == nil {
		t.Error("an authority's name is no signer's")
	}
	for name, o := range map[string]AuthorityOptions{
		"country": {Country: "UTO", Signer: "GT", Serial: 1},
		"signer":  {Country: "UT", Signer: "gt", Serial: 1},
		"serial":  {Country: "UT", Signer: "GT", NotAfter: now},
		"time":    {Country: "UT", Signer: "GT", Serial: 1, NotBefore: now, NotAfter: now},
	} {
		if _, err := NewAuthority(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestErrorsCarryNoContent: what a seal holds must not reach a log.
func TestErrorsCarryNoContent(t *testing.T) {
	a := authority(t)
	secret := []byte("NGUYEN VAN AN")
	raw, err := Sign(header(t, a), []Feature{{1, secret}, {2, secret}}, a.SignerKey)
	if err != nil {
		t.Fatal(err)
	}
	for n := range raw {
		for _, b := range []byte{0, 0x7F, 0xFF, raw[n] ^ 1} {
			bad := bytes.Clone(raw)
			bad[n] = b
			if _, err := Parse(bad); err != nil && bytes.Contains([]byte(err.Error()), secret[:6]) {
				t.Fatalf("error tells content: %v", err)
			}
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	a := authority(b)
	raw := made(b, a)
	trust := NewTrust([]*x509.Certificate{a.CA, a.Signer}, TrustOptions{})
	for b.Loop() {
		s, err := Parse(raw)
		if err != nil || !trust.Verify(s, now).Valid() {
			b.Fatal("not valid")
		}
	}
}
