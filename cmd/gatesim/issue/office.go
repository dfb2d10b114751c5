package issue

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"bordergate/barcode/pass"
	"bordergate/barcode/seal"
)

// ErrKept is returned for a cached authority that cannot be used any more.
var ErrKept = errors.New("kept authority is not usable")

const (
	country    = "UT" // Utopia, of ICAO's specimens
	countryMRZ = "UTO"
	keepDays   = 60
	day        = 24 * time.Hour
)

// Office issues passes.
type Office struct {
	dir     string
	base    time.Time // the day all passes are dated by
	trusted authority
	foreign authority
	key     pass.TemplateKey // seals templates
}

type authority struct {
	ca, signer *x509.Certificate
	key        *ecdsa.PrivateKey
}

// Open takes the office kept in dir, or founds one there.
func Open(dir string, now time.Time) (*Office, error) {
	o := &Office{dir: dir}
	for _, a := range []struct {
		name, signer string
		to           *authority
	}{{"trusted", "G1", &o.trusted}, {"foreign", "X9", &o.foreign}} {
		kept, err := load(filepath.Join(dir, a.name), now)
		if err != nil {
			if kept, err = found(filepath.Join(dir, a.name), a.signer, now); err != nil {
				return nil, err
			}
		}
		*a.to = kept
	}
	if err := o.openTemplateKey(); err != nil {
		return nil, err
	}
	o.base = o.trusted.signer.NotBefore.Add(400 * day).UTC().Truncate(day)
	return o, nil
}

// found makes an authority and keeps it. Its certificates begin 400 days ago,
// so that old passes can be made.
func found(dir, signer string, now time.Time) (authority, error) {
	from := now.UTC().Truncate(day).Add(-400 * day)
	a, err := seal.NewAuthority(seal.AuthorityOptions{Country: country, Signer: signer, Serial: 1, NotBefore: from, NotAfter: from.Add(4000 * day)})
	if err != nil {
		return authority{}, fmt.Errorf("found issuing office: %w", err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(a.SignerKey)
	if err != nil {
		return authority{}, fmt.Errorf("found issuing office: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return authority{}, fmt.Errorf("found issuing office: %w", err)
	}
	for name, block := range map[string]*pem.Block{
		"signer.key": {Type: "PRIVATE KEY", Bytes: key},
		"ca.pem":     {Type: "CERTIFICATE", Bytes: a.CA.Raw},
		"signer.pem": {Type: "CERTIFICATE", Bytes: a.Signer.Raw},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return authority{}, fmt.Errorf("found issuing office: %w", err)
		}
	}
	return authority{ca: a.CA, signer: a.Signer, key: a.SignerKey}, nil
}

func load(dir string, now time.Time) (authority, error) {
	var a authority
	raw := map[string][]byte{}
	for _, name := range []string{"ca.pem", "signer.pem", "signer.key"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return a, fmt.Errorf("read issuing office: %w", err)
		}
		block, _ := pem.Decode(b)
		if block == nil {
			return a, fmt.Errorf("%w: %s", ErrKept, name)
		}
		raw[name] = block.Bytes
	}
	var err error
	if a.ca, err = x509.ParseCertificate(raw["ca.pem"]); err != nil {
		return a, fmt.Errorf("%w: %w", ErrKept, err)
	}
	if a.signer, err = x509.ParseCertificate(raw["signer.pem"]); err != nil {
		return a, fmt.Errorf("%w: %w", ErrKept, err)
	}
	key, err := x509.ParsePKCS8PrivateKey(raw["signer.key"])
	if err != nil {
		return a, fmt.Errorf("%w: %w", ErrKept, err)
	}
	var ok bool
	if a.key, ok = key.(*ecdsa.PrivateKey); !ok || !a.key.PublicKey.Equal(a.signer.PublicKey) {
		return a, fmt.Errorf("%w: key and certificate differ", ErrKept)
	}
	if age := now.Sub(a.signer.NotBefore); age < 400*day || age > (400+keepDays)*day {
		return a, fmt.Errorf("%w: too old", ErrKept)
	}
	return a, nil
}

// Anchor is the SHA-256 of the trusted authority's certificate.
func (o *Office) Anchor() string {
	sum := sha256.Sum256(o.trusted.ca.Raw)
	return hex.EncodeToString(sum[:])
}

// Trust fills a folder with what headquarters publishes.
func (o *Office) Trust(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make trust folder: %w", err)
	}
	for name, c := range map[string]*x509.Certificate{"authority.pem": o.trusted.ca, "signer.pem": o.trusted.signer} {
		b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return fmt.Errorf("make trust folder: %w", err)
		}
	}
	return nil
}

// Kind says what is wrong with a pass.
type Kind string

// The kinds of pass.
const (
	Good      Kind = "good"
	Forged    Kind = "forged"  // changed after it was signed
	Foreign   Kind = "foreign" // signed by an authority that the gate does not know
	Expired   Kind = "expired"
	Elsewhere Kind = "elsewhere"  // good for another crossing
	EntryOnly Kind = "entry_only" // good for one direction
	ExitOnly  Kind = "exit_only"  // good for the other
	Permit    Kind = "permit"     // a port permit
)

// Order is a pass to be made.
type Order struct {
	Kind         Kind
	Number       string
	Account      string
	Crossing     string
	Organisation string // for whom the holder acts, or empty
	// Model and Reference are of the template that the pass carries; empty
	// where it carries none.
	Model     string
	Reference []byte
	Text      bool // as IDB text, for scanners
}

// Make gives the pass's bytes, those of an earlier run where there are any.
func (o *Office) Make(order Order) ([]byte, error) {
	by := o.trusted
	if order.Kind == Foreign {
		by = o.foreign
	}
	sum := sha256.Sum256(fmt.Append(by.signer.Raw, order, o.key.ID()))
	path := filepath.Join(o.dir, "passes", hex.EncodeToString(sum[:12])+".vds")
	if b, err := os.ReadFile(path); err == nil {
		if _, err := seal.Parse(b); err == nil {
			return b, nil
		}
	}
	raw, err := o.sign(by, order)
	if err != nil {
		return nil, fmt.Errorf("make pass: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("keep pass: %w", err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return nil, fmt.Errorf("keep pass: %w", err)
	}
	return raw, nil
}

// elsewhere is a crossing that no gate of the simulator stands at.
const elsewhere = "ZZZ9"

// names that nobody has; a forger turns one into the other.
const (
	nameMade   = "NGUOI MAU"
	nameForged = "NGUOI MAO"
)

func (o *Office) sign(by authority, order Order) ([]byte, error) {
	issued, from, to := o.base.Add(-10*day), o.base.Add(-10*day), o.base.Add(300*day)
	if order.Kind == Expired {
		issued, from, to = o.base.Add(-200*day), o.base.Add(-200*day), o.base.Add(-20*day)
	}
	p := pass.Pass{
		Number: order.Number, Type: pass.TypeBorderPass, Name: nameMade, NameMRZ: "NGUOI<<MAU",
		Birth: time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), Account: order.Account, Organisation: order.Organisation,
		ValidFrom: from, ValidTo: to, Crossings: []string{order.Crossing}, Directions: pass.Exit | pass.Entry,
	}
	switch order.Kind {
	case Elsewhere:
		p.Crossings = []string{elsewhere}
	case EntryOnly:
		p.Directions = pass.Entry
	case ExitOnly:
		p.Directions = pass.Exit
	case Permit:
		p.Type = pass.TypePortPermit
	}
	if len(order.Reference) > 0 {
		p.Model = order.Model
		if err := o.key.Seal(&p, order.Reference); err != nil {
			return nil, err
		}
	}
	features, err := p.Features()
	if err != nil {
		return nil, err
	}
	h, err := seal.NewHeader(by.signer, countryMRZ, issued, issued)
	if err != nil {
		return nil, err
	}
	if order.Text {
		text, err := seal.SignText(pass.Header(h), features, by.key, by.signer, seal.TextOptions{})
		return []byte(text), err
	}
	raw, err := seal.Sign(pass.Header(h), features, by.key)
	if err != nil || order.Kind != Forged {
		return raw, err
	}
	return forge(raw)
}

// Names are every writing of a holder's name on the passes made here.
func Names() []string { return []string{nameMade, nameForged, "NGUOI<<MAU"} }
