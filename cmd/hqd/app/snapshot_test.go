package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"bordergate/sync/accounts"
	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// manyAccounts enrols accounts m0, m1, and so on.
func manyAccounts(t *testing.T, h *hqRig, n int) {
	t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint("m", i)
	}
	enrol(t, h, ids...)
}

// heavyAccounts is manyAccounts with face references, for a snapshot of several
// pieces.
func heavyAccounts(t *testing.T, h *hqRig, n int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	list := make([]accountLine, n)
	for i := range list {
		ref := make([]byte, wire.ReferenceSize)
		for j := range ref {
			ref[j] = byte(rng.Uint32())
		}
		list[i] = accountLine{ID: fmt.Sprint("m", i), Level: 2, Kind: wire.KindCitizen, Model: "sface-2021", Reference: ref}
	}
	if _, err := ask[struct{}](t, h, "POST", "/accounts", list); err != nil {
		t.Fatal(err)
	}
}

// hooked tells a test of the steps of a transfer.
type hooked struct {
	*accounts.Replica
	begun   func(next int)
	piece   func(n int) error // an error in place of the piece
	install func()            // before the installation
}

func (r hooked) BeginSnapshot(m wire.Snapshot, key [32]byte) (int, error) {
	next, err := r.Replica.BeginSnapshot(m, key)
	if err == nil && r.begun != nil {
		r.begun(next)
	}
	return next, err
}

func (r hooked) AddPiece(n int, b []byte) (int, error) {
	if r.piece != nil {
		if err := r.piece(n); err != nil {
			return n, err
		}
	}
	return r.Replica.AddPiece(n, b)
}

func (r hooked) InstallSnapshot(ctx context.Context) error {
	if r.install != nil {
		r.install()
	}
	return r.Replica.InstallSnapshot(ctx)
}

// TestFetchesThatFollowAreAllSent: a gate asks for more before it has all, and
// whatever it asked for comes, in order, or it waits for ten seconds.
func TestFetchesThatFollowAreAllSent(t *testing.T) {
	r := newReplays()
	fetch := func(id string, from, n int) wish { return wish{Fetch: &wire.Fetch{ID: id, From: from, N: n}} }
	for _, c := range []struct {
		asked []wish
		want  wish
	}{
		{[]wish{fetch("a", 0, 32), fetch("a", 32, 16), fetch("a", 48, 16)}, fetch("a", 0, 64)},
		{[]wish{fetch("a", 0, 32), fetch("b", 32, 16)}, fetch("b", 32, 16)},
		{[]wish{fetch("a", 0, 32), fetch("a", 0, 32)}, fetch("a", 0, 32)},
		{[]wish{fetch("a", 64, 32), fetch("a", 32, 32)}, fetch("a", 32, 32)},
		{[]wish{{Hello: wire.Hello{Cursor: 1}}, fetch("a", 0, 32)}, fetch("a", 0, 32)},
		{[]wish{fetch("a", 0, 32), {Hello: wire.Hello{Cursor: 1}}}, wish{Hello: wire.Hello{Cursor: 1}}},
		{[]wish{fetch("a", 0, maxPending), fetch("a", maxPending, 32)}, fetch("a", 0, maxPending)},
	} {
		for _, w := range c.asked {
			r.ask("lane-1", w)
		}
		_, got, ok := r.next()
		if !ok || got.Hello != c.want.Hello || (got.Fetch == nil) != (c.want.Fetch == nil) || got.Fetch != nil && *got.Fetch != *c.want.Fetch {
			t.Errorf("%+v: %+v", c.asked, got)
		}
		r.done("lane-1")
	}
}

// TestMissedSuspensionBitesBeforeTheSnapshot: a gate that comes back far behind
// serves from its old file while the new one is on its way, but nobody who was
// suspended meanwhile.
func TestMissedSuspensionBitesBeforeTheSnapshot(t *testing.T) {
	h := newHQ(t)
	h.behind = 100
	h.start()
	manyAccounts(t, h, 50)
	g := newGate(t, h, "lane-1")
	g.start(h)
	until(t, "the end of catching up", g.catching, false)
	g.stop()
	missed := decide(t, h, "m7", suspension)
	manyAccounts(t, h, 300)
	begun := make(chan wire.Status, 8)
	g.slow = func(link.Accounts) link.Accounts {
		return hooked{Replica: g.accounts, begun: func(int) { begun <- statusOf(t, g, "m7") }, install: func() {
			if g.link.CatchingUp() {
				t.Error("nobody is admitted while the snapshot comes")
			}
		}}
	}
	g.start(h)
	select {
	case got := <-begun:
		if got != wire.StatusSuspended {
			t.Errorf("m7 is %s when the snapshot begins", got)
		}
	case <-time.After(patience):
		t.Fatal("no snapshot came")
	}
	if r := waitApplied(t, h, missed); len(r.Gates) != 1 || r.Gates[0].Inferred {
		t.Errorf("applied: %+v", r.Gates)
	}
	if installed(g) != 1 {
		t.Errorf("%d snapshots were installed", installed(g))
	}
	g.waitStatus("m299", wire.StatusActive)
	g.waitStatus("m7", wire.StatusSuspended)
}

// TestSuspensionDuringTheInstallation bites in the old file at once, and in the
// new one.
func TestSuspensionDuringTheInstallation(t *testing.T) {
	h := newHQ(t)
	h.behind = 100
	h.start()
	manyAccounts(t, h, 50)
	g := newGate(t, h, "lane-1")
	g.start(h)
	until(t, "the end of catching up", g.catching, false)
	g.stop()
	manyAccounts(t, h, 300)
	installing, decided := make(chan struct{}), make(chan struct{})
	g.slow = func(link.Accounts) link.Accounts {
		return hooked{Replica: g.accounts, install: func() { close(installing); <-decided }}
	}
	g.start(h)
	wait(t, "the installation", installing)
	id := decide(t, h, "m8", suspension)
	g.waitStatus("m8", wire.StatusSuspended)
	if s := g.accounts.Stats(); s.Accounts != 50 || s.Overlay != 1 {
		t.Errorf("not from the old file: %+v", s)
	}
	close(decided)
	waitApplied(t, h, id)
	g.waitStatus("m299", wire.StatusActive)
	g.waitStatus("m8", wire.StatusSuspended)
	if s := g.accounts.Stats(); s.Accounts != 300 || s.Suspended != 1 {
		t.Errorf("%+v", s)
	}
}

// TestCutTransferGoesOn ends the gate's process in the middle of a transfer.
func TestCutTransferGoesOn(t *testing.T) {
	h := newHQ(t)
	h.behind = 100
	h.start()
	heavyAccounts(t, h, 1500)
	g := newGate(t, h, "lane-1")
	cut := make(chan struct{})
	g.slow = func(link.Accounts) link.Accounts {
		once := sync.OnceFunc(func() { close(cut) })
		return hooked{Replica: g.accounts, piece: func(n int) error {
			if n < 3 {
				return nil
			}
			once()
			return errors.New("no room")
		}}
	}
	g.start(h)
	wait(t, "the third piece", cut)
	g.stop()
	g.reopen()
	begun := make(chan int, 8)
	g.slow = func(link.Accounts) link.Accounts {
		return hooked{Replica: g.accounts, begun: func(next int) { begun <- next }}
	}
	g.start(h)
	select {
	case next := <-begun:
		if next != 3 {
			t.Errorf("the transfer goes on at piece %d", next)
		}
	case <-time.After(patience):
		t.Fatal("no snapshot came")
	}
	g.waitStatus("m1499", wire.StatusActive)
	if installed(g) != 1 {
		t.Errorf("%d snapshots were installed", installed(g))
	}
}

func installed(g *gateRig) uint64 { return g.link.Status().Counters["snapshots_in"] }

// waitStatus returns when the gate answers for the account with this status. A
// change that is applied may still wait for the head that makes it fresh.
func (g *gateRig) waitStatus(account string, want wire.Status) {
	g.t.Helper()
	limit := time.After(patience)
	for {
		a, ok, err := g.accounts.Lookup(account)
		if err == nil && ok && a.Status == want {
			return
		}
		select {
		case <-g.changed:
		case <-g.catching:
		case <-limit:
			g.t.Fatalf("waited in vain for %s to be %s: %s, %v, %v", account, want, a.Status, ok, err)
		}
	}
}

func TestGateFarBehindGetsASnapshot(t *testing.T) {
	h := newHQ(t)
	h.behind = 100
	h.start()
	manyAccounts(t, h, 500)
	decide(t, h, "m7", suspension)
	if _, err := ask[Decided](t, h, "POST", "/passes/revoke", Revocation{Number: "P7", By: "N. N.", Ground: wire.GroundLost}); err != nil {
		t.Fatal(err)
	}
	decide(t, h, "m8", suspension)
	decide(t, h, "m8", Order{Action: wire.ActionRestore, By: "N. N.", Role: wire.DeciderCommander, Ground: wire.GroundCleared})
	g := newGate(t, h, "lane-1")
	g.start(h)
	id := decide(t, h, "m9", suspension) // while the snapshot is on its way
	waitApplied(t, h, id)
	g.waitStatus("m9", wire.StatusSuspended)
	for account, want := range map[string]wire.Status{
		"m0": wire.StatusActive, "m7": wire.StatusSuspended, "m8": wire.StatusActive, "m9": wire.StatusSuspended, "m499": wire.StatusActive,
	} {
		if got := statusOf(t, g, account); got != want {
			t.Errorf("%s is %s, want %s", account, got, want)
		}
	}
	if p, err := g.accounts.LookupPass("P7"); err != nil || !p.Revoked {
		t.Errorf("pass: %+v, %v", p, err)
	}
	if n := installed(g); n != 1 {
		t.Fatalf("%d snapshots were installed", n)
	}
	if s := g.accounts.Stats(); s.Accounts != 500 || s.Suspended != 2 || s.Cursor != 505 {
		t.Errorf("replica: %+v", s)
	}
}

// TestSnapshotSurvivesARestart sends the same snapshot again, and a newer one
// once the log has gone on for long.
func TestSnapshotSurvivesARestart(t *testing.T) {
	h := newHQ(t)
	h.behind = 100
	h.start()
	manyAccounts(t, h, 300)
	made, err := ask[SnapshotReport](t, h, "POST", "/snapshot", nil)
	if err != nil || made.Items != 300 || made.Seq != 300 || made.Pieces < 2 {
		t.Fatalf("%+v, %v", made, err)
	}
	h.stop()
	h.start()
	again, err := h.app.snapshots.newest(t.Context())
	if err != nil || again.Manifest.ID != made.ID {
		t.Fatalf("after a restart another one: %v", err)
	}
	for i := range 120 {
		decide(t, h, fmt.Sprint("m", i), suspension)
	}
	next, err := h.app.snapshots.newest(t.Context())
	if err != nil || next.Manifest.ID == made.ID || next.Manifest.Items != 420 {
		t.Fatalf("after many changes: %+v, %v", next.Manifest, err)
	}
	list, err := filepath.Glob(filepath.Join(h.dir, "store", "snapshots", "*"))
	if err != nil || len(list) != 2 {
		t.Errorf("kept: %v", list)
	}
	h.stop()
	if err := os.WriteFile(filepath.Join(h.dir, "store", "snapshots", snapshotFile), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.start()
	if h.app.snapshots.cur != nil {
		t.Error("an unfit file is used")
	}
}

// TestHeadquartersOfALaterEpochFillsItsGatesAnew loses headquarters' store.
func TestHeadquartersOfALaterEpochFillsItsGatesAnew(t *testing.T) {
	h := newHQ(t)
	h.start()
	enrol(t, h, "a1", "a2")
	g := newGate(t, h, "lane-1")
	g.start(h)
	until(t, "the end of catching up", g.catching, false)
	g.stop()
	for old := h.app.ledger.epoch; h.app.ledger.epoch == old; { // it counts seconds
		h.stop()
		if err := os.RemoveAll(filepath.Join(h.dir, "store")); err != nil {
			t.Fatal(err)
		}
		h.start()
	}
	enrol(t, h, "a1", "b1")
	decide(t, h, "a1", suspension)
	g.start(h)
	id := decide(t, h, "b1", suspension)
	waitApplied(t, h, id)
	g.waitStatus("a1", wire.StatusSuspended)
	if _, known, err := g.accounts.Lookup("a2"); known || err != nil {
		t.Errorf("an account of the lost store is known: %v", err)
	}
}

// TestDamagedFileIsFilledAnew overwrites the file of a gate that runs.
func TestDamagedFileIsFilledAnew(t *testing.T) {
	h := newHQ(t)
	h.start()
	enrol(t, h, "a1", "a2")
	g := newGate(t, h, "lane-1")
	g.start(h)
	g.waitStatus("a1", wire.StatusActive)
	f, err := os.OpenFile(filepath.Join(g.dir, "accounts.db"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	page := int64(os.Getpagesize())
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, int(30*page)), 2*page); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.accounts.Lookup("a1"); !errors.Is(err, accounts.ErrDamaged) {
		t.Fatalf("admitted on a damaged file: %v", err)
	}
	if _, fresh := g.accounts.Fresh(); fresh {
		t.Error("a damaged file is fresh")
	}
	// Headquarters' next head, a second away, is enough: nobody has to do anything.
	g.waitStatus("a2", wire.StatusActive)
	if g.accounts.Quarantined() == "" {
		t.Error("the damaged file is not kept")
	}
}

// TestDivergedGateIsFilledAnew has a gate that holds another past.
func TestDivergedGateIsFilledAnew(t *testing.T) {
	h := newHQ(t)
	h.start()
	enrol(t, h, "a1")
	g := newGate(t, h, "lane-1")
	if err := g.accounts.Apply(h.app.ledger.epoch, 1, wire.Hash{}, wire.Hash{9}, []wire.Change{{
		Op: wire.OpPut, Account: "x", Ver: 1, Status: wire.StatusActive, Level: 1, Kind: wire.KindCitizen,
	}}); err != nil {
		t.Fatal(err)
	}
	g.start(h)
	waitApplied(t, h, decide(t, h, "a1", suspension))
	g.waitStatus("a1", wire.StatusSuspended)
	if _, known, err := g.accounts.Lookup("x"); known || err != nil {
		t.Errorf("what never was is known: %v", err)
	}
}
