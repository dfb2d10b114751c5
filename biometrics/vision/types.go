package vision

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"time"

	"bordergate/biometrics"
)

// Errors of this package.
var (
	// ErrNoVision is returned by a program built without cgo.
	ErrNoVision = errors.New("vision: this program was built without OpenCV (cgo): build cmd/gatevision with CGO_ENABLED=1 and libopencv-dev")
	// ErrModel is returned for a model file that is missing, has another SHA-256, or is not the network it should be.
	ErrModel = errors.New("vision: model refused")
	// ErrImage is returned for a picture that cannot be worked on.
	ErrImage = errors.New("vision: picture is not usable")
	// ErrCamera is returned for a camera that cannot be opened or read.
	ErrCamera = errors.New("vision: camera is not usable")
)

// Names of the models a Pipeline needs.
const (
	ModelDetect   = "detect"
	ModelLandmark = "landmark"
	ModelFeature  = "feature"
	ModelLiveness = "liveness"
)

// Model is one network on disk.
type Model struct {
	Name, Path string
	// SHA256 is lower-case hex.
	SHA256 string
	// Recogniser is given for the feature model and no other.
	Recogniser *Recogniser
}

// Options are for OpenPipeline.
type Options struct {
	// Threads is how many threads OpenCV may use in this process, 1 to 16; 0 is 1.
	Threads int
	// Enter is told of each stage before it begins; the stage of a network has the network's name. Nil tells nobody.
	Enter func(stage string)
}

// Point is a position in pixels of the frame.
type Point struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// Box is a rectangle in pixels of the frame. It may reach over the frame's edge.
type Box struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
	W float64 `json:"w"`
	H float64 `json:"h"`
}

// Centre returns the middle of the box.
func (b Box) Centre() Point { return Point{b.X + b.W/2, b.Y + b.H/2} }

// Detection is a face found.
type Detection struct {
	Box   Box
	Score float64
}

// Quality holds the measurements on one face.
type Quality = biometrics.Quality

// Live holds the cues against a presentation attack.
type Live struct {
	MS27 float64 `json:"ms27"`
	SQ15 float64 `json:"sq15"`
	// Lines are the long straight lines around the face that the empty scene, as far as it was learnt, does not have.
	Lines int `json:"lines"`
}

// Face is one face analysed.
type Face struct {
	Box Box
	// Points are the left eye, right eye (as seen in the picture), nose tip, left and right corner of the mouth.
	Points  [5]Point
	Quality Quality
	// Raw is the embedding, as many values as the recogniser gives, not normalised; nil when it was not asked for.
	Raw []float32
	// Live is nil when it was not asked for.
	Live *Live
}

// Want says what Analyse does beside landmarks and quality. Embed and Live are asked once the quality is known.
type Want struct {
	Embed, Live func(Quality) bool
}

// Always and Never are answers for Want.
func Always(Quality) bool { return true }

// Never is the other answer.
func Never(Quality) bool { return false }

// Timing tells how long the stages of the last Detect and Analyse took.
type Timing struct {
	Detect, Landmark, Align, Feature, Liveness, Lines time.Duration
}

// Largest returns the index of the widest face, -1 when there is none.
func Largest(d []Detection) int {
	best := -1
	for i := range d {
		if best < 0 || d[i].Box.W > d[best].Box.W {
			best = i
		}
	}
	return best
}

// NearestCentre returns the index of the face nearest the middle of a picture, -1 when there is none.
func NearestCentre(d []Detection, w, h int) int {
	best, least := -1, math.Inf(1)
	for i := range d {
		c := d[i].Box.Centre()
		if dist := math.Hypot(c.X-float64(w)/2, c.Y-float64(h)/2); dist < least {
			best, least = i, dist
		}
	}
	return best
}

// Second returns the width of the widest face other than main as a share of main's width; 0 when there is none.
func Second(d []Detection, main int) float64 {
	var widest float64
	for i := range d {
		if i != main {
			widest = max(widest, d[i].Box.W)
		}
	}
	if main < 0 || main >= len(d) || d[main].Box.W <= 0 {
		return 0
	}
	return widest / d[main].Box.W
}

// suppress keeps the best-scored of boxes that overlap by more than iou (intersection over union).
func suppress(d []Detection, iou float64) []Detection {
	slices.SortStableFunc(d, func(a, b Detection) int { return cmp.Compare(b.Score, a.Score) })
	var kept []Detection
next:
	for _, c := range d {
		for _, k := range kept {
			if overlap(c.Box, k.Box) > iou {
				continue next
			}
		}
		kept = append(kept, c)
	}
	return kept
}

func overlap(a, b Box) float64 {
	w := min(a.X+a.W, b.X+b.W) - max(a.X, b.X)
	h := min(a.Y+a.H, b.Y+b.H) - max(a.Y, b.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	i := w * h
	return i / (a.W*a.H + b.W*b.H - i)
}
