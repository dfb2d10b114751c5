package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"bordergate/sync/vault"
)

func identityCommands() []command {
	return []command{{
		words:   "identity init",
		summary: "make the gate's own keys on this machine, and a request for headquarters",
		run:     runIdentityInit,
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
	res := identityResult{
		Gate: id.Gate, Kid: id.Signer.Kid, Fingerprint: id.Fingerprint(), Dir: *dir,
		Request: filepath.Join(*dir, vault.RequestFile),
	}
	fmt.Fprintf(e.Err, "Keys of gate %s are in %s. They never leave this machine.\n", res.Gate, res.Dir)
	fmt.Fprintf(e.Err, "Carry %s to headquarters: hqd gate add --request FILE\n", res.Request)
	fmt.Fprintf(e.Err, "Headquarters must show this fingerprint, group by group:\n  %s\n", res.Fingerprint)
	if !*asJSON {
		return exitDone
	}
	if err := json.NewEncoder(e.Out).Encode(res); err != nil {
		return unable(e, words, fmt.Errorf("write result: %w", err))
	}
	return exitDone
}
