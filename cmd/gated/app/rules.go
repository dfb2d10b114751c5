package app

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"bordergate/configs"
	"bordergate/gate"
	"bordergate/sync/wire"
)

// rules are what the lane decides by: headquarters' signed policy, and of the
// gate's own file what is stricter. Before headquarters has ever sent a policy
// the file and the defaults rule alone; a policy that was here and is lost
// admits nobody.
type rules struct {
	changed func() // the lane should look again; never blocks

	mu     sync.Mutex
	local  *local // nil until the gate's parts are known
	policy *wire.Policy
	lost   bool
	now    atomic.Pointer[ruling]
}

// local is what the gate's own file and parts say.
type local struct {
	policy   gate.Policy // as without headquarters
	types    []string    // accepted of those that headquarters accepts; empty: all
	fmr      float64
	manifest wire.Hash // of the models in use
	// has reports whether the recogniser has a threshold for a false match rate.
	has func(fmr float64) bool
}

// ruling is one whole set of rules.
type ruling struct {
	policy gate.Policy
	fmr    float64
}

// begin makes the rules the lane's.
func (r *rules) begin(l local) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.local = &l
	r.make()
}

// user takes headquarters' policy.
func (r *rules) user() documentUser {
	return documentUser{
		read: func(payload []byte) (uint64, func(), error) {
			p, err := wire.Decode[wire.Policy](payload)
			if err == nil {
				err = p.Check()
			}
			return p.Ver, func() { r.set(&p, false) }, err
		},
		lost: func() { r.set(nil, true) },
	}
}

// retake has the file's part of the rules made anew.
func (r *rules) retake(l local) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.local == nil {
		return
	}
	r.local = &l
	r.make()
	if r.changed != nil {
		r.changed()
	}
}

func (r *rules) set(p *wire.Policy, lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.policy, r.lost = p, lost
	if r.local != nil {
		r.make()
		r.changed()
	}
}

// make puts the rules together. The caller holds mu.
func (r *rules) make() {
	out := r.local.alone()
	if r.policy != nil {
		out = r.local.tighten(*r.policy)
	}
	out.policy.Lost = r.lost
	r.now.Store(&out)
}

// Policy gives the lane's policy as it is now.
func (r *rules) Policy() gate.Policy { return r.now.Load().policy }

// FMR is the false match rate that a match has to reach.
func (r *rules) FMR() float64 { return r.now.Load().fmr }

// alone are the rules without headquarters' policy.
func (l *local) alone() ruling {
	out := ruling{l.policy, l.fmr}
	out.policy.PassTypes = l.accepted(l.policy.PassTypes)
	return out
}

// accepted leaves of the types those that the file accepts too.
func (l *local) accepted(types map[string]gate.PassRule) map[string]gate.PassRule {
	out := maps.Clone(types)
	maps.DeleteFunc(out, func(name string, _ gate.PassRule) bool { return len(l.types) > 0 && !slices.Contains(l.types, name) })
	return out
}

// tighten is headquarters' policy with what the file has stricter. Nothing in
// the file makes it laxer.
func (l *local) tighten(p wire.Policy) ruling {
	out := ruling{l.policy, l.fmr}
	types := make(map[string]gate.PassRule, len(p.Types))
	for _, t := range p.Types {
		types[t.Type] = gate.PassRule{Level: t.Level, StampEvery: seconds(t.StampEvery), StampSoon: seconds(t.StampSoon)}
	}
	g := &out.policy
	g.Version, g.PassTypes, g.Passback = p.Ver, l.accepted(types), seconds(p.Passback)
	g.CacheMaxAge = min(l.policy.CacheMaxAge, seconds(p.CacheMaxAge))
	g.KindMaxAge = maps.Clone(l.policy.KindMaxAge)
	for kind, age := range p.KindMaxAge {
		if own, named := g.KindMaxAge[kinds[kind]]; !named || seconds(age) < own {
			if g.KindMaxAge == nil {
				g.KindMaxAge = make(map[gate.AccountKind]time.Duration)
			}
			g.KindMaxAge[kinds[kind]] = seconds(age)
		}
	}
	g.ObserveLiveness = l.policy.ObserveLiveness && p.Liveness == wire.LivenessObserve
	fmr, err := strconv.ParseFloat(p.FMR, 64)
	out.fmr = min(l.fmr, fmr)
	g.NoModels = l.policy.NoModels || err != nil || !l.has(out.fmr) || len(p.Models) > 0 && !slices.Contains(p.Models, l.manifest)
	return out
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

// ruledMatcher compares at the false match rate that rules now.
type ruledMatcher struct {
	matcher
	rules *rules
}

// Match implements gate.Matcher.
func (m ruledMatcher) Match(faces []gate.Face, model string, reference []byte, final bool) gate.Match {
	m.fmr = m.rules.FMR()
	return m.matcher.Match(faces, model, reference, final)
}

// localRules are what this gate's file and parts say.
func (a *App) localRules(d gate.Direction) local {
	c := a.settings()
	return local{
		policy: gate.Policy{
			Crossing: c.Gate.Crossing, Direction: d, PassTypes: passRules(), Passback: passback,
			NoModels:    a.matcher.model == nil,
			CacheMaxAge: c.Policy.CacheMaxAge, KindMaxAge: kindMaxAge(c.Policy.KindMaxAge), ClockMargin: clockMargin,
			ObserveLiveness: c.Models.Liveness == "observe",
		},
		types: c.Policy.PassTypes, fmr: c.Models.FMR, manifest: a.manifest,
		has: func(fmr float64) bool {
			if a.matcher.model == nil {
				return false
			}
			_, ok := a.matcher.model.Limits.At(fmr, minFrames)
			return ok
		},
	}
}

// hashManifest is the name of the model manifest in force.
func hashManifest(path string) (wire.Hash, error) {
	b, err := configs.ReadManifest(path)
	if err != nil {
		return wire.Hash{}, err
	}
	return wire.HashOf(b), nil
}
