package app

import (
	"context"
	"errors"
	"time"

	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// storeTimeout bounds the wait for the store. A cluster that loses a node is
// back well before that.
const storeTimeout = 30 * time.Second

// ingest takes in the messages of a shard's gates, one after another.
func (a *App) ingest(ctx context.Context, in <-chan link.Message) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-in:
			a.take(ctx, m)
			m.Ack()
		}
	}
}

func (a *App) take(ctx context.Context, m link.Message) {
	topic, err := wire.ParseTopic(m.Topic)
	if err != nil {
		return
	}
	entry, ring, err := a.fleet.gate(topic.Gate)
	if err != nil {
		a.fleet.count("", "unknown_gate")
		return
	}
	if m.Retained {
		a.fleet.count(topic.Gate, "retained")
		return
	}
	_, payload, err := ring.Verify(m.Payload, wire.Want{Typ: topic.Typ, Topic: m.Topic, To: wire.ToHQ, Role: wire.RoleGate})
	if err == nil {
		err = a.handle(ctx, entry, topic, m.Payload, payload)
	}
	if err != nil {
		a.fleet.count(topic.Gate, cause(err))
		a.opts.Logger.Warn("Message of a gate refused", "gate", topic.Gate, "type", topic.Typ, "error", err)
	}
}

func cause(err error) string {
	switch {
	case errors.Is(err, ErrFork):
		return "fork"
	case errors.Is(err, wire.ErrChain):
		return "chain"
	case errors.Is(err, wire.ErrSignature) || errors.Is(err, wire.ErrKey) || errors.Is(err, wire.ErrRole):
		return "signature"
	}
	return "refused"
}

func (a *App) handle(ctx context.Context, g GateEntry, topic wire.Topic, signed, payload []byte) error {
	switch topic.Typ {
	case wire.TypeBirth:
		b, err := wire.Decode[wire.Birth](payload)
		if err != nil {
			return err
		}
		return a.onBirth(ctx, g, signed, b)
	case wire.TypeDeath:
		d, err := wire.Decode[wire.Death](payload)
		if err != nil {
			return err
		}
		// A will comes late: it ends only the connection it was made for.
		a.fleet.with(g.Gate, func(s *gateState) { s.up = s.up && s.boot != d.Boot })
	case wire.TypeState:
		st, err := wire.Decode[wire.State](payload)
		if err != nil {
			return err
		}
		a.fleet.with(g.Gate, func(s *gateState) { s.say(st) })
		a.onLag(ctx, st, time.Now())
	case wire.TypeHello:
		h, err := wire.Decode[wire.Hello](payload)
		if err != nil {
			return err
		}
		return a.onHello(ctx, g, h)
	case wire.TypeFetch:
		f, err := wire.Decode[wire.Fetch](payload)
		if err == nil {
			err = f.Check()
		}
		if err != nil {
			return err
		}
		a.replays.ask(g.Gate, wish{Fetch: &f})
	case wire.TypeRecords:
		r, err := wire.Decode[wire.Records](payload)
		if err != nil {
			return err
		}
		return a.onRecords(ctx, g, topic.Stream, signed, r)
	case wire.TypeLive:
		r, err := wire.Decode[wire.Records](payload)
		if err != nil {
			return err
		}
		return a.onLive(g, topic.Stream, r)
	case wire.TypeApplied:
		ap, err := wire.Decode[wire.Applied](payload)
		if err != nil {
			return err
		}
		return a.onApplied(ctx, g, ap)
	case wire.TypeResult:
		return a.onResult(g.Gate, payload)
	}
	return nil
}

// onBirth answers with where HQ stands, for every stream, and the group key.
func (a *App) onBirth(ctx context.Context, g GateEntry, signed []byte, b wire.Birth) error {
	a.fleet.with(g.Gate, func(s *gateState) {
		s.boot, s.birth, s.up = b.Boot, b, true
		if s.twins.born(b.Boot, s.seen) {
			s.count["two_gates"]++
			a.opts.Logger.Error("Two machines work as one gate", "gate", g.Gate,
				"hint", "find the one that should not be there; give it an identity of its own with gatectl identity init")
		}
	})
	if err := a.sendKey(g); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	for _, stream := range wire.Streams() {
		k := recordKey{g.Gate, stream, b.JournalEpoch}
		c, err := a.records.place(ctx, k)
		if err == nil {
			c, err = a.acceptLoss(ctx, k, c, signed, b)
		}
		if err != nil {
			return err
		}
		if err := a.acknowledge(k, c, false); err != nil {
			return err
		}
	}
	a.greetSoon() // the retained one it got may have been an earlier session's
	return nil
}

// acceptLoss goes on from where the gate's journal begins, when that is beyond
// what the store holds: the gate gave up what an earlier headquarters had
// acknowledged, and this store was put back to before that, or is new. The
// signed birth stands in the store for what is lost.
func (a *App) acceptLoss(ctx context.Context, k recordKey, c recordCursor, signed []byte, b wire.Birth) (recordCursor, error) {
	for _, r := range b.Streams {
		if r.Name != k.stream.String() || r.First <= c.cum+1 || r.Next < r.First || r.Before == (wire.Hash{}) {
			continue
		}
		lost := r.First - 1 - c.cum
		a.fleet.count(k.gate, "lost")
		a.opts.Logger.Error("Records are lost: the store was put back to before what the gate still keeps",
			"gate", k.gate, "stream", k.stream.String(), "first", c.cum+1, "count", lost)
		return a.records.skip(ctx, k, signed, r.First-1, r.Before)
	}
	return c, nil
}

// onRecords stores and only then acknowledges. Where something is missing, or
// the store did not take it, the acknowledgement says from where to send again.
func (a *App) onRecords(ctx context.Context, g GateEntry, stream wire.Stream, signed []byte, r wire.Records) error {
	recs, hashes, err := r.Check(g.Gate, stream)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	k := recordKey{g.Gate, stream, r.Epoch}
	v, c, err := a.records.put(ctx, k, signed, recs, hashes)
	if errors.Is(err, ErrFork) {
		// The gate compares the hash with its own chain and stops.
		return errors.Join(err, a.acknowledge(k, c, false))
	}
	if err != nil {
		return err // the gate's own timer brings the records again
	}
	switch {
	case v == gapped:
		a.fleet.count(g.Gate, "gap")
	case v == stored && !r.Historical:
		a.news.tell(recs, true)
	}
	return a.acknowledge(k, c, v == gapped)
}

// onHello sends what the gate lacks. A decision that its cursor has passed and
// on which no report was kept, since HQ or the gate went down at that moment,
// is in force there all the same.
func (a *App) onHello(ctx context.Context, g GateEntry, h wire.Hello) error {
	if h.NoKey {
		if err := a.sendKey(g); err != nil {
			return err
		}
	}
	a.replays.ask(g.Gate, wish{Hello: h})
	if h.Epoch != a.ledger.epoch {
		return nil
	}
	for _, d := range a.ledger.upTo(h.Cursor) {
		if a.events.known(g.Gate, d.ID) {
			continue
		}
		if err := a.events.Applied(ctx, g.Gate, d.ID, event{At: time.Now().UnixNano(), Inferred: true}); err != nil {
			return err
		}
	}
	return nil
}

// onApplied keeps when a gate began to follow decisions that HQ has made.
func (a *App) onApplied(ctx context.Context, g GateEntry, ap wire.Applied) error {
	if ap.Epoch != a.ledger.epoch {
		return nil
	}
	for _, d := range ap.Decisions {
		made, err := a.ledger.Decision(d.ID)
		if err != nil {
			return err
		}
		at := effective(d.At, made.At, a.opts.Now().UnixNano())
		if err := a.events.Applied(ctx, g.Gate, d.ID, event{At: at, Mono: d.Mono}); err != nil {
			return err
		}
	}
	for _, d := range ap.Refused {
		a.fleet.count(g.Gate, "decision_refused")
		a.opts.Logger.Error("Gate refused a change", "gate", g.Gate, "seq", d.Seq, "why", d.Why)
		if _, err := a.ledger.Decision(d.ID); err != nil {
			continue
		}
		if err := a.events.Applied(ctx, g.Gate, d.ID, event{At: time.Now().UnixNano(), Refused: d.Why}); err != nil {
			return err
		}
	}
	return nil
}
