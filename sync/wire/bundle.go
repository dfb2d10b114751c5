package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// MaxBundle bounds a bundle file, bytes.
const MaxBundle = 64 << 10

// ErrFingerprint means that a bundle's root key is not the pinned one.
var ErrFingerprint = errors.New("bundle's root key is not the pinned one")

// Bundle is HQ's public side: what a gate must hold to believe HQ. The root
// key signs it, and a person compares the root's fingerprint once.
type Bundle struct {
	Ver  uint64      `json:"ver"`  // rises with every change
	Root []byte      `json:"root"` // Ed25519 public key
	Keys []BundleKey `json:"keys"`
	Seal []byte      `json:"seal"` // HPKE public key (X25519) for personal data
	// TLS are the authorities (X.509, DER) of the broker's certificate and of
	// the gates': no other authority of the machine counts. Empty: no TLS.
	TLS [][]byte `json:"tls,omitempty"`
}

// ErrNoAuthority means that a bundle vouches for no TLS authority.
var ErrNoAuthority = errors.New("bundle names no authority for TLS")

// BundleKey is one of HQ's online keys.
type BundleKey struct {
	Kid      string    `json:"kid"`
	Role     Role      `json:"role"`
	Pub      []byte    `json:"pub"`       // Ed25519
	NotAfter time.Time `json:"not_after"` // zero: no end
}

// bundleFile is the JSON file around the signed message.
type bundleFile struct {
	Format string `json:"format"`
	Signed string `json:"signed"`
}

const bundleFormat = "bordergate-hq-bundle"

// Fingerprint is the hex SHA-256 of a raw Ed25519 public key in groups of 4,
// to be compared by eye.
func Fingerprint(pub []byte) string {
	sum := sha256.Sum256(pub)
	x := hex.EncodeToString(sum[:])
	groups := make([]string, 0, len(x)/4)
	for ; len(x) > 0; x = x[4:] {
		groups = append(groups, x[:4])
	}
	return strings.Join(groups, " ")
}

// sameFingerprint compares without regard to grouping and case.
func sameFingerprint(a, b string) bool {
	clean := strings.NewReplacer(" ", "", ":", "", "-", "", "\n", "")
	a, b = strings.ToLower(clean.Replace(a)), strings.ToLower(clean.Replace(b))
	return len(a) == 2*sha256.Size && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// SignBundle makes the content of hq.json. The signer must have the root role
// and be the key that b names as its root.
func SignBundle(root Signer, b Bundle) ([]byte, error) {
	if root.Role != RoleRoot || !root.Key.Public().(ed25519.PublicKey).Equal(ed25519.PublicKey(b.Root)) {
		return nil, fmt.Errorf("sign bundle: %w", ErrRole)
	}
	payload, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("sign bundle: %w", err)
	}
	msg, err := Sign(root, Header{Typ: TypeBundle, Ver: 1, To: ToAll, Seq: b.Ver}, payload)
	if err != nil {
		return nil, err
	}
	out, err := json.MarshalIndent(bundleFile{Format: bundleFormat, Signed: string(msg)}, "", "  ")
	return append(out, '\n'), err
}

// ParseBundle reads hq.json. Every key in the result is vouched for by the
// root key whose fingerprint is rootFingerprint.
func ParseBundle(b []byte, rootFingerprint string) (Bundle, error) {
	out, err := parseBundle(b, rootFingerprint)
	if err != nil {
		return Bundle{}, fmt.Errorf("parse bundle: %w", err)
	}
	return out, nil
}

func parseBundle(b []byte, pin string) (Bundle, error) {
	var f bundleFile
	if len(b) > MaxBundle {
		return Bundle{}, ErrTooLarge
	}
	if err := json.Unmarshal(b, &f); err != nil || f.Format != bundleFormat {
		return Bundle{}, ErrForm
	}
	h, _, claimed, _, err := split([]byte(f.Signed))
	if err != nil {
		return Bundle{}, err
	}
	var out Bundle
	if err := json.Unmarshal(claimed, &out); err != nil {
		return Bundle{}, ErrPayload
	}
	if len(out.Root) != ed25519.PublicKeySize || !sameFingerprint(Fingerprint(out.Root), pin) {
		return Bundle{}, ErrFingerprint
	}
	ring, err := NewKeyring(PublicKey{Kid: h.Kid, Role: RoleRoot, Key: out.Root})
	if err != nil {
		return Bundle{}, err
	}
	if _, _, err := ring.Verify([]byte(f.Signed), Want{Typ: TypeBundle, Role: RoleRoot}); err != nil {
		return Bundle{}, err
	}
	if _, err := out.Keyring(); err != nil {
		return Bundle{}, err
	}
	if _, err := ParseSealKey(out.Seal); err != nil {
		return Bundle{}, err
	}
	if _, err := out.Authorities(); err != nil && !errors.Is(err, ErrNoAuthority) {
		return Bundle{}, err
	}
	return out, nil
}

// Authorities gives the authorities that the link's TLS believes.
func (b Bundle) Authorities() (*x509.CertPool, error) {
	if len(b.TLS) == 0 {
		return nil, ErrNoAuthority
	}
	pool := x509.NewCertPool()
	for _, der := range b.TLS {
		c, err := x509.ParseCertificate(der)
		if err != nil || !c.IsCA || c.CheckSignatureFrom(c) != nil {
			return nil, fmt.Errorf("read bundle: authority for TLS: %w", ErrPayload)
		}
		pool.AddCert(c)
	}
	return pool, nil
}

// Keyring gives the bundle's online keys. A key that claims the root's, a
// gate's or an officer's role is an error.
func (b Bundle) Keyring() (*Keyring, error) {
	keys := make([]PublicKey, 0, len(b.Keys))
	for _, k := range b.Keys {
		if k.Role == RoleRoot || k.Role == RoleGate || k.Role == RoleOfficer {
			return nil, fmt.Errorf("read bundle: key with the role %.20q", k.Role)
		}
		keys = append(keys, PublicKey{Kid: k.Kid, Role: k.Role, Key: k.Pub, NotAfter: k.NotAfter})
	}
	return NewKeyring(keys...)
}

// ReadOwnBundle reads hq.json where the file itself is trusted, as in HQ's own
// folder: its root is believed, the rest is checked as ever.
func ReadOwnBundle(b []byte) (Bundle, error) {
	var f bundleFile
	if len(b) > MaxBundle || json.Unmarshal(b, &f) != nil {
		return Bundle{}, fmt.Errorf("read bundle: %w", ErrForm)
	}
	payload, err := PayloadOf([]byte(f.Signed))
	if err != nil {
		return Bundle{}, fmt.Errorf("read bundle: %w", err)
	}
	claimed, err := Decode[Bundle](payload)
	if err != nil {
		return Bundle{}, fmt.Errorf("read bundle: %w", err)
	}
	return ParseBundle(b, Fingerprint(claimed.Root))
}
