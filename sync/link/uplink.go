package link

import (
	"context"
	"crypto/hpke"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"bordergate/sync/wire"
)

// UplinkOptions are the parts and settings of an Uplink.
type UplinkOptions struct {
	Gate    string
	Ring    *wire.Keyring // of HQ's bundle
	Seal    hpke.PublicKey
	Journal Journal
	Keys    DayKeys
	// Send publishes one signed message of the gate without waiting for it.
	Send func(topic, typ string, seq uint64, v any) error
	// Birth publishes the gate's birth, which HQ answers with its cursors.
	Birth func()
	// OnFatal is called with a *Contradiction when HQ and the journal
	// contradict each other. The gate must not go on.
	OnFatal func(error)
	// OnHQ is called with whether HQ's ingest can be reached; fresh says that
	// it has heard nothing of this connection yet. No callback may block.
	OnHQ   func(online, fresh bool)
	Stall  time.Duration // time without progress before starting again, 30 s
	Resend time.Duration // shortest time between two resends from one place, 2 s
	Logger *slog.Logger
}

// Uplink sends the journal to HQ.
type Uplink struct {
	opts     UplinkOptions
	in       chan Message
	wake     chan struct{}
	counters *counters
	lanes    []*lane
	up       bool   // a connection whose subscriptions hold
	online   bool   // HQ's ingest is there
	session  string // of HQ
	born     string // session of HQ to which the gate was born on this connection
	wrapped  map[dayClass][]byte
}

type dayClass struct {
	day   uint32
	class uint8
}

// lane is one stream's way to HQ.
type lane struct {
	stream  wire.Stream
	pace    pace     // how many batches may be under way
	known   bool     // HQ has said where it is, on this connection
	acked   uint64   // what HQ has
	sent    uint64   // what has been sent
	flight  []flight // batches under way
	live    uint64   // records before this one were written before the connection
	told    uint64   // last record of which a copy was sent
	moved   time.Time
	rewound time.Time
}

// flight is a batch under way: its last sequence, and when it was sent.
type flight struct {
	last uint64
	at   time.Time
}

func newUplink(o UplinkOptions, c *counters) *Uplink {
	if o.Stall <= 0 {
		o.Stall = 30 * time.Second
	}
	if o.Resend <= 0 {
		o.Resend = 2 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	u := &Uplink{
		opts: o, in: make(chan Message, 256), wake: make(chan struct{}, 1), counters: c,
		wrapped: make(map[dayClass][]byte),
	}
	// In order of rank: a crossing never waits behind evidence, and evidence
	// never fills the link.
	for _, s := range wire.Streams() {
		most := map[wire.Stream]int{wire.StreamTelemetry: 32, wire.StreamImage: 4}[s]
		if most == 0 {
			most = 128
		}
		u.lanes = append(u.lanes, &lane{stream: s, pace: newPace(most)})
	}
	return u
}

// Notify says that the journal has grown. It never blocks.
func (u *Uplink) Notify() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// serve sends and takes acknowledgements until ctx ends.
func (u *Uplink) serve(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-u.in:
			u.handle(m)
		case <-u.wake:
		case <-tick.C:
			u.stall(time.Now())
		}
		u.pump(ctx)
	}
}

func (u *Uplink) handle(m Message) {
	switch m.Kind {
	case Up:
		u.up, u.online, u.session, u.born = false, false, "", ""
		u.reset()
	case Ready:
		u.up = true
		// A retained state may be older than HQ's last word: the broker takes
		// it in later than it passes it on. The birth has HQ say it again; if
		// HQ is not there yet, it speaks when it comes, and we listen by now.
		u.opts.Birth()
		u.introduce()
	case Down:
		// The next connection's retained state speaks for itself.
		u.up, u.online, u.session, u.born = false, false, "", ""
		u.opts.OnHQ(false, false)
	case Received:
		u.receive(m)
		m.Ack()
	}
}

// reset forgets what was under way: it counts as not delivered.
func (u *Uplink) reset() {
	next := make(map[wire.Stream]uint64, len(u.lanes))
	for _, r := range u.opts.Journal.Ranges() {
		next[r.Stream] = r.Next
	}
	for _, l := range u.lanes {
		l.known, l.flight, l.live = false, nil, next[l.stream]
		l.pace.restart()
		l.moved, l.rewound = time.Now(), time.Time{}
	}
}

func (u *Uplink) receive(m Message) {
	topic, err := wire.ParseTopic(m.Topic)
	switch {
	case err != nil || topic.Gate != "" && topic.Gate != u.opts.Gate:
		u.counters.add(causeTopic)
	case topic.Typ == wire.TypeHQ:
		u.onHQ(m)
	case topic.Typ == wire.TypeAck:
		u.onAck(m, topic.Stream)
	default:
		u.counters.add(causeTopic)
	}
}

// onHQ follows whether HQ's ingest is there. A new session of HQ has seen
// nothing of what was sent to the one before it.
func (u *Uplink) onHQ(m Message) {
	s, err := verify[wire.HQState](u.opts.Ring, m, "", wire.TypeHQ, wire.RoleHead, nil)
	if err != nil {
		u.counters.add(causeOf(err))
		return
	}
	switch {
	case s.Online:
		u.online, u.session = true, s.Session
	case s.Session == u.session || u.session == "":
		u.online = false
	default:
		u.counters.add(causeReplayed) // the late will of an earlier session
	}
	u.introduce()
}

// introduce has the gate born once for each connection and session of HQ: what
// was said to an earlier session, or to nobody, was heard by nobody.
func (u *Uplink) introduce() {
	fresh := u.up && u.online && u.born != u.session
	if fresh {
		u.reset()
		u.born = u.session
		u.opts.Birth()
	}
	u.opts.OnHQ(u.up && u.online, fresh)
}

func (u *Uplink) onAck(m Message, stream wire.Stream) {
	a, err := verify[wire.Ack](u.opts.Ring, m, u.opts.Gate, wire.TypeAck, wire.RoleAck, nil)
	if err == nil && a.Stream != stream.String() {
		err = wire.ErrTopic
	}
	if err != nil {
		u.counters.add(causeOf(err))
		u.opts.Logger.Warn("Acknowledgement refused", "cause", causeOf(err))
		return
	}
	l := u.lane(stream)
	r, ok := u.rangeOf(stream)
	switch {
	case !ok || a.Epoch != u.opts.Journal.Epoch():
		u.counters.add(causeEpoch) // of an earlier journal; HQ's answer to birth names ours
		return
	case l.known && a.Cum < l.acked:
		u.counters.add(causeReplayed)
		return
	case a.Cum >= r.Next:
		u.fatal(stream, a.Cum, fmt.Errorf("HQ has record %d, the journal ends before %d", a.Cum, r.Next))
		return
	case a.Cum+1 < r.First:
		// HQ was put back to before what is kept. The birth says where the
		// journal begins, and HQ's answer goes on from there.
		u.counters.add(causeGone)
		return
	}
	if a.Cum > 0 {
		err := u.opts.Journal.Acknowledge(a)
		if errors.Is(err, ErrNotNow) {
			u.counters.add(causeStore)
			u.opts.Logger.Warn("Acknowledgement not kept", "stream", stream.String(), "error", err)
			return
		}
		if err != nil {
			u.fatal(stream, a.Cum, err)
			return
		}
	}
	if m.Retained {
		// It may be older than HQ's last word, or HQ may have been put back to
		// before it: only its answer to the birth says from where to send.
		return
	}
	u.advance(l, a)
}

// Contradiction says that HQ holds something else than the journal under a
// record's number.
type Contradiction struct {
	Stream wire.Stream
	Seq    uint64
	Err    error
}

func (c *Contradiction) Error() string { return fmt.Sprintf("acknowledge %s: %v", c.Stream, c.Err) }

// Unwrap gives the cause.
func (c *Contradiction) Unwrap() error { return c.Err }

func (u *Uplink) fatal(s wire.Stream, seq uint64, err error) {
	u.counters.add("contradiction")
	u.opts.OnFatal(&Contradiction{s, seq, err})
}

// advance moves the lane to what HQ has said.
func (u *Uplink) advance(l *lane, a wire.Ack) {
	now := time.Now()
	switch {
	case !l.known:
		l.known, l.sent, l.flight, l.moved = true, a.Cum, nil, now
	case a.Cum > l.acked:
		l.moved = now
	case a.Resend && now.Sub(l.rewound) >= u.opts.Resend:
		// Each batch behind a hole brings this; one resend answers them all.
		u.counters.add(causeResend)
		l.rewound, l.sent, l.flight = now, a.Cum, nil
	}
	l.acked = a.Cum
	l.sent = max(l.sent, l.acked)
	l.land(now)
}

// land takes what was acknowledged out of the flight.
func (l *lane) land(now time.Time) {
	n := 0
	for n < len(l.flight) && l.flight[n].last <= l.acked {
		n++
	}
	if n > 0 {
		l.pace.acked(n, l.flight[n-1].at, now)
		l.flight = l.flight[n:]
	}
}

// stall starts again where a cursor has not moved for long although something
// is under way, or where HQ never said where it is.
func (u *Uplink) stall(now time.Time) {
	birth := false
	for _, l := range u.lanes {
		if !u.up || !u.online || now.Sub(l.moved) < u.opts.Stall || l.known && len(l.flight) == 0 {
			continue
		}
		u.counters.add(causeStall)
		l.moved, l.known, l.flight = now, false, nil
		birth = true
	}
	if birth {
		u.opts.Birth()
	}
}

func (u *Uplink) lane(s wire.Stream) *lane { return u.lanes[int(s)-1] }

func (u *Uplink) rangeOf(s wire.Stream) (Range, bool) {
	for _, r := range u.opts.Journal.Ranges() {
		if r.Stream == s {
			return r, true
		}
	}
	return Range{}, false
}

// pump sends copies of what is new where it does not come to its turn, then
// what the paces allow, higher ranks first.
func (u *Uplink) pump(ctx context.Context) {
	if !u.up || !u.online {
		return
	}
	err := u.copies()
	if err == nil {
		err = u.batches(ctx)
	}
	if err != nil { // the connection is going; the next one starts from HQ's cursor
		u.opts.Logger.Warn("Records not sent", "error", err)
	}
}

func (u *Uplink) batches(ctx context.Context) error {
	for _, r := range u.opts.Journal.Ranges() {
		l := u.lane(r.Stream)
		for l.known && l.pace.room(len(l.flight)) && l.sent+1 < r.Next && ctx.Err() == nil {
			if err := u.batch(l); err != nil {
				return fmt.Errorf("send %s: %w", l.stream, err)
			}
		}
	}
	return nil
}

// batch sends the next records of a lane.
func (u *Uplink) batch(l *lane) error {
	out, err := u.collect(l, l.sent+1)
	if err != nil {
		return err
	}
	out.Historical = out.First < l.live
	if err := u.opts.Send(wire.UpRecords(u.opts.Gate, l.stream), wire.TypeRecords, out.First, out); err != nil {
		return err
	}
	now := time.Now()
	if len(l.flight) == 0 {
		l.moved = now
	}
	l.sent += uint64(out.N)
	l.flight = append(l.flight, flight{l.sent, now})
	return nil
}

// collect gives the records of a lane from a sequence on, as many as go into
// one message, with the day keys that they need.
func (u *Uplink) collect(l *lane, from uint64) (wire.Records, error) {
	out := wire.Records{Stream: l.stream.String(), Epoch: u.opts.Journal.Epoch(), First: from}
	most := uint64(wire.MaxBatch)
	if from < l.live {
		most = min(most, l.live-from) // a batch is of the backlog or of what is new, never of both
	}
	raws, err := u.opts.Journal.Read(l.stream, from, int(most))
	if err != nil {
		u.counters.add(causeStore)
		return out, fmt.Errorf("read journal: %w", err)
	}
	size := 0
	seen := make(map[dayClass]bool)
	for _, raw := range raws {
		if raw.Seq != out.First+uint64(out.N) {
			u.counters.add(causeStore)
			return out, fmt.Errorf("read journal: record %d where %d was due", raw.Seq, out.First+uint64(out.N))
		}
		if out.N > 0 && size+len(raw.Bytes) > wire.MaxBatchBytes {
			break
		}
		size += len(raw.Bytes)
		out.Records = append(out.Records, raw.Bytes)
		out.N++
		if k, ok := u.dayKey(raw.Bytes, seen); ok {
			out.Keys = append(out.Keys, k)
		}
	}
	if out.N == 0 {
		return out, fmt.Errorf("read journal: no record %d", out.First)
	}
	return out, nil
}

// dayKey gives the sealed key of a record's personal part, once a batch. A key
// that was destroyed is left out: its personal part is gone for good.
func (u *Uplink) dayKey(b []byte, seen map[dayClass]bool) (wire.DayKey, bool) {
	rec, err := wire.DecodeRecord(b)
	k := dayClass{rec.Day, rec.Class}
	if err != nil || len(rec.Sealed) == 0 || seen[k] {
		return wire.DayKey{}, false
	}
	seen[k] = true
	sealed, ok := u.wrapped[k]
	if !ok {
		if sealed, err = u.opts.Keys.WrapFor(rec.Class, rec.Day, u.opts.Seal); err != nil {
			u.counters.add("day_key")
			return wire.DayKey{}, false
		}
		if len(u.wrapped) >= 64 {
			clear(u.wrapped)
		}
		u.wrapped[k] = sealed
	}
	return wire.DayKey{Day: k.day, Class: k.class, Sealed: sealed}, true
}
