package seal

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// sharedData is the folder of test data that is no part of the project.
func sharedData(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv("BORDERGATE_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		t.Skipf("Test data %s is not here; set BORDERGATE_DATA to its folder", name)
	}
	return b
}

// vector is one seal of the shared sets.
type vector struct {
	Name     string `json:"name"`
	RawHex   string `json:"raw_hex"`
	Parse    string `json:"expected_parse"`
	Verify   string `json:"expected_verify"`
	Sig      string `json:"signature_hex"`
	Header   map[string]any
	Features []struct{ Tag, Hex string } `json:"expected_features"`
}

func (v vector) raw(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.RawHex)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sharedVectors are the real VDS seals and those derived from them.
func sharedVectors(t testing.TB) []vector {
	t.Helper()
	var all struct{ VDS []vector }
	if err := json.Unmarshal(sharedData(t, "seals/vectors.json"), &all); err != nil {
		t.Fatal(err)
	}
	return all.VDS
}

type ownSet struct {
	CSCA    string `json:"csca_pem"`
	Signer  string `json:"signer_pem"`
	Rogue   string `json:"rogue_cert_pem"`
	Vectors []vector
}

func ownVectors(t testing.TB) ownSet {
	t.Helper()
	var own ownSet
	if err := json.Unmarshal(sharedData(t, "seals/own_p256.json"), &own); err != nil {
		t.Fatal(err)
	}
	return own
}

func parsePEM(t testing.TB, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// authority has certificates valid in 2026 to 2030.
func authority(t testing.TB) *Authority {
	t.Helper()
	a, err := NewAuthority(AuthorityOptions{
		Country: "UT", Signer: "GT", Serial: 0x1A, NotBefore: day(2026, 1, 1), NotAfter: day(2031, 1, 1),
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// now is a time at which everything of authority is in order.
var now = time.Date(2026, 9, 5, 10, 0, 0, 0, time.UTC)

func header(t testing.TB, a *Authority) Header {
	t.Helper()
	h, err := NewHeader(a.Signer, "UTO", day(2026, 8, 31), day(2026, 9, 1))
	if err != nil {
		t.Fatal(err)
	}
	h.Category = 0x64
	return h
}

func features() []Feature {
	return []Feature{
		{1, []byte("one")},
		{0, nil},
		{254, make([]byte, 127)},
		{9, make([]byte, 128)},
		{7, make([]byte, 300)},
	}
}

// made is a well-formed seal signed by a.
func made(t testing.TB, a *Authority) []byte {
	t.Helper()
	raw, err := Sign(header(t, a), features(), a.SignerKey)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
