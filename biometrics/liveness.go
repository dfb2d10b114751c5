package biometrics

import (
	"math"
	"slices"
)

// maxLines caps what straight lines around the face may take off: a door frame must not outweigh everything else.
const maxLines = 12

// LivenessScore holds the cues of one frame against a presentation attack.
type LivenessScore struct {
	// MS27 and SQ15 are the liveness network's log odds of "live" on the two crops; positive is live.
	MS27, SQ15 float64
	// Lines is the number of long straight lines around the face: a screen's or a print's edge.
	Lines float64
}

// Value combines the cues: the mean of both crops less one for each line, at most 12.
func (s LivenessScore) Value() float64 {
	return (s.MS27+s.SQ15)/2 - min(max(s.Lines, 0), maxLines)
}

// LivenessRule turns values into a verdict.
type LivenessRule struct {
	// Threshold is the value above which a session is live.
	Threshold float64
	// Margin below the threshold in which it stays undecided instead of an attack.
	Margin float64
	// MinFrames is how many frames a verdict needs.
	MinFrames int
}

// DefaultLivenessRule returns the operating point of the measurements. It is to be calibrated per camera.
func DefaultLivenessRule() LivenessRule { return LivenessRule{Threshold: -4, Margin: 0, MinFrames: 3} }

// Liveness is a verdict on presentation attack.
type Liveness string

// The verdicts. Only LivenessLive lets anybody through.
const (
	LivenessUndecided Liveness = "undecided"
	LivenessLive      Liveness = "live"
	LivenessAttack    Liveness = "attack"
)

// LivenessSession gathers up to five frames' scores. The zero value is ready; it is not safe for concurrent use.
type LivenessSession struct{ values []float64 }

// Add takes a frame's scores; it reports false when it holds five already or a score is not finite.
func (l *LivenessSession) Add(s LivenessScore) bool {
	v := s.Value()
	if len(l.values) >= MaxFrames || math.IsNaN(v) || math.IsInf(v, 0) || math.IsNaN(s.Lines) {
		return false
	}
	l.values = append(l.values, v)
	return true
}

// N returns how many frames it holds.
func (l *LivenessSession) N() int { return len(l.values) }

// Median returns the median value, of an even number the lower one in the middle: doubt counts against. NaN without a frame.
func (l *LivenessSession) Median() float64 {
	if len(l.values) == 0 {
		return math.NaN()
	}
	v := slices.Sorted(slices.Values(l.values))
	return v[(len(v)-1)/2]
}

// Verdict judges the median by the rule.
func (l *LivenessSession) Verdict(r LivenessRule) Liveness {
	m := l.Median()
	switch {
	case len(l.values) == 0 || len(l.values) < r.MinFrames:
		return LivenessUndecided
	case m > r.Threshold:
		return LivenessLive
	case m > r.Threshold-r.Margin:
		return LivenessUndecided
	default:
		return LivenessAttack
	}
}
