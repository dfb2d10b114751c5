package journal

import (
	"errors"
	"testing"

	"bordergate/sync/wire"
)

// ackFor is headquarters' acknowledgement of crossings up to cum.
func ackFor(t *testing.T, j *Journal, cum uint64) wire.Ack {
	t.Helper()
	a := wire.Ack{Stream: "crossing", Epoch: j.Epoch(), Cum: cum}
	if cum == 0 {
		return a
	}
	raws, err := j.Read(wire.StreamCrossing, cum, 1)
	if err != nil || len(raws) != 1 {
		t.Fatalf("read %d: %v", cum, err)
	}
	a.Hash = wire.HashOf(raws[0].Bytes)
	return a
}

func TestAcknowledgeRefuses(t *testing.T) {
	j := openJournal(t, testOptions(t))
	appendN(t, j, 10)
	cases := map[string]struct {
		change func(*wire.Ack)
		want   error
	}{
		"other epoch":  {func(a *wire.Ack) { a.Epoch++ }, ErrEpoch},
		"ahead":        {func(a *wire.Ack) { a.Cum = 11 }, ErrAckAhead},
		"far ahead":    {func(a *wire.Ack) { a.Cum = 1<<64 - 1 }, ErrAckAhead},
		"other hash":   {func(a *wire.Ack) { a.Hash[0] ^= 1 }, ErrChainMismatch},
		"hash at 0":    {func(a *wire.Ack) { a.Cum = 0 }, ErrChainMismatch},
		"other stream": {func(a *wire.Ack) { a.Stream = "alarm" }, ErrAckAhead},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := ackFor(t, j, 6)
			c.change(&a)
			if err := j.Acknowledge(a); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if r := j.Ranges()[0]; r.Acked != 0 || r.First != 1 || r.Next != 11 {
				t.Errorf("the stream changed: %+v", r)
			}
		})
	}
	if err := j.Acknowledge(wire.Ack{Stream: "nonsense", Epoch: j.Epoch()}); err == nil {
		t.Error("an unknown stream was accepted")
	}
}

func TestAcknowledgeMovesForwardOnly(t *testing.T) {
	o := testOptions(t)
	j := openJournal(t, o)
	appendN(t, j, 10)
	for _, cum := range []uint64{0, 6, 3, 6, 10, 0} { // headquarters may fall back to a backup
		if err := j.Acknowledge(ackFor(t, j, cum)); err != nil {
			t.Fatalf("acknowledge %d: %v", cum, err)
		}
	}
	old := ackFor(t, j, 3)
	old.Hash[5] ^= 1
	if err := j.Acknowledge(old); !errors.Is(err, ErrChainMismatch) {
		t.Errorf("an old number with another hash gives %v", err)
	}
	j = reopen(t, j, o)
	if r := j.Ranges()[0]; r.First != 1 || r.Acked != 10 || r.Next != 11 {
		t.Errorf("after opening anew: %+v", r)
	}
}

func TestPrune(t *testing.T) {
	o := testOptions(t)
	j := openJournal(t, o)
	appendN(t, j, 10)
	prune := func(upTo uint64) error { return j.Prune(t.Context(), wire.StreamCrossing, upTo) }
	if err := prune(1); !errors.Is(err, ErrNotAcked) {
		t.Errorf("before any acknowledgement: %v", err)
	}
	three, six := ackFor(t, j, 3), ackFor(t, j, 6)
	if err := j.Acknowledge(six); err != nil {
		t.Fatal(err)
	}
	if err := prune(7); !errors.Is(err, ErrNotAcked) {
		t.Errorf("beyond the acknowledgement: %v", err)
	}
	for _, upTo := range []uint64{4, 2, 6} {
		if err := prune(upTo); err != nil {
			t.Fatal(err)
		}
	}
	j = reopen(t, j, o)
	if r := j.Ranges()[0]; r.First != 7 || r.Next != 11 || r.Acked != 6 {
		t.Errorf("after opening anew: %+v", r)
	}
	if _, err := j.Read(wire.StreamCrossing, 6, 1); !errors.Is(err, ErrPruned) {
		t.Errorf("reading a deleted record: %v", err)
	}
	if raws, err := j.Tail(wire.StreamCrossing, 100); err != nil || len(raws) != 4 || raws[0].Seq != 7 {
		t.Errorf("tail: %d, %v", len(raws), err)
	}
	// Headquarters repeats itself after the records are gone.
	for _, a := range []wire.Ack{three, six} {
		if err := j.Acknowledge(a); err != nil {
			t.Errorf("acknowledge %d again: %v", a.Cum, err)
		}
	}
	six.Hash[0] ^= 1
	if err := j.Acknowledge(six); !errors.Is(err, ErrChainMismatch) {
		t.Errorf("the anchor is not compared: %v", err)
	}
}

func TestPruneToTheEndKeepsTheChain(t *testing.T) {
	o := testOptions(t)
	j := openJournal(t, o)
	last := appendN(t, j, 3)[2]
	if err := j.Acknowledge(ackFor(t, j, 3)); err != nil {
		t.Fatal(err)
	}
	if err := j.Prune(t.Context(), wire.StreamCrossing, 3); err != nil {
		t.Fatal(err)
	}
	j = reopen(t, j, o)
	pos := appendN(t, j, 1)[0]
	raws, err := j.Read(wire.StreamCrossing, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	if rec, _ := wire.DecodeRecord(raws[0].Bytes); pos.Seq != 4 || rec.Prev != last.Hash {
		t.Errorf("record %d does not follow the last one deleted", pos.Seq)
	}
}
