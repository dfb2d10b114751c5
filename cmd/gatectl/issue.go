package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"bordergate/barcode/pass"
	"bordergate/barcode/seal"
	"bordergate/barcode/symbol"
)

// holder is the file an issuing office fills in; docs/pass-profile.md.
type holder struct {
	Number       string   `yaml:"number"`
	Type         string   `yaml:"type"`
	Name         string   `yaml:"name"`
	NameMRZ      string   `yaml:"name_mrz"`
	Birth        string   `yaml:"birth"`
	Account      string   `yaml:"account"`
	Organisation string   `yaml:"organisation"`
	ValidFrom    string   `yaml:"valid_from"`
	ValidTo      string   `yaml:"valid_to"`
	Crossings    []string `yaml:"crossings"`
	Directions   []string `yaml:"directions"`
	Issued       string   `yaml:"issued"`
}

type issueReport struct {
	File    string `json:"file"`
	Bytes   int    `json:"bytes"`
	Modules int    `json:"modules"`
	Signer  string `json:"signer"`
	CertRef string `json:"cert_ref"`
}

func passIssue(_ context.Context, e env, args []string) int {
	const words = "pass issue"
	fs := newFlags(e, words)
	holderFile := fs.String("holder", "", "YAML file with the holder's data")
	photo := fs.String("photo", "", "photograph; not needed while the reference is in the gates' cache")
	keyFile := fs.String("key", "", "signer's private key, PEM")
	certFile := fs.String("cert", "", "signer's certificate, PEM or DER")
	out := fs.String("out", "", "label to write, .png")
	country := fs.String("country", "", "issuing country, 1 to 3 letters (default from the certificate)")
	module := fs.Int("module", 8, "pixels a module: 8 at 600 dpi is 0.34 mm")
	fs.Bool("json", true, "print JSON (always)")
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	switch {
	case len(rest) > 0 || *holderFile == "" || *keyFile == "" || *certFile == "" || *out == "":
		return unable(e, words, errors.New("needs --holder, --key, --cert and --out, and nothing else"))
	case strings.EqualFold(filepath.Ext(*out), ".pdf"):
		return unable(e, words, errors.New("--out: PDF labels are not in this version; name a .png file"))
	case !strings.EqualFold(filepath.Ext(*out), ".png"):
		return unable(e, words, errors.New("--out: name a .png file"))
	}
	if *photo != "" {
		if _, err := os.Stat(*photo); err != nil {
			return unable(e, words, fmt.Errorf("--photo: %w", err))
		}
		fmt.Fprintln(e.Err, "gatectl pass issue: the photograph is not put on the label in this version; enrol it in the accounts")
	}
	report, err := issue(*holderFile, *keyFile, *certFile, *out, *country, *module)
	if err != nil {
		return unable(e, words, err)
	}
	if err := json.NewEncoder(e.Out).Encode(report); err != nil {
		return unable(e, words, err)
	}
	return exitDone
}

// issue makes the label and writes it last, so that no half of one stays.
func issue(holderFile, keyFile, certFile, out, country string, module int) (issueReport, error) {
	p, issued, err := loadHolder(holderFile)
	if err != nil {
		return issueReport{}, err
	}
	key, cert, err := loadSigner(keyFile, certFile)
	if err != nil {
		return issueReport{}, err
	}
	today := time.Now()
	if today.Before(cert.NotBefore) || today.After(cert.NotAfter) {
		return issueReport{}, errors.New("signer's certificate is not valid today")
	}
	if p.ValidTo.After(cert.NotAfter) {
		return issueReport{}, errors.New("pass would outlive the signer's certificate: no gate would take it to its end")
	}
	if country == "" {
		country = travelCountry(cert)
	}
	if issued.IsZero() {
		issued = today
	}
	if issued.After(today) {
		return issueReport{}, errors.New("holder: issued is in the future: gates would refuse the pass")
	}
	h, err := seal.NewHeader(cert, country, issued, today)
	if err != nil {
		return issueReport{}, err
	}
	features, err := p.Features()
	if err != nil {
		return issueReport{}, fmt.Errorf("holder: %w", err)
	}
	raw, err := seal.Sign(pass.Header(h), features, key)
	if err != nil {
		return issueReport{}, err
	}
	label, err := symbol.EncodeQR(raw, module)
	if err != nil {
		return issueReport{}, err
	}
	var b bytes.Buffer
	if err := png.Encode(&b, label); err != nil {
		return issueReport{}, fmt.Errorf("write label: %w", err)
	}
	if err := os.WriteFile(out, b.Bytes(), 0o600); err != nil {
		return issueReport{}, fmt.Errorf("write label: %w", err)
	}
	return issueReport{
		File: out, Bytes: len(raw), Modules: label.Rect.Dx()/module - 2*symbol.QuietZone,
		Signer: h.Signer, CertRef: h.CertRef,
	}, nil
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

func loadHolder(file string) (p pass.Pass, issued time.Time, err error) {
	b, err := readFile(file, 64<<10)
	if err != nil {
		return p, issued, fmt.Errorf("holder: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	var h holder
	if err := dec.Decode(&h); err != nil {
		if errors.Is(err, io.EOF) {
			return p, issued, errors.New("holder: the file is empty")
		}
		// The library's text quotes values.
		return p, issued, fmt.Errorf("holder: not YAML with only the fields of docs/pass-profile.md")
	}
	p = pass.Pass{
		Number: h.Number, Type: h.Type, Name: h.Name, NameMRZ: h.NameMRZ,
		Account: h.Account, Organisation: h.Organisation, Crossings: h.Crossings,
	}
	for _, d := range []struct {
		field, text string
		to          *time.Time
	}{
		{"birth", h.Birth, &p.Birth},
		{"valid_from", h.ValidFrom, &p.ValidFrom},
		{"valid_to", h.ValidTo, &p.ValidTo},
		{"issued", h.Issued, &issued},
	} {
		if d.text == "" {
			continue // missing dates are reported with the other fields
		}
		if *d.to, err = time.Parse(time.DateOnly, d.text); err != nil {
			return p, issued, fmt.Errorf("holder: %s is not a date like 2026-09-01", d.field)
		}
	}
	for _, d := range h.Directions {
		switch d {
		case "exit":
			p.Directions |= pass.Exit
		case "entry":
			p.Directions |= pass.Entry
		default:
			return p, issued, errors.New("holder: directions are exit and entry")
		}
	}
	return p, issued, nil
}

// loadSigner reads a key and its certificate, and holds one to the other.
func loadSigner(keyFile, certFile string) (*ecdsa.PrivateKey, *x509.Certificate, error) {
	b, err := readFile(certFile, 1<<20)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate: %w", err)
	}
	if block, _ := pem.Decode(b); block != nil {
		b = block.Bytes
	}
	cert, err := x509.ParseCertificate(b)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate %s: %w", certFile, err)
	}
	if b, err = readFile(keyFile, 1<<20); err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, nil, fmt.Errorf("key %s: not PEM", keyFile)
	}
	var key *ecdsa.PrivateKey
	if parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		key, _ = parsed.(*ecdsa.PrivateKey)
	} else if parsed, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		key = parsed
	}
	if key == nil {
		return nil, nil, fmt.Errorf("key %s: not an unencrypted ECDSA key", keyFile)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, nil, errors.New("key and certificate do not belong together")
	}
	return key, cert, nil
}
