package symbol

import (
	"image"
	"math"
	"slices"
)

// scanOutline finds a QR code by its outline, for pictures in which the rings
// of the finders have run together: the smallest rectangle around what is dark
// within a quiet zone, in every size and quarter turn, judged by the shape.
func scanOutline(r *Reader, l Luma, area image.Rectangle) []Symbol {
	corners, ok := r.outline(l, area)
	if !ok {
		return nil
	}
	const keep = 4
	var best []grid
	for n := smallest; n <= largest; n += 4 {
		for turn := range 4 {
			g := grid{shape: r.shape(n)}
			if !g.fitCorners([4][2]float64{corners[turn], corners[(turn+1)%4], corners[(turn+2)%4], corners[(turn+3)%4]}) {
				return nil
			}
			g.judge(l)
			best = append(best, g)
		}
	}
	slices.SortFunc(best, func(a, b grid) int {
		switch {
		case a.fit > b.fit:
			return -1
		case a.fit < b.fit:
			return 1
		}
		return 0
	})
	var found grid
	for _, g := range best[:keep] {
		if g.settle(l, 1.5, 2, 1) && (found.shape == nil || g.size > found.size) {
			found = g
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

// outline returns the corners of the smallest rectangle around the largest dark
// thing within an area that does not reach its rim, clockwise.
func (r *Reader) outline(l Luma, area image.Rectangle) (c [4][2]float64, ok bool) {
	const across = 110 // cells
	cell := max(max(area.Dx(), area.Dy())/across, 1)
	small := shrink(l, area, cell, r.cropped)
	r.cropped = small.Pix
	all := image.Rect(0, 0, small.W, small.H)
	r.bits.threshold(small, all, 14, 0)
	points := r.bits.largest()
	if len(points) < 100 {
		return c, false
	}
	angle, box := smallestBox(points)
	s, k := math.Sincos(angle)
	for i, p := range [4][2]float64{{box[0], box[1]}, {box[2], box[1]}, {box[2], box[3]}, {box[0], box[3]}} {
		c[i][0] = float64(area.Min.X) + float64(cell)*(p[0]*k-p[1]*s+0.5)
		c[i][1] = float64(area.Min.Y) + float64(cell)*(p[0]*s+p[1]*k+0.5)
	}
	return c, true
}

// shrink averages over square cells.
func shrink(l Luma, area image.Rectangle, cell int, buf []byte) Luma {
	w, h := area.Dx()/cell, area.Dy()/cell
	out := Luma{Pix: sized(buf, w*h), Stride: w, W: w, H: h}
	for y := range h {
		for x := range w {
			sum := 0
			for j := range cell {
				row := l.Pix[(area.Min.Y+y*cell+j)*l.Stride+area.Min.X+x*cell:][:cell]
				for _, v := range row {
					sum += int(v)
				}
			}
			out.Pix[y*w+x] = byte(sum / (cell * cell))
		}
	}
	return out
}

// largest returns the pixels of the largest group of dark ones that lie no more
// than two apart and do not touch the rim. It empties the bitmap.
func (b *bitmap) largest() []image.Point {
	const apart = 2
	var best, group []image.Point
	for i := range b.dark {
		if b.dark[i] == 0 {
			continue
		}
		b.dark[i] = 0
		group = append(group[:0], image.Pt(i%b.w, i/b.w))
		rim := false
		for k := 0; k < len(group); k++ {
			p := group[k]
			rim = rim || p.X == 0 || p.Y == 0 || p.X == b.w-1 || p.Y == b.h-1
			for y := max(p.Y-apart, 0); y <= min(p.Y+apart, b.h-1); y++ {
				for x := max(p.X-apart, 0); x <= min(p.X+apart, b.w-1); x++ {
					if at := y*b.w + x; b.dark[at] != 0 {
						b.dark[at] = 0
						group = append(group, image.Pt(x, y))
					}
				}
			}
		}
		if !rim && len(group) > len(best) {
			best, group = group, best
		}
	}
	return best
}

// smallestBox turns the axes until the box around all points is the smallest.
func smallestBox(points []image.Point) (angle float64, box [4]float64) {
	least := math.Inf(1)
	try := func(a float64) {
		s, c := math.Sincos(a)
		b := [4]float64{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
		for _, p := range points {
			u, v := float64(p.X)*c+float64(p.Y)*s, -float64(p.X)*s+float64(p.Y)*c
			b[0], b[1] = min(b[0], u), min(b[1], v)
			b[2], b[3] = max(b[2], u), max(b[3], v)
		}
		if size := (b[2] - b[0]) * (b[3] - b[1]); size < least {
			least, angle, box = size, a, b
		}
	}
	const coarse = math.Pi / 60
	for i := range 30 {
		try(float64(i) * coarse)
	}
	middle := angle
	for i := -4; i <= 4; i++ {
		try(middle + float64(i)*coarse/5)
	}
	const half = 0.4 // of a cell, around each pixel's centre
	return angle, [4]float64{box[0] - half, box[1] - half, box[2] + half, box[3] + half}
}
