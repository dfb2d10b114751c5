package vault

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"bordergate/sync/wire"
)

// Errors of identities.
var (
	// ErrIdentityExists says that the folder already holds files; keys are
	// never overwritten.
	ErrIdentityExists = errors.New("folder is not empty")
	// ErrNoIdentity says that the folder holds no identity, or one whose making
	// was cut short.
	ErrNoIdentity = errors.New("no complete identity in the folder")
	// ErrIdentity says that an identity's files are damaged or do not belong
	// together.
	ErrIdentity = errors.New("identity is damaged")
)

// RequestFile is the file in an identity's folder that holds its request.
const RequestFile = "request.json"

// The other files of an identity. identityFile is written last, so that its presence
// says that the others are complete.
const (
	masterFile   = "data.key" // 32 raw bytes
	signFile     = "sign.key" // PKCS #8, PEM
	sealFile     = "seal.key"
	tlsFile      = "tls.key"
	identityFile = "identity.json"
)

// Identity is a gate's own keys. They are made on the machine and never leave
// it; only their public halves do, in Request.
type Identity struct {
	Gate    string
	Created time.Time
	Master  [KeySize]byte     // wraps the day keys
	Signer  wire.Signer       // signs what the gate sends
	HPKE    hpke.PrivateKey   // opens what headquarters seals to the gate
	TLS     *ecdsa.PrivateKey // of the client certificate
	request Request
}

type identityHead struct {
	Version int       `json:"version"`
	Gate    string    `json:"gate"`
	Created time.Time `json:"created"`
	Kid     string    `json:"kid"`
}

// NewIdentity makes a gate's keys in dir, which must not exist or be empty,
// and makes them durable. The folder is 0700, its files 0600.
func NewIdentity(dir, gate string) (*Identity, error) {
	if !wire.ValidGateID(gate) {
		return nil, fmt.Errorf("make identity: gate id %.60q: want 1 to %d of a-z, 0-9 and -", gate, wire.MaxGateID)
	}
	if err := emptyDir(dir); err != nil {
		return nil, fmt.Errorf("make identity: %w", err)
	}
	id := &Identity{Gate: gate, Created: time.Now().UTC().Truncate(time.Second)}
	rand.Read(id.Master[:])
	_, signKey, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	sealKey, err := ecdh.X25519().GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("make sealing key: %w", err)
	}
	if id.TLS, err = ecdsa.GenerateKey(elliptic.P256(), nil); err != nil {
		return nil, fmt.Errorf("make tls key: %w", err)
	}
	if err := id.fill(signKey, sealKey); err != nil {
		return nil, fmt.Errorf("make identity: %w", err)
	}
	if err := id.makeRequest(); err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if err := id.save(dir, signKey, sealKey); err != nil {
		return nil, fmt.Errorf("save identity: %w", err)
	}
	return id, nil
}

// fill derives what follows from the keys.
func (id *Identity) fill(signKey ed25519.PrivateKey, sealKey *ecdh.PrivateKey) error {
	id.Signer = wire.Signer{Kid: kidOf(id.Gate, signKey.Public().(ed25519.PublicKey)), Role: wire.RoleGate, Key: signKey}
	k, err := hpke.NewDHKEMPrivateKey(sealKey)
	if err != nil {
		return fmt.Errorf("use sealing key: %w", err)
	}
	id.HPKE = k
	return nil
}

func (id *Identity) makeRequest() error {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: id.Gate, Organization: []string{"bordergate"}},
	}, id.TLS)
	if err != nil {
		return err
	}
	id.request = Request{
		Version: requestVersion, Gate: id.Gate, Created: id.Created, Kid: id.Signer.Kid,
		Sign: id.Signer.Key.Public().(ed25519.PublicKey),
		Seal: id.HPKE.PublicKey().Bytes(),
		CSR:  string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})),
	}
	id.request.Fingerprint = id.request.fingerprint()
	id.request.Proof = ed25519.Sign(id.Signer.Key, id.request.digest())
	return nil
}

func (id *Identity) save(dir string, signKey ed25519.PrivateKey, sealKey *ecdh.PrivateKey) error {
	if err := CreateFile(filepath.Join(dir, masterFile), id.Master[:]); err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		key  crypto.PrivateKey
	}{{signFile, signKey}, {sealFile, sealKey}, {tlsFile, id.TLS}} {
		der, err := x509.MarshalPKCS8PrivateKey(f.key)
		if err != nil {
			return fmt.Errorf("encode %s: %w", f.name, err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		if err := CreateFile(filepath.Join(dir, f.name), text); err != nil {
			return err
		}
	}
	request, err := id.Request()
	if err != nil {
		return err
	}
	if err := CreateFile(filepath.Join(dir, RequestFile), request); err != nil {
		return err
	}
	head, err := json.MarshalIndent(identityHead{1, id.Gate, id.Created, id.Signer.Kid}, "", "  ")
	if err != nil {
		return err
	}
	return CreateFile(filepath.Join(dir, identityFile), append(head, '\n'))
}

// emptyDir makes dir (0700), or accepts it empty and private.
func emptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := private(dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%w: %s; name another, or move the old identity away", ErrIdentityExists, dir)
	}
	return nil
}

// LoadIdentity reads what NewIdentity made. Permissions wider than the owner's
// are refused.
func LoadIdentity(dir string) (*Identity, error) {
	id, err := loadIdentity(dir)
	if err != nil {
		return nil, fmt.Errorf("load identity: %w", err)
	}
	return id, nil
}

func loadIdentity(dir string) (*Identity, error) {
	if err := private(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s; make one with gatectl identity init", ErrNoIdentity, dir)
	} else if err != nil {
		return nil, err
	}
	b, err := readPrivate(dir, identityFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s; make one with gatectl identity init", ErrNoIdentity, dir)
	} else if err != nil {
		return nil, err
	}
	var head identityHead
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrIdentity, identityFile, err)
	}
	if head.Version != 1 || !wire.ValidGateID(head.Gate) {
		return nil, fmt.Errorf("%w: %s: unknown version or bad gate id", ErrIdentity, identityFile)
	}
	id := &Identity{Gate: head.Gate, Created: head.Created}
	if err := id.loadKeys(dir); err != nil {
		return nil, err
	}
	if id.Signer.Kid != head.Kid {
		return nil, fmt.Errorf("%w: %s is not the key that %s names", ErrIdentity, signFile, identityFile)
	}
	return id, id.loadRequest(dir)
}

func (id *Identity) loadKeys(dir string) error {
	master, err := readPrivate(dir, masterFile)
	if err != nil {
		return err
	}
	if copy(id.Master[:], master) != KeySize || len(master) != KeySize {
		return fmt.Errorf("%w: %s has %d bytes, want %d", ErrIdentity, masterFile, len(master), KeySize)
	}
	signKey, err := readKey[ed25519.PrivateKey](dir, signFile)
	if err != nil {
		return err
	}
	sealKey, err := readKey[*ecdh.PrivateKey](dir, sealFile)
	if err != nil {
		return err
	}
	if id.TLS, err = readKey[*ecdsa.PrivateKey](dir, tlsFile); err != nil {
		return err
	}
	return id.fill(signKey, sealKey)
}

// loadRequest reads the request and checks that it speaks of these keys.
func (id *Identity) loadRequest(dir string) error {
	b, err := readPrivate(dir, RequestFile)
	if err != nil {
		return err
	}
	if id.request, err = ParseRequest(b); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrIdentity, RequestFile, err)
	}
	if id.request.Kid != id.Signer.Kid || id.request.Gate != id.Gate {
		return fmt.Errorf("%w: %s speaks of another gate or key", ErrIdentity, RequestFile)
	}
	return nil
}

func readPrivate(dir, name string) ([]byte, error) {
	path := filepath.Join(dir, name)
	if err := private(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func readKey[K crypto.PrivateKey](dir, name string) (K, error) {
	var none K
	b, err := readPrivate(dir, name)
	if err != nil {
		return none, err
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "PRIVATE KEY" {
		return none, fmt.Errorf("%w: %s is no PEM private key", ErrIdentity, name)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil { // the cause may quote key bytes
		return none, fmt.Errorf("%w: %s is no PKCS #8 key", ErrIdentity, name)
	}
	key, ok := k.(K)
	if !ok {
		return none, fmt.Errorf("%w: %s holds a key of another kind", ErrIdentity, name)
	}
	return key, nil
}
