package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"bordergate/barcode/pass"
	"bordergate/barcode/seal"
	"bordergate/cmd/gatectl/pkcs8"
)

type keygenReport struct {
	Trust   string `json:"trust"` // folder for gates: certificates only
	Key     string `json:"key"`
	Cert    string `json:"cert"`
	Signer  string `json:"signer"`
	CertRef string `json:"cert_ref"`
}

func passKeygen(ctx context.Context, e env, args []string) int {
	const words = "pass keygen"
	fs := newFlags(e, words)
	country := fs.String("country", "UT", "two letters, in capitals")
	signer := fs.String("signer", "GT", "two letters or digits, in capitals")
	serial := fs.String("serial", "1", "of the signer's certificate, hex, from 1")
	years := fs.Int("years", 5, "how long both certificates are valid")
	out := fs.String("out", "", "folder to make the files in")
	protect := fs.Bool("passphrase", false, "put the keys under a passphrase, asked at the terminal")
	phraseFile := fs.String("passphrase-file", "", "put the keys under the passphrase in this file's first line")
	fs.Bool("json", true, "print JSON (always)")
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	n, err := strconv.ParseUint(*serial, 16, 31)
	switch {
	case len(rest) > 0 || *out == "":
		return unable(e, words, errors.New("needs --out, and nothing else"))
	case err != nil || n == 0:
		return unable(e, words, errors.New("--serial is not 1 to 7FFFFFFF in hex"))
	case *years < 1 || *years > 30:
		return unable(e, words, errors.New("--years is not 1 to 30"))
	}
	var phrase []byte
	if *protect || *phraseFile != "" {
		if phrase, err = passphrase(ctx, *phraseFile, true); err != nil {
			return unable(e, words, err)
		}
	}
	begin := time.Now().UTC().Truncate(24 * time.Hour)
	a, err := seal.NewAuthority(seal.AuthorityOptions{
		Country: *country, Signer: *signer, Serial: uint32(n), NotBefore: begin, NotAfter: begin.AddDate(*years, 0, 0),
	})
	if err != nil {
		return unable(e, words, err)
	}
	report, err := writeAuthority(*out, a, phrase)
	if err != nil {
		return unable(e, words, err)
	}
	if err := json.NewEncoder(e.Out).Encode(report); err != nil {
		return unable(e, words, err)
	}
	return exitDone
}

// writeAuthority makes the files and never replaces one: a key that signed
// passes must not vanish. Without a passphrase the keys are plain.
func writeAuthority(dir string, a *seal.Authority, phrase []byte) (keygenReport, error) {
	r := keygenReport{
		Trust: filepath.Join(dir, "trust"),
		Key:   filepath.Join(dir, "signer.key"),
		Cert:  filepath.Join(dir, "trust", "signer.pem"),
	}
	var err error
	if r.Signer, r.CertRef, err = seal.SignerOf(a.Signer); err != nil {
		return r, err
	}
	if err := os.MkdirAll(r.Trust, 0o700); err != nil {
		return r, fmt.Errorf("make folder: %w", err)
	}
	for _, k := range []struct {
		path string
		key  *ecdsa.PrivateKey
	}{{filepath.Join(dir, "authority.key"), a.CAKey}, {r.Key, a.SignerKey}} {
		kind, der, err := encodeKey(k.key, phrase)
		if err != nil {
			return r, fmt.Errorf("write key: %w", err)
		}
		if err := writeNew(k.path, kind, der); err != nil {
			return r, err
		}
	}
	if err := writeNew(filepath.Join(r.Trust, "authority.pem"), "CERTIFICATE", a.CA.Raw); err != nil {
		return r, err
	}
	return r, writeNew(r.Cert, "CERTIFICATE", a.Signer.Raw)
}

func encodeKey(key *ecdsa.PrivateKey, phrase []byte) (kind string, der []byte, err error) {
	if phrase == nil {
		der, err = x509.MarshalPKCS8PrivateKey(key)
		return "PRIVATE KEY", der, err
	}
	der, err = pkcs8.Encrypt(key, phrase)
	return pkcs8.PEMType, der, err
}

// templateKeyReport names a new key.
type templateKeyReport struct {
	File string `json:"file"`
	ID   string `json:"id"`
}

func passTemplateKey(_ context.Context, e env, args []string) int {
	const words = "pass template-key"
	fs := newFlags(e, words)
	out := fs.String("out", "", "file to make")
	fs.Bool("json", true, "print JSON (always)")
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if len(rest) > 0 || *out == "" {
		return unable(e, words, errors.New("needs --out, and nothing else"))
	}
	k := pass.NewTemplateKey()
	if err := createFile(*out, k.PEM()); err != nil {
		return unable(e, words, err)
	}
	return printResult(e, words, templateKeyReport{*out, k.ID()}, true)
}

func writeNew(path, kind string, der []byte) error {
	return createFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// createFile never replaces a file: a key in it may be the only one.
func createFile(path string, b []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write %s: it is there already; name another", path)
	}
	if err != nil {
		return fmt.Errorf("write key or certificate: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(b); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
