package journal

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"bordergate/sync/wire"
)

// The mark is the checkpoint of the last transaction: it stands in the file
// beside what it speaks of and is written with it. The checkpoints on record
// are the same, now and then, for whoever holds only the records.
var (
	bucketMark = []byte("mark")
	keyMark    = []byte("mark")
)

// KindCheckpoint is the kind of the records that hold a signed checkpoint.
const KindCheckpoint = "checkpoint"

// checkpointPublic is the public part of such a record.
type checkpointPublic struct {
	Checkpoint string `json:"checkpoint"` // JWS compact serialization
}

// Checkpoint puts on record where every stream stands, signed with the gate's
// key. It is in the alarm stream, so that headquarters holds it too.
func (j *Journal) Checkpoint(ctx context.Context) error {
	if j.opts.Signer.Key == nil {
		return fmt.Errorf("make checkpoint: %w: no key to sign it", ErrDraft)
	}
	r, err := j.request(Draft{Stream: wire.StreamAlarm, Kind: KindCheckpoint}, nil)
	if err == nil {
		r.checkpoint = true
		_, err = j.wait(ctx, r)
	}
	if err != nil {
		return fmt.Errorf("make checkpoint: %w", err)
	}
	return nil
}

// fillCheckpoint makes the public part of a checkpoint that comes after heads.
func (j *Journal) fillCheckpoint(r *request, heads *headSet) error {
	text, err := j.signHeads(*heads, j.sum)
	if err == nil {
		r.rec.Public, err = json.Marshal(checkpointPublic{string(text)})
	}
	return err
}

// signHeads gives the signed checkpoint of heads.
func (j *Journal) signHeads(heads headSet, sum wire.Hash) ([]byte, error) {
	c := wire.Checkpoint{Gate: j.gate, Epoch: j.epoch, Streams: standsOf(heads), State: sum}
	return wire.SignCheckpoint(j.opts.Signer, c)
}

func standsOf(heads headSet) []wire.Stand {
	var out []wire.Stand
	for _, s := range wire.Streams() {
		h := heads[s]
		out = append(out, wire.Stand{Name: s.String(), First: h.first, Next: h.next, Acked: h.acked, Before: h.anchor, Last: h.hash})
	}
	return out
}

// save runs one change of the file and writes the mark of what it leads to.
// With state, the change may touch what stands beside the records.
func (j *Journal) save(heads headSet, state bool, change func(*bbolt.Tx) error) error {
	sum := j.sum
	err := j.update(func(tx *bbolt.Tx) error {
		err := change(tx)
		if err != nil || j.opts.Signer.Key == nil {
			return err
		}
		if state {
			if sum, err = stateSum(tx); err != nil {
				return err
			}
		}
		text, err := j.signHeads(heads, sum)
		if err != nil {
			return err
		}
		return tx.Bucket(bucketMark).Put(keyMark, text)
	})
	if err == nil {
		j.sum = sum
	}
	return err
}

// stateSum is the digest of everything in the file that is no record.
func stateSum(tx *bbolt.Tx) (wire.Hash, error) {
	h := sha256.New()
	put := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b))))
		h.Write(b)
	}
	for _, name := range [][]byte{bucketMeta, bucketFacts, bucketBlobs} {
		b := tx.Bucket(name)
		if b == nil {
			return wire.Hash{}, fmt.Errorf("%w: a bucket is missing", ErrDamaged)
		}
		put(name)
		n := 0
		err := b.ForEach(func(k, v []byte) error {
			n++
			put(k)
			put(v)
			return nil
		})
		if err != nil {
			return wire.Hash{}, err
		}
		put(u64(uint64(n)))
	}
	return wire.Hash(h.Sum(nil)), nil
}

// What is known of a file's mark.
const (
	MarkNone       = "none"       // made without a key, or by an earlier version
	MarkUnverified = "unverified" // it fits, and nobody named the gate's key
	MarkSigned     = "signed"     // it fits, and the gate signed it
)

// Mark is what Check says of the mark.
type Mark struct {
	State string    `json:"state"`
	By    string    `json:"by,omitempty"` // id of the key
	At    time.Time `json:"at,omitzero"`  // of the last change of the file
}

// readMark compares the mark with what stands in the file at this moment.
func (r *Reader) readMark() (Mark, error) {
	m := Mark{State: MarkNone}
	return m, r.view(func(tx *bbolt.Tx) error {
		var text []byte
		if b := tx.Bucket(bucketMark); b != nil {
			text = slices.Clone(b.Get(keyMark))
		}
		if text == nil {
			if r.ring != nil {
				return fmt.Errorf("%w: the signed mark is missing", ErrDamaged)
			}
			return nil
		}
		h, c, err := wire.ParseCheckpoint(text, r.ring)
		if err != nil {
			return fmt.Errorf("%w: the mark: %w", ErrDamaged, err)
		}
		m = Mark{State: MarkUnverified, By: h.Kid, At: time.UnixMilli(h.Iat).UTC()}
		if r.ring != nil {
			m.State = MarkSigned
		}
		return r.compare(tx, c)
	})
}

// compare holds the file to a checkpoint of its present state.
func (r *Reader) compare(tx *bbolt.Tx, c wire.Checkpoint) error {
	if c.Gate != r.gate || c.Epoch != r.epoch {
		return fmt.Errorf("%w: the mark is of another journal", ErrDamaged)
	}
	var heads headSet
	for _, s := range wire.Streams() {
		var err error
		if heads[s], err = loadHead(tx, s); err != nil {
			return fmt.Errorf("stream %s: %w", s, err)
		}
	}
	for i, got := range standsOf(heads) {
		switch want := c.Streams[i]; {
		case got.Next != want.Next:
			return fmt.Errorf("%w: %s ends before record %d, the signed mark says %d", ErrDamaged, got.Name, got.Next, want.Next)
		case got != want:
			return fmt.Errorf("%w: %s is not what the signed mark says", ErrDamaged, got.Name)
		}
	}
	sum, err := stateSum(tx)
	if err == nil && sum != c.State {
		err = fmt.Errorf("%w: facts are not what the signed mark says", ErrDamaged)
	}
	return err
}

// create makes a new file with its first mark.
func (o *Options) create() error {
	return create(o.Path, o.Gate, func(tx *bbolt.Tx) error {
		if o.Signer.Key == nil {
			return nil
		}
		j := Journal{Reader: &Reader{gate: o.Gate}, opts: *o}
		var err error
		if j.epoch, err = readU64(tx.Bucket(bucketMeta).Get(keyEpoch)); err != nil {
			return err
		}
		sum, err := stateSum(tx)
		if err != nil {
			return err
		}
		text, err := j.signHeads(newHeads(), sum)
		if err != nil {
			return err
		}
		return tx.Bucket(bucketMark).Put(keyMark, text)
	})
}

// trustMark lets nobody write to a file that is not what its mark says.
func (j *Journal) trustMark() error {
	if j.version < fileVersion {
		return j.adopt()
	}
	m, err := j.readMark()
	if err == nil && m.State == MarkUnverified {
		err = fmt.Errorf("%w: it is signed, and the gate's key is not at hand", ErrGate)
	}
	if err != nil {
		return err
	}
	return j.view(func(tx *bbolt.Tx) (err error) {
		j.sum, err = stateSum(tx)
		return err
	})
}

// adopt brings a file of version 1, which knew no mark, to this version. It
// checks all of it first, for what it marks now it vouches for.
func (j *Journal) adopt() error {
	old := &Reader{db: j.db, gate: j.gate, epoch: j.epoch, heads: j.headsCopy()}
	rep, err := old.Check(context.Background())
	if err == nil {
		err = rep.Err()
	}
	if err == nil && rep.Checkpoints > 0 {
		err = fmt.Errorf("%w: it says version 1 and holds checkpoints, which came later", ErrDamaged)
	}
	if err != nil {
		return fmt.Errorf("bring to version %d: %w", fileVersion, err)
	}
	j.version = fileVersion
	return j.save(j.headsCopy(), true, func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucketIfNotExists(bucketMark); err != nil {
			return err
		}
		return tx.Bucket(bucketMeta).Put(keyVersion, u64(fileVersion))
	})
}

// ReadCheckpoint reads the checkpoint in a record, verifies it where ring is
// not nil, and holds it to the record's own place.
func ReadCheckpoint(rec *wire.Record, ring *wire.Keyring) (wire.Checkpoint, error) {
	var public checkpointPublic
	if rec.Kind != KindCheckpoint || rec.Stream != wire.StreamAlarm || json.Unmarshal(rec.Public, &public) != nil {
		return wire.Checkpoint{}, errors.New("record holds no checkpoint")
	}
	_, c, err := wire.ParseCheckpoint([]byte(public.Checkpoint), ring)
	if err != nil {
		return wire.Checkpoint{}, err
	}
	if own := c.Streams[wire.StreamAlarm-1]; c.Gate != rec.Gate || c.Epoch != rec.Epoch || own.Next != rec.Seq || own.Last != rec.Prev {
		return wire.Checkpoint{}, errors.New("checkpoint is of another place")
	}
	return c, nil
}

// checkpoints follows the checkpoints on record: what each says of a record is
// compared when that record comes by.
type checkpoints struct {
	ring *wire.Keyring
	n    int
	said map[wire.Stream]map[uint64]wire.Hash
}

// maxCheckpoints bounds what is kept of checkpoints: fifteen years of one an
// hour.
const maxCheckpoints = 1 << 17

// take reads the checkpoint in a record of the alarm stream.
func (p *checkpoints) take(rec *wire.Record) error {
	if p.n++; p.n > maxCheckpoints {
		return fmt.Errorf("more than %d checkpoints", maxCheckpoints)
	}
	c, err := ReadCheckpoint(rec, p.ring)
	if err != nil {
		return err
	}
	for i, s := range wire.Streams() {
		st := c.Streams[i]
		if s == wire.StreamAlarm {
			continue // its place was compared by reading it
		}
		if p.said[s] == nil {
			p.said[s] = make(map[uint64]wire.Hash)
		}
		p.said[s][st.Next-1] = st.Last
	}
	return nil
}

// holds compares a record's hash with what was signed of it.
func (p *checkpoints) holds(s wire.Stream, seq uint64, hash wire.Hash) error {
	if want, ok := p.said[s][seq]; ok && want != hash {
		return errors.New("a signed checkpoint says otherwise")
	}
	return nil
}

// beyond names a record that was signed for and is not there.
func (p *checkpoints) beyond(s wire.Stream, next uint64) (uint64, bool) {
	for seq := range p.said[s] {
		if seq >= next {
			return seq, true
		}
	}
	return 0, false
}
