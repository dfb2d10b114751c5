package main

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bordergate/barcode/pass"
	"bordergate/barcode/seal"
)

// trustCase is an authority's files and a gate's trust folder.
type trustCase struct {
	a        *seal.Authority
	dir      string
	from, to time.Time
}

func newTrustCase(t *testing.T) trustCase {
	t.Helper()
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := trustCase{dir: t.TempDir(), from: from, to: from.AddDate(5, 0, 0)}
	var err error
	s.a, err = seal.NewAuthority(seal.AuthorityOptions{Country: "UT", Signer: "GT", Serial: 0x1A, NotBefore: s.from, NotAfter: s.to})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.trust(), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write(t, "ca.der", s.a.CA.Raw)
	s.write(t, "signer.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.a.Signer.Raw}))
	return s
}

func (s trustCase) trust() string           { return filepath.Join(s.dir, "trust") }
func (s trustCase) path(name string) string { return filepath.Join(s.dir, name) }

func (s trustCase) write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(s.path(name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// list makes a revocation list of ten days from its date on.
func (s trustCase) list(t *testing.T, name string, number int64, from time.Time, serials ...int64) {
	t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: from, NextUpdate: from.AddDate(0, 0, 10)}
	for _, n := range serials {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: big.NewInt(n), RevocationTime: from})
	}
	raw, err := x509.CreateRevocationList(rand.Reader, l, s.a.CA, s.a.CAKey)
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, name, raw)
}

const trustAt = "2026-09-05T10:00:00Z"

func (s trustCase) run(t *testing.T, command string, args ...string) outcome {
	t.Helper()
	all := append(strings.Fields("seal trust "+command), "--json", "--dir", s.trust(), "--at", trustAt)
	return gatectl(t, append(all, args...)...)
}

// TestTrustAddAndCheck walks through the life of a folder.
func TestTrustAddAndCheck(t *testing.T) {
	s := newTrustCase(t)
	sum := sha256.Sum256(s.a.CA.Raw)
	right := strings.ToUpper(grouped(hex.EncodeToString(sum[:])))
	day := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	s.list(t, "none.crl", 1, day)
	s.list(t, "revoking.crl", 2, day, 0x1A)
	s.list(t, "old.crl", 3, day.AddDate(0, -3, 0))
	s.write(t, "key.pem", []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	s.write(t, "junk", []byte("junk"))
	for _, step := range []struct {
		command string
		args    []string
		status  int
		says    string
	}{
		{"check", nil, exitNegative, `"ok":false`}, // no signer yet
		{"add", []string{s.path("signer.pem")}, exitNegative, "UNTRUSTED_CERTIFICATE"},
		{"add", []string{s.path("none.crl")}, exitNegative, "not signed by an authority"},
		{"add", []string{s.path("ca.der")}, exitNegative, "nothing in the folder vouches"},
		{"add", []string{s.path("ca.der"), "--fingerprint", strings.Repeat("0", 64)}, exitNegative, "nothing in the folder vouches"},
		{"add", []string{s.path("ca.der"), "--fingerprint", right}, exitDone, `"added":true`},
		{"add", []string{s.path("ca.der"), "--fingerprint", right}, exitNegative, "nothing new"},
		{"check", nil, exitNegative, `"kinds":{"root":1}`},
		{"add", []string{s.path("key.pem")}, exitNegative, "no certificate"},
		{"add", []string{s.path("junk")}, exitNegative, `"added":false`},
		{"add", []string{s.path("signer.pem"), s.path("none.crl")}, exitDone, `"added":true`},
		{"check", nil, exitDone, `"ok":true,"kinds":{"list":1,"root":1,"signer":1},"faults":0`},
		{"check", []string{"--soon", "168h"}, exitNegative, "ends soon"},
		{"check", []string{"--list-age", "1h"}, exitNegative, "revocation list of the signer's authority is old"},
		{"list", nil, exitDone, `"signer":"UTGT","cert_ref":"1A"`},
		{"add", []string{s.path("old.crl")}, exitNegative, "EXPIRED_CERTIFICATE"},
		{"add", []string{s.path("revoking.crl")}, exitDone, `"revoked":1`},
		{"add", []string{s.path("none.crl")}, exitNegative, "nothing new"},
		{"check", nil, exitNegative, "REVOKED_CERTIFICATE"},
		{"list", nil, exitDone, "REVOKED_CERTIFICATE"},
	} {
		got := s.run(t, step.command, step.args...)
		if got.status != step.status || !strings.Contains(got.out, step.says) {
			t.Fatalf("%s %v: status %d, want %d and %q: %s%s", step.command, step.args, got.status, step.status, step.says, got.out, got.err)
		}
	}
	left, err := filepath.Glob(filepath.Join(s.trust(), ".add-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestTrustRefuses(t *testing.T) {
	s := newTrustCase(t)
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no folder":      {[]string{"list"}, "--dir names no folder"},
		"missing folder": {[]string{"check", "--dir", s.path("none")}, "trust folder is not usable"},
		"time":           {[]string{"check", "--dir", s.trust(), "--at", "now"}, "--at"},
		"more":           {[]string{"list", "--dir", s.trust(), "x"}, "too many"},
		"no file":        {[]string{"add", "--dir", s.trust()}, "name the files"},
		"missing file":   {[]string{"add", "--dir", s.trust(), s.path("none")}, "no such file"},
		"flag":           {[]string{"add", "--frob"}, "frob"},
	} {
		got := gatectl(t, append([]string{"seal", "trust"}, c.args...)...)
		if got.status != exitUnable || !strings.Contains(got.err, c.says) || got.out != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestTrustInWords prints for people.
func TestTrustInWords(t *testing.T) {
	s := newTrustCase(t)
	sum := sha256.Sum256(s.a.CA.Raw)
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"add", s.path("ca.der")}, "not added"},
		{[]string{"add", s.path("ca.der"), "--fingerprint", hex.EncodeToString(sum[:])}, "SHA-256 " + grouped(hex.EncodeToString(sum[:]))},
		{[]string{"list"}, "root      VALID"},
		{[]string{"check"}, "1 roots, 0 authorities, 0 signers"},
	} {
		got := gatectl(t, append([]string{"seal", "trust"}, append(c.args, "--dir", s.trust(), "--at", trustAt)...)...)
		if !strings.Contains(got.out, c.says) {
			t.Errorf("%v: %+v", c.args, got)
		}
	}
}

// TestSealReasons: unknown, untrusted, expired and revoked are told apart, for
// a pass as bytes and as text.
func TestSealReasons(t *testing.T) {
	s := newTrustCase(t)
	day := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	s.list(t, "list.crl", 1, day, 0x1A)
	h, err := seal.NewHeader(s.a.Signer, "UTO", day, day)
	if err != nil {
		t.Fatal(err)
	}
	p := pass.Pass{
		Number: "BP1", Type: pass.TypeBorderPass, Name: "NGUOI MAU", NameMRZ: "NGUOI<<MAU",
		Birth: day.AddDate(-30, 0, 0), Account: "A1", ValidFrom: day, ValidTo: day.AddDate(1, 0, 0),
		Crossings: []string{"HNG1"}, Directions: pass.Exit,
	}
	features, err := p.Features()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := seal.Sign(pass.Header(h), features, s.a.SignerKey)
	if err != nil {
		t.Fatal(err)
	}
	text, err := seal.SignText(pass.Header(h), features, s.a.SignerKey, s.a.Signer, seal.TextOptions{})
	if err != nil {
		t.Fatal(err)
	}
	read, err := seal.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := pass.FromSeal(read); err != nil || again.Number != p.Number || again.Name != p.Name {
		t.Errorf("the pass in the text: %v", err)
	}
	s.write(t, "seal", raw)
	s.write(t, "text", []byte(text+"\r\n"))
	for _, c := range []struct {
		in   []string
		at   string
		code string
	}{
		{[]string{"ca.der"}, trustAt, "UNKNOWN_CERTIFICATE"},
		{[]string{"signer.pem"}, trustAt, "UNTRUSTED_CERTIFICATE"},
		{[]string{"ca.der", "signer.pem"}, trustAt, "VALID"},
		{[]string{"ca.der", "signer.pem"}, "2032-01-01T00:00:00Z", "EXPIRED_CERTIFICATE"},
		{[]string{"ca.der", "signer.pem", "list.crl"}, trustAt, "REVOKED_CERTIFICATE"},
	} {
		dir := t.TempDir()
		for _, name := range c.in {
			b, err := os.ReadFile(s.path(name))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, file := range []string{"seal", "text"} {
			got := gatectl(t, "seal", "verify", "--json", "--trust", dir, "--at", c.at, s.path(file))
			r := decodeLine[sealReport](t, got.out)
			if string(r.Code) != c.code || byte(r.Header.FeatureRef) != pass.FeatureRef || len(r.Features) != len(features) {
				t.Errorf("%s with %v at %s: %s, want %s", file, c.in, c.at, r.Code, c.code)
			}
		}
	}
}
