package configs

import (
	"slices"
	"strings"
	"testing"
)

// swingCodes is a table that is complete.
const swingCodes = `["fault 0", "fault 5 out_of_service", "gate 0x0E emergency door_open", "infrared 2 obstruction", "command 0", "command 17 open_left", "command 18 open_right"]`

// Each case is one gate with another device, and where its file is wrong.
func TestTurnstileDrivers(t *testing.T) {
	for name, c := range map[string]struct {
		text string // in place of the driver's line
		want []string
	}{
		"lot":                   {"  driver: lot\n", nil},
		"lot needs no wiring":   {"  driver: lot\n  lot: {approach: [1, 2]}\n", nil},
		"lot sensor":            {"  driver: lot\n  lot: {approach: [0]}\n", []string{"turnstile.lot.approach[0]"}},
		"swing":                 {"  driver: swing7e\n  swing7e: {left: exit, codes: " + swingCodes + "}\n", []string{"turnstile.poll"}},
		"swing without codes":   {"  driver: swing7e\n  swing7e: {left: exit}\n", slices.Concat([]string{"turnstile.poll"}, slices.Repeat([]string{"turnstile.swing7e.codes"}, 5))},
		"swing side":            {"  driver: swing7e\n  swing7e: {left: in, codes: " + swingCodes + "}\n", []string{"turnstile.poll", "turnstile.swing7e.left"}},
		"swing word":            {"  driver: swing7e\n  swing7e: {codes: " + strings.Replace(swingCodes, "door_open", "ajar", 1) + "}\n", []string{"turnstile.poll", "turnstile.swing7e.codes[2]", "turnstile.swing7e.codes"}},
		"swing field":           {"  driver: swing7e\n  swing7e: {codes: " + strings.Replace(swingCodes, "command 0", "volts 0", 1) + "}\n", []string{"turnstile.poll", "turnstile.swing7e.codes[4]"}},
		"swing value":           {"  driver: swing7e\n  swing7e: {codes: " + strings.Replace(swingCodes, "command 0", "command 256", 1) + "}\n", []string{"turnstile.poll", "turnstile.swing7e.codes[4]"}},
		"swing code twice":      {"  driver: swing7e\n  swing7e: {codes: " + strings.Replace(swingCodes, "command 18", "command 0x11", 1) + "}\n", []string{"turnstile.poll", "turnstile.swing7e.codes[6]"}},
		"swing line":            {"  driver: swing7e\n  swing7e: {codes: " + strings.Replace(swingCodes, "command 0", "command", 1) + "}\n", []string{"turnstile.poll", "turnstile.swing7e.codes[4]"}},
		"own board":             {"  driver: modbusio\n  own: {base: 16, on: 1, write: 6, read: 3, input: 4}\n", nil},
		"own board's functions": {"  driver: modbusio\n  own: {write: 15, on: 0}\n", []string{"turnstile.own.on", "turnstile.own.write"}},
		"watchdog":              {"  driver: modbusio\n  watchdog: 1s\n", []string{"turnstile.watchdog"}},
		"unknown":               {"  driver: osdp\n", []string{"turnstile.driver"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := validGate(t)
			line := text[strings.Index(text, "  driver: modbusio"):]
			line = line[:strings.Index(line, "\n")+1]
			text = strings.Replace(text, line, c.text, 1)
			if strings.HasPrefix(name, "own") {
				text = strings.Replace(text, "profile: waveshare", "profile: own", 1)
			}
			_, faults := parseGate(text)
			var got []string
			for _, f := range faults {
				got = append(got, f.Path)
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("faults %v, want %v", faults, c.want)
			}
		})
	}
}
