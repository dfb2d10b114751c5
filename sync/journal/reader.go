package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"bordergate/sync/wire"
)

// ErrPruned says that a record was deleted after its retention.
var ErrPruned = errors.New("record is no longer kept")

const (
	streamCount = int(wire.StreamImage) + 1
	tailCheck   = 1000 // records of each stream checked at Open
	chunk       = 1000 // records read in one transaction: none may be long
)

// head is where a stream stands.
type head struct {
	first  uint64    // oldest record kept
	next   uint64    // sequence of the next one
	hash   wire.Hash // of next-1
	anchor wire.Hash // of first-1
	acked  uint64    // headquarters holds everything up to here
	bytes  int64     // of the file, about, that its records take
}

type headSet [streamCount]head

// newHeads is where the streams of a new journal stand.
func newHeads() (out headSet) {
	for _, s := range wire.Streams() {
		out[s] = head{first: 1, next: 1}
	}
	return out
}

// Range is what a stream holds: records First to Next-1, those up to Acked
// acknowledged by headquarters.
type Range struct {
	Stream wire.Stream `json:"-"`
	Name   string      `json:"stream"`
	First  uint64      `json:"first"`
	Next   uint64      `json:"next"`
	Acked  uint64      `json:"acked"`
	Before wire.Hash   `json:"-"` // hash of record First-1
}

// RawRecord is a record as it was written; its hash is wire.HashOf(Bytes).
type RawRecord struct {
	Seq   uint64
	Bytes []byte
}

// Reader reads a journal's file. It shows only what is durable.
type Reader struct {
	db      *bbolt.DB
	gate    string
	epoch   uint64
	version uint64
	made    time.Time
	ring    *wire.Keyring // the gate's key; nil: nobody named it

	headMu sync.RWMutex
	heads  headSet
}

// OpenReadOnly opens the file at path for reading, beside no writer: ErrLocked
// while a gate runs on it. With the gate's key, Check also verifies who signed
// its mark and its checkpoints. The caller closes it.
func OpenReadOnly(path string, keys ...wire.PublicKey) (*Reader, error) {
	if err := preflight(path, defaultLock); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	db, err := openFile(path, &bbolt.Options{ReadOnly: true, Timeout: defaultLock})
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	r, err := newReader(db, keys)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open journal: %w", err), db.Close())
	}
	return r, nil
}

// Close closes the file of a Reader made by OpenReadOnly.
func (r *Reader) Close() error { return r.db.Close() }

// Gate is the id of the gate whose journal it is.
func (r *Reader) Gate() string { return r.gate }

// Epoch is the journal's random number, new with every new file.
func (r *Reader) Epoch() uint64 { return r.epoch }

// Created is when the file was made.
func (r *Reader) Created() time.Time { return r.made }

// Ranges is what each stream holds, in the order of wire.Streams.
func (r *Reader) Ranges() []Range { return rangesOf(r.headsCopy()) }

func rangesOf(heads headSet) []Range {
	var out []Range
	for _, s := range wire.Streams() {
		h := heads[s]
		out = append(out, Range{Stream: s, Name: s.String(), First: h.first, Next: h.next, Acked: h.acked, Before: h.anchor})
	}
	return out
}

// Read gives up to n records of a stream from sequence from on, each with its
// checksum verified, fewer when there are no more. A sequence before the first
// kept is ErrPruned.
func (r *Reader) Read(s wire.Stream, from uint64, n int) ([]RawRecord, error) {
	out, err := r.read(s, from, min(n, chunk))
	if err != nil {
		return nil, fmt.Errorf("read %s records: %w", s, err)
	}
	for _, raw := range out {
		if _, err := wire.DecodeRecord(raw.Bytes); err != nil {
			return nil, fmt.Errorf("read %s record %d: %w: %w", s, raw.Seq, ErrDamaged, err)
		}
	}
	return out, nil
}

func (r *Reader) read(s wire.Stream, from uint64, n int) ([]RawRecord, error) {
	h, err := r.head(s)
	if err != nil || n <= 0 || from >= h.next {
		return nil, err
	}
	if from < h.first {
		return nil, fmt.Errorf("%w: %d, the first is %d", ErrPruned, from, h.first)
	}
	end := min(from+uint64(n), h.next)
	out := make([]RawRecord, 0, end-from)
	err = r.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(recordsOf(s)).Cursor()
		want := from
		for k, v := c.Seek(u64(from)); want < end; k, v = c.Next() {
			if len(k) != 8 || binary.BigEndian.Uint64(k) != want {
				return missing(tx, s, want)
			}
			out = append(out, RawRecord{Seq: want, Bytes: append([]byte(nil), v...)})
			want++
		}
		return nil
	})
	return out, err
}

// missing tells a record that retention deleted, perhaps a moment ago, from one
// that is lost.
func missing(tx *bbolt.Tx, s wire.Stream, seq uint64) error {
	v := tx.Bucket(bucketAnchor).Get([]byte(s.String()))
	if len(v) >= 8 && seq <= binary.BigEndian.Uint64(v) {
		return fmt.Errorf("%w: %d", ErrPruned, seq)
	}
	return fmt.Errorf("%w: record %d is missing", ErrDamaged, seq)
}

// Tail gives the last n records of a stream, oldest first.
func (r *Reader) Tail(s wire.Stream, n int) ([]RawRecord, error) {
	h, err := r.head(s)
	if err != nil || n <= 0 {
		return nil, err
	}
	from := h.first
	if kept := h.next - h.first; kept > uint64(n) {
		from = h.next - uint64(n)
	}
	return r.Read(s, from, n)
}

func (r *Reader) head(s wire.Stream) (head, error) {
	if s == 0 || int(s) >= streamCount {
		return head{}, fmt.Errorf("%w: stream %d", ErrDraft, s)
	}
	r.headMu.RLock()
	defer r.headMu.RUnlock()
	return r.heads[s], nil
}

func (r *Reader) headsCopy() headSet {
	r.headMu.RLock()
	defer r.headMu.RUnlock()
	return r.heads
}

func (r *Reader) setHeads(h headSet) {
	r.headMu.Lock()
	defer r.headMu.Unlock()
	r.heads = h
}

// view runs fn in a read transaction; a bad page is an error.
func (r *Reader) view(fn func(*bbolt.Tx) error) error {
	return guard(func() error { return r.db.View(fn) })
}
