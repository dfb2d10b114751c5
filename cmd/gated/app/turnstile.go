package app

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"bordergate/gate"
	"bordergate/hal"
)

// order is a grant, its withdrawal or a change of the lamps on its way to the
// driver.
type order struct {
	revoke bool
	grant  hal.Grant
	until  int64                    // when a grant is too old to be given; 0: the driver's own limit
	lamps  map[hal.Lamp]hal.Pattern // nil for the others
	done   chan<- struct{}          // closed in turn; nil for the others
}

// barrier stands between the lane, which may not wait, and the driver, which
// must. One goroutine carries orders out in their order; another turns the
// driver's events into the lane's inputs.
type barrier struct {
	dev    hal.Turnstile
	log    *slog.Logger
	orders chan order
	post   func(gate.Input)
	now    func() int64
	// note puts on record what is not the lane's business; never blocks.
	note   func(kind string, public any)
	quit   <-chan struct{}          // closed when serveEvents is to end
	levels map[hal.EventKind]bool   // that were noted last; serveEvents alone uses it
	green  bool                     // what the lamps were last told; the lane's loop alone uses it
	dark   atomic.Pointer[[]string] // lamps that did not obey when last told
}

func newBarrier(dev hal.Turnstile, log *slog.Logger, post func(gate.Input)) *barrier {
	// One grant in flight is the rule; its withdrawal and a lamp's worth of
	// room beside it never fill this.
	return &barrier{dev: dev, log: log, orders: make(chan order, 16), post: post, now: monoNow, note: func(string, any) {}, levels: map[hal.EventKind]bool{}}
}

// errHung says that the driver does not take orders.
var errHung = errors.New("turnstile takes no orders")

// Grant implements gate.Turnstile. Its time runs from here: what other orders
// before it take is not added to it.
func (b *barrier) Grant(id gate.TxID, d gate.Direction, valid time.Duration) error {
	dir := hal.Exit
	if d == gate.DirEntry {
		dir = hal.Entry
	}
	o := order{grant: hal.Grant{ID: hal.GrantID(id), Dir: dir, Valid: valid}}
	if valid > 0 {
		o.until = b.now() + valid.Nanoseconds()
	}
	return b.give(o)
}

// Revoke implements gate.Turnstile. One that cannot be handed over is left to
// the driver's own timer.
func (b *barrier) Revoke(id gate.TxID) {
	if err := b.give(order{revoke: true, grant: hal.Grant{ID: hal.GrantID(id)}}); err != nil {
		b.log.Error("Grant could not be withdrawn", "error", err)
	}
}

// light shows green while one person may go and red otherwise. Lamps that
// cannot be told are told with the next change.
func (b *barrier) light(s gate.State) {
	green := s == gate.Granted || s == gate.Passing
	if green == b.green {
		return
	}
	lamps := map[hal.Lamp]hal.Pattern{hal.LampGreen: hal.Dark, hal.LampRed: hal.Steady}
	if green {
		lamps = map[hal.Lamp]hal.Pattern{hal.LampGreen: hal.Steady, hal.LampRed: hal.Dark}
	}
	if b.give(order{lamps: lamps}) == nil {
		b.green = green
	}
}

func (b *barrier) give(o order) error {
	select {
	case b.orders <- o:
		return nil
	default:
		return errHung
	}
}

// serveOrders carries out orders until ctx ends.
func (b *barrier) serveOrders(ctx context.Context, beat func()) error {
	return each(ctx, b.orders, beat, func(o order) { b.carryOut(ctx, o) })
}

// settle waits until every order given so far was carried out, or ctx ends.
func (b *barrier) settle(ctx context.Context) error {
	done := make(chan struct{})
	if err := b.give(order{done: done}); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errHung
	}
}

func (b *barrier) carryOut(ctx context.Context, o order) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if o.done != nil {
		close(o.done)
		return
	}
	id := gate.TxID(o.grant.ID)
	var dead []string
	for lamp, pattern := range o.lamps {
		if err := b.dev.Indicate(ctx, lamp, pattern); err != nil {
			dead = append(dead, lamp.String())
			b.log.Warn("Lamp does not obey", "lamp", lamp.String(), "error", err)
		}
	}
	if o.lamps != nil {
		b.dark.Store(&dead)
		return
	}
	if o.revoke {
		err := b.dev.Revoke(ctx, o.grant.ID)
		if err != nil && !errors.Is(err, hal.ErrNoGrant) {
			b.log.Warn("Grant could not be withdrawn", "error", err)
		}
		return
	}
	err := b.grant(ctx, o)
	switch {
	case err == nil:
	case errors.Is(err, hal.ErrUnconfirmed):
		// It may have been given: the lane waits for the passage or its end.
		b.log.Warn("Grant is not confirmed", "error", err)
	default:
		b.log.Warn("Grant failed", "error", err)
		b.post(gate.GrantFailed(b.now(), id))
	}
}

// grant gives a grant for what is left of its time.
func (b *barrier) grant(ctx context.Context, o order) error {
	if o.until != 0 {
		if o.grant.Valid = time.Duration(o.until - b.now()); o.grant.Valid <= 0 {
			return hal.ErrExpired
		}
	}
	return b.dev.Grant(ctx, o.grant)
}

// serveEvents tells the lane what the device reports.
func (b *barrier) serveEvents(ctx context.Context, beat func()) error {
	b.quit = ctx.Done()
	return each(ctx, b.dev.Events(), beat, b.tell)
}

var levelOf = map[hal.EventKind]func(at int64) gate.Input{
	hal.PresenceOn:     func(at int64) gate.Input { return gate.Presence(at, gate.On) },
	hal.PresenceOff:    func(at int64) gate.Input { return gate.Presence(at, gate.Off) },
	hal.ObstructionOn:  func(at int64) gate.Input { return gate.Obstruction(at, gate.On) },
	hal.ObstructionOff: func(at int64) gate.Input { return gate.Obstruction(at, gate.Off) },
	hal.EmergencyOn:    func(at int64) gate.Input { return gate.EmergencyInput(at, gate.On) },
	hal.EmergencyOff:   func(at int64) gate.Input { return gate.EmergencyInput(at, gate.Off) },
	hal.DeviceOffline:  func(at int64) gate.Input { return gate.TurnstileUp(at, false) },
	hal.DoorClosed:     func(at int64) gate.Input { return gate.Door(at, gate.On) },
	hal.DoorOpened:     func(at int64) gate.Input { return gate.Door(at, gate.Off) },
	hal.ObjectLeft:     gate.ObjectLeft,
}

// passageOf are the passages that no grant covers.
var passageOf = map[hal.EventKind]func(int64, gate.Direction) gate.Input{
	hal.Tailgating: gate.SecondPassage, hal.ReverseEntry: gate.ReversePassage, hal.ForcedEntry: gate.ForcedPassage,
}

func (b *barrier) tell(e hal.Event) {
	at, id := int64(e.At), gate.TxID(e.Grant)
	switch e.Kind {
	case hal.Desync:
		if e.Code != 0 { // events, or people who passed while nobody looked
			b.log.Error("Events of the turnstile were missed", "count", e.Code)
			b.keep(e)
		}
		b.resync(at)
	case hal.DeviceOnline, hal.InService:
		b.resync(at)
	case hal.OutOfService:
		b.post(gate.TurnstileUp(at, false))
	case hal.GrantAccepted, hal.GrantUnconfirmed:
		b.post(gate.GrantAccepted(at, id))
	case hal.GrantRejected:
		b.post(gate.GrantFailed(at, id))
	case hal.PassageStarted:
		b.post(gate.PassageStarted(at, id))
	case hal.PassageCompleted:
		b.post(gate.PassageCompleted(at, id, way(e.Dir)))
	case hal.PassageTimeout:
		b.post(gate.PassageTimeout(at, id))
	case hal.Unobserved:
		b.log.Error("Passage may have been missed: the inputs were not looked at in time", "late_ms", e.Code)
		b.post(gate.PassageUnobserved(at, id))
	case hal.HeldOpen:
		b.post(gate.HeldOpen(at, e.Code != hal.CodeWarning))
	default:
		if in, ok := passageOf[e.Kind]; ok {
			b.post(in(at, way(e.Dir)))
			return
		}
		if in, ok := levelOf[e.Kind]; ok {
			b.post(in(at))
			return
		}
		b.log.Info("Turnstile event", "kind", e.Kind.String(), "code", e.Code)
		b.keep(e)
	}
}

// KindDevice is the kind of the records of what a device says of itself.
const KindDevice = "device"

// deviceRecord is such a record's public part.
type deviceRecord struct {
	Device string `json:"device"`
	Event  string `json:"event"`
	Code   uint32 `json:"code,omitempty"`
	At     int64  `json:"mono"`
}

// opposite pairs the levels that are recorded when they change: a driver tells
// them again after each reconnect.
var opposite = map[hal.EventKind]hal.EventKind{
	hal.TamperOn: hal.TamperOff, hal.TamperOff: hal.TamperOn, hal.PowerFail: hal.PowerOK, hal.PowerOK: hal.PowerFail,
}

// keep puts an event on record that changes nothing for travellers: a cabinet
// that was opened, mains that were lost, a fault of the board.
func (b *barrier) keep(e hal.Event) {
	if other, level := opposite[e.Kind]; level {
		if b.levels[e.Kind] {
			return
		}
		known := b.levels[other]
		b.levels[e.Kind], b.levels[other] = true, false
		if !known && (e.Kind == hal.TamperOff || e.Kind == hal.PowerOK) {
			return // as it should be, from the start
		}
	}
	b.note(KindDevice, deviceRecord{Device: "turnstile", Event: e.Kind.String(), Code: e.Code, At: int64(e.At)})
}

// way is the lane's word for a direction of the device.
func way(d hal.Direction) gate.Direction {
	switch d {
	case hal.Entry:
		return gate.DirEntry
	case hal.Exit:
		return gate.DirExit
	default:
		return gate.DirectionNone
	}
}

// resync hands over every level, since edges may have been missed.
func (b *barrier) resync(at int64) {
	s := b.look()
	b.post(gate.EmergencyInput(at, level(s.Level(hal.InputEmergency))))
	b.post(gate.Obstruction(at, level(s.Level(hal.InputObstruction))))
	b.post(gate.Door(at, level(s.Level(hal.InputDoorClosed))))
	ready := s.Online && s.Level(hal.InputReady) != hal.Off
	b.post(gate.TurnstileUp(at, ready))
	b.post(gate.Presence(at, level(s.Level(hal.InputPresence))))
}

// lookEvery is the time between two looks at a device whose levels have grown
// old.
const lookEvery = 10 * time.Millisecond

// look is what the device knows, once it knows it freshly or is away. On a
// machine too busy to poll in time every level is unknown for a moment, and
// since none of them changes no event would ever say what they are again.
func (b *barrier) look() hal.State {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		s := b.dev.Snapshot()
		if !s.Online || !aged(s) {
			return s
		}
		select {
		case <-tick.C:
		case <-b.quit:
			return s
		}
	}
}

// aged tells whether a level that was read has become unknown by its age.
func aged(s hal.State) bool {
	for _, r := range s.Inputs {
		if r.At != 0 && r.Level == hal.Unknown {
			return true
		}
	}
	return false
}

func level(l hal.Level) gate.Level {
	switch l {
	case hal.On:
		return gate.On
	case hal.Off:
		return gate.Off
	default:
		return gate.Unknown
	}
}

func monoNow() int64 { return int64(hal.Now()) }
