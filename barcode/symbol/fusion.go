package symbol

import "math"

// fusion is what frames of one symbol that was not read have shown of it
// together, and where it was last.
type fusion struct {
	place grid // in the frame, shape nil when unknown
	sign  float64
	age   int // frames since it was seen
	sum   []float64
	count int

	// The best of what this frame could not read.
	votes  []float64
	noise  float64
	seenAt grid
	fresh  bool
}

// Votes of a frame count for this much less in the next one.
const fade = 0.85

// offer takes the votes of a symbol that was not read.
func (f *fusion) offer(votes []float64, noise float64, g *grid) {
	if f.fresh && noise >= f.noise {
		return
	}
	f.votes = append(f.votes[:0], votes...)
	f.noise, f.seenAt, f.fresh = noise, *g, true
}

// reset drops the votes and their place.
func (f *fusion) reset() { f.place, f.count, f.age, f.fresh = grid{}, 0, 0, false }

// merge adds the frame's votes to those of the frames before, if they are of
// the same place, and tells whether there are some of both.
func (f *fusion) merge() bool {
	if !f.fresh {
		return false
	}
	f.fresh = false
	if f.count > 0 && (f.place.shape != f.seenAt.shape || !near(&f.place, &f.seenAt)) {
		f.count = 0
	}
	if f.count == 0 || len(f.sum) != len(f.votes) {
		f.count = 0
		f.sum = append(f.sum[:0], make([]float64, len(f.votes))...)
	}
	for i, v := range f.votes {
		f.sum[i] = fade*f.sum[i] + min(max(v, -1.5), 1.5)/f.noise
	}
	f.count++
	f.place, f.age = f.seenAt, 0
	f.sign = math.Copysign(1, f.place.fit)
	return f.count > 1
}

// stop keeps the place followed for as long as it is seen now and then; it
// tells when it is time to stop.
func (f *fusion) stop() bool {
	if f.age++; f.age > forget {
		f.reset()
		return true
	}
	return false
}

// near tells whether two grids of one shape stand alike: turned by less than a
// right angle, and no farther apart than half a symbol.
func near(a, b *grid) bool {
	n := float64(a.shape.n)
	ax, ay := a.plane.at(0, 0)
	bx, by := b.plane.at(0, 0)
	cx, cy := a.plane.at(n, 0)
	return math.Hypot(ax-bx, ay-by) < math.Hypot(cx-ax, cy-ay)/2
}
