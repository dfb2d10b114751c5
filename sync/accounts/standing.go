package accounts

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"bordergate/sync/wire"
)

// standing is what holds beside the accounts and reaches several of them: the
// status of an organisation, or whether a mark is on the watch-list, where
// suspended means that it is.
type standing struct {
	Status wire.Status
	Ver    uint64
}

// standingSize is the length of a standing's stored form.
const standingSize = 9

// The keys of what stands; no account and no pass has one of them.
func (c *crypt) organisationKey(id string) accountKey { return c.sum("organisation\x00" + id) }
func (c *crypt) markKey(mark []byte) accountKey       { return c.sum("watch\x00" + string(mark)) }
func (c *crypt) watchKeyKey() accountKey              { return c.sum("watch key") }

func (s standing) encode() ([]byte, error) {
	i, err := index(statuses, s.Status)
	return binary.BigEndian.AppendUint64([]byte{i}, s.Ver), err
}

func decodeStanding(b []byte) (standing, error) {
	if len(b) != standingSize || b[0] == 0 || int(b[0]) >= len(statuses) {
		return standing{}, errValue
	}
	return standing{statuses[b[0]], binary.BigEndian.Uint64(b[1:])}, nil
}

// standingOf is the standing that a change of an organisation or a mark makes.
func standingOf(c *wire.Change) standing {
	s := standing{c.Status, c.Ver}
	if c.Op == wire.OpWatch {
		s.Status = wire.StatusActive
		if c.On {
			s.Status = wire.StatusSuspended
		}
	}
	return s
}

// fold is what a decision on an organisation, or a mark, makes of what stands;
// false where it is not newer. A cancelled organisation stays cancelled.
func (s standing) fold(in standing) (standing, bool) {
	if s.Ver != 0 && in.Ver <= s.Ver {
		return s, false
	}
	if s.Status == wire.StatusCancelled {
		in.Status = wire.StatusCancelled // for ever
	}
	return in, true
}

func (c *crypt) standingKey(ch *wire.Change) accountKey {
	if ch.OfOrganisation() {
		return c.organisationKey(ch.Organisation)
	}
	return c.markKey(ch.Mark)
}

// stands gives what stands under key, committed or not; active where nothing
// does.
func (r *Replica) stands(key accountKey) (wire.Status, error) {
	over, isOver := r.overlay.get(key) // first, for the same reason as in Show
	s, found, err := r.committedStanding(key)
	switch {
	case err != nil:
		return "", err
	case isOver && over.ver > s.Ver && s.Status != wire.StatusCancelled:
		return over.status, nil
	case !found:
		return wire.StatusActive, nil
	}
	return s.Status, nil
}

func (r *Replica) committedStanding(key accountKey) (s standing, found bool, err error) {
	err = r.look(func(tx *bbolt.Tx) error {
		s, found, err = r.getStanding(tx, key)
		return err
	})
	return s, found, err
}

// CommittedOrganisation is an organisation's own status without the overlay.
func (r *Replica) CommittedOrganisation(id string) (wire.Status, bool) {
	s, found, err := r.committedStanding(r.crypt.organisationKey(id))
	return s.Status, found && err == nil
}

func (r *Replica) getStanding(tx *bbolt.Tx, key accountKey) (standing, bool, error) {
	v := tx.Bucket(bucketStanding).Get(key[:])
	if v == nil {
		return standing{}, false, nil
	}
	plain, err := r.crypt.openValue(key, v)
	if err != nil {
		return standing{}, false, err
	}
	s, err := decodeStanding(plain)
	return s, err == nil, err
}

// inherit gives the account the worse of its own status and that of the
// organisation that answers for it, or that it is the account of.
func (r *Replica) inherit(id string, a *Account) error {
	organisation := a.Organisation
	if a.Kind == wire.KindOrganisation {
		organisation = id
	}
	if organisation == "" {
		return nil
	}
	through, err := r.stands(r.crypt.organisationKey(organisation))
	if err != nil || through == wire.StatusActive {
		return err
	}
	a.Through = through
	if a.Status != wire.StatusCancelled {
		a.Status = through
	}
	return nil
}

// Watched reports whether one of these is on the watch-list. An error means,
// as with Lookup, that nobody may be admitted.
func (r *Replica) Watched(about ...wire.Watched) (bool, error) {
	if err := r.usable(); err != nil {
		return false, fmt.Errorf("look up watch-list: %w", err)
	}
	key := r.watch.Load()
	if key == nil {
		return false, nil // no mark was ever made
	}
	for _, w := range about {
		s, err := r.stands(r.crypt.markKey(w.Mark(key.key[:])))
		if err != nil {
			return false, fmt.Errorf("look up watch-list: %w", err)
		}
		if s != wire.StatusActive {
			return true, nil
		}
	}
	return false, nil
}

// watchKey is the key of the watch-list's marks.
type watchKey struct {
	ver uint64
	key [wire.WatchKeySize]byte
}

// takeWatchKey has a newer key used from now on.
func (r *Replica) takeWatchKey(k watchKey) {
	for {
		old := r.watch.Load()
		if old != nil && old.ver >= k.ver || r.watch.CompareAndSwap(old, &k) {
			return
		}
	}
}

// readWatchKey reads the key; the zero one where there is none.
func (r *Replica) readWatchKey(tx *bbolt.Tx) (k watchKey, err error) {
	key := r.crypt.watchKeyKey()
	v := tx.Bucket(bucketStanding).Get(key[:])
	if v == nil {
		return k, nil
	}
	plain, err := r.crypt.openValue(key, v)
	if err == nil && len(plain) != 8+len(k.key) {
		err = errValue
	}
	if err != nil {
		return k, err
	}
	k.ver = binary.BigEndian.Uint64(plain)
	copy(k.key[:], plain[8:])
	return k, nil
}

// loadWatchKey takes the key of a file into use. The one in memory is as new or
// newer than that of a file made anew in the same log.
func (r *Replica) loadWatchKey(tx *bbolt.Tx) error {
	k, err := r.readWatchKey(tx)
	if err == nil && k.ver != 0 {
		r.takeWatchKey(k)
	}
	return err
}

// putWatchKey stores the key that a change brings, unless a newer one is there.
func (r *Replica) putWatchKey(tx *bbolt.Tx, c *wire.Change) error {
	old, err := r.readWatchKey(tx)
	if err != nil {
		r.markDamaged()
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if c.Ver < old.ver {
		return nil
	}
	key := r.crypt.watchKeyKey()
	plain := append(binary.BigEndian.AppendUint64(nil, c.Ver), c.Key...)
	return tx.Bucket(bucketStanding).Put(key[:], r.crypt.sealValue(key, plain))
}

// applyStanding writes one lawful change of an organisation, a mark or the
// marks' key, if it is newer than what is there.
func (r *Replica) applyStanding(tx *bbolt.Tx, c *wire.Change, counts *Counts, versions map[accountKey]uint64) error {
	if c.Op == wire.OpWatchKey {
		return r.putWatchKey(tx, c)
	}
	key := r.crypt.standingKey(c)
	old, _, err := r.getStanding(tx, key)
	if err != nil {
		r.markDamaged()
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	next, newer := old.fold(standingOf(c))
	if !newer {
		return nil
	}
	plain, err := next.encode()
	if err != nil {
		return err
	}
	counts.stand(c.OfOrganisation(), old, -1)
	counts.stand(c.OfOrganisation(), next, 1)
	versions[key] = c.Ver
	return tx.Bucket(bucketStanding).Put(key[:], r.crypt.sealValue(key, plain))
}

// stand counts what takes a right away, or puts somebody on the list.
func (c *Counts) stand(organisation bool, s standing, n int64) {
	switch {
	case s.Status != wire.StatusSuspended && s.Status != wire.StatusCancelled:
	case organisation:
		c.StoppedOrganisations += n
	default:
		c.Watched += n
	}
}

// overlayStanding has the suspension of an organisation, or a mark, bite at
// once.
func (r *Replica) overlayStanding(c *wire.Change) {
	if c.Op == wire.OpWatchKey {
		if k := (watchKey{ver: c.Ver}); copy(k.key[:], c.Key) == len(k.key) && len(c.Key) == len(k.key) {
			r.takeWatchKey(k)
		}
		return
	}
	key := r.crypt.standingKey(c)
	r.overlay.put(key, overlaid{standingOf(c).Status, c.Ver})
	if s, found, err := r.committedStanding(key); err == nil && found {
		r.overlay.drop(key, s.Ver)
	}
}
