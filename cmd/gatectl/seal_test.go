package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sharedSeals is the folder of real seals, which is no part of the project.
func sharedSeals(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("BORDERGATE_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	dir = filepath.Join(dir, "seals")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("The seals are not here; set BORDERGATE_DATA to the folder of test data")
	}
	return dir
}

// sealVector is one seal of the shared sets.
type sealVector struct {
	Name, Format, Cert string
	Raw                string         `json:"raw_hex"`
	Text               string         `json:"barcode_text"`
	Parse              string         `json:"expected_parse"`
	Verify             string         `json:"expected_verify"` // of the signature alone
	Header             map[string]any `json:"expected_header"`
	Features           []struct {
		Tag, Hex string
	} `json:"expected_features"`
	Messages []struct {
		Tag, Hex string
	} `json:"expected_messages"`
}

func (v sealVector) bytes(t *testing.T) []byte {
	t.Helper()
	if v.Text != "" {
		return []byte(v.Text)
	}
	b, err := hex.DecodeString(v.Raw)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signed is the date of the signature; own_p256.json says it in words only.
func (v sealVector) signed(t *testing.T) time.Time {
	t.Helper()
	text, _ := v.Header["signature_creation_date"].(string)
	if text == "" {
		text, _ = v.Header["sig_date"].(string)
	}
	if text == "" {
		return time.Time{}
	}
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// period is a certificate's validity, as openssl prints it in the data.
type period struct{ from, to time.Time }

// sealSet is all vectors and the certificates of the data.
type sealSet struct {
	vectors []sealVector
	periods map[string]period
	trust   string // folder with the certificates
}

func loadSeals(t *testing.T) sealSet {
	t.Helper()
	dir := sharedSeals(t)
	var all struct {
		VDS, IDB []sealVector
		Certs    []struct {
			Name, Curve string
			PEM         string `json:"cert_pem"`
			Info        []string
		}
	}
	var own struct {
		CSCA    string `json:"csca_pem"`
		Signer  string `json:"signer_pem"`
		Vectors []sealVector
	}
	for name, to := range map[string]any{"vectors.json": &all, "own_p256.json": &own} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, to); err != nil {
			t.Fatal(err)
		}
	}
	set := sealSet{vectors: slices.Concat(all.VDS, all.IDB, own.Vectors), trust: t.TempDir(), periods: map[string]period{
		"UTGT1A": {time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)},
	}}
	files := map[string]string{"csca.pem": own.CSCA, "signer.pem": own.Signer}
	for _, c := range all.Certs {
		files[c.Name+".pem"] = c.PEM
		set.periods[c.Name] = period{opensslTime(t, c.Info, "notBefore="), opensslTime(t, c.Info, "notAfter=")}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(set.trust, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return set
}

func opensslTime(t *testing.T, info []string, field string) time.Time {
	t.Helper()
	for _, line := range info {
		if text, ok := strings.CutPrefix(line, field); ok {
			at, err := time.Parse("Jan _2 15:04:05 2006 MST", text)
			if err != nil {
				t.Fatal(err)
			}
			return at
		}
	}
	t.Fatalf("no %s in %q", field, info)
	return time.Time{}
}

// weakCert is the certificate of the set whose curve needs --allow-p224.
const weakCert = "DETS32"

// want is the verdict that follows from the data and from the rules in
// facts: the data says only whether the signature fits.
func (s sealSet) want(t *testing.T, v sealVector, at time.Time, pinned, weak bool) string {
	t.Helper()
	p, known := s.periods[v.Cert]
	switch {
	case v.Parse != "" && v.Parse != "ok", strings.Contains(v.Name, "trailing"):
		return "WRONG_FORMAT"
	case v.Verify == "unsigned" && v.Text == "":
		return "WRONG_FORMAT" // a VDS must be signed
	case v.Verify == "unsigned":
		return "INVALID_SIGNATURE"
	case !known:
		return "UNKNOWN_CERTIFICATE"
	case v.Cert == weakCert && !weak:
		return "UNTRUSTED_CERTIFICATE"
	case !pinned && v.Cert != "UTGT1A":
		return "UNTRUSTED_CERTIFICATE" // the issuers of the others are in no set
	case at.Before(p.from) || at.After(p.to):
		return "EXPIRED_CERTIFICATE"
	case v.signed(t).After(at.Add(14 * time.Hour)):
		return "INVALID_SIGNATURE" // signed in the future
	case v.Verify == "valid":
		return "VALID"
	}
	return "INVALID_SIGNATURE"
}

// TestSealVectors runs the command over every real and derived seal at fixed
// dates: one at which the German test certificates are valid, one at which
// they are over.
func TestSealVectors(t *testing.T) {
	set := loadSeals(t)
	files := make([]string, len(set.vectors))
	for i, v := range set.vectors {
		files[i] = filepath.Join(t.TempDir(), "seal")
		if err := os.WriteFile(files[i], v.bytes(t), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, run := range []struct {
		at           string
		pinned, weak bool
	}{
		{"2024-12-01T12:00:00Z", true, true},
		{"2024-12-01T12:00:00Z", true, false},
		{"2026-11-22T12:00:00Z", true, true},
		{"2026-11-22T12:00:00Z", false, true},
	} {
		at, err := time.Parse(time.RFC3339, run.at)
		if err != nil {
			t.Fatal(err)
		}
		args := []string{"seal", "verify", "--json", "--trust", set.trust, "--at", run.at}
		if run.pinned {
			args = append(args, "--pin")
		}
		if run.weak {
			args = append(args, "--allow-p224")
		}
		right, verdicts := 0, map[string]int{}
		for i, v := range set.vectors {
			want := set.want(t, v, at, run.pinned, run.weak)
			if got := sealVerdict(t, v, append(args, files[i])); got != want {
				t.Errorf("%s, %s at %s: %s, want %s", v.Name, strings.Join(args[6:], " "), run.at, got, want)
				continue
			}
			right++
			verdicts[want]++
		}
		t.Logf("%s: %d of %d as expected %v", strings.Join(args[5:], " "), right, len(set.vectors), verdicts)
	}
}

// sealVerdict runs the command, holds its output to the data and gives its code.
func sealVerdict(t *testing.T, v sealVector, args []string) string {
	t.Helper()
	got := gatectl(t, args...)
	r := decodeLine[sealReport](t, got.out)
	if positive := got.status == exitDone; positive != r.Valid || r.Valid != (r.Code == "VALID") || got.status == exitUnable {
		t.Errorf("%s: status %d with %s, valid %v", v.Name, got.status, r.Code, r.Valid)
	}
	if format := map[bool]string{true: "idb", false: "vds"}[v.Text != ""]; r.Format != format {
		t.Errorf("%s: format %s, want %s", v.Name, r.Format, format)
	}
	if r.Code == "WRONG_FORMAT" {
		return string(r.Code)
	}
	want := append(v.Features, v.Messages...)
	if len(want) > 0 && len(want) != len(r.Features) {
		t.Errorf("%s: %d features, want %d", v.Name, len(r.Features), len(want))
		return string(r.Code)
	}
	for i, f := range want {
		if fmt.Sprintf("0x%02x", r.Features[i].Tag) != f.Tag || r.Features[i].Value != f.Hex {
			t.Errorf("%s: feature %d differs", v.Name, i)
		}
	}
	if country, ok := v.Header["country"].(string); ok && r.Header.Country != strings.TrimRight(country, "<") {
		t.Errorf("%s: country %s", v.Name, r.Header.Country)
	}
	if d := v.signed(t); !d.IsZero() && r.Header.Signed != d.Format(time.DateOnly) {
		t.Errorf("%s: signed %s, want %s", v.Name, r.Header.Signed, d.Format(time.DateOnly))
	}
	return string(r.Code)
}
