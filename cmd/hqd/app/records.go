package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// Headers of a stored batch: which of its records are new in it, and the
// chain's hash after the last.
const (
	headFirst = "Bordergate-First"
	headLast  = "Bordergate-Last"
	headHash  = "Bordergate-Hash"
)

// ErrFork means that a gate sent other records under numbers HQ already holds.
var ErrFork = errors.New("records contradict those stored")

// recordKey is a sequence of records.
type recordKey struct {
	gate   string
	stream wire.Stream
	epoch  uint64
}

func (k recordKey) subject() string {
	return fmt.Sprintf("rec.%s.%s.%d", k.gate, k.stream, k.epoch)
}

// recordCursor is the end of a sequence as the store holds it.
type recordCursor struct {
	cum  uint64
	hash wire.Hash
	at   uint64 // the store's own sequence of the message that holds cum
}

// recordStore keeps every batch as the gate signed it, so that a record stays
// attributable. One subject per gate, stream and epoch; its last message is
// the cursor.
type recordStore struct {
	js     jetstream.JetStream
	stream jetstream.Stream
	shared bool // other hqd store too

	mu      sync.Mutex
	cursors map[recordKey]recordCursor
}

func openRecords(ctx context.Context, st *store) (*recordStore, error) {
	s, err := st.stream(ctx, "RECORDS", "rec.*.*.*", nil)
	if err != nil {
		return nil, err
	}
	return &recordStore{js: st.js, shared: st.shared, stream: s, cursors: make(map[recordKey]recordCursor)}, nil
}

// cursor asks the store once and then remembers.
func (s *recordStore) cursor(ctx context.Context, k recordKey) (recordCursor, error) {
	s.mu.Lock()
	c, ok := s.cursors[k]
	s.mu.Unlock()
	if ok {
		return c, nil
	}
	m, err := s.stream.GetLastMsgForSubject(ctx, k.subject())
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
	case err != nil:
		return c, fmt.Errorf("read cursor: %w", err)
	default:
		c.at = m.Sequence
		if c.cum, err = strconv.ParseUint(m.Header.Get(headLast), 10, 64); err == nil {
			err = c.hash.UnmarshalText([]byte(m.Header.Get(headHash)))
		}
		if err != nil {
			return c, fmt.Errorf("read cursor: %w", err)
		}
	}
	s.set(k, c)
	return c, nil
}

// place is the cursor as the store says now, whatever is remembered.
func (s *recordStore) place(ctx context.Context, k recordKey) (recordCursor, error) {
	if s.shared {
		s.forget(k)
	}
	for {
		one, cancel := soon(ctx, s.shared)
		c, err := s.cursor(one, k)
		cancel()
		if err == nil || !s.shared || !pause(ctx) {
			return c, err
		}
	}
}

func (s *recordStore) set(k recordKey, c recordCursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursors[k] = c
}

// forget has the next cursor read from the store again.
func (s *recordStore) forget(k recordKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cursors, k)
}

// verdict is what became of a batch.
type verdict uint8

const (
	stored    verdict = iota + 1 // all or the new part of it
	duplicate                    // nothing new
	gapped                       // something before it is missing
)

// put stores what is new in a checked batch, whoever else stores records of
// the same gate meanwhile: the store takes a batch only in the place that it
// was judged for. Where the store is shared, a write without an answer is asked
// for and tried again until ctx ends, since a node that is gone is soon
// replaced.
func (s *recordStore) put(ctx context.Context, k recordKey, signed []byte, recs []wire.Record, hashes []wire.Hash) (verdict, recordCursor, error) {
	for {
		v, c, err := s.try(ctx, k, signed, recs, hashes)
		switch {
		case err == nil || errors.Is(err, ErrFork) || !s.shared && !wrongPlace(err):
			return v, c, err
		case !wrongPlace(err) && !pause(ctx):
			return v, c, err
		}
	}
}

// try judges a batch by what is known of the store, and asks it again before
// something is called missing.
func (s *recordStore) try(ctx context.Context, k recordKey, signed []byte, recs []wire.Record, hashes []wire.Hash) (verdict, recordCursor, error) {
	ctx, cancel := soon(ctx, s.shared)
	defer cancel()
	c, err := s.cursor(ctx, k)
	first, last := recs[0].Seq, recs[len(recs)-1].Seq
	if err == nil && s.shared && first > c.cum+1 {
		s.forget(k)
		c, err = s.cursor(ctx, k)
	}
	if err != nil {
		return 0, c, err
	}
	switch {
	case first > c.cum+1:
		return gapped, c, nil
	case !follows(c, recs, hashes):
		return 0, c, fmt.Errorf("store %s records: %w", k.stream, ErrFork)
	case last <= c.cum:
		return duplicate, c, nil
	}
	next, err := s.append(ctx, k, c, signed, recordCursor{cum: last, hash: hashes[len(hashes)-1]})
	if err != nil {
		return 0, c, err
	}
	return stored, next, nil
}

// skip moves the cursor over records that nobody has any more. What says so
// stands in their place.
func (s *recordStore) skip(ctx context.Context, k recordKey, signed []byte, last uint64, hash wire.Hash) (recordCursor, error) {
	c, err := s.cursor(ctx, k)
	if err != nil {
		return c, err
	}
	return s.append(ctx, k, c, signed, recordCursor{cum: last, hash: hash})
}

// append stores one signed message and moves the cursor from c to next.
func (s *recordStore) append(ctx context.Context, k recordKey, c recordCursor, signed []byte, next recordCursor) (recordCursor, error) {
	msg := nats.NewMsg(k.subject())
	msg.Data = signed
	msg.Header.Set(headFirst, strconv.FormatUint(c.cum+1, 10))
	msg.Header.Set(headLast, strconv.FormatUint(next.cum, 10))
	msg.Header.Set(headHash, next.hash.String())
	ack, err := s.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(c.at))
	if err != nil {
		s.forget(k) // it may have been stored all the same
		return c, fmt.Errorf("store %s records: %w", k.stream, err)
	}
	next.at = ack.Sequence
	s.set(k, next)
	return next, nil
}

// follows reports whether the batch continues, or repeats, what is stored.
func follows(c recordCursor, recs []wire.Record, hashes []wire.Hash) bool {
	first, last := recs[0].Seq, recs[len(recs)-1].Seq
	switch {
	case first == c.cum+1:
		return recs[0].Prev == c.hash
	case c.cum >= first && c.cum <= last:
		return hashes[c.cum-first] == c.hash
	}
	return true // wholly in the past; the cursor's hash says nothing of it
}

// subjects lists the sequences of a gate and stream, or of all.
func (s *recordStore) subjects(ctx context.Context, filter string) (map[string]uint64, error) {
	info, err := s.stream.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	return info.State.Subjects, nil
}

// each calls f with every stored record of the gate and stream in order.
func (s *recordStore) each(ctx context.Context, gate string, stream wire.Stream, f func(journal.RawRecord, []wire.DayKey) error) error {
	info, err := s.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	filter := fmt.Sprintf("rec.%s.%s.*", gate, stream)
	for at := uint64(1); at <= info.State.LastSeq; at++ {
		m, err := s.stream.GetMsg(ctx, at, jetstream.WithGetMsgSubject(filter))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		at = m.Sequence
		if err := eachNew(m, f); err != nil {
			return err
		}
	}
	return nil
}

// eachNew calls f with the records that the batch brought.
func eachNew(m *jetstream.RawStreamMsg, f func(journal.RawRecord, []wire.DayKey) error) error {
	first, err := strconv.ParseUint(m.Header.Get(headFirst), 10, 64)
	if err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	payload, err := wire.PayloadOf(m.Data)
	if err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	batch, err := wire.Decode[wire.Records](payload)
	if err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	for i, b := range batch.Records {
		seq := batch.First + uint64(i)
		if seq < first {
			continue
		}
		if err := f(journal.RawRecord{Seq: seq, Bytes: b}, batch.Keys); err != nil {
			return err
		}
	}
	return nil
}

// opener opens personal parts with the day keys that came with a batch.
func (id *Identity) opener(keys []wire.DayKey) journal.OpenFunc {
	return func(class uint8, day uint32, aad, sealed []byte) ([]byte, error) {
		for _, k := range keys {
			if k.Class != class || k.Day != day {
				continue
			}
			key, err := vault.OpenWrapped(id.seal, class, day, k.Sealed)
			if err != nil {
				return nil, err
			}
			return key.Open(aad, sealed)
		}
		return nil, vault.ErrDestroyed // the gate had no key to send any more
	}
}
