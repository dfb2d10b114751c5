package vault

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"bordergate/sync/wire"
)

const (
	requestVersion = 1
	maxRequest     = 16 << 10
)

// ErrRequest says that a gate's request is malformed, or not signed by the key
// it names.
var ErrRequest = errors.New("gate request is not valid")

// Request is the public half of an Identity: what a person carries from a gate
// to headquarters. It holds nothing secret. What makes it trustworthy is that
// the person compares Fingerprint at both ends.
type Request struct {
	Version int       `json:"version"`
	Gate    string    `json:"gate"`
	Created time.Time `json:"created"`
	Kid     string    `json:"kid"`
	Sign    []byte    `json:"sign"` // Ed25519 public key
	Seal    []byte    `json:"seal"` // X25519 public key for HPKE
	CSR     string    `json:"csr"`  // PKCS #10, PEM, of the TLS key
	// Fingerprint is the SHA-256 of everything above, in hex groups of four.
	Fingerprint string `json:"fingerprint"`
	// Proof is the signature of the same by Sign.
	Proof []byte `json:"proof"`
}

// Request is the identity's request as JSON.
func (id *Identity) Request() ([]byte, error) {
	b, err := json.MarshalIndent(id.request, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return append(b, '\n'), nil
}

// Fingerprint is what people compare at the gate and at headquarters.
func (id *Identity) Fingerprint() string { return id.request.Fingerprint }

// ParseRequest reads a request and checks its form, its proof, its certificate
// request and its fingerprint.
func ParseRequest(b []byte) (Request, error) {
	var r Request
	if len(b) > maxRequest {
		return Request{}, fmt.Errorf("%w: %d bytes, at most %d", ErrRequest, len(b), maxRequest)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return Request{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if err := r.check(); err != nil {
		return Request{}, err
	}
	return r, nil
}

func (r *Request) check() error {
	switch {
	case r.Version != requestVersion:
		return fmt.Errorf("%w: version %d", ErrRequest, r.Version)
	case !wire.ValidGateID(r.Gate):
		return fmt.Errorf("%w: gate id", ErrRequest)
	case len(r.Sign) != ed25519.PublicKeySize:
		return fmt.Errorf("%w: signing key of %d bytes", ErrRequest, len(r.Sign))
	case r.Kid != kidOf(r.Gate, r.Sign):
		return fmt.Errorf("%w: key id is not the signing key's", ErrRequest)
	case r.Fingerprint != r.fingerprint():
		return fmt.Errorf("%w: fingerprint is not that of the keys", ErrRequest)
	case !ed25519.Verify(r.Sign, r.digest(), r.Proof):
		return fmt.Errorf("%w: not signed by the key it names", ErrRequest)
	}
	if _, err := wire.ParseSealKey(r.Seal); err != nil {
		return fmt.Errorf("%w: sealing key", ErrRequest)
	}
	block, rest := pem.Decode([]byte(r.CSR))
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(bytes.TrimSpace(rest)) != 0 {
		return fmt.Errorf("%w: no certificate request", ErrRequest)
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || csr.CheckSignature() != nil || csr.Subject.CommonName != r.Gate {
		return fmt.Errorf("%w: certificate request", ErrRequest)
	}
	return nil
}

// TLSKey is the public key that the certificate request asks to have certified.
func (r *Request) TLSKey() (crypto.PublicKey, error) {
	block, _ := pem.Decode([]byte(r.CSR))
	if block == nil {
		return nil, fmt.Errorf("%w: certificate request", ErrRequest)
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: certificate request", ErrRequest)
	}
	key, ok := csr.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: tls key is not on P-256", ErrRequest)
	}
	return key, nil
}

// digest covers every field that headquarters relies on, each with its length.
func (r *Request) digest() []byte {
	h := sha256.New()
	h.Write([]byte("bordergate gate request 1"))
	for _, part := range [][]byte{
		[]byte(r.Gate), []byte(r.Created.UTC().Format(time.RFC3339)), []byte(r.Kid), r.Sign, r.Seal, []byte(r.CSR),
	} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write(part)
	}
	return h.Sum(nil)
}

func (r *Request) fingerprint() string {
	text := hex.EncodeToString(r.digest())
	var b strings.Builder
	for i := 0; i < len(text); i += 4 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(text[i : i+4])
	}
	return b.String()
}

// kidOf names a gate's signing key: the gate and the key's first hash bytes.
func kidOf(gate string, pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return gate + "-" + hex.EncodeToString(sum[:6])
}
