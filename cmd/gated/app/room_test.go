package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/gate"
	"bordergate/sync/journal"
	"bordergate/sync/link"
	"bordergate/sync/outbox"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// store is a journal of small budgets with its room.
type store struct {
	t       *testing.T
	dir     string
	journal *journal.Journal
	rec     *recorder
	room    *room
	told    []bool
}

func newStore(t *testing.T) *store {
	t.Helper()
	s := &store{t: t, dir: t.TempDir()}
	s.open()
	t.Cleanup(func() {
		if err := errors.Join(s.journal.Verify(), s.journal.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *store) open() {
	s.t.Helper()
	log := slog.New(slog.DiscardHandler)
	var err error
	if s.journal, err = journal.Open(journal.Options{
		Path: filepath.Join(s.dir, "journal.db"), Gate: "lane-1", Budgets: map[wire.Stream]int64{wire.StreamCrossing: 100_000, wire.StreamImage: 100_000},
	}); err != nil {
		s.t.Fatal(err)
	}
	s.rec = &recorder{journal: s.journal, clock: &atTime{now: time.Now(), trust: gate.ClockSynced}, log: log, notify: func() {}}
	if s.room, err = newRoom(s.journal, log, s.rec.note, func(ok bool) { s.told = append(s.told, ok) }); err != nil {
		s.t.Fatal(err)
	}
}

// fill writes records until a stream is so full.
func (s *store) fill(stream wire.Stream, percent int) {
	s.t.Helper()
	for s.journal.Fills()[stream-1].Percent() < percent {
		if _, err := s.journal.Append(s.t.Context(), journal.Draft{Stream: stream, Kind: "decision", Public: strings.Repeat("x", 500)}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// acknowledge has headquarters hold a stream up to cum.
func (s *store) acknowledge(stream wire.Stream, cum uint64) {
	s.t.Helper()
	raws, err := s.journal.Read(stream, cum, 1)
	if err != nil || len(raws) != 1 {
		s.t.Fatalf("read %d: %v", cum, err)
	}
	a := wire.Ack{Stream: stream.String(), Epoch: s.journal.Epoch(), Cum: cum, Hash: wire.HashOf(raws[0].Bytes)}
	if err := (outbox.Outbox{Journal: s.journal, Agreed: s.room.agreed}).Acknowledge(a); err != nil {
		s.t.Fatal(err)
	}
}

// look looks at the room and gives what the lane was told.
func (s *store) look() []bool {
	s.told = nil
	s.room.look(s.t.Context())
	return s.told
}

// levels is what the alarm stream says of room: stream and level.
func (s *store) levels() (out []string) {
	s.t.Helper()
	if err := s.journal.Advance("settled", s.journal.Fact("settled")+1); err != nil { // what was queued is written
		s.t.Fatal(err)
	}
	raws, err := s.journal.Tail(wire.StreamAlarm, 100)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, raw := range raws {
		rec, err := wire.DecodeRecord(raw.Bytes)
		var r roomRecord
		if err != nil || rec.Kind == KindRoom && json.Unmarshal(rec.Public, &r) != nil {
			s.t.Fatal(err, r)
		}
		if rec.Kind == KindRoom {
			out = append(out, fmt.Sprint(r.Stream, " ", r.Level))
		}
	}
	return out
}

func TestAFullJournalIsSaidAndAdmitsNobody(t *testing.T) {
	s := newStore(t)
	if got := s.look(); !slices.Equal(got, []bool{true}) {
		t.Fatalf("at first the lane is told %v", got)
	}
	for _, c := range []struct {
		percent int
		told    []bool
		code    string
	}{
		{69, nil, ""},
		{70, nil, "journal_crossing_70"},
		{84, nil, "journal_crossing_70"},
		{85, nil, "journal_crossing_85"},
		{95, []bool{false}, "journal_crossing_95"},
		{99, nil, "journal_crossing_95"},
	} {
		s.fill(wire.StreamCrossing, c.percent)
		if got := s.look(); !slices.Equal(got, c.told) {
			t.Errorf("at %d %% the lane is told %v, want %v", c.percent, got, c.told)
		}
		if got := strings.Join(s.room.codes(), " "); got != c.code {
			t.Errorf("at %d %% headquarters is told %q", c.percent, got)
		}
	}
	if f := s.room.faults(); len(f) != 1 || !strings.Contains(f[0].Error, "acknowledges") {
		t.Errorf("faults %+v", f)
	}
	if rg := s.journal.Ranges()[0]; rg.First != 1 {
		t.Errorf("records that headquarters lacks were given up: %+v", rg)
	}
	// Headquarters comes back.
	s.acknowledge(wire.StreamCrossing, s.journal.Ranges()[0].Next-1)
	if got := s.look(); !slices.Equal(got, []bool{true}) || len(s.room.faults()) != 0 {
		t.Errorf("with room again the lane is told %v, faults %v", got, s.room.faults())
	}
	want := []string{"crossing 70", "crossing 85", "crossing 95", "crossing 0"}
	if got := s.levels(); !slices.Equal(got, want) {
		t.Errorf("on record %v, want %v", got, want)
	}
	rg := s.journal.Ranges()[0]
	if p := s.journal.Fills()[0].Percent(); rg.First < 2 || p > 65 || p < 55 {
		t.Errorf("kept %+v, %d %%: more than need be was given up, or less", rg, p)
	}
	if !slices.Contains(recordKinds(t, s.journal.Reader, wire.StreamAlarm), KindPruned) {
		t.Error("that records were given up is not on record")
	}
}

func TestFullPicturesStopNobody(t *testing.T) {
	s := newStore(t)
	s.fill(wire.StreamImage, 97)
	if got := s.look(); !slices.Equal(got, []bool{true}) {
		t.Errorf("the lane is told %v", got)
	}
	if got := s.levels(); !slices.Equal(got, []string{"image 95"}) {
		t.Errorf("on record %v", got)
	}
}

func TestAWriteThatFoundNoRoomIsTriedAgain(t *testing.T) {
	s := newStore(t)
	s.look()
	s.room.refused(errors.New("another fault"))
	s.room.again()
	if got := s.look(); len(got) != 0 {
		t.Errorf("the lane is told %v", got)
	}
	s.room.refused(journal.ErrFull)
	if got := s.look(); len(got) != 0 {
		t.Errorf("the lane is told at once %v", got)
	}
	s.room.again()
	if got := s.look(); !slices.Equal(got, []bool{true}) {
		t.Errorf("the lane is told %v", got)
	}
}

func TestContradictionOutlivesARestartAndEndsByAgreement(t *testing.T) {
	s := newStore(t)
	s.fill(wire.StreamCrossing, 10)
	s.look()
	s.room.contradicted(&link.Contradiction{Stream: wire.StreamCrossing, Seq: 5, Err: journal.ErrChainMismatch})
	s.room.contradicted(&link.Contradiction{Stream: wire.StreamCrossing, Seq: 6, Err: journal.ErrChainMismatch})
	if got := s.look(); !slices.Equal(got, []bool{false}) {
		t.Errorf("the lane is told %v", got)
	}
	if err := s.journal.Close(); err != nil {
		t.Fatal(err)
	}
	s.open()
	if got := s.look(); !slices.Equal(got, []bool{false}) {
		t.Errorf("after a restart the lane is told %v", got)
	}
	f := s.room.faults()
	if len(f) != 1 || !strings.Contains(f[0].Error, "gatectl journal verify") || !slices.Contains(s.room.codes(), "journal_contradiction") {
		t.Errorf("faults %+v, codes %v", f, s.room.codes())
	}
	s.acknowledge(wire.StreamCrossing, 4) // of before: it proves nothing
	if got := s.look(); len(got) != 0 {
		t.Errorf("after an older acknowledgement the lane is told %v", got)
	}
	s.acknowledge(wire.StreamCrossing, 5)
	if got := s.look(); !slices.Equal(got, []bool{true}) || len(s.room.faults()) != 0 {
		t.Errorf("after agreement the lane is told %v, faults %v", got, s.room.faults())
	}
	if err := s.journal.Close(); err != nil {
		t.Fatal(err)
	}
	s.open()
	if got := s.look(); !slices.Equal(got, []bool{true}) {
		t.Errorf("after another restart the lane is told %v", got)
	}
}

// TestRoomIsLookedAtAsItFills runs the service itself: nobody calls look.
func TestRoomIsLookedAtAsItFills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{t: t, dir: t.TempDir()}
		s.open()
		ctx, stop := context.WithCancel(t.Context())
		told := make(chan bool, 16)
		s.room.tell = func(ok bool) { told <- ok }
		done := make(chan error)
		go func() { done <- s.room.serve(ctx) }()
		if !<-told {
			t.Error("an empty journal is no room")
		}
		s.fill(wire.StreamCrossing, 95)
		if <-told {
			t.Error("a full journal is room")
		}
		s.acknowledge(wire.StreamCrossing, s.journal.Ranges()[0].Next-1)
		if !<-told {
			t.Error("there is no room again")
		}
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := s.journal.Close(); err != nil {
			t.Error(err)
		}
	})
}

// bubbleClock is the simulated time of a test.
type bubbleClock struct{}

func (bubbleClock) Wall() (time.Time, gate.ClockTrust, time.Time) {
	return time.Now(), gate.ClockSynced, time.Time{}
}

// TestRetentionOverWeeks lets a gate record for forty days, headquarters away for
// the last sixteen, and looks at what is left.
func TestRetentionOverWeeks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
		v, err := vault.Open(filepath.Join(dir, "keys"), [32]byte{1})
		if err != nil {
			t.Fatal(err)
		}
		j, err := journal.Open(journal.Options{Path: filepath.Join(dir, "journal.db"), Gate: "lane-1", Vault: v, Signer: testKey(t, "lane-1", wire.RoleGate)})
		if err != nil {
			t.Fatal(err)
		}
		rec := &recorder{journal: j, clock: bubbleClock{}, log: log, notify: func() {}}
		keep := &retention{
			journal: j, vault: v, clock: bubbleClock{}, log: log, note: rec.note,
			keep:    map[vault.Class]time.Duration{vault.ClassCrossing: 12 * day, vault.ClassAlarm: 24 * day, vault.ClassImage: 4 * day},
			records: map[wire.Stream]time.Duration{wire.StreamCrossing: 12 * day, wire.StreamAlarm: 24 * day, wire.StreamTelemetry: 2 * day, wire.StreamImage: 4 * day},
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- keep.serve(ctx) }()
		first := time.Now()
		for d := range 40 {
			for s, class := range map[wire.Stream]uint8{
				wire.StreamCrossing: vault.ClassCrossing, wire.StreamAlarm: vault.ClassAlarm, wire.StreamTelemetry: 0, wire.StreamImage: vault.ClassImage,
			} {
				draft := journal.Draft{Stream: s, Kind: "day", Public: d, Class: class}
				if class != 0 {
					draft.Personal = []byte("somebody")
				}
				if _, err := j.Append(t.Context(), draft); err != nil {
					t.Fatal(err)
				}
				if d < 24 {
					acknowledgeLast(t, j, s)
				}
			}
			<-time.After(day)
			synctest.Wait()
		}
		stop()
		<-done
		today := vault.Day(first) + 40
		for class, want := range map[uint8]uint32{
			vault.ClassCrossing: vault.Day(first) + 24, // headquarters lacks what came from there on
			vault.ClassAlarm:    today - 24,
			vault.ClassImage:    today - 4, // on time, whoever has it
		} {
			days, err := v.Days(class)
			if err != nil || len(days) == 0 || days[0] < want-1 || days[0] > want+1 {
				t.Errorf("class %d is kept from day %v on, want %d: %v", class, days[:min(len(days), 3)], want, err)
			}
			proofs, err := v.Proofs(class)
			if err != nil || len(proofs)+len(days) != 40 {
				t.Errorf("class %d: %d days kept, %d proven deleted, %v", class, len(days), len(proofs), err)
			}
		}
		kinds := map[string]int{}
		for _, k := range recordKinds(t, j.Reader, wire.StreamAlarm) {
			kinds[k]++
		}
		if kinds[KindDestroyed] == 0 || kinds[KindPruned] == 0 {
			t.Errorf("on record: %v", kinds)
		}
		for s, from := range map[wire.Stream]uint64{wire.StreamCrossing: 25, wire.StreamTelemetry: 25, wire.StreamImage: 25} {
			if rg := j.Ranges()[s-1]; rg.First != from {
				t.Errorf("%s is kept from record %d on, want %d", rg.Name, rg.First, from)
			}
		}
		if err := errors.Join(j.Verify(), j.Close()); err != nil {
			t.Error(err)
		}
	})
}

func acknowledgeLast(t *testing.T, j *journal.Journal, s wire.Stream) {
	t.Helper()
	raws, err := j.Tail(s, 1)
	if err != nil || len(raws) != 1 {
		t.Fatalf("read the last: %v", err)
	}
	if err := j.Acknowledge(wire.Ack{Stream: s.String(), Epoch: j.Epoch(), Cum: raws[0].Seq, Hash: wire.HashOf(raws[0].Bytes)}); err != nil {
		t.Fatal(err)
	}
}
