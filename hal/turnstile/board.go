package turnstile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bordergate/hal"
)

// Levels are one reading of all inputs.
type Levels [hal.InputCount]hal.Level

// Sample is one look at a board. All of it is how things stand: what changed
// since the last one is for the session to see.
type Sample struct {
	At     hal.Mono // when it was asked for: a level is as old as its question
	Levels Levels
	// Count is how many have passed in a direction, ever, where the board counts.
	Count [hal.Exit + 1]uint32
	// Open is as in Standing, for a board that takes an unlock back by itself
	// when nobody comes.
	Open   [hal.Exit + 1]hal.Level
	Alarms []Alarm // that stand now, a handful at most
	Raw    []byte  // the device's bytes; a copy
}

// Alarm is something that a device says of itself, for as long as it says so.
// It is told once.
type Alarm struct {
	Kind hal.EventKind
	Dir  hal.Direction
	Code uint32
}

// Standing is what a board shows of its unlocks, by direction: On while one is
// unlocked, Unknown where the board does not tell.
type Standing struct {
	Open [hal.Exit + 1]hal.Level
	Raw  []byte // a copy
}

// Board is one connection to a device in the device's own bytes. Each method
// is a few exchanges at most, and only the session's goroutine calls them.
type Board interface {
	// Greet recognises the board and refuses one that is set up wrongly. It
	// comes after the first Sample. It writes nothing but a watchdog that the
	// board has for the case of our silence.
	Greet(ctx context.Context) error
	// Sample reads every level now.
	Sample(ctx context.Context) (Sample, error)
	// Standing reads the unlocks back, by another question than Sample where
	// the protocol has one.
	Standing(ctx context.Context) (Standing, error)
	// Unlock lets one person pass in a direction. It sends once. sent reports
	// whether any byte may have gone out.
	Unlock(ctx context.Context, dir hal.Direction) (sent bool, err error)
	// Lock takes an unlock back that stands without a grant. It drives no leaf.
	Lock(ctx context.Context, dir hal.Direction) error
	// Withdraw takes a grant's authorisation away and sees that it is gone. It
	// drives no leaf.
	Withdraw(ctx context.Context, dir hal.Direction) error
	// Inert takes every unlock back and sees that none stands.
	Inert(ctx context.Context) error
	// Tend is what the board needs at every turn: the end of pulses that it
	// does not time by itself.
	Tend(ctx context.Context) error
	// Light switches a lamp.
	Light(ctx context.Context, l hal.Lamp, on bool) error
}

// Model is what the session has to know of a kind of board.
type Model struct {
	Inputs  []hal.Input     // the levels that it tells; the others stay Unknown
	Unlocks []hal.Direction // the directions that it can unlock
	Lamps   []hal.Lamp
	// Counter is the highest value of the board's passage counters; 0 where a
	// passage is told by its contact.
	Counter uint32
	// Holds says that an unlock stands until somebody has passed, and not for a
	// pulse's time.
	Holds bool
	// Open is the board of a line that was just opened.
	Open func(l *Line) Board
}

func (m *Model) tells(in hal.Input) bool { return slices.Contains(m.Inputs, in) }

// ErrSetting says that a board is set up in a way that no grant may be given
// on. The technician sets it right with its maker's tool; no driver does.
var ErrSetting = errors.New("the board is set up wrongly")

// Refused is a device's own refusal: a right answer that says no.
type Refused struct {
	Code uint32 // the device's own
	What string
}

func (e Refused) Error() string {
	return fmt.Sprintf("the board refused: %s (code %d)", e.What, e.Code)
}
