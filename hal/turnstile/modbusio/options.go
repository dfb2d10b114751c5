package modbusio

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"bordergate/hal"
	"bordergate/hal/port"
)

// NotWired is the channel of a contact that a gate does not have.
const NotWired = -1

// maxChannels is how many channels of a kind a board may have.
const maxChannels = 32

// Profile is what differs between boards. The zero value is none.
type Profile struct {
	Base    uint16 // wire address of channel 0
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
}

// Profiles of known boards, by name.
func Profiles() map[string]Profile {
	return map[string]Profile{
		"waveshare": {OnValue: 0xFF00, WriteFn: 5, ReadFn: 1, InputFn: 2, FlashBase: 0x0200, ModeBase: 0x1000},
		"lc":        {OnValue: 0xFF00, WriteFn: 5, ReadFn: 1, InputFn: 2},
		"hw584":     {Base: 1, OnValue: 0x0100, WriteFn: 5, ReadFn: 1, InputFn: 2},
		"fc06":      {OnValue: 0x0001, WriteFn: 6, ReadFn: 3, InputFn: 4},
	}
}

// Options of a driver.
type Options struct {
	Device  string // name in events; empty: "turnstile"
	Port    port.Options
	Dial    func() (port.Port, error) // replaces opening Port, for recorders and tests
	Unit    byte                      // Modbus address, 1 to 247 or 255; never broadcast
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

	Poll       time.Duration // between two looks at the inputs, 5 to 50 ms
	Pulse      time.Duration // of an unlock, 100 ms to 1 s; whole 100 ms, rounded down, where the board times it
	Passage    time.Duration // how long a grant lives unused, more than Pulse, at most 1 min
	Reply      time.Duration // longest wait for a reply beyond the time on the wire, 20 ms to 1 s
	Valid      time.Duration // validity of a grant that names none, at most 10 s
	Settle     time.Duration // how long after a passage, at most, another one is tailgating
	HeldWarn   time.Duration // door open, until HeldOpen with CodeWarning
	HeldAlarm  time.Duration // door open, until HeldOpen with CodeAlarm
	ObjectLeft time.Duration // obstruction, until ObjectLeft

	Trust func() hal.Trust // trust in the wall clock; nil: bad
	Log   *slog.Logger     // nil: none
}

// DefaultOptions are those of a Waveshare board at 115200 baud without wiring.
func DefaultOptions() Options {
	return Options{
		Port: port.DefaultOptions(), Unit: 1, Profile: Profiles()["waveshare"], Stop: NotWired,
		ActiveLow: map[hal.Input]bool{hal.InputTamper: true, hal.InputEmergency: true},
		Poll:      20 * time.Millisecond, Pulse: 300 * time.Millisecond, Passage: 8 * time.Second,
		Reply: 120 * time.Millisecond, Valid: 5 * time.Second, Settle: 2 * time.Second,
		HeldWarn: 10 * time.Second, HeldAlarm: 20 * time.Second, ObjectLeft: 30 * time.Second,
		Log: slog.New(slog.DiscardHandler),
	}
}

func (o Options) name() string {
	if o.Device == "" {
		return "turnstile"
	}
	return o.Device
}

// check joins every fault of the options.
func (o Options) check() error {
	var all []error
	if o.Port.Path == "" && o.Dial == nil {
		all = append(all, errors.New("no port"))
	}
	if o.Port.Baud < 50 {
		all = append(all, fmt.Errorf("speed %d baud", o.Port.Baud))
	}
	if o.Unit == 0 || o.Unit > 247 && o.Unit != 255 {
		all = append(all, fmt.Errorf("unit %d, want 1 to 247, or 255", o.Unit))
	}
	if o.Profile.OnValue == 0 {
		all = append(all, errors.New("unknown profile, want waveshare, lc, hw584 or fc06"))
	}
	all = append(all, o.checkTimes(), o.checkChannels(), o.checkWiring())
	if err := errors.Join(all...); err != nil {
		return fmt.Errorf("%w: %w", hal.ErrInvalid, err)
	}
	return nil
}

func (o Options) checkTimes() error {
	var all []error
	within := func(name string, d, low, high time.Duration) {
		if d < low || d > high {
			all = append(all, fmt.Errorf("%s %v, want %v to %v", name, d, low, high))
		}
	}
	within("poll", o.Poll, 5*time.Millisecond, 50*time.Millisecond)
	within("pulse", o.Pulse, 100*time.Millisecond, time.Second)
	within("passage wait", o.Passage, o.Pulse, time.Minute)
	within("reply wait", o.Reply, 20*time.Millisecond, time.Second)
	within("validity", o.Valid, time.Millisecond, 10*time.Second)
	within("settle time", o.Settle, time.Millisecond, time.Minute)
	within("held-open warning", o.HeldWarn, time.Millisecond, time.Hour)
	within("held-open alarm", o.HeldAlarm, o.HeldWarn, time.Hour)
	within("object-left time", o.ObjectLeft, time.Millisecond, time.Hour)
	return errors.Join(all...)
}

// checkChannels holds each channel to its range and to one use.
func (o Options) checkChannels() error {
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
func (o Options) checkWiring() error {
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

func (o Options) input(in hal.Input) int {
	if ch, ok := o.Inputs[in]; ok {
		return ch
	}
	return NotWired
}

func (o Options) unlock(d hal.Direction) int {
	if ch, ok := o.Unlock[d]; ok {
		return ch
	}
	return NotWired
}

// inputCount and outputCount are how many channels are read, in whole bytes.
func (o Options) inputCount() int {
	n := 0
	for _, ch := range o.Inputs {
		n = max(n, ch+1)
	}
	return (n + 7) / 8 * 8
}

func (o Options) outputCount() int {
	n := o.Stop + 1
	for _, ch := range o.Unlock {
		n = max(n, ch+1)
	}
	for _, ch := range o.Lamps {
		n = max(n, ch+1)
	}
	return (n + 7) / 8 * 8
}

// stale is the age from which a level is not known: three polls, and never
// less than three of the slowest that are allowed, since an exchange that had
// to be repeated takes longer than three of the fastest. A grant reads afresh
// and does not rely on it.
func (o Options) stale() time.Duration { return max(3*o.Poll, 150*time.Millisecond) }
