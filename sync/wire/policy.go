package wire

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrPolicy means that a policy breaks its form.
var ErrPolicy = errors.New("policy is malformed")

// What liveness means to a decision, laxest first. Observe is for simulated
// lanes: a gate that is none enforces whatever the policy says.
const (
	LivenessObserve = "observe" // recorded only
	LivenessEnforce = "enforce"
)

// Limits of a policy.
const (
	MaxPassTypes   = 8
	MaxManifests   = 8
	MaxCacheAge    = 72 * time.Hour // the rules of the border ask for no longer
	maxStampEvery  = 366 * 24 * time.Hour
	maxPassback    = 24 * time.Hour
	maxPassTypeLen = 32
)

// FMRs are the false match rates that a policy may ask for, laxest first.
func FMRs() []string { return []string{"1e-3", "1e-4", "1e-5", "1e-6"} }

// Policy is what HQ has every gate decide by. It is signed by its own role,
// retained, and comes with a version that never falls: a gate keeps the newest
// and is never given an older one.
//
// It does not expire. A gate has to do its whole work for 72 hours alone, and a
// policy that lapsed would leave it with none, which is either laxer or shut;
// how old HQ's word is at all, the age of the newest head tells, and past the
// cache's age nobody is admitted whatever the policy.
type Policy struct {
	Ver      uint64     `json:"ver"`      // rises with every policy
	Issued   int64      `json:"issued"`   // Unix ns
	FMR      string     `json:"fmr"`      // one of FMRs: what a match has to reach
	Liveness string     `json:"liveness"` // enforce or observe
	Types    []TypeRule `json:"pass_types"`
	// CacheMaxAge is how old the newest head may be, and KindMaxAge the same for
	// a kind of account where it is shorter; seconds.
	CacheMaxAge int64            `json:"cache_max_age_s"`
	KindMaxAge  map[string]int64 `json:"kind_max_age_s,omitempty"`
	// Passback is how long after a passage the same pass is not good for
	// another the same way, seconds.
	Passback int64 `json:"passback_s"`
	// Models are the SHA-256 of the model manifests that may be worked with,
	// several while gates are given another; none: whatever is installed.
	Models []Hash `json:"models,omitempty"`
}

// TypeRule is what an accepted type of pass needs.
type TypeRule struct {
	Type       string `json:"type"`
	Level      int    `json:"level"`                   // lowest account level, 1 or 2
	StampEvery int64  `json:"stamp_every_s,omitempty"` // how long a stamp lasts, seconds; 0: none is needed
	StampSoon  int64  `json:"stamp_soon_s,omitempty"`  // how long before its end the traveller is told
}

// Check holds a policy to its form.
func (p Policy) Check() error {
	switch {
	case p.Ver == 0 || p.Issued <= 0:
		return fmt.Errorf("%w: no version or time", ErrPolicy)
	case !slices.Contains(FMRs(), p.FMR):
		return fmt.Errorf("%w: false match rate %.20q", ErrPolicy, p.FMR)
	case p.Liveness != LivenessObserve && p.Liveness != LivenessEnforce:
		return fmt.Errorf("%w: liveness %.20q", ErrPolicy, p.Liveness)
	case len(p.Types) == 0 || len(p.Types) > MaxPassTypes:
		return fmt.Errorf("%w: %d types of pass", ErrPolicy, len(p.Types))
	case !span(p.CacheMaxAge, time.Second, MaxCacheAge):
		return fmt.Errorf("%w: cache age of %d s", ErrPolicy, p.CacheMaxAge)
	case !span(p.Passback, 0, maxPassback):
		return fmt.Errorf("%w: passback of %d s", ErrPolicy, p.Passback)
	case len(p.Models) > MaxManifests || slices.Contains(p.Models, Hash{}):
		return fmt.Errorf("%w: %d model manifests, or one without a hash", ErrPolicy, len(p.Models))
	}
	for kind, age := range p.KindMaxAge {
		if kind != KindCitizen && kind != KindForeigner && kind != KindOrganisation || !span(age, time.Second, MaxCacheAge) {
			return fmt.Errorf("%w: cache age of %d s for %.20q", ErrPolicy, age, kind)
		}
	}
	return p.checkTypes()
}

func (p Policy) checkTypes() error {
	seen := make(map[string]bool)
	for i, t := range p.Types {
		switch {
		case t.Type == "" || len(t.Type) > maxPassTypeLen || seen[t.Type]:
			return fmt.Errorf("%w: name of pass type %d", ErrPolicy, i)
		case t.Level != 1 && t.Level != 2:
			return fmt.Errorf("%w: level %d of pass type %d", ErrPolicy, t.Level, i)
		case !span(t.StampEvery, 0, maxStampEvery) || t.StampSoon < 0 || t.StampSoon > t.StampEvery:
			return fmt.Errorf("%w: stamps of pass type %d", ErrPolicy, i)
		}
		seen[t.Type] = true
	}
	return nil
}

func span(seconds int64, low, high time.Duration) bool {
	return seconds >= int64(low/time.Second) && seconds <= int64(high/time.Second)
}
