package modbusio

import (
	"fmt"
	"log/slog"
	"time"

	"bordergate/hal"
	"bordergate/hal/port"
)

// NotWired is the channel of a contact that a gate does not have.
const NotWired = -1

// Profile is what differs between boards.
type Profile struct {
	Base    uint16 // wire address of channel 0
	OnValue uint16 // switches a relay on by function 05 or 06
	WriteFn byte   // fnWriteCoil or fnWriteReg
	// FlashBase is the address of channel 0's board-timed pulse in units of
	// 100 ms; 0 where the board has none and the driver times the pulse.
	FlashBase uint16
}

// Profiles of known boards, by name.
func Profiles() map[string]Profile {
	return map[string]Profile{
		"waveshare": {OnValue: 0xFF00, WriteFn: fnWriteCoil, FlashBase: 0x0200},
		"lc":        {OnValue: 0xFF00, WriteFn: fnWriteCoil},
		"hw584":     {Base: 1, OnValue: 0x0100, WriteFn: fnWriteCoil},
		"fc06":      {OnValue: 0x0001, WriteFn: fnWriteReg},
	}
}

// Options of a driver.
type Options struct {
	Port    port.Options
	Unit    byte
	Profile Profile
	// Inputs and Outputs map signals to channels from 0; NotWired where the
	// gate has none.
	Inputs  map[hal.Input]int
	Unlock  map[hal.Direction]int
	Stop    int
	Lamps   map[hal.Lamp]int
	Poll    time.Duration // between two looks at the inputs, 5 to 50 ms
	Pulse   time.Duration // of an unlock, 100 ms to 1 s, whole 100 ms on boards that time it
	Passage time.Duration // how long a grant lives unused
	Reply   time.Duration // longest wait for a reply
	Settle  time.Duration // how long after a passage another one is tailgating
	Log     *slog.Logger
}

// DefaultOptions are those of a Waveshare board at 115200 baud without wiring.
func DefaultOptions() Options {
	return Options{
		Port: port.DefaultOptions(), Unit: 1, Profile: Profiles()["waveshare"], Stop: NotWired,
		Poll: 20 * time.Millisecond, Pulse: 300 * time.Millisecond, Passage: 8 * time.Second,
		Reply: 300 * time.Millisecond, Settle: 500 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}
}

// closed tells the inputs whose healthy contact is closed, so that a cut wire
// reads as the alarm.
func closed(i hal.Input) bool { return i == hal.InputTamper || i == hal.InputEmergency }

func (o Options) check() error {
	switch {
	case o.Port.Path == "":
		return fmt.Errorf("%w: no port", hal.ErrInvalid)
	case o.Poll < 5*time.Millisecond || o.Poll > 50*time.Millisecond:
		return fmt.Errorf("%w: poll %v, want 5 ms to 50 ms", hal.ErrInvalid, o.Poll)
	case o.Pulse < 100*time.Millisecond || o.Pulse > time.Second:
		return fmt.Errorf("%w: pulse %v, want 100 ms to 1 s", hal.ErrInvalid, o.Pulse)
	}
	for in, ch := range o.Inputs {
		if ch < NotWired || ch > 31 {
			return fmt.Errorf("%w: input %v on channel %d, want 0 to 31", hal.ErrInvalid, in, ch)
		}
	}
	if len(o.Unlock) == 0 {
		return fmt.Errorf("%w: no unlock output", hal.ErrInvalid)
	}
	return nil
}
