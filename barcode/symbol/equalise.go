package symbol

// samples are the light of each module and of some rows of quiet zone around.
type samples struct {
	n     int // modules a side, without the rim
	light []float64
	mean  []float64 // of the modules around
}

const rim = 4

func (s *samples) line() int { return s.n + 2*rim }

// take reads the modules of a grid, each the mean of nine places.
func (s *samples) take(l Luma, g *grid) {
	s.n = g.shape.n
	line := s.line()
	if cap(s.light) < line*line {
		s.light, s.mean = make([]float64, line*line), make([]float64, line*line)
	}
	s.light, s.mean = s.light[:line*line], s.mean[:line*line]
	const apart = 0.27
	for y := range line {
		for x := range line {
			mx, my := float64(x-rim)+0.5, float64(y-rim)+0.5
			px, py := g.plane.at(mx, my)
			rx, ry := g.plane.at(mx+apart, my)
			dx, dy := g.plane.at(mx, my+apart)
			rx, ry, dx, dy = rx-px, ry-py, dx-px, dy-py
			var sum float64
			for j := -1.0; j <= 1; j++ {
				for i := -1.0; i <= 1; i++ {
					sum += l.grey(px+i*rx+j*dx, py+i*ry+j*dy)
				}
			}
			s.light[y*line+x] = sum / 9
		}
	}
	s.average()
}

// average fills the means over 9 by 9 modules.
func (s *samples) average() {
	const reach = 4
	line := s.line()
	across := make([]float64, len(s.light))
	for y := range line {
		for x := range line {
			var sum float64
			x0, x1 := max(x-reach, 0), min(x+reach, line-1)
			for i := x0; i <= x1; i++ {
				sum += s.light[y*line+i]
			}
			across[y*line+x] = sum / float64(x1-x0+1)
		}
	}
	for x := range line {
		for y := range line {
			var sum float64
			y0, y1 := max(y-reach, 0), min(y+reach, line-1)
			for i := y0; i <= y1; i++ {
				sum += across[i*line+x]
			}
			s.mean[y*line+x] = sum / float64(y1-y0+1)
		}
	}
}

// features are the light of the modules within reach of one, from the mean
// around it, and a constant.
func (s *samples) features(x, y, reach int, out []float64) []float64 {
	line := s.line()
	at := (y+rim)*line + x + rim
	mean := s.mean[at]
	out = out[:0]
	for j := -reach; j <= reach; j++ {
		for i := -reach; i <= reach; i++ {
			out = append(out, s.light[at+j*line+i]-mean)
		}
	}
	return append(out, mean-128, 20)
}

// equalise judges every module by the light of those within reach of it. The
// weights are those that tell the modules whose colour is known best, so that
// they undo the lens, the motion and a shifted grid, and turn an inverted
// symbol over. Votes are positive for dark; noise is their variance.
func (s *samples) equalise(sh *shape, reach int, votes []float64) (out []float64, noise float64, ok bool) {
	var e equations
	var room [maxUnknowns]float64
	e.reset((2*reach+1)*(2*reach+1) + 2)
	for _, k := range sh.known {
		v := -1.0
		if k.dark {
			v = 1
		}
		e.add(s.features(k.x, k.y, reach, room[:0]), v, 1)
	}
	w, ok := e.solve(0.001)
	if !ok {
		return votes, 0, false
	}
	judge := func(x, y int) float64 {
		var sum float64
		for i, f := range s.features(x, y, reach, room[:0]) {
			sum += w[i] * f
		}
		return sum
	}
	for _, k := range sh.known {
		d := judge(k.x, k.y)
		if k.dark {
			d--
		} else {
			d++
		}
		noise += d * d
	}
	noise = noise/float64(len(sh.known)) + 0.01
	votes = votes[:0]
	for y := range sh.n {
		for x := range sh.n {
			votes = append(votes, judge(x, y))
		}
	}
	return votes, noise, true
}
