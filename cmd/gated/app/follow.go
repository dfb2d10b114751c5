package app

import (
	"time"

	"bordergate/biometrics"
	"bordergate/gate"
)

// follower follows one face for the lane. Only the lane's loop calls it.
type follower struct{ track *biometrics.Tracker }

// newFollower takes the recogniser's rejecting score as what tells two persons
// apart.
func newFollower(swap float64) follower {
	return follower{track: biometrics.NewTracker(biometrics.DefaultTrackRule(swap))}
}

// Begin implements gate.Tracker.
func (f follower) Begin() { f.track.Reset() }

// Hold implements gate.Tracker.
func (f follower) Hold() { f.track.Hold() }

// Present implements gate.Tracker.
func (f follower) Present(now int64) bool { return f.track.Present(time.Duration(now)) }

// Follow implements gate.Tracker.
func (f follower) Follow(face gate.Face) gate.Sight {
	s := biometrics.Sighting{
		At: time.Duration(face.FrameAt), Faces: face.Count, Second: face.Second,
		Box: biometrics.Box{X: float64(face.Box[0]), Y: float64(face.Box[1]), W: float64(face.Box[2]), H: float64(face.Box[3])},
	}
	if face.Usable {
		s.Raw = face.Embedding
	}
	if face.Second > 0 {
		s.Faces = max(s.Faces, 2) // the lane counts only those near enough
	}
	switch f.track.See(s) {
	case biometrics.TrackKept:
		return gate.SightKept
	case biometrics.TrackNew:
		return gate.SightNew
	case biometrics.TrackOther:
		return gate.SightOther
	case biometrics.TrackCrowd:
		return gate.SightCrowd
	default:
		return gate.SightAway
	}
}
