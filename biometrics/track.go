package biometrics

import (
	"math"
	"time"
)

// Box is a rectangle around a face in pixels of the frame.
type Box struct{ X, Y, W, H float64 }

// Continuity says what one frame means for the face that is being followed.
type Continuity uint8

// The answers of a Tracker. TrackAway is the zero value, so that what was not judged was not seen.
const (
	// TrackAway : nobody who can be told to be the one followed.
	TrackAway Continuity = iota
	// TrackKept : the face followed so far.
	TrackKept
	// TrackNew : a face begins to be followed, the first or the first after too long without one. What was gathered before is void.
	TrackNew
	// TrackOther : another person's face. What was gathered before is void, and this face begins to be followed.
	TrackOther
	// TrackCrowd : a second person is near. What was gathered before is void, and nobody is followed.
	TrackCrowd
)

// String names the answer.
func (c Continuity) String() string {
	switch c {
	case TrackKept:
		return "kept"
	case TrackNew:
		return "new"
	case TrackOther:
		return "other"
	case TrackCrowd:
		return "crowd"
	default:
		return "away"
	}
}

// TrackRule holds the limits within which two frames show one person. A rule without limits follows nobody.
type TrackRule struct {
	// Swap is the cosine under which a frame shows another person than the frames before it: the recogniser's rejecting score.
	Swap float64
	// Second is the share of the face's width from which a second face is a second person.
	Second float64
	// Gap is how long the face may be out of sight.
	Gap time.Duration
	// Doubt is how long a face is followed by its place alone, without an embedding that says who it is.
	Doubt time.Duration
	// Step and Pace bound how far a face moves from one frame to the next, in widths: Step at once, and Pace for each second.
	Step, Pace float64
	// Behind is the share of the matched face's width below which a face is of somebody farther away. It holds after Hold only.
	Behind float64
}

// DefaultTrackRule returns the limits of a lane in which one person stands before the camera. A face is rarely lost from frame to
// frame at 10 frames a second and more; who looks down at his pass for longer than Doubt has to look up once more. Swap is the
// recogniser's rejecting score.
func DefaultTrackRule(swap float64) TrackRule {
	return TrackRule{
		Swap: swap, Second: ProbeRules().MaxSecond, Gap: 700 * time.Millisecond, Doubt: 2 * time.Second,
		Step: 0.5, Pace: 2, Behind: 0.6,
	}
}

const (
	// anchorFrames bounds the sum that stands for the face followed: later frames cannot draw it slowly to another person.
	anchorFrames = 16
	// apart keeps a second face that wavers around the limit one crowd and not many.
	apart = 0.8
)

// Sighting is what one frame shows.
type Sighting struct {
	// At is when the frame was taken, on any clock that only rises.
	At time.Duration
	// Faces is the number of faces; Second the width of the second as a share of the first.
	Faces  int
	Second float64
	Box    Box
	// Raw is the embedding of a frame that passed the quality rules; nil otherwise.
	Raw Embedding
}

// Tracker follows one face through the frames of a session, by its place and by its embedding. A place that jumps is not a face
// kept, and an embedding too far from those before it is another person wherever he stands. It keeps the sum of at most 16 embeddings
// and nothing else; Reset zeroes it. The zero value follows nobody; it is not safe for concurrent use.
type Tracker struct {
	rule      TrackRule
	following bool
	held      bool
	crowd     bool
	box       Box
	width     float64       // of the face when it was held
	seen      time.Duration // newest frame in which it was kept
	sure      time.Duration // newest frame whose embedding said so
	sum       Embedding
	summed    int
}

// NewTracker returns a tracker by the rule.
func NewTracker(r TrackRule) *Tracker { return &Tracker{rule: r} }

// See judges the next frame.
func (t *Tracker) See(s Sighting) Continuity {
	if s.Faces < 1 || !s.Box.usable() || math.IsNaN(s.Second) {
		return TrackAway
	}
	if t.crowded(s) {
		if !t.held {
			t.drop()
		}
		t.crowd = true
		return TrackCrowd
	}
	t.crowd = false
	if t.held {
		return t.seeHeld(s)
	}
	if t.following && !t.Present(s.At) {
		t.drop()
	}
	switch {
	case !t.following:
		t.begin(s)
		return TrackNew
	case t.summed > 0 && len(s.Raw) > 0:
		if !t.same(s.Raw) {
			t.drop()
			t.begin(s)
			return TrackOther
		}
	case !t.near(s):
		if t.summed > 0 {
			return TrackAway // perhaps him, perhaps not: the time to the gap runs
		}
		t.drop()
		t.begin(s)
		return TrackNew
	}
	t.keep(s)
	return TrackKept
}

// seeHeld judges a frame against the face that matched: it is followed for good.
func (t *Tracker) seeHeld(s Sighting) Continuity {
	switch {
	case len(s.Raw) > 0 && t.same(s.Raw):
	case len(s.Raw) > 0 && s.Box.W >= t.rule.Behind*t.width:
		return TrackOther
	case len(s.Raw) > 0 || !t.Present(s.At) || !t.near(s):
		return TrackAway
	}
	t.keep(s)
	return TrackKept
}

// Hold keeps the face followed now as the only one that counts, until Reset: no other one takes its place.
func (t *Tracker) Hold() {
	t.held = true
	t.width = t.box.W
}

// Present reports whether the face followed has been in sight up to now, within the rule's gap, and was known by its embedding not
// too long ago.
func (t *Tracker) Present(now time.Duration) bool {
	return t.following && now-t.seen <= t.rule.Gap && (t.summed == 0 || now-t.sure <= t.rule.Doubt)
}

// Reset forgets whoever was followed.
func (t *Tracker) Reset() {
	t.drop()
	t.held, t.crowd, t.width = false, false, 0
}

func (t *Tracker) crowded(s Sighting) bool {
	limit := t.rule.Second
	if t.crowd {
		limit *= apart
	}
	return s.Faces > 1 && s.Second >= limit
}

func (t *Tracker) begin(s Sighting) {
	t.following = true
	t.keep(s)
}

func (t *Tracker) keep(s Sighting) {
	t.box, t.seen = s.Box, s.At
	if len(s.Raw) == 0 || s.Raw.Check() != nil {
		return
	}
	t.sure = s.At
	if t.summed == anchorFrames {
		return
	}
	if len(t.sum) != len(s.Raw) {
		t.sum, t.summed = make(Embedding, len(s.Raw)), 0
	}
	for i, v := range s.Raw {
		t.sum[i] += v
	}
	t.summed++
}

func (t *Tracker) drop() {
	clear(t.sum)
	t.following, t.summed = false, 0
}

// same fails closed: an embedding that cannot be compared is not his.
func (t *Tracker) same(raw Embedding) bool {
	c, err := Cosine(raw, t.sum)
	return err == nil && c >= t.rule.Swap
}

// near reports whether the box can be the last one, moved.
func (t *Tracker) near(s Sighting) bool {
	dt := (s.At - t.seen).Seconds()
	if dt < 0 {
		return false
	}
	a, b := t.box, s.Box
	wide := max(a.W, b.W)
	way := math.Hypot(a.X+a.W/2-b.X-b.W/2, a.Y+a.H/2-b.Y-b.H/2)
	reach := t.rule.Step + t.rule.Pace*dt
	return way <= reach*wide && wide <= (1+reach)*min(a.W, b.W)
}

func (b Box) usable() bool {
	for _, v := range []float64{b.X, b.Y, b.W, b.H} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return b.W > 0 && b.H > 0
}
