package frames

import (
	"math"
	"math/rand/v2"
)

// blur is a Gaussian.
func (p *Painter) blur(sigma float64) {
	reach := int(math.Ceil(3 * sigma))
	kernel := make([]float32, 2*reach+1)
	var sum float64
	for i := range kernel {
		d := float64(i - reach)
		v := math.Exp(-d * d / (2 * sigma * sigma))
		kernel[i] = float32(v)
		sum += v
	}
	for i := range kernel {
		kernel[i] /= float32(sum)
	}
	p.weigh(kernel, reach, 1, p.W, p.H, p.W)
	p.weigh(kernel, reach, p.W, p.H, p.W, 1)
}

// weigh convolves lines of n values that lie step apart; the lines begin next
// apart.
func (p *Painter) weigh(kernel []float32, reach, step, n, lines, next int) {
	for line := range lines {
		in, out := p.light[line*next:], p.spare[line*next:]
		for i := range n {
			var sum float32
			if i >= reach && i < n-reach {
				at := (i - reach) * step
				for _, k := range kernel {
					sum += k * in[at]
					at += step
				}
			} else {
				for j, k := range kernel {
					sum += k * in[min(max(i+j-reach, 0), n-1)*step]
				}
			}
			out[i*step] = sum
		}
	}
	p.light, p.spare = p.spare, p.light
}

// smear averages along a line of the given length.
func (p *Painter) smear(length, heading float64) {
	s, c := math.Sincos(heading * math.Pi / 180)
	n := int(2*length) + 2
	clear(p.spare)
	for i := range n {
		d := length * ((float64(i)+0.5)/float64(n) - 0.5)
		dx, dy := d*c, d*s
		ix, iy := int(math.Floor(dx)), int(math.Floor(dy))
		fx, fy := float32(dx-float64(ix)), float32(dy-float64(iy))
		w00, w10, w01, w11 := (1-fx)*(1-fy), fx*(1-fy), (1-fx)*fy, fx*fy
		for y := range p.H {
			a := p.light[min(max(y+iy, 0), p.H-1)*p.W:][:p.W]
			b := p.light[min(max(y+iy+1, 0), p.H-1)*p.W:][:p.W]
			out := p.spare[y*p.W:][:p.W]
			for x := range out {
				x0, x1 := min(max(x+ix, 0), p.W-1), min(max(x+ix+1, 0), p.W-1)
				out[x] += w00*a[x0] + w10*a[x1] + w01*b[x0] + w11*b[x1]
			}
		}
	}
	for i := range p.spare {
		p.spare[i] /= float32(n)
	}
	p.light, p.spare = p.spare, p.light
}

// expose applies contrast, gradient and noise, and rounds to grey levels.
func (p *Painter) expose(s Scene, r *rand.Rand) []byte {
	out := make([]byte, p.W*p.H)
	keep := float32(1 - s.Faint)
	for i, v := range p.light {
		v = 128 + (v-128)*keep
		v *= float32(1 - s.Gradient*float64(i%p.W)/float64(p.W))
		if s.Noise > 0 {
			v += float32(r.NormFloat64() * s.Noise)
		}
		out[i] = byte(min(max(v+0.5, 0), 255))
	}
	return out
}
