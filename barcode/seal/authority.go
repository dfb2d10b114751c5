package seal

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"
)

// AuthorityOptions describes keys for tests and demonstrations. An issuing
// office gets its own from its national authority.
type AuthorityOptions struct {
	Country   string    // two letters, "UT" (Utopia) for tests
	Signer    string    // two letters or digits
	Serial    uint32    // of the signer's certificate, from 1
	NotBefore time.Time // of both certificates
	NotAfter  time.Time // must be after the last document's validity
}

// Authority is an authority with one signer, both P-256.
type Authority struct {
	CA, Signer       *x509.Certificate
	CAKey, SignerKey *ecdsa.PrivateKey
}

// NewAuthority makes the keys and certificates.
func NewAuthority(o AuthorityOptions) (*Authority, error) {
	if len(o.Country) != 2 || !isLetters(o.Country) || len(o.Signer) != 2 || !isAlnum(o.Signer) {
		return nil, fmt.Errorf("make authority: country must be 2 letters and signer 2 letters or digits, in capitals")
	}
	if o.Serial == 0 || !o.NotAfter.After(o.NotBefore) {
		return nil, fmt.Errorf("make authority: serial must be positive and the validity not empty")
	}
	a := &Authority{}
	var err error
	if a.CAKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	if a.SignerKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	// A random serial keeps two authorities of one name apart.
	number, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	ca := &x509.Certificate{
		SerialNumber: number.Add(number, big.NewInt(1)),
		Subject:      pkix.Name{Country: []string{o.Country}, CommonName: o.Country + " pass authority"},
		NotBefore:    o.NotBefore, NotAfter: o.NotAfter,
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if a.CA, err = certify(ca, ca, &a.CAKey.PublicKey, a.CAKey); err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(int64(o.Serial)),
		Subject:      pkix.Name{Country: []string{o.Country}, CommonName: o.Signer},
		NotBefore:    o.NotBefore, NotAfter: o.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if a.Signer, err = certify(leaf, a.CA, &a.SignerKey.PublicKey, a.CAKey); err != nil {
		return nil, err
	}
	return a, nil
}

func certify(c, issuer *x509.Certificate, key *ecdsa.PublicKey, by *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, key, by)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return made, nil
}

// NewHeader fills a header of version 4 from the signer's certificate. Country
// is the issuing country in the letters of the travel document ("VNM"), which
// the certificate does not carry.
func NewHeader(c *x509.Certificate, country string, issued, signed time.Time) (Header, error) {
	id, ref, err := SignerOf(c)
	if err != nil {
		return Header{}, fmt.Errorf("make header: %w", err)
	}
	h := Header{
		Version: 4, Country: country, Signer: id, CertRef: ref,
		Issued: issued, Signed: signed, FeatureRef: 1,
	}
	if err := checkHeader(h); err != nil {
		return Header{}, fmt.Errorf("make header: %w", err)
	}
	return h, nil
}
