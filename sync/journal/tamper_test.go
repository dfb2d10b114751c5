package journal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"bordergate/sync/wire"
)

// TestVerifyFindsAnyChange changes, removes, exchanges and adds anywhere, as
// somebody would who has the disk and knows the format but not the gate's key.
// Whatever is not found must have changed nothing.
func TestVerifyFindsAnyChange(t *testing.T) {
	found := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		o := testOptions(t)
		earlier := live(t, rt, o)
		before := contents(rt, o.Path)
		kind := rapid.SampledFrom(slices.Sorted(maps.Keys(tampers))).Draw(rt, "kind")
		tampers[kind](rt, o.Path, earlier)
		r, err := OpenReadOnly(o.Path, gateKey(1).Public())
		if err == nil {
			var rep Report
			rep, err = r.Check(t.Context())
			if err == nil {
				err = rep.Err()
			}
			if (err == nil) != rep.OK {
				rt.Errorf("%s: ok %v with %v", kind, rep.OK, err)
			}
			if err := r.Close(); err != nil {
				rt.Error(err)
			}
		}
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				rt.Errorf("%s gives %v, want ErrDamaged", kind, err)
			}
			found[kind]++
			return
		}
		if !maps.Equal(before, contents(rt, o.Path)) {
			rt.Errorf("%s was not found", kind)
		}
	})
	if len(found) < len(tampers)/2 {
		t.Errorf("only %v were tried and found", found)
	}
}

// live lets a journal live through a drawn life, closes it, and gives the mark
// of an earlier moment.
func live(t *testing.T, rt *rapid.T, o Options) (earlier []byte) {
	j, err := Open(o)
	if err != nil {
		rt.Fatal(err)
	}
	steps := rapid.SliceOfN(rapid.SampledFrom([]string{"append", "append", "append", "append", "ack", "prune", "fact", "blob", "checkpoint", "reopen"}), 8, 30).Draw(rt, "steps")
	check := func(err error) {
		if err != nil {
			rt.Fatal(err)
		}
	}
	for i, step := range steps {
		s := rapid.SampledFrom(wire.Streams()).Draw(rt, "stream")
		h, err := j.head(s)
		check(err)
		switch step {
		case "append":
			d := draft(i)
			d.Stream = s
			_, err = j.Append(t.Context(), d)
		case "ack":
			a := wire.Ack{Stream: s.String(), Epoch: j.Epoch(), Cum: rapid.Uint64Range(h.first-1, h.next-1).Draw(rt, "cum")}
			a.Hash, err = j.hashAt(s, h, a.Cum)
			check(err)
			err = j.Acknowledge(a)
		case "prune":
			err = j.Prune(t.Context(), s, rapid.Uint64Range(h.first-1, h.acked).Draw(rt, "upTo"))
		case "fact":
			err = j.Advance("f", uint64(i+1))
		case "blob":
			err = j.PutBlob("b", fmt.Append(nil, i))
		case "checkpoint":
			err = j.Checkpoint(t.Context())
		case "reopen":
			check(j.Close())
			j, err = Open(o)
		}
		check(err)
		if i == len(steps)/2 {
			check(j.view(func(tx *bbolt.Tx) error {
				earlier = bytes.Clone(tx.Bucket(bucketMark).Get(keyMark))
				return nil
			}))
		}
	}
	check(j.Verify())
	check(j.Close())
	return earlier
}

// contents is everything a file holds, by bucket and key.
func contents(rt *rapid.T, path string) map[string]string {
	out := map[string]string{}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		rt.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error {
				out[string(name)+"\x00"+string(k)] = string(v)
				return nil
			})
		})
	})
	if err != nil {
		rt.Fatal(err)
	}
	return out
}

// rewriting changes a file by its contents.
func rewriting(change func(rt *rapid.T, tx *bbolt.Tx, earlier []byte) error) func(*rapid.T, string, []byte) {
	return func(rt *rapid.T, path string, earlier []byte) {
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			rt.Fatal(err)
		}
		if err := errors.Join(db.Update(func(tx *bbolt.Tx) error { return change(rt, tx, earlier) }), db.Close()); err != nil {
			rt.Fatal(err)
		}
	}
}

// someRecords draws a stream that holds something.
func someRecords(rt *rapid.T, tx *bbolt.Tx) (wire.Stream, *bbolt.Bucket, []uint64) {
	s := rapid.SampledFrom(wire.Streams()).Draw(rt, "tampered stream")
	b := tx.Bucket(recordsOf(s))
	var seqs []uint64
	_ = b.ForEach(func(k, _ []byte) error {
		n, err := readU64(k)
		seqs = append(seqs, n)
		return err
	})
	if len(seqs) == 0 {
		rt.Skip("an empty stream")
	}
	return s, b, seqs
}

// rechain gives record seq another public part and writes everything after it
// anew, so that the chain holds again.
func rechain(b *bbolt.Bucket, seqs []uint64, from int, public string) error {
	var prev *wire.Hash
	for i, seq := range seqs[from:] {
		r, err := wire.DecodeRecord(bytes.Clone(b.Get(u64(seq))))
		if err != nil {
			return err
		}
		if i == 0 {
			r.Public = []byte(public)
		} else {
			r.Prev = *prev
		}
		text, err := r.Encode()
		if err != nil {
			return err
		}
		h := wire.HashOf(text)
		prev = &h
		if err := b.Put(u64(seq), text); err != nil {
			return err
		}
	}
	return nil
}

var tampers = map[string]func(rt *rapid.T, path string, earlier []byte){
	"flipped bit": func(rt *rapid.T, path string, _ []byte) {
		b, err := os.ReadFile(path)
		if err != nil {
			rt.Fatal(err)
		}
		at := rapid.IntRange(0, len(bytes.TrimRight(b, "\x00"))-1).Draw(rt, "at")
		b[at] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			rt.Fatal(err)
		}
	},
	"flipped in a record": rewriting(func(rt *rapid.T, tx *bbolt.Tx, _ []byte) error {
		_, b, seqs := someRecords(rt, tx)
		seq := rapid.SampledFrom(seqs).Draw(rt, "seq")
		v := bytes.Clone(b.Get(u64(seq)))
		v[rapid.IntRange(0, len(v)-1).Draw(rt, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		return b.Put(u64(seq), v)
	}),
	"removed": rewriting(func(rt *rapid.T, tx *bbolt.Tx, _ []byte) error {
		_, b, seqs := someRecords(rt, tx)
		return b.Delete(u64(rapid.SampledFrom(seqs).Draw(rt, "seq")))
	}),
	"end cut off": rewriting(func(rt *rapid.T, tx *bbolt.Tx, _ []byte) error {
		s, b, seqs := someRecords(rt, tx)
		from := rapid.IntRange(0, len(seqs)-1).Draw(rt, "from")
		for _, seq := range seqs[from:] {
			if err := b.Delete(u64(seq)); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketAcked).Put([]byte(s.String()), u64(seqs[0]-1)) // or the cursor tells
	}),
	"beginning cut off": rewriting(func(rt *rapid.T, tx *bbolt.Tx, _ []byte) error {
		s, b, seqs := someRecords(rt, tx)
		to := rapid.IntRange(0, len(seqs)-1).Draw(rt, "to")
		hash := wire.HashOf(b.Get(u64(seqs[to])))
		for _, seq := range seqs[:to+1] {
			if err := b.Delete(u64(seq)); err != nil {
				return err
			}
		}
		return errors.Join(
			tx.Bucket(bucketAnchor).Put([]byte(s.String()), append(u64(seqs[to]), hash[:]...)),
			tx.Bucket(bucketAcked).Put([]byte(s.String()), u64(seqs[len(seqs)-1])),
		)
	}),
	"exchanged": rewriting(func(rt *rapid.T, tx *bbolt.Tx, _ []byte) error {
		_, b, seqs := someRecords(rt, tx)
		x, y := u64(rapid.SampledFrom(seqs).Draw(rt, "x")), u64(rapid.SampledFrom(seqs).Draw(rt, "y"))
		vx, vy := bytes.Clone(b.Get(x)), bytes.Clone(b.Get(y))
		return errors.Join(b.Put(x, vy), b.Put(y, vx))
	}),
	"rewritten with the chain": rewriting(func(rt *rapid.T, tx *bbolt.Tx, _ []byte) error {
		_, b, seqs := someRecords(rt, tx)
		return rechain(b, seqs, rapid.IntRange(0, len(seqs)-1).Draw(rt, "from"), `{"outcome":"refused"}`)
	}),
	"rewritten and signed by another": rewriting(func(rt *rapid.T, tx *bbolt.Tx, _ []byte) error {
		_, b, seqs := someRecords(rt, tx)
		err := rechain(b, seqs, rapid.IntRange(0, len(seqs)-1).Draw(rt, "from"), `{"outcome":"refused"}`)
		return errors.Join(err, signAnew(tx))
	}),
	"added": rewriting(func(rt *rapid.T, tx *bbolt.Tx, _ []byte) error {
		_, b, seqs := someRecords(rt, tx)
		last := seqs[len(seqs)-1]
		r, err := wire.DecodeRecord(bytes.Clone(b.Get(u64(last))))
		if err != nil {
			return err
		}
		r.Prev, r.Seq = wire.HashOf(b.Get(u64(last))), last+1
		text, err := r.Encode()
		return errors.Join(err, b.Put(u64(last+1), text))
	}),
	"cursor moved": rewriting(func(rt *rapid.T, tx *bbolt.Tx, _ []byte) error {
		s, _, seqs := someRecords(rt, tx)
		return tx.Bucket(bucketAcked).Put([]byte(s.String()), u64(rapid.SampledFrom(seqs).Draw(rt, "to")))
	}),
	"fact changed": rewriting(func(_ *rapid.T, tx *bbolt.Tx, _ []byte) error {
		return tx.Bucket(bucketFacts).Put([]byte("f"), u64(99))
	}),
	"fact added":   rewriting(func(_ *rapid.T, tx *bbolt.Tx, _ []byte) error { return tx.Bucket(bucketFacts).Put([]byte("g"), u64(1)) }),
	"fact removed": rewriting(func(_ *rapid.T, tx *bbolt.Tx, _ []byte) error { return tx.Bucket(bucketFacts).Delete([]byte("f")) }),
	"blob changed": rewriting(func(_ *rapid.T, tx *bbolt.Tx, _ []byte) error {
		return tx.Bucket(bucketBlobs).Put([]byte("b"), []byte("x"))
	}),
	"another epoch": rewriting(func(_ *rapid.T, tx *bbolt.Tx, _ []byte) error { return tx.Bucket(bucketMeta).Put(keyEpoch, u64(7)) }),
	"another age":   rewriting(func(_ *rapid.T, tx *bbolt.Tx, _ []byte) error { return tx.Bucket(bucketMeta).Put(keyCreated, u64(7)) }),
	"mark removed":  rewriting(func(_ *rapid.T, tx *bbolt.Tx, _ []byte) error { return tx.DeleteBucket(bucketMark) }),
	"mark of before": rewriting(func(_ *rapid.T, tx *bbolt.Tx, earlier []byte) error {
		return tx.Bucket(bucketMark).Put(keyMark, earlier)
	}),
	"older version": rewriting(func(_ *rapid.T, tx *bbolt.Tx, _ []byte) error {
		return errors.Join(tx.DeleteBucket(bucketMark), tx.Bucket(bucketMeta).Put(keyVersion, u64(1)))
	}),
}

// signAnew marks the file as it is now, with a key that is not the gate's.
func signAnew(tx *bbolt.Tx) error {
	epoch, err := readU64(tx.Bucket(bucketMeta).Get(keyEpoch))
	if err != nil {
		return err
	}
	j := Journal{Reader: &Reader{gate: "lane-1", epoch: epoch}, opts: Options{Signer: gateKey(2)}}
	var heads headSet
	for _, s := range wire.Streams() {
		if heads[s], err = loadHead(tx, s); err != nil {
			return err
		}
	}
	sum, err := stateSum(tx)
	if err != nil {
		return err
	}
	text, err := j.signHeads(heads, sum)
	return errors.Join(err, tx.Bucket(bucketMark).Put(keyMark, text))
}

// TestCheckpointsVouchForRecordsWithoutTheMark looks at what is left where the
// mark is lost or was made by somebody else: the checkpoints on record.
func TestCheckpointsVouchForRecordsWithoutTheMark(t *testing.T) {
	o := testOptions(t)
	j := openJournal(t, o)
	appendN(t, j, 10)
	if err := j.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	appendN(t, j, 2)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		from int
		ok   bool
	}{"before the checkpoint": {3, false}, "after it": {10, true}} {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(o.Path)
			path := t.TempDir() + "/copy.db"
			if err := errors.Join(err, os.WriteFile(path, b, 0o600)); err != nil {
				t.Fatal(err)
			}
			tamper(t, path, func(tx *bbolt.Tx) error {
				seqs := []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
				return errors.Join(rechain(tx.Bucket(recordsOf(wire.StreamCrossing)), seqs, c.from, `{}`), signAnew(tx))
			})
			r, err := OpenReadOnly(path) // whoever reads it does not know the key
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			rep, err := r.Check(t.Context())
			if err != nil || rep.OK != c.ok || rep.Checkpoints != 1 || rep.Mark.State != MarkUnverified {
				t.Errorf("report %+v, %v", rep, err)
			}
		})
	}
}

func TestCheckpointIsSignedAndForHeadquarters(t *testing.T) {
	o := testOptions(t)
	j := openJournal(t, o)
	last := appendN(t, j, 3)[2]
	if err := j.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	raws, err := j.Tail(wire.StreamAlarm, 1)
	if err != nil || len(raws) != 1 {
		t.Fatalf("%d records, %v", len(raws), err)
	}
	rec, err := wire.DecodeRecord(raws[0].Bytes)
	if err != nil || rec.Kind != KindCheckpoint {
		t.Fatalf("record %+v, %v", rec, err)
	}
	ring, err := wire.NewKeyring(o.Signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	c, err := ReadCheckpoint(&rec, ring)
	if err != nil || c.Streams[0].Next != 4 || c.Streams[0].Last != last.Hash || c.Epoch != j.Epoch() {
		t.Errorf("checkpoint %+v, %v", c, err)
	}
	other, err := wire.NewKeyring(gateKey(2).Public())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCheckpoint(&rec, other); !errors.Is(err, wire.ErrKey) {
		t.Errorf("another key's: %v", err)
	}
	d := draft(1)
	d.Kind = KindCheckpoint
	if _, err := j.Append(t.Context(), d); !errors.Is(err, ErrDraft) {
		t.Errorf("a checkpoint that is none: %v", err)
	}
}

func TestFileOfVersion1IsAdopted(t *testing.T) {
	old := func(t *testing.T) Options {
		o := testOptions(t)
		plain := o
		plain.Signer = wire.Signer{}
		j := openJournal(t, plain)
		appendN(t, j, 5)
		if err := errors.Join(j.Advance("f", 7), j.Close()); err != nil {
			t.Fatal(err)
		}
		tamper(t, o.Path, func(tx *bbolt.Tx) error {
			return errors.Join(tx.DeleteBucket(bucketMark), tx.Bucket(bucketMeta).Put(keyVersion, u64(1)))
		})
		return o
	}
	o := old(t)
	r, err := OpenReadOnly(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	if rep, err := r.Check(t.Context()); err != nil || !rep.OK || rep.Mark.State != MarkNone {
		t.Errorf("before: %+v, %v", rep, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	j := openJournal(t, o)
	if pos := appendN(t, j, 1)[0]; pos.Seq != 6 || j.Fact("f") != 7 {
		t.Errorf("next record %d, fact %d", pos.Seq, j.Fact("f"))
	}
	j = reopen(t, j, o)
	if rep, err := j.Check(t.Context()); err != nil || !rep.OK || rep.Mark.State != MarkSigned {
		t.Errorf("after: %+v, %v", rep, err)
	}
	// What was changed before is not vouched for.
	o = old(t)
	tamper(t, o.Path, func(tx *bbolt.Tx) error {
		b := tx.Bucket(recordsOf(wire.StreamCrossing))
		return rechain(b, []uint64{2}, 0, `{}`)
	})
	if _, err := Open(o); !errors.Is(err, ErrDamaged) {
		t.Errorf("a changed file of version 1: %v", err)
	}
}

func TestKeyOfTheMarkIsNeeded(t *testing.T) {
	o := testOptions(t)
	j := openJournal(t, o)
	appendN(t, j, 1)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	o.Signer = wire.Signer{}
	if _, err := Open(o); !errors.Is(err, ErrGate) {
		t.Errorf("without the key: %v", err)
	}
	o.Signer = gateKey(2)
	if _, err := Open(o); !errors.Is(err, ErrDamaged) {
		t.Errorf("with another key: %v", err)
	}
}
