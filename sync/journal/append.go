package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// Draft is what is to be written; the journal adds the rest of the record.
type Draft struct {
	Stream wire.Stream
	Kind   string   // lower-case words with '_'
	Tx     [16]byte // transaction; zero: none
	// Public is encoded as JSON; nil: none. It must hold no personal data.
	Public any
	// Personal is sealed under Class and the day of Wall; empty: none. It must
	// not be changed until the append is done.
	Personal []byte
	Class    uint8 // vault class of Personal
	Mono     int64 // CLOCK_MONOTONIC, ns; 0: now
	Wall     int64 // Unix time, ns; 0: now
	Trust    uint8 // how far Wall is to be trusted
}

// Position is where a record stands for ever.
type Position struct {
	Epoch  uint64
	Stream wire.Stream
	Seq    uint64
	Hash   wire.Hash // of the record, the next one's Prev
}

// MaxPersonal bounds a personal part, in bytes.
const MaxPersonal = wire.MaxSealed - vault.Overhead

// request is one append, or one other change of the file.
type request struct {
	rec      wire.Record // without place in the chain
	personal []byte
	reply    func(Position, error)

	checkpoint bool // the record is one; its public part follows from its place

	change func() error // instead of an append
}

// Append writes one record and returns when it is durable. When ctx ends first
// the record may or may not have been written; nobody may act on it then.
func (j *Journal) Append(ctx context.Context, d Draft) (Position, error) {
	r, err := j.prepare(d, nil)
	if err != nil {
		return Position{}, err
	}
	return j.wait(ctx, r)
}

// wait puts a request and waits for its end.
func (j *Journal) wait(ctx context.Context, r *request) (Position, error) {
	type result struct {
		pos Position
		err error
	}
	done := make(chan result, 1)
	r.reply = func(p Position, err error) { done <- result{p, err} }
	if err := j.put(ctx, r, true); err != nil {
		return Position{}, fmt.Errorf("append to journal: %w", err)
	}
	select {
	case res := <-done:
		return res.pos, res.err
	case <-ctx.Done():
		return Position{}, fmt.Errorf("append to journal: %w", ctx.Err())
	}
}

// AppendAsync is Append that does not wait. An error it returns means that
// nothing was queued and done is never called: ErrBusy when the queue is full.
// Otherwise done is called exactly once, from the journal's own goroutine; it
// must not block and must not call the journal.
func (j *Journal) AppendAsync(d Draft, done func(Position, error)) error {
	r, err := j.prepare(d, done)
	if err != nil {
		return err
	}
	if err := j.put(context.Background(), r, false); err != nil {
		return fmt.Errorf("append to journal: %w", err)
	}
	return nil
}

// prepare checks a draft and encodes what needs no place in the chain.
func (j *Journal) prepare(d Draft, reply func(Position, error)) (*request, error) {
	r, err := j.request(d, reply)
	if err != nil {
		return nil, err
	}
	return r, j.checkDraft(r)
}

func (j *Journal) request(d Draft, reply func(Position, error)) (*request, error) {
	if d.Mono == 0 {
		d.Mono = monotonic()
	}
	if d.Wall == 0 {
		d.Wall = time.Now().UnixNano()
	}
	r := &request{personal: d.Personal, reply: reply, rec: wire.Record{
		Gate: j.gate, Epoch: j.epoch, Stream: d.Stream, Boot: j.opts.Boot, Mono: d.Mono, Wall: d.Wall,
		Trust: d.Trust, Tx: d.Tx, Kind: d.Kind, Simulated: j.opts.Simulated,
	}}
	if d.Public != nil {
		b, err := json.Marshal(d.Public)
		if err != nil {
			return nil, fmt.Errorf("%w: public part of %.40q: %w", ErrDraft, d.Kind, err)
		}
		r.rec.Public = b
	}
	if len(d.Personal) > 0 {
		r.rec.Class, r.rec.Day = d.Class, vault.Day(time.Unix(0, d.Wall))
	}
	return r, nil
}

func (j *Journal) checkDraft(r *request) error {
	switch {
	case r.rec.Stream.String() == "invalid":
		return fmt.Errorf("%w: stream %d", ErrDraft, r.rec.Stream)
	case !validKind(r.rec.Kind), r.rec.Kind == KindCheckpoint, r.rec.Kind == KindGap:
		return fmt.Errorf("%w: kind %.40q", ErrDraft, r.rec.Kind)
	case len(r.rec.Public) > wire.MaxPublic:
		return fmt.Errorf("%w: public part of %d bytes, at most %d", ErrDraft, len(r.rec.Public), wire.MaxPublic)
	case len(r.personal) > MaxPersonal:
		return fmt.Errorf("%w: personal part of %d bytes, at most %d", ErrDraft, len(r.personal), MaxPersonal)
	case len(r.personal) > 0 && r.rec.Class == 0:
		return fmt.Errorf("%w: a personal part without its class", ErrDraft)
	case len(r.personal) > 0 && j.opts.Vault == nil:
		return fmt.Errorf("%w: a personal part, and no vault to seal it", ErrDraft)
	}
	return nil
}

func validKind(s string) bool {
	if len(s) == 0 || len(s) > wire.MaxKind || s[0] == '_' {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

// seal fills in the sealed part. A clock that fell back to a day whose key is
// destroyed must not stop the gate: the newest day in use takes it then.
func (j *Journal) seal(r *request) error {
	if len(r.personal) == 0 {
		return nil
	}
	for {
		sealed, err := j.opts.Vault.Seal(r.rec.Class, r.rec.Day, AAD(&r.rec), r.personal)
		if errors.Is(err, vault.ErrDestroyed) && r.rec.Day < j.lastDay {
			r.rec.Day = j.lastDay
			continue
		}
		if err != nil {
			return fmt.Errorf("seal personal part: %w", err)
		}
		r.rec.Sealed = sealed
		j.lastDay = max(j.lastDay, r.rec.Day)
		return nil
	}
}
