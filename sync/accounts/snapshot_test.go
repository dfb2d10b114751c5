package accounts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bordergate/sync/wire"
)

// sent is a snapshot as headquarters sends it.
type sent struct {
	m      wire.Snapshot
	key    [32]byte
	pieces [][]byte
}

// snapshotOf makes a snapshot of a log's changes, a few to a piece.
func (l *log) snapshotOf(changes []wire.Change, perPiece int) sent {
	l.t.Helper()
	last := map[string]int{}
	for i, c := range changes {
		last[c.Slot()] = i
	}
	s := sent{key: [32]byte{8}, m: wire.Snapshot{
		ID: strings.Repeat("0b", 16), Epoch: testEpoch, Seq: l.seq, Hash: l.hash, Made: 1, Key: "g1",
	}}
	var items []byte
	var hashes []wire.Hash
	var chunks [][]byte
	var kept []wire.Change
	for i, c := range changes {
		if c.Slot() == "" || last[c.Slot()] == i {
			kept = append(kept, c)
		}
	}
	s.m.Items = uint64(len(kept))
	pages := (len(kept) + perPiece - 1) / perPiece
	pages = (pages + wire.PieceHashes - 1) / wire.PieceHashes
	for i, c := range kept {
		raw, err := json.Marshal(c)
		if err != nil {
			l.t.Fatal(err)
		}
		items = wire.AppendItem(items, raw)
		if (i+1)%perPiece == 0 || i+1 == len(kept) {
			b, err := wire.SealPiece(s.m.ID, pages+len(chunks), items, s.key)
			if err != nil {
				l.t.Fatal(err)
			}
			chunks, hashes, items = append(chunks, b), append(hashes, wire.HashOf(b)), nil
		}
	}
	for _, p := range wire.SnapshotPages(hashes) {
		s.pieces, s.m.Index = append(s.pieces, p), append(s.m.Index, wire.HashOf(p))
	}
	s.pieces = append(s.pieces, chunks...)
	s.m.Pieces = len(s.pieces)
	for _, p := range s.pieces {
		s.m.Bytes += int64(len(p))
	}
	return s
}

// give sends the pieces from the first that is missing on.
func (s sent) give(t *testing.T, r *Replica) {
	t.Helper()
	next, err := r.BeginSnapshot(s.m, s.key)
	for ; err == nil && next < len(s.pieces); next, err = r.AddPiece(next, s.pieces[next]) {
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s sent) install(t *testing.T, r *Replica) {
	t.Helper()
	s.give(t, r)
	if err := r.InstallSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// history is a lawful log of random changes of a few accounts, passes and
// organisations, and of the watch-list.
func history(rng *rand.Rand, n int) []wire.Change {
	var out []wire.Change
	vers := map[string]uint64{}
	ver := func(id string) uint64 { vers[id]++; return vers[id] }
	now := map[string]wire.Status{}
	decide := func(id string, make func(string, uint64, wire.Status) wire.Change) {
		if now[id] == wire.StatusCancelled {
			return
		}
		now[id] = statuses[1+min(rng.IntN(9)/4, 2)] // cancelled now and then
		out = append(out, make(id, ver(id), now[id]))
	}
	for range n {
		a, p, o := fmt.Sprintf("a%d", rng.IntN(40)), fmt.Sprintf("P%d", rng.IntN(20)), fmt.Sprintf("org%d", rng.IntN(4))
		switch k := rng.IntN(9); {
		case k <= 1 && vers[a] > 0:
			decide(a, status)
		case k == 2:
			decide(o, organisation)
		case k == 3:
			out = append(out, stamp(p, ver(p), int64(1+rng.IntN(1000))))
		case k == 4 && rng.IntN(3) == 0:
			out = append(out, revoke(p, ver(p)))
		case k == 5:
			out = append(out, newWatchKey(ver("key")), watch(wire.WatchPass(p), ver("watch "+p), rng.IntN(3) > 0))
		default:
			c := put(a, ver(a))
			c.Level, c.Organisation = 1+rng.IntN(2), o
			if now[a] != "" {
				c.Status = now[a] // only a decision restores
			}
			out = append(out, c)
		}
	}
	return out
}

// contents is all that a replica answers.
func contents(t *testing.T, r *Replica) string {
	t.Helper()
	var b strings.Builder
	for i := range 41 {
		a, found, err := r.Show(fmt.Sprintf("a%d", i))
		fmt.Fprintf(&b, "a%d %+v %v %v\n", i, a, found, err)
	}
	for i := range 21 {
		n := fmt.Sprintf("P%d", i)
		p, found, err := r.committedPass(r.crypt.passKey(n))
		fmt.Fprintf(&b, "P%d %+v %v %v\n", i, p, found, err)
		mark, found, err := r.committedStanding(r.crypt.markKey(wire.WatchPass(n).Mark(testWatchKey)))
		fmt.Fprintf(&b, "watched %v %v %v\n", mark, found, err)
	}
	for i := range 4 {
		o, found, err := r.committedStanding(r.crypt.organisationKey(fmt.Sprintf("org%d", i)))
		fmt.Fprintf(&b, "org%d %v %v %v\n", i, o, found, err)
	}
	fmt.Fprintf(&b, "watch key %+v\n", r.watch.Load())
	newest, used, err := r.Trust()
	s := r.Stats()
	fmt.Fprintf(&b, "%v %v %v %+v %d %d %v", newest, used, err, s.Counts, s.Epoch, s.Cursor, s.Hash)
	return b.String()
}

// TestSnapshotIsTheLogReplayed holds what a snapshot leaves to what the log
// itself leaves, for random logs.
func TestSnapshotIsTheLogReplayed(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 1))
		changes := history(rng, 1+rng.IntN(300))
		replayed, l := openReplica(t, testOptions(t)), &log{t: t}
		for _, c := range changes {
			l.must(replayed, c)
		}
		o := testOptions(t)
		r := openReplica(t, o)
		l.snapshotOf(changes, 1+rng.IntN(50)).install(t, r)
		want := contents(t, replayed)
		if got := contents(t, r); got != want {
			t.Fatalf("seed %d: snapshot leaves\n%s\nthe log\n%s", seed, got, want)
		}
		if _, _, err := r.Lookup("a1"); !errors.Is(err, ErrResync) {
			t.Fatalf("seed %d: admitted before a head was reached: %v", seed, err)
		}
		r = reopen(t, r, o)
		if got := contents(t, r); got != want {
			t.Fatalf("seed %d: after a restart\n%s", seed, got)
		}
		l.must(r, put("a0", 1000)) // the log goes on from the snapshot's place
		if err := r.Head(l.head(7)); err != nil {
			t.Fatal(err)
		}
		if a, _, err := r.Lookup("a0"); err != nil || a.Status == wire.StatusActive && a.Ver != 1000 {
			t.Fatalf("seed %d: %+v, %v", seed, a, err)
		}
	}
}

// TestKilledAtAnyStepLeavesTheOldOrTheNew copies the folder after every step,
// as a kill would leave it, and opens each copy.
func TestKilledAtAnyStepLeavesTheOldOrTheNew(t *testing.T) {
	o := testOptions(t)
	dirs := map[string]string{}
	o.step = func(name string) {
		to := t.TempDir()
		if err := os.CopyFS(to, os.DirFS(filepath.Dir(o.Path))); err != nil {
			t.Error(err)
		}
		dirs[name] = filepath.Join(to, filepath.Base(o.Path))
	}
	r, l := synced(t, o)
	if err := errors.Join(r.Move("P1", Movement{Direction: 2, Wall: 5}), r.SaveMoves()); err != nil {
		t.Fatal(err)
	}
	changes := []wire.Change{put("a", 1), status("a", 2, wire.StatusSuspended), put("b", 1), revoke("P1", 1), put("c", 1)}
	ahead := &log{t: t, seq: l.seq, hash: l.hash}
	for range changes[1:] {
		ahead.seq++
		ahead.hash = hashAfter(ahead.hash, ahead.seq)
	}
	s := ahead.snapshotOf(changes, 2)
	s.give(t, r)
	o.step("received")
	s.install(t, r)
	o.step("installed")
	if len(dirs) != 7 {
		t.Fatalf("%d steps were seen", len(dirs))
	}
	for name, path := range dirs {
		isNew := name == "renamed" || name == "installed"
		again := openReplica(t, Options{Path: path, Key: o.Key})
		if again.Quarantined() != "" {
			t.Errorf("%s: file was moved aside", name)
		}
		want, cursor := wire.StatusActive, l.seq
		if isNew {
			want, cursor = wire.StatusSuspended, ahead.seq
		}
		a, _, err := again.Lookup("a")
		_, hasB, _ := again.Show("b")
		p, _, _ := again.committedPass(again.crypt.passKey("P1"))
		if err != nil || a.Status != want || hasB != isNew || p.Revoked != isNew || again.Stats().Cursor != cursor {
			t.Errorf("%s: %+v, %v, b %v, pass %+v, at %d", name, a, err, hasB, p, again.Stats().Cursor)
		}
		if m, ok, err := again.LastMove("P1"); !ok || m.Direction != 2 {
			t.Errorf("%s: movement %+v, %v, %v", name, m, ok, err)
		}
		if _, err := os.Stat(path + nextExt); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the second file stays", name)
		}
		if !isNew {
			if next, err := again.BeginSnapshot(s.m, s.key); err != nil || next != len(s.pieces) {
				t.Errorf("%s: %d of %d pieces are here, %v", name, next, len(s.pieces), err)
			}
			s.install(t, again)
			wantStatus(t, again, "a", wire.StatusSuspended)
		}
	}
	if _, err := os.Stat(o.Path + snapshotExt); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the pieces stay")
	}
}

func TestTransferGoesOnWhereItStopped(t *testing.T) {
	o := testOptions(t)
	r, l := openReplica(t, o), &log{t: t}
	changes := history(rand.New(rand.NewPCG(3, 3)), 200)
	l.seq = uint64(len(changes))
	s := l.snapshotOf(changes, 5)
	next, err := r.BeginSnapshot(s.m, s.key)
	for ; err == nil && next < 4; next, err = r.AddPiece(next, s.pieces[next]) {
	}
	if err != nil {
		t.Fatal(err)
	}
	for n, b := range map[int][]byte{4: s.pieces[5], 5: s.pieces[5], 99: nil, 3: s.pieces[3]} {
		if next, err := r.AddPiece(n, b); next != 4 || (n == 4) != errors.Is(err, wire.ErrPiece) {
			t.Errorf("piece %d: %d, %v", n, next, err)
		}
	}
	if err := r.InstallSnapshot(t.Context()); !errors.Is(err, ErrSnapshot) {
		t.Errorf("installed with pieces missing: %v", err)
	}
	s.key[0]++ // another key of the gates comes to another manifest of the same snapshot
	if next, err := r.BeginSnapshot(s.m, s.key); next != 4 || err != nil {
		t.Fatalf("after a lost connection: %d, %v", next, err)
	}
	s.key[0]--
	r = reopen(t, r, o)
	name := filepath.Join(o.Path+snapshotExt, "pieces")
	b, err := os.ReadFile(name)
	if err == nil {
		b[len(b)-1] ^= 1 // the last piece did not reach the disk whole
		err = os.WriteFile(name, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if next, err := r.BeginSnapshot(s.m, s.key); next != 3 || err != nil {
		t.Fatalf("after a restart: %d, %v", next, err)
	}
	other := s
	other.m.ID = strings.Repeat("0c", 16)
	if next, err := r.BeginSnapshot(other.m, s.key); next != 0 || err != nil {
		t.Fatalf("another snapshot: %d, %v", next, err)
	}
	s.install(t, r)
}

func TestUnfitSnapshotChangesNothing(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	l.must(r, put("z", 1))
	before := contents(t, r)
	ahead := &log{t: t, seq: l.seq + 9, hash: wire.Hash{1}}
	for name, c := range map[string]struct {
		change func(*sent)
		want   error
	}{
		"behind":         {func(s *sent) { s.m.Seq = l.seq }, ErrSnapshot},
		"earlier epoch":  {func(s *sent) { s.m.Epoch-- }, ErrSnapshot},
		"malformed":      {func(s *sent) { s.m.Index = nil }, wire.ErrPayload},
		"items missing":  {func(s *sent) { s.m.Items++ }, ErrSnapshot},
		"another key":    {func(s *sent) { s.key[0]++ }, wire.ErrSealed},
		"not even JSON":  {func(s *sent) { *s = ahead.rawSnapshot([]byte("x")) }, wire.ErrPayload},
		"broken framing": {func(s *sent) { *s = ahead.rawSnapshot(nil, 9, 9) }, wire.ErrPayload},
	} {
		s := ahead.snapshotOf([]wire.Change{put("a", 9), put("b", 1)}, 1)
		c.change(&s)
		next, err := r.BeginSnapshot(s.m, s.key)
		for ; err == nil && next < len(s.pieces); next, err = r.AddPiece(next, s.pieces[next]) {
		}
		if err == nil {
			err = r.InstallSnapshot(t.Context())
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if got := contents(t, r); got != before {
			t.Errorf("%s: now\n%s", name, got)
		}
	}
	wantStatus(t, r, "a", wire.StatusActive)
	if list, err := filepath.Glob(o.Path + "*"); err != nil || len(list) > 2 {
		t.Errorf("left behind: %v", list)
	}
}

// TestNoRoomIsSaidBeforeTheTransfer names what is needed; nothing is begun.
func TestNoRoomIsSaidBeforeTheTransfer(t *testing.T) {
	o, free := testOptions(t), int64(0)
	o.free = func(string) (int64, error) { return free, nil }
	r, l := synced(t, o)
	ahead := &log{t: t, seq: l.seq + 9, hash: wire.Hash{1}}
	s := ahead.snapshotOf([]wire.Change{put("a", 1)}, 1)
	if _, err := r.BeginSnapshot(s.m, s.key); !errors.Is(err, ErrSnapshot) || !strings.Contains(err.Error(), "make room") {
		t.Fatalf("begun on a full disk: %v", err)
	}
	if _, err := os.Stat(o.Path + snapshotExt); !errors.Is(err, fs.ErrNotExist) {
		t.Error("something was begun")
	}
	free = 1 << 40
	s.install(t, r)
}

// rawSnapshot has one piece with one item, or with whatever its frame is.
func (l *log) rawSnapshot(item []byte, frame ...byte) sent {
	l.t.Helper()
	if item != nil {
		frame = wire.AppendItem(nil, item)
	}
	s := l.snapshotOf([]wire.Change{put("a", 9)}, 1)
	b, err := wire.SealPiece(s.m.ID, 1, frame, s.key)
	if err != nil {
		l.t.Fatal(err)
	}
	page := wire.SnapshotPages([]wire.Hash{wire.HashOf(b)})[0]
	s.pieces, s.m.Index = [][]byte{page, b}, []wire.Hash{wire.HashOf(page)}
	return s
}

func TestUnlawfulItemsTakeNoEffect(t *testing.T) {
	r, l := openReplica(t, testOptions(t)), &log{t: t, seq: 9}
	bad := put("b", 1)
	bad.Level = 7
	l.snapshotOf([]wire.Change{put("a", 1), bad, {Op: "unknown", Ver: 1}, {Op: wire.OpStatus, Account: "c", Ver: 1, Status: wire.StatusActive}}, 9).install(t, r)
	if s := r.Stats(); s.Accounts != 1 || s.Cursor != 9 {
		t.Errorf("%+v", s)
	}
}

func TestSuspensionBitesDuringAndAfterTheTransfer(t *testing.T) {
	r, l := synced(t, testOptions(t))
	ahead := &log{t: t, seq: l.seq + 5, hash: wire.Hash{1}}
	s := ahead.snapshotOf([]wire.Change{put("a", 1), put("b", 1), put("c", 3)}, 2)
	s.give(t, r)
	r.Overlay(status("a", 2, wire.StatusSuspended)) // after the snapshot's place
	r.Overlay(status("c", 2, wire.StatusSuspended)) // before it, and lifted since
	wantStatus(t, r, "a", wire.StatusSuspended)
	if err := r.InstallSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, r, "a", wire.StatusSuspended) // fresh as before: nobody waits for a head
	wantStatus(t, r, "b", wire.StatusActive)
	wantStatus(t, r, "c", wire.StatusActive)
	if n := r.Stats().Overlay; n != 1 {
		t.Errorf("%d restrictions in memory", n)
	}
}

// TestStandingComesWithTheSnapshot: an organisation's suspension and the
// watch-list bite through a switch, whichever side of its place they are on.
func TestStandingComesWithTheSnapshot(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	l.must(r, member("m0", "old", 1))
	if err := r.Head(l.head(1001)); err != nil {
		t.Fatal(err)
	}
	watched := func(n string) wire.Watched { return wire.WatchPass(n) }
	ahead := &log{t: t, seq: l.seq + 20, hash: wire.Hash{1}}
	s := ahead.snapshotOf([]wire.Change{
		put("a", 1), member("m0", "old", 1), member("m1", "in", 1), member("m2", "late", 1), member("m3", "lifted", 1),
		organisation("in", 1, wire.StatusSuspended), organisation("lifted", 2, wire.StatusActive),
		newWatchKey(1), watch(watched("P1"), 1, true), watch(watched("P2"), 2, false),
	}, 3)
	s.give(t, r)
	for _, c := range []wire.Change{
		organisation("late", 1, wire.StatusSuspended), organisation("lifted", 1, wire.StatusSuspended), organisation("old", 1, wire.StatusSuspended),
		newWatchKey(1), watch(watched("P2"), 1, true), watch(watched("P3"), 1, true),
	} {
		r.Overlay(c)
	}
	wantStatus(t, r, "m0", wire.StatusSuspended) // at once, in the old file
	wantWatched(t, r, true, watched("P3"))
	if err := r.InstallSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]wire.Status{
		"m0": wire.StatusSuspended, "m1": wire.StatusSuspended, "m2": wire.StatusSuspended, "m3": wire.StatusActive,
	} {
		wantStatus(t, r, id, want)
	}
	wantWatched(t, r, true, watched("P1"))
	wantWatched(t, r, false, watched("P2"))
	wantWatched(t, r, true, watched("P3"))
	if s := r.Stats(); s.Overlay != 3 || s.StoppedOrganisations != 1 || s.Watched != 1 {
		t.Errorf("%+v", s)
	}
	r = reopen(t, r, o) // what is in memory only comes again by the log
	wantWatched(t, r, true, watched("P1"))
	wantStatus(t, r, "m1", wire.StatusSuspended)
}

func TestPutInASnapshotRestoresNobody(t *testing.T) {
	r, l := openReplica(t, testOptions(t)), &log{t: t, seq: 9}
	l.snapshotOf([]wire.Change{status("a", 2, wire.StatusSuspended), put("a", 3), status("b", 2, wire.StatusCancelled), put("b", 3)}, 9).install(t, r)
	for id, want := range map[string]wire.Status{"a": wire.StatusSuspended, "b": wire.StatusCancelled} {
		if a, _, err := r.Show(id); err != nil || a.Status != want {
			t.Errorf("%s: %+v, %v", id, a, err)
		}
	}
}

// TestGateAdmitsWhileTheSnapshotIsInstalled looks up without a pause.
func TestGateAdmitsWhileTheSnapshotIsInstalled(t *testing.T) {
	r, l := synced(t, testOptions(t))
	ahead := &log{t: t, seq: l.seq + 2000, hash: wire.Hash{1}}
	changes := []wire.Change{put("a", 1)}
	for i := range 2000 {
		changes = append(changes, put(fmt.Sprint("x", i), 1))
	}
	ahead.snapshotOf(changes, 100).give(t, r)
	done := make(chan error)
	go func() { done <- r.InstallSnapshot(context.Background()) }()
	for n := 0; ; n++ {
		wantStatus(t, r, "a", wire.StatusActive)
		err := r.Move(fmt.Sprint("P", n%50), Movement{Wall: int64(n)})
		if n%512 == 0 {
			err = errors.Join(err, r.SaveMoves())
		}
		if err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			for i := range min(n, 50) {
				if _, ok, err := r.LastMove(fmt.Sprint("P", i)); !ok || err != nil {
					t.Fatalf("movement %d of %d is lost: %v", i, n, err)
				}
			}
			if s := r.Stats(); s.Accounts != 2001 || !s.Synced {
				t.Fatalf("%+v", s)
			}
			return
		default:
		}
	}
}

func TestAnotherEpochNeedsAHeadOfItsOwn(t *testing.T) {
	r, l := synced(t, testOptions(t))
	r.Overlay(status("a", 9, wire.StatusSuspended))
	l.must(r, newWatchKey(3), watch(wire.WatchAccount("a"), 1, true))
	other := &log{t: t, seq: 1, hash: wire.Hash{1}}
	s := other.snapshotOf([]wire.Change{put("a", 1)}, 1)
	s.m.Epoch = testEpoch + 1
	s.install(t, r)
	if _, _, err := r.Lookup("a"); !errors.Is(err, ErrResync) {
		t.Fatalf("admitted on a log without a head: %v", err)
	}
	if err := r.Head(l.head(2000)); !errors.Is(err, ErrEpoch) {
		t.Fatalf("head of the old log: %v", err)
	}
	if err := r.Head(wire.Head{Epoch: testEpoch + 1, Seq: 1, Hash: wire.Hash{1}, Issued: 3000}); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, r, "a", wire.StatusActive)
	wantWatched(t, r, false, wire.WatchAccount("a"))
}

func TestTrustStoreNeverGoesBackBySnapshotOrReset(t *testing.T) {
	r, l := synced(t, testOptions(t))
	l.must(r, trust(5, "five", "same")...)
	if err := r.UseTrust(5); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Move("P1", Movement{Direction: 2}), r.SaveMoves(), r.Reset()); err != nil {
		t.Fatal(err)
	}
	check := func(when string, ver uint64) {
		t.Helper()
		newest, used, err := r.Trust()
		if err != nil || newest.Ver != ver || used.Ver != 5 || len(used.Certificates) == 0 || len(newest.Certificates) == 0 {
			t.Errorf("%s: newest %d, used %d, %v", when, newest.Ver, used.Ver, err)
		}
		if _, ok, err := r.LastMove("P1"); !ok {
			t.Errorf("%s: the gate's own movement is gone: %v", when, err)
		}
	}
	check("after a reset", 5)
	l.snapshotOf(trust(3, "three"), 1).install(t, r)
	check("with an older store", 5)
	l.seq++
	l.snapshotOf(trust(7, "seven", "same"), 1).install(t, r)
	check("with a newer store", 7)
}

func TestDivergedReplicaIsFilledAnew(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	if err := r.Apply(testEpoch, 2, wire.Hash{9}, wire.Hash{8}, []wire.Change{put("b", 1)}); !errors.Is(err, ErrChain) || !r.Diverged() {
		t.Fatalf("another past: %v", err)
	}
	if err := r.Reset(); err != nil || r.Diverged() {
		t.Fatal(err)
	}
	if _, _, err := r.Lookup("a"); !errors.Is(err, ErrResync) {
		t.Errorf("an empty replica answers: %v", err)
	}
	if epoch, seq := r.Cursor(); epoch != 0 || seq != 0 {
		t.Errorf("at %d, %d", epoch, seq)
	}
	l.snapshotOf([]wire.Change{put("a", 1)}, 1).install(t, r)
	if err := r.Head(l.head(2000)); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, r, "a", wire.StatusActive)
}

func TestDamagedFileIsReplacedByASnapshot(t *testing.T) {
	o := testOptions(t)
	r, l := synced(t, o)
	r.markDamaged()
	l.snapshotOf([]wire.Change{put("a", 1)}, 1).install(t, r)
	if r.Quarantined() == "" {
		t.Error("the damaged file is not kept")
	}
	if err := r.Head(l.head(2000)); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, r, "a", wire.StatusActive)
}

func TestNothingOfASnapshotIsInClear(t *testing.T) {
	o := testOptions(t)
	secret := put("VN-079123456789", 1)
	seen := 0
	o.step = func(step string) {
		err := filepath.WalkDir(filepath.Dir(o.Path), func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(name)
			for _, clear := range [][]byte{[]byte("079123456789"), []byte("co-op 7"), secret.Reference[:16]} {
				if bytes.Contains(b, clear) {
					t.Errorf("%s: %.20q stands in %s", step, clear, filepath.Base(name))
				}
			}
			seen++
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	r, l := openReplica(t, o), &log{t: t, seq: 1}
	l.snapshotOf([]wire.Change{secret}, 1).install(t, r)
	if seen < 10 {
		t.Errorf("%d files seen", seen)
	}
}
