package seal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// certificate is an X.509 certificate whose key may lie on a curve that
// crypto/x509 refuses; its PublicKey is nil then.
type certificate struct {
	*x509.Certificate
	file string
	key  publicKey // nil where it can sign no seal, such as RSA
	// The key's own usage period (RFC 3280 §4.2.1.4); zero where not limited.
	useFrom, useTo time.Time
}

// certificateShape is what stands around the key in a certificate (RFC 5280
// §4.1).
type certificateShape struct {
	Raw       asn1.RawContent
	TBS       tbsShape
	Algorithm asn1.RawValue
	Signature asn1.BitString
}

type tbsShape struct {
	Raw        asn1.RawContent
	Version    int `asn1:"optional,explicit,default:0,tag:0"`
	Serial     *big.Int
	Algorithm  asn1.RawValue
	Issuer     asn1.RawValue
	Validity   asn1.RawValue
	Subject    asn1.RawValue
	Key        keyShape
	IssuerID   asn1.BitString   `asn1:"optional,tag:1"`
	SubjectID  asn1.BitString   `asn1:"optional,tag:2"`
	Extensions []pkix.Extension `asn1:"omitempty,optional,explicit,tag:3"`
}

type keyShape struct {
	Raw       asn1.RawContent
	Algorithm pkix.AlgorithmIdentifier
	Point     asn1.BitString
}

// parseCertificate reads a certificate in DER.
func parseCertificate(raw []byte) (*certificate, error) {
	c, err := x509.ParseCertificate(raw)
	if err == nil {
		return newCertificate(c)
	}
	shape, ok := shapeOf(raw)
	if !ok {
		return nil, err
	}
	spki := shape.TBS.Key
	key, known, errKey := newPointKey(spki.Algorithm.Parameters.FullBytes, spki.Point.Bytes)
	switch {
	case !known:
		return nil, err
	case errKey != nil:
		return nil, errKey
	}
	if c, err = viewOf(shape); err != nil {
		return nil, err
	}
	made, err := newCertificate(c)
	if err != nil {
		return nil, err
	}
	made.key = key
	return made, nil
}

// newCertificate takes over what the standard library could read.
func newCertificate(c *x509.Certificate) (*certificate, error) {
	made := &certificate{Certificate: c}
	if key, ok := c.PublicKey.(*ecdsa.PublicKey); ok {
		made.key, _ = newCurveKey(key)
	}
	return made, made.readUsagePeriod()
}

// shapeOf takes a certificate apart whose key is one for ECDSA.
func shapeOf(raw []byte) (shape certificateShape, ok bool) {
	rest, err := asn1.Unmarshal(raw, &shape)
	key := shape.TBS.Key
	return shape, err == nil && len(rest) == 0 && key.Point.BitLength%8 == 0 &&
		key.Algorithm.Algorithm.Equal(asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1})
}

// viewOf has the standard library read everything but the key, with a key of
// no meaning in its place, and puts the original's bytes back: names, times
// and extensions are held to the same rules as in any other certificate.
func viewOf(shape certificateShape) (*x509.Certificate, error) {
	p := elliptic.P256().Params()
	base := append([]byte{4}, append(p.Gx.FillBytes(make([]byte, 32)), p.Gy.FillBytes(make([]byte, 32))...)...)
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), base)
	if err != nil {
		return nil, err
	}
	stand, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	other := shape
	other.Raw, other.TBS.Raw = nil, nil
	other.TBS.Key = keyShape{Raw: stand}
	raw, err := asn1.Marshal(other)
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, err
	}
	c.Raw = slices.Clone([]byte(shape.Raw))
	c.RawTBSCertificate = slices.Clone([]byte(shape.TBS.Raw))
	c.RawSubjectPublicKeyInfo = slices.Clone([]byte(shape.TBS.Key.Raw))
	c.PublicKey, c.PublicKeyAlgorithm = nil, x509.UnknownPublicKeyAlgorithm
	return c, nil
}

// readUsagePeriod reads the extension privateKeyUsagePeriod, which the
// standard library leaves alone.
func (c *certificate) readUsagePeriod() error {
	oid := asn1.ObjectIdentifier{2, 5, 29, 16}
	for _, e := range c.Extensions {
		if !e.Id.Equal(oid) {
			continue
		}
		var period struct {
			From time.Time `asn1:"optional,generalized,tag:0"`
			To   time.Time `asn1:"optional,generalized,tag:1"`
		}
		if rest, err := asn1.Unmarshal(e.Value, &period); err != nil || len(rest) != 0 {
			return errors.New("the key's usage period cannot be read")
		}
		c.useFrom, c.useTo = period.From, period.To
	}
	c.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(c.UnhandledCriticalExtensions), oid.Equal)
	return nil
}

func (c *certificate) authority() bool { return c.BasicConstraintsValid && c.IsCA }

// selfIssued is true for a certificate that its own key signed.
func (c *certificate) selfIssued() bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) &&
		c.signed(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
}

// signed tells whether this certificate's key made the signature.
func (c *certificate) signed(algorithm x509.SignatureAlgorithm, content, signature []byte) bool {
	if c.PublicKey != nil {
		return c.CheckSignature(algorithm, content, signature) == nil
	}
	if c.key == nil {
		return false
	}
	bits := map[x509.SignatureAlgorithm]int{
		x509.ECDSAWithSHA256: 256, x509.ECDSAWithSHA384: 384, x509.ECDSAWithSHA512: 512,
	}[algorithm]
	if bits == 0 {
		return false
	}
	r, s := new(big.Int), new(big.Int)
	var inner cryptobyte.String
	input := cryptobyte.String(signature)
	if !input.ReadASN1(&inner, der.SEQUENCE) || !input.Empty() ||
		!inner.ReadASN1Integer(r) || !inner.ReadASN1Integer(s) || !inner.Empty() {
		return false
	}
	return c.key.verify(digest(bits, content), r, s)
}

// index is the certificate's reference in an IDB: the last five bytes of its
// SHA-1. It finds a certificate and proves nothing.
func (c *certificate) index() [idbReference]byte {
	sum := sha1.Sum(c.Raw)
	return [idbReference]byte(sum[len(sum)-idbReference:])
}

// usable says why a certificate cannot stand for a signer of seals.
func (c *certificate) usable(o TrustOptions) error {
	switch {
	case c.key == nil:
		return ErrKey
	case c.key.bits() < 256 && !o.AllowP224:
		return ErrCurve
	case !o.Pin && c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return fmt.Errorf("%w: not for signatures", ErrKey)
	}
	return nil
}
