package app

import (
	"slices"
	"strings"
	"sync"

	"bordergate/gate"
	"bordergate/hal"
)

// Degraded is a row of the table of degraded service that holds now.
type Degraded struct {
	Device  string       `json:"device"`
	Failure string       `json:"failure"`
	Service gate.Service `json:"service"`
	Error   string       `json:"error,omitempty"` // in the device's own words
	Cure    string       `json:"cure"`
}

// rowOf finds a row by its code.
func rowOf(code string) (gate.Degradation, bool) {
	rows := gate.Degraded()
	i := slices.IndexFunc(rows, func(d gate.Degradation) bool { return d.Code() == code })
	if i < 0 {
		return gate.Degradation{}, false
	}
	return rows[i], true
}

// failing collects the rows that hold, each once.
type failing map[string]string

func (f failing) add(when bool, code, why string) {
	if when {
		f[code] = why
	}
}

// degraded lists the rows that hold now, the worst service first.
func (a *App) degraded() []Degraded {
	f := failing{}
	for code, err := range a.defects {
		f[code] = err.Error()
	}
	a.failingDevices(f)
	a.failingData(f)
	for _, s := range a.services {
		if err := s.fault(defaultServiceRule()); err != nil {
			f["service_failing"] = err.Error()
		}
	}
	out := []Degraded{}
	for _, d := range gate.Degraded() {
		if why, holds := f[d.Code()]; holds {
			out = append(out, Degraded{Device: d.Device, Failure: d.Failure, Service: d.Service, Error: why, Cure: d.Technician})
		}
	}
	slices.SortStableFunc(out, func(x, y Degraded) int { return int(y.Service) - int(x.Service) })
	return out
}

// degradedCodes are the same for headquarters.
func (a *App) degradedCodes() []string {
	var out []string
	for _, d := range a.degraded() {
		if d.Device != "headquarters" { // it knows
			out = append(out, d.Device+"_"+d.Failure)
		}
	}
	return out
}

func (a *App) failingDevices(f failing) {
	scanner := false
	if a.scanner != nil {
		d := a.scanner.device()
		scanner = d.OK
		f.add(!d.OK, "scanner_dead", d.Error)
	}
	for _, e := range a.eyes {
		d := e.device()
		f.add(!d.OK, d.Name+"_dead", d.Error)
	}
	if why, dead := f["document_camera_dead"]; dead && !scanner {
		delete(f, "document_camera_dead")
		f["document_camera_dead_no_scanner"] = why
	}
	if a.barrier == nil {
		return
	}
	s := a.barrier.dev.Snapshot()
	if !s.Online {
		why := hal.ErrOffline.Error()
		if s.Fault != nil {
			why = s.Fault.Error()
		}
		f["turnstile_dead"] = why
		return
	}
	f.add(s.Level(hal.InputReady) == hal.Off, "turnstile_not_ready", "")
	f.add(s.Level(hal.InputEmergency) == hal.On, "emergency_input_on", "")
	f.add(s.Level(hal.InputEmergency) == hal.Unknown, "emergency_input_unknown", "")
	f.add(s.Level(hal.InputObstruction) == hal.On && a.laneState() == gate.Blocked, "obstruction_input_stuck_on", "")
	f.add(s.Level(hal.InputObstruction) == hal.Unknown, "obstruction_input_unknown", "")
	f.add(s.Level(hal.InputPresence) == hal.Unknown, "presence_input_unknown", "")
	f.add(s.Level(hal.InputMains) == hal.Off, "mains_lost", "")
	f.add(s.Level(hal.InputTamper) == hal.On, "cabinet_open", "")
	if dark := a.barrier.dark.Load(); dark != nil {
		f.add(len(*dark) > 0, "lamp_dead", strings.Join(*dark, ", "))
	}
}

func (a *App) laneState() gate.State {
	v, _ := a.hub.snapshot()
	return v.State
}

func (a *App) failingData(f failing) {
	if a.journal != nil {
		err := a.journal.Err()
		if f.add(err != nil, "journal_broken", ""); err != nil {
			f["journal_broken"] = err.Error()
		}
		f.add(err == nil && a.room != nil && len(a.room.faults()) > 0, "journal_full", "")
	}
	if a.recorder != nil {
		if why := a.recorder.evidence.lost(); why != nil {
			f["evidence_not_kept"] = why.Error()
		}
	}
	if a.replica != nil {
		now, _, _ := a.clock.Wall()
		issued, known := a.replica.Fresh()
		damaged := a.replica.Quarantined() != "" && !known
		f.add(damaged, "accounts_damaged", "")
		f.add(!damaged && (!known || now.Sub(issued) > a.settings().Policy.CacheMaxAge), "accounts_stale", "")
		f.add(a.hq != nil && a.catchingUp(), "accounts_catching_up", "")
	}
	if a.believer != nil {
		b := a.believer.now.Load()
		f.add(b.trust == nil, "trust_lost", b.fault)
	}
	if p := a.rules.now.Load(); p != nil {
		f.add(p.policy.Lost, "policy_lost", "")
	}
	if a.hq != nil {
		l := a.hq.gate.Status()
		f.add(!l.Connected, "headquarters_away", l.Error)
	}
	_, trust, _ := a.clock.Wall()
	f.add(trust == gate.ClockBad, "clock_bad", "")
	f.add(trust == gate.ClockPlausible, "clock_unsynchronised", "")
	if cause := a.unfit.holds(); cause == gate.CauseSelfTest {
		f["self_test_failed"] = ""
	}
}

// unfit is why the gate's own checks keep the lane out of service; each check
// has its cause, and the first in the order below is the one named.
type unfit struct {
	mu     sync.Mutex
	causes map[string]bool
}

// holds is the cause named now, empty where there is none.
func (u *unfit) holds() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range []string{gate.CauseTamper, gate.CauseSelfTest, causeTesting} {
		if u.causes[c] {
			return c
		}
	}
	return ""
}

// fit notes a cause or its end and tells the lane of a change.
func (a *App) fit(cause string, bad bool) {
	before := a.unfit.holds()
	a.unfit.mu.Lock()
	if a.unfit.causes == nil {
		a.unfit.causes = map[string]bool{}
	}
	a.unfit.causes[cause] = bad
	a.unfit.mu.Unlock()
	if now := a.unfit.holds(); now != before {
		a.post(gate.Fit(a.mono(), now))
	}
}
