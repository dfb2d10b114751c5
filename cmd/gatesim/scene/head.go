package scene

import (
	"image"
	"image/draw"
	"math"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/math/f64"
)

// Box is a rectangle in a photograph's pixels.
type Box struct{ X1, Y1, X2, Y2 float64 }

// W is the box's width in pixels.
func (b Box) W() float64 { return b.X2 - b.X1 }

// H is the box's height in pixels.
func (b Box) H() float64 { return b.Y2 - b.Y1 }

func (b Box) middle() (x, y float64) { return (b.X1 + b.X2) / 2, (b.Y1 + b.Y2) / 2 }

// Face says where a face is in a photograph. Others are the faces of other
// people in it, which are cut away.
type Face struct {
	Box    Box
	Eyes   [2][2]float64
	Nose   [2]float64 // its tip; zero where not known
	Others []Box
}

// look says how the nose lies against the middle of the eyes, in eye
// distances across and down; 0 and the usual 0.58 where it is not known.
func (f Face) look() (across, down float64) {
	if f.Nose == [2]float64{} {
		return 0, 0.58
	}
	x, y := newUpright(f).at(f.Nose[0], f.Nose[1])
	return x / eyeDistance, y / eyeDistance
}

// eyeDistance is the inter-eye distance of a head at the gate in pixels, at
// scale 1; the least that the gate's quality rule wants is 40.
const eyeDistance = 86

// head is a cut-out, scaled to eyeDistance, with alpha; its origin is the
// middle between the eyes.
type head struct {
	w, h      int
	ox, oy    float64
	fx, fy    float64 // middle of the face
	rx, ry    float64 // half its width and height
	luma      float64 // mean of the face
	y, cb, cr []uint8
	alpha     []uint8
}

// cutHead cuts a face out of a photograph with a soft edge and stands it
// upright, keeps what of the shoulders the photograph has, and puts a plain
// coat beneath.
func cutHead(img image.Image, f Face) *head {
	up := newUpright(f)
	bw, bh := f.Box.W()*up.scale, f.Box.H()*up.scale
	hd := &head{w: int(bw * 3.2), h: int(bh * 3.0), ox: bw * 1.6, oy: bh, rx: bw / 2, ry: bh / 2}
	up.ox, up.oy = hd.ox, hd.oy
	face := up.box(f.Box)
	hd.fx, hd.fy = face.middle()
	m := mask{face: face}
	for _, o := range f.Others {
		m.others = append(m.others, up.box(o))
	}
	rgba := image.NewRGBA(image.Rect(0, 0, hd.w, hd.h))
	xdraw.CatmullRom.Transform(rgba, up.matrix(), img, img.Bounds(), draw.Src, nil)
	hd.fill(rgba, m)
	return hd
}

// upright maps a photograph's pixels to a cut-out's: eyes level, at
// eyeDistance, their middle at (ox, oy).
type upright struct {
	ex, ey, sin, cos, scale, ox, oy float64
}

func newUpright(f Face) upright {
	dx, dy := f.Eyes[1][0]-f.Eyes[0][0], f.Eyes[1][1]-f.Eyes[0][1]
	ied := max(math.Hypot(dx, dy), 1)
	return upright{
		ex: (f.Eyes[0][0] + f.Eyes[1][0]) / 2, ey: (f.Eyes[0][1] + f.Eyes[1][1]) / 2,
		sin: dy / ied, cos: dx / ied, scale: eyeDistance / ied,
	}
}

func (u upright) at(x, y float64) (float64, float64) {
	dx, dy := (x-u.ex)*u.scale, (y-u.ey)*u.scale
	return u.ox + dx*u.cos + dy*u.sin, u.oy - dx*u.sin + dy*u.cos
}

// box keeps a box's size, since a head is about as wide as its box either way.
func (u upright) box(b Box) Box {
	x, y := u.at(b.middle())
	w, h := b.W()*u.scale/2, b.H()*u.scale/2
	return Box{x - w, y - h, x + w, y + h}
}

func (u upright) matrix() f64.Aff3 {
	c, s := u.cos*u.scale, u.sin*u.scale
	return f64.Aff3{c, s, u.ox - c*u.ex - s*u.ey, -s, c, u.oy + s*u.ex - c*u.ey}
}

// mask gives the share of a photograph's pixel in the cut-out.
type mask struct {
	face   Box
	others []Box
}

// at is the photograph's share at (x, y), 0 to 1.
func (m mask) at(x, y float64) float64 {
	cx, cy := (m.face.X1+m.face.X2)/2, (m.face.Y1+m.face.Y2)/2
	w, h := m.face.W(), m.face.H()
	// As close as hair and ears allow: what a photograph has behind a head, its
	// signs and edges, is not behind the traveller.
	hair := 1 - smooth(0.8, 1.12, ellipse(x, y, cx, cy-0.1*h, 0.62*w, 0.68*h))
	neck := 0.0
	if y > cy {
		half := 0.46*w + 0.3*max(0, y-m.face.Y2)
		neck = (1 - smooth(0.8, 1.1, math.Abs(x-cx)/half)) * (1 - smooth(m.face.Y2+0.05*h, m.face.Y2+0.3*h, y))
	}
	a := max(hair, neck)
	inner := 1 - smooth(0.9, 1.05, ellipse(x, y, cx, cy, 0.52*w, 0.52*h))
	for _, o := range m.others {
		ox, oy := (o.X1+o.X2)/2, (o.Y1+o.Y2)/2
		a *= smooth(0.95, 1.2, ellipse(x, y, ox, oy, 0.62*o.W(), 0.66*o.H()))
	}
	return max(a, inner)
}

func ellipse(x, y, cx, cy, ax, ay float64) float64 {
	return math.Hypot((x-cx)/ax, (y-cy)/ay)
}

// smooth rises from 0 at lo to 1 at hi.
func smooth(lo, hi, v float64) float64 {
	t := min(max((v-lo)/(hi-lo), 0), 1)
	return t * t * (3 - 2*t)
}

// coat is the share of the plain coat at (x, y).
func (m mask) coat(x, y float64) float64 {
	cx := (m.face.X1 + m.face.X2) / 2
	w, h := m.face.W(), m.face.H()
	y = min(y, m.face.Y2+1.35*h) // straight down from there
	return 1 - smooth(0.95, 1.03, ellipse(x, y, cx, m.face.Y2+1.35*h, 1.5*w, 1.25*h))
}

// fill converts the picture and its mask into planes.
func (hd *head) fill(rgba *image.RGBA, m mask) {
	n := hd.w * hd.h
	hd.y, hd.cb, hd.cr, hd.alpha = make([]uint8, n), make([]uint8, n), make([]uint8, n), make([]uint8, n)
	for y := range hd.h {
		for x := range hd.w {
			i, p := y*hd.w+x, rgba.PixOffset(x, y)
			px, py := float64(x), float64(y)
			a, c := m.at(px, py)*float64(rgba.Pix[p+3])/255, m.coat(px, py)
			shade := 52 + 2*math.Sin(px*0.11)*math.Sin(py*0.013)
			mix := func(photo, coat float64) uint8 {
				if a+c*(1-a) <= 0 {
					return uint8(coat)
				}
				return uint8((photo*a + coat*c*(1-a)) / (a + c*(1-a)))
			}
			yy, cb, cr := toYCbCr(rgba.Pix[p], rgba.Pix[p+1], rgba.Pix[p+2])
			hd.y[i], hd.cb[i], hd.cr[i] = mix(yy, shade), mix(cb, 136), mix(cr, 124)
			hd.alpha[i] = uint8(255 * (a + c*(1-a)))
		}
	}
	hd.luma = hd.meanLuma()
}

// meanLuma is the mean of the inner face, what a camera's exposure goes by.
func (hd *head) meanLuma() float64 {
	var sum, n float64
	for y := range hd.h {
		for x := range hd.w {
			if ellipse(float64(x), float64(y), hd.fx, hd.fy, 0.7*hd.rx, 0.7*hd.ry) < 1 {
				sum, n = sum+float64(hd.y[y*hd.w+x]), n+1
			}
		}
	}
	return sum / max(n, 1)
}

// exposure is the gain that brings the face to a camera's usual brightness.
func (hd *head) exposure() float64 { return min(max(118/max(hd.luma, 1), 0.8), 1.8) }

// fillLight is what the gate's lamp adds to the shadows of a dark face.
func (hd *head) fillLight() float64 { return min(max((105-hd.luma)/3, 0), 24) }

func toYCbCr(r, g, b uint8) (y, cb, cr float64) {
	fr, fg, fb := float64(r), float64(g), float64(b)
	y = 0.299*fr + 0.587*fg + 0.114*fb
	return y, 128 + (fb-y)*0.564, 128 + (fr-y)*0.713
}

// blurred gives the cut-out as an unsharp camera sees it; radius in pixels.
func (hd *head) blurred(radius int) *head {
	if radius == 0 {
		return hd
	}
	out := *hd
	for _, p := range []*[]uint8{&out.y, &out.cb, &out.cr, &out.alpha} {
		*p = boxBlur(boxBlur(*p, hd.w, hd.h, radius), hd.w, hd.h, radius)
	}
	return &out
}

// boxBlur is a separable mean over 2*radius+1 pixels.
func boxBlur(p []uint8, w, h, radius int) []uint8 {
	tmp, out := make([]uint8, len(p)), make([]uint8, len(p))
	line := func(dst, src []uint8, from, step, n int) {
		sum := 0
		at := func(i int) int { return int(src[from+min(max(i, 0), n-1)*step]) }
		for i := -radius; i <= radius; i++ {
			sum += at(i)
		}
		for i := range n {
			dst[from+i*step] = uint8(sum / (2*radius + 1))
			sum += at(i+radius+1) - at(i-radius)
		}
	}
	for y := range h {
		line(tmp, p, y*w, 1, w)
	}
	for x := range w {
		line(out, tmp, x, w, h)
	}
	return out
}
