package swing7e

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"bordergate/hal"
	"bordergate/hal/turnstile"
)

// Codes are what the values of a model's status mean, each a list of words. No
// word is a code that means nothing in particular. A field without any code is
// not looked at.
//
// Words of Fault, Gate, Alarm and Infrared: presence, obstruction, emergency,
// tamper, power_fail, door_open and out_of_service are levels, which are off
// under every other code of a field that names them; tailgating, reverse_entry,
// forced_entry and fault are told once. Words of Command: open_left and
// open_right while that side stands open for somebody, refused, forbidden.
type Codes struct {
	Fault, Gate, Alarm, Infrared, Command map[byte][]string
}

// Words of the command field.
const (
	openLeft  = "open_left"
	openRight = "open_right"
	refused   = "refused"
	forbidden = "forbidden"
)

// levelWords are the levels, and whether the word says that the input is on.
var levelWords = map[string]struct {
	in hal.Input
	on bool
}{
	"presence": {hal.InputPresence, true}, "obstruction": {hal.InputObstruction, true}, "emergency": {hal.InputEmergency, true},
	"tamper": {hal.InputTamper, true}, "power_fail": {hal.InputMains, false}, "door_open": {hal.InputDoorClosed, false},
	"out_of_service": {hal.InputReady, false},
}

var alarmWords = map[string]hal.EventKind{
	"tailgating": hal.Tailgating, "reverse_entry": hal.ReverseEntry, "forced_entry": hal.ForcedEntry, "fault": hal.Fault,
}

// field is one place of the status with its codes.
type field struct {
	name  string
	at    int
	codes map[byte][]string
}

func (c *Codes) fields() []field {
	return []field{
		{"fault", atFault, c.Fault}, {"gate", atGate, c.Gate}, {"alarm", atAlarm, c.Alarm}, {"infrared", atInfrared, c.Infrared},
	}
}

// inputs are the levels that the table tells.
func (c *Codes) inputs() []hal.Input {
	var out []hal.Input
	for _, f := range c.fields() {
		for in := range f.levels() {
			out = append(out, in)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// levels are the inputs that a field tells, with what they are under a code
// that does not name them.
func (f field) levels() map[hal.Input]hal.Level {
	out := map[hal.Input]hal.Level{}
	for _, words := range f.codes {
		for _, w := range words {
			if l, ok := levelWords[w]; ok {
				out[l.in] = hal.LevelOf(!l.on)
			}
		}
	}
	return out
}

// read is what a status says by the table. An input that several fields tell is
// as its word says as soon as one of them says so, and else unknown as soon as
// one of them does not know.
func (c *Codes) read(raw []byte) (levels turnstile.Levels, alarms []turnstile.Alarm) {
	var told turnstile.Levels
	for _, f := range c.fields() {
		if len(f.codes) == 0 {
			continue
		}
		said, words := f.say(raw[f.at])
		for _, w := range words {
			alarms = append(alarms, turnstile.Alarm{Kind: alarmWords[w], Code: rawCode(f.at, raw[f.at])})
		}
		for in, l := range said {
			calm := f.levels()[in] // what it is without its word
			switch {
			case told[in] == 0:
				levels[in], told[in] = l, hal.On
			case levels[in] != hal.Unknown && levels[in] != calm:
			case l != calm:
				levels[in] = l
			}
		}
	}
	return levels, alarms
}

// say is what one code means: its levels, and the words that are told once. A
// code that the table has not is a fault and makes the field's levels unknown.
func (f field) say(code byte) (levels map[hal.Input]hal.Level, told []string) {
	levels = f.levels()
	words, known := f.codes[code]
	if !known {
		for in := range levels {
			levels[in] = hal.Unknown
		}
		return levels, []string{"fault"}
	}
	for _, w := range words {
		if l, ok := levelWords[w]; ok {
			levels[l.in] = hal.LevelOf(l.on)
		} else {
			told = append(told, w)
		}
	}
	return levels, told
}

// rawCode is a code of the status in an event.
func rawCode(at int, code byte) uint32 { return hal.CodeDevice | uint32(at)<<8 | uint32(code) }

// check refuses a table on which no grant could be given or judged.
func (c *Codes) check() error {
	var all []error
	for _, f := range append(c.fields(), field{"command", atCommand, c.Command}) {
		for _, code := range slices.Sorted(maps.Keys(f.codes)) {
			for _, w := range f.codes[code] {
				if !f.may(w) {
					all = append(all, fmt.Errorf("code %#02x of %s: %.40q is not a word of it", code, f.name, w))
				}
			}
		}
	}
	for _, in := range []hal.Input{hal.InputEmergency, hal.InputObstruction, hal.InputReady} {
		if !slices.Contains(c.inputs(), in) {
			all = append(all, fmt.Errorf("no code tells of %v: nothing is granted while it is unknown", in))
		}
	}
	for _, w := range []string{openLeft, openRight} {
		if !slices.ContainsFunc(slices.Collect(maps.Values(c.Command)), func(words []string) bool { return slices.Contains(words, w) }) {
			all = append(all, fmt.Errorf("no code of command says %s: what becomes of a grant could not be seen", w))
		}
	}
	return errors.Join(all...)
}

func (f field) may(word string) bool {
	if f.at == atCommand {
		return slices.Contains([]string{openLeft, openRight, refused, forbidden}, word)
	}
	_, level := levelWords[word]
	_, alarm := alarmWords[word]
	return level || alarm
}
