package turnstile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"bordergate/hal"
	"bordergate/hal/port"
)

// Driver is one gate. It implements hal.Turnstile.
type Driver struct {
	o     Options
	m     Model
	queue *queue
	// turned is when Serve last completed a piece of its work.
	turned atomic.Int64
	noise  atomic.Uint64 // bytes that belonged to no answer, ever

	mu     sync.Mutex // guards all below
	serve  context.CancelFunc
	served chan struct{} // closed when the running Serve has ended
	closed bool
	inert  bool     // the last Serve left the board inert
	live   *session // while online
	fault  error
	at     hal.Mono // of the last reading
	track  tracker
	used   memory
	lamps  map[hal.Lamp]lampState
}

var _ hal.Turnstile = (*Driver)(nil)

// New makes a driver of a model's boards. It checks the options, and faults is
// what the model itself has to say against them; nothing is opened before Serve.
func New(o Options, m Model, faults error) (*Driver, error) {
	if err := errors.Join(o.check(), faults); err != nil {
		return nil, &hal.Error{Op: "configure", Device: o.name(), Err: fmt.Errorf("%w: %w", hal.ErrInvalid, err)}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Driver{o: o, m: m, queue: newQueue(), inert: true, lamps: map[hal.Lamp]lampState{}}
	d.track.o, d.track.m = &d.o, &d.m
	return d, nil
}

func (d *Driver) failed(op string, err error) error {
	e := &hal.Error{Op: op, Device: d.o.name(), Err: err}
	switch {
	case errors.Is(err, hal.ErrOffline):
		e.Hint = "check the cable, the board's supply, and port, baud and unit of the turnstile"
	case errors.Is(err, hal.ErrEmergency):
		e.Hint = "only the fire panel or break glass ends it"
	case errors.Is(err, hal.ErrUnconfirmed):
		e.Hint = "treat it as given; the passage contact or its time closes it"
	}
	return e
}

// Events is the one queue of events.
func (d *Driver) Events() <-chan hal.Event { return d.queue.out }

// Serve owns the device until ctx ends. Only one Serve runs at a time.
func (d *Driver) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.mu.Lock()
	if d.closed || d.serve != nil {
		d.mu.Unlock()
		return d.failed("serve", hal.ErrClosed)
	}
	done := make(chan struct{})
	d.serve, d.served = cancel, done
	d.mu.Unlock()
	var pump sync.WaitGroup
	pump.Go(func() { d.queue.pump(ctx) })
	d.connect(ctx)
	cancel()
	pump.Wait()
	d.queue.flush()
	d.mu.Lock()
	d.serve = nil
	d.mu.Unlock()
	close(done)
	return ctx.Err()
}

// connect runs one session after another until ctx ends.
func (d *Driver) connect(ctx context.Context) {
	var back port.Backoff
	for ctx.Err() == nil {
		p, err := port.Await(ctx, &back, d.dial, d.setFault)
		if err != nil {
			return
		}
		s := newSession(d, p)
		err = s.run(ctx)
		if s.wasOnline {
			back.Reset()
		}
		if e := p.Close(); e != nil {
			d.o.Log.Warn("Line could not be closed", "error", e)
		}
		d.setFault(err)
		if ctx.Err() != nil || back.Wait(ctx) != nil {
			return
		}
	}
}

func (d *Driver) dial() (port.Port, error) {
	if d.o.Dial != nil {
		return d.o.Dial()
	}
	return port.Open(d.o.Port)
}

// setFault keeps why the device is away, and logs it when it is news.
func (d *Driver) setFault(err error) {
	d.mu.Lock()
	news := err != nil && (d.fault == nil || d.fault.Error() != err.Error())
	d.fault = err
	d.mu.Unlock()
	d.turn()
	if news && !errors.Is(err, context.Canceled) {
		d.o.Log.Warn("Turnstile is away", "error", err)
	}
}

func (d *Driver) turn() { d.turned.Store(int64(hal.Now())) }

// Turned is when Serve last completed a piece of its work: a turn of its loop
// or an attempt to reach the device. A device that is away does not stop it.
func (d *Driver) Turned() hal.Mono { return hal.Mono(d.turned.Load()) }

func (d *Driver) emit(events ...hal.Event) {
	for _, e := range events {
		if e.At == 0 {
			e.At = hal.Now()
		}
		if d.o.Trust != nil {
			e.Trust = d.o.Trust()
		}
		e.Wall, e.Device = time.Now(), d.o.name()
		d.queue.push(e)
	}
}

// Snapshot is what is known now.
func (d *Driver) Snapshot() hal.State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.snapshotLocked(hal.Now())
}

func (d *Driver) snapshotLocked(now hal.Mono) hal.State {
	s := hal.State{Device: d.o.name(), At: now, Online: d.live != nil, Fault: d.fault, Lost: d.queue.dropped(), Looks: d.track.looks, Noise: d.noise.Load()}
	for _, in := range d.m.Inputs {
		if d.track.now[in] == hal.Unknown {
			continue
		}
		r := hal.Reading{Level: d.track.now[in], At: d.at, Age: now.Sub(d.at)}
		if r.Age > d.o.stale() {
			r.Level = hal.Unknown
		}
		s.Inputs[in] = r
	}
	if d.track.grant.live {
		s.Grant, s.Busy = d.track.grant.id, true
	}
	return s
}

// do runs f in the goroutine that owns the bus and returns its answer. It is
// never left to a later session: what a reconnect overtakes is refused.
func (d *Driver) do(ctx context.Context, op string, f func(ctx context.Context, s *session) error) error {
	d.mu.Lock()
	s, closed, fault := d.live, d.closed, d.fault
	d.mu.Unlock()
	switch {
	case closed:
		return d.failed(op, hal.ErrClosed)
	case s == nil:
		return d.failed(op, errors.Join(hal.ErrOffline, fault))
	}
	c := command{ctx: ctx, run: f, done: make(chan error, 1)}
	select {
	case s.cmds <- c:
	case <-s.done:
		return d.failed(op, hal.ErrOffline)
	case <-ctx.Done():
		return d.failed(op, ctx.Err())
	}
	// Whoever takes a command answers it, within the time of a few exchanges.
	if err := <-c.done; err != nil {
		return d.failed(op, err)
	}
	return nil
}

// haltWait bounds Halt: a few exchanges that all fail.
const haltWait = 2 * time.Second

// Halt makes the device inert: the grant is dropped, every unlock is
// taken back and seen to be, and no leaf is driven. While Serve does not run it
// answers for what the last Serve left behind.
func (d *Driver) Halt() error {
	d.mu.Lock()
	idle, inert := d.serve == nil, d.inert
	d.mu.Unlock()
	if idle {
		if inert {
			return nil
		}
		return d.failed("halt", hal.ErrOffline)
	}
	ctx, cancel := context.WithTimeout(context.Background(), haltWait)
	defer cancel()
	return d.do(ctx, "halt", func(ctx context.Context, s *session) error {
		d.dropGrant()
		return s.board.Inert(ctx)
	})
}

// dropGrant ends the live grant without judging what came of it.
func (d *Driver) dropGrant() {
	d.mu.Lock()
	g := d.track.grant
	if g.live {
		d.track.close(hal.Now(), hal.CodeRevoked)
	}
	d.mu.Unlock()
	if g.live {
		d.emit(hal.Event{Kind: hal.Desync, Grant: g.id, Dir: g.dir, Inferred: true})
	}
}

// Close ends Serve and waits for it.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.closed = true
	stop, done := d.serve, d.served
	d.mu.Unlock()
	if stop != nil {
		stop()
	}
	if done != nil {
		<-done
	}
	return nil
}
