package app

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"bordergate/configs"
	"bordergate/gate"
	"bordergate/sync/wire"
)

// KindReload is the kind of the record of a reload.
const KindReload = "config_reload"

// live is what the gate works by now. A reload swaps the whole of it.
type live struct {
	cfg    *configs.Gate
	digest digest // of the settings, for headquarters
}

func (a *App) begin(cfg *configs.Gate) { a.live.Store(&live{cfg, digestOf(cfg)}) }

// settings is the configuration as it holds now: the file's of the start with
// what was taken up since.
func (a *App) settings() *configs.Gate {
	if l := a.live.Load(); l != nil {
		return l.cfg
	}
	return a.cfg
}

func (a *App) digest() digest {
	if l := a.live.Load(); l != nil {
		return l.digest
	}
	return digest{}
}

// ReloadStatus is how a reload went. Where the file has faults nothing of it
// was taken up: the last good configuration holds.
type ReloadStatus struct {
	At      time.Time         `json:"at"`
	OK      bool              `json:"ok"` // all of the file holds now
	Faults  []string          `json:"faults,omitempty"`
	Taken   []configs.Change  `json:"taken"`
	Refused []configs.Refusal `json:"refused"`
}

// Reload reads the file again and takes up what is safe in a running gate; the
// rest it names, and keeps. Everything that can fail is done before anything
// changes. It is not called by two at once.
func (a *App) Reload(path string) ReloadStatus {
	st := ReloadStatus{At: time.Now().UTC(), Taken: []configs.Change{}, Refused: []configs.Refusal{}}
	file, faults := configs.LoadGate(path)
	for _, f := range faults {
		st.Faults = append(st.Faults, f.Error())
	}
	switch {
	case len(faults) > 0:
	case a.live.Load() == nil:
		st.Faults = []string{"the gate was started with a faulty configuration: restart needed"}
	default:
		a.takeUp(file, &st)
	}
	st.OK = len(st.Faults)+len(st.Refused) == 0
	a.reloaded.Store(&st)
	a.tellReload(st)
	return st
}

// takeUp swaps the configuration and tells the parts that do not ask for it.
func (a *App) takeUp(file *configs.Gate, st *ReloadStatus) {
	next, taken, refused := configs.Reload(a.settings(), file)
	if next.Models.FMR != a.settings().Models.FMR && !a.hasThreshold(next.Models.FMR) {
		st.Faults = []string{fmt.Sprintf("models.fmr: the recogniser has no threshold for %v: calibrate it first, or leave the value", next.Models.FMR)}
		return
	}
	now := &live{next, digestOf(next)}
	a.live.Store(now)
	a.rules.retake(a.localRules(a.direction()))
	setLevel(a.log, next.Log.Level)
	st.Taken, st.Refused = append(st.Taken, taken...), append(st.Refused, refused...)
}

func (a *App) hasThreshold(fmr float64) bool {
	if a.matcher.model == nil {
		return false
	}
	_, ok := a.matcher.model.Limits.At(fmr, minFrames)
	return ok
}

// setLevel has the log say as much as the configuration asks for.
func setLevel(log *slog.Logger, word string) {
	if l := logsOf(log); l != nil {
		if v, err := parseLevel(word); err == nil {
			l.SetLevel(v)
		}
	}
}

// tellReload logs a reload and puts it on record: the keys, and no values of
// the file's faults.
func (a *App) tellReload(st ReloadStatus) {
	for _, f := range st.Faults {
		a.log.Error("Configuration is not reloaded; the last good one holds", "fault", f)
	}
	for _, c := range st.Taken {
		a.log.Info("Setting is taken up", "key", c.Path, "from", c.From, "to", c.To)
	}
	for _, r := range st.Refused {
		a.log.Warn("Setting is not taken up", "key", r.Path, "from", r.From, "to", r.To, "why", r.Why)
	}
	if a.recorder == nil {
		return
	}
	kept := make([]string, len(st.Refused))
	for i, r := range st.Refused {
		kept[i] = r.Path
	}
	a.recorder.note(wire.StreamAlarm, KindReload, struct {
		OK      bool             `json:"ok"`
		Faults  int              `json:"faults"`
		Taken   []configs.Change `json:"taken"`
		Refused []string         `json:"refused"`
		Config  string           `json:"config"`
	}{st.OK, len(st.Faults), st.Taken, kept, a.digest().config})
}

// ConfigStatus is the configuration as it holds now, for whoever asks why.
type ConfigStatus struct {
	Digest string        `json:"config"`
	Reload *ReloadStatus `json:"reload,omitempty"`
	// Policy is the version of headquarters' policy, HQ what it says of keys
	// of the file; the stricter of both holds, and that is what stands here.
	Policy uint64            `json:"policy,omitempty"`
	HQ     map[string]string `json:"headquarters,omitempty"`
}

func (a *App) configStatus() ConfigStatus {
	s := ConfigStatus{Digest: a.digest().config, Reload: a.reloaded.Load()}
	s.Policy, s.HQ = a.rules.inForce()
	return s
}

// inForce are the rules as keys of the file, where headquarters has sent a
// policy.
func (r *rules) inForce() (version uint64, keys map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now.Load()
	if r.policy == nil || now == nil {
		return 0, nil
	}
	p := now.policy
	keys = map[string]string{
		"policy.cache_max_age": configs.Show(p.CacheMaxAge), "models.fmr": configs.Show(now.fmr),
		"policy.pass_types": configs.Show(slices.Sorted(maps.Keys(p.PassTypes))), "models.liveness": "enforce",
	}
	if p.ObserveLiveness {
		keys["models.liveness"] = "observe"
	}
	for word, kind := range map[string]gate.AccountKind{
		"citizen": gate.KindCitizen, "foreigner": gate.KindForeigner, "organisation": gate.KindOrganisation,
	} {
		if age, ok := p.KindMaxAge[kind]; ok {
			keys["policy.kind_max_age."+word] = configs.Show(age)
		}
	}
	return p.Version, keys
}
