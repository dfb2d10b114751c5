package seal

import (
	"bytes"
	"compress/zlib"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
)

// TextOptions says how the text of an IDB is made.
type TextOptions struct {
	// Zip deflates the payload. It pays for text, not for sealed templates.
	Zip bool
	// Embed adds the signer's certificate, for readers that have only its
	// authority's. It makes the symbol much larger.
	Embed bool
	// ShortDate writes the signature date in three bytes instead of four; both
	// are read.
	ShortDate bool
}

// SignText makes an IDB with the content of a VDS: the header's FeatureRef and
// Category and the features, in a document message. The result parses back to
// the same country, signature date, kind and features. The header's Signer,
// CertRef and Issued are not in it: the certificate is named by c.
func SignText(h Header, features []Feature, key *ecdsa.PrivateKey, c *x509.Certificate, o TextOptions) (string, error) {
	if h.Category == 0 || h.FeatureRef == 0 || h.FeatureRef == 0xFF {
		return "", fmt.Errorf("make IDB: %w: kind of document", ErrFormat)
	}
	content := []byte{h.FeatureRef}
	for _, f := range features {
		if f.Tag == signatureTag || len(f.Value) > MaxSize {
			return "", fmt.Errorf("make IDB: %w: tag %d reserved or too long", ErrFormat, f.Tag)
		}
		content = appendValue(content, f.Tag, f.Value)
	}
	messages := []Feature{{messageCategory, []byte{h.Category}}, {messageDocument, content}}
	return signMessages(h, messages, key, c, o)
}

func signMessages(h Header, messages []Feature, key *ecdsa.PrivateKey, c *x509.Certificate, o TextOptions) (string, error) {
	if key == nil || c == nil {
		return "", fmt.Errorf("sign IDB: %w", ErrKey)
	}
	public, err := newCurveKey(&key.PublicKey)
	if err != nil {
		return "", fmt.Errorf("sign IDB: %w", err)
	}
	algorithm := map[int]byte{256: 1, 384: 2, 521: 3}[public.bits()]
	country, errCountry := EncodeC40((h.Country + "<<<")[:3])
	date, errDate := EncodeDate(h.Signed)
	if errCountry != nil || errDate != nil || len(h.Country) < 1 || len(h.Country) > 3 {
		return "", fmt.Errorf("make IDB: %w: country or signature date", ErrFormat)
	}
	if !o.ShortDate {
		date = append([]byte{0}, date...)
	}
	reference := (&certificate{Certificate: c}).index()
	signed := slices.Concat(country, []byte{algorithm}, reference[:], date)
	var group []byte
	for _, m := range messages {
		group = appendValue(group, m.Tag, m.Value)
	}
	signed = appendValue(signed, idbMessages, group)
	r, v, err := ecdsa.Sign(rand.Reader, key, digest(public.bits(), signed))
	if err != nil {
		return "", fmt.Errorf("sign IDB: %w", err)
	}
	half := (public.bits() + 7) / 8
	signature := append(r.FillBytes(make([]byte, half)), v.FillBytes(make([]byte, half))...)
	payload := signed
	if o.Embed {
		payload = appendValue(payload, idbCertificate, c.Raw)
	}
	return textOf(appendValue(payload, idbSignature, signature), true, o.Zip)
}

// textOf wraps a payload, and holds it to what Parse accepts.
func textOf(payload []byte, signed, zip bool) (string, error) {
	flags := byte(0)
	if signed {
		flags |= idbSigned
	}
	if zip {
		flags |= idbZipped
		var b bytes.Buffer
		z := zlib.NewWriter(&b)
		if _, err := z.Write(payload); err != nil {
			return "", fmt.Errorf("make IDB: %w", err)
		}
		if err := z.Close(); err != nil {
			return "", fmt.Errorf("make IDB: %w", err)
		}
		payload = b.Bytes()
	}
	var text strings.Builder
	text.WriteString("RDB1")
	text.WriteByte('A' + flags)
	text.WriteString(idbText().EncodeToString(payload))
	if _, err := Parse([]byte(text.String())); err != nil {
		return "", fmt.Errorf("make IDB: %w", err)
	}
	return text.String(), nil
}
