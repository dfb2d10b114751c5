package app

import (
	"fmt"

	"bordergate/hal"
)

// LooksStatus says how late the turnstile's inputs were looked at: the time
// from one question to the answer of the next, in which a passage contact may
// close and open again unseen.
type LooksStatus struct {
	Count     uint64  `json:"count"`
	LongestMS float64 `json:"longest_ms"`
	// Late are those longer than a passage contact lasts. A machine that has them
	// is too busy for a gate.
	Late uint64 `json:"late"`
	// WithinMS counts them by their length: up to so many ms, or more.
	WithinMS map[string]uint64 `json:"within_ms"`
}

func looksStatus(l hal.Looks) *LooksStatus {
	if l.Count == 0 {
		return nil
	}
	s := &LooksStatus{Count: l.Count, LongestMS: float64(l.Longest.Microseconds()) / 1000, Late: l.Late, WithinMS: map[string]uint64{}}
	for i, bound := range hal.LookBounds {
		s.WithinMS[fmt.Sprint(bound.Milliseconds())] = l.Within[i]
	}
	s.WithinMS["more"] = l.Within[len(hal.LookBounds)]
	return s
}
