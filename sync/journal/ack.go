package journal

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"bordergate/sync/wire"
)

// Errors of acknowledgements.
var (
	// ErrEpoch says that an acknowledgement is for another journal than this.
	ErrEpoch = errors.New("acknowledgement is for another epoch")
	// ErrAckAhead says that headquarters holds records that this journal does
	// not have: it was rolled back, or headquarters is wrong. The gate must stop.
	ErrAckAhead = errors.New("acknowledgement is ahead of the journal")
	// ErrChainMismatch says that headquarters and this journal hold different
	// records under the same number. The gate must stop; nothing is deleted.
	ErrChainMismatch = errors.New("acknowledgement's hash is not the journal's")
	// ErrNotAcked says that records would be deleted that headquarters has not
	// acknowledged.
	ErrNotAcked = errors.New("records are not acknowledged")
)

// maxDelete bounds the records deleted in one transaction.
const maxDelete = 5000

// Acknowledge moves a stream's cursor to what headquarters holds, after its
// signature was verified by the caller. The records stay until Prune. An
// acknowledgement of less than an earlier one is accepted and changes nothing.
func (j *Journal) Acknowledge(a wire.Ack) error {
	s, err := wire.ParseStream(a.Stream)
	if err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	if a.Epoch != j.epoch {
		return fmt.Errorf("acknowledge %s: %w", s, ErrEpoch)
	}
	h, err := j.head(s)
	if err != nil {
		return fmt.Errorf("acknowledge %s: %w", s, err)
	}
	if a.Cum >= h.next {
		return fmt.Errorf("acknowledge %s: %w: %d, the last record is %d", s, ErrAckAhead, a.Cum, h.next-1)
	}
	if a.Cum+1 >= h.first {
		hash, err := j.hashAt(s, h, a.Cum)
		if errors.Is(err, ErrPruned) { // this moment; it was acknowledged long ago
			return nil
		}
		if err != nil {
			return fmt.Errorf("acknowledge %s: %w", s, err)
		}
		if hash != a.Hash {
			return fmt.Errorf("acknowledge %s: %w: record %d", s, ErrChainMismatch, a.Cum)
		}
	}
	if a.Cum <= h.acked {
		return nil
	}
	err = j.do(context.Background(), func() error { return j.moveAck(s, a.Cum) })
	if err != nil {
		return fmt.Errorf("acknowledge %s: %w", s, err)
	}
	return nil
}

// hashAt is the hash of record seq, which may be the one before the first
// kept; sequence 0 has the zero hash.
func (j *Journal) hashAt(s wire.Stream, h head, seq uint64) (wire.Hash, error) {
	switch seq {
	case h.first - 1:
		return h.anchor, nil
	case h.next - 1:
		return h.hash, nil
	}
	raw, err := j.read(s, seq, 1)
	if err != nil {
		return wire.Hash{}, err
	}
	return wire.HashOf(raw[0].Bytes), nil
}

func (j *Journal) moveAck(s wire.Stream, cum uint64) error {
	heads := j.headsCopy()
	if cum <= heads[s].acked {
		return nil
	}
	heads[s].acked = cum
	err := j.save(heads, false, func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketAcked).Put([]byte(s.String()), u64(cum))
	})
	if err != nil {
		return err
	}
	j.setHeads(heads)
	return nil
}

// Prune deletes the records of a stream up to and including upTo, which must
// be acknowledged: ErrNotAcked otherwise. The chain goes on from the last one
// deleted, whose hash is kept.
func (j *Journal) Prune(ctx context.Context, s wire.Stream, upTo uint64) error {
	for {
		h, err := j.head(s)
		if err != nil {
			return fmt.Errorf("prune: %w", err)
		}
		if upTo > h.acked {
			return fmt.Errorf("prune %s to %d: %w beyond %d", s, upTo, ErrNotAcked, h.acked)
		}
		if upTo < h.first {
			return nil
		}
		to := min(upTo, h.first+maxDelete-1)
		if err := j.do(ctx, func() error { return j.prune(s, to) }); err != nil {
			return fmt.Errorf("prune %s: %w", s, err)
		}
	}
}

func (j *Journal) prune(s wire.Stream, to uint64) error {
	heads := j.headsCopy()
	h := &heads[s]
	if to < h.first {
		return nil
	}
	hash, err := j.hashAt(s, *h, to)
	if err != nil {
		return err
	}
	first, freed := h.first, int64(0)
	h.first, h.anchor = to+1, hash
	err = j.save(heads, false, func(tx *bbolt.Tx) error {
		b := tx.Bucket(recordsOf(s))
		for seq := first; seq <= to; seq++ {
			freed += cost(len(b.Get(u64(seq))))
			if err := b.Delete(u64(seq)); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketAnchor).Put([]byte(s.String()), append(u64(to), hash[:]...))
	})
	if err != nil {
		return err
	}
	h.bytes -= freed
	j.setHeads(heads)
	return nil
}
