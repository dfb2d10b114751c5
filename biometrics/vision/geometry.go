package vision

import (
	"fmt"
	"image"
	"math"
)

// landmarkGrow is the side of the landmark square over the mean of the box's sides.
const landmarkGrow = 1.1

// alignSize is the side of the aligned face in pixels.
const alignSize = 112

// template holds the ArcFace reference points in an aligned face: eyes, nose tip, corners of the mouth. Sharpness and exposure are
// always measured on it, whatever template the recogniser wants.
var template = [5]Point{{38.2946, 51.6963}, {73.5318, 51.5014}, {56.0252, 71.7366}, {41.5493, 92.3655}, {70.7299, 92.2041}}

// similarity maps picture to template: x' = A x - B y + TX, y' = B x + A y + TY.
type similarity struct{ A, B, TX, TY float64 }

// scale is the size of a picture's pixel in the template.
func (s similarity) scale() float64 { return math.Hypot(s.A, s.B) }

// fit returns the least-squares similarity (rotation, one scale, shift) from points to a template.
func fit(points, template [5]Point) (similarity, error) {
	var cp, ct Point
	for i, p := range points {
		if math.IsNaN(p.X+p.Y) || math.IsInf(p.X+p.Y, 0) {
			return similarity{}, fmt.Errorf("%w: landmark is not finite", ErrImage)
		}
		cp.X, cp.Y = cp.X+p.X/5, cp.Y+p.Y/5
		ct.X, ct.Y = ct.X+template[i].X/5, ct.Y+template[i].Y/5
	}
	var along, across, spread float64
	for i, p := range points {
		px, py := p.X-cp.X, p.Y-cp.Y
		tx, ty := template[i].X-ct.X, template[i].Y-ct.Y
		along += px*tx + py*ty
		across += px*ty - py*tx
		spread += px*px + py*py
	}
	if spread < 1 {
		return similarity{}, fmt.Errorf("%w: landmarks fall together", ErrImage)
	}
	s := similarity{A: along / spread, B: across / spread}
	if k := s.scale(); k < 1e-3 || k > 100 {
		return similarity{}, fmt.Errorf("%w: landmarks do not form a face", ErrImage)
	}
	s.TX = ct.X - s.A*cp.X + s.B*cp.Y
	s.TY = ct.Y - s.B*cp.X - s.A*cp.Y
	return s, nil
}

// back maps a point of the template into the picture.
func (s similarity) back(p Point) Point {
	k := s.A*s.A + s.B*s.B
	x, y := p.X-s.TX, p.Y-s.TY
	return Point{(s.A*x + s.B*y) / k, (s.A*y - s.B*x) / k}
}

// shifted returns the same map for a cut-out whose corner lies at (x, y).
func (s similarity) shifted(x, y float64) similarity {
	s.TX += s.A*x - s.B*y
	s.TY += s.B*x + s.A*y
	return s
}

// landmarkSquare is the part of the picture in which landmarks are looked for. Its edges are rounded one by one, so it may be a pixel
// off square; the recogniser's thresholds were measured with it so.
func landmarkSquare(b Box) image.Rectangle {
	side := landmarkGrow * (b.W + b.H) / 2
	c := b.Centre()
	x, y := c.X-side/2, c.Y-side/2
	return image.Rectangle{
		Min: image.Pt(int(math.Round(x)), int(math.Round(y))),
		Max: image.Pt(int(math.Round(x+side)), int(math.Round(y+side))),
	}
}

// fivePoints reduces the 68 iBUG landmarks.
func fivePoints(l [68]Point) [5]Point {
	mean := func(idx ...int) Point {
		var m Point
		for _, i := range idx {
			m.X += l[i].X / float64(len(idx))
			m.Y += l[i].Y / float64(len(idx))
		}
		return m
	}
	return [5]Point{mean(37, 38, 40, 41), mean(43, 44, 46, 47), l[30], mean(48, 60), mean(54, 64)}
}

// pose fills what the five points tell: eye distance, roll, and where the nose lies.
func pose(q *Quality, p [5]Point) {
	dx, dy := p[1].X-p[0].X, p[1].Y-p[0].Y
	d := math.Hypot(dx, dy)
	q.EyeDistance = d
	q.Roll = math.Atan2(dy, dx) * 180 / math.Pi
	if d < 1e-6 {
		return
	}
	nx, ny := p[2].X-(p[0].X+p[1].X)/2, p[2].Y-(p[0].Y+p[1].Y)/2
	q.NoseOffset = (nx*dx + ny*dy) / (d * d)
	q.NoseDrop = (ny*dx - nx*dy) / (d * d)
}
