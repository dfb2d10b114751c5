package journal

import (
	"errors"
	"testing"

	"bordergate/sync/wire"
)

// TestTransactionIsFoundWhole lies the two records of one far enough apart that
// they are not in one chunk.
func TestTransactionIsFoundWhole(t *testing.T) {
	j := openJournal(t, testOptions(t))
	put := func(s wire.Stream, tx [16]byte, kind string) {
		t.Helper()
		if _, err := j.Append(t.Context(), Draft{Stream: s, Kind: kind, Tx: tx}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.Transaction(t.Context(), ""); !errors.Is(err, ErrNoTransaction) {
		t.Errorf("an empty journal: %v", err)
	}
	one, two := [16]byte{0xab, 1}, [16]byte{0xab, 2}
	put(wire.StreamCrossing, one, "decision")
	put(wire.StreamAlarm, one, "alarm")
	put(wire.StreamCrossing, one, "outcome")
	put(wire.StreamCrossing, two, "decision")
	for range chunk + 1 {
		if err := j.AppendAsync(Draft{Stream: wire.StreamAlarm, Kind: "note"}, func(Position, error) {}); err != nil {
			t.Fatal(err)
		}
	}
	put(wire.StreamCrossing, two, "outcome")
	for id, want := range map[string]int{"ab01": 3, "AB02": 2, "": 2, "ab": 2, "ab010000000000000000000000000000": 3, "ff": 0} {
		raws, err := j.Transaction(t.Context(), id)
		if len(raws) != want || (want == 0) != errors.Is(err, ErrNoTransaction) {
			t.Errorf("%q: %d records, want %d: %v", id, len(raws), want, err)
		}
	}
}
