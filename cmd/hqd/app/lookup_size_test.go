package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// TestLookupOfMany measures look-ups over HQD_TEST_CROSSINGS crossings, each of
// two records, of a tenth as many people:
//
//	HQD_TEST_CROSSINGS=1000000 go test ./cmd/hqd/app -run LookupOfMany -v -timeout 30m
func TestLookupOfMany(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("HQD_TEST_CROSSINGS"))
	if err != nil || n < 1000 {
		t.Skip("set HQD_TEST_CROSSINGS to how many crossings to look up among, 1000 or more")
	}
	h := newHQ(t)
	h.start()
	g := newGate(t, h, "lane-1")
	start := time.Now()
	g.manyCrossings(h, n)
	t.Logf("%d records stored after %.0f s", 2*n, time.Since(start).Seconds())
	for behind := uint64(1); behind > 0; {
		out, err := ask[Crossings](t, h, "GET", "/crossings?account=nobody", nil)
		if err != nil {
			t.Fatal(err)
		}
		behind = out.Behind
	}
	t.Logf("all of them can be looked up after %.0f s", time.Since(start).Seconds())
	for _, by := range []string{"account=a%d", "pass=P%d", "account=a%d&open=1"} {
		var took []time.Duration
		for i := range 1000 {
			at := time.Now()
			out, err := ask[Crossings](t, h, "GET", "/crossings?"+fmt.Sprintf(by, i*7919%(n/10)), nil)
			took = append(took, time.Since(at))
			if err != nil || len(out.Crossings) < 10 || out.Behind != 0 {
				t.Fatalf("look-up %d: %d crossings, %d behind, %v", i, len(out.Crossings), out.Behind, err)
			}
		}
		slices.Sort(took)
		ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
		t.Logf("look-up by %s over the control socket, 1000 times: p50 %.2f ms, p99 %.2f ms, slowest %.2f ms",
			by, ms(took[500]), ms(took[990]), ms(took[999]))
	}
	if st, err := os.Stat(filepath.Join(h.dir, "store", lookupFile)); err == nil {
		t.Logf("look-up file: %d MiB", st.Size()>>20)
	}
}

// manyCrossings stores crossings as if the gate had sent them.
func (g *gateRig) manyCrossings(h *hqRig, n int) {
	g.t.Helper()
	const epoch, day = 7, 20000
	seal, err := wire.ParseSealKey(h.app.id.Bundle.Seal)
	if err != nil {
		g.t.Fatal(err)
	}
	// The day's key is made by the first record sealed under it.
	if _, err := g.vault.Seal(vault.ClassCrossing, day, nil, []byte("{}")); err != nil {
		g.t.Fatal(err)
	}
	wrapped, err := g.vault.WrapFor(vault.ClassCrossing, day, seal)
	if err != nil {
		g.t.Fatal(err)
	}
	keys := []wire.DayKey{{Day: day, Class: vault.ClassCrossing, Sealed: wrapped}}
	var prev wire.Hash
	seq := uint64(0)
	next := func(r wire.Record, personal string) []byte {
		seq++
		r.Gate, r.Epoch, r.Stream, r.Seq, r.Prev, r.Simulated = g.id.Gate, epoch, wire.StreamCrossing, seq, prev, true
		if personal != "" {
			r.Class, r.Day = vault.ClassCrossing, day
			if r.Sealed, err = g.vault.Seal(r.Class, r.Day, journal.AAD(&r), []byte(personal)); err != nil {
				g.t.Fatal(err)
			}
		}
		b, err := r.Encode()
		if err != nil {
			g.t.Fatal(err)
		}
		prev = wire.HashOf(b)
		return b
	}
	key := recordKey{g.id.Gate, wire.StreamCrossing, epoch}
	for i := 0; i < n; {
		out := wire.Records{Stream: "crossing", Epoch: epoch, First: seq + 1, Keys: keys}
		for ; i < n && len(out.Records) < wire.MaxBatch; i++ {
			who, wall := i%(n/10), int64(day)*86400e9+int64(i)*1e9
			public := []byte(`{"outcome":"admitted","reasons":[],"direction":"exit","score":0.71,"threshold":0.41,"frames":9,"model":"m","reference":"cache"}`)
			out.Records = append(out.Records,
				next(wire.Record{Kind: "decision", Tx: txOf(i), Wall: wall, Public: public}, fmt.Sprintf(`{"pass_number":"P%d","pass_type":"border_pass","account":"a%d"}`, who, who)),
				next(wire.Record{Kind: "outcome", Tx: txOf(i), Wall: wall + 5e9, Public: public}, ""))
		}
		out.N = len(out.Records)
		recs, hashes, err := out.Check(g.id.Gate, wire.StreamCrossing)
		if err == nil {
			_, _, err = h.app.records.put(g.t.Context(), key, g.message(wire.TypeRecords, wire.UpRecords(g.id.Gate, wire.StreamCrossing), out).Payload, recs, hashes)
		}
		if err != nil {
			g.t.Fatal(err)
		}
	}
}
