// Package pkcs8 opens and makes private keys under a passphrase: PKCS #8 with
// PBES2 (RFC 8018) of PBKDF2 and AES-CBC, as "openssl pkcs8 -topk8 -v2" writes.
//
// The standard library reads plain keys only, and its legacy PEM encryption is
// weak and deprecated. Older schemes are refused with ErrScheme rather than
// opened. The work that a file may ask for is bounded. Errors never tell
// anything of passphrase or key; a wrong passphrase and a damaged file cannot
// be told apart.
package pkcs8

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1" // the scheme's default, safe inside HMAC
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
)

// PEMType is the type of a PEM block that holds such a key.
const PEMType = "ENCRYPTED PRIVATE KEY"

// Errors of opening.
var (
	// ErrFormat: the bytes are no encrypted PKCS #8 key.
	ErrFormat = errors.New("not an encrypted PKCS #8 key")
	// ErrScheme: encrypted in a way that is not opened here.
	ErrScheme = errors.New(`encrypted otherwise than by PBES2 with PBKDF2 and AES-CBC: write it anew with "openssl pkcs8 -topk8 -v2 aes-256-cbc"`)
	// ErrPassphrase: the passphrase is wrong, or the file is damaged.
	ErrPassphrase = errors.New("passphrase does not open the key")
)

// Work of making a key, and the most that a file may ask for.
const (
	iterations    = 600_000 // for HMAC-SHA-256
	maxIterations = 20_000_000
	maxSize       = 64 << 10
	maxSalt       = 1 << 10
)

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidAES256 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
	oidSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
)

// prf is the hash of a pseudo-random function's identifier.
func prf(id asn1.ObjectIdentifier) (func() hash.Hash, bool) {
	h, ok := map[string]func() hash.Hash{
		"":                   sha1.New, // left out
		"1.2.840.113549.2.7": sha1.New, "1.2.840.113549.2.9": sha256.New,
		"1.2.840.113549.2.10": sha512.New384, "1.2.840.113549.2.11": sha512.New,
	}[id.String()]
	return h, ok
}

// keySize is that of a cipher's identifier, in bytes.
func keySize(id asn1.ObjectIdentifier) (int, bool) {
	n, ok := map[string]int{
		"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 24, "2.16.840.1.101.3.4.1.42": 32,
	}[id.String()]
	return n, ok
}

type encryptedKey struct {
	Scheme pkix.AlgorithmIdentifier
	Data   []byte
}

type pbes2 struct{ KDF, Cipher pkix.AlgorithmIdentifier }

type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// Decrypt opens DER and returns the key as x509.ParsePKCS8PrivateKey does.
func Decrypt(der, passphrase []byte) (any, error) {
	var outer encryptedKey
	if len(der) > maxSize || !exact(der, &outer) {
		return nil, fmt.Errorf("open key: %w", ErrFormat)
	}
	if !outer.Scheme.Algorithm.Equal(oidPBES2) {
		return nil, fmt.Errorf("open key: %w", ErrScheme)
	}
	var scheme pbes2
	if !exact(outer.Scheme.Parameters.FullBytes, &scheme) {
		return nil, fmt.Errorf("open key: %w", ErrFormat)
	}
	key, err := derive(scheme, passphrase)
	if err != nil {
		return nil, fmt.Errorf("open key: %w", err)
	}
	var iv []byte
	if !exact(scheme.Cipher.Parameters.FullBytes, &iv) || len(iv) != aes.BlockSize ||
		len(outer.Data) == 0 || len(outer.Data)%aes.BlockSize != 0 {
		return nil, fmt.Errorf("open key: %w", ErrFormat)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("open key: %w", err)
	}
	plain := make([]byte, len(outer.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, outer.Data)
	plain, ok := unpad(plain)
	if !ok {
		return nil, fmt.Errorf("open key: %w", ErrPassphrase)
	}
	private, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, fmt.Errorf("open key: %w", ErrPassphrase) // the parser's text could tell of the plain bytes
	}
	return private, nil
}

// exact parses one element with nothing behind it.
func exact(der []byte, to any) bool {
	rest, err := asn1.Unmarshal(der, to)
	return err == nil && len(rest) == 0
}

func derive(scheme pbes2, passphrase []byte) ([]byte, error) {
	var kdf pbkdf2Params
	size, known := keySize(scheme.Cipher.Algorithm)
	if !known || !scheme.KDF.Algorithm.Equal(oidPBKDF2) {
		return nil, ErrScheme
	}
	if !exact(scheme.KDF.Parameters.FullBytes, &kdf) {
		return nil, ErrFormat
	}
	h, known := prf(kdf.PRF.Algorithm)
	if !known {
		return nil, ErrScheme
	}
	if kdf.Iterations < 1 || kdf.Iterations > maxIterations || len(kdf.Salt) > maxSalt || (kdf.KeyLength != 0 && kdf.KeyLength != size) {
		return nil, ErrFormat
	}
	return pbkdf2.Key(h, string(passphrase), kdf.Salt, kdf.Iterations, size)
}

// unpad takes PKCS #7 padding off.
func unpad(b []byte) ([]byte, bool) {
	if len(b) == 0 {
		return nil, false
	}
	n := int(b[len(b)-1])
	if n < 1 || n > aes.BlockSize || n > len(b) || !bytes.Equal(b[len(b)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		return nil, false
	}
	return b[:len(b)-n], true
}

// Encrypt makes DER of a private key, under AES-256 and a passphrase that must
// not be empty.
func Encrypt(private any, passphrase []byte) ([]byte, error) {
	if len(passphrase) == 0 {
		return nil, fmt.Errorf("close key: %w: it is empty", ErrPassphrase)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("close key: %w", err)
	}
	salt, iv := make([]byte, 16), make([]byte, aes.BlockSize)
	_, _ = rand.Read(salt) // crypto/rand never fails: it ends the program
	_, _ = rand.Read(iv)
	var faults []error
	parameters := func(v any) asn1.RawValue {
		b, err := asn1.Marshal(v)
		faults = append(faults, err)
		return asn1.RawValue{FullBytes: b}
	}
	scheme := pbes2{
		KDF: pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2, Parameters: parameters(pbkdf2Params{
			Salt: salt, Iterations: iterations, PRF: pkix.AlgorithmIdentifier{Algorithm: oidSHA256, Parameters: asn1.NullRawValue},
		})},
		Cipher: pkix.AlgorithmIdentifier{Algorithm: oidAES256, Parameters: parameters(iv)},
	}
	key, err := derive(scheme, passphrase)
	faults = append(faults, err)
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("close key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("close key: %w", err)
	}
	n := aes.BlockSize - len(plain)%aes.BlockSize
	plain = append(plain, bytes.Repeat([]byte{byte(n)}, n)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(plain, plain)
	der, err := asn1.Marshal(encryptedKey{pkix.AlgorithmIdentifier{Algorithm: oidPBES2, Parameters: parameters(scheme)}, plain})
	if err := errors.Join(append(faults, err)...); err != nil {
		return nil, fmt.Errorf("close key: %w", err)
	}
	return der, nil
}
