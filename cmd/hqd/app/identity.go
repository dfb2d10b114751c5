package app

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"bordergate/sync/wire"
)

// Names in the identity folder.
const (
	bundleFile = "hq.json"
	sealFile   = "seal.key"
	storeFile  = "store.key"
	groupFile  = "group"
)

// ErrIdentity means that headquarters' keys are missing or unfit.
var ErrIdentity = errors.New("headquarters' identity is missing or unfit")

// Identity is headquarters' keys. The root key is not among them: it is needed
// for the bundle alone and may be taken off the machine.
type Identity struct {
	Dir    string
	Bundle wire.Bundle
	roles  map[wire.Role]wire.Signer
	seal   hpke.PrivateKey
	store  [32]byte
	group  int
	// authority is nil where an earlier version made the folder.
	authority *authority
}

// Init makes headquarters' keys in dir, which must hold none, and returns the
// root's fingerprint, which every gate pins.
func Init(dir string) (fingerprint string, err error) {
	if err := os.MkdirAll(filepath.Join(dir, gatesDir), 0o700); err != nil {
		return "", fmt.Errorf("make identity: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, bundleFile)); err == nil {
		return "", fmt.Errorf("make identity: %s has keys already; choose another folder", dir)
	}
	b := wire.Bundle{Ver: 1}
	root, err := newSigner(dir, wire.RoleRoot)
	if err != nil {
		return "", fmt.Errorf("make identity: %w", err)
	}
	b.Root = root.Public().Key
	for _, role := range wire.OnlineRoles() {
		s, err := newSigner(dir, role)
		if err != nil {
			return "", fmt.Errorf("make identity: %w", err)
		}
		b.Keys = append(b.Keys, wire.BundleKey{Kid: s.Kid, Role: role, Pub: s.Public().Key})
	}
	if b.Seal, err = initSecrets(dir); err != nil {
		return "", fmt.Errorf("make identity: %w", err)
	}
	der, err := initAuthority(dir)
	if err != nil {
		return "", fmt.Errorf("make identity: %w", err)
	}
	b.TLS = [][]byte{der}
	signed, err := wire.SignBundle(root, b)
	if err != nil {
		return "", fmt.Errorf("make identity: %w", err)
	}
	// The bundle last: a folder with it is complete.
	if err := writeFile(filepath.Join(dir, bundleFile), signed, 0o644); err != nil {
		return "", fmt.Errorf("make identity: %w", err)
	}
	return wire.Fingerprint(b.Root), nil
}

// initSecrets makes the keys that are nobody's signature and returns the
// public half of the sealing key.
func initSecrets(dir string) ([]byte, error) {
	k, err := wire.NewSealKey()
	if err != nil {
		return nil, err
	}
	raw, err := k.Bytes()
	if err != nil {
		return nil, err
	}
	store := make([]byte, 32)
	if _, err := rand.Read(store); err != nil {
		return nil, err
	}
	for name, b := range map[string][]byte{sealFile: raw, storeFile: store} {
		if err := writeKey(filepath.Join(dir, name), b); err != nil {
			return nil, err
		}
	}
	return k.PublicKey().Bytes(), nil
}

// readRoot reads the root key, which may have been taken off the machine.
func readRoot(dir string, pub []byte) (wire.Signer, error) {
	seed, err := readKey(filepath.Join(dir, keyFile(wire.RoleRoot)))
	if err != nil {
		return wire.Signer{}, fmt.Errorf("%w: the root key is needed for this: bring root.key back for as long: %w", ErrIdentity, err)
	}
	key := ed25519.NewKeyFromSeed(seed)
	if !key.Public().(ed25519.PublicKey).Equal(ed25519.PublicKey(pub)) {
		return wire.Signer{}, fmt.Errorf("%w: root.key is not the bundle's root", ErrIdentity)
	}
	return wire.Signer{Kid: kidOf(wire.RoleRoot, pub), Role: wire.RoleRoot, Key: key}, nil
}

func keyFile(role wire.Role) string { return string(role) + ".key" }

func kidOf(role wire.Role, pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return string(role) + "-" + hex.EncodeToString(sum[:6])
}

func newSigner(dir string, role wire.Role) (wire.Signer, error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return wire.Signer{}, err
	}
	return wire.Signer{Kid: kidOf(role, pub), Role: role, Key: key}, writeKey(filepath.Join(dir, keyFile(role)), key.Seed())
}

// writeKey stores 32 secret bytes as a line of hex.
func writeKey(path string, b []byte) error {
	return writeFile(path, []byte(hex.EncodeToString(b)+"\n"), 0o600)
}

func readKey(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s can be read by others; chmod 600", ErrIdentity, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(b) != 32 {
		return nil, fmt.Errorf("%w: %s is not 64 hex digits", ErrIdentity, path)
	}
	return b, nil
}

// writeFile makes a file durable under its name, or not at all.
func writeFile(path string, b []byte, mode fs.FileMode) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// BundlePath is where Init puts the public bundle that gates need.
func BundlePath(dir string) string { return filepath.Join(dir, bundleFile) }

// LoadIdentity reads what Init made.
func LoadIdentity(dir string) (*Identity, error) {
	id, err := loadIdentity(dir)
	if err != nil {
		return nil, fmt.Errorf("load identity: %w", err)
	}
	return id, nil
}

func loadIdentity(dir string) (*Identity, error) {
	raw, err := os.ReadFile(filepath.Join(dir, bundleFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %w; make it with: hqd init --dir %s", ErrIdentity, err, dir)
	}
	id := &Identity{Dir: dir, roles: make(map[wire.Role]wire.Signer)}
	// Our own folder is our trust; the root that is pinned is the one in it.
	if id.Bundle, err = wire.ReadOwnBundle(raw); err != nil {
		return nil, err
	}
	for _, k := range id.Bundle.Keys {
		seed, err := readKey(filepath.Join(dir, keyFile(k.Role)))
		if err != nil {
			return nil, err
		}
		s := wire.Signer{Kid: k.Kid, Role: k.Role, Key: ed25519.NewKeyFromSeed(seed)}
		if !s.Public().Key.Equal(ed25519.PublicKey(k.Pub)) {
			return nil, fmt.Errorf("%w: key of %s is not the bundle's", ErrIdentity, k.Role)
		}
		id.roles[k.Role] = s
	}
	seal, err := readKey(filepath.Join(dir, sealFile))
	if err != nil {
		return nil, err
	}
	if id.seal, err = wire.ParseSealPrivateKey(seal); err != nil {
		return nil, err
	}
	store, err := readKey(filepath.Join(dir, storeFile))
	if err != nil {
		return nil, err
	}
	id.store = [32]byte(store)
	if id.authority, err = loadAuthority(dir, id.Bundle); err != nil {
		return nil, err
	}
	id.group, err = readGroup(dir)
	return id, err
}

// readGroup reads the number of the group key; it rises with each rotation.
func readGroup(dir string) (int, error) {
	b, err := os.ReadFile(filepath.Join(dir, groupFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%w: %s is not a number", ErrIdentity, groupFile)
	}
	return n, nil
}

// rotateGroup makes the next group key the one in use.
func rotateGroup(dir string) error {
	n, err := readGroup(dir)
	if err == nil {
		err = writeFile(filepath.Join(dir, groupFile), []byte(strconv.Itoa(n+1)+"\n"), 0o600)
	}
	if err != nil {
		return fmt.Errorf("rotate group key: %w", err)
	}
	return nil
}

func (id *Identity) derive(name string) [32]byte {
	b, err := hkdf.Key(sha256.New, id.store[:], nil, "bordergate hq "+name, 32)
	if err != nil {
		return [32]byte{} // not possible: the length is constant and small
	}
	return [32]byte(b)
}

func (id *Identity) groupKey() (kid string, key [32]byte) {
	kid = "g" + strconv.Itoa(id.group)
	return kid, id.derive("group " + kid)
}

// pseudonym stands for a person where a name must not.
func (id *Identity) pseudonym(name string) string {
	key := id.derive("pseudonym")
	m := hmac.New(sha256.New, key[:])
	m.Write([]byte(name))
	return hex.EncodeToString(m.Sum(nil)[:16])
}

// sign makes a signed message of HQ.
func (id *Identity) sign(role wire.Role, h wire.Header, v any) ([]byte, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", h.Typ, err)
	}
	h.Ver = 1
	return wire.Sign(id.roles[role], h, payload)
}
