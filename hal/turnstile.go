package hal

import "context"

// Turnstile is one lane's gate.
type Turnstile interface {
	// Serve owns the device until ctx ends, and reconnects by itself for as
	// long as it takes. On its way out it makes the device inert.
	Serve(ctx context.Context) error
	// Grant lets one person pass: exactly one pulse, or an error. The levels
	// are read afresh before it. An error that is ErrUnconfirmed means that
	// the pulse may have been given; any other means that it was not. The same
	// ID again returns the first call's answer and makes no pulse. It may
	// outlive ctx by the time of one exchange, so that the answer is definite.
	Grant(ctx context.Context, g Grant) error
	// Revoke withdraws a grant's authorisation. It never drives a leaf, and
	// does nothing but answer with an error while anybody is or may be between
	// the leaves, or an emergency is or may be on.
	Revoke(ctx context.Context, id GrantID) error
	// Indicate sets what a lamp shows from now on, also after a reconnect. A
	// lamp that fails never fails a grant.
	Indicate(ctx context.Context, l Lamp, p Pattern) error
	// Snapshot is what is known now.
	Snapshot() State
	// Events is the one queue of the device's events. It is never closed.
	Events() <-chan Event
	// Halt makes the device inert: no grant pending, every unlock output off
	// and read back, no leaf driven. Safe to call twice. An error means that
	// the device could not be seen to be inert.
	Halt() error
	// Close ends Serve and waits for it. Later calls of other methods fail
	// with ErrClosed. Safe to call twice.
	Close() error
}
