package seal

import (
	"slices"
	"strconv"
	"strings"
)

// Parse reads a VDS of version 3 or 4, or the text of an IDB. Its error wraps
// ErrFormat.
func Parse(raw []byte) (*Seal, error) {
	switch {
	case len(raw) == 0:
		return nil, formatError("empty")
	case isIDB(raw):
		return parseIDB(raw)
	case len(raw) > MaxSize:
		return nil, formatError("too long")
	case raw[0] != magic:
		return nil, formatError("wrong magic byte")
	}
	raw = slices.Clone(raw)
	r := &reader{rest: raw}
	s := &Seal{Format: FormatVDS}
	if err := parseHeader(r, &s.Header); err != nil {
		return nil, err
	}
	if err := parseZone(r, s); err != nil {
		return nil, err
	}
	s.signed = raw[:r.signedEnd]
	return s, nil
}

func parseHeader(r *reader, h *Header) error {
	r.take(1)
	switch v := r.byte(); v {
	case 2, 3:
		h.Version = int(v) + 1
	default:
		return formatError("unknown version")
	}
	country := r.c40(2)
	h.Country = strings.TrimRight(country, " ")
	if h.Version == 3 {
		ref := r.c40(6)
		if len(ref) != 9 {
			return formatError("signer and certificate reference")
		}
		h.Signer, h.CertRef = ref[:4], ref[4:]
	} else if err := parseReferenceV4(r, h); err != nil {
		return err
	}
	h.Issued, h.Signed = r.date(), r.date()
	h.FeatureRef, h.Category = r.byte(), r.byte()
	if r.failed != "" {
		return formatError(r.failed)
	}
	if len(country) != 3 {
		return formatError("issuing country")
	}
	return checkHeader(*h)
}

// parseReferenceV4 reads the signer and the certificate reference, whose
// length in characters stands before it in two hex digits.
func parseReferenceV4(r *reader, h *Header) error {
	head := r.c40(4)
	if len(head) != 6 {
		return formatError("signer and certificate reference")
	}
	h.Signer = head[:4]
	n, err := strconv.ParseUint(head[4:], lengthBase(h.Signer), 8)
	if err != nil || n < 1 || n > MaxCertRef {
		return formatError("length of the certificate reference")
	}
	h.CertRef = r.c40((int(n)-1)/3*2 + 2)
	if len(h.CertRef) != int(n) {
		return formatError("certificate reference")
	}
	return nil
}

// lengthBase is the base of the reference's length. BSI TR-03171 writes it in
// decimal, against Doc 9303-13, and all its seals name the signer DEZV.
func lengthBase(signer string) int {
	if signer == "DEZV" {
		return 10
	}
	return 16
}

// parseZone reads the features and the signature that ends the seal.
func parseZone(r *reader, s *Seal) error {
	var seen [256]bool
	for {
		if len(r.rest) == 0 {
			return ErrUnsigned
		}
		at := r.at
		tag := r.byte()
		if tag == signatureTag {
			r.signedEnd = at
		}
		value := r.take(r.length(s.Version))
		if r.failed != "" {
			return formatError(r.failed)
		}
		if tag == signatureTag {
			s.Signature = value
			break
		}
		if seen[tag] {
			return formatError("duplicate tag")
		}
		seen[tag] = true
		s.Features = append(s.Features, Feature{Tag: tag, Value: value})
	}
	// Nothing after the signature is signed.
	if len(r.rest) != 0 {
		return formatError("bytes after the signature")
	}
	if !slices.Contains(signatureSizes(), len(s.Signature)) {
		return formatError("length of the signature")
	}
	return nil
}

// signatureSizes are the lengths of r and s for curves of 224, 256, 384, 512
// and 521 bits.
func signatureSizes() []int { return []int{2 * 28, 2 * 32, 2 * 48, 2 * 64, 2 * 66} }

// checkHeader holds a header to its rules, both when read and when made.
func checkHeader(h Header) error {
	switch {
	case h.Version != 3 && h.Version != 4:
		return formatError("unknown version")
	case len(h.Country) < 1 || len(h.Country) > 3 || !isLetters(h.Country):
		return formatError("issuing country")
	case len(h.Signer) != 4 || !isLetters(h.Signer[:2]) || !isAlnum(h.Signer[2:]):
		return formatError("signer")
	case len(h.CertRef) < 1 || len(h.CertRef) > MaxCertRef || !isHex(h.CertRef):
		return formatError("certificate reference")
	case h.Version == 3 && len(h.CertRef) != 5:
		return formatError("certificate reference")
	case h.FeatureRef == 0 || h.FeatureRef == 0xFF:
		return formatError("document feature definition reference")
	}
	return nil
}

func isLetters(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' })
}

func isAlnum(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
}

func isHex(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'A' || r > 'F') && (r < '0' || r > '9')
	})
}
