package accounts

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"bordergate/sync/wire"
)

// trust is a store of these entries, the last a list where there are three,
// with its parts before it.
func trust(ver uint64, entries ...string) []wire.Change {
	var ders [2][][]byte
	for i, e := range entries {
		ders[i/2] = append(ders[i/2], []byte(e))
	}
	t, parts := wire.NewTrust(ders[0], ders[1])
	t.Issued, t.Lists, t.ListAge = int64(ver), wire.ListsRequired, 3600
	var out []wire.Change
	for _, p := range parts {
		out = append(out, wire.Change{Op: wire.OpTrustPart, Ver: ver, Part: p})
	}
	return append(out, wire.Change{Op: wire.OpTrust, Ver: ver, Trust: &t})
}

// wantTrust names the newest store and the one in use, each by its version and
// then its entries; version 0 is none.
func wantTrust(t *testing.T, r *Replica, newest, used uint64, entries ...string) {
	t.Helper()
	n, u, err := r.Trust()
	if err != nil || n.Ver != newest || u.Ver != used {
		t.Fatalf("newest %d, used %d, %v; want %d, %d", n.Ver, u.Ver, err, newest, used)
	}
	var have []string
	for _, e := range slices.Concat(n.Certificates, n.Revocations) {
		have = append(have, string(e))
	}
	if !slices.Equal(have, entries) {
		t.Fatalf("store %d has %.80q", n.Ver, have)
	}
}

func trustKeys(t *testing.T, r *Replica) (n int) {
	t.Helper()
	if err := r.db.View(func(tx *bbolt.Tx) error { n = tx.Bucket(bucketTrust).Stats().KeyN; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTrustFollowsTheLogAndSurvives(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	wantTrust(t, r, 0, 0)
	long := string(bytes.Repeat([]byte("l"), 3*wire.MaxTrustPart+1))
	l.must(r, trust(5, "root", "signer", long)...)
	wantTrust(t, r, 5, 0, "root", "signer", long)
	n, _, err := r.Trust()
	if err != nil || n.Lists != wire.ListsRequired || n.ListAge != 3600 || n.Issued.UnixNano() != 5 {
		t.Errorf("policy %+v", n)
	}
	r = reopen(t, r, o)
	wantTrust(t, r, 5, 0, "root", "signer", long)
	wantStatus(t, r, "a", wire.StatusActive)
	ro := o
	ro.ReadOnly = true
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	wantTrust(t, openReplica(t, ro), 5, 0, "root", "signer", long)
}

func TestTrustNeverGoesBack(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	l.must(r, trust(5, "root")...)
	l.must(r, trust(4, "older")...)
	l.must(r, trust(5, "again")...)
	wantTrust(t, r, 5, 0, "root")
	r = reopen(t, r, o)
	l.must(r, trust(4, "older")...)
	wantTrust(t, r, 5, 0, "root")
	if n := trustKeys(t, r); n != 2 {
		t.Errorf("%d values kept, want the store and its one part", n)
	}
}

func TestTrustInUseStaysBesideTheNewest(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	l.must(r, trust(1, "root", "one")...)
	if err := r.UseTrust(1); err != nil {
		t.Fatal(err)
	}
	l.must(r, trust(2, "root", "two")...) // found not good
	l.must(r, trust(3, "root", "three")...)
	r = reopen(t, r, o)
	wantTrust(t, r, 3, 1, "root", "three")
	_, used, err := r.Trust()
	if err != nil || len(used.Certificates) != 2 || string(used.Certificates[1]) != "one" {
		t.Fatalf("in use %q, %v", used.Certificates, err)
	}
	if err := r.UseTrust(2); err != nil { // there no more
		t.Fatal(err)
	}
	wantTrust(t, r, 3, 1, "root", "three")
	if err := r.UseTrust(3); err != nil {
		t.Fatal(err)
	}
	wantTrust(t, r, 3, 3, "root", "three")
	if n := trustKeys(t, r); n != 4 {
		t.Errorf("%d values kept, want two stores and two parts", n)
	}
}

func TestTrustThatIsNotWholeChangesNothing(t *testing.T) {
	r, l := synced(t, testOptions(t))
	l.must(r, trust(1, "root")...)
	half := trust(2, "root2", "signer2")
	l.must(r, half[1:]...)
	wantTrust(t, r, 1, 0, "root")
	if r.TrustRefused() != 2 {
		t.Errorf("refused %d", r.TrustRefused())
	}
	l.must(r, trust(3, "root3")...)
	wantTrust(t, r, 3, 0, "root3")
	bad := trust(4, "x")
	bad[1].Trust.Lists = "sometimes" // breaks its rule: takes its place only
	l.must(r, bad...)
	wantTrust(t, r, 3, 0, "root3")
	if _, seq := r.Cursor(); seq != l.seq {
		t.Errorf("cursor %d, want %d", seq, l.seq)
	}
}

// TestDamagedTrustIsAsADamagedReplica: nobody is admitted on it, and it is
// filled anew.
func TestDamagedTrustIsAsADamagedReplica(t *testing.T) {
	part := wire.PartHash([]byte("root"))
	for name, of := range map[string][]byte{"store": trustNewest, "part": part[:]} {
		t.Run(name, func(t *testing.T) {
			o := testOptions(t)
			r, l := synced(t, o)
			l.must(r, trust(1, "root")...)
			key := r.crypt.trustKey(of)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if err := change(bucketTrust, key[:])(o.Path); err != nil {
				t.Fatal(err)
			}
			r = openReplica(t, o)
			if _, _, err := r.Trust(); !errors.Is(err, ErrDamaged) {
				t.Fatalf("read: %v", err)
			}
			if _, _, err := r.Lookup("a"); !errors.Is(err, ErrResync) {
				t.Errorf("look up: %v", err)
			}
			again := &log{t: t}
			again.must(r, append([]wire.Change{put("a", 1)}, trust(1, "root")...)...)
			if err := r.Head(again.head(2000)); err != nil {
				t.Fatal(err)
			}
			wantTrust(t, r, 1, 0, "root")
			wantStatus(t, r, "a", wire.StatusActive)
		})
	}
}

func TestPartsOfNoStoreAreBounded(t *testing.T) {
	r, l := synced(t, testOptions(t))
	for i := range 12 {
		var list []wire.Change
		for j := range 100 {
			list = append(list, wire.Change{Op: wire.OpTrustPart, Ver: 1, Part: []byte{byte(i), byte(j)}})
		}
		l.must(r, list...)
	}
	if n := trustKeys(t, r); n > maxTrustKept+100 {
		t.Errorf("%d parts kept", n)
	}
	l.must(r, wire.Change{Op: wire.OpTrustPart, Ver: 1, Part: []byte("one more")})
	if n := trustKeys(t, r); n > maxTrustKept+100 {
		t.Errorf("%d parts kept", n)
	}
}

func TestTrustIsNotInClear(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	const name = "Utopia's signing authority"
	l.must(r, trust(1, name)...)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(o.Path)
	if err != nil || bytes.Contains(b, []byte(name)) {
		t.Errorf("the file shows an entry: %v", err)
	}
}
