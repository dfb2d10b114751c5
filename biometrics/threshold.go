package biometrics

import (
	"errors"
	"fmt"
)

// Point is one operating point: the score from which the false match rate is at most FMR.
type Point struct {
	// FMR is the false match rate per comparison, 0 to 1.
	FMR float64
	// Accept is the lowest cosine that counts as a match.
	Accept float64
}

// Thresholds are the operating points of one recogniser. The values come from the model manifest.
type Thresholds struct {
	// Single holds the points for a probe of one frame, Fused for one of two or more: averaging raises impostor scores.
	Single, Fused []Point
	// Reject is the score below which it is not the same person; between Reject and the accepting score an officer looks.
	Reject float64
	// TooGood is the score above which the probe is no second picture of the face but the enrolled picture itself.
	TooGood float64
}

// ErrThresholds is returned for thresholds that contradict themselves.
var ErrThresholds = errors.New("biometrics: thresholds are not usable")

// Validate refuses points that are out of range or do not rise as the false match rate falls.
func (t Thresholds) Validate() error {
	for _, row := range [][]Point{t.Single, t.Fused} {
		if len(row) == 0 {
			return fmt.Errorf("%w: a row without points", ErrThresholds)
		}
		for i, p := range row {
			if !(p.FMR > 0 && p.FMR < 1 && p.Accept > 0 && p.Accept < 1) {
				return fmt.Errorf("%w: point %v out of range", ErrThresholds, p)
			}
			if i > 0 && !(p.FMR < row[i-1].FMR && p.Accept > row[i-1].Accept) {
				return fmt.Errorf("%w: point %v does not follow %v", ErrThresholds, p, row[i-1])
			}
		}
	}
	if !(t.Reject > 0 && t.Reject < 1 && t.TooGood > t.Reject && t.TooGood <= 1) {
		return fmt.Errorf("%w: reject %v, too good %v", ErrThresholds, t.Reject, t.TooGood)
	}
	return nil
}

// At returns the accepting score for a probe of so many frames: that of the loosest point that still keeps the rate. It reports
// false when no point is strict enough, or there is no frame.
func (t Thresholds) At(fmr float64, frames int) (float64, bool) {
	if frames < 1 {
		return 0, false
	}
	row := t.Single
	if frames > 1 {
		row = t.Fused
	}
	accept, ok := 0.0, false
	for _, p := range row {
		// A little room, so that 1e-4 out of a file finds 1e-4 here.
		if p.FMR <= fmr*(1+1e-9) && (!ok || p.Accept < accept) {
			accept, ok = p.Accept, true
		}
	}
	return accept, ok
}

// Match is the verdict on a comparison.
type Match uint8

// The verdicts. MatchNone is the zero value, so that what was not compared did not match.
const (
	// MatchNone : nothing was compared, or no threshold holds.
	MatchNone Match = iota
	// MatchReject : not the same person.
	MatchReject
	// MatchBetween : neither; an officer decides.
	MatchBetween
	// MatchAccept : the same person at the wanted false match rate.
	MatchAccept
	// MatchTooGood : too alike for a second picture; an officer decides.
	MatchTooGood
)

// String names the verdict.
func (m Match) String() string {
	switch m {
	case MatchReject:
		return "reject"
	case MatchBetween:
		return "between"
	case MatchAccept:
		return "accept"
	case MatchTooGood:
		return "too_good"
	default:
		return "none"
	}
}

// Judge gives the verdict on a score at the wanted false match rate.
func (t Thresholds) Judge(score, fmr float64, frames int) Match {
	accept, ok := t.At(fmr, frames)
	switch {
	case !ok || score != score || score < -1:
		return MatchNone
	case score > t.TooGood:
		return MatchTooGood
	case score >= accept:
		return MatchAccept
	case score < t.Reject:
		return MatchReject
	default:
		return MatchBetween
	}
}
