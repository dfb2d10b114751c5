package journal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"bordergate/sync/wire"
)

// What the file holds: bucketMeta says whose it is; one bucket a stream has the
// records by sequence; bucketAcked and bucketAnchor have a value a stream.
var (
	bucketMeta   = []byte("meta")
	bucketFacts  = []byte("facts")
	bucketBlobs  = []byte("blobs")
	bucketAcked  = []byte("acked")
	bucketAnchor = []byte("anchor") // sequence and hash of the record before the first kept

	keyVersion = []byte("version")
	keyGate    = []byte("gate")
	keyEpoch   = []byte("epoch")
	keyCreated = []byte("created")
)

// fileVersion 2 added the signed mark. A file of version 1 is brought to it by
// the first Open, after a check of all of it.
const fileVersion = 2

func recordsOf(s wire.Stream) []byte { return []byte("records-" + s.String()) }

func u64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func readU64(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("%w: a number of %d bytes", ErrDamaged, len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// create makes a new journal file, whole or not at all.
func create(path, gate string, mark func(tx *bbolt.Tx) error) error {
	tmp := path + ".tmp"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove unfinished file: %w", err)
	}
	db, err := bbolt.Open(tmp, 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		if err := initFile(tx, gate); err != nil {
			return err
		}
		return mark(tx)
	})
	if err == nil {
		err = db.Sync()
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func initFile(tx *bbolt.Tx, gate string) error {
	names := [][]byte{bucketMeta, bucketFacts, bucketBlobs, bucketAcked, bucketAnchor, bucketMark}
	for _, s := range wire.Streams() {
		names = append(names, recordsOf(s))
	}
	for _, n := range names {
		if _, err := tx.CreateBucket(n); err != nil {
			return fmt.Errorf("create bucket %s: %w", n, err)
		}
	}
	meta := tx.Bucket(bucketMeta)
	return errors.Join(
		meta.Put(keyVersion, u64(fileVersion)),
		meta.Put(keyGate, []byte(gate)),
		meta.Put(keyEpoch, u64(newEpoch())),
		meta.Put(keyCreated, u64(uint64(time.Now().Unix()))),
	)
}

// newEpoch is random, not zero, and below 2^53, so that JSON readers that know
// only floating point keep it exact.
func newEpoch() uint64 {
	var b [8]byte
	for {
		rand.Read(b[:])
		if v := binary.BigEndian.Uint64(b[:]) >> 11; v != 0 {
			return v
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// openFile opens an existing bbolt file and names what can be wrong with it.
func openFile(path string, o *bbolt.Options) (db *bbolt.DB, err error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() < 4*int64(os.Getpagesize()) {
		// bbolt would take an empty file for a new one.
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrDamaged, path, st.Size())
	}
	err = guard(func() error {
		db, err = bbolt.Open(path, 0o600, o)
		return err
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("%w: %s", ErrLocked, path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

// noHole walks a stream's keys, which scan left in order, and adds up what the
// records take.
func noHole(b *bbolt.Bucket) (bytes int64, err error) {
	var last uint64
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		seq, err := readU64(k)
		if err != nil || last != 0 && seq != last+1 || len(v) == 0 {
			return 0, fmt.Errorf("%w: a hole after record %d", ErrDamaged, last)
		}
		last = seq
		bytes += cost(len(v))
	}
	return bytes, nil
}

// newReader reads what the file says about itself.
func newReader(db *bbolt.DB, keys []wire.PublicKey) (*Reader, error) {
	r := &Reader{db: db}
	if len(keys) > 0 {
		var err error
		if r.ring, err = wire.NewKeyring(keys...); err != nil {
			return nil, err
		}
	}
	return r, r.view(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil {
			return fmt.Errorf("%w: it is no journal", ErrDamaged)
		}
		var err error
		if r.version, err = readU64(meta.Get(keyVersion)); err != nil {
			return err
		}
		if r.version < 1 || r.version > fileVersion {
			return fmt.Errorf("%w: version %d, this program knows 1 to %d", ErrDamaged, r.version, fileVersion)
		}
		r.gate = string(meta.Get(keyGate))
		if r.epoch, err = readU64(meta.Get(keyEpoch)); err != nil {
			return err
		}
		made, err := readU64(meta.Get(keyCreated))
		if err != nil {
			return err
		}
		r.made = time.Unix(int64(made), 0)
		for _, s := range wire.Streams() {
			if r.heads[s], err = loadHead(tx, s); err == nil {
				r.heads[s].bytes, err = noHole(tx.Bucket(recordsOf(s)))
			}
			if err != nil {
				return fmt.Errorf("stream %s: %w", s, err)
			}
		}
		return nil
	})
}

// loadHead reads where a stream stands from its anchor, its first and its last
// record.
func loadHead(tx *bbolt.Tx, s wire.Stream) (h head, err error) {
	b, acked, anchor := tx.Bucket(recordsOf(s)), tx.Bucket(bucketAcked), tx.Bucket(bucketAnchor)
	if b == nil || acked == nil || anchor == nil {
		return h, fmt.Errorf("%w: a bucket is missing", ErrDamaged)
	}
	h.first = 1
	if v := anchor.Get([]byte(s.String())); v != nil {
		if len(v) != 8+len(h.anchor) {
			return h, fmt.Errorf("%w: anchor of %d bytes", ErrDamaged, len(v))
		}
		h.first = binary.BigEndian.Uint64(v) + 1
		copy(h.anchor[:], v[8:])
	}
	h.next, h.hash = h.first, h.anchor
	if k, v := b.Cursor().Last(); k != nil {
		last, err := readU64(k)
		if err != nil {
			return h, err
		}
		if k, _ := b.Cursor().First(); string(k) != string(u64(h.first)) {
			return h, fmt.Errorf("%w: first record is not %d", ErrDamaged, h.first)
		}
		h.next, h.hash = last+1, wire.HashOf(v)
	}
	if v := acked.Get([]byte(s.String())); v != nil {
		if h.acked, err = readU64(v); err != nil {
			return h, err
		}
	}
	if h.acked >= h.next || h.acked < h.first-1 {
		return h, fmt.Errorf("%w: acknowledged up to %d of %d to %d", ErrDamaged, h.acked, h.first, h.next-1)
	}
	return h, nil
}
