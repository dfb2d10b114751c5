package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"syscall"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"bordergate/sync/wire"
)

// Limits of one commit.
const (
	maxCommit      = 256
	maxCommitBytes = 4 << 20
)

// write is the one goroutine that changes the file. It ends when the queue is
// closed and empty.
func (j *Journal) write() {
	defer close(j.done)
	debug.SetPanicOnFault(true) // a bad page becomes an error, not the end of the gate
	for r := range j.queue {
		j.commit(j.gather(r))
	}
	if err := j.db.Close(); err != nil {
		j.cause = fmt.Errorf("close journal: %w", err)
	}
}

// gather takes what is waiting, up to a commit's limits. A change of another
// kind ends the batch and is its last member.
func (j *Journal) gather(first *request) []*request {
	batch, size := []*request{first}, 0
	for r := first; r.change == nil; {
		size += len(r.personal) + len(r.rec.Public)
		if len(batch) >= maxCommit || size >= maxCommitBytes {
			break
		}
		var ok bool
		select {
		case r, ok = <-j.queue:
		default:
		}
		if !ok {
			break
		}
		batch = append(batch, r)
	}
	return batch
}

// commit writes a batch in one transaction and answers everybody in it.
func (j *Journal) commit(batch []*request) {
	last := batch[len(batch)-1]
	if last.change != nil {
		batch = batch[:len(batch)-1]
	}
	if len(batch) > 0 {
		j.commitRecords(batch)
	}
	if last.change == nil {
		return
	}
	err := j.fault
	if err == nil {
		err = j.judge(guard(last.change))
	}
	last.reply(Position{}, err)
}

type placed struct {
	r    *request
	pos  Position
	text []byte
}

func (j *Journal) commitRecords(batch []*request) {
	heads, before := j.headsCopy(), j.thinning
	if j.fault != nil {
		for _, r := range batch {
			r.reply(Position{}, j.fault)
		}
		return
	}
	batch, dropped := j.thin(batch)
	all := make([]placed, 0, len(batch))
	for _, r := range batch {
		p, err := j.place(r, &heads)
		if err != nil {
			r.reply(Position{}, fmt.Errorf("append to journal: %w", err))
			continue
		}
		all = append(all, p)
	}
	if len(all) == 0 && len(dropped) == 0 {
		return
	}
	gapped := j.thinning.gap != before.gap
	err := j.judge(guard(func() error {
		return j.save(heads, gapped, func(tx *bbolt.Tx) error {
			if gapped {
				if err := putGap(tx, j.thinning.gap); err != nil {
					return err
				}
			}
			return putRecords(tx, all)
		})
	}))
	if err == nil {
		j.publish(heads)
	} else {
		j.thinning = before
	}
	for _, r := range dropped {
		r.reply(Position{}, errors.Join(ErrThinned, err))
	}
	for _, p := range all {
		if err != nil {
			p.pos = Position{}
		}
		p.r.reply(p.pos, err)
	}
}

// place gives a record its place after the heads and encodes it.
func (j *Journal) place(r *request, heads *headSet) (placed, error) {
	if err := j.admits(r, &heads[r.rec.Stream]); err != nil {
		return placed{}, err
	}
	if err := j.seal(r); err != nil {
		return placed{}, err
	}
	if r.checkpoint {
		if err := j.fillCheckpoint(r, heads); err != nil {
			return placed{}, err
		}
	}
	h := &heads[r.rec.Stream]
	r.rec.Seq, r.rec.Prev = h.next, h.hash
	text, err := r.rec.Encode()
	if err != nil {
		return placed{}, err
	}
	h.next++
	h.hash = wire.HashOf(text)
	h.bytes += cost(len(text))
	return placed{r: r, text: text, pos: Position{
		Epoch: j.epoch, Stream: r.rec.Stream, Seq: r.rec.Seq, Hash: h.hash,
	}}, nil
}

func putRecords(tx *bbolt.Tx, all []placed) error {
	for _, p := range all {
		b := tx.Bucket(recordsOf(p.pos.Stream))
		b.FillPercent = 0.9 // keys only ever rise
		if err := b.Put(u64(p.pos.Seq), p.text); err != nil {
			return err
		}
	}
	return nil
}

// judge turns a failed transaction into what callers see, and decides whether
// the journal may go on. Only errors after which the file is known to be as it
// was let it: after any other, above all a failed fsync, nobody knows what the
// disk holds.
func (j *Journal) judge(err error) error {
	var path *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errRefused):
		return err
	case errors.Is(err, berrors.ErrMaxSizeReached),
		errors.Is(err, syscall.ENOSPC) && errors.As(err, &path) && path.Op == "write":
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	j.fault = fmt.Errorf("%w: %w", ErrFault, err)
	j.mu.Lock()
	j.down = j.fault
	j.mu.Unlock()
	return j.fault
}

// errRefused marks a change that was refused before it touched anything.
var errRefused = errors.New("refused")

// publish makes new records visible and wakes who waits for them.
func (j *Journal) publish(heads headSet) {
	j.setHeads(heads)
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.changed)
	j.changed = make(chan struct{})
}

// do runs one change of the file on the writing goroutine.
func (j *Journal) do(ctx context.Context, change func() error) error {
	done := make(chan error, 1)
	r := &request{change: change, reply: func(_ Position, err error) { done <- err }}
	if err := j.put(ctx, r, true); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// guard turns a panic, such as bbolt's on a bad page, into ErrDamaged.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return fn()
}
