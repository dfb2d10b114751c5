package app

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"bordergate/sync/journal"
	"bordergate/sync/wire"
)

// restored runs headquarters to 100 records, puts its store back to where it
// had 50, and starts it again. Meanwhile is what the gate does before that.
func restored(t *testing.T, meanwhile func(*gateRig)) (*hqRig, *gateRig) {
	t.Helper()
	h := newHQ(t)
	h.start()
	g := newGate(t, h, "lane-1")
	g.start(h)
	g.cross(50)
	g.out.waitAcked(t, 50)
	h.stop()
	live, backup := filepath.Join(h.dir, "store"), filepath.Join(h.dir, "backup")
	if err := os.CopyFS(backup, os.DirFS(live)); err != nil {
		t.Fatal(err)
	}
	h.start()
	g.cross(50)
	g.out.waitAcked(t, 100)
	h.stop()
	meanwhile(g)
	if err := os.RemoveAll(live); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(backup, live); err != nil {
		t.Fatal(err)
	}
	h.start()
	g.cross(10)
	g.out.waitAcked(t, 110)
	return h, g
}

func TestRestoredHeadquartersGetsItsRecordsAgain(t *testing.T) {
	h, g := restored(t, func(*gateRig) {})
	onceEach(t, recordsOf(t, h, "lane-1", false), 110)
	if len(g.fatal) != 0 {
		t.Fatalf("the gate was stopped: %v", <-g.fatal)
	}
	if n := gateCounters(h, "lane-1")["lost"]; n != 0 {
		t.Errorf("counted %d losses", n)
	}
}

// TestRestoredTooFarGoesOnWithALossOnRecord: the gate has given up what the
// lost store had acknowledged.
func TestRestoredTooFarGoesOnWithALossOnRecord(t *testing.T) {
	h, g := restored(t, func(g *gateRig) {
		if err := g.out.Prune(t.Context(), wire.StreamCrossing, 80); err != nil {
			t.Fatal(err)
		}
	})
	var seqs []uint64
	var at80, after wire.Hash
	for _, l := range recordsOf(t, h, "lane-1", false) {
		seqs = append(seqs, l.Seq)
		if l.Seq == 81 {
			at80 = l.Prev
		}
		after = l.Hash
	}
	if len(seqs) != 80 || seqs[49] != 50 || seqs[50] != 81 || seqs[79] != 110 {
		t.Fatalf("headquarters has %v", seqs)
	}
	if rg := g.out.Journal.Ranges()[0]; rg.Before != at80 || after == (wire.Hash{}) {
		t.Error("the records do not follow the last one given up")
	}
	if n := gateCounters(h, "lane-1")["lost"]; n != 1 || len(g.fatal) != 0 {
		t.Errorf("counted %d losses, fatal %d", n, len(g.fatal))
	}
}

// TestAForkStopsTheGate: the gate's file was put back to an earlier state of
// itself, and it has gone on from there.
func TestAForkStopsTheGate(t *testing.T) {
	h := newHQ(t)
	h.start()
	g := newGate(t, h, "lane-1")
	g.cross(5)
	path := filepath.Join(g.dir, "journal.db")
	if err := g.out.Close(); err != nil {
		t.Fatal(err)
	}
	yesterday, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g.openJournal()
	g.cross(5)
	g.start(h)
	g.out.waitAcked(t, 10)
	g.stop()
	if err := g.out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, yesterday, 0o600); err != nil {
		t.Fatal(err)
	}
	g.openJournal()
	for range 8 {
		if _, err := g.out.Append(t.Context(), journal.Draft{Stream: wire.StreamCrossing, Kind: "decision", Public: "another"}); err != nil {
			t.Fatal(err)
		}
	}
	g.start(h)
	select {
	case <-g.fatal:
	case <-time.After(patience):
		t.Fatal("waited in vain for the contradiction")
	}
	if list := recordsOf(t, h, "lane-1", false); len(list) != 10 {
		t.Errorf("headquarters has %d records", len(list))
	}
}
