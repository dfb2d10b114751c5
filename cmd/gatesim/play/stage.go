package play

import (
	"context"
	"time"

	"bordergate/cmd/gatesim/camera"
	"bordergate/cmd/gatesim/clips"
	"bordergate/cmd/gatesim/scanner"
	"bordergate/cmd/gatesim/scenario"
	"bordergate/cmd/gatesim/station"
)

// Contacts of the board, by the gate's default wiring.
const (
	inPassEntry   = 0
	inPassExit    = 1
	inDoorClosed  = 3
	inObstruction = 4
	inEmergency   = 6 // open in an emergency
	inPresence    = 8
)

// Contacts are the gate's inputs as the simulator drives them.
type Contacts interface {
	SetInput(ch int, on bool)
	Pulse(ch int, d time.Duration)
}

// Screen is what a camera shows.
type Screen interface{ Show(p *camera.Program) }

// Scanner is the serial scanner, to which a pass can be held.
type Scanner interface {
	Present(c scanner.Code)
	Remove()
}

// Devices can be struck by faults, and mended.
type Devices interface {
	Strike(f scenario.Fault) error
	Mend(f scenario.Fault) error
}

// Stage is where travellers walk.
type Stage struct {
	Board    Contacts
	Unlocks  <-chan int64 // CLOCK_MONOTONIC times of unlock pulses
	Events   <-chan station.Event
	Face     Screen
	Document Screen
	Scanner  Scanner
	Devices  Devices // for faults; nil where nobody has any
	Entry    bool    // the lane's direction; exit otherwise
	Timing   scenario.Timing
	Now      func() int64 // CLOCK_MONOTONIC ns
}

// Actor is one traveller and what he brings.
type Actor struct {
	scenario.Traveller
	Face, Pass clips.Clip
	// Holds says that he holds his pass until he is answered, since it cannot
	// be read.
	Holds bool
	// Empty says that he shows no document at all.
	Empty bool
	// Code is his pass for the scanner; he shows none to the camera then.
	Code *scanner.Code
	// Decide has headquarters suspend his account, or revoke his pass, while he
	// is under way; after an emergency it has it reset, and an officer sign off.
	Decide func(ctx context.Context) error
	// DecideAfter is how long after his arrival, or after the grant, it does, or
	// the emergency strikes.
	DecideAfter time.Duration
}

// Result is what was seen of a traveller.
type Result struct {
	Event   station.Event // that closed his transaction; zero where none came
	Arrived int64         // CLOCK_MONOTONIC ns, here and below; 0: did not happen
	Unlocks []int64
	Passed  int64 // the pass contact closed
	Cleared int64 // the zone was clear again
	Ready   int64 // the gate said that it is ready
	Left    int64
	Face    camera.Seen
	Pass    camera.Seen
	Faults  []string
}

// Grant is the first unlock pulse, 0 for none.
func (r Result) Grant() int64 {
	if len(r.Unlocks) == 0 {
		return 0
	}
	return r.Unlocks[0]
}

// Frames gives the number of frames in a time.
func Frames(d time.Duration) int { return int((d + camera.Period/2) / camera.Period) }

// times of the simulated hardware that no scenario changes.
const (
	passPulse   = 150 * time.Millisecond // the pass contact, at least 100 ms
	zoneClears  = 40 * time.Millisecond  // after the pass contact closed
	doorCloses  = 600 * time.Millisecond // after the passage
	standsOn    = 600 * time.Millisecond // longer than usual before he walks, where a decision is to come in between
	readyWait   = 25 * time.Second       // for the gate to be ready again
	changesMind = 3 * time.Second        // from the grant until a no-show turns away
	turnsAway   = 300 * time.Millisecond // from giving up to leaving
	followsIn   = 700 * time.Millisecond // behind the one whose grant it is
	comesBack   = 600 * time.Millisecond // through the gate from the other side
)

// ways are the passage contacts of the lane's direction and of the other.
func (s Stage) ways() (with, against int) {
	if s.Entry {
		return inPassEntry, inPassExit
	}
	return inPassExit, inPassEntry
}

// Clear puts every contact and camera back to an empty lane, after a traveller
// whose walk was cut short.
func (s Stage) Clear() {
	s.Face.Show(nil)
	s.Document.Show(nil)
	s.Scanner.Remove()
	s.Board.SetInput(inObstruction, false)
	s.Board.SetInput(inPresence, false)
	s.Board.SetInput(inPassEntry, false)
	s.Board.SetInput(inPassExit, false)
	s.Board.SetInput(inEmergency, true)
	s.Board.SetInput(inDoorClosed, true)
}
