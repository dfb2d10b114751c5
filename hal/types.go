package hal

import (
	"encoding/hex"
	"fmt"
	"time"
)

// Direction is the way a person crosses. The zero value is no direction.
type Direction uint8

// The two directions of a crossing.
const (
	Entry Direction = iota + 1 // into the country
	Exit                       // out of the country
)

// String is "entry", "exit" or "none".
func (d Direction) String() string {
	switch d {
	case Entry:
		return "entry"
	case Exit:
		return "exit"
	default:
		return "none"
	}
}

// Valid reports whether d is one of the two directions.
func (d Direction) Valid() bool { return d == Entry || d == Exit }

// Opposite is the other direction; of none it is none.
func (d Direction) Opposite() Direction {
	switch d {
	case Entry:
		return Exit
	case Exit:
		return Entry
	default:
		return 0
	}
}

// Level is what is known of a binary input. The zero value is Unknown.
type Level uint8

// The levels of an input. On means that the condition the input is named
// after holds, whatever the polarity of its contact.
const (
	Unknown Level = iota
	Off
	On
)

// LevelOf is On or Off.
func LevelOf(on bool) Level {
	if on {
		return On
	}
	return Off
}

// String is "unknown", "off" or "on".
func (l Level) String() string {
	switch l {
	case Off:
		return "off"
	case On:
		return "on"
	default:
		return "unknown"
	}
}

// GrantID names one grant for ever. The zero id is no grant.
type GrantID [16]byte

// IsZero reports whether the id names no grant.
func (g GrantID) IsZero() bool { return g == GrantID{} }

// String is the id in hexadecimal, or "none".
func (g GrantID) String() string {
	if g.IsZero() {
		return "none"
	}
	return hex.EncodeToString(g[:])
}

// Grant is the permission for one person to pass once.
type Grant struct {
	ID  GrantID
	Dir Direction
	// Valid is how long after the call the unlock may still be sent. Zero is
	// the driver's default. A grant that waited longer is refused.
	Valid time.Duration
}

// Input is a signal a gate reports.
type Input uint8

// The inputs of a gate. On is what the name says.
const (
	InputPassEntry   Input = iota + 1 // a person has passed in the entry direction; a pulse
	InputPassExit                     // a person has passed in the exit direction; a pulse
	InputReady                        // the gate's controller is in service
	InputDoorClosed                   // every leaf is closed
	InputObstruction                  // somebody or something is between the leaves
	InputTamper                       // the cabinet is open
	InputEmergency                    // fire alarm or break glass: the gate is released by hardware
	InputMains                        // mains power is present
	InputPresence                     // a traveller stands in front of the gate
	inputEnd
)

// InputCount is the length of an array indexed by Input.
const InputCount = int(inputEnd)

var inputText = [...]string{
	InputPassEntry: "pass_entry", InputPassExit: "pass_exit", InputReady: "ready", InputDoorClosed: "door_closed",
	InputObstruction: "obstruction", InputTamper: "tamper", InputEmergency: "emergency", InputMains: "mains",
	InputPresence: "presence",
}

// String is the input's name in configuration files, or "invalid".
func (i Input) String() string {
	if i == 0 || i >= inputEnd {
		return "invalid"
	}
	return inputText[i]
}

// ParseInput finds the input of a configuration name.
func ParseInput(name string) (Input, error) {
	for i := Input(1); i < inputEnd; i++ {
		if inputText[i] == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("parse input %.40q: not an input's name", name)
}

// Inputs lists every input in order.
func Inputs() []Input {
	out := make([]Input, 0, InputCount-1)
	for i := Input(1); i < inputEnd; i++ {
		out = append(out, i)
	}
	return out
}

// Pass is the passage input of a direction.
func (d Direction) Pass() Input {
	if d == Entry {
		return InputPassEntry
	}
	return InputPassExit
}

// Reading is what is known of one input.
type Reading struct {
	Level Level
	At    Mono          // when it was last read; zero if never
	Age   time.Duration // at the snapshot; an old reading's Level is Unknown
}

// State is a snapshot of a device. It is a copy; nobody else writes to it.
type State struct {
	Device string
	At     Mono
	Online bool
	Fault  error               // why the device is offline or faulty; nil if it is not
	Inputs [InputCount]Reading // indexed by Input; unwired inputs are Unknown
	Grant  GrantID             // the grant that waits for a passage, or none
	Busy   bool                // a grant waits, or the last passage has not settled: a new grant would be refused
	Lost   uint64              // events dropped because nobody read them, ever
	Noise  uint64              // bytes on the line that belonged to no answer, ever
	Looks  Looks               // how late the device was looked at, ever
}

// Looks says how late a device's inputs were looked at: the time from one
// question to the answer of the next, in which a contact may have closed and
// opened again unseen.
type Looks struct {
	Count   uint64
	Longest time.Duration
	Late    uint64 // longer than a passage contact lasts
	// Within counts the times up to each of LookBounds, and the last all others.
	Within [len(LookBounds) + 1]uint64
}

// LookBounds are the bounds of Looks.Within.
var LookBounds = [...]time.Duration{
	25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
}

// Note takes in one time; contact is how long a passage contact lasts.
func (l *Looks) Note(d, contact time.Duration) {
	l.Count++
	l.Longest = max(l.Longest, d)
	if d > contact {
		l.Late++
	}
	i := 0
	for i < len(LookBounds) && d > LookBounds[i] {
		i++
	}
	l.Within[i]++
}

// Level is what is known of an input.
func (s State) Level(i Input) Level {
	if i >= inputEnd {
		return Unknown
	}
	return s.Inputs[i].Level
}

// Lamp is an indicator of the gate.
type Lamp uint8

// The indicators.
const (
	LampGreen Lamp = iota + 1
	LampRed
	LampBuzzer
)

// Lamps lists every indicator in order.
func Lamps() []Lamp { return []Lamp{LampGreen, LampRed, LampBuzzer} }

// String is the lamp's name in configuration files, or "invalid".
func (l Lamp) String() string {
	switch l {
	case LampGreen:
		return "green"
	case LampRed:
		return "red"
	case LampBuzzer:
		return "buzzer"
	default:
		return "invalid"
	}
}

// Pattern is how an indicator shows.
type Pattern uint8

// The patterns.
const (
	Dark   Pattern = iota // off
	Steady                // on
	Blink                 // on and off, about once a second
	Once                  // one short signal, then off
)
