package app

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"bordergate/sync/wire"
)

// publishTimeout bounds one publish to our own broker.
const publishTimeout = 10 * time.Second

// deltaLife is how long an urgent message or a delta is good for. The log
// itself brings what came later than that.
const deltaLife = 10 * time.Minute

func (a *App) sessionID(conn uint64) string { return a.boot + "-" + strconv.FormatUint(conn, 10) }

func (a *App) hqState(conn uint64, online bool) ([]byte, error) {
	return a.id.sign(wire.RoleHead, wire.Header{Typ: wire.TypeHQ, To: wire.ToAll, Topic: wire.TopicHQ},
		wire.HQState{Online: online, Session: a.sessionID(conn)})
}

func (a *App) will(conn uint64) (string, []byte, bool) {
	b, err := a.hqState(conn, false)
	if err != nil {
		a.opts.Logger.Error("Last will not signed", "error", err)
	}
	return wire.TopicHQ, b, true
}

// announce says that ingest is there, after its subscriptions hold.
func (a *App) announce(conn uint64) {
	for _, name := range a.fleet.inService() {
		if g, _, err := a.fleet.gate(name); err == nil {
			a.logged(a.sendKey(g))
		}
	}
	a.sendHead()
	a.sendDocuments(context.Background()) // bounded; there is no caller who could tire
	a.conn.Store(conn)
	a.sendState()
}

// sendState says that ingest is there, once it has been announced.
func (a *App) sendState() {
	conn := a.conn.Load()
	if conn == 0 {
		return
	}
	b, err := a.hqState(conn, true)
	if err == nil {
		err = a.session.Send(wire.TopicHQ, b, true)
	}
	a.logged(err)
}

func (a *App) logged(err error) {
	if err != nil {
		a.opts.Logger.Warn("Message not published", "error", err)
	}
}

// acknowledge publishes the retained cumulative acknowledgement.
func (a *App) acknowledge(k recordKey, c recordCursor, resend bool) error {
	topic := wire.DownAck(k.gate, k.stream)
	b, err := a.id.sign(wire.RoleAck, wire.Header{
		Typ: wire.TypeAck, To: k.gate, Topic: topic, Epoch: k.epoch, Seq: c.cum,
	}, wire.Ack{Stream: k.stream.String(), Epoch: k.epoch, Cum: c.cum, Hash: c.hash, Resend: resend})
	if err != nil {
		return err
	}
	return a.session.Send(topic, b, true)
}

// sendKey publishes the group key to one gate, retained.
func (a *App) sendKey(g GateEntry) error {
	pub, err := wire.ParseSealKey(g.Seal)
	if err != nil {
		return err
	}
	kid, key := a.group()
	sealed, err := wire.SealGroupKey(pub, g.Gate, kid, key)
	if err != nil {
		return err
	}
	topic := wire.Down(g.Gate, wire.TypeKey)
	b, err := a.id.sign(wire.RoleDelta, wire.Header{Typ: wire.TypeKey, To: g.Gate, Topic: topic}, sealed)
	if err != nil {
		return err
	}
	return a.session.Send(topic, b, true)
}

func (a *App) group() (string, [32]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.id.groupKey()
}

// heads publishes the log's newest place again and again: its age tells gates
// how old their knowledge is. It also says that ingest is there when a gate has
// come.
func (a *App) heads(ctx context.Context) {
	t := time.NewTicker(a.opts.HeadEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if a.session.Connected() {
				a.sendHead()
				a.sendState()
			}
		case <-a.greet:
			a.sendState()
			select {
			case <-ctx.Done():
			case <-time.After(greetPause):
			}
		}
	}
}

// greetPause is between two answers to gates that have come. What is said is
// said to all of them, so that a fleet which comes back at once would have
// everybody told about everybody.
const greetPause = 250 * time.Millisecond

// greetSoon has the state sent to a gate that has come, and to those that come
// in the meantime.
func (a *App) greetSoon() {
	select {
	case a.greet <- struct{}{}:
	default:
	}
}

func (a *App) sendHead() { a.publishHead(a.ledger.Head()) }

func (a *App) publishHead(h wire.Head) {
	exp := time.Unix(0, h.Issued).Add(3 * a.opts.HeadEvery)
	b, err := a.id.sign(wire.RoleHead, wire.Header{
		Typ: wire.TypeHead, To: wire.ToAll, Topic: wire.TopicHead, Epoch: h.Epoch, Seq: h.Seq, Exp: exp.UnixMilli(),
	}, h)
	if err == nil {
		err = a.session.Send(wire.TopicHead, b, true)
	}
	a.logged(err)
}

// publishChanges sends what was just stored. It is called with the ledger's
// lock held, so that deltas go out in the log's order. A gate that misses one
// asks for it.
func (a *App) publishChanges(first uint64, prev wire.Hash, raws [][]byte, urgent bool) {
	if !a.session.Connected() {
		return
	}
	if urgent {
		a.logged(a.sendDelta(wire.TypeUrgent, wire.TopicUrgent, wire.ToAll, first, prev, raws))
	}
	a.logged(a.sendDelta(wire.TypeDelta, wire.TopicDelta, wire.ToAll, first, prev, raws))
	a.publishHead(wire.Head{Epoch: a.ledger.epoch, Seq: a.ledger.seq, Hash: a.ledger.hash, Issued: a.ledger.now().UnixNano()})
}

func (a *App) sendDelta(typ, topic, to string, first uint64, prev wire.Hash, raws [][]byte) error {
	b, err := a.delta(typ, topic, to, first, prev, raws)
	if err != nil {
		return err
	}
	return a.session.Send(topic, b, false)
}

func (a *App) delta(typ, topic, to string, first uint64, prev wire.Hash, raws [][]byte) ([]byte, error) {
	kid, key := a.group()
	d, err := wire.SealDelta(a.ledger.epoch, first, prev, raws, kid, key)
	if err != nil {
		return nil, err
	}
	return a.id.sign(wire.RoleDelta, wire.Header{
		Typ: typ, To: to, Topic: topic, Epoch: a.ledger.epoch, Seq: first, Exp: a.ledger.now().Add(deltaLife).UnixMilli(),
	}, d)
}

// replay sends one gate everything after its cursor, each message only after
// the broker has taken the one before.
func (a *App) replay(ctx context.Context, gate string, cursor uint64) error {
	topic := wire.Down(gate, wire.TypeDelta)
	for {
		seg, raws, ok, err := a.ledger.after(ctx, cursor)
		if err != nil || !ok {
			return err
		}
		b, err := a.delta(wire.TypeDelta, topic, gate, seg.first, seg.prev, raws)
		if err != nil {
			return err
		}
		if err := a.publish(ctx, topic, b); err != nil {
			return fmt.Errorf("replay changes: %w", err)
		}
		cursor = seg.last
	}
}

// replays runs what gates have asked for: one at a time for a gate, a few at a
// time for all.
type replays struct {
	mu      sync.Mutex
	pending map[string]wish
	running map[string]bool
	wake    chan struct{}
}

const replayWorkers = 4

func newReplays() *replays {
	return &replays{
		pending: make(map[string]wish), running: make(map[string]bool), wake: make(chan struct{}, replayWorkers),
	}
}

// ask notes a gate's wish. The newest one counts, but a fetch that goes on where
// the one before it ends is added to it.
func (r *replays) ask(gate string, w wish) {
	r.mu.Lock()
	r.pending[gate] = w.after(r.pending[gate])
	r.mu.Unlock()
	r.nudge()
}

func (r *replays) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *replays) next() (string, wish, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for gate, h := range r.pending {
		if !r.running[gate] {
			delete(r.pending, gate)
			r.running[gate] = true
			return gate, h, true
		}
	}
	return "", wish{}, false
}

func (r *replays) done(gate string) {
	r.mu.Lock()
	delete(r.running, gate)
	r.mu.Unlock()
	r.nudge()
}

func (r *replays) serve(ctx context.Context, run func(context.Context, string, wish) error) {
	var wg sync.WaitGroup
	for range replayWorkers {
		wg.Go(func() {
			for ctx.Err() == nil {
				gate, w, ok := r.next()
				if !ok {
					select {
					case <-ctx.Done():
					case <-r.wake:
					}
					continue
				}
				_ = run(ctx, gate, w) // the gate asks again
				r.done(gate)
			}
		})
	}
	wg.Wait()
}
