package app

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// traveller writes a crossing as a lane does: what was decided, and unless it
// is cut short what came of it.
func (g *gateRig) traveller(n int, account, pass string, at time.Time, outcome string) {
	g.t.Helper()
	g.append(journal.Draft{
		Stream: wire.StreamCrossing, Kind: "decision", Tx: txOf(n), Wall: at.UnixNano(), Class: vault.ClassCrossing,
		Public:   map[string]any{"outcome": "admitted", "reasons": []string{}, "direction": "exit"},
		Personal: fmt.Appendf(nil, `{"pass_number":%q,"account":%q}`, pass, account),
	})
	if outcome != "" {
		g.came(n, at.Add(time.Second), outcome)
	}
}

// came writes what came of a crossing.
func (g *gateRig) came(n int, at time.Time, outcome string) {
	g.t.Helper()
	g.append(journal.Draft{
		Stream: wire.StreamCrossing, Kind: "outcome", Tx: txOf(n), Wall: at.UnixNano(),
		Public: map[string]any{"outcome": outcome, "reasons": []string{}, "direction": "exit"},
	})
}

func txOf(n int) [16]byte { return [16]byte{byte(n), byte(n >> 8), byte(n >> 16), 1} }

func (g *gateRig) append(d journal.Draft) {
	g.t.Helper()
	if _, err := g.out.Append(g.t.Context(), d); err != nil {
		g.t.Fatal(err)
	}
}

// crossingsOf asks until the answer is complete.
func crossingsOf(t *testing.T, h *hqRig, query string) Crossings {
	t.Helper()
	for limit := time.Now().Add(patience); time.Now().Before(limit); {
		out, err := ask[Crossings](t, h, "GET", "/crossings?"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		if out.Behind == 0 {
			return out
		}
	}
	t.Fatal("the look-up is never complete")
	return Crossings{}
}

func TestCrossingsOfAPerson(t *testing.T) {
	h := newHQ(t)
	h.start()
	g, other := newGate(t, h, "lane-1"), newGate(t, h, "lane-2")
	day := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	g.traveller(1, "somebody", "P1", day, "admitted")
	g.traveller(2, "another", "P2", day.Add(time.Hour), "admitted")
	other.traveller(1, "somebody", "P3", day.Add(2*time.Hour), "failed")
	g.traveller(3, "somebody", "P1", day.Add(3*time.Hour), "") // still in the lane
	g.start(h)
	other.start(h)
	g.out.waitAcked(t, 5)
	other.out.waitAcked(t, 2)

	out := crossingsOf(t, h, "account=somebody")
	if len(out.Crossings) != 3 || out.More {
		t.Fatalf("look-up: %+v", out)
	}
	for i, want := range []Crossing{
		{At: day.Add(3 * time.Hour), Gate: "lane-1", Seq: 5, Outcome: "admitted"},
		{At: day.Add(2 * time.Hour), Gate: "lane-2", Seq: 1, Outcome: "failed", Finished: true},
		{At: day, Gate: "lane-1", Seq: 1, Outcome: "admitted", Finished: true},
	} {
		c := out.Crossings[i]
		if !c.At.Equal(want.At) || c.Gate != want.Gate || c.Seq != want.Seq || c.Outcome != want.Outcome || c.Finished != want.Finished ||
			c.Direction != "exit" || !c.Simulated {
			t.Errorf("crossing %d: %+v, want %+v", i, c, want)
		}
	}
	if out = crossingsOf(t, h, "account=somebody&limit=2"); len(out.Crossings) != 2 || !out.More {
		t.Errorf("of at most two: %+v", out)
	}
	if out = crossingsOf(t, h, "pass=P1&open=1"); len(out.Crossings) != 2 || out.Crossings[1].Seq != 1 {
		t.Fatalf("by pass: %+v", out)
	}
	for _, c := range out.Crossings {
		if c.Record == nil || c.Record.Seq != c.Seq || !bytes.Contains(c.Record.Personal, []byte("somebody")) {
			t.Errorf("opened record: %+v", c.Record)
		}
	}
	if out = crossingsOf(t, h, "account=nobody"); len(out.Crossings) != 0 {
		t.Errorf("of nobody: %+v", out)
	}
	for _, q := range []string{"", "account=a&pass=p", "account=a&limit=0", "account=a&limit=1001", "account=a&limit=x"} {
		if _, err := ask[Crossings](t, h, "GET", "/crossings?"+q, nil); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", q, err)
		}
	}

	// What came of the last one arrives after a restart, and after the file was
	// lost everything is there again.
	for _, lose := range []bool{false, true} {
		h.stop()
		if lose {
			if err := os.WriteFile(filepath.Join(h.dir, "store", lookupFile), bytes.Repeat([]byte{7}, 1<<16), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		h.start()
		if !lose {
			g.came(3, day.Add(3*time.Hour), "abandoned")
			g.link.Notify()
			g.out.waitAcked(t, 6)
		}
		out = crossingsOf(t, h, "account=somebody")
		if len(out.Crossings) != 3 || !out.Crossings[0].Finished || out.Crossings[0].Outcome != "abandoned" {
			t.Fatalf("after a restart: %+v", out)
		}
	}
	h.stop()
	walkFiles(t, h.dir, func(path string, b []byte) {
		if bytes.Contains(b, []byte("somebody")) || bytes.Contains(b, []byte(`"P1"`)) {
			t.Errorf("%s holds a name in clear", path)
		}
	})
}
