package modbusio

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"bordergate/hal"
	"bordergate/hal/turnstile"
	"bordergate/hal/turnstile/modbus"
)

// NotWired is the channel of a contact that a gate does not have.
const NotWired = -1

// maxChannels is how many channels of a kind a board may have.
const maxChannels = 32

// Profile is what differs between boards. The zero value is none.
type Profile struct {
	Base    uint16 // wire address of relay 0
	InBase  uint16 // wire address of input 0
	OnValue uint16 // switches a relay on; 0 switches it off
	WriteFn byte   // 05 or 06
	ReadFn  byte   // reads relays back: 01, or 03 with a register each
	InputFn byte   // reads inputs: 02, or 04 with a register each
	// FlashBase is the address of channel 0's board-timed pulse in units of
	// 100 ms; 0 where the board has none and the driver times the pulse, which
	// is weaker: then only the daemon ends it.
	FlashBase uint16
	// ModeBase is the address of channel 0's output mode register, which must
	// read 0 (normal) on every unlock; 0 where the board has none.
	ModeBase uint16
	// Watchdog is the address of the register that says after how many
	// milliseconds of silence the board takes its relays back by itself; 0 where
	// the board has none. The driver sets it at start. Default is the address of
	// what the relays fall back to, a bit each, which must be 0.
	Watchdog, Default uint16
	// Count is the address of the input register (function 04) in which the board
	// counts the closings of input 0, 16 bits for each input; 0 where the board
	// does not count. A board that counts tells of every passage, however late it
	// is looked at.
	Count uint16
}

// Profiles of known boards, by name.
func Profiles() map[string]Profile {
	return map[string]Profile{
		"waveshare": {OnValue: 0xFF00, WriteFn: 5, ReadFn: 1, InputFn: 2, FlashBase: 0x0200, ModeBase: 0x1000},
		"lc":        {OnValue: 0xFF00, WriteFn: 5, ReadFn: 1, InputFn: 2},
		"hw584":     {Base: 1, InBase: 1, OnValue: 0x0100, WriteFn: 5, ReadFn: 1, InputFn: 2},
		"fc06":      {OnValue: 0x0001, WriteFn: 6, ReadFn: 3, InputFn: 4},
		"sfar":      {Base: 0x330, InBase: 0x320, OnValue: 0xFF00, WriteFn: 5, ReadFn: 1, InputFn: 2, Watchdog: 0x08, Default: 0x0C},
	}
}

// Options of a driver.
type Options struct {
	turnstile.Options // Poll at most 50 ms; Pulse 100 ms to 1 s, whole 100 ms, rounded down, where the board times it

	Unit    byte // Modbus address, 1 to 247 or 255; never broadcast
	Profile Profile

	// Inputs and outputs map signals to channels from 0; NotWired where the
	// gate has none. Emergency, ready and the passage contact of each wired
	// unlock are required; obstruction is required with a stop output.
	Inputs map[hal.Input]int
	// ActiveLow are the inputs whose contact is open (0) while the condition
	// they are named after holds: normally closed alarm contacts, so that a
	// cut wire reads as the alarm.
	ActiveLow map[hal.Input]bool
	Unlock    map[hal.Direction]int
	Stop      int // withdraws the gate controller's authorisation
	Lamps     map[hal.Lamp]int

	// Watchdog is after how long a silence a board that can takes its relays
	// back by itself, 500 ms to 10 s.
	Watchdog time.Duration
}

// DefaultOptions are those of a Waveshare board at 115200 baud without wiring.
func DefaultOptions() Options {
	return Options{
		Options: turnstile.DefaultOptions(), Unit: 1, Profile: Profiles()["waveshare"], Stop: NotWired,
		ActiveLow: map[hal.Input]bool{hal.InputTamper: true, hal.InputEmergency: true},
		Watchdog:  time.Second,
	}
}

// check joins every fault of the board's own options.
func (o *Options) check() error {
	var all []error
	if o.Unit == 0 || o.Unit > 247 && o.Unit != 255 {
		all = append(all, fmt.Errorf("unit %d, want 1 to 247, or 255", o.Unit))
	}
	all = append(all, o.Profile.check())
	if o.Profile.Watchdog != 0 {
		all = append(all, turnstile.Within("watchdog", o.Watchdog, max(500*time.Millisecond, 2*o.Pulse), 10*time.Second))
	}
	return errors.Join(append(all,
		turnstile.Within("poll", o.Poll, 0, 50*time.Millisecond), turnstile.Within("pulse", o.Pulse, 100*time.Millisecond, time.Second),
		o.checkChannels(), o.checkWiring())...)
}

// check refuses a profile that no board can be driven by.
func (p Profile) check() error {
	one := func(what string, fn byte, of ...byte) error {
		if !slices.Contains(of, fn) {
			return fmt.Errorf("profile: %s by function %d, want one of %v", what, fn, of)
		}
		return nil
	}
	if p == (Profile{}) {
		return errors.New("unknown profile, want waveshare, lc, hw584, fc06, sfar or one of your own")
	}
	if p.OnValue == 0 {
		return errors.New("profile: the value that switches a relay on is 0")
	}
	return errors.Join(
		one("relays are written", p.WriteFn, modbus.WriteCoil, modbus.WriteRegister),
		one("relays are read", p.ReadFn, modbus.ReadCoils, modbus.ReadHolding),
		one("inputs are read", p.InputFn, modbus.ReadInputs, modbus.ReadInputRegs),
	)
}

// checkChannels holds each channel to its range and to one use.
func (o *Options) checkChannels() error {
	var all []error
	used := map[int]string{}
	take := func(name string, ch int) {
		if ch == NotWired {
			return
		}
		if ch < 0 || ch >= maxChannels {
			all = append(all, fmt.Errorf("%s on channel %d, want 0 to %d", name, ch, maxChannels-1))
		} else if other, taken := used[ch]; taken {
			all = append(all, fmt.Errorf("%s and %s both on channel %d", other, name, ch))
		}
		used[ch] = name
	}
	for in, ch := range o.Inputs {
		if in == 0 || int(in) >= hal.InputCount {
			all = append(all, fmt.Errorf("input %d does not exist", in))
		}
		take("input "+in.String(), ch)
	}
	clear(used)
	for d, ch := range o.Unlock {
		if !d.Valid() {
			all = append(all, fmt.Errorf("unlock of direction %d", d))
		}
		take("unlock "+d.String(), ch)
	}
	take("stop", o.Stop)
	for l, ch := range o.Lamps {
		take("lamp "+l.String(), ch)
	}
	return errors.Join(all...)
}

// checkWiring refuses a gate whose grants could not be judged or closed.
func (o *Options) checkWiring() error {
	var all []error
	need := func(in hal.Input, why string) {
		if o.input(in) == NotWired {
			all = append(all, fmt.Errorf("input %v is not wired: %s", in, why))
		}
	}
	need(hal.InputEmergency, "nothing is granted while it is unknown")
	need(hal.InputReady, "nothing is granted while it is unknown")
	unlocks := 0
	for d, ch := range o.Unlock {
		if ch != NotWired {
			unlocks++
			need(d.Pass(), "only it closes a grant")
		}
	}
	if unlocks == 0 {
		all = append(all, errors.New("no unlock output"))
	}
	if o.Stop != NotWired {
		need(hal.InputObstruction, "nothing is withdrawn while it is unknown")
	}
	return errors.Join(all...)
}

func (o *Options) input(in hal.Input) int {
	if ch, ok := o.Inputs[in]; ok {
		return ch
	}
	return NotWired
}

func (o *Options) unlock(d hal.Direction) int {
	if ch, ok := o.Unlock[d]; ok {
		return ch
	}
	return NotWired
}

// inputCount and outputCount are how many channels are read, in whole bytes.
func (o *Options) inputCount() int {
	n := 0
	for _, ch := range o.Inputs {
		n = max(n, ch+1)
	}
	return (n + 7) / 8 * 8
}

func (o *Options) outputCount() int {
	n := o.Stop + 1
	for _, ch := range o.Unlock {
		n = max(n, ch+1)
	}
	for _, ch := range o.Lamps {
		n = max(n, ch+1)
	}
	return (n + 7) / 8 * 8
}

// wiredOf are the signals of a map that have a channel, in order.
func wiredOf[T comparable](channels map[T]int, order []T) []T {
	return slices.DeleteFunc(order, func(v T) bool {
		ch, ok := channels[v]
		return !ok || ch == NotWired
	})
}
