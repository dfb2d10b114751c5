package biometrics

import (
	"math"
	"slices"
)

// LivenessRuleVersion is the version of what follows: which cues there are and how they are combined.
const LivenessRuleVersion = "2"

// maxLines caps what straight lines around the face may take off: a door frame must not outweigh everything else.
const maxLines = 12

// LivenessScore holds the cues of one frame against a presentation attack.
type LivenessScore struct {
	// MS27 and SQ15 are the liveness network's log odds of "live" on the two crops; positive is live.
	MS27, SQ15 float64
	// Lines is the number of long straight lines around the face that the empty scene does not have: a screen's or a print's edge.
	Lines float64
	// Size is the face box's height as a share of the frame's height, X and Y its middle as shares of the frame's width and height.
	Size, X, Y float64
}

// Value combines the cues: the mean of both crops less one for each line, at most 12.
func (s LivenessScore) Value() float64 { return s.network() - min(max(s.Lines, 0), maxLines) }

func (s LivenessScore) network() float64 { return (s.MS27 + s.SQ15) / 2 }

func (s LivenessScore) finite() bool {
	for _, v := range []float64{s.MS27, s.SQ15, s.Lines, s.Size, s.X, s.Y} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// Place is where in a camera's picture, and how large, the face of somebody who stands at the gate can be. The zero value holds for
// every face.
type Place struct{ MinSize, MaxSize, MinX, MaxX, MinY, MaxY float64 }

// Holds tells whether a face is at a place where a person's can be.
func (p Place) Holds(s LivenessScore) bool {
	return p == Place{} || s.Size >= p.MinSize && s.Size <= p.MaxSize && s.X >= p.MinX && s.X <= p.MaxX && s.Y >= p.MinY && s.Y <= p.MaxY
}

// LivenessRule turns values into a verdict.
type LivenessRule struct {
	// Threshold is the value above which a session is live.
	Threshold float64
	// Margin below the threshold in which it stays undecided instead of an attack.
	Margin float64
	// MinFrames is how many frames a verdict needs, FullFrames how many before it is "attack" while more may still come.
	MinFrames, FullFrames int
	// Place is where a face can be; most frames must be there.
	Place Place
	// Calibration names the calibration that Threshold and Place are from; empty for the default.
	Calibration string
}

// DefaultLivenessRule returns the operating point of the measurements. It is to be calibrated per camera.
func DefaultLivenessRule() LivenessRule {
	return LivenessRule{Threshold: -4, MinFrames: 3, FullFrames: MaxFrames}
}

// Version identifies what a verdict rests on: the liveness network, the version of the rule, and the camera's calibration.
func (r LivenessRule) Version(model string) string {
	from := r.Calibration
	if from == "" {
		from = "default"
	}
	return model + "/" + LivenessRuleVersion + "/" + from
}

// Liveness is a verdict on presentation attack.
type Liveness string

// The verdicts. Only LivenessLive lets anybody through.
const (
	LivenessUndecided Liveness = "undecided"
	LivenessLive      Liveness = "live"
	LivenessAttack    Liveness = "attack"
)

// Cue is one kind of evidence against a face.
type Cue string

// The cues of a session.
const (
	CueNetwork Cue = "network" // the network's two crops alone are not above the threshold
	CueLines   Cue = "lines"   // most frames have a straight line that the empty scene does not have
	CuePlace   Cue = "place"   // most frames have the face where a person's cannot be
)

// LivenessSession gathers up to five frames' scores. The zero value is ready; it is not safe for concurrent use.
type LivenessSession struct{ scores []LivenessScore }

// Add takes a frame's scores; it reports false when it holds five already or a score is not finite.
func (l *LivenessSession) Add(s LivenessScore) bool {
	if len(l.scores) >= MaxFrames || !s.finite() {
		return false
	}
	l.scores = append(l.scores, s)
	return true
}

// N returns how many frames it holds.
func (l *LivenessSession) N() int { return len(l.scores) }

// Median returns the median value, of an even number the lower one in the middle: doubt counts against. NaN without a frame.
func (l *LivenessSession) Median() float64 { return l.median(LivenessScore.Value) }

func (l *LivenessSession) median(of func(LivenessScore) float64) float64 {
	if len(l.scores) == 0 {
		return math.NaN()
	}
	var v []float64
	for _, s := range l.scores {
		v = append(v, of(s))
	}
	slices.Sort(v)
	return v[(len(v)-1)/2]
}

// most tells whether more than half of the frames are so.
func (l *LivenessSession) most(so func(LivenessScore) bool) bool {
	n := 0
	for _, s := range l.scores {
		if so(s) {
			n++
		}
	}
	return 2*n > len(l.scores)
}

// Verdict judges the median by the rule. Final tells that no more frames will come; before that, a session that looks like an attack
// is undecided until it is full. A face in a place where a person's cannot be is never live.
func (l *LivenessSession) Verdict(r LivenessRule, final bool) Liveness {
	m := l.Median()
	switch {
	case len(l.scores) == 0 || len(l.scores) < r.MinFrames:
		return LivenessUndecided
	case m > r.Threshold:
		if l.most(func(s LivenessScore) bool { return !r.Place.Holds(s) }) {
			return LivenessUndecided
		}
		return LivenessLive
	case m > r.Threshold-r.Margin, !final && len(l.scores) < r.FullFrames:
		return LivenessUndecided
	default:
		return LivenessAttack
	}
}

// Cues lists what speaks against the session, each cue judged alone.
func (l *LivenessSession) Cues(r LivenessRule) []Cue {
	var out []Cue
	if !(l.median(LivenessScore.network) > r.Threshold) {
		out = append(out, CueNetwork)
	}
	if l.most(func(s LivenessScore) bool { return s.Lines >= 1 }) {
		out = append(out, CueLines)
	}
	if l.most(func(s LivenessScore) bool { return !r.Place.Holds(s) }) {
		out = append(out, CuePlace)
	}
	return out
}
