package app

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"bordergate/sync/wire"
)

// Lifetimes of certificates. The broker's own is made by the running process
// and made anew in time; it begins with its authority, so that a gate whose
// clock is behind can still come and be told the time.
const (
	authorityLife = 20 * 365 * 24 * time.Hour
	gateLife      = 2 * 365 * 24 * time.Hour
	brokerLife    = 90 * 24 * time.Hour
	backdate      = time.Hour // for clocks that are a little behind
)

const authorityFile = "tls.key"

// ErrAuthority means that headquarters cannot certify.
var ErrAuthority = errors.New("headquarters has no authority for TLS; make one with: hqd authority renew --dir DIR")

// authority certifies the gates' TLS keys and the broker's.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool

	mu     sync.Mutex // guards broker
	broker *tls.Certificate
}

// newAuthority makes the certificate of an authority's key, signed by itself.
func newAuthority(key *ecdsa.PrivateKey, now time.Time) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "bordergate headquarters", Organization: []string{"bordergate"}},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	return x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
}

// initAuthority makes the authority's key in dir, or takes the one there, and
// returns a certificate of it.
func initAuthority(dir string) ([]byte, error) {
	path := filepath.Join(dir, authorityFile)
	raw, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeAuthority(path)
	}
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is no key", ErrIdentity, authorityFile)
	}
	return newAuthority(key, time.Now())
}

func makeAuthority(path string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	raw, err := key.Bytes()
	if err != nil {
		return nil, err
	}
	if err := writeKey(path, raw); err != nil {
		return nil, err
	}
	return newAuthority(key, time.Now())
}

// RenewAuthority puts a fresh certificate of the authority's key into the
// bundle, which the root signs anew. The key stays, so that gates with the old
// bundle and with the new one meet the same authority.
func RenewAuthority(dir string) (wire.Bundle, error) {
	b, err := renewAuthority(dir)
	if err != nil {
		return b, fmt.Errorf("renew authority: %w", err)
	}
	return b, nil
}

func renewAuthority(dir string) (wire.Bundle, error) {
	raw, err := os.ReadFile(BundlePath(dir))
	if err != nil {
		return wire.Bundle{}, fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	b, err := wire.ReadOwnBundle(raw)
	if err != nil {
		return b, err
	}
	root, err := readRoot(dir, b.Root)
	if err != nil {
		return b, err
	}
	der, err := initAuthority(dir)
	if err != nil {
		return b, err
	}
	b.Ver, b.TLS = b.Ver+1, [][]byte{der}
	signed, err := wire.SignBundle(root, b)
	if err != nil {
		return b, err
	}
	return b, writeFile(BundlePath(dir), signed, 0o644)
}

// loadAuthority opens the authority that the bundle names, nil where it names
// none.
func loadAuthority(dir string, b wire.Bundle) (*authority, error) {
	pool, err := b.Authorities()
	if errors.Is(err, wire.ErrNoAuthority) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	raw, err := readKey(filepath.Join(dir, authorityFile))
	if err != nil {
		return nil, err
	}
	a := &authority{pool: pool}
	if a.cert, err = x509.ParseCertificate(b.TLS[0]); err != nil {
		return nil, err
	}
	a.key, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), raw)
	if err != nil || !a.key.PublicKey.Equal(a.cert.PublicKey) {
		return nil, fmt.Errorf("%w: %s is not the authority's that the bundle names", ErrIdentity, authorityFile)
	}
	return a, nil
}

// certify signs a key for one use. Nothing outlives the authority.
func (a *authority) certify(name string, pub crypto.PublicKey, from, until time.Time, use x509.ExtKeyUsage, change func(*x509.Certificate)) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	if until.After(a.cert.NotAfter) {
		until = a.cert.NotAfter
	}
	if !a.cert.NotAfter.After(time.Now()) {
		return nil, fmt.Errorf("its certificate ended on %s: %w", a.cert.NotAfter.Format(time.DateOnly), ErrAuthority)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"bordergate"}},
		NotBefore: from, NotAfter: until, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{use},
	}
	if change != nil {
		change(c)
	}
	return x509.CreateCertificate(rand.Reader, c, a.cert, pub, a.key)
}

// forGate signs the key of a gate's certificate request and returns the
// certificate in PEM.
func (a *authority) forGate(gate string, pub crypto.PublicKey) (string, error) {
	now := time.Now()
	der, err := a.certify(gate, pub, now.Add(-backdate), now.Add(gateLife), x509.ExtKeyUsageClientAuth, nil)
	if err != nil {
		return "", fmt.Errorf("certify gate: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}

// present certifies a key at a broker, from the authority's first day on.
func (a *authority) present(key *ecdsa.PrivateKey, name string, until time.Time, use x509.ExtKeyUsage, change func(*x509.Certificate)) (*tls.Certificate, error) {
	if a == nil {
		return nil, ErrAuthority
	}
	der, err := a.certify(name, key.Public(), a.cert.NotBefore, until, use, change)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// forBroker makes a certificate for a broker that gates reach by names.
func (a *authority) forBroker(names []string, until time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return a.present(key, "bordergate broker", until, x509.ExtKeyUsageServerAuth, func(c *x509.Certificate) {
		for _, n := range names {
			if ip := net.ParseIP(n); ip != nil {
				c.IPAddresses = append(c.IPAddresses, ip)
			} else {
				c.DNSNames = append(c.DNSNames, n)
			}
		}
	})
}

// serverTLS demands a certificate of this authority from everybody. Host is
// where is listened; names are what else gates call it.
func (a *authority) serverTLS(host string, names []string) (*tls.Config, error) {
	names = append([]string{"localhost", "127.0.0.1", "::1"}, names...)
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) && !slices.Contains(names, host) {
		names = append(names, host)
	}
	current := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.broker != nil && time.Until(a.broker.Leaf.NotAfter) > brokerLife/3 {
			return a.broker, nil
		}
		var err error
		a.broker, err = a.forBroker(names, time.Now().Add(brokerLife))
		return a.broker, err
	}
	if a == nil {
		return nil, ErrAuthority
	}
	if _, err := current(nil); err != nil {
		return nil, fmt.Errorf("certify broker: %w", err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.pool, GetCertificate: current,
	}, nil
}

// certified reads the key of a certificate that forGate made.
func certified(text string) (*x509.Certificate, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%w: its certificate is damaged; sign it anew with hqd gate renew", ErrGate)
	}
	return x509.ParseCertificate(block.Bytes)
}
