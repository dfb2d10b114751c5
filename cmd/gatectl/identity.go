package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"bordergate/sync/vault"
)

func identityCommands() []command {
	return []command{{
		words:   "identity init",
		summary: "make the gate's own keys on this machine, and a request for headquarters",
		run:     runIdentityInit,
	}, {
		words:   "identity install",
		summary: "put headquarters' certificate for the gate in place: --dir DIR --certificate FILE",
		run:     runIdentityInstall,
	}, {
		words:   "identity renew",
		summary: "make a new TLS key and a request for its certificate: --dir DIR",
		run:     runIdentityRenew,
	}}
}

// identityResult is what identity init prints: nothing secret.
type identityResult struct {
	Gate        string `json:"gate"`
	Kid         string `json:"kid"`
	Fingerprint string `json:"fingerprint"`
	Dir         string `json:"dir"`
	Request     string `json:"request"` // file for `hqd gate add --request`
}

func runIdentityInit(_ context.Context, e env, args []string) int {
	const words = "identity init"
	fs := newFlags(e, words)
	dir := fs.String("dir", "", "folder for the keys; it must not exist or be empty")
	gate := fs.String("gate", "", "the gate's id: lower-case letters, digits and dashes, as in gate.yaml")
	asJSON := fs.Bool("json", false, "print the result as a JSON object on standard output")
	rest, status, ok := parseFlags(fs, args)
	switch {
	case !ok:
		return status
	case *dir == "" || *gate == "" || len(rest) > 0:
		return unable(e, words, errors.New("name folder and gate: gatectl identity init --dir DIR --gate ID [--json]"))
	}
	id, err := vault.NewIdentity(*dir, *gate)
	if err != nil {
		return unable(e, words, err)
	}
	fmt.Fprintf(e.Err, "Keys of gate %s are in %s. They never leave this machine.\n", id.Gate, *dir)
	return showRequest(e, words, id, *dir, *asJSON)
}

// showRequest says what is to be carried to headquarters and compared there.
func showRequest(e env, words string, id *vault.Identity, dir string, asJSON bool) int {
	res := identityResult{
		Gate: id.Gate, Kid: id.Signer.Kid, Fingerprint: id.Fingerprint(), Dir: dir,
		Request: filepath.Join(dir, vault.RequestFile),
	}
	fmt.Fprintf(e.Err, "Carry %s to headquarters: hqd gate add --request FILE --certificate FILE\n", res.Request)
	fmt.Fprintf(e.Err, "Headquarters must show this fingerprint, group by group:\n  %s\n", res.Fingerprint)
	if !asJSON {
		return exitDone
	}
	if err := json.NewEncoder(e.Out).Encode(res); err != nil {
		return unable(e, words, fmt.Errorf("write result: %w", err))
	}
	return exitDone
}

func runIdentityRenew(_ context.Context, e env, args []string) int {
	const words = "identity renew"
	fs := newFlags(e, words)
	dir := fs.String("dir", "", "folder of the keys")
	asJSON := fs.Bool("json", false, "print the result as a JSON object on standard output")
	rest, status, ok := parseFlags(fs, args)
	switch {
	case !ok:
		return status
	case *dir == "" || len(rest) > 0:
		return unable(e, words, errors.New("name the folder: gatectl identity renew --dir DIR [--json]"))
	}
	id, err := vault.RenewTLS(*dir)
	if err != nil {
		return unable(e, words, err)
	}
	fmt.Fprintf(e.Err, "Gate %s has a new TLS key; the old one serves until its certificate is installed.\n", id.Gate)
	return showRequest(e, words, id, *dir, *asJSON)
}

func runIdentityInstall(_ context.Context, e env, args []string) int {
	const words = "identity install"
	fs := newFlags(e, words)
	dir := fs.String("dir", "", "folder of the keys")
	file := fs.String("certificate", "", "file that hqd gate add or hqd gate renew wrote")
	asJSON := fs.Bool("json", false, "print the result as a JSON object on standard output")
	rest, status, ok := parseFlags(fs, args)
	switch {
	case !ok:
		return status
	case *dir == "" || *file == "" || len(rest) > 0:
		return unable(e, words, errors.New("name folder and certificate: gatectl identity install --dir DIR --certificate FILE [--json]"))
	}
	text, err := os.ReadFile(*file)
	if err != nil {
		return unable(e, words, err)
	}
	c, err := vault.InstallCertificate(*dir, text)
	if err != nil {
		return unable(e, words, err)
	}
	fmt.Fprintf(e.Err, "Installed; it ends on %s. A running gated uses it from its next connection on.\n", c.NotAfter.UTC().Format(time.DateOnly))
	if !*asJSON {
		return exitDone
	}
	if err := json.NewEncoder(e.Out).Encode(struct {
		Gate  string    `json:"gate"`
		From  time.Time `json:"from"`
		Until time.Time `json:"until"`
	}{c.Subject.CommonName, c.NotBefore, c.NotAfter}); err != nil {
		return unable(e, words, fmt.Errorf("write result: %w", err))
	}
	return exitDone
}
