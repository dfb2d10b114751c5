package accounts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"bordergate/sync/wire"
)

const testEpoch = 42

func testOptions(t *testing.T) Options {
	t.Helper()
	return Options{Path: filepath.Join(t.TempDir(), "accounts.db"), Key: [32]byte{1}, LockTimeout: time.Millisecond}
}

func openReplica(t *testing.T, o Options) *Replica {
	t.Helper()
	r, err := Open(o)
	if err != nil {
		t.Fatalf("open accounts: %v", err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func reopen(t *testing.T, r *Replica, o Options) *Replica {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	return openReplica(t, o)
}

// log is headquarters' side: it gives each batch its place and hashes.
type log struct {
	t    *testing.T
	seq  uint64
	hash wire.Hash
}

func hashAfter(prev wire.Hash, seq uint64) wire.Hash {
	return wire.ChainNext(prev, testEpoch, seq, nil)
}

func (l *log) apply(r *Replica, changes ...wire.Change) error {
	first, prev := l.seq+1, l.hash
	for range changes {
		l.seq++
		l.hash = hashAfter(l.hash, l.seq)
	}
	return r.Apply(testEpoch, first, prev, l.hash, changes)
}

func (l *log) must(r *Replica, changes ...wire.Change) {
	l.t.Helper()
	if err := l.apply(r, changes...); err != nil {
		l.t.Fatalf("apply: %v", err)
	}
}

func (l *log) head(issued int64) wire.Head {
	return wire.Head{Epoch: testEpoch, Seq: l.seq, Hash: l.hash, Issued: issued}
}

func put(id string, ver uint64) wire.Change {
	return wire.Change{
		Op: wire.OpPut, Account: id, Ver: ver, Status: wire.StatusActive, Level: 2, Kind: wire.KindCitizen,
		Organisation: "co-op 7", Model: "sface-2021", Reference: bytes.Repeat([]byte{7}, wire.ReferenceSize),
	}
}

func status(id string, ver uint64, to wire.Status) wire.Change {
	d := wire.Decision{ID: strings.Repeat("ab", 16), Role: wire.DeciderCommander, Ground: wire.GroundSecurity, By: "0f", At: 1}
	switch to {
	case wire.StatusSuspended:
		d.Action = wire.ActionSuspend
	case wire.StatusActive:
		d.Action, d.Ground = wire.ActionRestore, wire.GroundCleared
	case wire.StatusCancelled:
		d.Action = wire.ActionCancel
	}
	return wire.Change{Op: wire.OpStatus, Account: id, Ver: ver, Status: to, Decision: &d}
}

// synced is a replica with account a at version 1, at the head.
func synced(t *testing.T, o Options) (*Replica, *log) {
	t.Helper()
	r, l := openReplica(t, o), &log{t: t}
	l.must(r, put("a", 1))
	if err := r.Head(l.head(1000)); err != nil {
		t.Fatal(err)
	}
	return r, l
}

func wantStatus(t *testing.T, r *Replica, id string, want wire.Status) {
	t.Helper()
	a, found, err := r.Lookup(id)
	if err != nil || !found || a.Status != want {
		t.Errorf("account %s: %q, %v, %v; want %q", id, a.Status, found, err, want)
	}
}

func TestLookup(t *testing.T) {
	o := testOptions(t)
	r, _ := synced(t, o)
	for name, r := range map[string]*Replica{"same": r, "reopened": reopen(t, r, o)} {
		if name == "same" {
			if _, _, err := r.Lookup("a"); !errors.Is(err, ErrClosed) {
				t.Errorf("closed: %v", err)
			}
			continue
		}
		a, found, err := r.Lookup("a")
		if err != nil || !found || a.Level != 2 || a.Kind != wire.KindCitizen || a.Organisation != "co-op 7" ||
			a.Model != "sface-2021" || a.Ver != 1 || len(a.Reference) != wire.ReferenceSize || a.Overlaid {
			t.Errorf("%s: %+v, %v, %v", name, a, found, err)
		}
		for _, id := range []string{"", "b", "A", strings.Repeat("a", 1000)} {
			if _, found, err := r.Lookup(id); found || err != nil {
				t.Errorf("%.10q: %v, %v", id, found, err)
			}
		}
	}
}

func TestJSONHoldsNoReference(t *testing.T) {
	r, _ := synced(t, testOptions(t))
	a, _, err := r.Lookup("a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(a)
	want := `{"status":"active","level":2,"kind":"citizen","organisation":"co-op 7","model":"sface-2021","reference":true,"ver":1,"overlaid":false}`
	if err != nil || string(b) != want {
		t.Errorf("got %s, %v", b, err)
	}
}

func TestNothingIsInClear(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	c := put("VN-079123456789", 1)
	l.must(r, c)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, clear := range [][]byte{[]byte("079123456789"), []byte("co-op 7"), []byte("sface"), c.Reference[:16]} {
		if bytes.Contains(b, clear) {
			t.Errorf("%.20q stands in the file", clear)
		}
	}
	o.Key[0] = 9
	if _, err := Open(o); !errors.Is(err, ErrKey) {
		t.Errorf("another key gives %v", err)
	}
	if _, err := os.Stat(o.Path + damagedExt); err == nil {
		t.Error("a wrong key threw the file away")
	}
}

func TestNewReplicaAdmitsNobody(t *testing.T) {
	o := testOptions(t)
	r, l := openReplica(t, o), &log{t: t}
	steps := []struct {
		name string
		do   func() error
	}{
		{"empty", func() error { return nil }},
		{"head ahead", func() error {
			return r.Head(wire.Head{Epoch: testEpoch, Seq: 2, Hash: hashAfter(hashAfter(wire.Hash{}, 1), 2), Issued: 5})
		}},
		{"part", func() error { return l.apply(r, put("a", 1)) }},
		{"reopened", func() error { r = reopen(t, r, o); return nil }},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if _, _, err := r.Lookup("a"); !errors.Is(err, ErrResync) {
			t.Errorf("%s: lookup gives %v", s.name, err)
		}
		if _, ok := r.Fresh(); ok {
			t.Errorf("%s: it calls itself fresh", s.name)
		}
	}
	l.must(r, put("b", 1))
	if err := r.Head(l.head(6)); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, r, "a", wire.StatusActive)
}

func TestEmptyLogIsSynchronised(t *testing.T) {
	r := openReplica(t, testOptions(t))
	if err := r.Head(wire.Head{Epoch: testEpoch, Issued: 5}); err != nil {
		t.Fatal(err)
	}
	if _, found, err := r.Lookup("a"); found || err != nil {
		t.Errorf("lookup gives %v, %v", found, err)
	}
}

func TestApplyKeepsOrder(t *testing.T) {
	r, l := synced(t, testOptions(t))
	l.must(r, put("b", 1), put("c", 1))
	h := func(n uint64) (out wire.Hash) {
		for i := uint64(1); i <= n; i++ {
			out = hashAfter(out, i)
		}
		return out
	}
	one := []wire.Change{status("a", 9, wire.StatusSuspended)}
	two := []wire.Change{put("x", 1), put("y", 1)}
	cases := []struct {
		name       string
		epoch      uint64
		first      uint64
		prev, hash wire.Hash
		changes    []wire.Change
		want       error
	}{
		{"gap", testEpoch, 5, h(4), h(5), two, ErrGap},
		{"part is new", testEpoch, 3, h(2), h(4), two, ErrGap},
		{"older", testEpoch, 3, h(2), h(3), one, nil},
		{"much older", testEpoch, 1, h(0), h(2), two, nil},
		{"other epoch", testEpoch + 1, 4, h(3), h(4), one, ErrEpoch},
		{"no epoch", 0, 4, h(3), h(4), one, ErrEpoch},
		{"nothing", testEpoch, 4, h(3), h(3), nil, wire.ErrChange},
		{"sequence 0", testEpoch, 0, h(0), h(1), one, wire.ErrChange},
		{"beyond the end", testEpoch, 1<<64 - 1, h(3), h(4), two, wire.ErrChange},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := r.Apply(c.epoch, c.first, c.prev, c.hash, c.changes); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if e, s := r.Cursor(); e != testEpoch || s != 3 {
				t.Errorf("cursor %d, %d", e, s)
			}
			wantStatus(t, r, "a", wire.StatusActive)
		})
	}
	if err := r.Apply(testEpoch, 4, h(2), h(4), one); !errors.Is(err, ErrChain) {
		t.Errorf("another past gives %v", err)
	}
	if _, _, err := r.Lookup("a"); !errors.Is(err, ErrResync) {
		t.Errorf("a diverged replica answers: %v", err)
	}
}

func TestVersionsDecide(t *testing.T) {
	r, l := synced(t, testOptions(t))
	l.must(r, status("a", 3, wire.StatusSuspended))
	wantStatus(t, r, "a", wire.StatusSuspended)
	l.must(r, put("a", 2), status("a", 3, wire.StatusActive)) // late and repeated versions
	wantStatus(t, r, "a", wire.StatusSuspended)
	l.must(r, status("a", 4, wire.StatusActive))
	a, _, _ := r.Lookup("a")
	if a.Status != wire.StatusActive || a.Level != 2 || len(a.Reference) == 0 {
		t.Errorf("a change of status took the rest away: %+v", a)
	}
	l.must(r, status("a", 5, wire.StatusCancelled), status("a", 6, wire.StatusActive), put("a", 7))
	wantStatus(t, r, "a", wire.StatusCancelled)
	l.must(r, status("stranger", 1, wire.StatusSuspended))
	if a, found, err := r.Lookup("stranger"); !found || err != nil || a.Status != wire.StatusSuspended || a.Level != 0 {
		t.Errorf("an unknown account's suspension: %+v, %v, %v", a, found, err)
	}
}

func TestUnlawfulChangeTakesItsPlace(t *testing.T) {
	r, l := synced(t, testOptions(t))
	bad := status("a", 2, wire.StatusSuspended)
	bad.Decision = nil
	l.must(r, bad, wire.Change{}, put("b", 1))
	if _, s := r.Cursor(); s != 4 {
		t.Errorf("cursor %d", s)
	}
	wantStatus(t, r, "a", wire.StatusActive)
	wantStatus(t, r, "b", wire.StatusActive)
}

func TestOverlay(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	l.must(r, status("a", 5, wire.StatusSuspended), status("a", 6, wire.StatusActive))
	r.Overlay(status("a", 5, wire.StatusSuspended)) // older than what is committed
	wantStatus(t, r, "a", wire.StatusActive)
	r.Overlay(status("a", 8, wire.StatusSuspended))
	wantStatus(t, r, "a", wire.StatusSuspended)
	if s, ok := r.Committed("a"); !ok || s != wire.StatusActive {
		t.Errorf("committed is %q, %v", s, ok)
	}
	for _, c := range []wire.Change{
		status("a", 9, wire.StatusActive), // restores only when committed
		status("a", 7, wire.StatusActive), put("a", 9), {}, {Account: "a", Status: wire.StatusSuspended},
	} {
		r.Overlay(c)
		wantStatus(t, r, "a", wire.StatusSuspended)
	}
	l.must(r, status("a", 7, wire.StatusActive)) // an older restoration, committed
	wantStatus(t, r, "a", wire.StatusSuspended)
	l.must(r, status("a", 8, wire.StatusSuspended))
	if n := r.Stats().Overlay; n != 0 {
		t.Errorf("%d entries wait for what is committed", n)
	}
	l.must(r, status("a", 9, wire.StatusActive))
	wantStatus(t, r, "a", wire.StatusActive)
	r.Overlay(status("nobody", 1, wire.StatusSuspended))
	wantStatus(t, r, "nobody", wire.StatusSuspended)
	r.Overlay(status("a", 10, wire.StatusCancelled))
	r.Overlay(status("a", 11, wire.StatusSuspended))
	wantStatus(t, r, "a", wire.StatusCancelled)
}

func TestOverlayOverflowAdmitsNobody(t *testing.T) {
	o := testOptions(t)
	o.MaxOverlay = 2
	r, l := synced(t, o)
	for i := range 3 {
		r.Overlay(status(fmt.Sprint("x", i), 1, wire.StatusSuspended))
	}
	if _, _, err := r.Lookup("a"); !errors.Is(err, ErrResync) {
		t.Errorf("an overlay without room gives %v", err)
	}
	for i := range 3 {
		l.must(r, status(fmt.Sprint("x", i), 1, wire.StatusSuspended))
	}
	if err := r.Head(l.head(2000)); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, r, "a", wire.StatusActive)
	wantStatus(t, r, "x2", wire.StatusSuspended)
}

func TestSuspensionHoldsWhenTheCommitFails(t *testing.T) {
	r, l := synced(t, testOptions(t))
	if err := r.db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.apply(r, status("a", 2, wire.StatusSuspended)); err == nil {
		t.Fatal("committed to a closed file")
	}
	if e, ok := r.overlay.get(r.crypt.id("a")); !ok || e.status != wire.StatusSuspended {
		t.Error("the suspension is gone with its commit")
	}
	if _, _, err := r.Lookup("a"); err == nil {
		t.Error("a broken file answers")
	}
}

func TestFreshness(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	want := func(issued int64, behind uint64) {
		t.Helper()
		if at, ok := r.Fresh(); !ok || at.UnixNano() != issued || r.Behind() != behind {
			t.Errorf("fresh %d, %v, %d behind; want %d, %d behind", at.UnixNano(), ok, r.Behind(), issued, behind)
		}
	}
	want(1000, 0)
	ahead := wire.Head{Epoch: testEpoch, Seq: 2, Hash: hashAfter(l.hash, 2), Issued: 2000}
	for name, c := range map[string]struct {
		h    wire.Head
		want error
	}{
		"older":       {wire.Head{Epoch: testEpoch, Seq: 9, Issued: 999}, nil},
		"other epoch": {wire.Head{Epoch: 7, Seq: 9, Issued: 9999}, ErrEpoch},
		"ahead":       {ahead, nil},
		"repeated":    {ahead, nil},
	} {
		if err := r.Head(c.h); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	want(1000, 1) // what the replica holds is as old as the last head it reached
	if err := r.Head(wire.Head{Epoch: testEpoch, Seq: 1, Hash: l.hash, Issued: 3000}); !errors.Is(err, ErrHead) {
		t.Errorf("a head that went back gives %v", err)
	}
	l.must(r, put("b", 1))
	want(2000, 0)
	l.must(r, put("c", 1)) // the log may be ahead of its head for a moment
	if err := r.Head(wire.Head{Epoch: testEpoch, Seq: 2, Hash: ahead.Hash, Issued: 4000}); err != nil {
		t.Error(err)
	}
	want(4000, 0)
	r = reopen(t, r, o)
	want(4000, 0)
	if err := r.Head(wire.Head{Epoch: testEpoch, Seq: 3, Hash: wire.Hash{1}, Issued: 5000}); !errors.Is(err, ErrChain) {
		t.Errorf("a head with another hash gives %v", err)
	}
	if _, ok := r.Fresh(); ok {
		t.Error("a diverged replica is fresh")
	}
	if err := r.Reset(); err != nil {
		t.Fatal(err)
	}
	if e, s := r.Cursor(); e != 0 || s != 0 {
		t.Errorf("cursor after reset %d, %d", e, s)
	}
}

func TestDamagedFileIsReplaced(t *testing.T) {
	cases := map[string]func(path string) error{
		"empty":       func(p string) error { return os.Truncate(p, 0) },
		"short":       func(p string) error { return os.Truncate(p, 9000) },
		"zeros":       func(p string) error { return os.WriteFile(p, make([]byte, 1<<16), 0o600) },
		"text":        func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte("no "), 20000), 0o600) },
		"place wrong": change(bucketMeta, keyPlace),
		"check wrong": change(bucketMeta, keyCheck),
		"version":     change(bucketMeta, keyVersion),
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			o := testOptions(t)
			r, l := synced(t, o)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if err := spoil(o.Path); err != nil {
				t.Fatal(err)
			}
			ro := o
			ro.ReadOnly = true
			if _, err := Open(ro); !errors.Is(err, ErrDamaged) {
				t.Errorf("for reading: %v", err)
			}
			r = openReplica(t, o)
			if r.Quarantined() == "" {
				t.Error("nothing was moved aside")
			}
			if _, _, err := r.Lookup("a"); !errors.Is(err, ErrResync) {
				t.Errorf("lookup gives %v", err)
			}
			l2 := &log{t: t}
			l2.must(r, put("a", 1))
			if err := r.Head(l.head(3000)); err != nil {
				t.Fatal(err)
			}
			wantStatus(t, r, "a", wire.StatusActive)
		})
	}
}

// change flips a bit of a stored value, behind the replica's back.
func change(bucket, key []byte) func(string) error {
	return func(path string) error {
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			return err
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			v := bytes.Clone(tx.Bucket(bucket).Get(key))
			v[0] ^= 4
			return tx.Bucket(bucket).Put(key, v)
		})
		return errors.Join(err, db.Close())
	}
}

func TestDamagedValueStopsTheReplica(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	l.must(r, put("b", 1))
	key := r.crypt.id("a")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := change(bucketAccounts, key[:])(o.Path); err != nil {
		t.Fatal(err)
	}
	r = openReplica(t, o)
	if _, _, err := r.Lookup("a"); !errors.Is(err, ErrDamaged) {
		t.Errorf("the bad account gives %v", err)
	}
	if _, _, err := r.Lookup("b"); !errors.Is(err, ErrResync) {
		t.Errorf("the others give %v", err)
	}
	r.Overlay(status("b", 4, wire.StatusSuspended))
	// The next change finds a new file to be filled from the beginning.
	if err := l.apply(r, put("c", 1)); !errors.Is(err, ErrGap) {
		t.Errorf("the next change gives %v", err)
	}
	l2 := &log{t: t}
	l2.must(r, put("a", 1), put("b", 1))
	if err := r.Head(l2.head(5000)); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, r, "a", wire.StatusActive)
	wantStatus(t, r, "b", wire.StatusSuspended)
}

func TestStats(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	b := put("b", 1)
	b.Level, b.Kind, b.Reference = 1, wire.KindOrganisation, nil
	l.must(r, b, status("a", 2, wire.StatusSuspended), put("c", 1), status("c", 2, wire.StatusCancelled), put("a", 3))
	want := Counts{Accounts: 3, Active: 2, Cancelled: 1, Level1: 1, Level2: 2, Citizens: 2, Organisations: 1, References: 2}
	for name, s := range map[string]Stats{"same": r.Stats(), "reopened": reopen(t, r, o).Stats()} {
		if s.Counts != want || s.Cursor != 6 || s.Epoch != testEpoch || s.Bytes == 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestReadOnly(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	ro := o
	ro.ReadOnly = true
	if _, err := Open(ro); !errors.Is(err, ErrLocked) {
		t.Errorf("beside a writer: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r = openReplica(t, ro)
	wantStatus(t, r, "a", wire.StatusActive)
	for name, err := range map[string]error{
		"apply": l.apply(r, put("b", 1)), "head": r.Head(l.head(9000)), "reset": r.Reset(),
	} {
		if !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s gives %v", name, err)
		}
	}
}

// TestSuspensionIsSeenAtOnce looks up without pause while suspensions and
// restorations are applied: once Overlay or Apply of a suspension has returned,
// no look-up that begins later may find the account active before the
// restoration begins.
func TestSuspensionIsSeenAtOnce(t *testing.T) {
	r, l := synced(t, testOptions(t))
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if _, found, err := r.Lookup("a"); !found || err != nil {
						t.Errorf("%v, %v", found, err)
						return
					}
				}
			}
		})
	}
	for ver := uint64(2); ver < 60; ver += 2 {
		c := status("a", ver, wire.StatusSuspended)
		if ver%4 == 0 {
			r.Overlay(c)
			wantStatus(t, r, "a", wire.StatusSuspended)
		}
		l.must(r, c)
		wantStatus(t, r, "a", wire.StatusSuspended)
		l.must(r, status("a", ver+1, wire.StatusActive))
		wantStatus(t, r, "a", wire.StatusActive)
	}
	close(stop)
	wg.Wait()
}

func FuzzDecodeAccount(f *testing.F) {
	a := Account{Status: wire.StatusActive, Level: 2, Kind: wire.KindCitizen, Model: "m", Reference: make([]byte, wire.ReferenceSize), Ver: 9}
	b, err := a.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:13])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeAccount(b)
		if err != nil {
			return
		}
		again, err := a.encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("decoded account encodes to another: %v", err)
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	r, err := Open(Options{Path: b.TempDir() + "/accounts.db", Key: [32]byte{1}})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	var hash wire.Hash
	const batch, batches = 500, 40
	for k := range uint64(batches) {
		var changes []wire.Change
		for i := range uint64(batch) {
			changes = append(changes, put(fmt.Sprint("account ", k*batch+i), 1))
		}
		if err := r.Apply(testEpoch, k*batch+1, hash, wire.Hash{byte(k)}, changes); err != nil {
			b.Fatal(err)
		}
		hash = wire.Hash{byte(k)}
	}
	if err := r.Head(wire.Head{Epoch: testEpoch, Seq: batch * batches, Hash: hash, Issued: 1}); err != nil {
		b.Fatal(err)
	}
	i := 0
	for b.Loop() {
		if _, found, err := r.Lookup(fmt.Sprint("account ", i%(batch*batches))); err != nil || !found {
			b.Fatal(found, err)
		}
		i += 7919
	}
}
