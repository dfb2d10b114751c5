package vault

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"bordergate/sync/wire"
)

// Files of a gate's client certificate. A renewal's key waits under nextFile
// until headquarters has certified it; which of the two keys is in use is what
// the certificate says, so that no crash can part them.
const (
	certFile = "tls.crt" // PEM, from headquarters
	nextFile = "tls-next.key"

	maxCertificate = 16 << 10
)

// Errors of a gate's client certificate.
var (
	// ErrNoCertificate says that headquarters' certificate was not installed.
	ErrNoCertificate = errors.New("gate has no certificate")
	// ErrCertificate says that a certificate is not one for this gate's key.
	ErrCertificate = errors.New("certificate is not of this gate")
)

// ClientTLS is how a gate's link meets headquarters' broker: TLS 1.3, the
// bundle's authorities and no other, and this gate's certificate, read anew
// for every connection so that a renewed one counts at once. Now is the clock
// that certificates are judged by. Dir is an identity's folder.
func ClientTLS(dir, gate string, bundle wire.Bundle, now func() time.Time) (*tls.Config, error) {
	roots, err := bundle.Authorities()
	if err != nil {
		return nil, fmt.Errorf("prepare tls: %w", err)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: roots, Time: now,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			c, err := loadCertificate(dir, gate)
			if err != nil {
				return nil, err
			}
			_, err = c.Leaf.Verify(x509.VerifyOptions{
				Roots: roots, CurrentTime: now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			})
			if err != nil {
				return nil, fmt.Errorf("use the gate's certificate: %w", err)
			}
			return c, nil
		},
	}, nil
}

func loadCertificate(dir, gate string) (*tls.Certificate, error) {
	text, err := readPrivate(dir, certFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoCertificate
	}
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	c, _, err := matchCertificate(dir, gate, text)
	return c, err
}

// Certificate reads headquarters' certificate of the gate, valid or not, to show
// its dates. ErrNoCertificate where none was installed.
func Certificate(dir string) (*x509.Certificate, error) {
	text, err := os.ReadFile(filepath.Join(dir, certFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoCertificate
	}
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	block, _ := pem.Decode(text)
	if len(text) > maxCertificate || block == nil {
		return nil, fmt.Errorf("%w: want one certificate in PEM, as hqd gate add writes it", ErrCertificate)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return c, nil
}

// matchCertificate finds which of the folder's TLS keys the certificate is of.
func matchCertificate(dir, gate string, text []byte) (c *tls.Certificate, name string, err error) {
	block, rest := pem.Decode(text)
	if len(text) > maxCertificate || block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, "", fmt.Errorf("%w: want one certificate in PEM, as hqd gate add writes it", ErrCertificate)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	if leaf.Subject.CommonName != gate {
		return nil, "", fmt.Errorf("%w: it names %.60q, this is %s", ErrCertificate, leaf.Subject.CommonName, gate)
	}
	for _, name := range []string{tlsFile, nextFile} {
		key, err := readKey[*ecdsa.PrivateKey](dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if key.PublicKey.Equal(leaf.PublicKey) {
			return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, name, nil
		}
	}
	return nil, "", fmt.Errorf("%w: it is for another key: have the newest %s registered with hqd gate add", ErrCertificate, RequestFile)
}

// InstallCertificate puts headquarters' certificate in place. A renewal's key
// becomes the gate's with it.
func InstallCertificate(dir string, text []byte) (*x509.Certificate, error) {
	id, err := LoadIdentity(dir)
	if err != nil {
		return nil, err
	}
	c, name, err := matchCertificate(dir, id.Gate, text)
	if err != nil {
		return nil, fmt.Errorf("install certificate: %w", err)
	}
	if err := ReplaceFile(filepath.Join(dir, certFile), text); err != nil {
		return nil, fmt.Errorf("install certificate: %w", err)
	}
	if name == nextFile {
		if err := os.Rename(filepath.Join(dir, nextFile), filepath.Join(dir, tlsFile)); err != nil {
			return nil, fmt.Errorf("install certificate: %w", err)
		}
	}
	return c.Leaf, syncDir(dir)
}

// RenewTLS makes a new TLS key for a gate and a request for its certificate,
// signed by the gate's old signing key. The certificate in use serves until
// the new one is installed.
func RenewTLS(dir string) (*Identity, error) {
	id, err := LoadIdentity(dir)
	if err != nil {
		return nil, err
	}
	if id.TLS, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make tls key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(id.TLS)
	if err != nil {
		return nil, fmt.Errorf("encode tls key: %w", err)
	}
	id.Created = time.Now().UTC().Truncate(time.Second)
	if err := id.makeRequest(); err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	request, err := id.Request()
	if err != nil {
		return nil, err
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := ReplaceFile(filepath.Join(dir, nextFile), key); err != nil {
		return nil, fmt.Errorf("save tls key: %w", err)
	}
	if err := ReplaceFile(filepath.Join(dir, RequestFile), request); err != nil {
		return nil, fmt.Errorf("save request: %w", err)
	}
	return id, nil
}
