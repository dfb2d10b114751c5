package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"bordergate/cmd/gatectl/pkcs8"
)

// maxPassphrase bounds a passphrase, bytes.
const maxPassphrase = 1024

// loadSigner reads a key and its certificate, and holds one to the other. An
// encrypted key asks for its passphrase.
func loadSigner(ctx context.Context, keyFile, certFile, passphraseFile string) (*ecdsa.PrivateKey, *x509.Certificate, error) {
	b, err := readFile(certFile, 1<<20)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate: %w", err)
	}
	if block, _ := pem.Decode(b); block != nil {
		b = block.Bytes
	}
	cert, err := x509.ParseCertificate(b)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate %s: %w", certFile, err)
	}
	if b, err = readFile(keyFile, 1<<20); err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, nil, fmt.Errorf("key %s: not PEM", keyFile)
	}
	parsed, err := openKey(ctx, block, passphraseFile)
	if err != nil {
		return nil, nil, fmt.Errorf("key %s: %w", keyFile, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("key %s: not an ECDSA key", keyFile)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, nil, errors.New("key and certificate do not belong together")
	}
	return key, cert, nil
}

func openKey(ctx context.Context, block *pem.Block, passphraseFile string) (any, error) {
	switch {
	case block.Type == pkcs8.PEMType:
		phrase, err := passphrase(ctx, passphraseFile, false)
		if err != nil {
			return nil, err
		}
		return pkcs8.Decrypt(block.Bytes, phrase)
	case block.Headers["Proc-Type"] != "":
		return nil, pkcs8.ErrScheme // the old PEM encryption
	}
	if parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return parsed, nil
	}
	if parsed, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return parsed, nil
	}
	return nil, errors.New("not a private key in PKCS #8 or SEC 1")
}

// passphrase takes the first line of the file, or asks at the terminal: never
// from the command line, where every process of the machine can read it.
func passphrase(ctx context.Context, file string, fresh bool) ([]byte, error) {
	if file != "" {
		b, err := readFile(file, maxPassphrase)
		if err != nil {
			return nil, fmt.Errorf("passphrase: %w", err)
		}
		line, _, _ := bytes.Cut(b, []byte("\n"))
		if line = bytes.TrimSuffix(line, []byte("\r")); len(line) == 0 {
			return nil, errors.New("passphrase: the first line of its file is empty")
		}
		return line, nil
	}
	first, err := ask(ctx, "Passphrase of the signing key: ")
	if err != nil || !fresh {
		return first, err
	}
	second, err := ask(ctx, "The same again: ")
	if err == nil && !bytes.Equal(first, second) {
		return nil, errors.New("passphrase: the two are not the same")
	}
	return first, err
}

// ask reads a line from the terminal without showing it.
func ask(ctx context.Context, prompt string) (line []byte, err error) {
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, errors.New("passphrase: no terminal to ask at: name a file with --passphrase-file")
	}
	tty := os.NewFile(uintptr(fd), "/dev/tty")
	defer func() { err = errors.Join(err, tty.Close()) }()
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("passphrase: read terminal's settings: %w", err)
	}
	silent := *before
	silent.Lflag = silent.Lflag&^unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG
	if err := unix.IoctlSetTermios(fd, unix.TCSETSF, &silent); err != nil {
		return nil, fmt.Errorf("passphrase: hide typing: %w", err)
	}
	defer func() { err = errors.Join(err, unix.IoctlSetTermios(fd, unix.TCSETS, before)) }()
	// An interrupt ends the wait, so that the terminal shows typing again.
	stop := context.AfterFunc(ctx, func() { _ = tty.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(tty, prompt); err != nil {
		return nil, fmt.Errorf("passphrase: %w", err)
	}
	return readLine(ctx, tty)
}

// readLine reads to the end of the line the terminal hands over.
func readLine(ctx context.Context, r io.Reader) ([]byte, error) {
	var line []byte
	b := make([]byte, maxPassphrase)
	for {
		n, err := r.Read(b)
		line = append(line, b[:n]...)
		text, _, done := bytes.Cut(line, []byte("\n"))
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case done && len(text) == 0:
			return nil, errors.New("passphrase: it is empty")
		case done:
			return bytes.TrimSuffix(text, []byte("\r")), nil
		case err != nil:
			return nil, fmt.Errorf("passphrase: %w", err)
		case len(line) > maxPassphrase:
			return nil, fmt.Errorf("passphrase: longer than %d bytes", maxPassphrase)
		}
	}
}
