package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"bordergate/gate"
	"bordergate/hal"
	"bordergate/sync/wire"
)

// modes are the orders of everybody who may give one, the direction to which a
// reversible lane was last turned, and whether an emergency waits to be signed
// off. What officers ordered here, the direction and the emergency outlast a
// restart; headquarters' order is kept by the commander.
type modes struct {
	mono func() int64
	wake chan struct{} // something has changed, for serve

	telling sync.Mutex // what holds is told in the order in which it came to hold
	saving  sync.Mutex

	mu        sync.Mutex
	dirty     bool // an emergency is not saved yet
	orders    gate.Orders
	direction gate.Direction
	emergency bool
	keep      func(keptModes) error // nil: nothing is kept
	boot      string
	wall      func() (time.Time, gate.ClockTrust)
}

// keptModes is what the journal keeps of them.
type keptModes struct {
	Boot      string         `json:"boot"` // in which the orders' times count
	Orders    []keptOrder    `json:"orders,omitempty"`
	Direction gate.Direction `json:"direction,omitempty"`
	Emergency bool           `json:"emergency,omitempty"`
}

// keptOrder is an order, and its end by the wall where that could be trusted.
type keptOrder struct {
	gate.Order
	UntilWall int64 `json:"until_unix_ns,omitempty"`
}

// blobModes is the journal's value of them.
const blobModes = "lane_modes"

// causeRestart is why a lane is closed whose suspension of biometrics may or may
// not be over: nobody knows how long the machine was off.
const causeRestart = "restart"

func newModes(mono func() int64) *modes {
	return &modes{
		mono: mono, wake: make(chan struct{}, 1), orders: gate.Orders{},
		wall: func() (time.Time, gate.ClockTrust) { return time.Time{}, gate.ClockBad },
	}
}

// give notes an order.
func (m *modes) give(o gate.Order) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.orders.Give(o)
	m.nudge()
}

// tell has the order that holds now, and when the next one runs out, told.
func (m *modes) tell(post func(gate.Order)) (next int64) {
	m.telling.Lock()
	defer m.telling.Unlock()
	m.mu.Lock()
	held, next := m.orders.Holds(m.mono())
	m.mu.Unlock()
	post(held)
	return next
}

// now is the order that holds.
func (m *modes) now() gate.Order {
	m.mu.Lock()
	defer m.mu.Unlock()
	held, _ := m.orders.Holds(m.mono())
	return held
}

// unsigned reports whether an emergency waits for an officer.
func (m *modes) unsigned() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.emergency
}

// way is the direction to which a reversible lane was last turned, or none.
func (m *modes) way() gate.Direction {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.direction
}

// turned keeps the direction of a reversible lane.
func (m *modes) turned(d gate.Direction) error {
	m.mu.Lock()
	m.direction = d
	m.mu.Unlock()
	return m.save()
}

// emergent notes that an emergency has begun, or was signed off. It never
// blocks: serve saves it.
func (m *modes) emergent(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.emergency, m.dirty = on, true
	m.nudge()
}

func (m *modes) unsaved() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dirty
}

func (m *modes) nudge() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// save keeps what must outlast a restart.
func (m *modes) save() error {
	if m.keep == nil {
		return nil
	}
	m.saving.Lock()
	defer m.saving.Unlock()
	k := m.toKeep()
	err := m.keep(k)
	if err != nil {
		m.mu.Lock()
		m.dirty = true
		m.mu.Unlock()
	}
	return err
}

func (m *modes) toKeep() keptModes {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dirty = false
	now := m.mono()
	wall, trust := m.wall()
	k := keptModes{Boot: m.boot, Direction: m.direction, Emergency: m.emergency}
	if o, ok := m.orders[gate.ByStation]; ok {
		kept := keptOrder{Order: o}
		if o.Until != 0 && trust >= gate.ClockHeldOver {
			kept.UntilWall = wall.UnixNano() + o.Until - now
		}
		k.Orders = append(k.Orders, kept)
	}
	return k
}

// restore takes up what was kept. An order of this boot has its own time. After
// another boot its time is over if the wall, which can be trusted, says so; where
// nobody knows, it holds until it is taken back, so that no start lifts it
// silently, and a suspension of biometrics, which must not outlast its time,
// closes the lane instead.
func (m *modes) restore(k keptModes) {
	m.direction, m.emergency = k.Direction, k.Emergency
	wall, trust := m.wall()
	for _, kept := range k.Orders {
		o := kept.Order
		switch {
		case o.Until == 0 || k.Boot == m.boot:
		case kept.UntilWall != 0 && trust >= gate.ClockHeldOver:
			o.Until = m.mono() + min(kept.UntilWall-wall.UnixNano(), int64(gate.MaxOrder))
			if o.Mode == gate.ModeBiometricsSuspended {
				o.Until = min(o.Until, m.mono()+int64(gate.MaxSuspension))
			}
		case o.Mode == gate.ModeBiometricsSuspended:
			o = gate.Order{Mode: gate.ModeClosed, By: o.By, Cause: causeRestart}
		default:
			o.Until = 0
		}
		m.orders.Give(o)
	}
}

// serve has an order end when its time is over, and saves what has changed.
func (m *modes) serve(ctx context.Context, post func(gate.Order), failed func(error)) error {
	for {
		next := m.tell(post)
		if m.unsaved() {
			if err := m.save(); err != nil {
				failed(err)
			}
		}
		wait := time.Minute // and then, should it have failed, it is saved again
		if next != 0 {
			wait = time.Duration(next - m.mono())
		}
		over := time.NewTimer(max(0, wait))
		select {
		case <-over.C:
		case <-m.wake:
			over.Stop()
		case <-ctx.Done():
			over.Stop()
			return ctx.Err()
		}
	}
}

// openModes takes up what was kept. A value that cannot be read closes the gate:
// an order to close, or an emergency, may have stood in it.
func (a *App) openModes() error {
	b, err := a.journal.Blob(blobModes)
	if err != nil {
		return fmt.Errorf("read the orders of modes: %w", err)
	}
	var k keptModes
	if len(b) > 0 {
		if err := json.Unmarshal(b, &k); err != nil {
			return fmt.Errorf("read the orders of modes: %w (they are in journal.db; keep it as evidence, move it away and start gated: a new journal begins)", err)
		}
	}
	m := a.modes
	m.boot = fmt.Sprintf("%x", a.boot)
	m.wall = func() (time.Time, gate.ClockTrust) {
		now, trust, _ := a.clock.Wall()
		return now, trust
	}
	m.restore(k)
	m.keep = func(k keptModes) error {
		b, err := json.Marshal(k)
		if err == nil {
			err = a.journal.PutBlob(blobModes, b)
		}
		if err != nil {
			return fmt.Errorf("keep the orders of modes: %w", err)
		}
		return nil
	}
	if len(k.Orders) > 0 && m.now() == (gate.Order{Mode: gate.ModeNormal}) {
		a.recorder.note(wire.StreamAlarm, gate.EntryMode, gate.Public{
			From: k.Orders[0].Mode.String(), Mode: gate.ModeNormal.String(), By: gate.ByRestart, Cause: "ran_out",
		})
	}
	a.recorder.emergency = m.emergent
	a.run("modes", func(ctx context.Context) error {
		return m.serve(ctx, a.holds, func(err error) { a.log.Error("Order is not kept", "error", err) })
	})
	return nil
}

// direction is the lane's: that of its file, or the one to which a reversible
// lane was last turned.
func (a *App) direction() gate.Direction {
	if d := a.modes.way(); a.cfg.Gate.Reversible && d != gate.DirectionNone {
		return d
	}
	if a.cfg.Gate.Direction == hal.Exit.String() {
		return gate.DirExit
	}
	return gate.DirEntry
}

// wireMode is the lane's word for a mode on the wire. What is not known closes.
func wireMode(text string) gate.Mode {
	switch text {
	case "", wire.ModeNormal:
		return gate.ModeNormal
	default:
		return gate.ModeClosed
	}
}

// order has the lane follow what somebody ordered.
func (a *App) order(o gate.Order) {
	a.modes.give(o)
	a.modes.tell(a.holds)
}

// holds tells the lane which order holds now.
func (a *App) holds(o gate.Order) { a.post(gate.SetMode(a.mono(), o)) }

// errNotKept says that an order holds until the next start only.
var errNotKept = errors.New("the order holds, but only until the gate is started again: the journal does not keep it")

// orderKept is order for what must outlast a restart: what is stricter bites
// before it is kept, what is less strict after.
func (a *App) orderKept(o gate.Order) error {
	if o.Mode != gate.ModeNormal {
		a.order(o)
		if err := a.modes.save(); err != nil {
			return errors.Join(errNotKept, err)
		}
		return nil
	}
	was, had := a.modes.takeBack(o.By)
	if err := a.modes.save(); err != nil {
		if had {
			a.modes.give(was)
		}
		return err
	}
	a.order(o)
	return nil
}

// takeBack drops somebody's order and gives what it was.
func (m *modes) takeBack(by string) (gate.Order, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, had := m.orders[by]
	delete(m.orders, by)
	return o, had
}
