package seal

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
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
	// ListMax, where it is not zero, is an age over which a list is old
	// whatever ListAge says.
	ListMax time.Duration
}

// Tighten gives these options as far as o is not stricter. It pins nothing: a
// certificate that needs no authority must come with the first options.
func (t TrustOptions) Tighten(o TrustOptions) TrustOptions {
	t.AllowP224 = t.AllowP224 && o.AllowP224
	t.Lists = max(t.Lists, o.Lists)
	if o.ListAge > 0 && (t.ListMax == 0 || o.ListAge < t.ListMax) {
		t.ListMax = o.ListAge
	}
	return t
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
	leftOut     []LeftOut
}

// LeftOut is a file of which something is not used, and why.
type LeftOut struct {
	File string
	Err  error
}

// LoadTrust reads every file in dir, PEM or DER, and then more. A file without
// a usable certificate or revocation list is left out and gives a warning,
// since one foreign or damaged file must not close a gate.
func LoadTrust(dir string, o TrustOptions, more ...TrustFile) (*Trust, error) {
	files, err := ReadFolder(dir)
	if err != nil {
		return nil, fmt.Errorf("load trust: %w", err)
	}
	if len(files)+len(more) > MaxTrustFiles {
		return nil, fmt.Errorf("load trust: %w: more than %d files", ErrTrust, MaxTrustFiles)
	}
	return ReadTrust(o, append(files, more...)...), nil
}

// ReadTrust makes a Trust of the contents of files, as LoadTrust does.
func ReadTrust(o TrustOptions, files ...TrustFile) *Trust {
	t := newTrust(o)
	var found findings
	for _, f := range files {
		if f.err != nil {
			t.warn(f.Name, f.err)
			continue
		}
		t.read(&found, f)
	}
	t.build(found)
	return t
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

// LeftOut tells what is not used, and why.
func (t *Trust) LeftOut() []LeftOut { return slices.Clone(t.leftOut) }

// Warnings is LeftOut in words.
func (t *Trust) Warnings() []string {
	var list []string
	for _, l := range t.leftOut {
		list = append(list, fmt.Sprintf("%s left out: %v", l.File, l.Err))
	}
	return list
}

// Options are those it was made with.
func (t *Trust) Options() TrustOptions { return t.options }

func newTrust(o TrustOptions) *Trust {
	return &Trust{
		options: o, authorities: map[string][]issuer{}, lists: map[string]map[string]*list{},
		byName: map[signerKey][]*signer{}, byIndex: map[[idbReference]byte][]*signer{},
	}
}

func (t *Trust) warn(name string, err error) {
	t.leftOut = append(t.leftOut, LeftOut{name, err})
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
			if f.ListsOnly && (err == nil || b.Type == blockCertificate) {
				continue
			}
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
		l.file, l.beside = f.Name, f.ListsOnly
		found.lists = append(found.lists, l)
	}
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
