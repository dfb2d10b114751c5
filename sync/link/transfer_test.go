package link

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/sync/wire"
)

// fakeSnapshots is a replica that can be filled anew.
type fakeSnapshots struct {
	*fakeAccounts
	here      int
	diverged  bool
	resets    int
	begin     error
	installed chan struct{} // closed to let InstallSnapshot end; nil: at once
}

func (f *fakeSnapshots) Diverged() bool { return f.diverged }

func (f *fakeSnapshots) Reset() error {
	f.resets++
	f.diverged, f.epoch, f.seq = false, 0, 0
	return nil
}

func (f *fakeSnapshots) BeginSnapshot(wire.Snapshot, [32]byte) (int, error) { return f.here, f.begin }

func (f *fakeSnapshots) AddPiece(n int, b []byte) (int, error) {
	if string(b) != "piece" {
		return f.here, wire.ErrPiece
	}
	f.here = n + 1
	return f.here, nil
}

func (f *fakeSnapshots) InstallSnapshot(ctx context.Context) error {
	if f.installed != nil {
		select {
		case <-f.installed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.epoch, f.seq = 7, 50
	return nil
}

type transferRig struct {
	*downRig
	snaps   *fakeSnapshots
	fetches []wire.Fetch
}

func newTransfer(t *testing.T) *transferRig {
	t.Helper()
	r := &transferRig{downRig: newDown(t)}
	r.snaps = &fakeSnapshots{fakeAccounts: r.acc}
	r.d.opts.Accounts = r.snaps
	say := r.d.opts.Say
	r.d.opts.Say = func(typ string, v any) {
		if f, ok := v.(wire.Fetch); ok {
			r.fetches = append(r.fetches, f)
		}
		say(typ, v)
	}
	return r
}

// manifest is one of 60 pieces at place 50.
func (r *transferRig) manifest(change ...func(*wire.Snapshot)) Message {
	r.t.Helper()
	s := wire.Snapshot{
		ID: strings.Repeat("0a", 16), Epoch: r.hq.epoch, Seq: 50, Made: 1, Items: 50, Pieces: 60, Index: []wire.Hash{{1}},
	}
	for _, c := range change {
		c(&s)
	}
	if err := s.SealKey("g1", r.hq.group, [32]byte{1}); err != nil {
		r.t.Fatal(err)
	}
	return r.hq.message(wire.RoleSnapshot, wire.TypeSnapshot, wire.Down(testGate, wire.TypeSnapshot), testGate, s)
}

func (r *transferRig) piece(n int, b string) Message {
	r.t.Helper()
	topic := wire.Down(testGate, wire.TypePiece)
	msg, err := wire.Sign(r.hq.roles[wire.RoleSnapshot], wire.Header{Typ: wire.TypePiece, Ver: 1, To: testGate, Topic: topic, Seq: uint64(n)}, []byte(b))
	if err != nil {
		r.t.Fatal(err)
	}
	return Message{Kind: Received, Topic: topic, Payload: msg, Ack: func() {}}
}

func (r *transferRig) wantFetches(want ...[2]int) {
	r.t.Helper()
	var have [][2]int
	for _, f := range r.fetches {
		have = append(have, [2]int{f.From, f.N})
	}
	if !slices.Equal(have, want) {
		r.t.Fatalf("asked for %v, want %v", have, want)
	}
}

func TestPiecesAreFetchedInWindowsAndInstalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTransfer(t)
		r.snaps.installed = make(chan struct{})
		r.give(r.manifest())
		r.wantFetches([2]int{0, 32})
		for n := range 59 {
			r.give(r.piece(n, "piece"))
		}
		r.wantFetches([2]int{0, 32}, [2]int{32, 16}, [2]int{48, 12})
		if len(r.hellos) != 0 {
			t.Fatalf("asked for changes beside the snapshot: %+v", r.hellos)
		}
		r.give(r.piece(59, "piece"))
		r.acc.log = nil
		r.d.install(t.Context())
		synctest.Wait()
		r.hq.seq = 50
		r.give(r.hq.live(r.hq.delta(suspend("a", 2)))) // while the file is built
		equalLogs(t, r.acc.log, []string{"overlay a", "change a"})
		close(r.snaps.installed)
		r.d.installed(<-r.d.built)
		equalLogs(t, r.acc.log, []string{"overlay a", "change a", "change "})
		if len(r.hellos) != 1 || r.hellos[0] != (wire.Hello{Epoch: 7, Cursor: 50}) || r.count(countInstalled) != 1 {
			t.Fatalf("asked %+v", r.hellos)
		}
	})
}

// TestDecisionsThatTheSnapshotBringsAreReported: what was missed comes before
// the manifest, bites at once and is reported with that moment.
func TestDecisionsThatTheSnapshotBringsAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTransfer(t)
		r.give(r.hq.live(r.hq.delta(put("a"))))
		r.acc.log, r.applied = nil, nil
		r.hq.seq = 30
		missed := suspend("a", 2)
		r.give(r.hq.message(wire.RoleDelta, wire.TypeUrgent, wire.Down(testGate, wire.TypeUrgent), testGate, r.hq.delta(missed)))
		equalLogs(t, r.acc.log, []string{"overlay a", "change a"})
		bit := time.Now().UnixNano()
		<-time.After(time.Second)
		later := suspend("b", 2)
		later.Decision.ID = strings.Repeat("4567", 8)
		r.hq.seq = 60
		r.give(r.manifest(), r.hq.message(wire.RoleDelta, wire.TypeUrgent, wire.TopicUrgent, wire.ToAll, r.hq.delta(later)))
		for n := range 60 {
			r.give(r.piece(n, "piece"))
		}
		r.d.install(t.Context())
		r.d.installed(<-r.d.built)
		want := []wire.AppliedDecision{{ID: missed.Decision.ID, At: bit, Mono: r.applied[0].Decisions[0].Mono}}
		if len(r.applied) != 1 || r.applied[0].Cursor != 50 || !slices.Equal(r.applied[0].Decisions, want) {
			t.Fatalf("reported %+v", r.applied)
		}
		if _, waits := r.d.effects[later.Decision.ID]; !waits || len(r.d.effects) != 1 {
			t.Fatalf("still to be reported: %+v", r.d.effects)
		}
	})
}

// TestGateAdmitsWhileTheSnapshotComes once all that restricts has come before
// it, and not when one message of that is missing, or it answers another hello.
func TestGateAdmitsWhileTheSnapshotComes(t *testing.T) {
	for name, c := range map[string]struct {
		after  uint64
		missed int
		want   bool
	}{
		"all came":      {1, 2, false},
		"one is lost":   {1, 3, true},
		"another hello": {9, 2, true},
		"nothing said":  {0, 0, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newTransfer(t)
			r.give(r.hq.live(r.hq.delta(put("a"))), Message{Kind: Up})
			<-time.After(time.Minute)
			r.d.ask()
			r.hq.seq = 30
			topic := wire.Down(testGate, wire.TypeUrgent)
			for _, id := range []string{"b", "c"} {
				m := r.hq.message(wire.RoleDelta, wire.TypeUrgent, topic, testGate, r.hq.delta(suspend(id, 2)))
				r.give(m, m) // a broker may bring one twice
			}
			r.give(r.manifest(func(s *wire.Snapshot) { s.After, s.Missed = c.after, c.missed }))
			if r.d.snap == nil || r.d.CatchingUp() != c.want {
				t.Errorf("%s: catching up %v", name, r.d.CatchingUp())
			}
		})
	}
}

func TestLostPiecesAreAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTransfer(t)
		r.give(r.manifest(), r.piece(0, "piece"), r.piece(2, "piece"), r.piece(1, "forged"))
		if r.snaps.here != 1 || r.count(causePiece) != 1 || r.count(causeDuplicate) != 1 {
			t.Fatalf("%d pieces here, %v", r.snaps.here, r.d.counters.snapshot())
		}
		for range fetchTries {
			<-time.After(fetchWait)
			r.d.tick(time.Now())
		}
		if len(r.fetches) != 1+fetchTries || r.fetches[1] != (wire.Fetch{ID: r.fetches[0].ID, From: 1, N: 32}) {
			t.Fatalf("asked %+v", r.fetches)
		}
		<-time.After(fetchWait)
		r.d.tick(time.Now())
		if r.d.snap != nil || len(r.hellos) != 1 {
			t.Fatalf("still waiting; asked %+v", r.hellos)
		}
		r.fetches = nil
		r.give(r.manifest()) // HQ's answer
		r.wantFetches([2]int{1, 32})
		r.give(Message{Kind: Down})
		if r.d.snap != nil {
			t.Fatal("a transfer outlives its connection")
		}
	})
}

func TestHostileSnapshotsAreCountedAndHarmless(t *testing.T) {
	r := newTransfer(t)
	topic := wire.Down(testGate, wire.TypeSnapshot)
	retained := r.manifest()
	retained.Retained = true
	byDelta := r.hq.message(wire.RoleDelta, wire.TypeSnapshot, topic, testGate, wire.Snapshot{})
	truncated := r.manifest()
	truncated.Payload = truncated.Payload[:len(truncated.Payload)/2]
	changed := r.manifest()
	changed.Payload = bytes.Clone(changed.Payload)
	// Another sign of the same alphabet: only the signature can be wrong.
	if at := &changed.Payload[len(changed.Payload)-9]; *at == 'A' {
		*at = 'B'
	} else {
		*at = 'A'
	}
	expired := r.hq.message(wire.RoleSnapshot, wire.TypeSnapshot, topic, testGate, wire.Snapshot{}, func(h *wire.Header) { h.Exp = 1 })
	for name, c := range map[string]struct {
		m     Message
		cause string
	}{
		"truncated":      {truncated, "form"},
		"forged":         {changed, "signature"},
		"expired":        {expired, "expired"},
		"retained":       {retained, causeRetained},
		"another role":   {byDelta, "wrong_role"},
		"malformed":      {r.manifest(func(s *wire.Snapshot) { s.Pieces = 9999999 }), causePayload},
		"no such key":    {r.manifest(func(s *wire.Snapshot) { s.Made = 0 }), causePayload},
		"piece unasked":  {r.piece(0, "piece"), causeDuplicate},
		"piece, forged":  {Message{Kind: Received, Topic: wire.Down(testGate, wire.TypePiece), Payload: []byte("x.y.z"), Ack: func() {}}, "form"},
		"another gate's": {r.hq.message(wire.RoleSnapshot, wire.TypeSnapshot, topic, "lane-2", wire.Snapshot{}), "address"},
	} {
		before := r.count(c.cause)
		r.give(c.m)
		if r.count(c.cause) != before+1 || r.d.snap != nil || len(r.fetches) != 0 {
			t.Errorf("%s: %v", name, r.d.counters.snapshot())
		}
	}
	r.snaps.begin = errors.New("behind")
	r.give(r.manifest())
	if r.count(causeSnapshot) != 1 || r.d.snap != nil {
		t.Errorf("a snapshot of no use: %v", r.d.counters.snapshot())
	}
}

// TestLaterEpochNeedsTwoKeys takes a snapshot of another epoch only after a
// head of that epoch.
func TestLaterEpochNeedsTwoKeys(t *testing.T) {
	r := newTransfer(t)
	r.acc.epoch, r.acc.seq = 6, 10
	r.give(r.manifest())
	if r.d.snap != nil || r.count(causeEpoch) != 1 {
		t.Fatal("taken on one key's word")
	}
	r.give(r.hq.head())
	if len(r.hellos) != 0 && r.d.snap != nil {
		t.Fatal("taken without a manifest")
	}
	r.give(r.manifest())
	if r.d.snap == nil {
		t.Fatal("not taken on the word of two")
	}
	r.d.snap = nil
	r.acc.epoch, r.d.other = 8, wire.Head{}
	r.give(r.hq.head(), r.manifest())
	if r.d.snap != nil {
		t.Fatal("an earlier epoch is taken")
	}
}

func TestContradictedReplicaIsEmptiedOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTransfer(t)
		r.give(r.hq.live(r.hq.delta(put("a"))), r.hq.head())
		r.acc.fail = errors.New("another past")
		for range 3 {
			r.snaps.diverged = true
			r.give(r.hq.live(r.hq.delta(put("b"))))
			r.acc.epoch, r.acc.seq = r.hq.epoch, r.hq.seq
		}
		if r.snaps.resets != 1 || r.count(causeReset) != 1 {
			t.Fatalf("emptied %d times", r.snaps.resets)
		}
		if n := len(r.acc.heads); n != 2 || r.acc.heads[1] != r.acc.heads[0] {
			t.Fatalf("the emptied replica waits for a head: it was told of %d", n-1)
		}
		if last := r.hellos[len(r.hellos)-1]; last != (wire.Hello{}) {
			t.Fatalf("asked %+v", r.hellos)
		}
		<-time.After(resetEvery)
		r.give(r.hq.live(r.hq.delta(put("b"))))
		if r.snaps.resets != 2 {
			t.Fatalf("emptied %d times", r.snaps.resets)
		}
	})
}
