package symbol

import "math"

// grid is a symbol's place in the pixels.
type grid struct {
	shape *shape
	plane plane
	fit   float64 // correlation of what the shape tells with what is seen; below 0 when inverted
	size  float64 // the same of those modules that tell sizes apart
}

// grey returns the light at a place, bilinear, of the nearest pixel outside, and
// none of a place that a plane has put nowhere.
func (l Luma) grey(x, y float64) float64 {
	if math.IsNaN(x) || math.IsNaN(y) {
		return 0
	}
	x, y = x-0.5, y-0.5 // pixel centres lie at halves
	x = min(max(x, 0), float64(l.W)-1.001)
	y = min(max(y, 0), float64(l.H)-1.001)
	ix, iy := int(x), int(y)
	fx, fy := x-float64(ix), y-float64(iy)
	at := iy*l.Stride + ix
	a, b := float64(l.Pix[at]), float64(l.Pix[at+1])
	c, d := float64(l.Pix[at+l.Stride]), float64(l.Pix[at+l.Stride+1])
	a += (b - a) * fx
	c += (d - c) * fx
	return a + (c-a)*fy
}

// correlation adds up pairs of expected (1 or -1 for dark) and seen.
type correlation struct{ n, e, s, ee, ss, es float64 }

func (c *correlation) add(dark bool, seen float64) {
	e := -1.0
	if dark {
		e = 1
	}
	seen = -seen
	c.n++
	c.e += e
	c.s += seen
	c.ee += e * e
	c.ss += seen * seen
	c.es += e * seen
}

func (c *correlation) value() float64 {
	v := (c.n*c.ee - c.e*c.e) * (c.n*c.ss - c.s*c.s)
	if v <= 1e-9 {
		return 0
	}
	return (c.n*c.es - c.e*c.s) / math.Sqrt(v)
}

// judge measures how well the shape fits.
func (g *grid) judge(l Luma) {
	of := func(list []fixed) float64 {
		var c correlation
		for _, k := range list {
			x, y := g.plane.at(float64(k.x)+0.5, float64(k.y)+0.5)
			c.add(k.dark, l.grey(x, y))
		}
		return c.value()
	}
	g.fit, g.size = of(g.shape.known), of(g.shape.telling)
}

// pattern tells whether a module, from the pattern's centre, is dark.
type pattern struct {
	reach int
	dark  func(dx, dy int) bool
}

func finderPattern() pattern {
	return pattern{4, func(dx, dy int) bool { return finderDark(dx+3, dy+3) }}
}

func alignmentPattern() pattern {
	return pattern{2, func(dx, dy int) bool { return max(dx, -dx, dy, -dy) != 1 }}
}

// seek looks for a pattern around a module's centre, in steps as given and no
// farther than reach, all in modules. Sign is -1 for inverted symbols.
func (g *grid) seek(l Luma, p pattern, mx, my, reach, step, sign float64) (q pair, best float64) {
	// The steps are taken in the plane; near the pattern it is nearly affine.
	side := 2*p.reach + 1
	var at [81][2]float64
	for i := range side * side {
		at[i][0], at[i][1] = g.plane.at(mx+float64(i%side-p.reach), my+float64(i/side-p.reach))
	}
	cx, cy := g.plane.at(mx, my)
	rx, ry := g.plane.at(mx+1, my)
	dx, dy := g.plane.at(mx, my+1)
	rx, ry, dx, dy = rx-cx, ry-cy, dx-cx, dy-cy
	k := int(math.Ceil(reach / step))
	best = -2
	for j := -k; j <= k; j++ {
		for i := -k; i <= k; i++ {
			u, v := float64(i)*step, float64(j)*step
			ox, oy := u*rx+v*dx, u*ry+v*dy
			var c correlation
			for m := range side * side {
				c.add(p.dark(m%side-p.reach, m/side-p.reach), l.grey(at[m][0]+ox, at[m][1]+oy))
			}
			// Of equals the nearer.
			if f := sign*c.value() - 0.01*math.Hypot(u, v); f > best {
				best = f
				q = pair{mx, my, cx + ox, cy + oy}
			}
		}
	}
	return q, best
}

// settle improves the plane by its finders, searched as far as given, and its
// alignment patterns, of which the one opposite of the corner is the farthest
// from all that is known.
func (g *grid) settle(l Luma, reach, far, sign float64) bool {
	if g.shape.symbology == DataMatrix {
		g.climb(l, reach/2, sign)
		return true
	}
	n := float64(g.shape.n)
	var room [64]pair
	pairs := room[:0]
	for _, m := range [3][2]float64{{3.5, 3.5}, {n - 3.5, 3.5}, {3.5, n - 3.5}} {
		q, f := g.seek(l, finderPattern(), m[0], m[1], reach, 0.5, sign)
		if f < 0.25 {
			return false
		}
		pairs = append(pairs, q)
	}
	p, ok := fitPlane(pairs)
	if !ok {
		return false
	}
	if far > 1 {
		g.plane = p
	}
	list := g.shape.alignments
	if len(list) > 0 {
		last := list[len(list)-1]
		q, f := g.seek(l, alignmentPattern(), float64(last[0])+0.5, float64(last[1])+0.5, far, 0.5, sign)
		if f > 0.4 {
			pairs = append(pairs, q)
			if p, ok := fitPlane(pairs); ok {
				g.plane = p
			}
		}
	}
	for i, a := range list {
		if i == len(list)-1 {
			break
		}
		q, f := g.seek(l, alignmentPattern(), float64(a[0])+0.5, float64(a[1])+0.5, 1.5, 0.5, sign)
		if f > 0.5 && len(pairs) >= 4 {
			pairs = append(pairs, q)
		}
	}
	return g.polish(l, pairs, sign)
}

// polish moves each pair by less than a step and fits the plane to all.
func (g *grid) polish(l Luma, pairs []pair, sign float64) bool {
	if p, ok := fitPlane(pairs); ok {
		g.plane = p
	}
	for i, q := range pairs {
		kind := alignmentPattern()
		if i < 3 {
			kind = finderPattern()
		}
		pairs[i], _ = g.seek(l, kind, q.mx, q.my, 0.4, 0.2, sign)
	}
	p, ok := fitPlane(pairs)
	if ok {
		g.plane = p
	}
	g.judge(l)
	return ok
}
