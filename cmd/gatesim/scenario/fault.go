package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Devices of the gate that a fault can strike.
const (
	Board    = "board"
	Scanner  = "scanner"
	Face     = "face_camera"
	Document = "document_camera"
	HQ       = "hq" // with its broker
)

// verbs are what can happen to each device, over its own wire.
var verbs = map[string][]string{
	Board: {
		"no_reply", "deaf", "late_reply", "echo_only", "truncated", "crc_error", "exception", "wrong_unit",
		"stuck_presence", "stuck_pass", "short_pulse", "hang_up", "hang_up_frame", "hang_up_write", "elsewhere",
	},
	Scanner:  {"glued", "split", "silent", "hang_up"},
	Face:     {"black", "frozen", "slow", "wrong_size", "gone"},
	Document: {"black", "frozen", "slow", "wrong_size", "gone"},
	HQ:       {"away"},
}

// Verbs lists what can happen to a device; none for one that is not known.
func Verbs(device string) []string { return slices.Clone(verbs[device]) }

// DeviceNames lists the devices that a fault can strike.
func DeviceNames() []string { return slices.Sorted(maps.Keys(verbs)) }

// Fault strikes a device while a traveller is there.
type Fault struct {
	Device string `yaml:"device" json:"device"`
	Verb   string `yaml:"verb" json:"verb"`
	// At is when: a state of the lane that his transaction reaches, or a time
	// after his arrival.
	At string `yaml:"at" json:"at"`
	// For is how long; 0 until he has left.
	For time.Duration `yaml:"for" json:"for,omitempty"`
}

// struck are the states of a lane that somebody's transaction passes through.
var struck = []string{"reading", "matching", "deciding", "granted", "passing", "clearing", "referred"}

// longestFault bounds a fault and its moment.
const longestFault = time.Minute

// After is the time after his arrival at which it strikes, ok where At is one.
func (f Fault) After() (d time.Duration, ok bool) {
	d, err := time.ParseDuration(f.At)
	return d, err == nil
}

func (f Fault) check() error {
	known, ok := verbs[f.Device]
	switch after, timed := f.After(); {
	case !ok:
		return fmt.Errorf("fault of %q: there are %s", f.Device, strings.Join(DeviceNames(), " "))
	case !slices.Contains(known, f.Verb):
		return fmt.Errorf("fault %q of %s: there are %s", f.Verb, f.Device, strings.Join(known, " "))
	case timed && (after < 0 || after > longestFault), f.For < 0 || f.For > longestFault:
		return fmt.Errorf("fault of %s: a time of at most %v", f.Device, longestFault)
	case !timed && !slices.Contains(struck, f.At):
		return fmt.Errorf("fault of %s at %q: a time after his arrival, or one of %s", f.Device, f.At, strings.Join(struck, " "))
	}
	return nil
}
