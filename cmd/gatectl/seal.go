package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"bordergate/barcode/seal"
)

func sealCommands() []command {
	return []command{{
		words:   "seal verify",
		summary: "check a seal's bytes against a folder of certificates: --json --trust DIR FILE",
		run:     sealVerify,
	}}
}

type sealHeader struct {
	Version    int    `json:"version"`
	Country    string `json:"country"`
	Signer     string `json:"signer"`
	CertRef    string `json:"cert_ref"`
	Issued     string `json:"issued"`
	Signed     string `json:"signed"`
	FeatureRef int    `json:"feature_ref"`
	Category   int    `json:"category"`
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
	dir  *string
	at   *string
	pin  *bool
	p224 *bool
	json *bool
}

func sealVerify(_ context.Context, e env, args []string) int {
	const words = "seal verify"
	fs := newFlags(e, words)
	f := trustFlags{
		dir:  fs.String("trust", "", "folder with the signers' certificates"),
		at:   fs.String("at", "", "time to check at, RFC 3339 (default now)"),
		pin:  fs.Bool("pin", false, "trust each certificate as a signer itself"),
		p224: fs.Bool("allow-p224", false, "admit brainpoolP224r1 (not in this version)"),
		json: fs.Bool("json", false, "print JSON"),
	}
	files, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if len(files) != 1 {
		return unable(e, words, errors.New("name one file with the seal's bytes"))
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
func (f trustFlags) load(e env) (*seal.Trust, time.Time, error) {
	at := time.Now()
	if *f.p224 {
		return nil, at, errors.New("--allow-p224: brainpool curves are not in this version")
	}
	if *f.dir == "" {
		return nil, at, errors.New("--trust names no folder")
	}
	if *f.at != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, *f.at); err != nil {
			return nil, at, fmt.Errorf("--at is not a time like 2026-09-05T10:00:00Z: %w", err)
		}
	}
	trust, err := seal.LoadTrust(*f.dir, seal.TrustOptions{Pin: *f.pin})
	if err != nil {
		return nil, at, err
	}
	for _, w := range trust.Warnings() {
		fmt.Fprintf(e.Err, "gatectl: trust folder: %s\n", w)
	}
	return trust, at, nil
}

// judge parses and verifies, and shows all it could read.
func judge(raw []byte, trust *seal.Trust, at time.Time) sealReport {
	report := sealReport{Format: seal.FormatVDS, Features: []sealFeature{}}
	s, err := seal.Parse(raw)
	if err != nil {
		report.Code, report.Reason = seal.CodeOf(err), err.Error()
		if errors.Is(err, seal.ErrIDB) {
			report.Format = "idb"
		}
		return report
	}
	report.Format = s.Format
	report.Header = &sealHeader{
		Version: s.Version, Country: s.Country, Signer: s.Signer, CertRef: s.CertRef,
		Issued: s.Issued.Format(time.DateOnly), Signed: s.Signed.Format(time.DateOnly),
		FeatureRef: int(s.FeatureRef), Category: int(s.Category),
	}
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

func printSeal(w io.Writer, r sealReport, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	if _, err := fmt.Fprintf(w, "%s %s\n", r.Code, r.Reason); err != nil || r.Header == nil {
		return err
	}
	h := r.Header
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
