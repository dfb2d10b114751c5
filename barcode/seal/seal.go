package seal

import (
	"errors"
	"fmt"
	"time"
)

// Code is the result of a check, in the words of ICAO Doc 9303-13 appendix D.
type Code string

// The codes a check can end with.
const (
	Valid                Code = "VALID"
	WrongFormat          Code = "WRONG_FORMAT"
	UnknownCertificate   Code = "UNKNOWN_CERTIFICATE"
	UntrustedCertificate Code = "UNTRUSTED_CERTIFICATE"
	ExpiredCertificate   Code = "EXPIRED_CERTIFICATE"
	RevokedCertificate   Code = "REVOKED_CERTIFICATE"
	InvalidSignature     Code = "INVALID_SIGNATURE"
	InvalidDocumentType  Code = "INVALID_DOCUMENTTYPE"
	ReadError            Code = "READ_ERROR"
)

// Errors of parsing and making.
var (
	// ErrFormat: the bytes are not a seal this package accepts.
	ErrFormat = errors.New("not a well-formed seal")
	// ErrUnsigned: the seal has no signature; it proves nothing. A VDS without
	// one is not well-formed, an IDB may be.
	ErrUnsigned = fmt.Errorf("%w: no signature", ErrFormat)
)

// The encodings of a seal.
const (
	FormatVDS = "vds" // bytes
	FormatIDB = "idb" // text
)

// FormatOf tells the encoding by how the bytes begin.
func FormatOf(raw []byte) string {
	if isIDB(raw) {
		return FormatIDB
	}
	return FormatVDS
}

// Limits of a seal, in bytes and characters.
const (
	MaxSize     = 4096      // more than the largest QR symbol holds
	MaxText     = 5000      // characters of an IDB; the largest QR symbol holds 4296
	MaxInflated = 16 * 1024 // bytes of a zipped IDB, unzipped
	MaxCertRef  = 40        // hex characters; a certificate serial has at most 20 bytes
)

// Tag 0xFF starts the signature; a feature has any other.
const signatureTag = 0xFF

const magic = 0xDC

// Header is the fixed part of a seal (ICAO Doc 9303-13 §2.3.1). An IDB has
// only some of it: Country, Signed and CertRef, and those that a document
// message brings (Seal.Messages).
type Header struct {
	// Version is 3 or 4 as the document counts; the version byte is one less.
	// Zero means 4 when a seal is made.
	Version int
	// Country is the issuing country, 1 to 3 letters without filler.
	Country string
	// Signer is the signer's two-letter country and two more characters, the
	// C and CN of his certificate's subject.
	Signer string
	// CertRef is the certificate's serial number in upper-case hex; exactly 5
	// characters in version 3. In an IDB it is five bytes of the certificate's
	// SHA-1 in hex.
	CertRef string
	// Issued and Signed are the calendar dates of the document and of the
	// signature, at 00:00 UTC.
	Issued, Signed time.Time
	// FeatureRef and Category name the kind of document. An even Category is
	// national: its meaning is the issuing country's own.
	FeatureRef, Category byte
}

// Feature is one tagged value of the message zone.
type Feature struct {
	Tag   byte // 0 to 254
	Value []byte
}

// Seal is a parsed seal. It is not to be believed before Trust.Verify said so.
type Seal struct {
	Header
	Format string // FormatVDS or FormatIDB
	// Features are those of the message zone. Those of an IDB are its messages,
	// or the features within them if they are a document of the kind that a
	// VDS has.
	Features []Feature
	// Messages are all messages of an IDB as they stand in it.
	Messages  []Feature
	Signature []byte // r and s, each as long as the curve's order; nil if unsigned

	signed []byte // the bytes the signature covers
	idb    *idbHeader
}

// Feature returns the value of a tag.
func (s *Seal) Feature(tag byte) ([]byte, bool) {
	for _, f := range s.Features {
		if f.Tag == tag {
			return f.Value, true
		}
	}
	return nil, false
}

// formatError says what was not well-formed, and where, but never the bytes.
func formatError(what string) error { return fmt.Errorf("parse seal: %w: %s", ErrFormat, what) }
