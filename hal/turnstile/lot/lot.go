package lot

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"bordergate/hal"
	"bordergate/hal/turnstile"
	"bordergate/hal/turnstile/modbus"
)

// Options of a driver.
type Options struct {
	turnstile.Options // Poll at most 50 ms; Pulse is not used

	Unit byte // 1 to 32, by the gate's switches
	// Unlocks are the directions that may be granted.
	Unlocks []hal.Direction
	// Approach are the sensors at which a traveller only stands before the
	// gate. Every other sensor that sees something is between the leaves.
	Approach []uint16
}

// DefaultOptions are those of a gate for both directions whose first sensor is
// in front of it.
func DefaultOptions() Options {
	o := Options{Options: turnstile.DefaultOptions(), Unit: 1, Unlocks: []hal.Direction{hal.Entry, hal.Exit}, Approach: []uint16{1}}
	o.Pulse = 0
	return o
}

// New makes the driver of a gate; nothing is opened before Serve.
func New(o Options) (*turnstile.Driver, error) {
	o.Pulse = 0
	return turnstile.New(o.Options, turnstile.Model{
		Inputs: []hal.Input{hal.InputReady, hal.InputObstruction, hal.InputEmergency, hal.InputPresence},
		Lamps:  []hal.Lamp{hal.LampGreen, hal.LampRed}, Unlocks: o.Unlocks, Counter: 1<<32 - 1, Holds: true,
		Open: func(l *turnstile.Line) turnstile.Board {
			return &gate{o: &o, b: modbus.Bus{Line: l, Unit: o.Unit}}
		},
	}, o.check())
}

func (o *Options) check() error {
	var all []error
	if o.Unit < 1 || o.Unit > 32 {
		all = append(all, fmt.Errorf("unit %d, want 1 to 32", o.Unit))
	}
	if len(o.Unlocks) == 0 || slices.ContainsFunc(o.Unlocks, func(d hal.Direction) bool { return !d.Valid() }) {
		all = append(all, errors.New("no direction to unlock"))
	}
	if slices.Contains(o.Approach, 0) {
		all = append(all, errors.New("sensor 0 in front of the gate: 0 is no sensor"))
	}
	return errors.Join(append(all, turnstile.Within("poll", o.Poll, 0, 50*time.Millisecond))...)
}
