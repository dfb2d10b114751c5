package app

import (
	"slices"
	"time"

	"bordergate/gate"
	"bordergate/hal"
)

// Fault is a part that keeps the gate closed, with its cure in the text.
type Fault struct {
	Part  string `json:"part"`
	Error string `json:"error"`
}

// Status is what the status page shows. It holds no personal data.
type Status struct {
	Simulated bool        `json:"simulated"`
	Gate      Place       `json:"gate"`
	Lane      LaneStatus  `json:"lane"`
	Clock     string      `json:"clock"`
	Faults    []Fault     `json:"faults"`
	SelfTest  *SelfTest   `json:"self_test,omitempty"` // the last one
	Degraded  []Degraded  `json:"degraded"`            // what fails and how the gate serves then
	Devices   []Device    `json:"devices"`
	Faces     *FaceStatus `json:"faces,omitempty"` // how the face camera does
	HQ        HQStatus    `json:"hq"`
	Trust     TrustStatus `json:"trust"`
	Journal   []Backlog   `json:"journal"`
	Recent    []event     `json:"recent"`
	// Reload is how the last reload of the configuration went; none without one.
	Reload *ReloadStatus `json:"reload,omitempty"`
}

// Place is which gate this is and where it stands.
type Place struct {
	ID        string `json:"id"`
	Crossing  string `json:"crossing"`
	Lane      string `json:"lane"`
	Direction string `json:"direction"`
	// Reversible says that an officer may turn the direction, which is then the
	// lane's own.
	Reversible bool `json:"reversible,omitempty"`
}

// LaneStatus is where the lane stands and why.
type LaneStatus struct {
	State string `json:"state"`
	Mode  string `json:"mode"`
	// By ordered the mode and for this reason; LeftS is how long it still holds,
	// 0 until it is taken back.
	By        string  `json:"mode_by,omitempty"`
	Why       string  `json:"mode_cause,omitempty"`
	LeftS     float64 `json:"mode_left_s,omitempty"`
	Direction string  `json:"direction"`
	Cause     string  `json:"cause"`
	Hint      string  `json:"hint,omitempty"` // what the traveller can do better
	ForS      float64 `json:"for_s"`
}

// Device is one device's health.
type Device struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
	// Starts is how often a camera's worker has become ready, LastCrash how the last one ended that should not have.
	Starts    int    `json:"starts,omitempty"`
	LastCrash string `json:"last_crash,omitempty"`
	// Rung is what is done to bring a device back that is away for AwayS: retry,
	// reopen, restart or given_up. Losses and Restarts are counted since the start.
	Rung     string  `json:"rung,omitempty"`
	AwayS    float64 `json:"away_s,omitempty"`
	Losses   int     `json:"losses,omitempty"`
	Restarts int     `json:"restarts,omitempty"`
	// Looks is how late the turnstile's inputs were looked at.
	Looks *LooksStatus `json:"looks,omitempty"`
}

// HQStatus is the link's health and the cache's age.
type HQStatus struct {
	Connected  bool   `json:"connected"`
	CatchingUp bool   `json:"catching_up"`
	Error      string `json:"error,omitempty"`
	Issued     string `json:"accounts_issued,omitempty"`
	Cursor     uint64 `json:"accounts_cursor"`
}

// Backlog is what a stream of the journal holds.
type Backlog struct {
	Stream string `json:"stream"`
	Last   uint64 `json:"last"`
	Acked  uint64 `json:"acknowledged"`
}

// Status is the gate as it stands.
func (a *App) Status() Status {
	v, recent := a.hub.snapshot()
	slices.Reverse(recent)
	_, trust, _ := a.clock.Wall()
	s := Status{
		Simulated: a.cfg.Simulated, Gate: Place(a.cfg.Gate), Faults: append([]Fault{}, a.faults...), Recent: recent, Devices: []Device{}, Journal: []Backlog{},
		Lane:  laneStatus(v, monoNow()),
		Clock: hal.Trust(trust).String(), Reload: a.reloaded.Load(),
	}
	if len(a.faults) > 0 {
		s.Lane.Cause = a.faults[0].Part
	}
	if a.barrier != nil {
		d := Device{Name: "turnstile"}
		st := a.barrier.dev.Snapshot()
		if d.OK = st.Online; st.Fault != nil {
			d.Error = st.Fault.Error()
		}
		d.Looks = looksStatus(st.Looks)
		s.Devices = append(s.Devices, d)
	}
	for _, e := range a.eyes {
		s.Devices = append(s.Devices, e.device())
	}
	if a.scanner != nil {
		s.Devices = append(s.Devices, a.scanner.device())
	}
	if a.recorder != nil && a.recorder.monitor != nil {
		f := a.recorder.monitor.status()
		s.Faces = &f
	}
	if a.room != nil {
		s.Faults = append(s.Faults, a.room.faults()...)
	}
	for i := range s.Devices {
		if l := a.upkeep.of(s.Devices[i].Name); l != nil {
			l.tell(&s.Devices[i])
		}
	}
	a.hqStatus(&s)
	s.Degraded, s.SelfTest = a.degraded(), a.tester.newest()
	if a.believer != nil {
		s.Trust = a.believer.status(time.Now())
	}
	return s
}

// laneStatus is the lane as its newest view has it.
func laneStatus(v gate.View, now int64) LaneStatus {
	l := LaneStatus{
		State: v.State.String(), Mode: v.Mode.String(), By: v.Order.By, Why: v.Order.Cause, Direction: v.Direction.String(),
		Cause: v.Cause, Hint: v.Hint, ForS: float64(now-v.Since) / 1e9,
	}
	if v.Order.Until != 0 {
		l.LeftS = float64(v.Order.Until-now) / 1e9
	}
	return l
}

func (a *App) hqStatus(s *Status) {
	if a.hq != nil {
		l := a.hq.gate.Status()
		s.HQ.Connected, s.HQ.CatchingUp = l.Connected, l.CatchingUp
		if l.Error != "" {
			s.HQ.Error = l.Error + " (" + l.Hint + "; the gate goes on alone)"
		}
	}
	if a.replica != nil {
		_, s.HQ.Cursor = a.replica.Cursor()
		if t, ok := a.replica.Fresh(); ok {
			s.HQ.Issued = t.UTC().Format(time.RFC3339)
		}
	}
	if a.journal == nil {
		return
	}
	for _, r := range a.journal.Ranges() {
		s.Journal = append(s.Journal, Backlog{Stream: r.Name, Last: r.Next - 1, Acked: r.Acked})
	}
}
