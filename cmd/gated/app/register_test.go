package app

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/sync/accounts"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// registerRig is a register over real files.
type registerRig struct {
	*register
	t        *testing.T
	dir      string
	vault    *vault.Vault
	journal  *journal.Journal
	recorder *recorder
	now      int64 // monotonic ns
	walls    time.Time
}

func newRegisterRig(t *testing.T) *registerRig {
	t.Helper()
	r := &registerRig{t: t, dir: t.TempDir(), now: 1e12, walls: time.Now()}
	r.open([16]byte{1})
	t.Cleanup(func() { r.close() })
	return r
}

func (r *registerRig) open(boot [16]byte) {
	r.t.Helper()
	var err error
	if r.vault, err = vault.Open(filepath.Join(r.dir, "keys"), [32]byte{1}); err != nil {
		r.t.Fatal(err)
	}
	if r.journal, err = journal.Open(journal.Options{Path: filepath.Join(r.dir, "journal.db"), Gate: "lane-1", Vault: r.vault, Boot: boot}); err != nil {
		r.t.Fatal(err)
	}
	replica, err := accounts.Open(accounts.Options{Path: filepath.Join(r.dir, "accounts.db"), Key: r.vault.Key("accounts")})
	if err != nil {
		r.t.Fatal(err)
	}
	r.register = newRegister(replica, r.journal, boot, true, slog.New(slog.DiscardHandler))
	r.register.mono, r.register.wall = func() int64 { return r.now }, func() time.Time { return r.walls }
	r.recorder = &recorder{
		journal: r.journal, clock: newWallClock(time.Time{}), log: slog.New(slog.DiscardHandler), notify: func() {}, doubt: r.doubt,
	}
	raws, err := r.journal.Tail(wire.StreamCrossing, replayed)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.replay(raws, r.vault); err != nil {
		r.t.Fatal(err)
	}
}

func (r *registerRig) close() {
	if err := errors.Join(r.replica.Close(), r.journal.Close()); err != nil {
		r.t.Error(err)
	}
}

// synced lets the replica reach a head, with these changes before it.
func (r *registerRig) synced(changes ...wire.Change) {
	r.t.Helper()
	hash := wire.Hash{1}
	if err := r.replica.Apply(1, 1, wire.Hash{}, hash, changes); err != nil {
		r.t.Fatal(err)
	}
	if err := r.replica.Head(wire.Head{Epoch: 1, Seq: uint64(len(changes)), Hash: hash, Issued: 1}); err != nil {
		r.t.Fatal(err)
	}
}

// record makes one entry durable.
func (r *registerRig) record(e gate.Entry) {
	r.t.Helper()
	done := make(chan error, 1)
	e.At, e.Public.Direction = r.now, "exit"
	if err := r.recorder.Record(e, func(err error) { done <- err }); err != nil {
		r.t.Fatal(err)
	}
	if err := <-done; err != nil {
		r.t.Fatal(err)
	}
}

// passes records a transaction that led to a grant and does not tell the
// register: the machine stopped before it could. No outcome: it stopped even
// earlier.
func (r *registerRig) passes(tx byte, number string, o reason.Outcome, granted bool) {
	r.t.Helper()
	r.record(gate.Entry{
		Tx: gate.TxID{tx}, Kind: gate.EntryDecision, Public: gate.Public{Outcome: reason.Admitted},
		Personal: &gate.Personal{PassNumber: number},
	})
	if o != 0 {
		r.record(gate.Entry{Tx: gate.TxID{tx}, Kind: gate.EntryOutcome, Public: gate.Public{Outcome: o, Granted: granted}})
	}
}

func TestRegisterTellsOfPassAndMovement(t *testing.T) {
	r := newRegisterRig(t)
	if !r.Pass("P1").Unusable {
		t.Error("a replica that was never synchronised is usable")
	}
	at := time.Now().Add(-day)
	r.synced(wire.Change{Op: wire.OpStamp, Pass: "P1", Ver: 1, Stamped: at.UnixNano()})
	if p := r.Pass("P1"); p.Unusable || p.Revoked || !p.Stamped.Equal(at) || p.Last.Known {
		t.Errorf("pass: %+v", p)
	}
	r.Moved("P1", gate.DirExit, r.now)
	r.now += int64(time.Minute)
	r.walls = r.walls.Add(5 * time.Hour) // somebody set the clock
	want := gate.Movement{Known: true, Direction: gate.DirExit, Ago: time.Minute, Complete: true}
	if got := r.Pass("P1").Last; got != want {
		t.Errorf("last movement %+v, want %+v", got, want)
	}
	r.Unsure("P1")
	if got := r.Pass("P1").Last; got.Known {
		t.Errorf("a movement nobody is sure of: %+v", got)
	}
}

func TestMovementsSurviveARestart(t *testing.T) {
	r := newRegisterRig(t)
	r.Moved("SAVED", gate.DirExit, r.now)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.serve(ctx); !errors.Is(err, context.Canceled) { // the end of an orderly stop
		t.Fatal(err)
	}
	// The machine stops before any of these is saved.
	r.passes(1, "PASSED", reason.Admitted, true)
	r.passes(2, "UNUSED", reason.Abandoned, true)
	r.Moved("STUCK", gate.DirExit, r.now)
	r.passes(3, "STUCK", reason.Failed, true)
	r.Moved("CUT", gate.DirExit, r.now)
	if err := r.replica.SaveMoves(); err != nil {
		t.Fatal(err)
	}
	r.passes(4, "CUT", 0, false)
	if n, err := r.recorder.closeInterrupted(t.Context()); n != 1 || err != nil {
		t.Fatalf("%d interrupted, %v", n, err)
	}
	r.close()
	r.open([16]byte{2})
	r.walls = r.walls.Add(time.Minute)
	for number, want := range map[string]bool{"SAVED": true, "PASSED": true, "UNUSED": false, "STUCK": false, "CUT": false} {
		got := r.Pass(number).Last
		if got.Known != want || want && (got.Direction != gate.DirExit || got.Ago < 50*time.Second || got.Ago > 70*time.Second) {
			t.Errorf("%s after a restart: %+v", number, got)
		}
	}
}

// TestStampAtTheGateCountsAtOnceAndOverARestart also where the machine stopped
// before it was saved; the newer of headquarters' and the gate's own counts.
func TestStampAtTheGateCountsAtOnceAndOverARestart(t *testing.T) {
	r := newRegisterRig(t)
	later := r.walls.Add(day)
	r.synced(wire.Change{Op: wire.OpStamp, Pass: "OLD", Ver: 1, Stamped: r.walls.Add(-9 * day).UnixNano()},
		wire.Change{Op: wire.OpStamp, Pass: "NEW", Ver: 1, Stamped: later.UnixNano()})
	at := r.walls
	for _, number := range []string{"OLD", "NEW", "NONE"} {
		r.Stamped(number, r.now)
	}
	check := func(when, number string, want time.Time) {
		t.Helper()
		if p := r.Pass(number); !p.Stamped.Equal(want) || p.Unusable || p.Last.Known {
			t.Errorf("%s: %s %+v, want %v", when, number, p, want)
		}
	}
	check("at once", "OLD", at)
	check("at once", "NEW", later)
	check("at once", "NONE", at)
	r.save()
	r.record(gate.Entry{Tx: gate.TxID{9}, Kind: gate.EntryStamp, Personal: &gate.Personal{PassNumber: "CUT", Officer: "o-17"}})
	r.close()
	r.open([16]byte{2})
	check("after a restart", "OLD", at)
	check("after a restart", "NEW", later)
	if p := r.Pass("CUT"); p.Stamped.IsZero() {
		t.Error("a stamp that was on record only is lost")
	}
}

func TestEmergencyEndsWhatWasComplete(t *testing.T) {
	r := newRegisterRig(t)
	r.Moved("P1", gate.DirExit, r.now)
	r.walls = r.walls.Add(time.Second)
	r.record(gate.Entry{Kind: gate.EntryAlarm, Alarm: true, Public: gate.Public{Reasons: []reason.Reason{reason.Tailgating}}})
	if !r.Pass("P1").Last.Complete {
		t.Error("another alarm ends what was complete")
	}
	r.doubt(r.walls.UnixNano())
	if got := r.Pass("P1").Last; !got.Known || got.Complete {
		t.Errorf("after an emergency: %+v", got)
	}
	r.save()
	r.walls = r.walls.Add(time.Second)
	r.Moved("P2", gate.DirExit, r.now)
	r.save()
	r.close()
	r.open([16]byte{1})
	if r.Pass("P1").Last.Complete || !r.Pass("P2").Last.Complete {
		t.Errorf("after a restart: %+v, %+v", r.Pass("P1").Last, r.Pass("P2").Last)
	}
	r.since.Store(0)
	r.record(gate.Entry{Kind: gate.EntryAlarm, Alarm: true, Public: gate.Public{Reasons: []reason.Reason{reason.ModeEmergency}}})
	if r.since.Load() == 0 {
		t.Error("the record of an emergency casts no doubt")
	}
}
