package app

import (
	"bytes"
	"strings"
	"testing"

	"bordergate/sync/journal"
	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// batch signs records first to last of the rig's journal as its link would.
func (g *gateRig) batch(first uint64, n int) link.Message {
	g.t.Helper()
	raws, err := g.out.Journal.Read(wire.StreamCrossing, first, n)
	if err != nil {
		g.t.Fatal(err)
	}
	out := wire.Records{Stream: "crossing", Epoch: g.out.Epoch(), First: first, N: n}
	for _, r := range raws {
		out.Records = append(out.Records, r.Bytes)
	}
	return g.message(wire.TypeRecords, wire.UpRecords(g.id.Gate, wire.StreamCrossing), out)
}

func (g *gateRig) message(typ, topic string, v any, change ...func(*wire.Header)) link.Message {
	g.t.Helper()
	h := wire.Header{Typ: typ, Ver: 1, To: wire.ToHQ, Topic: topic}
	for _, c := range change {
		c(&h)
	}
	b, err := wire.SignJSON(g.id.Signer, h, v)
	if err != nil {
		g.t.Fatal(err)
	}
	return link.Message{Kind: link.Received, Topic: topic, Payload: b, Ack: func() {}}
}

func TestBatchesInAnyOrderAreStoredOnce(t *testing.T) {
	h := newHQ(t)
	h.start()
	g := newGate(t, h, "lane-1")
	g.cross(40)
	for _, b := range []struct {
		first uint64
		n     int
	}{{11, 10}, {1, 10}, {1, 10}, {5, 10}, {31, 10}, {12, 3}, {15, 20}, {35, 6}, {1, 40}} {
		h.app.take(t.Context(), g.batch(b.first, b.n))
	}
	onceEach(t, recordsOf(t, h, "lane-1", false), 40)
	if got := gateCounters(h, "lane-1"); got["gap"] != 2 || len(got) != 1 {
		t.Fatalf("counters %v", got)
	}
}

func gateCounters(h *hqRig, gate string) map[string]uint64 {
	gates, none := h.app.fleet.status()
	for _, g := range gates {
		if g.Gate == gate {
			return g.Counters
		}
	}
	return none
}

func TestFalseMessagesOfAGateAreCountedAndHarmless(t *testing.T) {
	h := newHQ(t)
	h.start()
	g, other := newGate(t, h, "lane-1"), newGate(t, h, "lane-2")
	g.cross(3)
	other.cross(3)
	for name, tc := range map[string]struct {
		message func() link.Message
		gate    string
		cause   string
	}{
		"another gate's key": {func() link.Message {
			m := other.batch(1, 3)
			m.Topic = wire.UpRecords("lane-1", wire.StreamCrossing)
			return m
		}, "lane-1", "signature"},
		"another gate's records": {func() link.Message {
			raws, err := other.out.Journal.Read(wire.StreamCrossing, 1, 1)
			if err != nil {
				t.Fatal(err)
			}
			return g.message(wire.TypeRecords, wire.UpRecords("lane-1", wire.StreamCrossing), wire.Records{
				Stream: "crossing", Epoch: other.out.Epoch(), First: 1, N: 1, Records: [][]byte{raws[0].Bytes},
			})
		}, "lane-1", "chain"},
		"unregistered gate": {func() link.Message {
			m := g.batch(1, 3)
			m.Topic = wire.UpRecords("lane-9", wire.StreamCrossing)
			return m
		}, "", "unknown_gate"},
		"retained": {func() link.Message {
			m := g.batch(1, 3)
			m.Retained = true
			return m
		}, "lane-1", "retained"},
		"for somebody else": {func() link.Message {
			return g.message(wire.TypeState, wire.Up("lane-1", wire.TypeState), wire.State{}, func(h *wire.Header) { h.To = "lane-2" })
		}, "lane-1", "refused"},
		"decision nobody made": {func() link.Message {
			return g.message(wire.TypeApplied, wire.Up("lane-1", wire.TypeApplied), wire.Applied{
				Epoch: h.app.ledger.epoch, Decisions: []wire.AppliedDecision{{ID: strings.Repeat("00", 16)}},
			})
		}, "lane-1", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			before := gateCounters(h, tc.gate)[tc.cause]
			h.app.take(t.Context(), tc.message())
			if got := gateCounters(h, tc.gate); got[tc.cause] != before+1 {
				t.Fatalf("counters %v", got)
			}
			if list := recordsOf(t, h, "lane-1", false); len(list) != 0 {
				t.Fatalf("stored %d records", len(list))
			}
		})
	}
}

// TestAnotherHistoryIsRefused has a gate send other records under numbers that
// HQ holds, as a cloned or rolled-back disk would.
func TestAnotherHistoryIsRefused(t *testing.T) {
	h := newHQ(t)
	h.start()
	g := newGate(t, h, "lane-1")
	g.cross(3)
	h.app.take(t.Context(), g.batch(1, 3))
	fork := wire.Record{Gate: "lane-1", Epoch: g.out.Epoch(), Stream: wire.StreamCrossing, Seq: 4, Prev: wire.Hash{1}, Kind: "decision"}
	b, err := fork.Encode()
	if err != nil {
		t.Fatal(err)
	}
	h.app.take(t.Context(), g.message(wire.TypeRecords, wire.UpRecords("lane-1", wire.StreamCrossing), wire.Records{
		Stream: "crossing", Epoch: fork.Epoch, First: 4, N: 1, Records: [][]byte{b},
	}))
	if n, c := len(recordsOf(t, h, "lane-1", false)), gateCounters(h, "lane-1"); n != 3 || c["fork"] != 1 {
		t.Fatalf("%d records, counters %v", n, c)
	}
}

// TestStoreHoldsNoNameInClear looks for what must be sealed in every file of
// the store.
func TestStoreHoldsNoNameInClear(t *testing.T) {
	h := newHQ(t)
	h.start()
	enrol(t, h, "account-of-somebody")
	o := suspension
	o.By = "Colonel Somebody"
	id := decide(t, h, "account-of-somebody", o)
	if _, err := ask[AppliedReport](t, h, "POST", "/notice", noticeRequest{Decision: id, To: "Addressee Somebody"}); err != nil {
		t.Fatal(err)
	}
	g := newGate(t, h, "lane-1")
	if _, err := g.out.Append(t.Context(), journal.Draft{
		Stream: wire.StreamCrossing, Kind: "decision", Personal: []byte(`{"name":"Traveller Somebody"}`), Class: 1,
	}); err != nil {
		t.Fatal(err)
	}
	h.app.take(t.Context(), g.batch(1, 1))
	h.stop()
	files := 0
	walkFiles(t, h.dir, func(path string, b []byte) {
		files++
		if bytes.Contains(bytes.ToLower(b), []byte("somebody")) {
			t.Errorf("%s holds a name in clear", path)
		}
	})
	if files < 5 {
		t.Fatalf("looked into %d files", files)
	}
}
