package configs

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Board is an input and output board of a kind of its own, for the profile
// "own".
type Board struct {
	Base             int `yaml:"base"`              // wire address of relay 0
	InputBase        int `yaml:"input_base"`        // wire address of input 0
	On               int `yaml:"on"`                // value that switches a relay on
	Write            int `yaml:"write"`             // Modbus function that switches a relay: 5 or 6
	Read             int `yaml:"read"`              // Modbus function that reads relays back: 1 or 3
	Input            int `yaml:"input"`             // Modbus function that reads inputs: 2 or 4
	Flash            int `yaml:"flash"`             // address of relay 0's pulse that the board times in 100 ms; 0 where it has none
	Mode             int `yaml:"mode"`              // address of relay 0's mode, which must read 0; 0 where it has none
	WatchdogRegister int `yaml:"watchdog_register"` // address of the register for the longest silence in ms; 0 where it has none
	DefaultRegister  int `yaml:"default_register"`  // address of what relays fall back to, which must read 0; 0 where it has none
}

// LOT is what only a LOT turnstile has.
type LOT struct {
	Approach []int `yaml:"approach"` // numbers of the sensors in front of the gate; every other one is between the leaves
}

// Swing7E is what only a swing gate that speaks 7E/7F has.
type Swing7E struct {
	Left string `yaml:"left"` // direction of those who go through on the left side's command: entry or exit
	// Codes say what the values of the board's status mean, one each: field,
	// value and words, such as "gate 14 emergency door_open".
	Codes []string `yaml:"codes"`
}

// SwingCode is one line of a table of codes.
type SwingCode struct {
	Field string // fault, gate, alarm, infrared or command
	Code  byte
	Words []string
}

// swingWords are the words of each field; those of gate are fault's, alarm's and
// infrared's too.
func swingWords(field string) []string {
	switch field {
	case "command":
		return []string{"open_left", "open_right", "refused", "forbidden"}
	case "fault", "gate", "alarm", "infrared":
		return []string{
			"presence", "obstruction", "emergency", "tamper", "power_fail", "door_open", "out_of_service",
			"tailgating", "reverse_entry", "forced_entry", "fault",
		}
	}
	return nil
}

// ParseSwingCode reads one line of a table of codes.
func ParseSwingCode(line string) (SwingCode, error) {
	parts := strings.Fields(line)
	if len(parts) < 2 {
		return SwingCode{}, errors.New("is not a field, a value and words")
	}
	c := SwingCode{Field: parts[0], Words: parts[2:]}
	words := swingWords(c.Field)
	if words == nil {
		return c, fmt.Errorf("has %.20q for a field: fault, gate, alarm, infrared or command", c.Field)
	}
	n, err := strconv.ParseUint(parts[1], 0, 8)
	if err != nil {
		return c, fmt.Errorf("has %.20q for a value: 0 to 255, or 0x00 to 0xFF", parts[1])
	}
	c.Code = byte(n)
	for _, w := range c.Words {
		if !slices.Contains(words, w) {
			return c, fmt.Errorf("has %.20q, which is no word of %s: %s", w, c.Field, strings.Join(words, ", "))
		}
	}
	return c, nil
}

func checkTurnstile(direction string, t Turnstile, d *document) {
	d.oneOf("turnstile.driver", t.Driver, "modbusio", "lot", "swing7e")
	d.serialPort("turnstile.port", t.Port)
	oneOfNumbers(d, "turnstile.baud", t.Baud, bauds()...)
	between(d, "turnstile.counters", t.Counters, 0, 65000)
	between(d, "turnstile.pulse", t.Pulse, 100*time.Millisecond, time.Second)
	between(d, "turnstile.passage_wait", t.PassageWait, time.Second, time.Minute)
	unit, slow := 255, false
	switch t.Driver {
	case "lot":
		unit = 32
		checkLOT(t.LOT, d)
	case "swing7e":
		slow = true
		checkSwing(t.Swing7E, d)
	default:
		checkBoard(t, d)
		checkWiring(direction, t, d)
	}
	between(d, "turnstile.unit", t.Unit, 1, unit)
	if slow {
		between(d, "turnstile.poll", t.Poll, 50*time.Millisecond, 500*time.Millisecond)
	} else {
		between(d, "turnstile.poll", t.Poll, 5*time.Millisecond, 50*time.Millisecond)
	}
}

func checkBoard(t Turnstile, d *document) {
	d.oneOf("turnstile.profile", t.Profile, "waveshare", "lc", "hw584", "fc06", "sfar", "own")
	between(d, "turnstile.watchdog", t.Watchdog, 2*time.Second, 10*time.Second)
	if t.Profile != "own" {
		return
	}
	o := t.Own
	for _, a := range []struct {
		name string
		n    int
	}{
		{"base", o.Base},
		{"input_base", o.InputBase},
		{"flash", o.Flash},
		{"mode", o.Mode},
		{"watchdog_register", o.WatchdogRegister},
		{"default_register", o.DefaultRegister},
	} {
		between(d, "turnstile.own."+a.name, a.n, 0, 65000)
	}
	between(d, "turnstile.own.on", o.On, 1, 65535)
	oneOfNumbers(d, "turnstile.own.write", o.Write, 5, 6)
	oneOfNumbers(d, "turnstile.own.read", o.Read, 1, 3)
	oneOfNumbers(d, "turnstile.own.input", o.Input, 2, 4)
}

func checkLOT(l LOT, d *document) {
	for i, sensor := range l.Approach {
		between(d, fmt.Sprintf("turnstile.lot.approach[%d]", i), sensor, 1, 65535)
	}
}

func checkSwing(s Swing7E, d *document) {
	d.oneOf("turnstile.swing7e.left", s.Left, "entry", "exit")
	said := map[string]bool{}
	taken := map[string]bool{}
	for i, line := range s.Codes {
		path := fmt.Sprintf("turnstile.swing7e.codes[%d]", i)
		d.learn(path, Limits{Form: "a field, a value and words, such as: gate 14 emergency door_open"})
		c, err := ParseSwingCode(line)
		if err != nil {
			d.fault(path, err.Error(), "such as: gate 14 emergency door_open")
			continue
		}
		if key := fmt.Sprint(c.Field, c.Code); taken[key] {
			d.fault(path, "stands there already", "one line for each code of a field")
		} else {
			taken[key] = true
		}
		for _, w := range c.Words {
			said[w] = true
		}
	}
	for _, w := range []string{"emergency", "obstruction", "out_of_service", "open_left", "open_right"} {
		if !said[w] {
			d.fault("turnstile.swing7e.codes", "has no code for "+w, "nothing can be granted while it is not known; take the codes from the board's manual")
		}
	}
}

// channel is one contact or relay of the board.
type channel struct {
	name   string
	number int
	must   string // why the gate cannot work without it; empty where it can
}

// checkWiring holds that what the gate cannot work without is wired, and that
// no two parts share a channel.
func checkWiring(direction string, t Turnstile, d *document) {
	const ours = "it is this gate's direction"
	need := func(dir string) string {
		if dir == direction {
			return ours
		}
		return ""
	}
	in, out := t.Inputs, t.Outputs
	checkChannels("turnstile.inputs", []channel{
		{"pass_entry", in.PassEntry, need("entry")},
		{"pass_exit", in.PassExit, need("exit")},
		{"ready", in.Ready, "nothing is granted while it is unknown"},
		{"door_closed", in.DoorClosed, ""},
		{"obstruction", in.Obstruction, ""},
		{"tamper", in.Tamper, ""},
		{"emergency", in.Emergency, "the gate must see a fire alarm"},
		{"mains", in.Mains, ""},
		{"presence", in.Presence, ""},
	}, d)
	checkChannels("turnstile.outputs", []channel{
		{"unlock_entry", out.UnlockEntry, need("entry")},
		{"unlock_exit", out.UnlockExit, need("exit")},
		{"stop", out.Stop, ""},
		{"green", out.Green, ""},
		{"red", out.Red, ""},
		{"buzzer", out.Buzzer, ""},
	}, d)
}

func checkChannels(path string, list []channel, d *document) {
	const most = 31
	taken := map[int]string{}
	for _, c := range list {
		sub := path + "." + c.name
		if c.number == NotWired {
			if c.must != "" {
				d.fault(sub, "is not wired", c.must)
			}
			continue
		}
		between(d, sub, c.number, 0, most)
		if other, ok := taken[c.number]; ok && !d.broken(sub) {
			d.fault(sub, "is the channel of "+other+" too", "each has a channel of its own; -1 where it is not wired")
			continue
		}
		taken[c.number] = c.name
	}
}
