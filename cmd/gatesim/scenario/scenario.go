package scenario

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"bordergate/gate/reason"

	"go.yaml.in/yaml/v3"
)

// The cases of this simulator, in the words of the report.
const (
	Genuine         = "genuine"
	GenuineOffline  = "genuine_offline"
	Impostor        = "impostor"
	PhotoPrint      = "photo_print"  // the holder's pass and a print of his face
	PhotoScreen     = "photo_screen" // the same on a screen
	TwoFaces        = "two_faces"    // somebody stands beside the holder
	ForgedSeal      = "forged_seal"
	UnknownSigner   = "unknown_signer"
	ExpiredPass     = "expired_pass"
	Suspended       = "suspended"
	SuspendedMidway = "suspended_midway"
	Restored        = "restored"
	UnknownAccount  = "unknown_account"
	Unreadable      = "unreadable"
	NoShow          = "no_show"
	WrongCrossing   = "wrong_crossing"
	WrongDirection  = "wrong_direction"
	RevokedPass     = "revoked_pass"
	StampDue        = "stamp_due"
	StampSoon       = "stamp_soon"
	NoPass          = "no_pass"
	Passback        = "passback"      // the pass of the last one admitted, and he himself, once more
	PortPermit      = "port_permit"   // a good one
	Organisation    = "organisation"  // a person who acts for one
	PassTemplate    = "pass_template" // his reference is in the pass alone
	Level1          = "level1"        // an account that only proves data
	Cancelled       = "cancelled"
	StaleCache      = "stale_cache" // a foreigner, headquarters away for longer than his kind allows
	Watchlisted     = "watchlisted"
	Tailgater       = "tailgater" // a second person follows him on his grant
	WrongWay        = "wrong_way" // somebody comes through from the other side on his grant
	Emergency       = "emergency" // the fire input strikes; he goes through, an officer signs off
)

// Cases lists every case that can be played.
func Cases() []string {
	return []string{
		Genuine, GenuineOffline, Impostor, PhotoPrint, PhotoScreen, TwoFaces, ForgedSeal, UnknownSigner, ExpiredPass,
		Suspended, SuspendedMidway, Restored, UnknownAccount, Unreadable, NoShow,
		WrongCrossing, WrongDirection, RevokedPass, StampDue, StampSoon, NoPass, Passback, PortPermit, Organisation, PassTemplate,
		Level1, Cancelled, StaleCache, Watchlisted, Tailgater, WrongWay, Emergency,
	}
}

// When the decision of suspended_midway, or of revoked_pass, is taken, or when
// the fire input of emergency strikes.
const (
	BeforeGrant = "before_grant" // while he stands there, before the gate can know all
	AfterGrant  = "after_grant"  // after the gate was released and before he walks
)

// Where a pass is shown but at the document camera.
const (
	AtScanner    = "scanner"
	AtScannerCut = "scanner_cut" // the first transmission breaks off
)

// Directions of a lane.
const (
	Exit  = "exit"
	Entry = "entry"
)

// ErrScenario is returned for a scenario that cannot be played.
var ErrScenario = errors.New("scenario is not valid")

// Expect is what must come of a traveller.
type Expect struct {
	Outcome reason.Outcome  `yaml:"outcome" json:"outcome"`
	Reasons []reason.Reason `yaml:"reasons" json:"reasons"`
	Notices []string        `yaml:"notices" json:"notices,omitempty"`
	// Alarms are those recorded while he is there, each once.
	Alarms []reason.Reason `yaml:"alarms" json:"alarms,omitempty"`
	// Unlocks is how often the board was pulsed where the case does not say it.
	Unlocks *int `yaml:"unlocks" json:"unlocks,omitempty"`
}

// Step is a number of travellers of one case, one after the other.
type Step struct {
	Case  string `yaml:"case"`
	Count int    `yaml:"count"`
	// Moment is of suspended_midway and emergency: before_grant or after_grant. A pass is
	// revoked before its holder comes where it is empty.
	Moment string `yaml:"moment"`
	// Restart has the gate's daemon killed and started again before the first
	// of them.
	Restart bool `yaml:"restart"`
	// Reader is where they show their passes: the document camera where it is
	// empty, scanner, or scanner_cut, whose first transmission breaks off.
	Reader string `yaml:"reader"`
	// CameraDead has the document camera off while they come.
	CameraDead bool `yaml:"camera_dead"`
	// Expect is of these travellers alone, in place of their case's.
	Expect *Expect `yaml:"expect"`
	// Faults strike the gate's devices while each of them is there.
	Faults []Fault `yaml:"faults"`
}

// Timing is how a traveller moves; times count from when he reaches the gate
// where not said otherwise.
type Timing struct {
	FaceFrom    time.Duration `yaml:"face_from" json:"face_from"`             // looks at the camera
	FaceUsable  time.Duration `yaml:"face_usable" json:"face_usable"`         // his face can be compared
	PassInView  time.Duration `yaml:"pass_in_view" json:"pass_in_view"`       // his pass is in view
	PassHeld    time.Duration `yaml:"pass_held" json:"pass_held"`             // for so long
	GateMoves   time.Duration `yaml:"gate_moves" json:"gate_moves"`           // after the pulse
	GateOpen    time.Duration `yaml:"gate_open" json:"gate_open"`             // after the pulse
	StartsWalk  time.Duration `yaml:"starts_to_walk" json:"starts_to_walk"`   // after the gate is open
	Passage     time.Duration `yaml:"passage" json:"passage"`                 // walking through
	LeavesAfter time.Duration `yaml:"leaves_after" json:"leaves_after"`       // a refusal
	Patience    time.Duration `yaml:"patience" json:"patience"`               // waits for any answer
	FumbleTime  time.Duration `yaml:"fumble_time" json:"fumble_time"`         // holding the pass wrongly first
	AwayTime    time.Duration `yaml:"looks_away_time" json:"looks_away_time"` // of a fumble
	Gap         time.Duration `yaml:"gap" json:"gap"`                         // to the next traveller, at least
}

// DefaultTiming is the default traveller of the contract.
func DefaultTiming() Timing {
	const ms = time.Millisecond
	return Timing{
		FaceFrom: 600 * ms, FaceUsable: 1200 * ms, PassInView: 1000 * ms, PassHeld: 1200 * ms,
		GateMoves: 100 * ms, GateOpen: 800 * ms, StartsWalk: 400 * ms, Passage: 1800 * ms,
		LeavesAfter: 1500 * ms, Patience: 20 * time.Second, FumbleTime: 600 * ms, AwayTime: 480 * ms, Gap: 300 * ms,
	}
}

// Policy is what the simulated gate's own file sets stricter or shorter.
type Policy struct {
	CaptureTimeout time.Duration `yaml:"capture_timeout"`
	FaceTimeout    time.Duration `yaml:"face_timeout"`
	ReferralHold   time.Duration `yaml:"referral_hold"`
	// Enforce has the gate act on liveness, at the manifest's threshold, and
	// not only record it.
	Enforce bool `yaml:"enforce_liveness"`
	// ForeignerAge is how old the cache may be for a foreigner; 0: as for all.
	ForeignerAge time.Duration `yaml:"foreigner_max_age"`
}

// Scenario is a file's content.
type Scenario struct {
	Name    string `yaml:"-"`
	Version int    `yaml:"version"`
	// Direction is that of the lane: exit where it is empty, or entry.
	Direction string            `yaml:"direction"`
	Seed      uint64            `yaml:"seed"`
	Fumbles   int               `yaml:"fumbles"`   // one traveller in so many fumbles; 0 nobody
	LeaveOut  []string          `yaml:"leave_out"` // people of the demonstration who hold no pass in it; the report says so
	Timing    Timing            `yaml:"timing"`
	Policy    Policy            `yaml:"policy"`
	Expect    map[string]Expect `yaml:"expect"`
	Steps     []Step            `yaml:"steps"`
	Fill      string            `yaml:"fill"` // the case of travellers beyond the steps
}

//go:embed builtin
var builtin embed.FS

// Names lists the built-in scenarios.
func Names() []string {
	files, err := builtin.ReadDir("builtin")
	if err != nil {
		return nil // never: it is part of the program
	}
	var out []string
	for _, f := range files {
		out = append(out, strings.TrimSuffix(f.Name(), ".yaml"))
	}
	return out
}

// Load reads a scenario: a built-in name, or a file.
func Load(name string) (*Scenario, error) {
	b, err := builtin.ReadFile("builtin/" + name + ".yaml")
	if err != nil {
		if b, err = os.ReadFile(name); err != nil {
			return nil, fmt.Errorf("read scenario: %w", err)
		}
	}
	s, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", name, err)
	}
	s.Name = name
	return s, nil
}

// Parse decodes a scenario strictly and checks it.
func Parse(b []byte) (*Scenario, error) {
	s := Scenario{Direction: Exit, Timing: DefaultTiming(), Policy: Policy{CaptureTimeout: 6 * time.Second, FaceTimeout: 4 * time.Second, ReferralHold: 3 * time.Second}}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrScenario, err)
	}
	return &s, s.validate()
}

const maxTravellers = 100_000

func (s *Scenario) validate() error {
	var faults []error
	bad := func(format string, a ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrScenario}, a...)...))
	}
	if s.Version != 1 {
		bad("version is %d, known is 1", s.Version)
	}
	known := func(c string) {
		if !slices.Contains(Cases(), c) {
			bad("case %q is not one of %s", c, strings.Join(Cases(), " "))
			return
		}
		if _, ok := s.Expect[c]; !ok {
			bad("case %s has no expectation", c)
		}
	}
	if s.Direction != Exit && s.Direction != Entry {
		bad("direction is %q, there are exit and entry", s.Direction)
	}
	total := 0
	for _, st := range s.Steps {
		known(st.Case)
		for _, f := range st.Faults {
			if err := f.check(); err != nil {
				bad("step %s: %v", st.Case, err)
			}
		}
		if st.Expect != nil && st.Expect.Outcome.String() == "invalid" {
			bad("step %s: no outcome is expected", st.Case)
		}
		if st.Count < 1 || st.Count > maxTravellers {
			bad("step %s: count is %d", st.Case, st.Count)
		}
		if !momentFits(st) {
			bad("step %s: moment is %q", st.Case, st.Moment)
		}
		if !slices.Contains([]string{"", AtScanner, AtScannerCut}, st.Reader) || st.Reader != "" && (st.Case == Unreadable || st.Case == NoPass) {
			bad("step %s: reader is %q", st.Case, st.Reader)
		}
		total += st.Count
	}
	if total > maxTravellers || total == 0 && s.Fill == "" {
		bad("%d travellers", total)
	}
	if s.Fill != "" {
		known(s.Fill)
		if s.Fill == SuspendedMidway || s.Fill == Emergency {
			bad("fill cannot be %s", s.Fill)
		}
	}
	if s.Policy.ForeignerAge < 0 || s.Policy.ForeignerAge > time.Minute {
		bad("foreigner_max_age is %v", s.Policy.ForeignerAge)
	}
	for c, e := range s.Expect {
		if e.Outcome.String() == "invalid" {
			bad("case %s: no outcome is expected", c)
		}
	}
	if s.Fumbles < 0 {
		bad("fumbles is negative")
	}
	if err := s.Timing.validate(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func momentFits(st Step) bool {
	switch st.Case {
	case SuspendedMidway, Emergency:
		return st.Moment == BeforeGrant || st.Moment == AfterGrant
	case RevokedPass:
		return st.Moment == "" || st.Moment == BeforeGrant || st.Moment == AfterGrant
	default:
		return st.Moment == ""
	}
}

func (t Timing) validate() error {
	for _, d := range []time.Duration{t.FaceFrom, t.PassInView, t.PassHeld, t.GateMoves, t.GateOpen, t.StartsWalk, t.Passage, t.LeavesAfter, t.Patience, t.Gap} {
		if d < 0 || d > time.Minute {
			return fmt.Errorf("%w: a time of %v", ErrScenario, d)
		}
	}
	if t.FaceUsable < t.FaceFrom || t.GateOpen < t.GateMoves || t.Passage < 300*time.Millisecond || t.FaceUsable > 10*time.Second || t.FumbleTime > 5*time.Second || t.AwayTime > 5*time.Second {
		return fmt.Errorf("%w: times contradict each other", ErrScenario)
	}
	return nil
}
