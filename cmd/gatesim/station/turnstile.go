package station

import (
	"time"

	"bordergate/configs"
)

// Turnstiles are the drivers whose board can be simulated.
func Turnstiles() []string { return []string{"modbusio", "lot", "swing7e"} }

// swingCodes is the table of the simulated swing gate; each model has its own.
func swingCodes() []string {
	return []string{
		"fault 0", "fault 5 out_of_service",
		"gate 0", "gate 1 door_open", "gate 14 emergency door_open",
		"alarm 0", "alarm 3 tamper", "alarm 4 power_fail", "alarm 7 tamper power_fail",
		"infrared 0", "infrared 1 presence", "infrared 2 obstruction", "infrared 3 presence obstruction",
		"command 0", "command 0x11 open_left", "command 0x12 open_right", "command 0x20 refused", "command 0x31 forbidden", "command 0x32 forbidden",
	}
}

// turnstile is the gate's driver for its board.
func (o Options) turnstile(t *configs.Turnstile) {
	t.Port, t.Counters = o.Port, Counters
	switch o.Turnstile {
	case "lot":
		t.Driver = o.Turnstile
	case "swing7e":
		t.Driver, t.Poll, t.Swing7E.Codes = o.Turnstile, 50*time.Millisecond, swingCodes()
	}
}
