package vision

import (
	"image"
	"math"
)

// contextCrop is the liveness network's crop at a scale: the box grown around its centre as far as the frame allows, shifted inside.
func contextCrop(b Box, w, h int, scale float64) image.Rectangle {
	if b.W < 1 || b.H < 1 {
		return image.Rectangle{}
	}
	scale = min(scale, float64(w-1)/b.W, float64(h-1)/b.H)
	nw, nh, c := b.W*scale, b.H*scale, b.Centre()
	x0, y0, x1, y1 := c.X-nw/2, c.Y-nh/2, c.X+nw/2, c.Y+nh/2
	if x0 < 0 {
		x0, x1 = 0, x1-x0
	}
	if y0 < 0 {
		y0, y1 = 0, y1-y0
	}
	if over := x1 - float64(w-1); over > 0 {
		x0, x1 = x0-over, float64(w-1)
	}
	if over := y1 - float64(h-1); over > 0 {
		y0, y1 = y0-over, float64(h-1)
	}
	return image.Rect(int(x0), int(y0), int(x1)+1, int(y1)+1).Intersect(image.Rect(0, 0, w, h))
}

// squareCrop is a square around the box's centre, its side the box's longer one times the scale. It may reach over the frame.
func squareCrop(b Box, scale float64) image.Rectangle {
	side := int(math.Round(max(b.W, b.H) * scale))
	c := b.Centre()
	x, y := int(math.Round(c.X-float64(side)/2)), int(math.Round(c.Y-float64(side)/2))
	return image.Rect(x, y, x+side, y+side)
}

// edgeRegion is where a screen's or a print's edges are looked for.
func edgeRegion(b Box, w, h int) image.Rectangle {
	return image.Rect(
		int(b.X-1.3*b.W), int(b.Y-b.W), int(b.X+2.3*b.W), int(b.Y+b.H+b.W),
	).Intersect(image.Rect(0, 0, w, h))
}

// liveOdds is the log odds of class 0 (live) against the others.
func liveOdds(l []float32) float64 {
	a, b := float64(l[1]), float64(l[2])
	m := max(a, b)
	return float64(l[0]) - (m + math.Log(math.Exp(a-m)+math.Exp(b-m)))
}
