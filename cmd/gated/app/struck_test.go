package app

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bordergate/cmd/gatesim/board"
	"bordergate/cmd/gatesim/camera"
	simulated "bordergate/cmd/gatesim/scanner"
	"bordergate/gate"
	"bordergate/hal"
)

// The table of testdata/struck.txt against a stand: everything that can break,
// in every state that it can strike.

//go:embed testdata/struck.txt
var struckTable string

// struck is a line of the table for one verb.
type struck struct {
	device, verb string
	state        string
	cannot       string
	ends, during string
	alarms       [][]string // any of them
	pulses       int
}

// verbsHere are what can break on a stand, by device.
func verbsHere() map[string][]string {
	return map[string][]string{
		"board": board.Verbs(), "face_camera": camera.Verbs(), "document_camera": camera.Verbs(), "scanner": simulated.Verbs(),
		"hq": {"away", "returns"}, "clock": {"step"}, "disk": {"full"},
	}
}

// readStruck parses the table strictly.
func readStruck(t testing.TB) []struck {
	t.Helper()
	var out []struck
	var group [][2]string // devices and verbs whose lines follow
	inGroup := false
	for n, line := range strings.Split(struckTable, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case strings.HasPrefix(line, "["):
			if inGroup {
				group, inGroup = nil, false
			}
			device, verbs, ok := strings.Cut(strings.Trim(line, "[]"), ": ")
			if !ok {
				t.Fatalf("line %d: %q", n+1, line)
			}
			for verb := range strings.FieldsSeq(verbs) {
				group = append(group, [2]string{device, verb})
			}
			continue
		}
		inGroup = true
		for _, g := range group {
			r, err := parseStruck(line)
			if err != nil {
				t.Fatalf("line %d: %v", n+1, err)
			}
			r.device, r.verb = g[0], g[1]
			out = append(out, r)
		}
	}
	return out
}

func parseStruck(line string) (struck, error) {
	cells := strings.Split(line, "|")
	for i := range cells {
		if cells[i] = strings.TrimSpace(cells[i]); cells[i] == "-" {
			cells[i] = ""
		}
	}
	r := struck{state: cells[0]}
	switch {
	case len(cells) == 2 && strings.HasPrefix(cells[1], "cannot: "):
		r.cannot = strings.TrimPrefix(cells[1], "cannot: ")
		return r, nil
	case len(cells) != 5:
		return r, fmt.Errorf("%d cells in %q", len(cells), line)
	}
	var err error
	r.ends, r.during = cells[1], cells[2]
	for set := range strings.SplitSeq(cells[3], " or ") {
		r.alarms = append(r.alarms, strings.Fields(strings.Trim(set, "-")))
	}
	r.pulses, err = strconv.Atoi(cells[4])
	return r, err
}

// Every verb of every device has a line for every state, and no more.
func TestStruckTableIsWhole(t *testing.T) {
	seen := map[[3]string]int{}
	for _, r := range readStruck(t) {
		seen[[3]string{r.device, r.verb, r.state}]++
		if r.cannot == "" && !slices.ContainsFunc(gate.States(), func(s gate.State) bool { return s.String() == r.during }) {
			t.Errorf("%s %s in %s: the lane stands in %q", r.device, r.verb, r.state, r.during)
		}
	}
	for device, verbs := range verbsHere() {
		for _, verb := range verbs {
			for _, s := range gate.States() {
				key := [3]string{device, verb, s.String()}
				if seen[key] != 1 {
					t.Errorf("%v has %d lines", key, seen[key])
				}
				delete(seen, key)
			}
		}
	}
	for key := range seen {
		t.Errorf("%v is nothing that can be", key)
	}
}

// standsAtOnce is how many stands run side by side, and sampled of how many
// lines one is played where the whole table has its run elsewhere: with the
// race detector, where the same code runs for every line, and in short runs. A
// stand's times are real ones, so that it has to get its share of the machine.
const (
	standsAtOnce = 16
	standsRaced  = 3
	sampled      = 11
)

func TestEverythingBreaksInEveryState(t *testing.T) {
	together, each := standsAtOnce, 1
	if raced || testing.Short() {
		together, each = standsRaced, sampled
	}
	room := make(chan struct{}, together)
	var all sync.WaitGroup
	n := 0
	for _, r := range readStruck(t) {
		if r.cannot != "" {
			continue
		}
		if n++; n%each != 0 {
			continue
		}
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			t.Run(r.device+" "+r.verb+" in "+r.state, func(t *testing.T) { r.play(t) })
		})
	}
	all.Wait()
}

func stateOf(name string) gate.State {
	return gate.State(slices.IndexFunc(gate.States(), func(s gate.State) bool { return s.String() == name }))
}

// options are what the stand of a line needs.
func (r struck) options() standOptions {
	o := standOptions{cameras: strings.HasSuffix(r.device, "camera"), scanner: r.device == "scanner"}
	for _, waited := range []string{"capture_timeout", "face_none", "face_quality", "pass_unreadable", "pass_format", "referred device_fault"} {
		o.impatient = o.impatient || strings.Contains(r.ends, waited)
	}
	o.strict, o.selfTest = r.verb == "short_pulse", r.state == "self_test"
	return o
}

// play is one line: into the state, the fault, the traveller's way to its end,
// the fault mended, service as before.
func (r struck) play(t *testing.T) {
	from, during := stateOf(r.state), stateOf(r.during)
	s := newStand(t, r.options())
	s.slip = r.verb == "short_pulse"
	if !s.bring(from) {
		return
	}
	s.looked()
	s.noted = len(s.book.since(0))
	if err := s.strike(r.device, r.verb); err != nil {
		t.Fatal(err)
	}
	ends := s.under(from, during, r)
	if !slices.Contains(strings.Split(r.ends, " or "), ends) {
		t.Errorf("the transaction ended %q, want %q", ends, r.ends)
	}
	pulses := len(s.board.Grants())
	if pulses != r.pulses {
		t.Errorf("%d unlock pulses, want %d", pulses, r.pulses)
	}
	s.heard(r.alarms, s.noted)
	if alarms := s.book.alarms(s.noted); !anyOf(r.alarms, alarms) {
		t.Errorf("alarms %v, want %v", alarms, r.alarms)
	}
	if err := s.mend(r.device); err != nil {
		t.Fatal(err)
	}
	s.recover(from)
	if ends := s.onward(gate.Ready); ends != "admitted" {
		t.Errorf("the next traveller after the fault ended %q", ends)
	}
	s.leave()
	s.stop()
	for _, bad := range s.unsafe() {
		t.Error(bad)
	}
	if n := len(s.board.Grants()) - pulses; n != 1 {
		t.Errorf("the next traveller had %d unlock pulses", n)
	}
}

// recover brings the lane back into service, once whatever broke is mended.
func (s *laneStand) recover(from gate.State) {
	s.eyesUp()
	s.contactOpen()
	s.restore(from)
	s.until("service is as before", func() bool {
		seen := s.dev.Snapshot()
		return s.state() == gate.Ready && seen.Level(hal.InputPresence) == hal.Off && seen.Level(hal.InputObstruction) == hal.Off
	})
	s.forget()
}

// under lets the fault take its course, until the traveller has left and the
// lane stands where it should.
func (s *laneStand) under(from, during gate.State, r struck) (ends string) {
	s.noticed(r)
	way := slices.Contains(standWay, from)
	switch {
	case way && from == gate.Clearing:
		s.leave()
	case r.verb == "stuck_presence" && from == gate.Ready:
		if v, ok := s.await("end", func(v gate.View) bool { return v.Finished }); ok {
			ends = ended(v)
		}
	case r.lost() && r.ends != "" && from != gate.Deciding:
		if v, ok := s.await("end", func(v gate.View) bool { return v.Finished }); ok {
			ends = ended(v)
		}
		s.leave()
	case way && (from != gate.Ready || r.ends != ""):
		ends = s.onward(from)
		s.leave()
	case from == gate.ReferredAway:
		s.leave()
	}
	if during != from || ends != "" {
		if s.state() != during {
			s.awaitState(during)
		}
		return ends
	}
	if moved := s.looked(); slices.ContainsFunc(moved, func(st gate.State) bool { return st != from }) {
		s.t.Errorf("the lane went %v", moved)
	}
	return ends
}

// noticed waits until the daemon has seen a device go.
func (s *laneStand) noticed(r struck) {
	limit := time.After(standLimit)
	switch {
	case r.lost():
		select {
		case <-s.dev.offline:
		case <-limit:
			s.t.Error("ended by the test's own time-out: the board is not missed")
		}
	case r.verb == "stuck_pass":
		s.heard(r.alarms, s.noted)
	case s.wires != nil && (r.verb == "gone" || r.verb == "frozen" || r.verb == "hang_up") && !(r.device == "face_camera" && r.state == "deciding"):
		s.until("the device is missed", func() bool { return !s.wires.up(r.device) })
	}
}

// lost tells the verbs after which the board is away.
func (r struck) lost() bool {
	return r.device == "board" && !slices.Contains([]string{"stuck_presence", "stuck_pass", "short_pulse"}, r.verb)
}

// until looks again and again, as the daemon's parts have no word for it.
func (s *laneStand) until(what string, done func() bool) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(standLimit)
	for !done() {
		select {
		case <-tick.C:
		case <-limit:
			s.t.Errorf("ended by the test's own time-out: not so: %s; the lane is %v (%s)", what, s.state(), s.view().Cause)
			return
		}
	}
}

// heard waits for alarms that are to come.
func (s *laneStand) heard(want [][]string, noted int) {
	if len(want[0]) > 0 {
		s.until(fmt.Sprint("alarms ", want), func() bool { return anyOf(want, s.book.alarms(noted)) })
	}
}

func anyOf(sets [][]string, set []string) bool {
	return slices.ContainsFunc(sets, func(s []string) bool { return slices.Equal(s, set) })
}

// eyesUp waits until the daemon has every reader and camera again.
func (s *laneStand) eyesUp() {
	if s.wires != nil {
		s.until("every camera and scanner is back", func() bool {
			return s.wires.up("face_camera") && s.wires.up("document_camera") && s.wires.up("scanner")
		})
	}
	s.until("the board is back", func() bool { return s.dev.Snapshot().Online })
}

// up is a device as the daemon sees it; one that is not wired is well.
func (w *standWires) up(device string) bool {
	for _, e := range w.eyes {
		if (e.camera == gate.FaceCamera) == (device == "face_camera") && device != "scanner" {
			return e.device().OK
		}
	}
	return device != "scanner" || w.scanner == nil || w.scanner.device().OK
}

// contactOpen waits until the passage contact has been open for long enough to
// count again.
func (s *laneStand) contactOpen() {
	open, last := 0, hal.Mono(0)
	s.until("the passage contact is open", func() bool {
		r := s.dev.Snapshot().Inputs[hal.InputPassExit]
		switch {
		case r.Level != hal.Off:
			open = 0
		case r.At != last:
			open++
		}
		last = r.At
		return open > 4
	})
}

// strike breaks something.
func (s *laneStand) strike(device, verb string) error {
	switch device {
	case "board":
		return s.board.Strike(verb)
	case "face_camera":
		return s.wires.face.Strike(verb)
	case "document_camera":
		return s.wires.document.Strike(verb)
	case "scanner":
		return s.wires.device.Strike(verb)
	case "clock":
		s.clock.bad.Store(true)
	case "hq":
		s.catchUp.Store(verb == "returns")
	case "disk":
		// The daemon's keeper of room sees it before a record does.
		s.book.fill(true)
		s.lane.Post(gate.JournalRoom(monoNow(), false))
	}
	return nil
}

// mend takes it back.
func (s *laneStand) mend(device string) error {
	switch device {
	case "board":
		return s.board.Mend()
	case "face_camera":
		return s.wires.face.Mend()
	case "document_camera":
		return s.wires.document.Mend()
	case "scanner":
		return s.wires.device.Mend()
	case "clock":
		s.clock.bad.Store(false)
	case "hq":
		s.catchUp.Store(false)
	case "disk":
		s.book.fill(false)
		s.lane.Post(gate.JournalRoom(monoNow(), true))
	}
	return nil
}
