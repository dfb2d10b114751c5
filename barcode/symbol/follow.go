package symbol

import (
	"image"
	"math"
	"slices"
)

// followed is a symbol that was read, and where it was last.
type followed struct {
	place grid // in the frame
	sign  float64
	age   int // frames since
}

// mostFollowed bounds what following costs.
const mostFollowed = 3

// keep remembers the place of a symbol that was read; its votes are no longer
// needed.
func (r *Reader) keep(g *grid) {
	if f := &r.fusion; f.place.shape != nil && overlap(&f.place, g) {
		f.reset()
	}
	if f := &r.fusion; f.fresh && overlap(&f.seenAt, g) {
		f.fresh = false
	}
	now := followed{place: *g, sign: math.Copysign(1, g.fit)}
	for i := range r.followed {
		if overlap(&r.followed[i].place, g) {
			r.followed[i] = now
			return
		}
	}
	if len(r.followed) == mostFollowed {
		r.followed = slices.Delete(r.followed, 0, 1)
	}
	r.followed = append(r.followed, now)
}

// follow looks for symbols where they were, and for the one that was not read
// yet.
func (r *Reader) follow(l Luma) (found []Symbol) {
	for i := range r.followed {
		f := &r.followed[i]
		f.age++
		if s, ok := r.readAt(l, f.place, f.sign); ok && !seenIn(found, s) {
			found = append(found, s)
		}
	}
	r.followed = slices.DeleteFunc(r.followed, func(f followed) bool { return f.age > forget })
	if f := &r.fusion; f.place.shape != nil && !f.stop() {
		if s, ok := r.readAt(l, f.place, f.sign); ok && !seenIn(found, s) {
			found = append(found, s)
		}
	}
	if s, ok := r.fuse(); ok && !seenIn(found, s) {
		found = append(found, s)
	}
	return found
}

// readAt reads a symbol near a place.
func (r *Reader) readAt(l Luma, g grid, sign float64) (Symbol, bool) {
	if !g.settle(l, 2, 1.5, sign) || g.fit*sign < worthReading {
		return Symbol{}, false
	}
	return r.readGrid(r.whole(l, image.Rect(0, 0, l.W, l.H)), &g)
}

// fuse reads what this frame and those before showed together.
func (r *Reader) fuse() (Symbol, bool) {
	if !r.fusion.merge() {
		return Symbol{}, false
	}
	place := r.fusion.place
	return r.decodeVotes(r.fusion.sum, &place)
}

// seenIn tells whether a place has been read already.
func seenIn(found []Symbol, s Symbol) bool {
	for _, f := range found {
		dx, dy := middle(f.Corners)
		cx, cy := middle(s.Corners)
		a, b := f.Corners[0], f.Corners[2]
		if math.Hypot(dx-cx, dy-cy) < math.Hypot(float64(a[0]-b[0]), float64(a[1]-b[1]))/4 {
			return true
		}
	}
	return false
}

func middle(c [4][2]float32) (x, y float64) {
	for _, p := range c {
		x += float64(p[0]) / 4
		y += float64(p[1]) / 4
	}
	return x, y
}

// overlap tells whether two grids, of whatever shapes, lie on one another.
func overlap(a, b *grid) bool {
	size := func(g *grid) (x, y, side float64) {
		n := float64(g.shape.n)
		x, y = g.plane.at(n/2, n/2)
		cx, cy := g.plane.at(0, 0)
		return x, y, math.Hypot(x-cx, y-cy)
	}
	ax, ay, as := size(a)
	bx, by, bs := size(b)
	return math.Hypot(ax-bx, ay-by) < max(as, bs)/2
}

// paintOver fills the quadrangle of a symbol and a little more with the light
// around it.
func paintOver(l Luma, c [4][2]float32) {
	x, y := middle(c)
	var q [4][2]float64
	sum, n := 0.0, 0.0
	for i, p := range c {
		const wider = 1.06
		q[i] = [2]float64{x + (float64(p[0])-x)*wider, y + (float64(p[1])-y)*wider}
	}
	for i, p := range q {
		next := q[(i+1)%4]
		const steps = 16
		for k := range steps {
			t := float64(k) / steps
			sum += l.grey(p[0]+(next[0]-p[0])*t, p[1]+(next[1]-p[1])*t)
			n++
		}
	}
	fillQuad(l, q, byte(min(max(sum/n, 0), 255)))
}

// fillQuad fills a convex quadrangle.
func fillQuad(l Luma, q [4][2]float64, shade byte) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range q {
		low, high = min(low, p[1]), max(high, p[1])
	}
	for y := int(max(low, 0)); float64(y) < min(high+1, float64(l.H)); y++ {
		left, right := math.Inf(1), math.Inf(-1)
		for i, a := range q {
			b := q[(i+1)%4]
			if (a[1] <= float64(y)) == (b[1] <= float64(y)) {
				continue
			}
			x := a[0] + (b[0]-a[0])*(float64(y)-a[1])/(b[1]-a[1])
			left, right = min(left, x), max(right, x)
		}
		if !(left < right) { // a line outside, or a corner that is no number
			continue
		}
		from, to := int(min(max(left, 0), float64(l.W))), int(min(max(right+1, 0), float64(l.W)))
		row := l.Pix[y*l.Stride:][:l.W]
		for x := from; x < to; x++ {
			row[x] = shade
		}
	}
}
