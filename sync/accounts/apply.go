package accounts

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"bordergate/sync/wire"
)

// saveEvery is how far the stored freshness may lag behind.
const saveEvery = time.Minute

// Counts are the accounts by what is known of them.
type Counts struct {
	Accounts      int64 `json:"accounts"`
	Active        int64 `json:"active"`
	Suspended     int64 `json:"suspended"`
	Cancelled     int64 `json:"cancelled"`
	Level1        int64 `json:"level1"`
	Level2        int64 `json:"level2"`
	Citizens      int64 `json:"citizens"`
	Foreigners    int64 `json:"foreigners"`
	Organisations int64 `json:"organisations"`
	References    int64 `json:"references"` // with a face reference
	Passes        int64 `json:"passes"`     // of which anything is known
	RevokedPasses int64 `json:"revoked_passes"`
	// StoppedOrganisations are those that are suspended or cancelled with all
	// that they answer for; Watched the entries of the watch-list.
	StoppedOrganisations int64 `json:"stopped_organisations"`
	Watched              int64 `json:"watched"`
}

func (c *Counts) add(a *Account, n int64) {
	c.Accounts += n
	switch a.Status {
	case wire.StatusActive:
		c.Active += n
	case wire.StatusSuspended:
		c.Suspended += n
	case wire.StatusCancelled:
		c.Cancelled += n
	}
	switch a.Level {
	case 1:
		c.Level1 += n
	case 2:
		c.Level2 += n
	}
	switch a.Kind {
	case wire.KindCitizen:
		c.Citizens += n
	case wire.KindForeigner:
		c.Foreigners += n
	case wire.KindOrganisation:
		c.Organisations += n
	}
	if len(a.Reference) > 0 {
		c.References += n
	}
}

// Apply commits the changes first, first+1, … of log epoch, and that they are,
// in one transaction. Prev is the chain's hash before the first of them and
// hash that after the last. Restrictions among them bite before the commit.
//
// A change that fails its Check, such as one with an empty Op, takes its place
// and changes nothing, nor does one that is not newer than the known version.
// Changes that are all committed already are fine; ErrGap when some before them
// are missing or only part is new, ErrEpoch and ErrChain as they say.
func (r *Replica) Apply(epoch, first uint64, prev, hash wire.Hash, changes []wire.Change) error {
	r.change.Lock()
	defer r.change.Unlock()
	if err := r.ready(); err != nil {
		return fmt.Errorf("apply changes: %w", err)
	}
	r.mu.RLock()
	at, head := r.at, r.head
	r.mu.RUnlock()
	last := first + uint64(len(changes)) - 1
	switch {
	case len(changes) == 0 || first == 0 || last < first:
		return fmt.Errorf("apply changes: %w: %d from %d", wire.ErrChange, len(changes), first)
	case epoch == 0 || at.Epoch != 0 && epoch != at.Epoch:
		return fmt.Errorf("apply changes: %w", ErrEpoch)
	case last <= at.Cursor:
		return nil
	case first != at.Cursor+1:
		return fmt.Errorf("apply changes: %w: from %d, the cursor is %d", ErrGap, first, at.Cursor)
	case prev != at.Hash:
		r.diverge()
		return fmt.Errorf("apply changes from %d: %w", first, ErrChain)
	}
	at.Epoch, at.Cursor, at.Hash = epoch, last, hash
	if err := reach(&at, head); err != nil {
		r.diverge()
		return fmt.Errorf("apply changes from %d: %w", first, err)
	}
	for _, c := range changes {
		if c.Check() == nil {
			r.Overlay(c)
		}
	}
	if err := r.commit(at, changes); err != nil {
		return fmt.Errorf("apply changes from %d: %w", first, err)
	}
	return nil
}

// reach notes that the place has come to a head, if it has. A head at the same
// place with another hash is ErrChain.
func reach(at *place, h wire.Head) error {
	switch {
	case h.Epoch == 0 || h.Epoch != at.Epoch || h.Seq > at.Cursor:
		return nil
	case h.Seq == at.Cursor && h.Hash != at.Hash:
		return ErrChain
	}
	at.Synced, at.Fresh = true, max(at.Fresh, h.Issued)
	return nil
}

// commit writes the changes and the place they lead to.
func (r *Replica) commit(at place, changes []wire.Change) error {
	r.mu.RLock()
	counts, synced := r.counts, r.at.Synced
	r.mu.RUnlock()
	versions := make(map[accountKey]uint64, len(changes))
	err := r.update(func(tx *bbolt.Tx) error {
		for i := range changes {
			if err := r.applyOne(tx, &changes[i], &counts, versions); err != nil {
				return err
			}
		}
		return putMeta(tx, at, counts)
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.at, r.counts, r.saved = at, counts, at.Fresh
	caught := at.Synced && r.head.Seq <= at.Cursor
	r.mu.Unlock()
	for k, ver := range versions {
		r.overlay.drop(k, ver)
	}
	if caught || at.Synced && !synced {
		r.overlay.settle()
	}
	return nil
}

// applyOne writes one change, if it is lawful and newer than what is there.
func (r *Replica) applyOne(tx *bbolt.Tx, c *wire.Change, counts *Counts, versions map[accountKey]uint64) error {
	if c.Check() != nil {
		return nil
	}
	switch {
	case c.OfPass():
		return r.applyPass(tx, c, counts, versions)
	case c.OfTrust():
		return r.applyTrust(tx, c)
	case c.OfOrganisation(), c.OfWatch():
		return r.applyStanding(tx, c, counts, versions)
	}
	key := r.crypt.id(c.Account)
	old, found, err := r.get(tx, key)
	if err != nil {
		r.markDamaged()
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	next, newer := old.fold(c.Op == wire.OpPut, accountOf(c))
	if !newer {
		return nil
	}
	value, err := r.crypt.seal(key, &next)
	if err != nil {
		return err
	}
	if found {
		counts.add(&old, -1)
	}
	counts.add(&next, 1)
	versions[key] = c.Ver
	return tx.Bucket(bucketAccounts).Put(key[:], value)
}

// Head makes a newer signed head known, after its signature was verified by
// the caller. The first head a new replica sees decides the epoch. An older
// head than the newest changes nothing.
func (r *Replica) Head(h wire.Head) error {
	r.change.Lock()
	defer r.change.Unlock()
	if err := r.ready(); err != nil {
		return fmt.Errorf("take head: %w", err)
	}
	r.mu.RLock()
	at, newest := r.at, r.head
	r.mu.RUnlock()
	switch {
	case h.Epoch == 0 || at.Epoch != 0 && h.Epoch != at.Epoch:
		return fmt.Errorf("take head: %w", ErrEpoch)
	case h.Epoch == newest.Epoch && h.Issued <= newest.Issued:
		return nil
	case h.Epoch == newest.Epoch && h.Seq < newest.Seq:
		return fmt.Errorf("take head: %w: from %d to %d", ErrHead, newest.Seq, h.Seq)
	}
	synced := at.Synced
	at.Epoch = h.Epoch
	if err := reach(&at, h); err != nil {
		r.diverge()
		return fmt.Errorf("take head: %w", err)
	}
	r.mu.Lock()
	r.head, r.at = h, at
	r.mu.Unlock()
	if h.Seq <= at.Cursor {
		r.overlay.settle()
	}
	lag := saveEvery
	if at.Synced != synced {
		lag = 0
	}
	if err := r.saveFresh(lag); err != nil {
		return fmt.Errorf("take head: %w", err)
	}
	return nil
}

// saveFresh stores the place if its freshness is more than lag ahead of what
// is stored.
func (r *Replica) saveFresh(lag time.Duration) error {
	r.mu.RLock()
	at, counts, saved := r.at, r.counts, r.saved
	r.mu.RUnlock()
	if at.Fresh == saved || at.Fresh-saved < int64(lag) {
		return nil
	}
	if err := r.update(func(tx *bbolt.Tx) error { return putMeta(tx, at, counts) }); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.saved = at.Fresh
	return nil
}

// diverge stops the replica from being used until it is synchronised anew.
func (r *Replica) diverge() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at.Synced, r.diverged = false, true
}

// Diverged reports whether the replica and headquarters' log disagree on the
// past, which only Reset or a snapshot cures.
func (r *Replica) Diverged() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.diverged
}

// ready replaces a damaged file before anything is written to it.
func (r *Replica) ready() error {
	r.mu.RLock()
	damaged := r.damaged
	r.mu.RUnlock()
	switch {
	case r.opts.ReadOnly:
		return ErrReadOnly
	case r.isClosed():
		return ErrClosed
	case damaged:
		return r.replace()
	}
	return nil
}

// Reset moves the file aside and begins an empty one, to be filled anew by
// headquarters: the cure for ErrChain. What is not headquarters' word of the
// moment stays: the gate's own movements, and the trust store, which never goes
// back.
func (r *Replica) Reset() error {
	r.change.Lock()
	defer r.change.Unlock()
	if err := r.ready(); err != nil {
		return fmt.Errorf("reset accounts: %w", err)
	}
	if err := r.startOver(); err != nil {
		return fmt.Errorf("reset accounts: %w", err)
	}
	return nil
}

// startOver puts an empty file in place of the one in use, which moves aside.
// A crash between the two renames leaves no file, which is an empty one too.
func (r *Replica) startOver() error {
	db, err := r.makeNext(0)
	if err == nil {
		err = r.carry(db)
	}
	if err == nil {
		err = db.Sync()
	}
	if err != nil {
		return errors.Join(err, discard(db))
	}
	r.diverge() // whatever happens now, nobody is admitted on what was there
	if err := r.quarantine(); err != nil {
		return errors.Join(err, discard(db))
	}
	return r.switchTo(db, place{}, Counts{})
}

func putMeta(tx *bbolt.Tx, at place, counts Counts) error {
	b := tx.Bucket(bucketMeta)
	p, err1 := json.Marshal(at)
	n, err2 := json.Marshal(counts)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	return errors.Join(b.Put(keyPlace, withCRC(p)), b.Put(keyCounts, withCRC(n)))
}
