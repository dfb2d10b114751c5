package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bordergate/sync/wire"
)

const actNonce = "000102030405060708090a0b0c0d0e0f"

// actGate answers as a gate does to whoever hands in an act, and keeps what came.
func actGate(t *testing.T, outcome string, status int) (c *controlClient, got *[]byte) {
	t.Helper()
	got = new([]byte)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/officer/nonce", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"gate":"lane-1","nonce":%q,"valid_s":10,"tx":%q}`, actNonce, actNonce)
	})
	mux.HandleFunc("POST /v1/officer/act", func(w http.ResponseWriter, r *http.Request) {
		*got, _ = io.ReadAll(r.Body)
		w.WriteHeader(status)
		fmt.Fprint(w, outcome)
	})
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: mux} //nolint:gosec // a test's own
	over := make(chan struct{})
	go func() { defer close(over); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-over })
	return newControlClient(socket), got
}

// madeKey is an officer's key as the command makes it.
func madeKey(t *testing.T, args ...string) (report officerKeyReport) {
	t.Helper()
	var out, errs bytes.Buffer
	if status := officerKeygen(t.Context(), env{Out: &out, Err: &errs}, append([]string{"--out", t.TempDir()}, args...)); status != exitDone {
		t.Fatalf("%d %s", status, &errs)
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	return report
}

func TestOfficerSignsWhatTheGateCanVerify(t *testing.T) {
	phrase := filepath.Join(t.TempDir(), "phrase")
	if err := os.WriteFile(phrase, []byte("a phrase of the test's\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := madeKey(t, "--passphrase-file", phrase)
	if b, err := os.ReadFile(r.Key); err != nil || !strings.Contains(string(b), "ENCRYPTED") {
		t.Fatalf("the key lies in clear: %v", err)
	}
	key, err := officerKey(t.Context(), r.Key, phrase)
	if err != nil {
		t.Fatal(err)
	}
	pub := key.Public().(ed25519.PublicKey)
	c, got := actGate(t, `{"do":"override","outcome":"executed"}`, 200)
	a, err := c.act(t.Context(), key, wire.Act{Do: wire.ActOverride, Reason: "document_checked"})
	if err != nil || a.Outcome != wire.OutcomeExecuted {
		t.Fatalf("%+v, %v", a, err)
	}
	who := wire.Officer{Key: pub}
	ring, err := wire.NewKeyring(wire.PublicKey{Kid: who.Kid(), Role: wire.RoleOfficer, Key: pub})
	if err != nil {
		t.Fatal(err)
	}
	h, payload, err := ring.Verify(*got, wire.Want{Typ: wire.TypeAct, To: "lane-1", Role: wire.RoleOfficer})
	if err != nil || h.To != "lane-1" {
		t.Fatalf("%+v, %v", h, err)
	}
	act, err := wire.Decode[wire.Act](payload)
	if err != nil || act.Tx != actNonce || act.Nonce != actNonce || act.Reason != "document_checked" {
		t.Fatalf("%+v, %v", act, err)
	}
	half, err := os.ReadFile(r.Public)
	if block, _ := pem.Decode(half); err != nil || block == nil || block.Type != "PUBLIC KEY" || r.Fingerprint != wire.Fingerprint(pub) {
		t.Fatalf("public half: %v", err)
	}
}

func TestActsThatAreRefused(t *testing.T) {
	r := madeKey(t, "--no-passphrase")
	key, err := officerKey(t.Context(), r.Key, "")
	if err != nil {
		t.Fatal(err)
	}
	c, got := actGate(t, `{"do":"sign_off","outcome":"refused","why":"it is not over"}`, 403)
	if a, err := c.act(t.Context(), key, wire.Act{Do: wire.ActSignOff}); err != nil || a.Outcome != wire.OutcomeRefused || !strings.Contains(string(a.raw), "not over") {
		t.Fatalf("%+v, %v", a, err)
	}
	*got = nil
	if _, err := c.act(t.Context(), key, wire.Act{Do: wire.ActOverride}); err == nil || *got != nil {
		t.Fatalf("an act of no form was sent: %v", err)
	}
	c, _ = actGate(t, `{"error":"headquarters' keys are not here"}`, 503)
	if _, err := c.act(t.Context(), key, wire.Act{Do: wire.ActSignOff}); err == nil || !strings.Contains(err.Error(), "keys are not here") {
		t.Fatalf("%v", err)
	}
	for name, args := range map[string][]string{
		"no key": {"--config", "x", "--do", "stamp"}, "no gate": {"--key", "x", "--do", "stamp"}, "nothing": {"--config", "x", "--key", r.Key},
	} {
		var out, errs bytes.Buffer
		if status := officerAct(t.Context(), env{Out: &out, Err: &errs}, args); status != exitUnable || errs.Len() == 0 {
			t.Errorf("%s: %d", name, status)
		}
	}
}
