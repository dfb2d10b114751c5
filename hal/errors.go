package hal

import (
	"errors"
	"strings"
)

// Errors of a grant that was not given; the device did nothing.
var (
	// ErrOffline: the device does not answer.
	ErrOffline = errors.New("the device does not answer")
	// ErrUnknownInput: a level that a grant depends on is not known.
	ErrUnknownInput = errors.New("an input that the grant depends on is not known")
	// ErrEmergency: the emergency input is on; only hardware rules the gate.
	ErrEmergency = errors.New("the emergency input is on")
	// ErrObstructed: somebody or something is, or may be, between the leaves.
	ErrObstructed = errors.New("the passage is or may be occupied")
	// ErrNotReady: the gate's controller says that it is out of service.
	ErrNotReady = errors.New("the gate is out of service")
	// ErrStuck: the passage contact that would close the grant is already on.
	ErrStuck = errors.New("the passage contact is already on")
	// ErrBusy: another grant is open, or its passage has not settled.
	ErrBusy = errors.New("another grant is open")
	// ErrExpired: the grant waited longer than it was valid.
	ErrExpired = errors.New("the grant is older than its validity")
	// ErrRejected: the device answered that it would not unlock.
	ErrRejected = errors.New("the device refused to unlock")
	// ErrInvalid: the request itself is wrong.
	ErrInvalid = errors.New("the request is not valid")
	// ErrClosed: the driver was closed.
	ErrClosed = errors.New("the device was closed")
)

// Errors of a command whose effect is not, or not fully, known.
var (
	// ErrUnconfirmed: the command was sent and nothing confirms its effect.
	// It must be treated as done and never be sent again.
	ErrUnconfirmed = errors.New("the command was sent but not confirmed")
	// ErrNoGrant: there is no open grant of this id.
	ErrNoGrant = errors.New("no open grant of this id")
	// ErrPassageStarted: a person has begun to pass; nothing was withdrawn.
	ErrPassageStarted = errors.New("the passage has already started")
	// ErrNoWithdrawal: the device has no way to withdraw an authorisation.
	ErrNoWithdrawal = errors.New("the device cannot withdraw an authorisation")
)

// Error is what a driver returns: the operation, the device, the cause, and
// what a technician can do about it.
type Error struct {
	Op     string // "grant", "open port"
	Device string // the configured name or stable path
	Err    error
	Hint   string // the cure, or empty
}

// Error is "op device: cause (hint)".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Device != "" {
		b.WriteString(" " + e.Device)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }
