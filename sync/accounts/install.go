package accounts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"bordergate/sync/wire"
)

// InstallSnapshot makes a second file of the snapshot that was received whole,
// verifies all of it and puts it in place of the one in use. That is one rename:
// after a crash at any moment there is the old file or the new one, and no
// pointer beside them that could name neither. Until then look-ups and changes
// go on in the old file, and overlaid restrictions hold before and after. It
// takes seconds and gives up when ctx ends; what was received stays for another
// try unless it is of no use.
func (r *Replica) InstallSnapshot(ctx context.Context) error {
	in := r.incoming
	if in == nil || !in.complete() {
		return fmt.Errorf("install snapshot: %w: it is not here whole", ErrSnapshot)
	}
	err := guard(func() error { return r.install(ctx, in) })
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("install snapshot: %w", err)
	}
	r.incoming = nil
	if err := errors.Join(err, in.drop()); err != nil {
		return fmt.Errorf("install snapshot: %w", err)
	}
	return nil
}

func (r *Replica) install(ctx context.Context, in *incoming) error {
	b, err := r.build(ctx, in)
	if err != nil {
		return err
	}
	if err := b.db.Close(); err != nil {
		return err
	}
	// What is verified is what a later Open would find.
	db, err := r.bolt(r.opts.Path+nextExt, int64(in.m.Items)*1024)
	if err != nil {
		return err
	}
	counts, err := r.verify(ctx, db, b)
	if err != nil {
		return errors.Join(err, discard(db))
	}
	r.opts.step("verified")
	r.change.Lock()
	defer r.change.Unlock()
	if err := r.ready(); err != nil {
		return errors.Join(err, discard(db))
	}
	if err := r.ahead(in.m); err != nil { // deltas may have overtaken it
		return errors.Join(err, discard(db))
	}
	at := r.placeAfter(in.m)
	err = r.carry(db)
	if err == nil {
		err = db.Update(func(tx *bbolt.Tx) error { return putMeta(tx, at, counts) })
	}
	if err == nil {
		err = db.Sync()
	}
	if err != nil {
		return errors.Join(err, discard(db))
	}
	r.opts.step("carried")
	return r.switchTo(db, at, counts)
}

// placeAfter is where the replica will stand on the snapshot. It is as fresh as
// before where it goes on in the same log, for everything up to the head that
// was reached is in it; else it has to reach a signed head first.
func (r *Replica) placeAfter(m wire.Snapshot) place {
	r.mu.RLock()
	defer r.mu.RUnlock()
	at := place{Epoch: m.Epoch, Cursor: m.Seq, Hash: m.Hash}
	if r.at.Epoch == m.Epoch && r.at.Synced && m.Seq >= r.at.Cursor {
		at.Synced, at.Fresh = true, r.at.Fresh
	}
	if err := reach(&at, r.head); err != nil {
		at.Synced = false // the head comes again, and says so again
	}
	return at
}

// makeNext makes the second file and opens it.
func (r *Replica) makeNext(room int64) (*bbolt.DB, error) {
	path := r.opts.Path + nextExt
	if err := r.initFile(path); err != nil {
		return nil, fmt.Errorf("make second file: %w", err)
	}
	return r.bolt(path, room)
}

// discard closes a second file and removes it.
func discard(db *bbolt.DB) error {
	if db == nil {
		return nil
	}
	path := db.Path()
	return errors.Join(db.Close(), os.Remove(path))
}

// verify reads all of a file back: every value opens under its key, and there
// are as many as were stored.
func (r *Replica) verify(ctx context.Context, db *bbolt.DB, b *builder) (Counts, error) {
	n, counts := 0, b.counts
	each := func(bucket []byte, value func(accountKey, []byte) error) error {
		return db.View(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucket).ForEach(func(k, v []byte) error {
				if n++; n%perPart == 0 && ctx.Err() != nil {
					return ctx.Err()
				}
				if len(k) != len(accountKey{}) {
					return errValue
				}
				return value(accountKey(k), v)
			})
		})
	}
	key := r.crypt.watchKeyKey()
	err := errors.Join(
		each(bucketAccounts, func(k accountKey, v []byte) error {
			a, err := r.crypt.open(k, v)
			if err == nil {
				counts.add(&a, 1)
			}
			return err
		}),
		each(bucketPasses, func(k accountKey, v []byte) error {
			plain, err := r.crypt.openValue(k, v)
			if err != nil {
				return err
			}
			p, err := decodePass(plain)
			if counts.Passes++; p.Revoked {
				counts.RevokedPasses++
			}
			return err
		}),
		each(bucketStanding, func(k accountKey, v []byte) error {
			plain, err := r.crypt.openValue(k, v)
			switch {
			case err != nil:
				return err
			case k == key:
				n-- // beside the others, and read below
				return nil
			}
			_, err = decodeStanding(plain)
			return err
		}),
		db.View(func(tx *bbolt.Tx) error {
			_, err1 := r.readWatchKey(tx)
			_, err2 := r.readTrust(tx, trustNewest)
			return errors.Join(err1, err2)
		}))
	if err == nil && n != b.stored {
		err = fmt.Errorf("%w: %d values were stored and %d are there", ErrSnapshot, b.stored, n)
	}
	if err != nil {
		return Counts{}, fmt.Errorf("verify second file: %w", err)
	}
	return counts, nil
}

// switchTo renames the open second file into place and uses it. The caller
// holds change. What is in memory changes with the name, whatever becomes of the
// folder's sync: the old file has lost it.
func (r *Replica) switchTo(db *bbolt.DB, at place, counts Counts) error {
	var key watchKey
	err := db.View(func(tx *bbolt.Tx) (err error) {
		key, err = r.readWatchKey(tx)
		return err
	})
	if err == nil {
		err = os.Rename(db.Path(), r.opts.Path)
	}
	if err != nil {
		return errors.Join(err, discard(db))
	}
	err = syncDir(filepath.Dir(r.opts.Path))
	r.opts.step("renamed")
	r.life.Lock()
	if r.closed {
		r.life.Unlock()
		return errors.Join(err, db.Close())
	}
	old := r.db
	r.db = db
	r.mu.Lock()
	epoch := r.at.Epoch
	r.at, r.counts, r.saved = at, counts, at.Fresh
	r.damaged, r.diverged = false, false
	r.mu.Unlock()
	if at.Epoch != epoch && at.Epoch != 0 && epoch != 0 { // versions of another log say nothing in this one
		r.overlay.clear()
		r.watch.Store(nil)
	}
	if key.ver != 0 {
		r.takeWatchKey(key)
	}
	r.life.Unlock()
	r.sweepOverlay(at)
	return errors.Join(err, old.Close())
}

// sweepOverlay drops the restrictions that the file covers.
func (r *Replica) sweepOverlay(at place) {
	for _, key := range r.overlay.keys() {
		if a, found, err := r.committed(key); err == nil && found {
			r.overlay.drop(key, a.Ver)
		}
		if p, found, err := r.committedPass(key); err == nil && found {
			r.overlay.drop(key, p.Ver)
		}
		if s, found, err := r.committedStanding(key); err == nil && found {
			r.overlay.drop(key, s.Ver)
		}
	}
	r.mu.RLock()
	caught := at.Synced && r.head.Epoch == at.Epoch && r.head.Seq <= at.Cursor
	r.mu.RUnlock()
	if caught {
		r.overlay.settle()
	}
}

// carryBatch is how many movements are carried in one transaction.
const carryBatch = 4096

// carry brings into a second file what belongs to this gate alone, and keeps
// the trust store from going back. The caller holds change.
func (r *Replica) carry(to *bbolt.DB) error {
	var from []byte
	for done := false; !done; {
		keys, values, err := r.someMoves(from)
		if err != nil {
			return fmt.Errorf("carry movements: %w", err)
		}
		if done = len(keys) < carryBatch; len(keys) == 0 {
			break
		}
		from = append(keys[len(keys)-1], 0)
		err = to.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucketMoves)
			for i, k := range keys {
				if err := b.Put(k[:len(accountKey{})], values[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("carry movements: %w", err)
		}
	}
	if err := r.carryTrust(to); err != nil {
		return fmt.Errorf("carry trust store: %w", err)
	}
	return nil
}

// someMoves copies stored movements from a key on: no read transaction stays
// open while the other file is written.
func (r *Replica) someMoves(from []byte) (keys, values [][]byte, err error) {
	err = r.look(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketMoves).Cursor()
		for k, v := c.Seek(from); k != nil && len(keys) < carryBatch; k, v = c.Next() {
			if len(k) != len(accountKey{}) {
				return errValue
			}
			keys, values = append(keys, append(make([]byte, 0, len(k)+1), k...)), append(values, append([]byte(nil), v...))
		}
		return nil
	})
	return keys, values, err
}

// carryTrust brings the store in use, and the newest one unless the second file
// has a newer one.
func (r *Replica) carryTrust(to *bbolt.DB) error {
	type named struct {
		name  []byte
		store storedTrust
		parts map[wire.Hash][]byte
	}
	var list []named
	err := r.look(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{trustNewest, trustUsed} {
			s, found, err := r.getTrust(tx, name)
			if err != nil {
				return err
			}
			if !found {
				continue
			}
			n := named{name, s, map[wire.Hash][]byte{}}
			for _, h := range s.Trust.Parts() {
				n.parts[h] = r.trustPart(tx, h)
			}
			list = append(list, n)
		}
		return nil
	})
	if err != nil || len(list) == 0 {
		return err
	}
	return to.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketTrust)
		for _, n := range list {
			there, _, err := r.getTrust(tx, n.name)
			if err != nil {
				return err
			}
			if there.Ver >= n.store.Ver {
				continue
			}
			for h, p := range n.parts {
				key := r.crypt.trustKey(h[:])
				if err := b.Put(key[:], r.crypt.sealValue(key, p)); err != nil {
					return err
				}
			}
			if err := r.putTrust(tx, n.name, n.store); err != nil {
				return err
			}
		}
		return r.sweepTrust(tx)
	})
}
