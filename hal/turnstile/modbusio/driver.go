package modbusio

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"bordergate/hal"
	"bordergate/hal/port"
)

// Driver is one board. It implements hal.Turnstile.
type Driver struct {
	o     Options
	queue *queue
	cmds  chan command
	done  chan struct{}
	halt  context.CancelFunc

	mu     sync.Mutex
	online bool
	fault  error
	inputs [hal.InputCount]hal.Reading
	open   grantState
	closed bool
}

// command runs in the goroutine that owns the bus.
type command struct {
	run  func(s *session) error
	done chan error
}

// session is one connection: only its goroutine touches the bus.
type session struct {
	d      *Driver
	b      *bus
	misses int
	turn   int
}

var _ hal.Turnstile = (*Driver)(nil)

// New checks the options; nothing is opened before Serve.
func New(o Options) (*Driver, error) {
	if err := o.check(); err != nil {
		return nil, &hal.Error{Op: "configure", Device: "turnstile", Err: err}
	}
	return &Driver{o: o, queue: newQueue(), cmds: make(chan command), done: make(chan struct{})}, nil
}

// Events is the one queue of events.
func (d *Driver) Events() <-chan hal.Event { return d.queue.out }

// Serve owns the device until ctx ends.
func (d *Driver) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.mu.Lock()
	if d.halt != nil || d.closed {
		d.mu.Unlock()
		return &hal.Error{Op: "serve", Device: d.o.Port.Path, Err: hal.ErrClosed}
	}
	d.halt = cancel
	d.mu.Unlock()
	defer close(d.done)
	pump := make(chan struct{})
	go func() { defer close(pump); d.queue.pump(ctx) }() // waited for below
	defer func() { cancel(); <-pump }()
	var back port.Backoff
	for ctx.Err() == nil {
		p, err := port.Await(ctx, &back, func() (port.Port, error) { return port.Open(d.o.Port) }, d.setFault)
		if err != nil {
			break
		}
		err = d.session(ctx, p)
		_ = p.Close() // the session's own error says more
		d.lost(err)
		if ctx.Err() == nil {
			_ = back.Wait(ctx) // ends with ctx, which the loop sees
		}
	}
	return ctx.Err()
}

func (d *Driver) setFault(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = err
}

// lost makes every level unknown and tells what is not known any more.
func (d *Driver) lost(err error) {
	d.mu.Lock()
	was, open := d.online, d.open
	d.online, d.fault = false, err
	d.open = grantState{}
	d.inputs = [hal.InputCount]hal.Reading{}
	d.mu.Unlock()
	if open.live {
		d.emit(hal.Event{Kind: hal.Desync, Grant: open.id, Dir: open.dir})
	}
	if was {
		d.emit(hal.Event{Kind: hal.DeviceOffline})
	}
}

func (d *Driver) emit(e hal.Event) {
	if e.At == 0 {
		e.At = hal.Now()
	}
	e.Wall, e.Device = time.Now(), "turnstile"
	d.queue.push(e)
}

// session makes the board inert, reads everything, and then polls.
func (d *Driver) session(ctx context.Context, p port.Port) error {
	s := &session{d: d, b: &bus{p: p, reply: d.o.Reply, dirty: true}}
	if err := s.inert(); err != nil {
		return err
	}
	if err := s.poll(); err != nil {
		return err
	}
	d.mu.Lock()
	d.online, d.fault = true, nil
	d.mu.Unlock()
	d.emit(hal.Event{Kind: hal.DeviceOnline})
	err := s.loop(ctx)
	if ctx.Err() != nil {
		err = errors.Join(s.inert(), ctx.Err())
	}
	return err
}

const maxMisses = 3

func (s *session) loop(ctx context.Context) error {
	tick := time.NewTicker(s.d.o.Poll)
	defer tick.Stop()
	for {
		select {
		case c := <-s.d.cmds:
			c.done <- c.run(s)
			continue
		default:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-s.d.cmds:
			c.done <- c.run(s)
		case <-tick.C:
			if err := s.poll(); err != nil && s.miss(err) {
				return err
			}
			s.timers()
		}
	}
}

// miss counts a failed poll and reports whether the device is to be given up.
func (s *session) miss(err error) bool {
	s.misses++
	gone := !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, ErrChecksum) && !errors.Is(err, ErrReply)
	return gone || s.misses >= maxMisses
}

// inert writes every unlock relay off and reads it back.
func (s *session) inert() error {
	for dir, ch := range s.d.o.Unlock {
		if ch == NotWired {
			continue
		}
		if err := s.write(ch, false); err != nil {
			return fmt.Errorf("switch unlock %v off: %w", dir, err)
		}
		on, err := s.relay(ch)
		if err != nil {
			return fmt.Errorf("read unlock %v back: %w", dir, err)
		}
		if on {
			return fmt.Errorf("switch unlock %v off: %w: the relay is still on", dir, hal.ErrRejected)
		}
	}
	return nil
}

func (s *session) write(ch int, on bool) error {
	v := uint16(0)
	if on {
		v = s.d.o.Profile.OnValue
	}
	_, err := s.b.exchange(request(s.d.o.Unit, s.d.o.Profile.WriteFn, s.d.o.Profile.Base+uint16(ch), v))
	return err
}

// relay reads one relay; reading two relays every other time makes a reply
// that came late have the wrong form.
func (s *session) relay(ch int) (bool, error) {
	bits, err := s.b.exchange(request(s.d.o.Unit, fnReadCoils, s.d.o.Profile.Base+uint16(ch), 1))
	if err != nil {
		return false, err
	}
	return bits[0]&1 != 0, nil
}

// poll reads all inputs and turns changes into events.
func (s *session) poll() error {
	n := s.width()
	bits, err := s.b.exchange(request(s.d.o.Unit, fnReadInputs, s.d.o.Profile.Base, uint16(n)))
	if err != nil {
		return fmt.Errorf("read inputs: %w", err)
	}
	s.misses = 0
	at := hal.Now()
	s.d.mu.Lock()
	before := s.d.inputs
	for in, ch := range s.d.o.Inputs {
		if ch == NotWired {
			continue
		}
		on := bits[ch/8]>>(ch%8)&1 != 0
		s.d.inputs[in] = hal.Reading{Level: hal.LevelOf(on != closed(in)), At: at}
	}
	after := s.d.inputs
	s.d.mu.Unlock()
	s.changes(before, after, at, bits)
	return nil
}

// width alternates, so that a reply shifted by one poll has the wrong length.
func (s *session) width() int {
	most := 8
	for _, ch := range s.d.o.Inputs {
		most = max(most, (ch/8+1)*8)
	}
	return most
}

// Snapshot is what is known now.
func (d *Driver) Snapshot() hal.State {
	now := hal.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	s := hal.State{Device: "turnstile", At: now, Online: d.online, Fault: d.fault, Inputs: d.inputs, Lost: d.queue.dropped()}
	for i := range s.Inputs {
		r := &s.Inputs[i]
		if r.At == 0 {
			continue
		}
		if r.Age = now.Sub(r.At); r.Age > d.stale() {
			r.Level = hal.Unknown
		}
	}
	if d.open.live {
		s.Grant, s.Busy = d.open.id, true
	}
	return s
}

// stale is the age from which a level is not known: three polls, and never
// less than one slow exchange.
func (d *Driver) stale() time.Duration { return max(3*d.o.Poll, 150*time.Millisecond) }

// do runs f on the bus and waits for it.
func (d *Driver) do(ctx context.Context, op string, f func(s *session) error) error {
	c := command{run: f, done: make(chan error, 1)}
	d.mu.Lock()
	online, fault := d.online, d.fault
	d.mu.Unlock()
	if !online {
		return &hal.Error{Op: op, Device: d.o.Port.Path, Err: errors.Join(hal.ErrOffline, fault), Hint: "check the cable and turnstile.port"}
	}
	select {
	case d.cmds <- c:
		return <-c.done
	case <-ctx.Done():
		return &hal.Error{Op: op, Device: d.o.Port.Path, Err: ctx.Err()}
	case <-d.done:
		return &hal.Error{Op: op, Device: d.o.Port.Path, Err: hal.ErrClosed}
	}
}

// Halt makes the device inert.
func (d *Driver) Halt() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return d.do(ctx, "halt", func(s *session) error {
		d.mu.Lock()
		d.open = grantState{}
		d.mu.Unlock()
		return s.inert()
	})
}

// Close ends Serve and waits for it.
func (d *Driver) Close() error {
	d.mu.Lock()
	halt := d.halt
	d.closed = true
	d.mu.Unlock()
	if halt == nil {
		return nil
	}
	halt()
	<-d.done
	return nil
}

// Indicate sets a lamp. A lamp that fails never fails a grant.
func (d *Driver) Indicate(ctx context.Context, l hal.Lamp, p hal.Pattern) error {
	ch, wired := d.o.Lamps[l]
	if !wired || ch == NotWired {
		return nil
	}
	return d.do(ctx, "indicate", func(s *session) error { return s.write(ch, p != hal.Dark) })
}
