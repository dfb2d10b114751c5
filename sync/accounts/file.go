package accounts

import (
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

var (
	bucketMeta     = []byte("meta")
	bucketAccounts = []byte("accounts")
	bucketPasses   = []byte("passes")
	bucketMoves    = []byte("movements")
	bucketTrust    = []byte("trust")
	bucketStanding = []byte("standing")

	keyVersion = []byte("version")
	keyCheck   = []byte("check")
	keyPlace   = []byte("place")
	keyCounts  = []byte("counts")
)

const (
	// Version 2 has passes and movements, version 3 the trust store, version 4
	// organisations and the watch-list. A file of an earlier version is made
	// anew: it has taken places of the log whose changes it could not keep.
	fileVersion  = 4
	minMap       = 1 << 30
	damagedExt   = ".damaged"
	nextExt      = ".next"     // the second file, until the switch
	snapshotExt  = ".snapshot" // the folder of a snapshot on its way
	minFilePages = 4
)

// openFile opens the file, or makes it, and reads what it says about itself.
// The caller holds life.
func (r *Replica) openFile() error {
	st, err := os.Stat(r.opts.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !r.opts.ReadOnly:
		if err := r.create(); err != nil {
			return fmt.Errorf("create file: %w", err)
		}
		if st, err = os.Stat(r.opts.Path); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	if !st.Mode().IsRegular() || st.Size() < minFilePages*int64(os.Getpagesize()) {
		return fmt.Errorf("%w: %d bytes", ErrDamaged, st.Size())
	}
	db, err := r.bolt(r.opts.Path, 2*st.Size())
	if err != nil {
		return err
	}
	r.db = db
	if err := guard(func() error { return db.View(r.load) }); err != nil {
		if !errors.Is(err, ErrKey) {
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return errors.Join(err, db.Close())
	}
	return nil
}

// bolt opens a file, with room in memory for room bytes without a remap, which
// would hold up every look-up.
func (r *Replica) bolt(path string, room int64) (db *bbolt.DB, err error) {
	err = guard(func() error {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout: r.opts.LockTimeout, FreelistType: bbolt.FreelistMapType, ReadOnly: r.opts.ReadOnly,
			InitialMmapSize: int(max(minMap, room)),
		})
		return err
	})
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, berrors.ErrTimeout):
		return nil, ErrLocked
	case errors.Is(err, fs.ErrPermission):
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
}

// load reads the meta bucket into the replica.
func (r *Replica) load(tx *bbolt.Tx) error {
	b := tx.Bucket(bucketMeta)
	if b == nil {
		return errors.New("it is no accounts file")
	}
	if v := b.Get(keyVersion); len(v) != 1 || v[0] != fileVersion {
		return errors.New("unknown version")
	}
	for _, name := range buckets() {
		if tx.Bucket(name) == nil {
			return errors.New("it is no accounts file")
		}
	}
	check, err := checkCRC(b.Get(keyCheck))
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(check, r.crypt.check[:]) != 1 {
		return ErrKey
	}
	if err := r.loadWatchKey(tx); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.counts = place{}, Counts{}
	for key, to := range map[string]any{string(keyPlace): &r.at, string(keyCounts): &r.counts} {
		text, err := checkCRC(b.Get([]byte(key)))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, to); err != nil {
			return fmt.Errorf("read %s: %w", key, err)
		}
	}
	r.saved = r.at.Fresh
	return nil
}

// create makes an empty file, whole or not at all.
func (r *Replica) create() error {
	tmp := r.opts.Path + ".tmp"
	if err := r.initFile(tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, r.opts.Path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(r.opts.Path))
}

// buckets are those of a file beside its meta bucket.
func buckets() [][]byte {
	return [][]byte{bucketAccounts, bucketPasses, bucketMoves, bucketTrust, bucketStanding}
}

// initFile makes an empty, synced file in place of whatever is at path.
func (r *Replica) initFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucket(bucketMeta)
		if err != nil {
			return err
		}
		for _, name := range buckets() {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return errors.Join(
			meta.Put(keyVersion, []byte{fileVersion}),
			meta.Put(keyCheck, withCRC(r.crypt.check[:])),
			putMeta(tx, place{}, Counts{}))
	})
	if err == nil {
		err = db.Sync()
	}
	return errors.Join(err, db.Close())
}

// quarantine moves the file aside, in place of an earlier one. The caller
// holds life.
func (r *Replica) quarantine() error {
	to := r.opts.Path + damagedExt
	if err := os.Rename(r.opts.Path, to); err != nil {
		return fmt.Errorf("move damaged file aside: %w", err)
	}
	r.mu.Lock()
	r.quarantined = to
	r.mu.Unlock()
	return syncDir(filepath.Dir(r.opts.Path))
}

// replace moves the file aside and begins an empty one. What is in the overlay
// stays: it only refuses.
func (r *Replica) replace() error {
	r.life.Lock()
	defer r.life.Unlock()
	if r.closed {
		return ErrClosed
	}
	// Whatever happens now, nobody is admitted on what was there.
	r.markDamaged()
	if err := r.db.Close(); err != nil {
		return fmt.Errorf("close file: %w", err)
	}
	err := r.quarantine()
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = r.openFile()
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.damaged, r.diverged = false, false
	return nil
}

// update runs one write transaction.
func (r *Replica) update(fn func(*bbolt.Tx) error) error {
	r.life.RLock()
	defer r.life.RUnlock()
	if r.closed {
		return ErrClosed
	}
	return guard(func() error { return r.db.Update(fn) })
}

// guard turns a panic, such as bbolt's on a bad page, into an error.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return fn()
}

func withCRC(b []byte) []byte {
	return binary.BigEndian.AppendUint32(append([]byte{}, b...), crc32.Checksum(b, castagnoli))
}

func checkCRC(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, errors.New("a stored value is missing")
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return nil, errors.New("a stored value's checksum does not fit")
	}
	return body, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
