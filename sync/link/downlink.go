package link

import (
	"context"
	"crypto/hpke"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"bordergate/sync/wire"
)

// DownlinkOptions are the parts and settings of a Downlink.
type DownlinkOptions struct {
	Gate     string
	Ring     *wire.Keyring // of HQ's bundle
	Key      hpke.PrivateKey
	Accounts Accounts
	// Say publishes a signed message of the gate.
	Say func(typ string, v any)
	// OnChange is called with the id of an account each time what the gate
	// knows of it has changed, before the change is committed if it restricts.
	// It must not block.
	OnChange func(account string)
	// OnCatchingUp is called when CatchingUp changes. It must not block.
	OnCatchingUp func(bool)
	// OnCommand is given each command of HQ to this gate; it must not block.
	OnCommand func(Order)
	// OnDocument is given each signed policy and officers' list; it must not
	// block.
	OnDocument func(Document)
	// Boot is what the gate calls a connection in its birth.
	Boot        func(conn uint64) string
	Now         Clock
	CatchUp     time.Duration // catching up ends when nothing has come for so long, 10 s
	CatchUpMost time.Duration // longest time of catching up, 5 min
	HelloEvery  time.Duration // shortest time between two requests for changes, 2 s
	BehindAfter time.Duration // how long the head may be ahead before a request, 5 s
	Logger      *slog.Logger
}

func (o DownlinkOptions) withDefaults() DownlinkOptions {
	if o.CatchUp <= 0 {
		o.CatchUp = 10 * time.Second
	}
	if o.CatchUpMost <= 0 {
		o.CatchUpMost = 5 * time.Minute
	}
	if o.HelloEvery <= 0 {
		o.HelloEvery = 2 * time.Second
	}
	if o.BehindAfter <= 0 {
		o.BehindAfter = 5 * time.Second
	}
	if o.OnChange == nil {
		o.OnChange = func(string) {}
	}
	if o.OnCatchingUp == nil {
		o.OnCatchingUp = func(bool) {}
	}
	if o.OnCommand == nil {
		o.OnCommand = func(Order) {}
	}
	if o.OnDocument == nil {
		o.OnDocument = func(Document) {}
	}
	if o.Boot == nil {
		o.Boot = func(uint64) string { return "" }
	}
	if o.Now == nil {
		o.Now = func() (time.Time, bool) { return time.Now(), true }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// maxRecent bounds the decisions that are reported again to a new session of
// HQ, which may not have kept the first report.
const maxRecent = 256

// maxEffects bounds the decisions whose moment of effect is remembered between
// their urgent message and their place in the log.
const maxEffects = 1024

// Downlink brings HQ's account changes into the replica.
type Downlink struct {
	opts     DownlinkOptions
	in       chan Message
	refresh  chan struct{}
	counters *counters
	catching atomic.Bool

	// Only Serve's goroutine touches these.
	keys     map[string][32]byte
	keyOrder []string
	head     wire.Head
	heard    bool // a head since the link came up
	effects  map[string]effect
	recent   wire.Applied        // last decisions reported
	hello    time.Time           // when the last one went
	asked    uint64              // the cursor it named
	missed   map[uint64]struct{} // places of the restrictions that came for it
	wantMore bool                // a hello is due once HelloEvery allows it
	keyless  bool                // what came could not be opened for want of the group key
	behind   time.Time           // since when the head is ahead
	bound    catchup             // end of catching up
	snap     *transfer           // a snapshot on its way
	other    wire.Head           // newest of a later epoch
	reset    time.Time           // when the replica was last emptied
	built    chan error          // how a snapshot's installation ended
	builder  sync.WaitGroup
}

func newDownlink(o DownlinkOptions, c *counters) *Downlink {
	return &Downlink{
		opts: o.withDefaults(), in: make(chan Message, 256), refresh: make(chan struct{}, 1), counters: c,
		keys: make(map[string][32]byte), effects: make(map[string]effect), missed: make(map[uint64]struct{}),
		built: make(chan error, 1),
	}
}

// Refresh has HQ asked for the changes after the cursor. It never blocks.
func (d *Downlink) Refresh() {
	select {
	case d.refresh <- struct{}{}:
	default:
	}
}

// serve handles what comes in until ctx ends.
func (d *Downlink) serve(ctx context.Context) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	defer d.builder.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-d.in:
			d.handle(m)
			d.install(ctx)
		case err := <-d.built:
			d.installed(err)
		case <-d.refresh:
			d.repeat()
		case <-tick.C:
			d.tick(time.Now())
		}
	}
}

func (d *Downlink) handle(m Message) {
	switch m.Kind {
	case Up:
		d.heard = false
		d.behindNow(time.Now())
	case Down:
		d.setCatching(false)
		d.wantMore, d.behind = false, time.Time{}
		d.interrupt()
	case Received:
		d.receive(m)
		m.Ack()
	}
}

// tick does what time alone brings about.
func (d *Downlink) tick(now time.Time) {
	d.giveUp(now)
	if !d.behind.IsZero() && now.Sub(d.behind) >= d.opts.BehindAfter {
		d.behind = now
		d.wantMore = true
	}
	d.hurry(now)
	if d.wantMore {
		d.ask()
	}
}

// repeat says to a new session of HQ what the one before may not have kept,
// and only then asks: HQ takes a cursor without a report for a report.
func (d *Downlink) repeat() {
	if len(d.recent.Decisions)+len(d.recent.Refused) > 0 {
		d.opts.Say(wire.TypeApplied, d.recent)
	}
	d.hello = time.Time{} // whoever heard the last one is gone
	d.ask()
}

// remember keeps a report for repeat.
func (d *Downlink) remember(a wire.Applied) {
	d.recent.Epoch, d.recent.Cursor = a.Epoch, a.Cursor
	d.recent.Decisions = lastOf(append(d.recent.Decisions, a.Decisions...))
	d.recent.Refused = lastOf(append(d.recent.Refused, a.Refused...))
}

func lastOf[T any](list []T) []T {
	return append([]T(nil), list[max(0, len(list)-maxRecent):]...)
}

// ask sends hello, at most every HelloEvery.
func (d *Downlink) ask() {
	now := time.Now()
	if d.snap != nil || now.Sub(d.hello) < d.opts.HelloEvery { // a snapshot on its way is the answer
		d.wantMore = true
		return
	}
	d.hello, d.wantMore = now, false
	epoch, seq := d.opts.Accounts.Cursor()
	d.asked, d.missed = seq, make(map[uint64]struct{})
	d.opts.Say(wire.TypeHello, wire.Hello{Epoch: epoch, Cursor: seq, NoKey: d.keyless})
}

func (d *Downlink) receive(m Message) {
	topic, err := wire.ParseTopic(m.Topic)
	if err != nil || topic.Gate != "" && topic.Gate != d.opts.Gate {
		d.counters.add(causeTopic)
		return
	}
	switch topic.Typ {
	case wire.TypeKey:
		d.onKey(m)
	case wire.TypeDelta, wire.TypeUrgent:
		d.onDelta(m, topic.Typ)
	case wire.TypeHead:
		d.onHead(m)
	case wire.TypeSnapshot:
		d.onSnapshot(m)
	case wire.TypePiece:
		d.onPiece(m)
	case wire.TypeCommand:
		d.onCommand(m)
	case wire.TypePolicy, wire.TypeOfficers:
		d.onDocument(m, topic.Typ)
	default:
		d.counters.add(causeTopic)
	}
}

// verify checks a message of HQ and decodes its payload. A clock that is not
// to be trusted judges no expiry; sequence, chain and version still do.
func verify[T any](ring *wire.Keyring, m Message, gate, typ string, role wire.Role, clock Clock) (T, error) {
	want := wire.Want{Typ: typ, Topic: m.Topic, To: gate, Role: role}
	if clock != nil {
		if now, ok := clock(); ok {
			want.Now = now
		}
	}
	_, payload, err := ring.Verify(m.Payload, want)
	if err != nil {
		return *new(T), err
	}
	return wire.Decode[T](payload)
}

func (d *Downlink) refuse(err error) {
	cause := causeOf(err)
	d.counters.add(cause)
	d.opts.Logger.Warn("Message refused", "cause", cause)
}

func (d *Downlink) onKey(m Message) {
	g, err := verify[wire.GroupKey](d.opts.Ring, m, d.opts.Gate, wire.TypeKey, wire.RoleDelta, nil)
	if err != nil {
		d.refuse(err)
		return
	}
	if _, known := d.keys[g.Kid]; known {
		return
	}
	key, err := g.Open(d.opts.Gate, d.opts.Key)
	if err != nil {
		d.refuse(err)
		return
	}
	d.keys[g.Kid], d.keyless = key, false
	d.keyOrder = append(d.keyOrder, g.Kid)
	if len(d.keyOrder) > 2 { // the present one, and the one before it during a rotation
		delete(d.keys, d.keyOrder[0])
		d.keyOrder = d.keyOrder[1:]
	}
	if d.wantMore {
		d.hello = time.Time{}
		d.ask()
	}
}

func (d *Downlink) onHead(m Message) {
	h, err := verify[wire.Head](d.opts.Ring, m, d.opts.Gate, wire.TypeHead, wire.RoleHead, d.opts.Now)
	if err != nil {
		d.refuse(err)
		return
	}
	epoch, cursor := d.opts.Accounts.Cursor()
	switch {
	case h.Issued < d.head.Issued || h.Epoch == d.head.Epoch && h.Seq < d.head.Seq || h.Epoch == epoch && h.Seq < cursor:
		d.counters.add(causeReplayed)
		return
	case epoch != 0 && h.Epoch != epoch:
		d.counters.add(causeEpoch)
		d.otherEpoch(h, epoch)
		return
	}
	d.head, d.heard = h, true
	if !d.giveHead() {
		d.startOver()
		return
	}
	_, cursor = d.opts.Accounts.Cursor() // of a file that was damaged and is new now, 0
	d.compare(cursor)
}

// compare judges the cursor against the newest head.
func (d *Downlink) compare(cursor uint64) {
	switch {
	case d.head.Issued == 0:
	case cursor >= d.head.Seq:
		d.behind = time.Time{}
		// A head from before the link went down says nothing of what was missed.
		if d.heard && d.catching.Load() {
			d.setCatching(false)
		}
	case d.behind.IsZero():
		d.behind = time.Now()
	}
}
