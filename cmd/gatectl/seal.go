package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"bordergate/barcode/seal"
)

func sealCommands() []command {
	return append([]command{{
		words:   "seal verify",
		summary: "check a seal's bytes or text against a folder of certificates: --json --trust DIR FILE",
		run:     sealVerify,
	}}, trustCommands()...)
}

// sealHeader leaves out what an IDB has not, or a VDS.
type sealHeader struct {
	Version    int    `json:"version,omitempty"`
	Country    string `json:"country"`
	Signer     string `json:"signer,omitempty"`
	CertRef    string `json:"cert_ref,omitempty"`
	Issued     string `json:"issued,omitempty"`
	Signed     string `json:"signed,omitempty"`
	FeatureRef int    `json:"feature_ref,omitempty"`
	Category   int    `json:"category,omitempty"`
	Algorithm  string `json:"algorithm,omitempty"`
	Embedded   bool   `json:"embedded_certificate,omitempty"`
}

type sealFeature struct {
	Tag   int    `json:"tag"`
	Value string `json:"value_hex"`
}

type sealReport struct {
	Valid    bool          `json:"valid"`
	Code     seal.Code     `json:"code"`
	Reason   string        `json:"reason,omitempty"`
	Format   string        `json:"format"`
	Header   *sealHeader   `json:"header,omitempty"`
	Features []sealFeature `json:"features"`
}

// trustFlags are shared by the commands that check a seal.
type trustFlags struct {
	dir   *string
	at    *string
	pin   *bool
	p224  *bool
	json  *bool
	fresh *bool
	age   *time.Duration
	// Of the trust folder's own commands.
	config      *string
	soon        *time.Duration
	fingerprint *string
}

// listFlags adds how revocation lists are believed.
func (f *trustFlags) listFlags(fs *flag.FlagSet) {
	f.fresh = fs.Bool("fresh-lists", false, "believe no signer without a revocation list in its time")
	f.age = fs.Duration("list-age", 0, "how long a revocation list is in its time (default until its own next update)")
}

// options of the trust folder.
func (f *trustFlags) options() seal.TrustOptions {
	o := seal.TrustOptions{Pin: *f.pin, AllowP224: *f.p224}
	if f.fresh != nil && *f.fresh {
		o.Lists = seal.ListsFresh
	}
	if f.age != nil {
		o.ListAge = *f.age
	}
	return o
}

func sealVerify(_ context.Context, e env, args []string) int {
	const words = "seal verify"
	fs := newFlags(e, words)
	f := trustFlags{
		dir:  fs.String("trust", "", "folder with the signers' certificates"),
		at:   fs.String("at", "", "time to check at, RFC 3339 (default now)"),
		pin:  fs.Bool("pin", false, "trust each certificate as a signer itself"),
		p224: fs.Bool("allow-p224", false, "admit the curve brainpoolP224r1"),
		json: fs.Bool("json", false, "print JSON"),
	}
	f.listFlags(fs)
	files, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if len(files) != 1 {
		return unable(e, words, errors.New("name one file with the seal's bytes or text"))
	}
	trust, at, err := f.load(e)
	if err != nil {
		return unable(e, words, err)
	}
	raw, err := readFile(files[0], 2*seal.MaxSize)
	if err != nil {
		return unable(e, words, err)
	}
	report := judge(raw, trust, at)
	if err := printSeal(e.Out, report, *f.json); err != nil {
		return unable(e, words, err)
	}
	if !report.Valid {
		return exitNegative
	}
	return exitDone
}

// load opens the trust folder and tells on e.Err what it left out.
func (f trustFlags) load(e env, more ...seal.TrustFile) (*seal.Trust, time.Time, error) {
	at, err := f.moment()
	if err != nil {
		return nil, at, err
	}
	if *f.dir == "" {
		return nil, at, errors.New("--trust names no folder")
	}
	trust, err := seal.LoadTrust(*f.dir, f.options(), more...)
	if err != nil {
		return nil, at, err
	}
	warnTrust(e, trust, at)
	return trust, at, nil
}

// moment is the time to judge at.
func (f trustFlags) moment() (time.Time, error) {
	if *f.at == "" {
		return time.Now(), nil
	}
	at, err := time.Parse(time.RFC3339, *f.at)
	if err != nil {
		return at, fmt.Errorf("--at is not a time like 2026-09-05T10:00:00Z: %w", err)
	}
	return at, nil
}

// warnTrust tells what is left out, and which lists are old.
func warnTrust(e env, trust *seal.Trust, at time.Time) {
	for _, w := range trust.Warnings() {
		fmt.Fprintf(e.Err, "gatectl: trust folder: %s\n", w)
	}
	for _, l := range trust.Entries(at) {
		if errors.Is(l.Err, seal.ErrListOld) && l.Kind == seal.KindList {
			fmt.Fprintf(e.Err, "gatectl: trust folder: %s is an old revocation list of %s\n", l.File, showDate(l.NotBefore))
		}
	}
}

// judge parses and verifies, and shows all it could read.
func judge(raw []byte, trust *seal.Trust, at time.Time) sealReport {
	report := sealReport{Format: seal.FormatOf(raw), Features: []sealFeature{}}
	s, err := seal.Parse(raw)
	if err != nil {
		report.Code, report.Reason = seal.CodeOf(err), err.Error()
		return report
	}
	report.Header = showHeader(s)
	for _, f := range s.Features {
		report.Features = append(report.Features, sealFeature{int(f.Tag), hex.EncodeToString(f.Value)})
	}
	r := trust.Verify(s, at)
	report.Valid, report.Code = r.Valid(), r.Code
	if r.Err != nil {
		report.Reason = r.Err.Error()
	}
	return report
}

func showHeader(s *seal.Seal) *sealHeader {
	h := &sealHeader{
		Version: s.Version, Country: s.Country, Signer: s.Signer, CertRef: s.CertRef,
		Issued: showDate(s.Issued), Signed: showDate(s.Signed),
		FeatureRef: int(s.FeatureRef), Category: int(s.Category),
	}
	h.Algorithm, h.Embedded = s.SignedWith()
	return h
}

// showDate writes a date, and nothing for one that is not there.
func showDate(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

func printSeal(w io.Writer, r sealReport, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	if _, err := fmt.Fprintf(w, "%s %s\n", r.Code, r.Reason); err != nil || r.Header == nil {
		return err
	}
	h := r.Header
	if r.Format == seal.FormatIDB {
		_, err := fmt.Fprintf(w, "IDB, country %s, certificate %s, signed %s %s, kind %02X/%02X, %d features\n",
			h.Country, h.CertRef, h.Signed, h.Algorithm, h.FeatureRef, h.Category, len(r.Features))
		return err
	}
	_, err := fmt.Fprintf(w, "version %d, country %s, signer %s, certificate %s, issued %s, signed %s, kind %02X/%02X, %d features\n",
		h.Version, h.Country, h.Signer, h.CertRef, h.Issued, h.Signed, h.FeatureRef, h.Category, len(r.Features))
	return err
}

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("read %s: larger than %d bytes", path, limit)
	}
	return b, nil
}
