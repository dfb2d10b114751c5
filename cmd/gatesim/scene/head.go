package scene

import (
	"image"
	"image/draw"
	"math"

	xdraw "golang.org/x/image/draw"
)

// Box is a rectangle in a photograph's pixels.
type Box struct{ X1, Y1, X2, Y2 float64 }

// W is the box's width in pixels.
func (b Box) W() float64 { return b.X2 - b.X1 }

// H is the box's height in pixels.
func (b Box) H() float64 { return b.Y2 - b.Y1 }

// Face says where a face is in a photograph. Others are the faces of other
// people in it, which are cut away.
type Face struct {
	Box    Box
	Eyes   [2][2]float64
	Others []Box
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
	y, cb, cr []uint8
	alpha     []uint8
}

// cutHead cuts a face out of a photograph with a soft edge, keeps what of
// the shoulders the photograph has, and puts a plain coat beneath.
func cutHead(img image.Image, f Face) *head {
	ex, ey := (f.Eyes[0][0]+f.Eyes[1][0])/2, (f.Eyes[0][1]+f.Eyes[1][1])/2
	ied := math.Hypot(f.Eyes[1][0]-f.Eyes[0][0], f.Eyes[1][1]-f.Eyes[0][1])
	scale := eyeDistance / max(ied, 1)
	bw, bh := f.Box.W()*scale, f.Box.H()*scale
	w, h := int(bw*3.2), int(bh*3.0)
	hd := &head{w: w, h: h, ox: float64(w) / 2, oy: bh, rx: bw / 2, ry: bh / 2}
	hd.fx = hd.ox + ((f.Box.X1+f.Box.X2)/2-ex)*scale
	hd.fy = hd.oy + ((f.Box.Y1+f.Box.Y2)/2-ey)*scale
	rgba := image.NewRGBA(image.Rect(0, 0, w, h))
	src := image.Rect(int(ex-hd.ox/scale), int(ey-hd.oy/scale), int(ex+(float64(w)-hd.ox)/scale), int(ey+(float64(h)-hd.oy)/scale))
	part := within(img, src)
	xdraw.CatmullRom.Scale(rgba, rgba.Bounds(), part, part.Bounds(), draw.Src, nil)
	m := newMask(f, ex, ey, scale, hd)
	hd.fill(rgba, m)
	return hd
}

// within gives the part r of img as an own picture, its edge repeated where
// r reaches beyond img.
func within(img image.Image, r image.Rectangle) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, max(r.Dx(), 1), max(r.Dy(), 1)))
	b := img.Bounds()
	for y := range out.Rect.Dy() {
		sy := min(max(r.Min.Y+y, b.Min.Y), b.Max.Y-1)
		for x := range out.Rect.Dx() {
			sx := min(max(r.Min.X+x, b.Min.X), b.Max.X-1)
			out.Set(x, y, img.At(sx, sy))
		}
	}
	return out
}

// mask gives the share of a photograph's pixel in the cut-out.
type mask struct {
	face   Box
	others []Box
}

func newMask(f Face, ex, ey, scale float64, hd *head) mask {
	to := func(b Box) Box {
		return Box{(b.X1-ex)*scale + hd.ox, (b.Y1-ey)*scale + hd.oy, (b.X2-ex)*scale + hd.ox, (b.Y2-ey)*scale + hd.oy}
	}
	m := mask{face: to(f.Box)}
	for _, o := range f.Others {
		m.others = append(m.others, to(o))
	}
	return m
}

// at is the photograph's share at (x, y), 0 to 1.
func (m mask) at(x, y float64) float64 {
	cx, cy := (m.face.X1+m.face.X2)/2, (m.face.Y1+m.face.Y2)/2
	w, h := m.face.W(), m.face.H()
	hair := 1 - smooth(0.85, 1.15, ellipse(x, y, cx, cy-0.08*h, 0.78*w, 0.82*h))
	neck := 0.0
	if y > cy {
		half := 0.55*w + 0.55*max(0, y-m.face.Y2)
		neck = (1 - smooth(0.8, 1.1, math.Abs(x-cx)/half)) * (1 - smooth(m.face.Y2+0.15*h, m.face.Y2+0.6*h, y))
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
			a, c := m.at(px, py), m.coat(px, py)
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
}

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
