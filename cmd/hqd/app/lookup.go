package app

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.etcd.io/bbolt"

	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// lookup finds the crossings of a person. It is a projection of the stored
// records: it can be thrown away, is built again from them, and then leaves out
// whose day keys are gone.
//
// Nothing in its file names anybody: keys begin with a keyed hash of the
// account, values are sealed and bound to their key. It moves together with its
// place in the store, in one transaction.
type lookup struct {
	db      *bbolt.DB
	records *recordStore
	key     [32]byte // of the hashes
	aead    cipher.AEAD
	id      *Identity
	days    map[string]*vault.DayKey // opened, by what was sealed; serve's alone
	wake    chan struct{}

	mu    sync.Mutex
	at    uint64        // place in the store
	moved chan struct{} // closed at the next one
}

// Buckets of the file.
var (
	bucketMeta   = []byte("meta")
	bucketPerson = []byte("person") // hash of the account, time, gate's sequence: a crossing
	bucketPass   = []byte("pass")   // hash of the pass, hash of the account: nothing
	bucketTx     = []byte("tx")     // hash of gate and transaction: key of the open crossing
)

var (
	metaAt     = []byte("at")
	metaStream = []byte("stream")
)

const (
	lookupFile  = "lookup.db"
	lookupBatch = 4000 // records in one transaction
	lookupEvery = time.Second
	hashSize    = 16
	maxDays     = 1024
)

// mark is a keyed hash of what must not be read back.
func (l *lookup) mark(kind, id string) []byte {
	m := hmac.New(sha256.New, l.key[:])
	m.Write([]byte(kind + "\x00" + id))
	return m.Sum(nil)[:hashSize]
}

// openLookup opens the projection in dir, and begins anew where the file is
// damaged or of another store.
func openLookup(ctx context.Context, dir string, r *recordStore, id *Identity, log *slog.Logger) (*lookup, error) {
	l := &lookup{records: r, id: id, key: id.derive("look-up"), days: make(map[string]*vault.DayKey), wake: make(chan struct{}, 1), moved: make(chan struct{})}
	key := id.derive("look-up entries")
	block, err := aes.NewCipher(key[:])
	if err == nil {
		l.aead, err = cipher.NewGCMWithRandomNonce(block)
	}
	if err != nil {
		return nil, fmt.Errorf("open look-up: %w", err)
	}
	info, err := r.stream.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("open look-up: %w", err)
	}
	path := filepath.Join(dir, lookupFile)
	if err = l.open(path, info); err != nil {
		log.Warn("Look-up is built anew", "error", err, "hint", "nothing to do: it is complete when hqd status says so")
		if err = os.Remove(path); err == nil || errors.Is(err, os.ErrNotExist) {
			err = l.open(path, info)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open look-up: %w", err)
	}
	return l, nil
}

var errLookupStore = errors.New("it is of another store")

func (l *lookup) open(path string, info *jetstream.StreamInfo) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType, InitialMmapSize: 1 << 30})
	if err != nil {
		return err
	}
	stream := u64(uint64(info.Created.UnixNano()))
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, b := range [][]byte{bucketMeta, bucketPerson, bucketPass, bucketTx} {
			if _, err := tx.CreateBucketIfNotExists(b); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		if at := meta.Get(metaAt); len(at) == 8 {
			l.at = binary.BigEndian.Uint64(at)
		}
		if old := meta.Get(metaStream); old != nil && !bytes.Equal(old, stream) || l.at > info.State.LastSeq {
			return errLookupStore
		}
		return meta.Put(metaStream, stream)
	})
	if err != nil {
		l.at = 0
		return errors.Join(err, db.Close())
	}
	l.db = db
	return nil
}

func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func (l *lookup) close() error { return l.db.Close() }

// serve keeps the projection close behind the store.
func (l *lookup) serve(ctx context.Context, log *slog.Logger) {
	t := time.NewTicker(lookupEvery)
	defer t.Stop()
	for {
		if err := l.catchUp(ctx); err != nil && ctx.Err() == nil {
			log.Warn("Look-up is behind", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-l.wake:
		}
	}
}

// catchUp takes in what the store holds. Only one goroutine calls it.
func (l *lookup) catchUp(ctx context.Context) error {
	last, err := l.last(ctx)
	for err == nil && l.place() < last && ctx.Err() == nil {
		err = l.step(ctx, last)
	}
	return err
}

// last is the newest place in the store.
func (l *lookup) last(ctx context.Context) (uint64, error) {
	ctx, cancel := soon(ctx, l.records.shared)
	defer cancel()
	info, err := l.records.stream.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("look up: %w", err)
	}
	return info.State.LastSeq, nil
}

func (l *lookup) place() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at
}

// await gives serve a moment to take in what the store holds now, and says how
// many messages are still to come.
func (l *lookup) await(ctx context.Context) (behind uint64, err error) {
	last, err := l.last(ctx)
	if err != nil {
		return 0, err
	}
	limit := time.NewTimer(lookupWait)
	defer limit.Stop()
	for {
		l.mu.Lock()
		at, moved := l.at, l.moved
		l.mu.Unlock()
		if at >= last {
			return 0, nil
		}
		select {
		case l.wake <- struct{}{}:
		default:
		}
		select {
		case <-moved:
		case <-limit.C:
			return last - at, nil
		case <-ctx.Done():
			return last - at, ctx.Err()
		}
	}
}

// seen is a record of a crossing with where the store has it.
type seen struct {
	journal.RawRecord
	keys []wire.DayKey
	at   uint64
}

// step takes in one transaction's worth.
func (l *lookup) step(ctx context.Context, last uint64) error {
	var list []seen
	at := l.place()
	for at < last && len(list) < lookupBatch && ctx.Err() == nil {
		one, cancel := soon(ctx, l.records.shared)
		m, err := l.records.stream.GetMsg(one, at+1, jetstream.WithGetMsgSubject("rec.*."+wire.StreamCrossing.String()+".*"))
		cancel()
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			at = last // nothing but other streams up to there
			break
		}
		if err != nil {
			return fmt.Errorf("look up: %w", err)
		}
		at = m.Sequence
		err = eachNew(m, func(raw journal.RawRecord, keys []wire.DayKey) error {
			list = append(list, seen{raw, keys, at})
			return nil
		})
		if err != nil {
			return fmt.Errorf("look up: %w", err)
		}
	}
	err := l.db.Update(func(tx *bbolt.Tx) error {
		for _, s := range list {
			if err := l.take(tx, s); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Put(metaAt, u64(at))
	})
	if err != nil {
		return fmt.Errorf("look up: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = at
	close(l.moved)
	l.moved = make(chan struct{})
	return nil
}

// take puts one record in: a crossing begins with the record that says whose
// it is, and a later one of its transaction says what came of it.
func (l *lookup) take(tx *bbolt.Tx, s seen) error {
	r, err := wire.DecodeRecord(s.Bytes)
	if err != nil {
		return err
	}
	doing := l.mark("tx", fmt.Sprintf("%s/%d/%x", r.Gate, r.Epoch, r.Tx))
	if key := tx.Bucket(bucketTx).Get(doing); key != nil {
		return l.settle(tx, doing, bytes.Clone(key), r)
	}
	var who struct {
		Account string `json:"account"`
		Pass    string `json:"pass_number"`
	}
	plain, err := journal.Personal(&r, l.opener(s.keys))
	if err != nil || json.Unmarshal(plain, &who) != nil || who.Account == "" && who.Pass == "" {
		return nil // nobody's, or nobody's any more
	}
	person := l.mark("account", who.Account)
	if who.Account == "" {
		person = l.mark("pass", who.Pass)
	}
	c := newCrossing(r, s.at)
	if who.Pass != "" {
		c.Pass = l.mark("pass", who.Pass)
		if err := tx.Bucket(bucketPass).Put(append(bytes.Clone(c.Pass), person...), nil); err != nil {
			return err
		}
	}
	key := binary.BigEndian.AppendUint64(person, uint64(max(r.Wall, 0)))
	key = append(binary.BigEndian.AppendUint64(key, r.Seq), doing[:4]...) // of two gates at one time
	if r.Tx != [16]byte{} {
		if err := tx.Bucket(bucketTx).Put(doing, key); err != nil {
			return err
		}
	}
	return l.put(tx, key, c)
}

// settle adds what came of a crossing.
func (l *lookup) settle(tx *bbolt.Tx, doing, key []byte, r wire.Record) error {
	c, err := l.get(key, tx.Bucket(bucketPerson).Get(key))
	if err != nil {
		return err
	}
	c.later(r)
	if r.Kind == "outcome" {
		if err := tx.Bucket(bucketTx).Delete(doing); err != nil {
			return err
		}
	}
	return l.put(tx, key, c)
}

func (l *lookup) put(tx *bbolt.Tx, key []byte, c crossing) error {
	plain, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketPerson).Put(key, l.aead.Seal(nil, nil, plain, key))
}

func (l *lookup) get(key, sealed []byte) (c crossing, err error) {
	plain, err := l.aead.Open(nil, nil, sealed, key)
	if err != nil {
		return c, wire.ErrSealed
	}
	return c, json.Unmarshal(plain, &c)
}

// opener remembers the day keys of a batch: many batches bring the same.
func (l *lookup) opener(keys []wire.DayKey) journal.OpenFunc {
	return func(class uint8, day uint32, aad, sealed []byte) ([]byte, error) {
		for _, k := range keys {
			if k.Class != class || k.Day != day {
				continue
			}
			key := l.days[string(k.Sealed)]
			if key == nil {
				var err error
				if key, err = vault.OpenWrapped(l.id.seal, class, day, k.Sealed); err != nil {
					return nil, err
				}
				if len(l.days) >= maxDays {
					clear(l.days)
				}
				l.days[string(k.Sealed)] = key
			}
			return key.Open(aad, sealed)
		}
		return nil, vault.ErrDestroyed
	}
}
