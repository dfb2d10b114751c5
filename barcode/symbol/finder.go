package symbol

import (
	"image"
	"math"
	"slices"
)

// spot is a place that looks like a finder pattern. Its width is that of seven
// modules along a row and a column.
type spot struct {
	x, y, across, down float64
	seen               float64
}

// bitmap is black and white of an area.
type bitmap struct {
	dark []byte // 1 for dark
	w, h int
	sums []uint32
}

// threshold compares each pixel with the mean of its surroundings, which reach
// as far as given. Sharp, if not 0, is how far a pixel's difference from what
// is about it counts more.
func (b *bitmap) threshold(l Luma, area image.Rectangle, reach, sharp int) {
	b.w, b.h = area.Dx(), area.Dy()
	line := b.w + 1
	b.dark = sized(b.dark, b.w*b.h)
	if cap(b.sums) < line*(b.h+1) {
		b.sums = make([]uint32, line*(b.h+1))
	}
	b.sums = b.sums[:line*(b.h+1)]
	clear(b.sums[:line])
	for y := range b.h {
		row := l.Pix[(area.Min.Y+y)*l.Stride+area.Min.X:][:b.w]
		above, here := b.sums[y*line:][:line], b.sums[(y+1)*line:][:line]
		here[0] = 0
		var sum uint32
		for x, v := range row {
			sum += uint32(v)
			here[x+1] = above[x+1] + sum
		}
	}
	if sharp > 0 {
		b.compareSharp(l, area, reach, sharp)
	} else {
		b.compare(l, area, reach)
	}
}

func (b *bitmap) compare(l Luma, area image.Rectangle, reach int) {
	line := b.w + 1
	for y := range b.h {
		y0, y1 := max(y-reach, 0), min(y+reach+1, b.h)
		top, bottom := b.sums[y0*line:][:line], b.sums[y1*line:][:line]
		row := l.Pix[(area.Min.Y+y)*l.Stride+area.Min.X:][:b.w]
		out := b.dark[y*b.w:][:b.w]
		for x, v := range row {
			x0, x1 := max(x-reach, 0), min(x+reach+1, b.w)
			n := uint32((x1 - x0) * (y1 - y0))
			sum := bottom[x1] + top[x0] - bottom[x0] - top[x1]
			out[x] = 0
			if uint32(v)*n+n < sum {
				out[x] = 1
			}
		}
	}
}

// mean is that of the square around a pixel, in sixteenths.
func (b *bitmap) mean(x, y, reach int) int {
	line := b.w + 1
	y0, y1 := max(y-reach, 0), min(y+reach+1, b.h)
	x0, x1 := max(x-reach, 0), min(x+reach+1, b.w)
	sum := b.sums[y1*line+x1] + b.sums[y0*line+x0] - b.sums[y1*line+x0] - b.sums[y0*line+x1]
	return int(sum) * 16 / ((x1 - x0) * (y1 - y0))
}

func (b *bitmap) compareSharp(l Luma, area image.Rectangle, reach, sharp int) {
	const gain = 3
	for y := range b.h {
		row := l.Pix[(area.Min.Y+y)*l.Stride+area.Min.X:][:b.w]
		out := b.dark[y*b.w:][:b.w]
		for x, v := range row {
			about := b.mean(x, y, sharp)
			out[x] = 0
			if int(v)*16+gain*(int(v)*16-about)+16 < b.mean(x, y, reach) {
				out[x] = 1
			}
		}
	}
}

// finders are the places where rows and columns both cross 1:1:3:1:1, best
// seen first. Colour is that of the pattern's rim, 1 for dark.
func (b *bitmap) finders(colour byte, step int, spots []spot) []spot {
	var ends [6]int
	for y := step / 2; y < b.h; y += step {
		row := b.dark[y*b.w:][:b.w]
		// ends are where the last runs began; the newest begins at the last.
		for i := range ends {
			ends[i] = 0
		}
		for x := 1; x <= b.w; x++ {
			if x < b.w && row[x] == row[x-1] {
				continue
			}
			copy(ends[:5], ends[1:])
			ends[5] = x
			if row[x-1] != colour || ends[0] == 0 {
				continue
			}
			if width, ok := finderRuns(ends[1]-ends[0], ends[2]-ends[1], ends[3]-ends[2], ends[4]-ends[3], ends[5]-ends[4]); ok {
				spots = b.check(spots, (ends[2]+ends[3])/2, y, width, colour)
			}
		}
	}
	slices.SortStableFunc(spots, func(a, c spot) int { return int(c.seen) - int(a.seen) })
	return spots
}

// finderRuns judges five runs.
func finderRuns(a, b, c, d, e int) (width float64, ok bool) {
	total := a + b + c + d + e
	if total < 7 {
		return 0, false
	}
	m := float64(total) / 7
	slack := 0.5*m + 0.6
	near := func(run int, want float64) bool { return math.Abs(float64(run)-want) < slack }
	return float64(total), near(a, m) && near(b, m) && near(d, m) && near(e, m) && math.Abs(float64(c)-3*m) < 1.5*slack
}

// check follows the column through a place and then the row again, and adds
// what passes to the spots.
func (b *bitmap) check(spots []spot, x, y int, width float64, colour byte) []spot {
	cy, down, ok := b.cross(y*b.w+x, y, b.h, b.w, colour, width)
	if !ok {
		return spots
	}
	cx, across, ok := b.cross(int(cy)*b.w+x, x, b.w, 1, colour, width)
	if !ok || across > 1.7*down || down > 1.7*across {
		return spots
	}
	for i := range spots {
		s := &spots[i]
		if math.Abs(s.x-cx) < across/3 && math.Abs(s.y-cy) < down/3 && s.across < 1.5*across && across < 1.5*s.across {
			k := 1 / (s.seen + 1)
			s.x += (cx - s.x) * k
			s.y += (cy - s.y) * k
			s.across += (across - s.across) * k
			s.down += (down - s.down) * k
			s.seen++
			return spots
		}
	}
	const most = 400
	if len(spots) >= most {
		return spots
	}
	return append(spots, spot{cx, cy, across, down, 1})
}

// cross measures the five runs through a pixel, along a line of n pixels that
// lie step apart in memory; at is the pixel's index and i its place on the line.
func (b *bitmap) cross(at, i, n, step int, colour byte, width float64) (centre, total float64, ok bool) {
	limit := int(width)
	if b.dark[at] != colour {
		return 0, 0, false
	}
	run := func(from, dir int, c byte) int {
		k := 0
		for j := from + dir*0; j >= 0 && j < n && k <= limit && b.dark[at+(j-i)*step] == c; j += dir {
			k++
		}
		return k
	}
	up := run(i, -1, colour)
	b1 := run(i-up, -1, 1-colour)
	a := run(i-up-b1, -1, colour)
	low := run(i+1, 1, colour)
	d := run(i+1+low, 1, 1-colour)
	e := run(i+1+low+d, 1, colour)
	total, ok = finderRuns(a, b1, up+low, d, e)
	if a == 0 || e == 0 {
		return 0, 0, false
	}
	return float64(i) + 1 + float64(low-up)/2, total, ok
}

// trio is three finders in the order top left, top right, bottom left, and the
// size of the symbol that they suggest.
type trio struct {
	p    [3]spot
	n    int
	cost float64
}

// trios are the triples of spots that stand as a QR code's finders do, the
// likeliest first.
func trios(spots []spot) []trio {
	const most, keep = 10, 5
	s := spots[:min(len(spots), most)]
	var out []trio
	for i := range s {
		for j := i + 1; j < len(s); j++ {
			for k := j + 1; k < len(s); k++ {
				if t, ok := newTrio(s[i], s[j], s[k]); ok {
					out = append(out, t)
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b trio) int {
		switch {
		case a.cost < b.cost:
			return -1
		case a.cost > b.cost:
			return 1
		}
		return 0
	})
	return out[:min(len(out), keep)]
}

func newTrio(a, b, c spot) (t trio, ok bool) {
	dist := func(p, q spot) float64 { return math.Hypot(p.x-q.x, p.y-q.y) }
	// The longest side lies opposite of the corner.
	ab, bc, ca := dist(a, b), dist(b, c), dist(c, a)
	switch {
	case ab >= bc && ab >= ca:
		a, b, c = c, a, b
	case ca >= bc && ca >= ab:
		a, b, c = b, c, a
	}
	if (b.x-a.x)*(c.y-a.y)-(b.y-a.y)*(c.x-a.x) < 0 {
		b, c = c, b
	}
	right, down := dist(a, b), dist(a, c)
	if right == 0 || down == 0 {
		return t, false
	}
	cos := ((b.x-a.x)*(c.x-a.x) + (b.y-a.y)*(c.y-a.y)) / (right * down)
	ratio := max(right, down) / min(right, down)
	if math.Abs(cos) > 0.5 || ratio > 1.8 {
		return t, false
	}
	m1, m2 := (along(a, b)+along(b, a))/14, (along(a, c)+along(c, a))/14
	n := (right/m1 + down/m2) / 2
	sizes := max(along(a, b), along(b, a), along(c, a)) / min(along(a, b), along(b, a), along(c, a))
	if n < 10 || n > largest || sizes > 2 {
		return t, false
	}
	seen := min(a.seen, b.seen, c.seen)
	t = trio{p: [3]spot{a, b, c}, n: nearestSize(n + finderSide)}
	t.cost = math.Abs(cos) + (ratio - 1) + 2*(sizes-1) + 1.5/seen
	return t, true
}

// along is a finder's width towards another point: a square cut aslant through
// its centre is wider than its side.
func along(s, to spot) float64 {
	d := math.Hypot(to.x-s.x, to.y-s.y)
	if d == 0 {
		return s.across
	}
	return (s.across + s.down) / 2 * max(math.Abs(to.x-s.x), math.Abs(to.y-s.y)) / d
}

func nearestSize(n float64) int {
	return min(max(17+4*int(math.Round((n-17)/4)), smallest), largest)
}
