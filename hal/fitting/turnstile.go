package fitting

import (
	"log/slog"

	"bordergate/configs"
	"bordergate/hal"
	"bordergate/hal/turnstile/modbusio"
)

// Turnstile makes the driver that the file names; it opens nothing.
func Turnstile(c configs.Turnstile, log *slog.Logger) (hal.Turnstile, error) {
	return modbusio.New(boardOptions(c, log))
}

func boardOptions(c configs.Turnstile, log *slog.Logger) modbusio.Options {
	o := modbusio.DefaultOptions()
	o.Port.Path, o.Port.Baud, o.Unit = c.Port, c.Baud, byte(c.Unit)
	o.Profile = modbusio.Profiles()[c.Profile]
	o.Profile.Count = uint16(c.Counters)
	o.Poll, o.Pulse, o.Passage, o.Log = c.Poll, c.Pulse, c.PassageWait, log
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
