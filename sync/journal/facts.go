package journal

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"
)

// Limits of facts and blobs.
const (
	maxFacts    = 256
	maxFactName = 64
	maxBlob     = 64 << 10
)

// Fact is a monotone number by name: an epoch, a head, a version, a floor of
// time. One that was never advanced is 0.
func (j *Journal) Fact(name string) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.facts[name]
}

// Advance raises a fact to v and returns when that is durable. A fact never
// falls: a v that is not above it changes nothing.
func (j *Journal) Advance(name string, v uint64) error {
	if len(name) == 0 || len(name) > maxFactName {
		return fmt.Errorf("advance fact: %w: name of %d bytes", ErrDraft, len(name))
	}
	if v <= j.Fact(name) {
		return nil
	}
	err := j.do(context.Background(), func() error { return j.advance(name, v) })
	if err != nil {
		return fmt.Errorf("advance fact %s: %w", name, err)
	}
	return nil
}

func (j *Journal) advance(name string, v uint64) error {
	j.mu.Lock()
	old, known := j.facts[name]
	n := len(j.facts)
	j.mu.Unlock()
	if known && v <= old {
		return nil
	}
	if !known && n >= maxFacts {
		return fmt.Errorf("%w: more than %d facts: %w", ErrDraft, maxFacts, errRefused)
	}
	err := j.save(j.headsCopy(), true, func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketFacts).Put([]byte(name), u64(v))
	})
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.facts[name] = v
	return nil
}

// Fact is a monotone number by name, 0 where it was never set.
func (r *Reader) Fact(name string) (uint64, error) {
	facts, err := r.loadFacts()
	return facts[name], err
}

func (r *Reader) loadFacts() (map[string]uint64, error) {
	facts := map[string]uint64{}
	err := r.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketFacts)
		if b == nil || tx.Bucket(bucketBlobs) == nil {
			return fmt.Errorf("%w: a bucket is missing", ErrDamaged)
		}
		return b.ForEach(func(k, v []byte) error {
			n, err := readU64(v)
			facts[string(k)] = n
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read facts: %w", err)
	}
	return facts, nil
}

// Blob is a small value by name, nil where there is none. Unlike a fact it may
// change in any way.
func (j *Journal) Blob(name string) ([]byte, error) {
	var out []byte
	err := j.view(func(tx *bbolt.Tx) error {
		if v := tx.Bucket(bucketBlobs).Get([]byte(name)); v != nil {
			out = append([]byte{}, v...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", name, err)
	}
	return out, nil
}

// PutBlob stores a small value, at most 64 KiB, and returns when it is
// durable.
func (j *Journal) PutBlob(name string, value []byte) error {
	if len(name) == 0 || len(name) > maxFactName || len(value) > maxBlob {
		return fmt.Errorf("put blob: %w: name of %d, value of %d bytes", ErrDraft, len(name), len(value))
	}
	err := j.do(context.Background(), func() error {
		return j.save(j.headsCopy(), true, func(tx *bbolt.Tx) error { return tx.Bucket(bucketBlobs).Put([]byte(name), value) })
	})
	if err != nil {
		return fmt.Errorf("put blob %s: %w", name, err)
	}
	return nil
}
