package gate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"bordergate/gate/reason"
)

// Options is what a Lane is made of. Every port is required.
type Options struct {
	Policy Policy
	// Rules gives the policy as it is now, in place of Policy; may be nil. After
	// a change, AccountChanged without an account has the lane look again.
	Rules func() Policy
	Times Times
	// Order is the mode in which the lane starts, normal when zero.
	Order Order
	// Unsigned says that an emergency was not signed off before the last stop.
	Unsigned bool
	// Reversible says that an officer may turn the lane's direction.
	Reversible bool

	Passes     Passes
	Accounts   Accounts
	Register   Register
	References References
	Matcher    Matcher
	Tracker    Tracker
	Recorder   Recorder
	Turnstile  Turnstile
	Eyes       Eyes
	Screen     Screen
	Clock      Clock

	// Mono reads CLOCK_MONOTONIC, ns.
	Mono func() int64
	// NewID makes a transaction's id; random when nil.
	NewID func() TxID
	// Beat is called after each completed turn of the loop, at least once a
	// second: the proof of work for a watchdog. May be nil.
	Beat func()
}

func (o *Options) check() error {
	var errs []error
	for name, missing := range map[string]bool{
		"Passes": o.Passes == nil, "Accounts": o.Accounts == nil, "Register": o.Register == nil, "References": o.References == nil, "Matcher": o.Matcher == nil, "Tracker": o.Tracker == nil,
		"Recorder": o.Recorder == nil, "Turnstile": o.Turnstile == nil, "Eyes": o.Eyes == nil,
		"Screen": o.Screen == nil, "Clock": o.Clock == nil, "Mono": o.Mono == nil,
	} {
		if missing {
			errs = append(errs, fmt.Errorf("lane option %s is missing", name))
		}
	}
	return errors.Join(errs...)
}

// queued bounds the inputs on their way to the loop. Faces and symbols beyond
// it are dropped, the camera sends newer ones; anything else waits.
const queued = 1024

// Lane is the one event loop of a gate. It starts closed; a Start input opens
// it.
type Lane struct {
	o    Options
	in   chan Input
	done chan struct{}
	m    *machine
}

// NewLane checks the options and makes a closed lane. Nothing runs before
// Serve.
func NewLane(o Options) (*Lane, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.NewID == nil {
		o.NewID = func() (id TxID) {
			_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the process instead
			return id
		}
	}
	if o.Order.Mode == 0 {
		o.Order.Mode = ModeNormal
	}
	l := &Lane{o: o, in: make(chan Input, queued), done: make(chan struct{})}
	// The machine posts the fate of its own records from other goroutines.
	l.m = newMachine(o, l.Post)
	return l, nil
}

// Post hands an input to the lane. It may be called from any goroutine but the
// lane's own ports while they are being called. A face or symbol that finds
// the queue full is dropped; any other input waits for a place or for the
// lane's end.
func (l *Lane) Post(in Input) {
	if in.safety() {
		select {
		case l.in <- in:
		case <-l.done:
		}
		return
	}
	select {
	case l.in <- in:
	default:
		in.face.forget()
	}
}

// Serve runs the lane until ctx ends. It withdraws a grant that is pending
// then. It may be called once.
func (l *Lane) Serve(ctx context.Context) error {
	defer close(l.done)
	beat := time.NewTicker(time.Second / 2)
	defer beat.Stop()
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	l.m.show(false)
	for {
		if in, late := l.m.timeout(l.o.Mono()); late {
			l.m.step(in)
		}
		wake.Reset(l.untilDeadline())
		select {
		case <-ctx.Done():
			l.stop()
			return ctx.Err()
		case in := <-l.in:
			l.m.step(in)
		case <-wake.C:
		case <-beat.C:
		}
		if l.o.Beat != nil {
			l.o.Beat()
		}
	}
}

func (l *Lane) untilDeadline() time.Duration {
	if l.m.deadline == 0 {
		return time.Hour
	}
	return max(0, time.Duration(l.m.deadline-l.o.Mono()))
}

// stop leaves no grant pending but one that somebody is passing on, which the
// turnstile's own time ends, and closes the record of a transaction that has
// begun.
func (l *Lane) stop() {
	t := l.m.tx
	if t == nil {
		return
	}
	revoke := l.m.state == Granted && l.m.mayRevoke()
	if revoke {
		l.o.Turnstile.Revoke(t.id)
	}
	l.m.finish(reason.Interrupted, []reason.Reason{reason.Interrupt}, revoke, l.o.Mono())
}
