package fleet

import (
	"errors"
	"fmt"
	"sync"

	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// errContradiction means that headquarters' log is not the one that was
// followed so far.
var errContradiction = errors.New("log contradicts what was applied")

// register is an account replica in memory: statuses, versions and the place
// in the log.
type register struct {
	mu         sync.RWMutex
	epoch, seq uint64
	hash       wire.Hash
	committed  map[string]standing
	overlay    map[string]standing // restrictions that bite before their place
}

type standing struct {
	status wire.Status
	ver    uint64
}

func newRegister() *register {
	return &register{committed: make(map[string]standing), overlay: make(map[string]standing)}
}

// Cursor implements link.Accounts.
func (r *register) Cursor() (epoch, seq uint64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.epoch, r.seq
}

// Overlay implements link.Accounts.
func (r *register) Overlay(c wire.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Account != "" && r.overlay[c.Account].ver < c.Ver {
		r.overlay[c.Account] = standing{c.Status, c.Ver}
	}
}

// Apply implements link.Accounts.
func (r *register) Apply(epoch, first uint64, prev, hash wire.Hash, changes []wire.Change) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if first != r.seq+1 || prev != r.hash || r.seq > 0 && epoch != r.epoch {
		return fmt.Errorf("apply changes: %w: change %d after %d", errContradiction, first, r.seq)
	}
	for _, c := range changes {
		if c.Account == "" || c.Op == "" || r.committed[c.Account].ver >= c.Ver {
			continue
		}
		r.committed[c.Account] = standing{c.Status, c.Ver}
		if r.overlay[c.Account].ver <= c.Ver {
			delete(r.overlay, c.Account)
		}
	}
	r.epoch, r.seq, r.hash = epoch, r.seq+uint64(len(changes)), hash
	return nil
}

// Head implements link.Accounts.
func (r *register) Head(h wire.Head) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.epoch == 0:
		r.epoch = h.Epoch
	case h.Epoch != r.epoch, h.Seq == r.seq && h.Hash != r.hash:
		return fmt.Errorf("take head: %w", errContradiction)
	}
	return nil
}

// Committed is what the link asks before it gives back what was taken.
func (r *register) Committed(account string) (wire.Status, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s, ok := r.committed[account]
	return s.status, ok
}

// status is what a lane would be told.
func (r *register) status(account string) wire.Status {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if s, ok := r.overlay[account]; ok {
		return s.status
	}
	return r.committed[account].status
}

// book is a journal of crossings in memory. A record goes once headquarters
// has acknowledged it.
type book struct {
	gate  string
	epoch uint64

	mu    sync.Mutex
	acked uint64      // records up to here are gone
	last  wire.Hash   // of the newest record
	raws  [][]byte    // acked+1, acked+2, …
	sums  []wire.Hash // of them
}

// Epoch implements link.Journal.
func (b *book) Epoch() uint64 { return b.epoch }

// Ranges implements link.Journal.
func (b *book) Ranges() []link.Range {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []link.Range
	for _, s := range wire.Streams() {
		out = append(out, link.Range{Stream: s, First: 1, Next: 1})
	}
	out[0] = link.Range{Stream: wire.StreamCrossing, First: b.acked + 1, Next: b.acked + uint64(len(b.raws)) + 1, Acked: b.acked}
	return out
}

// Read implements link.Journal.
func (b *book) Read(s wire.Stream, from uint64, limit int) ([]link.Raw, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []link.Raw
	for seq := from; s == wire.StreamCrossing && seq > b.acked && seq <= b.acked+uint64(len(b.raws)) && len(out) < limit; seq++ {
		out = append(out, link.Raw{Seq: seq, Bytes: b.raws[seq-b.acked-1]})
	}
	return out, nil
}

// Acknowledge implements link.Journal.
func (b *book) Acknowledge(a wire.Ack) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.Cum <= b.acked {
		return nil
	}
	n := int(a.Cum - b.acked)
	if n > len(b.raws) || b.sums[n-1] != a.Hash {
		return fmt.Errorf("acknowledge record %d: %w", a.Cum, errContradiction)
	}
	b.acked, b.raws, b.sums = a.Cum, b.raws[n:], b.sums[n:]
	return nil
}

// add chains a record to the ones before it; seal fills its personal part in
// once it has its place.
func (b *book) add(r wire.Record, seal func(*wire.Record) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.Gate, r.Epoch, r.Stream, r.Seq, r.Prev = b.gate, b.epoch, wire.StreamCrossing, b.acked+uint64(len(b.raws))+1, b.last
	if err := seal(&r); err != nil {
		return err
	}
	raw, err := r.Encode()
	if err != nil {
		return err
	}
	b.last = wire.HashOf(raw)
	b.raws, b.sums = append(b.raws, raw), append(b.sums, b.last)
	return nil
}
