package seal

import (
	"crypto/sha256"
	"crypto/sha512"
	"errors"
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
	// validity, or outside the usage period that it sets for its key.
	ErrSignedOutside = errors.New("signature date is outside the certificate's validity or usage period")
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
	if len(s.Signature) == 0 {
		return Result{InvalidSignature, ErrUnsigned}
	}
	candidates, err := t.candidates(s)
	if err != nil {
		return Result{UnknownCertificate, err}
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

// candidates are the certificates that the seal's reference names.
func (t *Trust) candidates(s *Seal) ([]*signer, error) {
	if s.idb != nil {
		return t.candidatesIDB(s.idb)
	}
	if strings.Trim(s.CertRef, "0") == "" {
		return nil, ErrTestReference
	}
	of := t.byName[signerKey{s.Signer, trimReference(s.CertRef)}]
	if len(of) == 0 {
		return nil, ErrUnknownSigner
	}
	return of, nil
}

// verifyWith checks against one certificate and tells how far it came.
func (t *Trust) verifyWith(c *signer, s *Seal, at time.Time) (Result, int) {
	if r, step := t.standing(c, at); !r.Valid() {
		return r, step
	}
	begin, end := anywhere(s.Signed)
	switch {
	case !end.After(c.NotBefore) || begin.After(c.NotAfter),
		!c.useFrom.IsZero() && !end.After(c.useFrom),
		!c.useTo.IsZero() && begin.After(c.useTo):
		return Result{ExpiredCertificate, ErrSignedOutside}, stepTime
	case begin.After(at):
		return Result{InvalidSignature, ErrSignedInFuture}, stepDate
	}
	if issued, _ := anywhere(s.Issued); issued.After(at) {
		return Result{InvalidSignature, ErrIssuedInFuture}, stepDate
	}
	half := (c.key.bits() + 7) / 8
	if len(s.Signature) != 2*half {
		return Result{InvalidSignature, ErrSignature}, stepSignature
	}
	r := new(big.Int).SetBytes(s.Signature[:half])
	v := new(big.Int).SetBytes(s.Signature[half:])
	if !c.key.verify(s.digest(c.key.bits()), r, v) {
		return Result{InvalidSignature, ErrSignature}, stepSignature
	}
	return Result{Code: Valid}, stepDone
}

// anywhere is the span in which it is that calendar date somewhere on Earth:
// a seal carries no time zone.
func anywhere(date time.Time) (begin, end time.Time) {
	return date.Add(-14 * time.Hour), date.Add((24 + 12) * time.Hour)
}
