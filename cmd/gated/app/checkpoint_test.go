package app

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// recordKinds are the kinds of the newest records of a stream, oldest first.
func recordKinds(t *testing.T, r *journal.Reader, s wire.Stream) []string {
	t.Helper()
	raws, err := r.Tail(s, 100)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, raw := range raws {
		rec, err := wire.DecodeRecord(raw.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rec.Kind)
	}
	return out
}

func TestACheckpointEveryHour(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, err := journal.Open(journal.Options{Path: filepath.Join(dir, "journal.db"), Gate: "lane-1", Signer: testKey(t, "lane-1", wire.RoleGate)})
		if err != nil {
			t.Fatal(err)
		}
		c := checkpoints{journal: j, log: slog.New(slog.DiscardHandler), notify: func() {}}
		ctx, stop := context.WithTimeout(t.Context(), 3*time.Hour+time.Minute)
		defer stop()
		_ = c.serve(ctx) // ends with ctx
		if got := recordKinds(t, j.Reader, wire.StreamAlarm); len(got) != 4 {
			t.Errorf("on record: %v", got)
		}
		if err := j.Verify(); err != nil {
			t.Error(err)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestACleanStopLeavesACheckpoint(t *testing.T) {
	cfg := goodStation(t)
	a := New(cfg, slog.New(slog.DiscardHandler))
	if f := a.Faults(); len(f) != 0 {
		t.Fatalf("faults %+v", f)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	id, err := vault.LoadIdentity(cfg.Paths.Identity)
	if err != nil {
		t.Fatal(err)
	}
	r, err := journal.OpenReadOnly(filepath.Join(cfg.Paths.State, "journal.db"), id.Signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := recordKinds(t, r, wire.StreamAlarm); len(got) == 0 || got[len(got)-1] != journal.KindCheckpoint {
		t.Errorf("on record: %v", got)
	}
	if rep, err := r.Check(t.Context()); err != nil || !rep.OK || rep.Mark.State != journal.MarkSigned {
		t.Errorf("report %+v, %v", rep, err)
	}
}
