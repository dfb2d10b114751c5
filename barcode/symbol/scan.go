package symbol

import (
	"image"

	"github.com/makiuchi-d/gozxing"
)

// How well a shape must fit before its modules are worth reading, and before
// they are worth adding to what other frames showed.
const (
	worthReading = 0.35
	sureOfSize   = 0.6
)

// widest equaliser, in modules to each side.
const widest = 3

// view is an area as a stage treats it: its pixels and how they lie in the
// frame.
type view struct {
	l      Luma
	area   image.Rectangle // of l
	scale  float64         // pixels of l a pixel of the frame
	dx, dy float64         // of the frame's pixel at l's origin
	sharp  int             // pixels of l that the lens has blurred, about
}

// scan looks for QR codes in a view by their finders, of the colour given (1
// for dark).
func (r *Reader) scan(v view, colour byte, step int) (found []Symbol) {
	reach := min(max(max(v.area.Dx(), v.area.Dy())/12, 12), 40)
	r.bits.threshold(v.l, v.area, reach, v.sharp)
	r.spots = r.bits.finders(colour, step, r.spots[:0])
	for i := range r.spots {
		r.spots[i].x += float64(v.area.Min.X)
		r.spots[i].y += float64(v.area.Min.Y)
	}
	sign := 1.0
	if colour == 0 {
		sign = -1
	}
	var used []spot
	for _, t := range trios(r.spots) {
		if sharesSpot(used, t) || (len(found) == 0 && !r.inTime()) {
			continue
		}
		if s, ok := r.readTrio(v, t, sign); ok {
			found = append(found, s)
			used = append(used, t.p[:]...)
		}
	}
	return found
}

func sharesSpot(used []spot, t trio) bool {
	for _, u := range used {
		for _, p := range t.p {
			if u == p {
				return true
			}
		}
	}
	return false
}

// readTrio tries the size that the finders suggest and, when that does not fit
// well, its neighbours.
func (r *Reader) readTrio(v view, t trio, sign float64) (Symbol, bool) {
	var best grid
	for _, n := range [3]int{t.n, t.n + 4, t.n - 4} {
		if n < smallest || n > largest {
			continue
		}
		far := float64(n) - 3.5
		g := grid{shape: r.shape(n)}
		var ok bool
		g.plane, ok = fitPlane([]pair{
			{3.5, 3.5, t.p[0].x, t.p[0].y}, {far, 3.5, t.p[1].x, t.p[1].y}, {3.5, far, t.p[2].x, t.p[2].y},
		})
		if !ok || !g.settle(v.l, 0.5, 2+float64(n)/16, sign) {
			continue
		}
		if best.shape == nil || sign*g.size > sign*best.size {
			best = g
		}
		if sign*best.size > sureOfSize {
			break
		}
	}
	if best.shape == nil || sign*best.fit < worthReading {
		return Symbol{}, false
	}
	return r.readGrid(v, &best)
}

// readGrid reads the modules, first with a narrow equaliser and then with a
// wide one, and keeps what it could not read for the fusion.
func (r *Reader) readGrid(v view, g *grid) (Symbol, bool) {
	r.samples.take(v.l, g)
	inFrame := *g
	inFrame.plane = g.plane.scaled(1/v.scale, -v.dx*v.scale, -v.dy*v.scale)
	for reach := 1; reach <= widest; reach++ {
		votes, noise, ok := r.samples.equalise(g.shape, reach, r.votes[:0])
		r.votes = votes
		if !ok {
			continue
		}
		if s, ok := r.decodeVotes(votes, &inFrame); ok {
			return s, true
		}
		if reach > 1 {
			r.fusion.offer(votes, noise, &inFrame)
		}
	}
	return Symbol{}, false
}

// decodeVotes corrects and decodes the modules of a grid in the frame.
func (r *Reader) decodeVotes(votes []float64, g *grid) (s Symbol, ok bool) {
	// The decoder was never seen to panic, but it meets outside bytes and was
	// not written by us: a frame must not end the worker.
	defer func() {
		if recover() != nil {
			s, ok = Symbol{}, false
		}
	}()
	n := g.shape.n
	bits, err := gozxing.NewSquareBitMatrix(n)
	if err != nil {
		return Symbol{}, false
	}
	for i, v := range votes {
		if v > 0 {
			bits.Set(i%n, i/n)
		}
	}
	var payload []byte
	mirrored := false
	if g.shape.symbology == DataMatrix {
		payload, ok = r.readMatrix(bits)
	} else {
		payload, mirrored, ok = r.readQR(bits)
	}
	if !ok {
		return Symbol{}, false
	}
	s = Symbol{Symbology: g.shape.symbology, Payload: payload}
	side := float64(n)
	for i, c := range [4][2]float64{{0, 0}, {side, 0}, {side, side}, {0, side}} {
		x, y := g.plane.at(c[0], c[1])
		s.Corners[i] = [2]float32{float32(x), float32(y)}
	}
	if mirrored {
		s.Corners[1], s.Corners[3] = s.Corners[3], s.Corners[1]
	}
	r.keep(g)
	return s, true
}

func (r *Reader) shape(n int) *shape {
	at := (n - smallest) / 4
	if r.shapes[at] == nil {
		r.shapes[at] = newShape(n)
	}
	return r.shapes[at]
}
