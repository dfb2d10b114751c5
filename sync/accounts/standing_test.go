package accounts

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"bordergate/sync/wire"
)

func organisation(id string, ver uint64, to wire.Status) wire.Change {
	c := status("", ver, to)
	c.Op, c.Account, c.Organisation = wire.OpOrganisation, "", id
	return c
}

func member(id, organisation string, ver uint64) wire.Change {
	c := put(id, ver)
	c.Organisation = organisation
	return c
}

var testWatchKey = bytes.Repeat([]byte{9}, wire.WatchKeySize)

func newWatchKey(ver uint64) wire.Change {
	return wire.Change{Op: wire.OpWatchKey, Ver: ver, Key: testWatchKey}
}

func watch(w wire.Watched, ver uint64, on bool) wire.Change {
	return wire.Change{Op: wire.OpWatch, Ver: ver, Mark: w.Mark(testWatchKey), On: on}
}

func TestOrganisationReachesItsAccountsPresentAndLater(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	own := put("org", 1)
	own.Kind, own.Organisation = wire.KindOrganisation, ""
	l.must(r, own, member("m1", "org", 1), member("m2", "org", 1), member("other", "", 1), status("m2", 2, wire.StatusSuspended))
	l.must(r, organisation("org", 1, wire.StatusSuspended))
	l.must(r, member("late", "org", 1))
	for _, id := range []string{"org", "m1", "m2", "late"} {
		wantStatus(t, r, id, wire.StatusSuspended)
	}
	wantStatus(t, r, "other", wire.StatusActive)
	if a, _, _ := r.Lookup("m1"); a.Through != wire.StatusSuspended {
		t.Errorf("through the organisation: %q", a.Through)
	}
	if s, _ := r.Committed("m1"); s != wire.StatusActive {
		t.Errorf("the account's own status is %q", s)
	}
	r = reopen(t, r, o)
	wantStatus(t, r, "late", wire.StatusSuspended)
	if n := r.Stats().StoppedOrganisations; n != 1 {
		t.Errorf("%d organisations are stopped", n)
	}
	r.Overlay(organisation("org", 2, wire.StatusCancelled))
	if s, found := r.CommittedOrganisation("org"); s != wire.StatusSuspended || !found {
		t.Errorf("the organisation's own status is %q, %v", s, found)
	}
	if _, found := r.CommittedOrganisation("m1"); found {
		t.Error("an account is taken for an organisation")
	}
	l.must(r, organisation("org", 2, wire.StatusActive))
	for _, id := range []string{"org", "m1", "late"} {
		wantStatus(t, r, id, wire.StatusActive)
	}
	wantStatus(t, r, "m2", wire.StatusSuspended) // by a decision of its own
	l.must(r, organisation("org", 1, wire.StatusSuspended))
	wantStatus(t, r, "m1", wire.StatusActive) // an old version comes again
	l.must(r, organisation("org", 3, wire.StatusCancelled), organisation("org", 4, wire.StatusActive))
	wantStatus(t, r, "m1", wire.StatusCancelled)
	if n := r.Stats().StoppedOrganisations; n != 1 {
		t.Errorf("%d organisations are stopped", n)
	}
}

func TestOrganisationBitesBeforeItsCommit(t *testing.T) {
	r, l := synced(t, testOptions(t))
	l.must(r, member("m1", "org", 1))
	suspended := organisation("org", 1, wire.StatusSuspended)
	r.Overlay(suspended)
	wantStatus(t, r, "m1", wire.StatusSuspended)
	r.Overlay(organisation("org", 2, wire.StatusActive))
	wantStatus(t, r, "m1", wire.StatusSuspended) // a restoration only once committed
	l.must(r, suspended)
	if n := r.Stats().Overlay; n != 0 {
		t.Errorf("%d changes are left in memory", n)
	}
	wantStatus(t, r, "m1", wire.StatusSuspended)
	r.Overlay(organisation("org", 2, wire.StatusCancelled))
	wantStatus(t, r, "m1", wire.StatusCancelled)
	l.must(r, organisation("org", 3, wire.StatusActive))
	wantStatus(t, r, "m1", wire.StatusActive)
}

// TestAccountStandsAsTheWorseOfTwo holds the replica to a model: an account's
// status is the worse of what was decided on it and on its organisation,
// whatever the order and however often the file is opened anew.
func TestAccountStandsAsTheWorseOfTwo(t *testing.T) {
	rank := []wire.Status{wire.StatusActive, wire.StatusSuspended, wire.StatusCancelled}
	o := testOptions(t)
	rapid.Check(t, func(rt *rapid.T) {
		if err := os.Remove(o.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
			rt.Fatal(err)
		}
		r, l := synced(t, o)
		defer r.Close()
		l.must(r, member("m1", "org", 1))
		own, org, ver := 0, 0, uint64(1)
		for range rapid.IntRange(1, 12).Draw(rt, "changes") {
			ver++
			to := rapid.IntRange(0, 2).Draw(rt, "to")
			c, at := status("m1", ver, rank[to]), &own
			if rapid.Bool().Draw(rt, "organisation") {
				c, at = organisation("org", ver, rank[to]), &org
			}
			if *at != 2 { // cancelled for ever
				*at = to
			}
			if c.Restricts() && rapid.Bool().Draw(rt, "urgent") {
				r.Overlay(c)
				if a, _, err := r.Lookup("m1"); err != nil || a.Status != rank[max(own, org)] {
					rt.Fatalf("before the commit: %q, %v; want %q", a.Status, err, rank[max(own, org)])
				}
			}
			l.must(r, c)
			if a, _, err := r.Lookup("m1"); err != nil || a.Status != rank[max(own, org)] {
				rt.Fatalf("after %s to %s: %q, %v; want %q", c.Op, c.Status, a.Status, err, rank[max(own, org)])
			}
		}
	})
}

func wantWatched(t *testing.T, r *Replica, want bool, about ...wire.Watched) {
	t.Helper()
	got, err := r.Watched(about...)
	if err != nil || got != want {
		t.Errorf("watched: %v, %v; want %v", got, err, want)
	}
}

func TestWatchListBitesAtOnceAndSurvives(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	who := wire.WatchPerson("NGUYEN<<VAN<A", time.Date(1980, 2, 1, 0, 0, 0, 0, time.UTC))
	wantWatched(t, r, false, who)
	// The urgent message of the first entry: nothing is committed yet, the key
	// neither.
	r.Overlay(newWatchKey(1))
	r.Overlay(watch(who, 1, true))
	wantWatched(t, r, true, wire.WatchAccount("a"), who)
	wantWatched(t, r, false, wire.WatchAccount("a"), wire.WatchPass("P1"))
	l.must(r, newWatchKey(1), watch(who, 1, true), watch(wire.WatchPass("P1"), 1, true))
	r = reopen(t, r, o)
	wantWatched(t, r, true, who)
	wantWatched(t, r, true, wire.WatchPass("P1"))
	if n := r.Stats().Watched; n != 2 {
		t.Errorf("%d entries", n)
	}
	l.must(r, watch(who, 2, false))
	wantWatched(t, r, false, who)
	r.Overlay(watch(who, 1, true)) // an old message comes again
	wantWatched(t, r, false, who)
	if n := r.Stats().Watched; n != 1 {
		t.Errorf("%d entries", n)
	}
	wantStatus(t, r, "a", wire.StatusActive)
}

func TestWatchListIsKeyedHashesOnly(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	l.must(r, newWatchKey(1), watch(wire.WatchAccount("WATCHEDACCOUNT"), 1, true), organisation("STOPPEDORG", 1, wire.StatusSuspended))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range [][]byte{[]byte("WATCHEDACCOUNT"), []byte("STOPPEDORG"), testWatchKey, wire.WatchAccount("WATCHEDACCOUNT").Mark(testWatchKey)} {
		if bytes.Contains(b, secret) {
			t.Errorf("the file holds %q in clear", secret)
		}
	}
}

func TestStandingFailsClosed(t *testing.T) {
	r := openReplica(t, testOptions(t))
	if _, err := r.Watched(wire.WatchAccount("a")); !errors.Is(err, ErrResync) {
		t.Errorf("before a head: %v", err)
	}
	for name, key := range map[string]func(*crypt) accountKey{
		"organisation": func(c *crypt) accountKey { return c.organisationKey("co-op 7") },
		"mark":         func(c *crypt) accountKey { return c.markKey(wire.WatchAccount("a").Mark(testWatchKey)) },
	} {
		r, l := synced(t, testOptions(t))
		l.must(r, newWatchKey(1), watch(wire.WatchAccount("a"), 1, true), organisation("co-op 7", 1, wire.StatusSuspended))
		err := r.db.Update(func(tx *bbolt.Tx) error {
			k := key(r.crypt)
			v := slices.Clone(tx.Bucket(bucketStanding).Get(k[:]))
			v[3] ^= 1
			return tx.Bucket(bucketStanding).Put(k[:], v)
		})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err1 := r.Lookup("a")
		_, err2 := r.Watched(wire.WatchAccount("a"))
		if err1 == nil && err2 == nil {
			t.Errorf("%s: a damaged value is not noticed", name)
		}
		if _, _, err := r.Lookup("a"); !errors.Is(err, ErrResync) {
			t.Errorf("%s: look up after the damage: %v", name, err)
		}
	}
}
