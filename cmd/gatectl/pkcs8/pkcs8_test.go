package pkcs8

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const phrase = "cửa khẩu số 1"

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestRoundTrip(t *testing.T) {
	key := newKey(t)
	der, err := Encrypt(key, []byte(phrase))
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decrypt(der, []byte(phrase))
	if got, ok := back.(*ecdsa.PrivateKey); err != nil || !ok || !got.Equal(key) {
		t.Errorf("opened %T, %v", back, err)
	}
	if back, err := Decrypt(der, []byte(phrase+" ")); !errors.Is(err, ErrPassphrase) || back != nil {
		t.Errorf("wrong passphrase: %T, %v", back, err)
	}
	if _, err := Encrypt(key, nil); !errors.Is(err, ErrPassphrase) {
		t.Errorf("no passphrase: %v", err)
	}
	if _, err := Encrypt("no key", []byte(phrase)); err == nil {
		t.Error("no key was closed")
	}
	for name, der := range map[string][]byte{
		"empty": nil, "junk": []byte("junk"), "cut": der[:len(der)-1], "more": append(append([]byte(nil), der...), 0),
		"large": make([]byte, maxSize+1),
	} {
		if _, err := Decrypt(der, []byte(phrase)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decrypt(plain, []byte(phrase)); !errors.Is(err, ErrFormat) {
		t.Errorf("a plain key: %v", err)
	}
}

// TestOpenSSL holds both directions against an independent implementation.
func TestOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed: keys are not exchanged with it")
	}
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, kind string, b []byte) {
		if kind != "" {
			b = pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b})
		}
		if err := os.WriteFile(path(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(openssl, args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v: %s", args, err, out)
		}
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(path(name))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(b)
		if block == nil {
			t.Fatalf("%s is no PEM", name)
		}
		return block.Bytes
	}
	key := newKey(t)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write("plain.pem", "PRIVATE KEY", der)
	write("phrase", "", []byte(phrase))
	for _, c := range []struct {
		name string
		how  []string
		want error
	}{
		{"default", nil, nil},
		{"aes128", []string{"-v2", "aes-128-cbc"}, nil},
		{"aes256", []string{"-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512", "-iter", "10000"}, nil},
		{"sha1", []string{"-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA1"}, nil},
		{"3des", []string{"-v2", "des3"}, ErrScheme},
		{"scrypt", []string{"-scrypt"}, ErrScheme},
	} {
		run(append([]string{"pkcs8", "-topk8", "-in", path("plain.pem"), "-out", path(c.name), "-passout", "file:" + path("phrase")}, c.how...)...)
		back, err := Decrypt(read(c.name), []byte(phrase))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if got, ok := back.(*ecdsa.PrivateKey); c.want == nil && (!ok || !got.Equal(key)) {
			t.Errorf("%s: another key", c.name)
		}
	}
	closed, err := Encrypt(key, []byte(phrase))
	if err != nil {
		t.Fatal(err)
	}
	write("ours.pem", PEMType, closed)
	run("pkcs8", "-in", path("ours.pem"), "-passin", "file:"+path("phrase"), "-out", path("back.pem"))
	back, err := x509.ParsePKCS8PrivateKey(read("back.pem"))
	if got, ok := back.(*ecdsa.PrivateKey); err != nil || !ok || !got.Equal(key) {
		t.Errorf("openssl read another key: %v", err)
	}
}

// FuzzDecrypt: any bytes, a bounded answer. Files that ask for much work are
// not tried here; derive refuses those beyond its bound.
func FuzzDecrypt(f *testing.F) {
	der, err := Encrypt(newKey(f), []byte(phrase))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der[:len(der)-1])
	f.Add([]byte{0x30, 0x00})
	f.Fuzz(func(t *testing.T, der []byte) {
		var outer encryptedKey
		var scheme pbes2
		var kdf pbkdf2Params
		if exact(der, &outer) && exact(outer.Scheme.Parameters.FullBytes, &scheme) &&
			exact(scheme.KDF.Parameters.FullBytes, &kdf) && kdf.Iterations > 1000 && kdf.Iterations <= maxIterations {
			t.Skip()
		}
		if key, err := Decrypt(der, []byte("x")); err == nil {
			t.Errorf("opened %T without its passphrase", key)
		}
	})
}
