package accounts

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"bordergate/sync/wire"
)

func revoke(number string, ver uint64) wire.Change {
	return wire.Change{Op: wire.OpRevoke, Pass: number, Ver: ver, Decision: &wire.Decision{
		ID: strings.Repeat("cd", 16), Action: wire.ActionRevoke, Role: wire.DeciderIssuer, Ground: wire.GroundLost, By: "0f", At: 1,
	}}
}

func stamp(number string, ver uint64, at int64) wire.Change {
	return wire.Change{Op: wire.OpStamp, Pass: number, Ver: ver, Stamped: at}
}

func wantPass(t *testing.T, r *Replica, number string, revoked bool, stamped int64) {
	t.Helper()
	p, err := r.LookupPass(number)
	var at int64
	if !p.Stamped.IsZero() {
		at = p.Stamped.UnixNano()
	}
	if err != nil || p.Revoked != revoked || at != stamped {
		t.Fatalf("pass: %+v, %v; want revoked %v, stamped %d", p, err, revoked, stamped)
	}
}

func TestPassesFollowTheLog(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	wantPass(t, r, "P1", false, 0)
	l.must(r, stamp("P1", 1, 500), stamp("P2", 1, 600))
	wantPass(t, r, "P1", false, 500)
	l.must(r, stamp("P1", 3, 900))
	l.must(r, stamp("P1", 2, 700)) // older than what is known
	wantPass(t, r, "P1", false, 900)
	l.must(r, revoke("P1", 4))
	wantPass(t, r, "P1", true, 900)
	l.must(r, stamp("P1", 5, 950)) // does not bring it back
	wantPass(t, r, "P1", true, 950)
	wantPass(t, r, "P2", false, 600)
	wantStatus(t, r, "a", wire.StatusActive)
	if s := r.Stats(); s.Passes != 2 || s.RevokedPasses != 1 || s.Accounts != 1 {
		t.Errorf("stats: %+v", s.Counts)
	}
	r = reopen(t, r, o)
	wantPass(t, r, "P1", true, 950)
}

func TestRevocationBitesBeforeItIsCommitted(t *testing.T) {
	r, l := synced(t, testOptions(t))
	l.must(r, stamp("P1", 1, 500))
	r.Overlay(revoke("P1", 2))
	wantPass(t, r, "P1", true, 500)
	l.must(r, revoke("P1", 2))
	wantPass(t, r, "P1", true, 500)
	if n := r.Stats().Overlay; n != 0 {
		t.Errorf("%d changes left in memory", n)
	}
	r.Overlay(revoke("P1", 1)) // heard again
	if n := r.Stats().Overlay; n != 0 {
		t.Errorf("an old revocation stays in memory")
	}
	r.Overlay(stamp("P2", 1, 1))
	wantPass(t, r, "P2", false, 0)
	// A pass and an account of one name are two things.
	r.Overlay(revoke("a", 1))
	wantStatus(t, r, "a", wire.StatusActive)
}

func TestPassesFailClosed(t *testing.T) {
	r := openReplica(t, testOptions(t))
	if _, err := r.LookupPass("P1"); !errors.Is(err, ErrResync) {
		t.Errorf("a new replica: %v", err)
	}
	o := testOptions(t)
	r, l := synced(t, o)
	l.must(r, revoke("P1", 1))
	key := r.crypt.passKey("P1")
	if err := r.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketPasses).Put(key[:], []byte("damaged value")) }); err != nil {
		t.Fatal(err)
	}
	if _, err := r.LookupPass("P1"); !errors.Is(err, ErrDamaged) {
		t.Errorf("a damaged pass: %v", err)
	}
	if _, _, err := r.Lookup("a"); !errors.Is(err, ErrResync) {
		t.Errorf("an account beside a damaged pass: %v", err)
	}
}

func TestFileOfTheFirstVersionIsMadeAnew(t *testing.T) {
	o := testOptions(t)
	r, _ := synced(t, o)
	if err := r.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyVersion, []byte{1}) }); err != nil {
		t.Fatal(err)
	}
	r = reopen(t, r, o)
	if r.Quarantined() == "" {
		t.Error("the old file is still used")
	}
	if _, _, err := r.Lookup("a"); !errors.Is(err, ErrResync) {
		t.Errorf("look up: %v", err)
	}
}

func wantMove(t *testing.T, r *Replica, number string, want *Movement) {
	t.Helper()
	m, found, err := r.LastMove(number)
	if err != nil || found != (want != nil) || found && m != *want {
		t.Fatalf("movement: %+v, %v, %v; want %+v", m, found, err, want)
	}
}

func TestMovementsCountAtOnceAndSurvive(t *testing.T) {
	o := testOptions(t)
	r := openReplica(t, o) // needs no synchronisation
	out := Movement{Direction: 2, Wall: time.Now().UnixNano(), Mono: 77, Boot: [16]byte{9}}
	back := out
	back.Direction, back.Mono = 1, 99
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	wantMove(t, r, "P1", nil)
	must(r.Move("P1", out))
	wantMove(t, r, "P1", &out)
	must(r.SaveMoves())
	must(r.Move("P1", back))
	must(r.Move("P2", out))
	wantMove(t, r, "P1", &back)
	must(r.SaveMoves())
	r = reopen(t, r, o)
	wantMove(t, r, "P1", &back)
	must(r.Forget("P1"))
	wantMove(t, r, "P1", nil)
	must(r.SaveMoves())
	r = reopen(t, r, o)
	wantMove(t, r, "P1", nil)
	wantMove(t, r, "P2", &out)
	if err := r.Move("", out); !errors.Is(err, wire.ErrChange) {
		t.Errorf("no number: %v", err)
	}
}

func TestMovementsAreBounded(t *testing.T) {
	r := openReplica(t, testOptions(t))
	for i := range maxMoves {
		if err := r.Move(fmt.Sprint("P", i), Movement{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Move("more", Movement{}); !errors.Is(err, errMoves) {
		t.Errorf("one too many: %v", err)
	}
	if err := r.Move("P1", Movement{Mono: 5}); err != nil {
		t.Errorf("a known one: %v", err)
	}
}

func TestPassNumbersAreNotInClear(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	l.must(r, revoke("SECRETNUMBER", 1))
	if err := errors.Join(r.Move("SECRETNUMBER", Movement{Direction: 1}), r.SaveMoves(), r.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("SECRETNUMBER")) {
		t.Error("the file names a pass")
	}
}

func FuzzDecodePass(f *testing.F) {
	p := Pass{Revoked: true, Ver: 3, Stamped: time.Unix(5, 6)}
	f.Add(p.encode())
	m := Movement{Direction: 1, Wall: 2, Mono: 3}
	f.Add(m.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := decodePass(b); err == nil && !bytes.Equal(p.encode(), b) {
			t.Error("a decoded pass encodes to another")
		}
		if m, err := decodeMovement(b); err == nil && !bytes.Equal(m.encode(), b) {
			t.Error("a decoded movement encodes to another")
		}
	})
}
