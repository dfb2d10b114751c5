package wire

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// Limits of a batch of records.
const (
	MaxBatch      = 200      // records
	MaxBatchBytes = 64 << 10 // of encodings; a single larger record goes alone
	maxBatchKeys  = 2 * MaxBatch
)

// ErrChain means that records do not follow one another.
var ErrChain = errors.New("records do not form a chain")

// Check decodes the batch and holds it to gate, stream and its own chain: the
// sequence has no hole and every record names the hash of the one before it.
// What stands before the first record is for the caller to compare with
// out[0].Prev. Hashes[i] is that of out[i].
func (r Records) Check(gate string, s Stream) (out []Record, hashes []Hash, err error) {
	if r.N != len(r.Records) || r.N == 0 || r.N > MaxBatch || len(r.Keys) > maxBatchKeys || r.Stream != s.String() {
		return nil, nil, fmt.Errorf("check records: %w: %d of %.20q", ErrPayload, r.N, r.Stream)
	}
	out, hashes = make([]Record, r.N), make([]Hash, r.N)
	for i, b := range r.Records {
		rec, err := DecodeRecord(b)
		if err != nil {
			return nil, nil, fmt.Errorf("check records: %w", err)
		}
		switch {
		case rec.Gate != gate || rec.Stream != s || rec.Epoch != r.Epoch || rec.Seq != r.First+uint64(i):
			return nil, nil, fmt.Errorf("check records: %w: record %d is not in its place", ErrChain, i)
		case i > 0 && rec.Prev != hashes[i-1]:
			return nil, nil, fmt.Errorf("check records: %w: record %d names another before it", ErrChain, i)
		}
		out[i], hashes[i] = rec, HashOf(b)
	}
	return out, hashes, nil
}

// String is the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText gives hex, so that a hash is legible in JSON.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText accepts 64 hex digits.
func (h *Hash) UnmarshalText(b []byte) error {
	var out Hash
	if len(b) != 2*len(out) {
		return fmt.Errorf("read hash: %d digits", len(b))
	}
	if _, err := hex.Decode(out[:], b); err != nil {
		return fmt.Errorf("read hash: %w", err)
	}
	*h = out
	return nil
}
