package app

import (
	"context"
	"fmt"
	"os"

	"bordergate/sync/wire"
)

// wish is what a gate has asked for: changes after its cursor, or, where Fetch
// is there, pieces of a snapshot.
type wish struct {
	wire.Hello
	Fetch *wire.Fetch
}

// maxPending bounds the pieces that wait to be sent to one gate.
const maxPending = 4 * wire.MaxFetch

// after is the wish together with the one that was not begun yet.
func (w wish) after(old wish) wish {
	if w.Fetch == nil || old.Fetch == nil || old.Fetch.ID != w.Fetch.ID || old.Fetch.From+old.Fetch.N != w.Fetch.From {
		return w
	}
	f := *old.Fetch
	f.N = min(f.N+w.Fetch.N, maxPending) // what is beyond is asked for again
	return wish{Fetch: &f}
}

// serveWish gives a gate what it asked for. A gate that is at another epoch, or
// too far behind, gets a snapshot in place of the log.
func (a *App) serveWish(ctx context.Context, gate string, w wish) error {
	switch {
	case w.Fetch != nil:
		return a.sendPieces(ctx, gate, *w.Fetch)
	case w.Epoch > a.ledger.epoch:
		a.fleet.count(gate, "epoch")
		return fmt.Errorf("replay changes: gate is at a later epoch")
	case w.Epoch != 0 && w.Epoch != a.ledger.epoch:
		return a.sendSnapshot(ctx, gate, 0, 0)
	case a.snapshots.far(w.Cursor):
		after, n, err := a.sendMissed(ctx, gate, w.Cursor)
		if err != nil {
			return err
		}
		return a.sendSnapshot(ctx, gate, after, n)
	}
	return a.replay(ctx, gate, w.Cursor)
}

// maxMissed bounds the messages that go before a snapshot; what is older comes
// with it.
const maxMissed = 1000

// sendMissed sends a gate that is about to fetch a snapshot the restrictions it
// has missed, so that they bite while the old accounts still serve. A gate that
// knows nothing yet admits nobody and needs none. It says how many messages hold
// all of them after which place, 0 where not all were sent.
func (a *App) sendMissed(ctx context.Context, gate string, cursor uint64) (after uint64, n int, err error) {
	if cursor == 0 {
		return 0, 0, nil
	}
	topic := wire.Down(gate, wire.TypeUrgent)
	list := a.ledger.restricting(cursor, maxMissed+1)
	if len(list) <= maxMissed {
		after, n = cursor, len(list)
	}
	for _, seg := range list[:min(len(list), maxMissed)] {
		raws, err := a.ledger.raws(ctx, seg)
		if err != nil {
			return 0, 0, err
		}
		b, err := a.delta(wire.TypeUrgent, topic, gate, seg.first, seg.prev, raws)
		if err != nil {
			return 0, 0, err
		}
		if err := a.publish(ctx, topic, b); err != nil {
			return 0, 0, fmt.Errorf("send missed restrictions: %w", err)
		}
	}
	return after, n, nil
}

// sendSnapshot offers the newest snapshot to a gate, and says what went before.
func (a *App) sendSnapshot(ctx context.Context, gate string, after uint64, missed int) error {
	s, err := a.snapshots.newest(ctx)
	if err != nil {
		return err
	}
	m := s.Manifest
	m.After, m.Missed = after, missed
	kid, group := a.group()
	if err := m.SealKey(kid, group, s.key); err != nil {
		return err
	}
	topic := wire.Down(gate, wire.TypeSnapshot)
	b, err := a.id.sign(wire.RoleSnapshot, wire.Header{
		Typ: wire.TypeSnapshot, To: gate, Topic: topic, Epoch: m.Epoch, Seq: m.Seq, Exp: a.ledger.now().Add(deltaLife).UnixMilli(),
	}, m)
	if err != nil {
		return err
	}
	return a.publish(ctx, topic, b)
}

// sendPieces sends what a gate has asked for of a snapshot, or offers it the
// newest one where that snapshot is gone.
func (a *App) sendPieces(ctx context.Context, gate string, f wire.Fetch) error {
	a.snapshots.mu.Lock()
	s := a.snapshots.cur
	a.snapshots.mu.Unlock()
	if s == nil || s.Manifest.ID != f.ID {
		return a.sendSnapshot(ctx, gate, 0, 0)
	}
	file, err := os.Open(a.snapshots.pieces(f.ID))
	if err != nil {
		return fmt.Errorf("send snapshot: %w", err)
	}
	defer file.Close() //nolint:errcheck // read only
	topic := wire.Down(gate, wire.TypePiece)
	for n := f.From; n < min(f.From+f.N, s.Manifest.Pieces); n++ {
		b := make([]byte, s.Sizes[n])
		if _, err := file.ReadAt(b, s.at[n]); err != nil {
			return fmt.Errorf("send snapshot: %w", err)
		}
		msg, err := wire.Sign(a.id.roles[wire.RoleSnapshot], wire.Header{Typ: wire.TypePiece, Ver: 1, To: gate, Topic: topic, Epoch: s.Manifest.Epoch, Seq: uint64(n)}, b)
		if err != nil {
			return err
		}
		if err := a.offer(ctx, topic, msg); err != nil {
			return fmt.Errorf("send snapshot: %w", err)
		}
	}
	return nil
}

// offer hands a piece to our own broker, which does not store it: the gate has
// asked for a few only and asks again for what does not come.
func (a *App) offer(ctx context.Context, topic string, b []byte) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	return a.session.Offer(ctx, topic, b)
}

// publish waits until our own broker has taken the message.
func (a *App) publish(ctx context.Context, topic string, b []byte) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	return a.session.Publish(ctx, topic, b, false)
}
