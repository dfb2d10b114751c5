package vault

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bordergate/sync/wire"
)

func newIdentity(t *testing.T) (string, *Identity) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "identity")
	id, err := NewIdentity(dir, "lane-1")
	if err != nil {
		t.Fatal(err)
	}
	return dir, id
}

func request(t *testing.T, id *Identity) []byte {
	t.Helper()
	b, err := id.Request()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestIdentityComesBack(t *testing.T) {
	dir, made := newIdentity(t)
	got, err := LoadIdentity(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got.Gate != "lane-1" || got.Master != made.Master || got.Master == [KeySize]byte{} {
		t.Error("gate or data key is not the one made")
	}
	if !got.Signer.Key.Equal(made.Signer.Key) || got.Signer.Kid != made.Signer.Kid || got.Signer.Role != wire.RoleGate {
		t.Error("signing key is not the one made")
	}
	if !got.TLS.Equal(made.TLS) || got.Fingerprint() != made.Fingerprint() {
		t.Error("tls key or fingerprint is not the one made")
	}
	sealed, err := wire.SealTo(made.HPKE.PublicKey(), "test", []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := wire.OpenFrom(got.HPKE, "test", sealed); err != nil || string(plain) != "hello" {
		t.Errorf("sealing key: %q, %v", plain, err)
	}
	if !bytes.Equal(request(t, got), request(t, made)) {
		t.Error("request is not the one made")
	}
}

func TestIdentityIsPrivate(t *testing.T) {
	dir, _ := newIdentity(t)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		st, err := e.Info()
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v, %v", e.Name(), st.Mode(), err)
		}
	}
	for _, path := range []string{dir, filepath.Join(dir, masterFile), filepath.Join(dir, signFile)} {
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, st.Mode().Perm()|0o040); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadIdentity(dir); !errors.Is(err, ErrPermissions) {
			t.Errorf("%s open to the group gives %v", filepath.Base(path), err)
		}
		if err := os.Chmod(path, st.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := LoadIdentity(dir); err != nil {
		t.Errorf("after all was put right: %v", err)
	}
}

func TestNewIdentityOverwritesNothing(t *testing.T) {
	dir, _ := newIdentity(t)
	if _, err := NewIdentity(dir, "lane-1"); !errors.Is(err, ErrIdentityExists) {
		t.Errorf("a second identity gives %v", err)
	}
	if _, err := NewIdentity(t.TempDir()+"/x", "Lane 1"); err == nil {
		t.Error("a bad gate id was taken")
	}
}

func TestLoadIdentityNamesTheFault(t *testing.T) {
	cases := map[string]struct {
		spoil func(dir string) error
		want  error
	}{
		"nothing there":     {os.RemoveAll, ErrNoIdentity},
		"making cut short":  {remove(identityFile), ErrNoIdentity},
		"key gone":          {remove(sealFile), os.ErrNotExist},
		"data key cut":      {write(masterFile, "short"), ErrIdentity},
		"no pem":            {write(signFile, "not a key"), ErrIdentity},
		"keys exchanged":    {exchange(signFile, tlsFile), ErrIdentity},
		"head is no json":   {write(identityFile, "{"), ErrIdentity},
		"head of another":   {write(identityFile, `{"version":1,"gate":"lane-2","kid":"x"}`), ErrIdentity},
		"request of others": {write(RequestFile, "{}"), ErrIdentity},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir, _ := newIdentity(t)
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := LoadIdentity(dir); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func remove(name string) func(string) error {
	return func(dir string) error { return os.Remove(filepath.Join(dir, name)) }
}

func write(name, text string) func(string) error {
	return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600) }
}

func exchange(a, b string) func(string) error {
	return func(dir string) error {
		x, y, tmp := filepath.Join(dir, a), filepath.Join(dir, b), filepath.Join(dir, "tmp")
		return errors.Join(os.Rename(x, tmp), os.Rename(y, x), os.Rename(tmp, y))
	}
}

func TestRequest(t *testing.T) {
	_, id := newIdentity(t)
	text := request(t, id)
	r, err := ParseRequest(text)
	if err != nil {
		t.Fatal(err)
	}
	if r.Gate != "lane-1" || r.Kid != id.Signer.Kid || !ed25519.PublicKey(r.Sign).Equal(id.Signer.Key.Public()) {
		t.Error("request does not speak of the identity")
	}
	if len(strings.Fields(r.Fingerprint)) != 16 || len(r.Fingerprint) != 64+15 {
		t.Errorf("fingerprint %q is not 16 groups of 4", r.Fingerprint)
	}
	for _, secret := range [][]byte{id.Master[:], id.Signer.Key.Seed()} {
		if bytes.Contains(text, secret) {
			t.Error("the request holds a secret")
		}
	}
}

func TestRequestRefuses(t *testing.T) {
	_, id := newIdentity(t)
	_, other := newIdentity(t)
	cases := map[string]func(*Request){
		"version":       func(r *Request) { r.Version = 2 },
		"gate":          func(r *Request) { r.Gate = "lane-2" },
		"bad gate":      func(r *Request) { r.Gate = "../x" },
		"sign key":      func(r *Request) { r.Sign = other.request.Sign },
		"short key":     func(r *Request) { r.Sign = r.Sign[:31] },
		"seal key":      func(r *Request) { r.Seal = other.request.Seal },
		"no seal key":   func(r *Request) { r.Seal = nil },
		"csr":           func(r *Request) { r.CSR = other.request.CSR },
		"fingerprint":   func(r *Request) { r.Fingerprint = other.request.Fingerprint },
		"proof":         func(r *Request) { r.Proof = other.request.Proof },
		"no proof":      func(r *Request) { r.Proof = nil },
		"new, unproved": func(r *Request) { r.Seal = other.request.Seal; r.Fingerprint = r.fingerprint() },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			r := id.request
			change(&r)
			b, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ParseRequest(b); !errors.Is(err, ErrRequest) {
				t.Errorf("got %v, want ErrRequest", err)
			}
		})
	}
	if _, err := ParseRequest(make([]byte, maxRequest+1)); !errors.Is(err, ErrRequest) {
		t.Errorf("too long: %v", err)
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"version":1,"gate":"lane-1"}`))
	f.Add([]byte(`{"version":1,"gate":"lane-1","sign":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","csr":"-----BEGIN X-----"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRequest(b)
		if err == nil && (len(r.Sign) != ed25519.PublicKeySize || !wire.ValidGateID(r.Gate)) {
			t.Fatal("accepted a request without key or gate")
		}
	})
}
