package seal

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base32"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ErrEmbedded is the reason for a certificate that an IDB brings along and that
// leads to no anchor here: anybody can make one.
var ErrEmbedded = fmt.Errorf("%w: it came with the barcode", ErrChain)

// idbReference is the length of a certificate's reference in an IDB.
const idbReference = 5

// The tags of an IDB's payload.
const (
	idbMessages    = 0x61
	idbCertificate = 0x7E
	idbSignature   = 0x7F
)

// The bits of the flag character, counted from 'A'.
const (
	idbSigned = 1 << iota
	idbZipped
)

// idbHeader is what an IDB has and a VDS has not.
type idbHeader struct {
	algorithm   byte // 1 to 3: SHA-256, SHA-384, SHA-512, with ECDSA
	reference   [idbReference]byte
	certificate []byte // embedded and unsigned; nil mostly
}

func isIDB(raw []byte) bool {
	return bytes.HasPrefix(raw, []byte("RDB1")) || bytes.HasPrefix(raw, []byte("NDB1"))
}

// idbText is base32 without padding, each payload in one way only.
func idbText() *base32.Encoding { return base32.StdEncoding.WithPadding(base32.NoPadding) }

// parseIDB reads the text of an ICAO Datastructure for Barcode. Line ends
// after it are a scanner's or an editor's, not the issuer's.
func parseIDB(raw []byte) (*Seal, error) {
	raw = bytes.TrimRight(raw, "\r\n")
	const head = len("RDB1A")
	switch {
	case len(raw) > MaxText:
		return nil, formatError("too long")
	case len(raw) < head || raw[head-1] < 'A' || raw[head-1] > 'A'+(idbSigned|idbZipped):
		return nil, formatError("flag of the IDB")
	}
	flags := raw[head-1] - 'A'
	text := string(raw[head:])
	payload, err := idbText().DecodeString(text)
	// The decoder overlooks line breaks and stray last bits.
	if err != nil || idbText().EncodeToString(payload) != text {
		return nil, formatError("base32 of the IDB")
	}
	if flags&idbZipped != 0 {
		if payload, err = inflate(payload); err != nil {
			return nil, err
		}
	}
	return parsePayload(payload, flags&idbSigned != 0)
}

// inflate unzips no more than MaxInflated bytes: a small symbol could hold
// millions.
func inflate(zipped []byte) ([]byte, error) {
	in := bytes.NewReader(zipped)
	z, err := zlib.NewReader(in)
	if err != nil {
		return nil, formatError("zipped payload of the IDB")
	}
	defer z.Close()
	b, err := io.ReadAll(io.LimitReader(z, MaxInflated+1))
	switch {
	case len(b) > MaxInflated:
		return nil, formatError("zipped payload of the IDB is too long")
	case err != nil || in.Len() != 0:
		return nil, formatError("zipped payload of the IDB")
	}
	return b, nil
}

// parsePayload reads the payload under both lengths of the signature's date
// that are in use. The one in four bytes begins with a mask, which is zero for
// a whole date, and the one in three never begins with a zero: at most one
// reading is well-formed, and the signature covers that one.
func parsePayload(payload []byte, signed bool) (*Seal, error) {
	if !signed {
		return parseReading(payload, false, 0)
	}
	s, err := parseReading(payload, true, 1+DateSize)
	if err != nil {
		short, errShort := parseReading(payload, true, DateSize)
		if errShort == nil {
			return short, nil
		}
	}
	return s, err
}

func parseReading(payload []byte, signed bool, dateSize int) (*Seal, error) {
	r := &reader{rest: payload}
	s := &Seal{Format: FormatIDB, idb: &idbHeader{}}
	country := r.c40(2)
	s.Country = strings.TrimRight(country, " ")
	if signed {
		s.idb.algorithm = r.byte()
		copy(s.idb.reference[:], r.take(idbReference))
		s.CertRef = fmt.Sprintf("%X", s.idb.reference)
		if dateSize > DateSize && r.byte() != 0 {
			r.fail("mask of the signature date")
		}
		s.Signed = r.date()
		if s.idb.algorithm < 1 || s.idb.algorithm > 3 {
			r.fail("signature algorithm")
		}
	}
	messages := r.value(idbMessages)
	s.signed = payload[:r.at]
	if signed && len(r.rest) > 0 && r.rest[0] == idbCertificate {
		s.idb.certificate = r.value(idbCertificate)
	}
	if signed {
		s.Signature = r.value(idbSignature)
	}
	switch {
	case r.failed != "":
		return nil, formatError(r.failed)
	case len(r.rest) != 0:
		return nil, formatError("bytes after the end of the IDB")
	case len(country) != 3 || s.Country == "" || !isLetters(s.Country):
		return nil, formatError("issuing country")
	case signed && !slices.Contains(signatureSizes(), len(s.Signature)):
		return nil, formatError("length of the signature")
	}
	var err error
	if s.Messages, err = parseValues(messages); err != nil {
		return nil, err
	}
	s.Features = s.Messages
	s.liftDocument()
	return s, nil
}

// value reads a tag that must stand here, its DER length and its value.
func (r *reader) value(tag byte) []byte {
	if r.byte() != tag {
		r.fail("tag in the payload of the IDB")
	}
	return r.take(r.length(4))
}

// parseValues reads a run of tag, DER length and value, each tag once.
func parseValues(b []byte) ([]Feature, error) {
	r := &reader{rest: b}
	var seen [256]bool
	var list []Feature
	for len(r.rest) > 0 {
		tag := r.byte()
		value := r.take(r.length(4))
		switch {
		case r.failed != "":
			return nil, formatError(r.failed)
		case seen[tag]:
			return nil, formatError("duplicate tag")
		}
		seen[tag] = true
		list = append(list, Feature{tag, value})
	}
	return list, nil
}

// A document of the kind that a VDS has is two messages in an IDB: its
// category, as national documents write it, and its content: the document
// feature definition reference and then the features (docs/pass-profile.md).
const (
	messageCategory = 0x86
	messageDocument = 0xB0
)

// liftDocument puts such a document where a VDS has it.
func (s *Seal) liftDocument() {
	category, _ := s.Feature(messageCategory)
	content, _ := s.Feature(messageDocument)
	if len(s.Messages) != 2 || len(category) != 1 || len(content) == 0 {
		return
	}
	features, err := parseValues(content[1:])
	signature := func(f Feature) bool { return f.Tag == signatureTag }
	if err != nil || slices.ContainsFunc(features, signature) || content[0] == 0 || content[0] == 0xFF {
		return
	}
	s.Version, s.FeatureRef, s.Category, s.Features = 4, content[0], category[0], features
}

// digest hashes the signed bytes: a VDS by the curve, an IDB as it says.
func (s *Seal) digest(bits int) []byte {
	if s.idb == nil {
		return digest(bits, s.signed)
	}
	switch s.idb.algorithm {
	case 2:
		h := sha512.Sum384(s.signed)
		return h[:]
	case 3:
		h := sha512.Sum512(s.signed)
		return h[:]
	}
	h := sha256.Sum256(s.signed)
	return h[:]
}

// candidatesIDB finds the certificate by its index. The one that the barcode
// brings along is asked only if none is here, and then only for the way to an
// authority in the folder; with pinned signers there is no such way.
func (t *Trust) candidatesIDB(h *idbHeader) ([]*signer, error) {
	if of := t.byIndex[h.reference]; len(of) > 0 {
		return of, nil
	}
	if h.certificate == nil {
		return nil, ErrUnknownSigner
	}
	c, err := parseCertificate(h.certificate)
	if err != nil || c.index() != h.reference || c.authority() {
		return nil, ErrUnknownSigner
	}
	s := &signer{certificate: c, weak: c.usable(t.options)}
	if len(c.UnhandledCriticalExtensions) == 0 && !t.options.Pin {
		t.climb(s, nil, c)
	}
	if s.weak == nil && len(s.paths) == 0 {
		s.weak = ErrEmbedded
	}
	return []*signer{s}, nil
}

// SignedWith tells the algorithm that a signed IDB names, empty for any other
// seal, and whether it brings a certificate along.
func (s *Seal) SignedWith() (algorithm string, embedded bool) {
	if s.idb == nil || s.Signature == nil {
		return "", false
	}
	return fmt.Sprintf("ecdsa-sha%d", []int{256, 384, 512}[s.idb.algorithm-1]), s.idb.certificate != nil
}
