package app

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"bordergate/configs"
	"bordergate/gate"
)

// standPayload is the one good pass of a stand.
const standPayload = "GOOD"

// standTurnstile is the wiring of the shipped configuration, with a poll as
// usual and the shortest pulse.
func standTurnstile(port string, o standOptions) configs.Turnstile {
	c := configs.DefaultGate().Turnstile
	c.Port, c.Pulse, c.PassageWait = port, 100*time.Millisecond, 20*time.Second
	if o.passage > 0 {
		c.PassageWait = o.passage
	}
	if o.strict {
		c.PassageWait = 1500 * time.Millisecond
	}
	return c
}

// standEyes are cameras without wires: they see whoever is shown to them.
type standEyes struct {
	s        *laneStand
	session  atomic.Uint32 // looked for; 0: nobody
	reading  atomic.Bool
	pass     atomic.Bool
	face     atomic.Bool
	stranger atomic.Bool // the pass is of nobody known
}

// Watch implements gate.Eyes.
func (e *standEyes) Watch(session uint32) {
	e.session.Store(session)
	e.reading.Store(true)
}

// Again implements gate.Eyes.
func (e *standEyes) Again(session uint32) { e.session.Store(session) }

// Hold implements gate.Eyes.
func (e *standEyes) Hold() { e.reading.Store(false) }

// Stop implements gate.Eyes.
func (e *standEyes) Stop() { e.session.Store(0); e.reading.Store(false) }

// standFace is a frame with the face of a stand's one traveller, or with nobody.
func standFace(there bool) gate.Face {
	f := gate.Face{FrameAt: monoNow()}
	if there {
		f.Count, f.Usable, f.Norm, f.Box, f.Embedding = 1, true, 5, [4]float32{500, 200, 200, 250}, standProbe()
	}
	return f
}

// look tells the lane 50 times a second what the cameras see.
func (e *standEyes) look(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		session := e.session.Load()
		if session == 0 || e.s.o.cameras {
			continue
		}
		if e.pass.Load() && e.reading.Load() && !e.s.o.scanner {
			e.s.lane.Post(gate.Symbol(monoNow(), session, monoNow(), []byte(standPayload)))
		}
		e.s.lane.Post(gate.FaceSeen(monoNow(), session, standFace(e.face.Load())))
	}
}

// showPass and showFace are what the traveller does before the readers.
func (s *laneStand) showPass(on bool) {
	s.eyes.pass.Store(on)
	if s.wires != nil {
		s.wires.showPass(on)
	}
}

func (s *laneStand) showFace(on bool) {
	if s.wires != nil && s.o.cameras {
		s.wires.showFace(on)
		return
	}
	s.eyes.face.Store(on)
}

// standWay are the states of a traveller's way, in order.
var standWay = []gate.State{gate.Ready, gate.Reading, gate.Matching, gate.Confirming, gate.Deciding, gate.Granted, gate.Passing, gate.Clearing}

// way gives the states after one; nobody confirms where nobody has to.
func (s *laneStand) way(from gate.State) []gate.State {
	rest := slices.Clone(standWay[slices.Index(standWay, from)+1:])
	return slices.DeleteFunc(rest, func(st gate.State) bool { return st == gate.Confirming && !s.supervised })
}

// advance does what brings the lane from the state before it into one.
func (s *laneStand) advance(to gate.State) {
	switch to {
	case gate.Reading:
		s.set(standPresence, true)
	case gate.Matching:
		s.showPass(true)
	case gate.Confirming:
		s.showFace(true)
	case gate.Deciding:
		s.book.holdBack()
		s.showFace(true)
		if s.supervised {
			s.lane.Post(gate.Confirm(monoNow(), s.view().Tx, standOfficer))
		}
	case gate.Granted:
		s.breathe()
		s.book.release()
	case gate.Passing:
		s.set(standDoor, false)
		s.set(standObstruction, true)
		s.set(standPresence, false)
	case gate.Clearing:
		if s.slip {
			s.board.Pulse(standPass, 150*time.Millisecond)
			s.leave()
			return
		}
		// Until he has left: how long a contact is missed on a loaded machine is
		// no matter of these lines.
		s.crossing = true
		s.set(standPass, true)
	case gate.Ready:
		s.leave()
	}
}

// breathe gives a command that must not be given yet the time to reach the
// board.
func (s *laneStand) breathe() {
	heard := s.board.Counts().Requests
	s.until("the board is asked on", func() bool { return s.board.Counts().Requests > heard+6 || !s.dev.Snapshot().Online })
}

// leave is the place before the gate and between the leaves being empty again.
func (s *laneStand) leave() {
	s.showPass(false)
	s.showFace(false)
	s.book.release()
	s.crossed()
	s.set(standObstruction, false)
	s.set(standDoor, true)
	s.set(standPresence, false)
}

// crossed opens the passage contact that somebody has closed.
func (s *laneStand) crossed() {
	if s.crossing {
		s.crossing = false
		s.set(standPass, false)
	}
}

// begin opens the lane; every device is well.
func (s *laneStand) begin() {
	if !s.o.cameras {
		s.lane.Post(gate.CameraUp(monoNow(), gate.FaceCamera, true))
		if !s.o.scanner {
			s.lane.Post(gate.CameraUp(monoNow(), gate.DocumentCamera, true))
		}
	}
	s.lane.Post(gate.Start(monoNow()))
}

// bring has the lane in a state, as a traveller or a technician would.
func (s *laneStand) bring(to gate.State) bool {
	s.eyesUp()
	if to == gate.Closed {
		return true
	}
	if to == gate.SelfTest {
		s.lane.Post(gate.JournalRoom(monoNow(), false)) // what it waits for
		s.begin()
		return s.awaitState(gate.SelfTest)
	}
	s.begin()
	if !s.awaitState(gate.Ready) {
		return false
	}
	s.eyesUp()
	return s.lead(to)
}

// lead brings a lane that is ready into a state.
func (s *laneStand) lead(to gate.State) bool {
	switch to {
	case gate.Ready:
		return true
	case gate.Blocked:
		s.set(standObstruction, true)
	case gate.Emergency:
		s.set(standEmergency, false)
		s.heard([][]string{{"mode_emergency"}}, 0)
	case gate.Maintenance:
		s.order(gate.ModeMaintenance)
	case gate.OutOfService:
		s.lane.Post(gate.JournalRoom(monoNow(), false))
	case gate.ReferredAway:
		s.eyes.stranger.Store(true)
		s.set(standPresence, true)
		s.showPass(true)
		s.showFace(true)
	default:
		if s.supervised = to == gate.Confirming; s.supervised {
			s.order(gate.ModeSupervised)
		}
		for _, next := range s.way(gate.Ready) {
			if slices.Index(standWay, next) > slices.Index(standWay, to) {
				break
			}
			s.advance(next)
			if !s.awaitState(next) {
				return false
			}
			if next == gate.Granted {
				if _, over := s.pulsed(); over {
					return false
				}
			}
		}
		if to == gate.Clearing {
			s.crossed()
			s.contactOpen()
		}
		return true
	}
	return s.awaitState(to)
}

// standOfficer is the service id of an officer.
const standOfficer = "o-1"

// order has the lane in a mode, by the station.
func (s *laneStand) order(m gate.Mode) {
	s.lane.Post(gate.SetMode(monoNow(), gate.Order{Mode: m, By: gate.ByStation}))
}

// restore takes back what bring did to a lane without a traveller, and brings
// one that was not opened yet into service.
func (s *laneStand) restore(from gate.State) {
	s.eyes.stranger.Store(false)
	s.leave()
	switch from {
	case gate.Closed:
		s.begin()
	case gate.Emergency:
		s.set(standEmergency, true)
		s.signOff()
	case gate.Maintenance, gate.Confirming:
		s.supervised = false
		s.order(gate.ModeNormal)
	case gate.SelfTest, gate.OutOfService:
		if s.o.selfTest && s.o.scanner {
			s.lane.Post(gate.CameraUp(monoNow(), gate.DocumentCamera, true)) // or it waits for that
		}
		s.lane.Post(gate.JournalRoom(monoNow(), true))
	}
}

// signOff is an officer's word, given until the lane takes it: it has to read
// its input first.
func (s *laneStand) signOff() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(standLimit)
	for {
		s.lane.Post(gate.SignOff(monoNow(), standOfficer))
		select {
		case v := <-s.views:
			if v.State == gate.SelfTest {
				return
			}
		case <-tick.C:
		case <-limit:
			s.t.Error("ended by the test's own time-out: the emergency is not signed off")
			return
		}
	}
}

// ended is how a transaction ended, in the words of the table.
func ended(v gate.View) string {
	words := []string{v.Outcome.String()}
	for _, r := range v.Reasons {
		words = append(words, r.String())
	}
	return strings.Join(words, " ")
}

// onward lets the traveller of a state go on as if nothing had happened, until
// his transaction has ended; how it did is told.
func (s *laneStand) onward(from gate.State) string {
	for _, next := range s.way(from) {
		s.advance(next)
		v, ok := s.await("end, or "+next.String(), func(v gate.View) bool { return v.Finished || v.State == next })
		if !ok {
			return "never"
		}
		if v.Finished {
			return ended(v)
		}
		if next == gate.Granted {
			if v, over := s.pulsed(); over {
				return ended(v)
			}
		}
	}
	return "none"
}

// pulsed waits for the pulse of a grant, or for the transaction's end without
// one.
func (s *laneStand) pulsed() (end gate.View, over bool) {
	limit := time.NewTimer(standLimit)
	defer limit.Stop()
	for {
		select {
		case <-s.unlocks:
			return end, false
		case end = <-s.views:
			if end.Finished {
				return end, true
			}
		case <-limit.C:
			s.t.Error("ended by the test's own time-out: no pulse and no end")
			return end, true
		}
	}
}

// standProbe is the one face of a stand's travellers.
func standProbe() []float32 {
	p := make([]float32, 16)
	p[0] = 5
	return p
}
