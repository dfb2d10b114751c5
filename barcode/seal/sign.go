package seal

import (
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
)

// ErrKey is returned for a key that may not sign seals here.
var ErrKey = errors.New("key is not of a kind that signs seals")

// Sign makes a seal of version 4 and signs it. The result parses back to the
// same header and features.
func Sign(h Header, features []Feature, key *ecdsa.PrivateKey) ([]byte, error) {
	raw, err := encode(h, features)
	if err != nil {
		return nil, err
	}
	if key == nil {
		return nil, fmt.Errorf("sign seal: %w", ErrKey)
	}
	public, err := newCurveKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("sign seal: %w", err)
	}
	r, s, err := ecdsa.Sign(rand.Reader, key, digest(public.bits(), raw))
	if err != nil {
		return nil, fmt.Errorf("sign seal: %w", err)
	}
	half := (public.bits() + 7) / 8
	signature := make([]byte, 2*half)
	r.FillBytes(signature[:half])
	s.FillBytes(signature[half:])
	raw = appendValue(raw, signatureTag, signature)
	if len(raw) > MaxSize {
		return nil, fmt.Errorf("make seal: %w: too long", ErrFormat)
	}
	return raw, nil
}

// encode writes the bytes that are signed.
func encode(h Header, features []Feature) ([]byte, error) {
	if h.Version == 0 {
		h.Version = 4
	}
	if h.Version != 4 {
		return nil, fmt.Errorf("make seal: %w: only version 4 is made", ErrFormat)
	}
	if err := checkHeader(h); err != nil {
		return nil, fmt.Errorf("make seal: %w", err)
	}
	raw := []byte{magic, byte(h.Version - 1)}
	for _, text := range []string{
		(h.Country + "<<")[:3],
		h.Signer + referenceLength(h),
		h.CertRef,
	} {
		b, err := EncodeC40(text)
		if err != nil {
			return nil, fmt.Errorf("make seal: %w", err)
		}
		raw = append(raw, b...)
	}
	issued, errIssued := EncodeDate(h.Issued)
	signed, errSigned := EncodeDate(h.Signed)
	if err := errors.Join(errIssued, errSigned); err != nil {
		return nil, fmt.Errorf("make seal: %w", err)
	}
	raw = slices.Concat(raw, issued, signed, []byte{h.FeatureRef, h.Category})
	var seen [256]bool
	for _, f := range features {
		if f.Tag == signatureTag || seen[f.Tag] {
			return nil, fmt.Errorf("make seal: %w: tag %d reserved or twice", ErrFormat, f.Tag)
		}
		if len(f.Value) > MaxSize {
			return nil, fmt.Errorf("make seal: %w: too long", ErrFormat)
		}
		seen[f.Tag] = true
		raw = appendValue(raw, f.Tag, f.Value)
	}
	return raw, nil
}

func referenceLength(h Header) string {
	if lengthBase(h.Signer) == 10 {
		return fmt.Sprintf("%02d", len(h.CertRef))
	}
	return fmt.Sprintf("%02X", len(h.CertRef))
}

// appendValue writes tag, DER length and value.
func appendValue(raw []byte, tag byte, value []byte) []byte {
	raw = append(raw, tag)
	switch n := len(value); {
	case n < 0x80:
		raw = append(raw, byte(n))
	case n < 0x100:
		raw = append(raw, 0x81, byte(n))
	default:
		raw = append(raw, 0x82, byte(n>>8), byte(n))
	}
	return append(raw, value...)
}
