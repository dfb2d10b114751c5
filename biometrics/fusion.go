package biometrics

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

const (
	// MaxFrames is how many frames a fused probe holds; a better frame replaces the worst.
	MaxFrames = 5
	// MinNorm is the shortest raw vector that takes part. Below it one face in ten is not recognised.
	MinNorm = 3.0
	// samePerson is the cosine under which two frames of one session cannot be taken for one person (FMR 1e-3). Frames of one
	// live person are far above it.
	samePerson = 0.34
)

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

// Fusion gathers the frames of one session into one probe: the sum of up to MaxFrames best raw vectors. The zero value is ready.
// It keeps copies, and is not safe for concurrent use.
type Fusion struct {
	frames []frame
	sum    Embedding
}

// Add takes a frame. Quality ranks it among the others (the raw norm does well). It is an error, and changes nothing, when the
// vector is unusable, weak, or of another person.
func (f *Fusion) Add(raw Embedding, quality float64) error {
	if err := raw.Check(); err != nil {
		return fmt.Errorf("add frame: %w", err)
	}
	if raw.Norm() < MinNorm {
		return ErrWeakFrame
	}
	if len(f.frames) > 0 {
		c, err := Cosine(raw, f.sum)
		if err != nil {
			return fmt.Errorf("add frame: %w", err)
		}
		if c < samePerson {
			return ErrOtherPerson
		}
	}
	f.frames = append(f.frames, frame{raw: slices.Clone(raw), rank: quality})
	slices.SortStableFunc(f.frames, func(a, b frame) int { return cmp.Compare(b.rank, a.rank) })
	if len(f.frames) > MaxFrames {
		clear(f.frames[MaxFrames].raw)
		f.frames = f.frames[:MaxFrames]
	}
	if f.sum == nil {
		f.sum = make(Embedding, Dim)
	}
	clear(f.sum)
	for _, fr := range f.frames {
		for i, v := range fr.raw {
			f.sum[i] += v
		}
	}
	return nil
}

// N returns how many frames the probe holds, at most MaxFrames.
func (f *Fusion) N() int { return len(f.frames) }

// Probe returns a copy of the summed raw vector; nil while there is no frame.
func (f *Fusion) Probe() Embedding { return slices.Clone(f.sum) }

// Score returns the cosine of the probe with the reference. Without a frame, or against a reference that is none, it is -1, which
// no threshold accepts.
func (f *Fusion) Score(r Reference) float64 {
	s, err := Score(f.sum, r)
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
