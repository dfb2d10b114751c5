package biometrics

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrCalibration is returned where live users do not give a usable threshold.
var ErrCalibration = errors.New("biometrics: calibration is not usable")

// LivenessLimits bound what a calibration may set.
type LivenessLimits struct{ Lowest, Highest float64 }

// LivenessCalibration is what live users of one camera gave.
type LivenessCalibration struct {
	// Users is the number of sessions, Rejected how many of them the threshold takes for attacks.
	Users, Rejected int
	Threshold       float64
	Place           Place
	// Bounded tells that the users asked for another threshold than the limits allow.
	Bounded bool
}

// The room that a calibrated place leaves around the users it has seen, since twenty people are not the tallest and the smallest:
// of size as a factor, of position as a share of the frame.
const (
	roomSize = 1.35
	roomPos  = 0.12
)

// step is how far below the lowest value that must pass a threshold lies.
const step = 0.25

// CalibrateLiveness sets threshold and place for one camera from the sessions of live users. At most the share bpcer of them, rounded
// down, is rejected. The threshold never leaves the limits.
func CalibrateLiveness(users []*LivenessSession, bpcer float64, lim LivenessLimits) (LivenessCalibration, error) {
	if !(bpcer >= 0 && bpcer <= 0.2) {
		return LivenessCalibration{}, fmt.Errorf("%w: a rate of rejected users of %g: 0 to 0.2", ErrCalibration, bpcer)
	}
	if !(lim.Lowest <= lim.Highest) {
		return LivenessCalibration{}, fmt.Errorf("%w: limits %g to %g", ErrCalibration, lim.Lowest, lim.Highest)
	}
	var medians []float64
	var all LivenessSession
	for _, u := range users {
		if u.N() > 0 {
			medians = append(medians, u.Median())
			all.scores = append(all.scores, u.scores...)
		}
	}
	if len(medians) == 0 {
		return LivenessCalibration{}, fmt.Errorf("%w: no user has a usable frame", ErrCalibration)
	}
	slices.Sort(medians)
	wanted := medians[int(bpcer*float64(len(medians)))] - step
	c := LivenessCalibration{Users: len(medians), Threshold: min(max(wanted, lim.Lowest), lim.Highest), Place: all.place()}
	c.Bounded = c.Threshold != wanted
	for _, m := range medians {
		if !(m > c.Threshold) {
			c.Rejected++
		}
	}
	return c, nil
}

// place is where the frames' faces are, with room around them.
func (l *LivenessSession) place() Place {
	p := Place{math.Inf(1), 0, math.Inf(1), 0, math.Inf(1), 0}
	for _, s := range l.scores {
		p.MinSize, p.MaxSize = min(p.MinSize, s.Size), max(p.MaxSize, s.Size)
		p.MinX, p.MaxX = min(p.MinX, s.X), max(p.MaxX, s.X)
		p.MinY, p.MaxY = min(p.MinY, s.Y), max(p.MaxY, s.Y)
	}
	return Place{
		MinSize: p.MinSize / roomSize, MaxSize: p.MaxSize * roomSize,
		MinX: max(p.MinX-roomPos, 0), MaxX: min(p.MaxX+roomPos, 1), MinY: max(p.MinY-roomPos, 0), MaxY: min(p.MaxY+roomPos, 1),
	}
}
