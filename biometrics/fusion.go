package biometrics

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// MaxFrames is how many frames a fused probe holds; a better frame replaces the worst.
const MaxFrames = 5

var (
	// ErrWeakFrame is returned for a frame whose raw vector is too short to help.
	ErrWeakFrame = errors.New("biometrics: frame too weak to take part")
	// ErrOtherPerson is returned for a frame that does not look like the frames before it: the caller ends the session or starts anew.
	ErrOtherPerson = errors.New("biometrics: frame shows another person than the session's earlier frames")
)

type frame struct {
	raw  Embedding
	rank float64
}

// Fusion gathers the frames of one session into one probe: the sum of up to MaxFrames best raw vectors. It keeps copies, and is not
// safe for concurrent use.
type Fusion struct {
	model  *Recogniser
	frames []frame
	sum    Embedding
}

// NewFusion begins a probe.
func (r *Recogniser) NewFusion() *Fusion { return &Fusion{model: r} }

// Add takes a frame. Quality ranks it among the others (the raw norm does well). It is an error, and changes nothing, when the
// vector is unusable, weak, or of another person.
func (f *Fusion) Add(raw Embedding, quality float64) error {
	if err := f.model.Check(raw); err != nil {
		return fmt.Errorf("add frame: %w", err)
	}
	if raw.Norm() < f.model.Norm.Probe {
		return ErrWeakFrame
	}
	if len(f.frames) > 0 {
		c, err := Cosine(raw, f.sum)
		if err != nil {
			return fmt.Errorf("add frame: %w", err)
		}
		// Frames of one live person are far above the score that rejects a stranger.
		if c < f.model.Limits.Reject {
			return ErrOtherPerson
		}
	}
	f.frames = append(f.frames, frame{raw: slices.Clone(raw), rank: quality})
	slices.SortStableFunc(f.frames, func(a, b frame) int { return cmp.Compare(b.rank, a.rank) })
	if len(f.frames) > MaxFrames {
		clear(f.frames[MaxFrames].raw)
		f.frames = f.frames[:MaxFrames]
	}
	raws := make([]Embedding, len(f.frames))
	for i, fr := range f.frames {
		raws[i] = fr.raw
	}
	f.sum = f.model.sum(raws...)
	return nil
}

// N returns how many frames the probe holds, at most MaxFrames.
func (f *Fusion) N() int { return len(f.frames) }

// Probe returns a copy of the summed raw vector; nil while there is no frame.
func (f *Fusion) Probe() Embedding { return slices.Clone(f.sum) }

// Score returns the cosine of the probe with the reference. Without a frame, or against a reference that is none, it is -1, which
// no threshold accepts.
func (f *Fusion) Score(r Reference) float64 {
	s, err := f.model.Score(f.sum, r)
	if err != nil {
		return -1
	}
	return s
}

// Reset forgets every frame: a session ends, the next person starts from nothing.
func (f *Fusion) Reset() {
	for _, fr := range f.frames {
		clear(fr.raw)
	}
	clear(f.sum)
	f.frames, f.sum = nil, nil
}
