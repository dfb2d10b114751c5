package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"bordergate/barcode/pass"
	"bordergate/barcode/seal"
	"bordergate/barcode/symbol"
	"bordergate/biometrics"
	"bordergate/cmd/gatectl/label"
)

// issuer signs passes and draws their labels.
type issuer struct {
	key       *ecdsa.PrivateKey
	cert      *x509.Certificate
	country   string
	now       time.Time
	dpi       int
	module    int // units of the label
	templates pass.TemplateKeys
	enrolArgs []string
}

// newIssuer reads the keys, and refuses a certificate that no gate would take.
func newIssuer(ctx context.Context, e env, f issueFlags) (*issuer, error) {
	is := &issuer{
		now: time.Now(), dpi: f.dpi, country: f.country,
		enrolArgs: []string{"--json", "--gatevision", f.gatevisionProgram, "--models", f.modelsFolder, "--manifest", f.manifest},
	}
	var err error
	if is.module, err = label.Module(f.module, f.dpi); err != nil {
		return nil, err
	}
	if f.sheet != "" {
		if _, err := label.ParseSheet(f.sheet); err != nil {
			return nil, err
		}
	}
	if f.templateKey != "" {
		if is.templates, err = pass.LoadTemplateKeys(f.templateKey); err != nil {
			return nil, err
		}
	}
	if is.key, is.cert, err = loadSigner(ctx, f.key, f.cert, f.passphraseFile); err != nil {
		return nil, err
	}
	if is.now.Before(is.cert.NotBefore) || is.now.After(is.cert.NotAfter) {
		return nil, errors.New("signer's certificate is not valid today")
	}
	if is.country == "" {
		is.country = travelCountry(is.cert)
	}
	if exposed(f.key) {
		fmt.Fprintf(e.Err, "gatectl pass issue: the signing key can be read by others on this machine: chmod 600 it\n")
	}
	return is, nil
}

// exposed says whether others than the owner may read the file.
func exposed(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().Perm()&0o044 != 0
}

// travelCountry turns the certificate's two letters into those of a travel
// document (ICAO Doc 9303-3), for the countries an office here may belong to.
func travelCountry(c *x509.Certificate) string {
	if len(c.Subject.Country) != 1 {
		return ""
	}
	two := strings.ToUpper(c.Subject.Country[0])
	if three, ok := map[string]string{
		"VN": "VNM", "LA": "LAO", "KH": "KHM", "CN": "CHN", "UT": "UTO",
	}[two]; ok {
		return three
	}
	return two
}

// enrol makes a template from a photograph, as "face enrol" does.
func (is *issuer) enrol(ctx context.Context, e env, photo string) (template, error) {
	var out bytes.Buffer
	if status := faceEnrol(ctx, env{Out: &out, Err: e.Err}, append(is.enrolArgs, "--", photo)); status == exitUnable {
		return template{}, errors.New("photograph could not be enrolled")
	}
	var got enrolment
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		return template{}, fmt.Errorf("read enrolment: %w", err)
	}
	if !got.Accepted {
		return template{}, fmt.Errorf("photograph is not good enough to enrol: %s", strings.Join(got.Advice, "; "))
	}
	if _, err := biometrics.ParseReference(got.Reference); err != nil {
		return template{}, fmt.Errorf("read enrolment: %w", err)
	}
	return template{got.Reference, got.Model}, nil
}

// made is a signed pass and its label.
type made struct {
	raw     []byte
	header  seal.Header
	modules int
	label   *label.Label
}

func (m made) printedName() string {
	if m.label.UsesMRZName() {
		return "name_mrz"
	}
	return "name"
}

// make signs a pass and lays its label out.
func (is *issuer) make(p pass.Pass, issued time.Time, t template) (made, error) {
	if p.ValidTo.After(is.cert.NotAfter) {
		return made{}, errors.New("pass would outlive the signer's certificate: no gate would take it to its end")
	}
	if issued.IsZero() {
		issued = is.now
	}
	if issued.After(is.now) {
		return made{}, errors.New("issued is in the future: gates would refuse the pass")
	}
	if t.bytes != nil {
		k, ok := is.templates.First()
		if !ok {
			return made{}, errors.New("no template key to seal the template with")
		}
		p.Model = t.model
		if err := k.Seal(&p, t.bytes); err != nil {
			return made{}, err
		}
	}
	h, err := seal.NewHeader(is.cert, is.country, issued, is.now)
	if err != nil {
		return made{}, err
	}
	h = pass.Header(h)
	features, err := p.Features()
	if err != nil {
		return made{}, err
	}
	raw, err := seal.Sign(h, features, is.key)
	if err != nil {
		return made{}, err
	}
	return is.lay(p, h, raw)
}

// lay lays out the label of a seal's bytes.
func (is *issuer) lay(p pass.Pass, h seal.Header, raw []byte) (made, error) {
	code, err := symbol.EncodeQR(raw, 1)
	if err != nil {
		return made{}, err
	}
	l, err := label.New(label.Content{
		Code: code, Title: titles(p.Type), Number: p.Number, Name: p.Name, NameMRZ: p.NameMRZ,
		ValidFrom: p.ValidFrom, ValidTo: p.ValidTo, Crossings: p.Crossings,
	}, is.module)
	if err != nil {
		return made{}, err
	}
	return made{raw, h, code.Rect.Dx() - 2*symbol.QuietZone, l}, nil
}

// draw makes the file of some labels: PNG of the one, PDF of any number.
func (is *issuer) draw(labels []*label.Label, ext, sheet string) ([]byte, error) {
	date := is.cert.NotBefore // any fixed time: the file's date tells nobody anything
	switch {
	case strings.EqualFold(ext, ".png"):
		return labels[0].PNG(is.dpi)
	case sheet == "":
		return label.PDF(labels, date)
	}
	s, err := label.ParseSheet(sheet)
	if err != nil {
		return nil, err
	}
	return s.PDF(labels, date)
}

// kept returns the seal of an earlier run if it says what would be signed now
// and its signature stands, so that running a list again changes nothing.
func (is *issuer) kept(path string, p pass.Pass, issued time.Time, t template) (m made, ok bool, err error) {
	raw, err := readFile(path, seal.MaxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return made{}, false, nil
	}
	if err != nil {
		return made{}, false, err
	}
	s, err := seal.Parse(raw)
	if err != nil {
		return made{}, false, nil // damaged: it is made anew
	}
	trust := seal.NewTrust([]*x509.Certificate{is.cert}, seal.TrustOptions{Pin: true})
	old, err := pass.FromSeal(s)
	if err != nil || !trust.Verify(s, is.now).Valid() || strings.TrimRight(s.Country, "<") != is.country ||
		(!issued.IsZero() && !s.Issued.Equal(issued)) || !is.same(old, p, t) {
		return made{}, false, nil
	}
	m, err = is.lay(p, s.Header, raw)
	return m, err == nil, err
}

// same compares what an old pass says with a new one and its template.
func (is *issuer) same(old, p pass.Pass, t template) bool {
	if old.Model != t.model || len(old.Unknown) > 0 {
		return false
	}
	if t.bytes != nil {
		plain, err := is.templates.Open(old)
		if err != nil || !bytes.Equal(plain, t.bytes) {
			return false
		}
	}
	old.Model, old.SealedTemplate = "", nil
	a, errA := old.Features()
	b, errB := p.Features()
	if errA != nil || errB != nil || len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Tag != b[i].Tag || !bytes.Equal(a[i].Value, b[i].Value) {
			return false
		}
	}
	return true
}
