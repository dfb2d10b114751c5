package replica

import (
	"encoding/json"
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

func enrolled(t *testing.T, from, to int) []wire.Change {
	t.Helper()
	file := filepath.Join(t.TempDir(), "accounts.json")
	if err := write(file, from, to); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []enrolment
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	var out []wire.Change
	for _, e := range list {
		out = append(out, wire.Change{
			Op: wire.OpPut, Account: e.ID, Ver: 1, Status: wire.StatusActive, Level: e.Level, Kind: e.Kind,
			Organisation: e.Organisation, Model: e.Model, Reference: e.Reference,
		})
		if err := out[len(out)-1].Check(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// newLane has a fresh replica of twenty accounts.
func newLane(t *testing.T) *lane {
	t.Helper()
	dir := t.TempDir()
	v, err := vault.Open(filepath.Join(dir, "keys"), [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(journal.Options{Path: filepath.Join(dir, "journal.db"), Gate: gateID, Vault: v, Simulated: true})
	if err != nil {
		t.Fatal(err)
	}
	r, err := accounts.Open(accounts.Options{Path: filepath.Join(dir, "accounts.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), j.Close() })
	head := wire.Head{Epoch: 1, Seq: 20, Hash: wire.Hash{1}, Issued: time.Now().UnixNano()}
	if err := r.Apply(1, 1, wire.Hash{}, head.Hash, enrolled(t, 0, 20)); err != nil {
		t.Fatal(err)
	}
	if err := r.Head(head); err != nil {
		t.Fatal(err)
	}
	return &lane{replica: r, journal: j, others: map[string]int{}, notify: func() {}, catching: func() bool { return false }}
}

func TestLaneDecidesOnWhatTheReplicaSays(t *testing.T) {
	l := newLane(t)
	for n := range 20 {
		if err := l.traveller(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if err := l.lookUp(n); err != nil {
			t.Fatal(err)
		}
	}
	l.replica.Overlay(wire.Change{Op: wire.OpStatus, Account: Account(3), Ver: 2, Status: wire.StatusSuspended})
	l.catching = func() bool { return true }
	if err := l.traveller(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	m, err := l.measures()
	if err != nil || m.Admitted != 20 || m.Others["account_suspended mode_catching_up"] != 1 || len(m.Others) != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	if m.LookUp.N != 20 || m.Asked.N != 21 || m.Recorded.N != 21 || m.LookUp.P99 < m.LookUp.P50 || m.LookUp.Max <= 0 {
		t.Errorf("%+v", m)
	}
	if err := l.lookUp(20); err == nil {
		t.Error("an account that is missing is a result")
	}
	l.fail(os.ErrInvalid)
	if _, err := l.measures(); err == nil {
		t.Error("a fault is forgotten")
	}
}

func TestEnrolmentsAreAsLongAndNotAlike(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range append(enrolled(t, 5, 6), enrolled(t, 9, 12)...) {
		if len(c.Reference) != wire.ReferenceSize || seen[string(c.Reference)] || seen[c.Account] {
			t.Errorf("account %s comes twice, or its reference", c.Account)
		}
		seen[string(c.Reference)], seen[c.Account] = true, true
	}
	if again := enrolled(t, 9, 10); !seen[string(again[0].Reference)] {
		t.Error("an account has another reference each time")
	}
}

// TestGateSaysWhatItCannotDo speaks our side of the pipe.
func TestGateSaysWhatItCannotDo(t *testing.T) {
	for _, in := range []string{"", "x\n", `{"dir":"/nowhere"}` + "\n"} {
		var out strings.Builder
		if err := ServeGate(t.Context(), strings.NewReader(in), &out); err == nil {
			t.Errorf("%q: done", in)
		}
	}
}
