package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bordergate/sync/accounts"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// sentStore puts a store into the cache of a stopped gate.
func sentStore(t *testing.T, config string, first, ver uint64, certificates, lists [][]byte) {
	t.Helper()
	dir := filepath.Dir(config)
	id, err := vault.LoadIdentity(dir + "/identity")
	if err != nil {
		t.Fatal(err)
	}
	r, err := accounts.Open(accounts.Options{Path: filepath.Join(dir, accountsFile), Key: vault.Derive(id.Master, accountsKey)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	store, parts := wire.NewTrust(certificates, lists)
	store.Issued, store.Lists, store.ListAge = time.Date(2026, 9, 5, 7, 0, 0, 0, time.UTC).UnixNano(), wire.ListsRequired, 72*3600
	var changes []wire.Change
	for _, p := range parts {
		changes = append(changes, wire.Change{Op: wire.OpTrustPart, Ver: ver, Part: p})
	}
	changes = append(changes, wire.Change{Op: wire.OpTrust, Ver: ver, Trust: &store})
	if err := r.Apply(5, first, wire.Hash{byte(first - 1)}, wire.Hash{byte(first) + byte(len(changes)) - 1}, changes); err != nil {
		t.Fatal(err)
	}
	if ver == 1 {
		if err := r.UseTrust(ver); err != nil {
			t.Fatal(err)
		}
	}
}

func vaultOf(t *testing.T, config string) *vault.Vault {
	t.Helper()
	dir := filepath.Dir(config)
	id, err := vault.LoadIdentity(dir + "/identity")
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(filepath.Join(dir, keysDir), id.Master)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestTrustOfAGate: headquarters' store is shown offline, as the gate judges it.
func TestTrustOfAGate(t *testing.T) {
	s, config := newTrustCase(t), stoppedGate(t)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.ReplaceAll(string(text), "/etc/bordergate/trust ", s.trust()+" "))
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(command string, args ...string) outcome {
		t.Helper()
		return gatectl(t, append(strings.Fields("seal trust "+command+" --config "+config+" --at "+trustAt), args...)...)
	}
	want := func(what string, got outcome, status int, says ...string) {
		t.Helper()
		if got.status != status {
			t.Errorf("%s: status %d, out %s err %s", what, got.status, got.out, got.err)
		}
		for _, w := range says {
			if !strings.Contains(got.out+got.err, w) {
				t.Errorf("%s: nothing says %q: %s%s", what, w, got.out, got.err)
			}
		}
	}
	want("before any store", run("list", "--json"), exitDone, `{"source":"folder","signers":0`)

	s.list(t, "list.crl", 3, time.Date(2026, 9, 4, 10, 0, 0, 0, time.UTC))
	list, err := os.ReadFile(s.path("list.crl"))
	if err != nil {
		t.Fatal(err)
	}
	sentStore(t, config, 2, 1, [][]byte{s.a.CA.Raw, s.a.Signer.Raw}, [][]byte{list})
	want("list", run("list", "--json"), exitDone, `{"source":"headquarters","version":1,"issued":"2026-09-05T07:00:00Z","age":"3h0m0s","signers":1,"lists":"required","list_age":"3 days"`,
		`"kind":"root"`, `"signer":"UTGT"`, `"not_after":"2031-01-01T00:00:00Z"`, `"kind":"list"`, `"age":"24h0m0s"`)
	want("list in words", run("list"), exitDone, "headquarters' store 1 of 2026-09-05T07:00:00Z (3h0m0s old): 1 signers, revocation lists required", "(24h0m0s old)")
	want("check", run("check"), exitDone, "1 roots, 0 authorities, 1 signers, 1 lists; 0 faults")
	late := gatectl(t, "seal", "trust", "check", "--config", config, "--at", "2026-09-09T10:00:00Z")
	want("check of an old list", late, exitNegative, "old revocation list", "UNTRUSTED_CERTIFICATE")

	s.list(t, "trust/local.crl", 1, time.Date(2026, 9, 4, 10, 0, 0, 0, time.UTC), 0x1A)
	want("the folder's list counts", run("check"), exitNegative, "REVOKED_CERTIFICATE")

	lost := stoppedGate(t)
	id, err := vault.LoadIdentity(filepath.Dir(lost) + "/identity")
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(journal.Options{Path: filepath.Join(filepath.Dir(lost), journalFile), Gate: "lane-1", Vault: vaultOf(t, lost), Signer: id.Signer})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.Advance(factTrust, 1), j.Close()); err != nil {
		t.Fatal(err)
	}
	want("a lost cache", gatectl(t, "seal", "trust", "list", "--config", lost), exitUnable, "believes nobody", "comes again")

	sentStore(t, config, 6, 2, [][]byte{s.a.CA.Raw, s.a.Signer.Raw}, [][]byte{[]byte("no list")})
	want("a store that is not used", run("list"), exitDone, "headquarters' store 1", "not well: store 2 is not used")
	want("its check", run("check"), exitNegative)
	want("adding to it", run("add", s.path("ca.der")), exitUnable, "hqd trust")
	want("both", run("list", "--dir", s.trust()), exitUnable, "not both")

	answer, err := json.Marshal(map[string]any{
		"status": map[string]any{"source": "headquarters", "fault": "see here"},
		"store":  accounts.TrustStore{Ver: 9, Lists: wire.ListsOff, Certificates: [][]byte{s.a.CA.Raw, s.a.Signer.Raw}},
	})
	if err != nil {
		t.Fatal(err)
	}
	runningGate(t, config, map[string]string{"GET /v1/trust": string(answer)})
	want("of a running gate", run("list", "--json"), exitDone, `"version":9`, `"fault":"see here"`)
}
