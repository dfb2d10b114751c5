package app

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"bordergate/sync/wire"
)

// When a gate is said to need somebody.
const (
	silentAfter  = 30 * time.Second // without a word although connected: three states
	staleAfter   = time.Minute      // age of the newest head
	clockWithin  = 30 * time.Second // of headquarters' clock
	queueBeyond  = 1000             // records not acknowledged
	twinsShowFor = time.Hour
)

// say takes up what a gate says of itself.
func (g *gateState) say(st wire.State) {
	g.state = st
	if st.Wall != 0 {
		g.offset = time.Unix(0, st.Wall).Sub(g.seen)
	}
}

// GateView is a line of the fleet's overview. Well is whether nobody need look;
// Why says what is not, in words of a fixed list.
type GateView struct {
	Gate       string    `json:"gate"`
	Well       bool      `json:"well"`
	Why        []string  `json:"why,omitempty"`
	Up         bool      `json:"up"`
	Seen       time.Time `json:"seen,omitzero"`
	Mode       string    `json:"mode,omitempty"`
	CatchingUp bool      `json:"catching_up,omitempty"`
	CacheAge   float64   `json:"cache_age_s"` // age of the newest head it has, when it last spoke; -1: has none
	Behind     uint64    `json:"behind"`      // changes of the accounts log it lacks
	Clock      string    `json:"clock,omitempty"`
	ClockOff   float64   `json:"clock_off_s"` // its clock less headquarters', with the way between
	Queue      uint64    `json:"queue"`       // records not acknowledged
	Faults     []string  `json:"faults,omitempty"`
	Config     string    `json:"config,omitempty"`
	Models     string    `json:"models,omitempty"`
	Software   string    `json:"software,omitempty"`
	Refused    uint64    `json:"refused"` // messages of it, of any cause
	Simulated  bool      `json:"simulated"`
}

// Overview is the whole fleet. Config, Models and Software are what most gates
// in service have; a gate that has another drifts.
type Overview struct {
	Gates    int        `json:"gates"`
	Up       int        `json:"up"`
	Well     int        `json:"well"`
	Config   string     `json:"config,omitempty"`
	Models   string     `json:"models,omitempty"`
	Software string     `json:"software,omitempty"`
	List     []GateView `json:"list"`
}

// overview is made of what gates in service last said. The head is that of the
// accounts log.
func (f *fleet) overview(head wire.Head, now time.Time) Overview {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := Overview{List: []GateView{}}
	config, models, software := map[string]int{}, map[string]int{}, map[string]int{}
	for _, g := range f.gates {
		if g.entry.Retired.IsZero() {
			config[g.state.Config]++
			models[g.state.Models]++
			software[g.birth.Software]++
		}
	}
	o.Config, o.Models, o.Software = usual(config), usual(models), usual(software)
	for _, name := range slices.Sorted(maps.Keys(f.gates)) {
		g := f.gates[name]
		if !g.entry.Retired.IsZero() {
			continue
		}
		v := g.view(name, head)
		v.Why = g.needs(v, o, now)
		v.Well = len(v.Why) == 0
		o.List = append(o.List, v)
		o.Gates++
		if v.Up {
			o.Up++
		}
		if v.Well {
			o.Well++
		}
	}
	return o
}

// usual is what most have, the first by name among equals; what nobody has
// said counts for nothing.
func usual(counts map[string]int) (most string) {
	for _, s := range slices.Sorted(maps.Keys(counts)) {
		if s != "" && (most == "" || counts[s] > counts[most]) {
			most = s
		}
	}
	return most
}

func (g *gateState) view(name string, head wire.Head) GateView {
	v := GateView{
		Gate: name, Up: g.up, Seen: g.seen, Mode: g.state.Mode, CatchingUp: g.state.CatchingUp, CacheAge: -1,
		Clock: g.state.Clock, ClockOff: g.offset.Seconds(), Faults: g.state.Faults, Config: g.state.Config, Models: g.state.Models,
		Software: g.birth.Software, Simulated: g.birth.Simulated,
	}
	if g.state.HeadIssued != 0 {
		v.CacheAge = max(0, g.seen.Sub(time.Unix(0, g.state.HeadIssued)).Seconds())
	}
	if at := g.state.Accounts; at.Epoch != head.Epoch {
		v.Behind = head.Seq
	} else if at.Cursor < head.Seq {
		v.Behind = head.Seq - at.Cursor
	}
	for _, n := range g.state.Queue {
		v.Queue += n
	}
	for _, n := range g.count {
		v.Refused += n
	}
	return v
}

// needs lists why somebody should look.
func (g *gateState) needs(v GateView, o Overview, now time.Time) []string {
	var why []string
	for _, c := range []struct {
		word string
		is   bool
	}{
		{"never_seen", g.seen.IsZero()},
		{"down", !g.up && !g.seen.IsZero()},
		{"silent", g.up && now.Sub(g.seen) > silentAfter},
		{"fault", len(v.Faults) > 0},
		{"cache_stale", v.CacheAge < 0 || v.CacheAge > staleAfter.Seconds()},
		{"clock", v.Clock != "synchronised" && v.Clock != "held_over" || g.offset.Abs() > clockWithin},
		{"queue", v.Queue > queueBeyond},
		{"config_differs", v.Config != o.Config},
		{"models_differ", v.Models != o.Models},
		{"software_differs", v.Software != o.Software},
		{"two_gates", !g.twins.at.IsZero() && now.Sub(g.twins.at) < twinsShowFor},
		{"contradicts_store", g.count["fork"] > 0},
	} {
		if c.is && (!g.seen.IsZero() || c.word == "never_seen") {
			why = append(why, c.word)
		}
	}
	return why
}

func (a *App) showFleet(w http.ResponseWriter, _ *http.Request) {
	reply(w, a.fleet.overview(a.ledger.Head(), time.Now()), nil)
}
