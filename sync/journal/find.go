package journal

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"bordergate/sync/wire"
)

// ErrNoTransaction means that no record kept is of the transaction asked for.
var ErrNoTransaction = errors.New("no record of that transaction is kept")

// Transaction gives the records of one transaction, crossings before alarms,
// each oldest first. It is named by the hex digits of its id or the first of
// them; empty names the newest crossing. The search goes from the newest record
// back, and within a stream ends a chunk before the first record found.
func (r *Reader) Transaction(ctx context.Context, id string) ([]RawRecord, error) {
	id = strings.ToLower(id)
	var out []RawRecord
	for _, s := range []wire.Stream{wire.StreamCrossing, wire.StreamAlarm} {
		found, whole, err := r.transactionIn(ctx, s, id)
		if err != nil {
			return nil, fmt.Errorf("find transaction: %w", err)
		}
		if id = whole; id == "" {
			break // there was no crossing at all
		}
		out = append(out, found...)
	}
	if len(out) == 0 {
		return nil, ErrNoTransaction
	}
	return out, nil
}

// transactionIn searches one stream; whole is the id in full once it is known.
func (r *Reader) transactionIn(ctx context.Context, s wire.Stream, id string) (found []RawRecord, whole string, err error) {
	h, err := r.head(s)
	if err != nil {
		return nil, id, err
	}
	for next := h.next; next > h.first && ctx.Err() == nil; {
		from := h.first
		if next-h.first > chunk {
			from = next - chunk
		}
		raws, err := r.Read(s, from, int(next-from))
		if errors.Is(err, ErrPruned) {
			break // retention was quicker
		}
		if err != nil {
			return nil, id, err
		}
		before := len(found)
		var here []RawRecord
		for i := len(raws) - 1; i >= 0; i-- {
			tx, err := txOf(raws[i])
			if err != nil {
				return nil, id, err
			}
			if tx != "" && strings.HasPrefix(tx, id) && (id == tx || len(found)+len(here) == 0) {
				id = tx
				here = append([]RawRecord{raws[i]}, here...)
			}
		}
		found = append(here, found...)
		if before > 0 && len(here) == 0 {
			break
		}
		next = from
	}
	return found, id, ctx.Err()
}

// txOf is a record's transaction in hex, empty for none.
func txOf(raw RawRecord) (string, error) {
	rec, err := wire.DecodeRecord(raw.Bytes)
	if err != nil || rec.Tx == [16]byte{} {
		return "", err
	}
	return hex.EncodeToString(rec.Tx[:]), nil
}
