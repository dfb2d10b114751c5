package scene

import (
	"image"
	"image/draw"
	"math"
	"math/rand/v2"

	xdraw "golang.org/x/image/draw"
)

// shown is a photograph as a device shows it, a texel about a picture's pixel.
type shown struct {
	d            Device
	scale        float64 // picture pixels per millimetre
	eyesX, eyesY float64 // of the shown face, mm from the artefact's middle
	x0, y0       float64 // of the shown picture, mm from the artefact's middle
	w, h         int     // texels
	y, cb, cr    []uint8
	angle        float64 // of the dots or pixels against the edges
}

// newShown crops the photograph to the device, larger or smaller around the
// face, and scales it so that the face comes out as large as at the gate.
func newShown(v Sitter, d Device, r *rand.Rand) *shown {
	u := func(lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }
	inW, inH := d.W-d.Left-d.Right, d.H-d.Top-d.Bottom
	f := v.Face
	mx, my := f.Box.middle()
	// A photograph as wide as it gets around this face, in its own pixels.
	b := v.Photo.Bounds()
	half := min(mx-float64(b.Min.X), float64(b.Max.X)-mx, f.Box.W()*u(0.75, 1.6))
	up := min(my-float64(b.Min.Y), float64(b.Max.Y)-my, f.Box.H()*u(0.75, 1.3))
	if half*inH > up*inW { // too wide for the device: cut the sides
		half = up * inW / inH
	} else {
		up = half * inH / inW
		up = min(up, my-float64(b.Min.Y), float64(b.Max.Y)-my)
	}
	crop := image.Rect(int(mx-half), int(my-up), int(mx+half), int(my+up)).Intersect(b)
	perMM := max(float64(crop.Dx())/inW, float64(crop.Dy())/inH) // photograph's pixels per mm
	ied := math.Hypot(f.Eyes[1][0]-f.Eyes[0][0], f.Eyes[1][1]-f.Eyes[0][1])
	s := &shown{d: d, scale: u(64, 104) / (ied / perMM)}
	wmm, hmm := float64(crop.Dx())/perMM, float64(crop.Dy())/perMM
	s.x0, s.y0 = -d.W/2+d.Left+(inW-wmm)/2, -d.H/2+d.Top+(inH-hmm)/2
	s.eyesX = s.x0 + ((f.Eyes[0][0]+f.Eyes[1][0])/2-float64(crop.Min.X))/perMM
	s.eyesY = s.y0 + ((f.Eyes[0][1]+f.Eyes[1][1])/2-float64(crop.Min.Y))/perMM
	s.w, s.h = max(int(wmm*s.scale), 8), max(int(hmm*s.scale), 8)
	if d.Medium == Print {
		s.angle = u(0.2, 1.3)
	}
	s.take(v.Photo, crop, r.IntN(2))
	return s
}

// take fills the texels; soft is how unsharp the near artefact is.
func (s *shown) take(photo image.Image, crop image.Rectangle, soft int) {
	rgba := image.NewRGBA(image.Rect(0, 0, s.w, s.h))
	xdraw.CatmullRom.Scale(rgba, rgba.Bounds(), photo, crop, draw.Src, nil)
	n := s.w * s.h
	s.y, s.cb, s.cr = make([]uint8, n), make([]uint8, n), make([]uint8, n)
	for i := range n {
		p := rgba.Pix[4*i:]
		y, cb, cr := toYCbCr(p[0], p[1], p[2])
		y = 255 * (s.d.Dark + (s.d.Bright-s.d.Dark)*y/255)
		s.y[i] = uint8(min(max(y, 0), 255))
		s.cb[i] = uint8(min(max(128+(cb-128)*s.d.Colour+s.d.Blue, 0), 255))
		s.cr[i] = uint8(min(max(128+(cr-128)*s.d.Colour-s.d.Blue/2, 0), 255))
	}
	for range soft {
		for _, p := range []*[]uint8{&s.y, &s.cb, &s.cr} {
			*p = boxBlur(*p, s.w, s.h, 1)
		}
	}
}

// point is the light of one point.
type point struct{ y, cb, cr float64 }

// draw sets the artefact, and the hand that holds it, into the picture.
func (s *shown) draw(c canvas, st stance, t float64) {
	m := toCard(st.held)
	reach := math.Hypot(s.d.W, s.d.H) / 2 * s.scale * 1.3
	x0, x1 := max(0, int(st.x-reach)), min(Width-1, int(st.x+reach))
	y0, y1 := max(0, int(st.y-reach)), min(Height-1, int(st.y+reach))
	g := s.grid(st)
	for y := y0; y <= y1; y++ {
		for x := x0; x <= x1; x++ {
			px, py := float64(x)-Width/2, float64(y)-Height/2
			k := 1 / (m[6]*px + m[7]*py + m[8])
			u, v := (m[0]*px+m[1]*py+m[2])*k, (m[3]*px+m[4]*py+m[5])*k
			// A bent sheet: its far parts are foreshortened and bowed.
			q := u / s.d.W
			v *= 1 + st.curl*q*q*2
			u *= 1 + math.Abs(st.curl)*q*q
			share := s.inside(u, v)
			if share > 0 {
				p := s.at(u, v, g)
				s.light(&p, st, x, y, q, t)
				c.put(x, y, p.y, p.cb, p.cr, share)
			}
			s.hand(c, st, x, y, u, v)
		}
	}
}

// inside is the artefact's share of a pixel, by the distance to its outline.
func (s *shown) inside(u, v float64) float64 {
	r := s.d.Corner
	dx, dy := math.Abs(u)-s.d.W/2+r, math.Abs(v)-s.d.H/2+r
	d := math.Hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - r
	return min(max(0.5-d*s.scale, 0), 1)
}

// grid are the dots or pixels: their wave numbers in radians a millimetre and
// what is left of them after the sensor's own pixels have averaged.
type grid struct{ sin, cos, wave, depth float64 }

func (s *shown) grid(st stance) grid {
	g := grid{wave: 2 * math.Pi / s.d.Pitch, depth: s.d.Relief}
	g.sin, g.cos = math.Sincos(s.angle)
	// The sensor's pixel averages over this many dots.
	if n := 0.6 / (s.scale * s.d.Pitch); n > 0.05 {
		g.depth *= min(1, 0.35+0.65*math.Abs(math.Sin(math.Pi*n)/(math.Pi*n)))
	}
	return g
}

// at is the artefact's own light at a place: margin or bezel, or picture.
func (s *shown) at(u, v float64, g grid) point {
	tx, ty := (u-s.x0)*s.scale, (v-s.y0)*s.scale
	in := u > -s.d.W/2+s.d.Left && u < s.d.W/2-s.d.Right && v > -s.d.H/2+s.d.Top && v < s.d.H/2-s.d.Bottom
	if !in {
		return point{255 * s.d.Frame, 128, 128}
	}
	if tx < 0 || ty < 0 || tx >= float64(s.w-1) || ty >= float64(s.h-1) {
		if s.d.Medium == Print { // paper that the picture leaves free
			return point{255 * s.d.Frame, 128, 128}
		}
		return point{255 * s.d.Dark, 128, 128}
	}
	p := point{bilinear(s.y, s.w, tx, ty), bilinear(s.cb, s.w, tx, ty), bilinear(s.cr, s.w, tx, ty)}
	a, b := g.wave*(u*g.cos+v*g.sin), g.wave*(-u*g.sin+v*g.cos)
	if s.d.Medium == Print {
		tone := p.y / 255
		p.y += 255 * g.depth * math.Cos(a) * math.Cos(b) * 4 * tone * (1 - tone)
		return p
	}
	// Three stripes of colour a pixel: each gives its own moiré.
	p.y *= 1 + g.depth*(math.Cos(a)*0.7+math.Cos(b)*0.5)
	p.cb += 60 * g.depth * math.Cos(a+4.19)
	p.cr += 60 * g.depth * math.Cos(a+2.09)
	return p
}

// light puts the gate's lamp, its mirror image and the refresh on a point.
func (s *shown) light(p *point, st stance, x, y int, q, t float64) {
	dx, dy := (float64(x)-st.glareX)/st.glareR, (float64(y)-st.glareY)/st.glareR
	glare := s.d.Gloss * 255 * (0.12 + math.Exp(-(dx*dx + dy*dy)))
	if s.d.Medium == Print {
		p.y *= st.gain * (1 - 2.2*st.curl*q)
		p.cb -= st.warm
		p.cr += st.warm
	} else {
		p.y *= 1 + s.d.Bands*math.Sin(2*math.Pi*(float64(y)+st.bandSpeed*t)/st.bandPeriod)
	}
	p.y += glare
}

func (s *shown) hand(c canvas, st stance, x, y int, u, v float64) {
	for _, f := range st.fingers {
		if e := ellipse(u, v, f.x, f.y, f.rx, f.ry); e < 1.1 {
			shade := 158 - 40*e*e
			c.put(x, y, shade, 114, 148, 1-smooth(0.95, 1.05, e))
		}
	}
}
