package app

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"testing"

	"bordergate/sync/wire"
)

// TestNewsCutsOffWhoFallsBehind holds that a slow reader never holds ingest up
// and never takes a part for the whole.
func TestNewsCutsOffWhoFallsBehind(t *testing.T) {
	n := newNews()
	slow, quick := n.read(), n.read()
	for i := range newsQueue + 1 {
		n.tell([]wire.Record{{Gate: "lane-1", Seq: uint64(i + 1)}}, true)
		if k := <-quick; k.Seq != uint64(i+1) {
			t.Fatalf("record %d came as %d", i+1, k.Seq)
		}
	}
	got := 0
	for range slow {
		got++
	}
	if got != newsQueue {
		t.Errorf("the slow reader got %d before it was cut off", got)
	}
	n.leave(slow)
	n.leave(quick)
	n.tell([]wire.Record{{}}, true)
	if len(n.readers) != 0 {
		t.Errorf("%d readers after both left", len(n.readers))
	}
}

// TestFollowTellsOfACopyAndOfTheRecord goes from a gate's signed message to the
// reader of the control socket. A copy is told and neither stored nor
// acknowledged; one that another gate signed is not told.
func TestFollowTellsOfACopyAndOfTheRecord(t *testing.T) {
	h := newHQ(t)
	g := newGate(t, h, "lane-1")
	h.start()
	told := make(chan Known, 16)
	client := http.Client{Transport: &http.Transport{Dial: func(string, string) (net.Conn, error) {
		return net.Dial("unix", h.options(nil).Control)
	}}}
	res, err := client.Get("http://hqd/follow?gate=lane-1")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // ends the reader
	go func() {
		for dec := json.NewDecoder(res.Body); ; {
			var k Known
			if dec.Decode(&k) != nil {
				return
			}
			told <- k
		}
	}()
	recs := []wire.Record{{Gate: "lane-1", Epoch: 1, Stream: wire.StreamCrossing, Seq: 900, Kind: "decision", Prev: wire.Hash{1}, Simulated: true}}
	b, err := recs[0].Encode()
	if err != nil {
		t.Fatal(err)
	}
	batch := wire.Records{Stream: "crossing", Epoch: 1, First: 900, N: 1, Records: [][]byte{b}}
	if err := h.app.onLive(GateEntry{Gate: "lane-2"}, wire.StreamCrossing, batch); !errors.Is(err, wire.ErrChain) {
		t.Errorf("another gate's copy: %v", err)
	}
	if err := h.app.onLive(GateEntry{Gate: "lane-1"}, wire.StreamCrossing, batch); err != nil {
		t.Fatal(err)
	}
	if k := <-told; k.Seq != 900 || k.Stored || !k.Simulated || k.Stream != "crossing" {
		t.Errorf("of the copy: %+v", k)
	}
	g.start(h)
	until(t, "the way to headquarters", g.online, true)
	g.cross(1)
	if k := <-told; k.Seq != 1 || !k.Stored {
		t.Errorf("of the record: %+v", k)
	}
	g.out.waitAcked(t, 1)
	onceEach(t, recordsOf(t, h, "lane-1", false), 1)
}
