package fitting

import (
	"fmt"
	"log/slog"

	"bordergate/configs"
	"bordergate/hal"
	"bordergate/hal/turnstile"
	"bordergate/hal/turnstile/lot"
	"bordergate/hal/turnstile/modbusio"
	"bordergate/hal/turnstile/swing7e"
)

// Turnstile makes the driver that the file names; it opens nothing.
func Turnstile(c configs.Turnstile, log *slog.Logger) (hal.Turnstile, error) {
	switch c.Driver {
	case "lot":
		return lot.New(lotOptions(c, log))
	case "swing7e":
		o, err := swingOptions(c, log)
		if err != nil {
			return nil, err
		}
		return swing7e.New(o)
	default:
		return modbusio.New(boardOptions(c, log))
	}
}

// common is what every driver takes from the file.
func common(o *turnstile.Options, c configs.Turnstile, log *slog.Logger) {
	o.Port.Path, o.Port.Baud = c.Port, c.Baud
	o.Poll, o.Passage, o.Log = c.Poll, c.PassageWait, log
}

func lotOptions(c configs.Turnstile, log *slog.Logger) lot.Options {
	o := lot.DefaultOptions()
	common(&o.Options, c, log)
	o.Unit, o.Approach = byte(c.Unit), nil
	for _, sensor := range c.LOT.Approach {
		o.Approach = append(o.Approach, uint16(sensor))
	}
	return o
}

func swingOptions(c configs.Turnstile, log *slog.Logger) (swing7e.Options, error) {
	o := swing7e.DefaultOptions()
	common(&o.Options, c, log)
	o.Unit, o.Left = byte(c.Unit), hal.Entry
	if c.Swing7E.Left == hal.Exit.String() {
		o.Left = hal.Exit
	}
	tables := map[string]*map[byte][]string{
		"fault": &o.Codes.Fault, "gate": &o.Codes.Gate, "alarm": &o.Codes.Alarm, "infrared": &o.Codes.Infrared, "command": &o.Codes.Command,
	}
	for _, line := range c.Swing7E.Codes {
		code, err := configs.ParseSwingCode(line)
		if err != nil {
			return o, fmt.Errorf("turnstile.swing7e.codes: %q %w", line, err)
		}
		table := tables[code.Field]
		if *table == nil {
			*table = map[byte][]string{}
		}
		(*table)[code.Code] = code.Words
	}
	return o, nil
}

// profile is the kind of board.
func profile(c configs.Turnstile) modbusio.Profile {
	if c.Profile != "own" {
		return modbusio.Profiles()[c.Profile]
	}
	b := c.Own
	return modbusio.Profile{
		Base: uint16(b.Base), InBase: uint16(b.InputBase), OnValue: uint16(b.On), WriteFn: byte(b.Write), ReadFn: byte(b.Read), InputFn: byte(b.Input),
		FlashBase: uint16(b.Flash), ModeBase: uint16(b.Mode), Watchdog: uint16(b.WatchdogRegister), Default: uint16(b.DefaultRegister),
	}
}

func boardOptions(c configs.Turnstile, log *slog.Logger) modbusio.Options {
	o := modbusio.DefaultOptions()
	common(&o.Options, c, log)
	o.Unit, o.Profile, o.Watchdog = byte(c.Unit), profile(c), c.Watchdog
	o.Profile.Count = uint16(c.Counters)
	o.Pulse = c.Pulse
	in := c.Inputs
	o.Inputs = map[hal.Input]int{
		hal.InputPassEntry: in.PassEntry, hal.InputPassExit: in.PassExit, hal.InputReady: in.Ready,
		hal.InputDoorClosed: in.DoorClosed, hal.InputObstruction: in.Obstruction, hal.InputTamper: in.Tamper,
		hal.InputEmergency: in.Emergency, hal.InputMains: in.Mains, hal.InputPresence: in.Presence,
	}
	o.Unlock = map[hal.Direction]int{hal.Entry: c.Outputs.UnlockEntry, hal.Exit: c.Outputs.UnlockExit}
	o.Stop = c.Outputs.Stop
	o.Lamps = map[hal.Lamp]int{hal.LampGreen: c.Outputs.Green, hal.LampRed: c.Outputs.Red, hal.LampBuzzer: c.Outputs.Buzzer}
	return o
}
