package accounts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"bordergate/sync/wire"
)

// TrustStore is headquarters' trust store: whose seals on passes to believe.
// Nobody here has looked into its certificates.
type TrustStore struct {
	Ver     uint64    `json:"ver"` // 0: none
	Issued  time.Time `json:"issued"`
	Lists   string    `json:"lists"` // one of wire.ListRules
	ListAge int64     `json:"list_age_s,omitempty"`
	P224    bool      `json:"allow_p224,omitempty"`
	// Certificates and Revocations are in DER, the latter revocation lists.
	Certificates [][]byte `json:"certificates"`
	Revocations  [][]byte `json:"revocations"`
}

// storedTrust is a store as kept: its parts stand beside it.
type storedTrust struct {
	Ver   uint64     `json:"ver"`
	Trust wire.Trust `json:"trust"`
}

// The newest store that headquarters sent whole, and the one that the gate has
// last found good, which may be the same or an older one.
var (
	trustNewest = []byte("newest")
	trustUsed   = []byte("used")
)

// maxTrustKept bounds the parts of both stores and of one on its way.
const maxTrustKept = 3 * wire.MaxTrustParts

// trustKey is the key under which what belongs to the trust store is sealed.
func (c *crypt) trustKey(name []byte) accountKey { return c.sum("trust\x00" + string(name)) }

// Trust gives the newest store, and the one that UseTrust last named. Both are
// zero where headquarters has sent none. It answers also while the replica is
// not synchronised: a store is good or not by itself, and Lookup refuses.
func (r *Replica) Trust() (newest, used TrustStore, err error) {
	err = r.look(func(tx *bbolt.Tx) error {
		var err1, err2 error
		newest, err1 = r.readTrust(tx, trustNewest)
		used, err2 = r.readTrust(tx, trustUsed)
		return errors.Join(err1, err2)
	})
	if err != nil {
		return TrustStore{}, TrustStore{}, fmt.Errorf("read trust store: %w", err)
	}
	return newest, used, nil
}

// TrustRefused is the version of the last store since Open that was not whole
// and so changed nothing; 0: none.
func (r *Replica) TrustRefused() uint64 { return r.trustRefused.Load() }

// UseTrust notes that the gate works with the newest store, if that is still
// this version: from now on it is the one to fall back on.
func (r *Replica) UseTrust(ver uint64) error {
	r.change.Lock()
	defer r.change.Unlock()
	if err := r.ready(); err != nil {
		return fmt.Errorf("keep trust store: %w", err)
	}
	err := r.update(func(tx *bbolt.Tx) error {
		newest, found, err := r.getTrust(tx, trustNewest)
		if err != nil || !found || newest.Ver != ver {
			return err
		}
		if err := r.putTrust(tx, trustUsed, newest); err != nil {
			return err
		}
		return r.sweepTrust(tx)
	})
	if err != nil {
		return fmt.Errorf("keep trust store: %w", err)
	}
	return nil
}

func (r *Replica) readTrust(tx *bbolt.Tx, name []byte) (TrustStore, error) {
	s, found, err := r.getTrust(tx, name)
	if err != nil || !found {
		return TrustStore{}, err
	}
	t := s.Trust
	out := TrustStore{Ver: s.Ver, Issued: time.Unix(0, t.Issued).UTC(), Lists: t.Lists, ListAge: t.ListAge, P224: t.AllowP224}
	out.Certificates, out.Revocations, err = t.Join(func(h wire.Hash) []byte { return r.trustPart(tx, h) })
	return out, err
}

func (r *Replica) getTrust(tx *bbolt.Tx, name []byte) (s storedTrust, found bool, err error) {
	key := r.crypt.trustKey(name)
	v := tx.Bucket(bucketTrust).Get(key[:])
	if v == nil {
		return s, false, nil
	}
	plain, err := r.crypt.openValue(key, v)
	if err == nil {
		err = json.Unmarshal(plain, &s)
	}
	return s, err == nil, err
}

func (r *Replica) putTrust(tx *bbolt.Tx, name []byte, s storedTrust) error {
	plain, err := json.Marshal(s)
	if err != nil {
		return err
	}
	key := r.crypt.trustKey(name)
	return tx.Bucket(bucketTrust).Put(key[:], r.crypt.sealValue(key, plain))
}

// trustPart reads a part, nothing where it is not there or damaged.
func (r *Replica) trustPart(tx *bbolt.Tx, h wire.Hash) []byte {
	key := r.crypt.trustKey(h[:])
	v := tx.Bucket(bucketTrust).Get(key[:])
	if v == nil {
		return nil
	}
	plain, err := r.crypt.openValue(key, v)
	if err != nil {
		r.markDamaged()
		return nil
	}
	return plain
}

// applyTrust writes one lawful change of the trust store. One that is not newer
// than the store here changes nothing, nor does a store whose parts are not all
// here: the gate goes on with the one it has.
func (r *Replica) applyTrust(tx *bbolt.Tx, c *wire.Change) error {
	newest, _, err := r.getTrust(tx, trustNewest)
	if err != nil {
		r.markDamaged()
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if c.Ver <= newest.Ver {
		return nil
	}
	b := tx.Bucket(bucketTrust)
	if c.Op == wire.OpTrustPart {
		h := wire.PartHash(c.Part)
		key := r.crypt.trustKey(h[:])
		if b.Get(key[:]) == nil && b.Stats().KeyN >= maxTrustKept {
			return nil // no headquarters sends so much before it names it
		}
		return b.Put(key[:], r.crypt.sealValue(key, c.Part))
	}
	if _, _, err := c.Trust.Join(func(h wire.Hash) []byte { return r.trustPart(tx, h) }); err != nil {
		r.trustRefused.Store(c.Ver)
		return nil
	}
	if err := r.putTrust(tx, trustNewest, storedTrust{c.Ver, *c.Trust}); err != nil {
		return err
	}
	return r.sweepTrust(tx)
}

// sweepTrust drops the parts that neither store names.
func (r *Replica) sweepTrust(tx *bbolt.Tx) error {
	keep := make(map[accountKey]bool)
	for _, name := range [][]byte{trustNewest, trustUsed} {
		keep[r.crypt.trustKey(name)] = true
		s, _, err := r.getTrust(tx, name)
		if err != nil {
			return err
		}
		for _, h := range s.Trust.Parts() {
			keep[r.crypt.trustKey(h[:])] = true
		}
	}
	b := tx.Bucket(bucketTrust)
	var drop [][]byte
	err := b.ForEach(func(k, _ []byte) error {
		if len(k) != len(accountKey{}) || !keep[accountKey(k)] {
			drop = append(drop, bytes.Clone(k))
		}
		return nil
	})
	for _, k := range drop {
		err = errors.Join(err, b.Delete(k))
	}
	return err
}
