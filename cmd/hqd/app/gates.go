package app

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

const gatesDir = "gates"

// ErrGate means that a gate is unknown, retired or not what it says.
var ErrGate = errors.New("gate is unknown or retired")

// GateEntry is a gate's public half as headquarters keeps it.
type GateEntry struct {
	Gate        string    `json:"gate"`
	Kid         string    `json:"kid"`
	Sign        []byte    `json:"sign"`
	Seal        []byte    `json:"seal"`
	Fingerprint string    `json:"fingerprint"`
	Added       time.Time `json:"added"`
	Retired     time.Time `json:"retired,omitzero"`
	// Certificate is headquarters' for the gate's TLS key, PEM. Renewed is the
	// one before it where a gate has changed that key: it serves until the gate
	// has the new one, at the longest until it ends.
	Certificate string    `json:"certificate,omitempty"`
	Renewed     string    `json:"renewed,omitempty"`
	Until       time.Time `json:"certificate_until,omitzero"`
	// Former are earlier keys, so that old records can still be attributed.
	Former []wire.BundleKey `json:"former,omitempty"`
}

func (g GateEntry) ring() (*wire.Keyring, error) {
	return wire.NewKeyring(wire.PublicKey{Kid: g.Kid, Role: wire.RoleGate, Key: ed25519.PublicKey(g.Sign)})
}

func gatePath(dir, gate string) string { return filepath.Join(dir, gatesDir, gate+".json") }

// AddGate registers a gate from the request that gatectl made on it.
func AddGate(dir string, request []byte) (GateEntry, error) {
	r, err := vault.ParseRequest(request)
	if err != nil {
		return GateEntry{}, fmt.Errorf("add gate: %w", err)
	}
	e := GateEntry{
		Gate: r.Gate, Kid: r.Kid, Sign: r.Sign, Seal: r.Seal, Fingerprint: r.Fingerprint, Added: time.Now().UTC(),
	}
	if _, err := e.ring(); err != nil {
		return GateEntry{}, fmt.Errorf("add gate: %w", err)
	}
	if err := e.certify(dir, r); err != nil {
		return GateEntry{}, fmt.Errorf("add gate: %w", err)
	}
	if old, err := readGate(gatePath(dir, r.Gate)); err == nil {
		e.Former = old.Former
		if old.Kid == e.Kid && old.Retired.IsZero() {
			e.Renewed = old.Certificate
		}
		if old.Kid != e.Kid {
			e.Former = append(e.Former, wire.BundleKey{Kid: old.Kid, Role: wire.RoleGate, Pub: old.Sign, NotAfter: e.Added})
		}
	}
	return e, saveGate(dir, e)
}

// certify has the authority sign the key of the gate's certificate request. An
// identity without an authority has none to give, and no gate comes by TLS.
func (g *GateEntry) certify(dir string, r vault.Request) error {
	pub, err := r.TLSKey()
	if err == nil {
		err = g.sign(dir, pub)
	}
	return err
}

func (g *GateEntry) sign(dir string, pub crypto.PublicKey) error {
	id, err := LoadIdentity(dir)
	if err != nil || id.authority == nil {
		return err
	}
	if g.Certificate, err = id.authority.forGate(g.Gate, pub); err != nil {
		return err
	}
	c, err := certified(g.Certificate)
	if err == nil {
		g.Until = c.NotAfter
	}
	return err
}

// RenewGate signs the gate's present TLS key again.
func RenewGate(dir, gate string) (GateEntry, error) {
	e, err := renewGate(dir, gate)
	if err != nil {
		return GateEntry{}, fmt.Errorf("renew gate: %w", err)
	}
	return e, nil
}

func renewGate(dir, gate string) (GateEntry, error) {
	if !wire.ValidGateID(gate) {
		return GateEntry{}, ErrGate
	}
	e, err := readGate(gatePath(dir, gate))
	switch {
	case err != nil:
		return GateEntry{}, fmt.Errorf("%w: %w", ErrGate, err)
	case !e.Retired.IsZero():
		return GateEntry{}, fmt.Errorf("%w: it was retired on %s", ErrGate, e.Retired.Format(time.DateOnly))
	case e.Certificate == "":
		return GateEntry{}, fmt.Errorf("%w: it was never certified; register its request again with hqd gate add", ErrGate)
	}
	old, err := certified(e.Certificate)
	if err != nil {
		return GateEntry{}, err
	}
	if err := e.sign(dir, old.PublicKey); err != nil {
		return GateEntry{}, err
	}
	return e, saveGate(dir, e)
}

// holds reports whether a certificate's key is one that the gate may come with.
func (g GateEntry) holds(c *x509.Certificate) bool {
	for _, text := range []string{g.Certificate, g.Renewed} {
		known, err := certified(text)
		if err != nil {
			continue
		}
		if pub, ok := known.PublicKey.(*ecdsa.PublicKey); ok && pub.Equal(c.PublicKey) {
			return true
		}
	}
	return false
}

// RetireGate ends a gate: nothing it sends is accepted any more, and the group
// key changes, so that it reads nothing that comes after.
func RetireGate(dir, gate string) (GateEntry, error) {
	if !wire.ValidGateID(gate) {
		return GateEntry{}, fmt.Errorf("retire gate: %w", ErrGate)
	}
	e, err := readGate(gatePath(dir, gate))
	if err != nil {
		return GateEntry{}, fmt.Errorf("retire gate: %w: %w", ErrGate, err)
	}
	e.Retired = time.Now().UTC()
	if err := saveGate(dir, e); err != nil {
		return GateEntry{}, err
	}
	return e, rotateGroup(dir)
}

func saveGate(dir string, e GateEntry) error {
	b, err := json.MarshalIndent(e, "", "  ")
	if err == nil {
		err = writeFile(gatePath(dir, e.Gate), append(b, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("save gate: %w", err)
	}
	return nil
}

func readGate(path string) (GateEntry, error) {
	var e GateEntry
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	return e, err
}

// ListGates reads every registered gate, by name.
func ListGates(dir string) ([]GateEntry, error) {
	files, err := os.ReadDir(filepath.Join(dir, gatesDir))
	if err != nil {
		return nil, fmt.Errorf("list gates: %w", err)
	}
	var out []GateEntry
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".json") {
			continue
		}
		e, err := readGate(filepath.Join(dir, gatesDir, f.Name()))
		if err != nil {
			return nil, fmt.Errorf("list gates: %s: %w", f.Name(), err)
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b GateEntry) int { return strings.Compare(a.Gate, b.Gate) })
	return out, nil
}
