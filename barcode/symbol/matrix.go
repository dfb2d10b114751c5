package symbol

import (
	"image"
	"math"
)

// matrixSizes are the square sizes of DataMatrix that are looked for (ISO/IEC
// 16022 table 7), in modules a side with their finder.
func matrixSizes() []int {
	return []int{10, 12, 14, 16, 18, 20, 22, 24, 26, 32, 36, 40, 44, 48, 52, 64, 72, 80, 88, 96, 104}
}

// newMatrixShape lays out the finder and the alignment bars of a DataMatrix
// symbol: each region is solid at its left and bottom and alternates at its top
// and right.
func newMatrixShape(n int) *shape {
	regions := 1
	switch {
	case n > 52:
		regions = 4
	case n > 26:
		regions = 2
	}
	s := &shape{n: n, symbology: DataMatrix}
	side := n / regions
	for i := range n {
		in := i % side
		for k := range regions {
			near, far := k*side, (k+1)*side-1
			s.known = append(s.known, fixed{near, i, true}, fixed{i, far, true})
			if in != 0 {
				s.telling = append(s.telling, fixed{i, near, in%2 == 0})
			}
			if in != side-1 {
				s.telling = append(s.telling, fixed{far, i, in%2 == 1})
			}
		}
		s.known = append(s.known, fixed{-1, i, false}, fixed{i, -1, false}, fixed{n, i, false}, fixed{i, n, false})
	}
	s.known = append(s.known, s.telling...)
	return s
}

// scanMatrix finds a DataMatrix symbol by its outline, as scanOutline does a QR
// code.
func scanMatrix(r *Reader, l Luma, area image.Rectangle) []Symbol {
	corners, ok := r.outline(l, area)
	if !ok {
		return nil
	}
	across := math.Hypot(corners[1][0]-corners[0][0], corners[1][1]-corners[0][1])
	const smallestModule = 1.2
	var found grid
	for i, n := range matrixSizes() {
		if across < smallestModule*float64(n) || !r.inTime() {
			break
		}
		if r.matrices[i] == nil {
			r.matrices[i] = newMatrixShape(n)
		}
		var best grid
		for turn := range 4 {
			g := grid{shape: r.matrices[i]}
			if g.fitCorners([4][2]float64{corners[turn], corners[(turn+1)%4], corners[(turn+2)%4], corners[(turn+3)%4]}) {
				if g.judge(l); best.shape == nil || g.fit > best.fit {
					best = g
				}
			}
		}
		const worthClimbing = 0.15
		if best.shape == nil || best.fit < worthClimbing {
			continue
		}
		best.climb(l, 1, 1)
		if found.shape == nil || best.size > found.size {
			found = best
		}
	}
	if found.shape == nil || found.fit < worthReading {
		return nil
	}
	if s, ok := r.readGrid(r.whole(l, area), &found); ok {
		return []Symbol{s}
	}
	return nil
}

// fitCorners puts the grid between four corners, clockwise from the top left.
func (g *grid) fitCorners(c [4][2]float64) (ok bool) {
	n := float64(g.shape.n)
	g.plane, ok = fitPlane([]pair{
		{0, 0, c[0][0], c[0][1]}, {n, 0, c[1][0], c[1][1]}, {n, n, c[2][0], c[2][1]}, {0, n, c[3][0], c[3][1]},
	})
	return ok
}

// climb moves the corners, one at a time and by less and less, to where the
// shape fits best; step is the first move, in modules.
func (g *grid) climb(l Luma, step, sign float64) {
	n := float64(g.shape.n)
	var c [4][2]float64
	for i, m := range [4][2]float64{{0, 0}, {n, 0}, {n, n}, {0, n}} {
		c[i][0], c[i][1] = g.plane.at(m[0], m[1])
	}
	module := math.Hypot(c[2][0]-c[0][0], c[2][1]-c[0][1]) / (n * math.Sqrt2)
	g.judge(l)
	const finest, rounds = 0.1, 2
	for ; step > finest; step /= 2 {
		for range rounds {
			moved := false
			for i := range 8 {
				for _, d := range [2]float64{step * module, -step * module} {
					try := *g
					at := c
					at[i/2][i%2] += d
					if !try.fitCorners(at) {
						continue
					}
					if try.judge(l); sign*try.fit > sign*g.fit {
						*g, c, moved = try, at, true
						break
					}
				}
			}
			if !moved {
				break
			}
		}
	}
}
