package symbol

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"
)

// scene is a label in front of a document camera. The zero values of the
// optional fields leave the frame as it is drawn.
type scene struct {
	module   float64 // pixels a module
	x, y     float64 // of the label's centre, default the frame's
	roll     float64 // degrees
	tilt     float64 // degrees about an upright axis
	blur     float64 // sigma, pixels
	noise    float64 // sigma, grey levels
	contrast float64 // share of full, 0 for full
	invert   bool
	ruined   bool // two finders are torn off and stripes smeared over the rest
	bars     bool // a linear code in the symbol's place
	damage   uint64
	w, h     int
	seed     uint64
}

// payload is like that of a pass, every byte value and zero among them.
func payload(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i*i/31)
	}
	b[0] = 0xDC
	return b
}

// draw renders a label of the payload and returns the frame and the corners of
// its symbol.
func (s scene) draw(t testing.TB, p []byte) (Luma, [4][2]float64) {
	t.Helper()
	label, err := EncodeQR(p, 1)
	if err != nil {
		t.Fatal(err)
	}
	s.spoil(label)
	if s.w == 0 {
		s.w, s.h = 1280, 720
	}
	if s.x == 0 {
		s.x, s.y = float64(s.w)/2, float64(s.h)/2
	}
	l := s.desk()
	// The label's plane is seen by a pinhole 1500 pixels away.
	const far = 1500
	sr, cr := math.Sincos(s.roll * math.Pi / 180)
	st, ct := math.Sincos(s.tilt * math.Pi / 180)
	half := float64(label.Rect.Dx()) / 2
	for y := range s.h {
		for x := range s.w {
			var sum float64
			inside := 0
			for k := range 4 {
				dx := float64(x) + 0.25 + 0.5*float64(k&1) - s.x
				dy := float64(y) + 0.25 + 0.5*float64(k>>1) - s.y
				// Where the ray meets the tilted plane.
				u := dx * far / (far*ct + dx*st)
				v := dy * (far - u*st) / far
				mx := (u*cr+v*sr)/s.module + half
				my := (-u*sr+v*cr)/s.module + half
				if mx >= 0 && my >= 0 && mx < 2*half && my < 2*half {
					inside++
					sum += float64(label.GrayAt(int(mx), int(my)).Y)
				}
			}
			if inside == 4 {
				l.Pix[y*l.Stride+x] = s.ink(sum / 4)
			}
		}
	}
	s.disturb(l)
	return l, s.corners(half, far, sr, cr, st, ct)
}

// spoil changes the label's print, a pixel a module.
func (s scene) spoil(label *image.Gray) {
	r := rand.New(rand.NewPCG(s.damage, 3))
	n := label.Rect.Dx() - 2*QuietZone
	paint := func(x, y, w, h int, shade byte) {
		for j := y; j < min(y+h, n); j++ {
			for i := x; i < x+w; i++ {
				label.SetGray(QuietZone+i, QuietZone+j, color.Gray{Y: shade})
			}
		}
	}
	if s.bars {
		for x := range n {
			paint(x, 0, 1, n, byte(255*r.IntN(2)))
		}
	}
	if s.ruined {
		paint(0, 0, n/3, n/3, 225)
		paint(n-n/3, 0, n/3, n/3, 225)
		for range 14 {
			paint(0, r.IntN(n), n, 1+r.IntN(3), byte(60+r.IntN(120)))
		}
	}
}

func (s scene) ink(v float64) byte {
	if s.invert {
		v = 255 - v
	}
	c := s.contrast
	if c == 0 {
		c = 0.75
	}
	return byte(128 + (v-128)*c)
}

func (s scene) corners(half, far, sr, cr, st, ct float64) (c [4][2]float64) {
	q := (half - QuietZone) * s.module
	for i, p := range [4][2]float64{{-q, -q}, {q, -q}, {q, q}, {-q, q}} {
		u, v := p[0]*cr-p[1]*sr, p[0]*sr+p[1]*cr
		z := far - u*st
		c[i] = [2]float64{s.x + u*ct*far/z, s.y + v*far/z}
	}
	return c
}

// desk is a textured ground with lines of print.
func (s scene) desk() Luma {
	rng := rand.New(rand.NewPCG(s.seed, 1))
	l := Luma{Pix: make([]byte, s.w*s.h), Stride: s.w, W: s.w, H: s.h}
	for i := range l.Pix {
		l.Pix[i] = byte(105 + rng.IntN(8) + 20*(i%s.w)/s.w)
	}
	for y := 40; y+14 < s.h; y += 60 {
		for x := 30; x+10 < s.w; x += 11 {
			for i := range 14 {
				if rng.IntN(4) > 0 {
					l.Pix[(y+i)*s.w+x+rng.IntN(8)] = 40
				}
			}
		}
	}
	return l
}

func (s scene) disturb(l Luma) {
	if s.blur > 0 {
		// Three box filters come close to a Gaussian.
		r := max(1, int(math.Round(s.blur)))
		for range 3 {
			boxBlur(l, r)
		}
	}
	if s.noise > 0 {
		rng := rand.New(rand.NewPCG(s.seed, 2))
		for i, v := range l.Pix {
			l.Pix[i] = byte(min(255, max(0, float64(v)+rng.NormFloat64()*s.noise)))
		}
	}
}

// boxBlur averages over one more pixel a side in both directions.
func boxBlur(l Luma, r int) {
	in := append([]byte(nil), l.Pix...)
	for y := range l.H {
		for x := range l.W {
			sum, n := 0, 0
			for yy := max(0, y-r); yy <= min(l.H-1, y+r); yy++ {
				for xx := max(0, x-r); xx <= min(l.W-1, x+r); xx++ {
					sum += int(in[yy*l.Stride+xx])
					n++
				}
			}
			l.Pix[y*l.Stride+x] = byte(sum / n)
		}
	}
}

func grayLuma(g *image.Gray) Luma {
	return Luma{Pix: g.Pix, Stride: g.Stride, W: g.Rect.Dx(), H: g.Rect.Dy()}
}
