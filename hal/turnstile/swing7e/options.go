package swing7e

import (
	"errors"
	"fmt"
	"time"

	"bordergate/hal"
	"bordergate/hal/turnstile"
)

// Options of a driver.
type Options struct {
	turnstile.Options // Poll 50 to 500 ms; Pulse is not used

	Unit byte // the board's number, from 1
	// Left is the direction of those who go through on the left side's command.
	Left hal.Direction
	// Unlocks are the directions that may be granted.
	Unlocks []hal.Direction
	Codes   Codes
	// Rest is how long the board is left alone after a command, 50 to 200 ms.
	Rest time.Duration
}

// DefaultOptions are those of a board at 19200 baud, without its codes.
func DefaultOptions() Options {
	o := Options{
		Options: turnstile.DefaultOptions(), Unit: 1, Left: hal.Entry, Unlocks: []hal.Direction{hal.Entry, hal.Exit}, Rest: 50 * time.Millisecond,
	}
	o.Port.Baud = 19200
	o.Poll, o.Reply, o.Pulse = 100*time.Millisecond, 300*time.Millisecond, 0
	return o
}

// New makes the driver of a board; nothing is opened before Serve.
func New(o Options) (*turnstile.Driver, error) {
	o.Pulse = 0
	return turnstile.New(o.Options, turnstile.Model{
		Inputs: o.Codes.inputs(), Unlocks: o.Unlocks, Counter: 1<<24 - 1, Holds: true,
		Open: func(l *turnstile.Line) turnstile.Board { return &gate{o: &o, l: l} },
	}, o.check())
}

func (o *Options) check() error {
	var all []error
	if o.Unit == 0 {
		all = append(all, errors.New("unit 0, want 1 to 255"))
	}
	if !o.Left.Valid() || len(o.Unlocks) == 0 {
		all = append(all, errors.New("no direction for the left side, or none to unlock"))
	}
	for _, d := range o.Unlocks {
		if !d.Valid() {
			all = append(all, fmt.Errorf("unlock of direction %d", d))
		}
	}
	return errors.Join(append(all,
		turnstile.Within("poll", o.Poll, 50*time.Millisecond, 500*time.Millisecond),
		turnstile.Within("rest", o.Rest, 50*time.Millisecond, 200*time.Millisecond),
		o.Codes.check())...)
}
