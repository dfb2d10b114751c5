package accounts

import (
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"bordergate/sync/wire"
)

// Pass is what headquarters has said of a pass by its number. It says nothing
// of a pass that is as it was issued.
type Pass struct {
	Revoked bool
	Stamped time.Time // the newest verification stamp; zero: none is known
	Ver     uint64    // version of the newest change
	// Overlaid says that Revoked comes from a change that is not committed yet.
	Overlaid bool
}

// passSize is the length of a pass's stored form.
const passSize = 17

// passKey is the key of a pass; no account has it.
func (c *crypt) passKey(number string) accountKey { return c.sum("pass\x00" + number) }

func (p *Pass) encode() []byte {
	b := make([]byte, 1, passSize)
	if p.Revoked {
		b[0] = 1
	}
	b = binary.BigEndian.AppendUint64(b, p.Ver)
	var at int64
	if !p.Stamped.IsZero() {
		at = p.Stamped.UnixNano()
	}
	return binary.BigEndian.AppendUint64(b, uint64(at))
}

// decodePass reads what encode made.
func decodePass(b []byte) (Pass, error) {
	if len(b) != passSize || b[0] > 1 {
		return Pass{}, errValue
	}
	p := Pass{Revoked: b[0] == 1, Ver: binary.BigEndian.Uint64(b[1:])}
	if at := int64(binary.BigEndian.Uint64(b[9:])); at != 0 {
		p.Stamped = time.Unix(0, at)
	}
	return p, nil
}

// LookupPass gives what is known of the pass with that number; the zero Pass
// where nothing is. An error means, as with Lookup, that nobody may be
// admitted.
func (r *Replica) LookupPass(number string) (Pass, error) {
	if err := r.usable(); err != nil {
		return Pass{}, fmt.Errorf("look up pass: %w", err)
	}
	if number == "" || len(number) > wire.MaxPass {
		return Pass{}, nil
	}
	key := r.crypt.passKey(number)
	// The overlay first, for the same reason as in Show.
	over, isOver := r.overlay.get(key)
	p, _, err := r.committedPass(key)
	if err != nil {
		return Pass{}, fmt.Errorf("look up pass: %w", err)
	}
	if isOver && over.ver > p.Ver {
		p.Revoked, p.Overlaid, p.Ver = true, true, over.ver
	}
	return p, nil
}

// committedPass reads a pass from the file.
func (r *Replica) committedPass(key accountKey) (p Pass, found bool, err error) {
	err = r.look(func(tx *bbolt.Tx) error {
		p, found, err = r.getPass(tx, key)
		return err
	})
	return p, found, err
}

func (r *Replica) getPass(tx *bbolt.Tx, key accountKey) (Pass, bool, error) {
	v := tx.Bucket(bucketPasses).Get(key[:])
	if v == nil {
		return Pass{}, false, nil
	}
	plain, err := r.crypt.openValue(key, v)
	if err != nil {
		return Pass{}, false, err
	}
	p, err := decodePass(plain)
	return p, err == nil, err
}

// passOf is the pass that a revocation or a stamp names by itself.
func passOf(c *wire.Change) Pass {
	p := Pass{Revoked: c.Op == wire.OpRevoke, Ver: c.Ver}
	if c.Op == wire.OpStamp {
		p.Stamped = time.Unix(0, c.Stamped)
	}
	return p
}

// fold is what a revocation or a stamp makes of the pass; false where it is not
// newer than what is there. A revoked pass stays revoked.
func (p Pass) fold(in Pass) (Pass, bool) {
	if p.Ver != 0 && in.Ver <= p.Ver {
		return p, false
	}
	if in.Stamped.IsZero() {
		in.Stamped = p.Stamped
	}
	in.Revoked = in.Revoked || p.Revoked
	return in, true
}

// applyPass writes one lawful change of a pass, if it is newer than what is
// there.
func (r *Replica) applyPass(tx *bbolt.Tx, c *wire.Change, counts *Counts, versions map[accountKey]uint64) error {
	key := r.crypt.passKey(c.Pass)
	old, found, err := r.getPass(tx, key)
	if err != nil {
		r.markDamaged()
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	next, newer := old.fold(passOf(c))
	if !newer {
		return nil
	}
	if !found {
		counts.Passes++
	}
	if next.Revoked && !old.Revoked {
		counts.RevokedPasses++
	}
	versions[key] = c.Ver
	return tx.Bucket(bucketPasses).Put(key[:], r.crypt.sealValue(key, next.encode()))
}
