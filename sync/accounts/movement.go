package accounts

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"sync"

	"go.etcd.io/bbolt"

	"bordergate/sync/wire"
)

// Movement is one use of a pass at this gate. The replica does not read any of
// it; what it means is the caller's.
type Movement struct {
	Direction uint8
	Wall      int64    // Unix ns
	Mono      int64    // CLOCK_MONOTONIC of Boot, ns
	Boot      [16]byte // the machine's boot id
}

// maxMoves bounds the movements that wait to be saved.
const maxMoves = 4096

// moveSize is the length of a movement's stored form.
const moveSize = 33

// errMoves says that too many movements wait to be saved.
var errMoves = errors.New("too many movements wait to be saved")

// moves holds what is not in the file yet; nil means that the pass's last
// movement is forgotten.
type moves struct {
	mu sync.Mutex
	m  map[accountKey]*Movement
}

// moveKey is the key of a pass's last movement.
func (c *crypt) moveKey(number string) accountKey { return c.sum("movement\x00" + number) }

// stampKey is the key of a pass's last stamp at this gate.
func (c *crypt) stampKey(number string) accountKey { return c.sum("stamp here\x00" + number) }

func (m *Movement) encode() []byte {
	b := append(make([]byte, 0, moveSize), m.Direction)
	b = binary.BigEndian.AppendUint64(b, uint64(m.Wall))
	b = binary.BigEndian.AppendUint64(b, uint64(m.Mono))
	return append(b, m.Boot[:]...)
}

// decodeMovement reads what encode made.
func decodeMovement(b []byte) (Movement, error) {
	if len(b) != moveSize {
		return Movement{}, errValue
	}
	m := Movement{Direction: b[0], Wall: int64(binary.BigEndian.Uint64(b[1:])), Mono: int64(binary.BigEndian.Uint64(b[9:]))}
	copy(m.Boot[:], b[17:])
	return m, nil
}

// Move makes m the last movement of the pass with that number at once, in
// memory, and never waits; SaveMoves makes it durable. It belongs to this gate
// alone, so that no synchronisation is needed. A movement that finds no room
// is an error, and is not kept.
func (r *Replica) Move(number string, m Movement) error { return r.move(number, r.crypt.moveKey, &m) }

// Forget drops the last movement of a pass, for when nobody knows whether
// another one happened. As Move, it counts at once and is saved by SaveMoves.
func (r *Replica) Forget(number string) error { return r.move(number, r.crypt.moveKey, nil) }

// Stamp notes that the pass with that number was stamped at this gate, at the
// moment of m. As Move, it counts at once and is saved by SaveMoves.
func (r *Replica) Stamp(number string, m Movement) error {
	return r.move(number, r.crypt.stampKey, &m)
}

// LastStamp gives the last stamp of the pass with that number at this gate;
// false where none is known.
func (r *Replica) LastStamp(number string) (m Movement, found bool, err error) {
	return r.lastMove(number, r.crypt.stampKey)
}

func (r *Replica) move(number string, keyOf func(string) accountKey, m *Movement) error {
	if number == "" || len(number) > wire.MaxPass {
		return fmt.Errorf("note movement: %w: pass number of %d bytes", wire.ErrChange, len(number))
	}
	key := keyOf(number)
	r.moves.mu.Lock()
	defer r.moves.mu.Unlock()
	if _, there := r.moves.m[key]; !there && len(r.moves.m) >= maxMoves {
		return fmt.Errorf("note movement: %w", errMoves)
	}
	r.moves.m[key] = m
	return nil
}

// LastMove gives the last movement of the pass with that number; false where
// none is known.
func (r *Replica) LastMove(number string) (m Movement, found bool, err error) {
	return r.lastMove(number, r.crypt.moveKey)
}

func (r *Replica) lastMove(number string, keyOf func(string) accountKey) (m Movement, found bool, err error) {
	if number == "" || len(number) > wire.MaxPass {
		return Movement{}, false, nil
	}
	key := keyOf(number)
	// Memory is asked first: an entry leaves it only after it was saved.
	r.moves.mu.Lock()
	wait, waits := r.moves.m[key]
	r.moves.mu.Unlock()
	if waits {
		if wait == nil {
			return Movement{}, false, nil
		}
		return *wait, true, nil
	}
	err = r.look(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bucketMoves).Get(key[:])
		if v == nil {
			return nil
		}
		plain, err := r.crypt.openValue(key, v)
		if err != nil {
			return err
		}
		m, err = decodeMovement(plain)
		found = err == nil
		return err
	})
	if err != nil {
		return Movement{}, false, fmt.Errorf("look up movement: %w", err)
	}
	return m, found, nil
}

// SaveMoves makes every movement noted so far durable, in one transaction.
// What could not be saved waits for the next call.
func (r *Replica) SaveMoves() error {
	r.moves.mu.Lock()
	now := maps.Clone(r.moves.m)
	r.moves.mu.Unlock()
	if len(now) == 0 {
		return nil
	}
	r.change.Lock()
	defer r.change.Unlock()
	if err := r.ready(); err != nil {
		return fmt.Errorf("save movements: %w", err)
	}
	err := r.update(func(tx *bbolt.Tx) error { return r.putMoves(tx, now) })
	if err != nil {
		return fmt.Errorf("save movements: %w", err)
	}
	r.moves.mu.Lock()
	defer r.moves.mu.Unlock()
	for k, m := range now {
		if r.moves.m[k] == m { // no newer one came meanwhile
			delete(r.moves.m, k)
		}
	}
	return nil
}

func (r *Replica) putMoves(tx *bbolt.Tx, list map[accountKey]*Movement) error {
	b := tx.Bucket(bucketMoves)
	for k, m := range list {
		if m == nil {
			if err := b.Delete(k[:]); err != nil {
				return err
			}
			continue
		}
		if err := b.Put(k[:], r.crypt.sealValue(k, m.encode())); err != nil {
			return err
		}
	}
	return nil
}
