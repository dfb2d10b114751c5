package seal

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ErrTrust is returned for a trust folder that cannot be read at all.
var ErrTrust = errors.New("trust folder is not usable")

// Limits of a trust folder.
const (
	MaxTrustFiles = 2000
	MaxTrustFile  = 1 << 20 // bytes
)

// TrustOptions says how certificates are believed.
type TrustOptions struct {
	// Pin trusts each certificate as a signer itself. Without it a signer must
	// chain to a self-signed certificate of an authority in the same folder.
	Pin bool
	// AllowP224 admits brainpoolP224r1, which is below the recommended 256 bits.
	AllowP224 bool
	// Lists says what a missing or old revocation list means.
	Lists ListPolicy
	// ListAge is how long after its issue a list is fresh; zero takes the time
	// at which the list itself announces the next one.
	ListAge time.Duration
}

// TrustFile is a file that is not, or not yet, in the folder.
type TrustFile struct {
	Name string
	Data []byte
}

type signerKey struct{ signer, ref string }

// Trust is a set of signers, the authorities they must come from and the
// authorities' revocation lists.
type Trust struct {
	options     TrustOptions
	authorities map[string][]issuer // by subject
	lists       map[string]map[string]*list
	signers     []*signer
	byName      map[signerKey][]*signer
	byIndex     map[[idbReference]byte][]*signer
	warnings    []string
}

// LoadTrust reads every file in dir, PEM or DER, and then more. A file without
// a usable certificate or revocation list is left out and gives a warning,
// since one foreign or damaged file must not close a gate.
func LoadTrust(dir string, o TrustOptions, more ...TrustFile) (*Trust, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("load trust: %w: %w", ErrTrust, err)
	}
	if len(entries)+len(more) > MaxTrustFiles {
		return nil, fmt.Errorf("load trust: %w: more than %d files", ErrTrust, MaxTrustFiles)
	}
	t := newTrust(o)
	var found findings
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		b, err := readBounded(filepath.Join(dir, e.Name()))
		if err != nil {
			t.warn(e.Name(), err)
			continue
		}
		t.read(&found, TrustFile{e.Name(), b})
	}
	for _, f := range more {
		t.read(&found, f)
	}
	t.build(found)
	return t, nil
}

// NewTrust makes a Trust of certificates already parsed.
func NewTrust(certs []*x509.Certificate, o TrustOptions) *Trust {
	t := newTrust(o)
	var found findings
	for i, raw := range certs {
		c, err := newCertificate(raw)
		name := fmt.Sprintf("certificate %d", i+1)
		if err != nil {
			t.warn(name, err)
			continue
		}
		c.file = name
		found.certificates = append(found.certificates, c)
	}
	t.build(found)
	return t
}

// Signers is the number of certificates that seals can be checked against.
func (t *Trust) Signers() int {
	n := 0
	for _, s := range t.signers {
		if s.weak == nil {
			n++
		}
	}
	return n
}

// Anchors is the number of authorities that signers can chain to, and of
// signers that need none.
func (t *Trust) Anchors() int {
	n := 0
	for _, of := range t.authorities {
		for _, a := range of {
			if a.root {
				n++
			}
		}
	}
	for _, s := range t.signers {
		if s.anchor() {
			n++
		}
	}
	return n
}

// Warnings names the files that were left out, and why.
func (t *Trust) Warnings() []string { return slices.Clone(t.warnings) }

func newTrust(o TrustOptions) *Trust {
	return &Trust{
		options: o, authorities: map[string][]issuer{}, lists: map[string]map[string]*list{},
		byName: map[signerKey][]*signer{}, byIndex: map[[idbReference]byte][]*signer{},
	}
}

func (t *Trust) warn(name string, err error) {
	t.warnings = append(t.warnings, fmt.Sprintf("%s left out: %v", name, err))
}

// findings are what the files hold, before any of it is believed.
type findings struct {
	certificates []*certificate
	lists        []*list
}

// read takes the certificates and lists of one file: each of a PEM bundle, or
// one DER.
func (t *Trust) read(found *findings, f TrustFile) {
	blocks, err := blocksOf(f.Data)
	if err != nil {
		t.warn(f.Name, err)
		return
	}
	for _, b := range blocks {
		if b.Type != blockList {
			c, err := parseCertificate(b.Bytes)
			if err == nil {
				c.file = f.Name
				found.certificates = append(found.certificates, c)
				continue
			}
			if b.Type == blockCertificate {
				t.warn(f.Name, err)
				continue
			}
		}
		l, err := parseList(b.Bytes)
		if err != nil {
			t.warn(f.Name, err)
			continue
		}
		l.file = f.Name
		found.lists = append(found.lists, l)
	}
}

// The types of a PEM block that matter here; DER has none.
const (
	blockCertificate = "CERTIFICATE"
	blockList        = "X509 CRL"
)

func blocksOf(b []byte) ([]*pem.Block, error) {
	if !bytes.Contains(b, []byte("-----BEGIN ")) {
		return []*pem.Block{{Bytes: b}}, nil
	}
	var blocks []*pem.Block
	for {
		block, rest := pem.Decode(b)
		if block == nil {
			break
		}
		if block.Type == blockCertificate || block.Type == blockList {
			blocks = append(blocks, block)
		}
		b = rest
	}
	if len(blocks) == 0 {
		return nil, errors.New("no certificate and no revocation list in it")
	}
	return blocks, nil
}

// build files everything: the authorities first, because signers and lists
// are held to them, whatever the order of the files.
func (t *Trust) build(found findings) {
	seen := map[string]bool{}
	found.certificates = slices.DeleteFunc(found.certificates, func(c *certificate) bool {
		twice := seen[string(c.Raw)]
		seen[string(c.Raw)] = true
		return twice
	})
	for _, c := range found.certificates {
		if c.authority() {
			of := string(c.RawSubject)
			t.authorities[of] = append(t.authorities[of], issuer{c, c.selfIssued()})
		}
	}
	for _, c := range found.certificates {
		// An authority's key signs certificates, not seals, unless it was
		// pinned; and most authorities are no signers even then.
		if !c.authority() || t.options.Pin {
			if err := t.addSigner(c); err != nil && !c.authority() {
				t.warn(c.file, err)
			}
		}
	}
	for _, l := range found.lists {
		if err := t.addList(l); err != nil {
			t.warn(l.file, err)
		}
	}
}

// addSigner files a certificate under the names that seals have for it. One
// whose subject is not that of a VDS signer can still sign an IDB.
func (t *Trust) addSigner(c *certificate) error {
	s := t.newSigner(c)
	if s.weak != nil && !errors.Is(s.weak, ErrCurve) {
		return s.weak
	}
	t.signers = append(t.signers, s)
	t.byIndex[c.index()] = append(t.byIndex[c.index()], s)
	if name, ref, err := SignerOf(c.Certificate); err == nil {
		id := signerKey{name, trimReference(ref)}
		t.byName[id] = append(t.byName[id], s)
	}
	return s.weak
}

// SignerOf returns what the seals of this certificate carry: the C and CN of
// its subject, and its serial number in hex with an even number of digits.
func SignerOf(c *x509.Certificate) (id, ref string, err error) {
	if len(c.Subject.Country) != 1 {
		return "", "", errors.New("subject has not one country")
	}
	id = strings.ToUpper(c.Subject.Country[0] + c.Subject.CommonName)
	if len(id) != 4 || !isLetters(id[:2]) || !isAlnum(id[2:]) {
		return "", "", errors.New("subject's country and name are not the four characters of a signer")
	}
	if c.SerialNumber.Sign() <= 0 {
		return "", "", errors.New("serial number is not positive")
	}
	ref = fmt.Sprintf("%X", c.SerialNumber)
	if len(ref)%2 == 1 {
		ref = "0" + ref
	}
	if len(ref) > MaxCertRef {
		return "", "", errors.New("serial number is too long")
	}
	return id, ref, nil
}

// trimReference makes references comparable as numbers: version 3 fills them
// up with zeros.
func trimReference(ref string) string { return strings.TrimLeft(ref, "0") }

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxTrustFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > MaxTrustFile {
		return nil, errors.New("too large for a certificate")
	}
	return b, nil
}
