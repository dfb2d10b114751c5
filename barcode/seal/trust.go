package seal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// ErrTrust is returned for a trust folder that cannot be read at all.
var ErrTrust = errors.New("trust folder is not usable")

// Limits of a trust folder.
const (
	MaxTrustFiles = 2000
	MaxTrustFile  = 1 << 20 // bytes
)

// TrustOptions says how certificates are believed.
type TrustOptions struct {
	// Pin trusts each certificate as a signer itself. Without it a signer must
	// chain to a self-signed certificate of an authority in the same folder.
	Pin bool
}

type signerKey struct{ signer, ref string }

type signer struct {
	cert *x509.Certificate
	key  publicKey
}

// Trust is a set of signers and the authorities they must come from.
type Trust struct {
	pin      bool
	signers  map[signerKey][]signer
	anchors  *x509.CertPool
	between  *x509.CertPool
	nAnchors int
	nSigners int
	warnings []string
}

// LoadTrust reads every file in dir, PEM or DER. A file without a usable
// certificate is left out and gives a warning, since one foreign or damaged
// file must not close a gate.
func LoadTrust(dir string, o TrustOptions) (*Trust, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("load trust: %w: %w", ErrTrust, err)
	}
	if len(entries) > MaxTrustFiles {
		return nil, fmt.Errorf("load trust: %w: more than %d files", ErrTrust, MaxTrustFiles)
	}
	t := newTrust(o)
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		b, err := readBounded(filepath.Join(dir, e.Name()))
		if err != nil {
			t.warn(e.Name(), err)
			continue
		}
		t.addFile(e.Name(), b)
	}
	return t, nil
}

// NewTrust makes a Trust of certificates already parsed.
func NewTrust(certs []*x509.Certificate, o TrustOptions) *Trust {
	t := newTrust(o)
	for i, c := range certs {
		if err := t.add(c); err != nil {
			t.warn(fmt.Sprintf("certificate %d", i+1), err)
		}
	}
	return t
}

// Signers is the number of certificates that seals can be checked against.
func (t *Trust) Signers() int { return t.nSigners }

// Anchors is the number of authorities that signers can chain to.
func (t *Trust) Anchors() int { return t.nAnchors }

// Warnings names the files that were left out, and why.
func (t *Trust) Warnings() []string { return append([]string(nil), t.warnings...) }

func newTrust(o TrustOptions) *Trust {
	return &Trust{
		pin: o.Pin, signers: map[signerKey][]signer{},
		anchors: x509.NewCertPool(), between: x509.NewCertPool(),
	}
}

func (t *Trust) warn(name string, err error) {
	t.warnings = append(t.warnings, fmt.Sprintf("%s left out: %v", name, err))
}

// addFile adds the certificates of one file: each of a PEM bundle, or one DER.
func (t *Trust) addFile(name string, b []byte) {
	ders, err := certificates(b)
	if err != nil {
		t.warn(name, err)
		return
	}
	for _, der := range ders {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.warn(name, err)
			continue
		}
		if err := t.add(c); err != nil {
			t.warn(name, err)
		}
	}
}

func certificates(b []byte) ([][]byte, error) {
	if !bytes.Contains(b, []byte("-----BEGIN ")) {
		return [][]byte{b}, nil
	}
	var ders [][]byte
	for {
		block, rest := pem.Decode(b)
		if block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			ders = append(ders, block.Bytes)
		}
		b = rest
	}
	if len(ders) == 0 {
		return nil, errors.New("no certificate in it")
	}
	return ders, nil
}

// add files a certificate under what it may do. An authority's key signs
// certificates, not seals, unless it was pinned.
func (t *Trust) add(c *x509.Certificate) error {
	authority := c.BasicConstraintsValid && c.IsCA
	if authority {
		if c.CheckSignatureFrom(c) == nil {
			t.anchors.AddCert(c)
			t.nAnchors++
		} else {
			t.between.AddCert(c)
		}
		if !t.pin {
			return nil
		}
	} else if selfSigned(c) {
		// A signer without an authority, put here by the operator's own hand.
		t.anchors.AddCert(c)
		t.nAnchors++
	}
	key, err := certificateKey(c)
	if err == nil {
		var id signerKey
		if id.signer, id.ref, err = SignerOf(c); err == nil {
			id.ref = trimReference(id.ref)
			t.signers[id] = append(t.signers[id], signer{c, key})
			t.nSigners++
		}
	}
	if authority {
		return nil // most authorities are no signers, pinned or not
	}
	return err
}

func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) &&
		c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

func certificateKey(c *x509.Certificate) (publicKey, error) {
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return nil, ErrKey
	}
	return newCurveKey(key)
}

// SignerOf returns what the seals of this certificate carry: the C and CN of
// its subject, and its serial number in hex with an even number of digits.
func SignerOf(c *x509.Certificate) (id, ref string, err error) {
	if len(c.Subject.Country) != 1 {
		return "", "", errors.New("subject has not one country")
	}
	id = strings.ToUpper(c.Subject.Country[0] + c.Subject.CommonName)
	if len(id) != 4 || !isLetters(id[:2]) || !isAlnum(id[2:]) {
		return "", "", errors.New("subject's country and name are not the four characters of a signer")
	}
	if c.SerialNumber.Sign() <= 0 {
		return "", "", errors.New("serial number is not positive")
	}
	ref = fmt.Sprintf("%X", c.SerialNumber)
	if len(ref)%2 == 1 {
		ref = "0" + ref
	}
	if len(ref) > MaxCertRef {
		return "", "", errors.New("serial number is too long")
	}
	return id, ref, nil
}

// trimReference makes references comparable as numbers: version 3 fills them
// up with zeros.
func trimReference(ref string) string { return strings.TrimLeft(ref, "0") }

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxTrustFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > MaxTrustFile {
		return nil, errors.New("too large for a certificate")
	}
	return b, nil
}
