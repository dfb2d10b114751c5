package frames

import (
	"math"
	"math/rand/v2"
)

// Code is a symbol's modules, true for dark, row by row, without quiet zone.
type Code struct {
	Dark []bool
	W, H int
}

func (c Code) at(x, y int) bool { return x >= 0 && y >= 0 && x < c.W && y < c.H && c.Dark[y*c.W+x] }

// The light that paper, ink and desk give back, and the camera's distance in
// widths of the frame.
const (
	paper, ink, desk = 215, 35, 110
	far              = 1.3
	quiet            = 4.0 // modules of white around the symbol
)

// Painter draws the frames of one size and keeps its buffers between them.
type Painter struct {
	W, H  int
	light []float32
	spare []float32
}

// Draw renders a code in a scene into a new grey frame. Seed places the print
// and the damage, r the noise, so that the frames of a sequence share a card.
func (p *Painter) Draw(c Code, s Scene, seed uint64, r *rand.Rand) []byte {
	p.light = sized(p.light, p.W*p.H)
	p.spare = sized(p.spare, p.W*p.H)
	p.ground(seed)
	p.card(newCard(c, seed, s.Damage), s)
	if s.Motion > 0 {
		p.smear(s.Motion, s.Heading)
	}
	if s.Blur > 0 {
		p.blur(s.Blur)
	}
	return p.expose(s, r)
}

func sized(b []float32, n int) []float32 {
	if cap(b) < n {
		return make([]float32, n)
	}
	return b[:n]
}

// ground is a desk with a grain.
func (p *Painter) ground(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 11))
	for y := range p.H {
		row := p.light[y*p.W:][:p.W]
		grain := float32(r.IntN(14))
		for x := range row {
			if r.IntN(9) == 0 {
				grain = float32(r.IntN(22))
			}
			row[x] = desk + grain + float32(x*18/p.W)
		}
	}
}

// card is what is printed, in modules from the symbol's corner.
type card struct {
	code   Code
	x0, y0 float64
	x1, y1 float64
	print  []bool // inked texels, row by row from x0, y0
	wide   int
	spots  []box
}

// texels of print a module.
const texels = 4

// box is a rectangle of ink or, in spots, of dirt of any shade.
type box struct{ x0, y0, x1, y1, shade float64 }

func (b box) holds(x, y float64) bool { return x >= b.x0 && x < b.x1 && y >= b.y0 && y < b.y1 }

func newCard(c Code, seed uint64, damage float64) *card {
	r := rand.New(rand.NewPCG(seed, 12))
	w, h := float64(c.W), float64(c.H)
	k := &card{code: c, x0: -quiet - 3, y0: -quiet - 0.16*h, x1: w + quiet + 0.55*w, y1: h + quiet + 3}
	letter := h / 45
	k.wide = int((k.x1-k.x0)*texels) + 1
	k.print = make([]bool, k.wide*(int((k.y1-k.y0)*texels)+1))
	for _, line := range []float64{-quiet - 0.09*h, 0.1 * h, 0.2 * h, 0.34 * h, 0.5 * h, 0.6 * h, 0.82 * h} {
		x := w + quiet + 2
		if line < 0 {
			x = 0
		}
		for x < k.x1-4*letter {
			wide := letter * (0.6 + r.Float64())
			if r.IntN(6) > 0 {
				k.ink(x, line, x+0.3*letter, line+2*letter)
				top := line + letter*float64(r.IntN(3))
				k.ink(x, top, x+wide, top+0.3*letter)
			}
			x += wide + 0.6*letter
		}
	}
	for left := damage * w * h; left > 0; {
		a := 1.5 + 4.5*r.Float64()
		b := min(a*(0.4+r.Float64()), left/a+0.5)
		x, y := r.Float64()*(w-a), r.Float64()*(h-b)
		k.spots = append(k.spots, box{x, y, x + a, y + b, float64(ink + r.IntN(paper-ink))})
		left -= a * b
	}
	return k
}

// shade is the light of a point of the card.
func (k *card) shade(x, y float64) float64 {
	w, h := float64(k.code.W), float64(k.code.H)
	if x >= -quiet && y >= -quiet && x < w+quiet && y < h+quiet {
		for _, s := range k.spots {
			if s.holds(x, y) {
				return s.shade
			}
		}
		if k.code.at(int(math.Floor(x)), int(math.Floor(y))) {
			return ink
		}
		return paper
	}
	if i := int((y-k.y0)*texels)*k.wide + int((x-k.x0)*texels); i < len(k.print) && k.print[i] {
		return ink
	}
	return paper
}

// ink prints a rectangle, in modules.
func (k *card) ink(x0, y0, x1, y1 float64) {
	for y := int((y0 - k.y0) * texels); y <= int((y1-k.y0)*texels); y++ {
		for x := int((x0 - k.x0) * texels); x <= int((x1-k.x0)*texels); x++ {
			if i := y*k.wide + x; i >= 0 && i < len(k.print) && x < k.wide {
				k.print[i] = true
			}
		}
	}
}

// plane maps pixels to a card's modules.
type plane struct {
	m   [9]float64 // pixel to module, homogeneous
	out [9]float64 // module to pixel
}

func (p *Painter) plane(c Code, s Scene) plane {
	f := far * float64(p.W)
	sr, cr := math.Sincos(s.Roll * math.Pi / 180)
	st, ct := math.Sincos(s.Tilt * math.Pi / 180)
	sl, cl := math.Sincos(s.Lean * math.Pi / 180)
	// The columns of the rotation that modules are turned by: roll, then the
	// upright axis, then the level one.
	ux := [3]float64{cr * ct, sr*cl + cr*st*sl, sr*sl - cr*st*cl}
	vx := [3]float64{-sr * ct, cr*cl - sr*st*sl, sr*st*cl + cr*sl}
	w2, h2 := float64(c.W)/2, float64(c.H)/2
	px, py := float64(p.W)*(0.5+s.X), float64(p.H)*(0.5+s.Y)
	// x = f*X/Z + px with Z = f + z; the card's centre lies at Z = f.
	var o [9]float64
	col := func(i int, a [3]float64) {
		o[i], o[3+i], o[6+i] = s.Module*(f*a[0]+px*a[2]), s.Module*(f*a[1]+py*a[2]), s.Module*a[2]
	}
	col(0, ux)
	col(1, vx)
	o[2] = px*f - w2*o[0] - h2*o[1]
	o[5] = py*f - w2*o[3] - h2*o[4]
	o[8] = f - w2*o[6] - h2*o[7]
	return plane{out: o, m: invert(o)}
}

func invert(a [9]float64) (b [9]float64) {
	b[0], b[1], b[2] = a[4]*a[8]-a[5]*a[7], a[2]*a[7]-a[1]*a[8], a[1]*a[5]-a[2]*a[4]
	b[3], b[4], b[5] = a[5]*a[6]-a[3]*a[8], a[0]*a[8]-a[2]*a[6], a[2]*a[3]-a[0]*a[5]
	b[6], b[7], b[8] = a[3]*a[7]-a[4]*a[6], a[1]*a[6]-a[0]*a[7], a[0]*a[4]-a[1]*a[3]
	return b
}

func project(m *[9]float64, x, y float64) (float64, float64) {
	z := m[6]*x + m[7]*y + m[8]
	return (m[0]*x + m[1]*y + m[2]) / z, (m[3]*x + m[4]*y + m[5]) / z
}

// card paints the card over the ground, nine samples a pixel.
func (p *Painter) card(k *card, s Scene) {
	pl := p.plane(k.code, s)
	x0, y0, x1, y1 := p.W, p.H, 0, 0
	for _, q := range [][2]float64{{k.x0, k.y0}, {k.x1, k.y0}, {k.x1, k.y1}, {k.x0, k.y1}} {
		x, y := project(&pl.out, q[0], q[1])
		x0, y0 = min(x0, int(x)-1), min(y0, int(y)-1)
		x1, y1 = max(x1, int(x)+2), max(y1, int(y)+2)
	}
	const n = 3
	for y := max(y0, 0); y < min(y1, p.H); y++ {
		for x := max(x0, 0); x < min(x1, p.W); x++ {
			var sum float64
			under := float64(p.light[y*p.W+x])
			for i := range n * n {
				mx, my := project(&pl.m, float64(x)+(float64(i%n)+0.5)/n, float64(y)+(float64(i/n)+0.5)/n)
				if mx < k.x0 || my < k.y0 || mx >= k.x1 || my >= k.y1 {
					sum += under
					continue
				}
				v := k.shade(mx, my)
				if s.Inverted {
					v = paper + ink - v
				}
				sum += v
			}
			p.light[y*p.W+x] = float32(sum / (n * n))
		}
	}
}
