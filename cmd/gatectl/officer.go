package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"bordergate/cmd/gatectl/pkcs8"
	"bordergate/sync/wire"
)

func officerCommands() []command {
	return []command{
		{words: "officer keygen", summary: "make an officer's key; headquarters certifies its public half", run: officerKeygen},
		{words: "officer act", summary: "sign an act at this gate: override, confirm, stamp, mode, direction or sign_off", run: officerAct},
	}
}

type officerKeyReport struct {
	Key         string `json:"key"`    // stays with the officer
	Public      string `json:"public"` // for hqd officer add --key
	Fingerprint string `json:"fingerprint"`
}

func officerKeygen(ctx context.Context, e env, args []string) int {
	const words = "officer keygen"
	fs := newFlags(e, words)
	out := fs.String("out", "", "folder to make officer.key and officer.pub in")
	plain := fs.Bool("no-passphrase", false, "leave the key without a passphrase, as on a token")
	phraseFile := fs.String("passphrase-file", "", "take the passphrase from this file's first line, not from the terminal")
	fs.Bool("json", true, "print JSON (always)")
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if len(rest) > 0 || *out == "" {
		return unable(e, words, errors.New("needs --out, and nothing else"))
	}
	var phrase []byte
	if !*plain {
		var err error
		if phrase, err = passphrase(ctx, *phraseFile, true); err != nil {
			return unable(e, words, err)
		}
	}
	report, err := writeOfficer(*out, phrase)
	if err == nil {
		err = json.NewEncoder(e.Out).Encode(report)
	}
	if err != nil {
		return unable(e, words, err)
	}
	return exitDone
}

// writeOfficer makes both halves of a key and never replaces one.
func writeOfficer(dir string, phrase []byte) (officerKeyReport, error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return officerKeyReport{}, fmt.Errorf("make key: %w", err)
	}
	r := officerKeyReport{Key: filepath.Join(dir, "officer.key"), Public: filepath.Join(dir, "officer.pub"), Fingerprint: wire.Fingerprint(pub)}
	kind := "PRIVATE KEY"
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err == nil && phrase != nil {
		kind = pkcs8.PEMType
		der, err = pkcs8.Encrypt(key, phrase)
	}
	if err != nil {
		return r, fmt.Errorf("write key: %w", err)
	}
	half, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return r, fmt.Errorf("write key: %w", err)
	}
	if err := writeNew(r.Key, kind, der); err != nil {
		return r, err
	}
	return r, writeNew(r.Public, "PUBLIC KEY", half)
}

func officerAct(ctx context.Context, e env, args []string) int {
	const words = "officer act"
	fs := newFlags(e, words)
	config := fs.String("config", "", "the gate's configuration file")
	keyFile := fs.String("key", "", "the officer's own key, PEM")
	phraseFile := fs.String("passphrase-file", "", "take the key's passphrase from this file's first line, not from the terminal")
	var act wire.Act
	fs.StringVar(&act.Do, "do", "", "override, confirm, stamp, mode, direction or sign_off")
	fs.StringVar(&act.Tx, "tx", "", "with override, confirm and stamp: the transaction; without it the newest at the gate")
	fs.StringVar(&act.Mode, "mode", "", "with mode: normal, supervised, biometrics_suspended, maintenance or closed")
	last := fs.Duration("for", 0, "with mode: how long; 0: until it is taken back")
	fs.StringVar(&act.Direction, "direction", "", "with direction: entry or exit")
	fs.StringVar(&act.Reason, "reason", "", "why, a word of docs/lane.md")
	fs.Bool("json", true, "print JSON (always)")
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if len(rest) > 0 || *config == "" || *keyFile == "" || act.Do == "" {
		return unable(e, words, errors.New("needs --config, --key and --do"))
	}
	act.ForS = int64(*last / time.Second)
	c, err := runningGateOf(ctx, *config)
	if err != nil {
		return unable(e, words, err)
	}
	key, err := officerKey(ctx, *keyFile, *phraseFile)
	if err != nil {
		return unable(e, words, err)
	}
	answer, err := c.act(ctx, key, act)
	if err != nil {
		return unable(e, words, err)
	}
	if _, err := fmt.Fprintf(e.Out, "%s\n", bytes.TrimSpace(answer.raw)); err != nil {
		return unable(e, words, err)
	}
	if answer.Outcome != wire.OutcomeExecuted {
		return exitNegative
	}
	return exitDone
}

// officerKey reads an officer's key. Its passphrase is asked before the gate's
// nonce is, which is good for seconds.
func officerKey(ctx context.Context, file, phraseFile string) (ed25519.PrivateKey, error) {
	b, err := readFile(file, 1<<20)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("key %s: not PEM", file)
	}
	parsed, err := openKey(ctx, block, phraseFile)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", file, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("key %s: not of Ed25519 (make one with: gatectl officer keygen)", file)
	}
	return key, nil
}

// actAnswer is what a gate says of an act.
type actAnswer struct {
	Outcome string `json:"outcome"`
	raw     []byte
}

// act asks the gate for its nonce, signs the act over it and hands it in.
func (c *controlClient) act(ctx context.Context, key ed25519.PrivateKey, act wire.Act) (actAnswer, error) {
	raw, err := c.post(ctx, "/v1/officer/nonce")
	if err != nil {
		return actAnswer{}, err
	}
	var n struct {
		Gate  string `json:"gate"`
		Nonce string `json:"nonce"`
		Tx    string `json:"tx"`
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return actAnswer{}, fmt.Errorf("read answer of gated: %w", err)
	}
	act.Nonce = n.Nonce
	switch act.Do {
	case wire.ActOverride, wire.ActConfirm, wire.ActStamp:
		if act.Tx == "" {
			act.Tx = n.Tx
		}
	}
	if err := act.Check(); err != nil {
		return actAnswer{}, fmt.Errorf("%w (see docs/lane.md)", err)
	}
	who := wire.Officer{Key: key.Public().(ed25519.PublicKey)}
	signed, err := wire.SignJSON(wire.Signer{Kid: who.Kid(), Role: wire.RoleOfficer, Key: key}, wire.Header{Typ: wire.TypeAct, Ver: 1, To: n.Gate}, act)
	if err != nil {
		return actAnswer{}, err
	}
	return c.send(ctx, signed)
}

// send hands in a signed act. A refusal is an answer, not an error.
func (c *controlClient) send(ctx context.Context, signed []byte) (actAnswer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://gated/v1/officer/act", bytes.NewReader(signed))
	if err != nil {
		return actAnswer{}, fmt.Errorf("ask gated: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return actAnswer{}, fmt.Errorf("ask gated: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return actAnswer{}, fmt.Errorf("read answer of gated: %w", err)
	}
	a := actAnswer{raw: b}
	if json.Unmarshal(b, &a) != nil || a.Outcome == "" {
		return actAnswer{}, answerError(resp.StatusCode, b)
	}
	return a, nil
}
