package seal

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// Reasons of a negative Result, beside its code.
var (
	// ErrUnknownSigner: no certificate of that signer and reference is here.
	ErrUnknownSigner = errors.New("no certificate for this signer and reference")
	// ErrTestReference: the reference is all zeros, which is for tests only.
	ErrTestReference = errors.New("certificate reference of a test seal")
	// ErrChain: the signer's certificate leads to no anchor.
	ErrChain = errors.New("signer certificate is not issued by a trusted authority")
	// ErrCertificateTime: the certificate is not valid now.
	ErrCertificateTime = errors.New("signer certificate is not valid at this time")
	// ErrSignedOutside: the signature's date is outside the certificate's
	// validity.
	ErrSignedOutside = errors.New("signature date is outside the certificate's validity")
	// ErrSignedInFuture: the signature's date has not come anywhere on Earth.
	ErrSignedInFuture = errors.New("signature date is in the future")
	// ErrIssuedInFuture: the document's date has not come anywhere on Earth.
	ErrIssuedInFuture = errors.New("issue date is in the future")
	// ErrSignature: the signature does not fit the content.
	ErrSignature = errors.New("signature does not verify")
)

// Result is the outcome of a check. Err is nil only with the code VALID.
type Result struct {
	Code Code
	Err  error
}

// Valid reports whether the seal may be believed.
func (r Result) Valid() bool { return r.Code == Valid && r.Err == nil }

// CodeOf is the code for an error of Parse or, where it wraps one, of a
// profile on top of it.
func CodeOf(err error) Code {
	var c interface{ SealCode() Code }
	switch {
	case err == nil:
		return Valid
	case errors.As(err, &c):
		return c.SealCode()
	case errors.Is(err, ErrFormat):
		return WrongFormat
	}
	return ReadError
}

// publicKey is one signature scheme over one curve. The curves that the
// standard library lacks can be added as further implementations.
type publicKey interface {
	bits() int // of the curve's order
	verify(digest []byte, r, s *big.Int) bool
}

// curveKey is a key on a curve of the standard library.
type curveKey struct{ key *ecdsa.PublicKey }

// newCurveKey refuses curves below 256 bits.
func newCurveKey(key *ecdsa.PublicKey) (publicKey, error) {
	switch key.Curve {
	case elliptic.P256(), elliptic.P384(), elliptic.P521():
		return curveKey{key}, nil
	}
	return nil, ErrKey
}

func (k curveKey) bits() int { return k.key.Curve.Params().N.BitLen() }

func (k curveKey) verify(digest []byte, r, s *big.Int) bool {
	n := k.key.Curve.Params().N
	if r.Sign() <= 0 || s.Sign() <= 0 || r.Cmp(n) >= 0 || s.Cmp(n) >= 0 {
		return false
	}
	return ecdsa.Verify(k.key, digest, r, s)
}

// digest hashes as the size of the curve's order demands (ICAO Doc 9303-13
// §2.4: no hash name is stored in a seal).
func digest(bits int, b []byte) []byte {
	switch {
	case bits <= 224:
		h := sha256.Sum224(b)
		return h[:]
	case bits <= 256:
		h := sha256.Sum256(b)
		return h[:]
	case bits <= 384:
		h := sha512.Sum384(b)
		return h[:]
	}
	h := sha512.Sum512(b)
	return h[:]
}

// Verify checks signer, validity at the time at, and signature. Where several
// certificates carry the same reference, one that is in order suffices.
func (t *Trust) Verify(s *Seal, at time.Time) Result {
	if strings.Trim(s.CertRef, "0") == "" {
		return Result{UnknownCertificate, ErrTestReference}
	}
	candidates := t.signers[signerKey{s.Signer, trimReference(s.CertRef)}]
	if len(candidates) == 0 {
		return Result{UnknownCertificate, ErrUnknownSigner}
	}
	best, bestStep := Result{}, -1
	for _, c := range candidates {
		r, step := t.verifyWith(c, s, at)
		if r.Valid() {
			return r
		}
		if step > bestStep {
			best, bestStep = r, step
		}
	}
	return best
}

// verifyWith checks against one certificate and tells how far it came.
func (t *Trust) verifyWith(c signer, s *Seal, at time.Time) (Result, int) {
	if err := t.checkChain(c.cert, at); err != nil {
		if errors.Is(err, ErrCertificateTime) {
			return Result{ExpiredCertificate, err}, 1
		}
		return Result{UntrustedCertificate, err}, 0
	}
	if at.Before(c.cert.NotBefore) || at.After(c.cert.NotAfter) {
		return Result{ExpiredCertificate, ErrCertificateTime}, 1
	}
	begin, end := anywhere(s.Signed)
	if !end.After(c.cert.NotBefore) || begin.After(c.cert.NotAfter) {
		return Result{ExpiredCertificate, ErrSignedOutside}, 1
	}
	if begin.After(at) {
		return Result{InvalidSignature, ErrSignedInFuture}, 2
	}
	if issued, _ := anywhere(s.Issued); issued.After(at) {
		return Result{InvalidSignature, ErrIssuedInFuture}, 2
	}
	half := (c.key.bits() + 7) / 8
	if len(s.Signature) != 2*half {
		return Result{InvalidSignature, ErrSignature}, 3
	}
	r := new(big.Int).SetBytes(s.Signature[:half])
	v := new(big.Int).SetBytes(s.Signature[half:])
	if !c.key.verify(digest(c.key.bits(), s.signed), r, v) {
		return Result{InvalidSignature, ErrSignature}, 3
	}
	return Result{Code: Valid}, 4
}

// anywhere is the span in which it is that calendar date somewhere on Earth:
// a seal carries no time zone.
func anywhere(date time.Time) (begin, end time.Time) {
	return date.Add(-14 * time.Hour), date.Add((24 + 12) * time.Hour)
}

// checkChain looks for a way from the certificate to an anchor. Its own
// validity is judged separately, so that an unknown issuer is reported before
// an expired certificate.
func (t *Trust) checkChain(cert *x509.Certificate, at time.Time) error {
	if t.pin {
		return nil
	}
	when := at
	if when.Before(cert.NotBefore) {
		when = cert.NotBefore
	}
	if when.After(cert.NotAfter) {
		when = cert.NotAfter
	}
	_, err := cert.Verify(x509.VerifyOptions{
		Roots: t.anchors, Intermediates: t.between, CurrentTime: when,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("%w: issuer", ErrCertificateTime)
	}
	// The standard library's text names the certificate's subject; the
	// sentence of ErrChain says all a gate needs.
	return ErrChain
}
