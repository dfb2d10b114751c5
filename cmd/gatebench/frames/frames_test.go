package frames

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
)

func checks(n int) Code {
	c := Code{W: n, H: n, Dark: make([]bool, n*n)}
	for i := range c.Dark {
		c.Dark[i] = (i%n+i/n)%2 == 0
	}
	return c
}

// TestSameSeed holds that a seed tells every pixel, under every condition.
func TestSameSeed(t *testing.T) {
	seen := map[string]bool{}
	for i, c := range Conditions() {
		if seen[c.Name] {
			t.Errorf("two conditions are called %s", c.Name)
		}
		seen[c.Name] = true
		draw := func(seed uint64) []byte {
			p := Painter{W: 320, H: 240}
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			s := c.Scene(3, r)
			p.Draw(checks(21), s, seed, r)
			return p.Draw(checks(21), s.Follow(r), seed, r)
		}
		one := draw(1)
		if !bytes.Equal(one, draw(1)) {
			t.Errorf("%s: one seed drew two frames", c.Name)
		}
		if bytes.Equal(one, draw(2)) {
			t.Errorf("%s: two seeds drew one frame", c.Name)
		}
	}
	if !seen[Gate] {
		t.Error("the mix of a gate is missing")
	}
}

// TestPlane holds the way to the pixels and back, and its centre.
func TestPlane(t *testing.T) {
	p := Painter{W: 1280, H: 720}
	s := Scene{Module: 4, Roll: 30, Tilt: 20, Lean: -15, X: 0.1, Y: -0.05}
	pl := p.plane(checks(61), s)
	if x, y := project(&pl.out, 30.5, 30.5); math.Hypot(x-768, y-324) > 1e-6 {
		t.Errorf("the centre is at %v, %v", x, y)
	}
	for _, m := range [][2]float64{{0, 0}, {61, 0}, {17, 44}} {
		x, y := project(&pl.out, m[0], m[1])
		if u, v := project(&pl.m, x, y); math.Hypot(u-m[0], v-m[1]) > 1e-6 {
			t.Errorf("%v came back as %v, %v", m, u, v)
		}
	}
}

// TestLight holds that modules come out dark and light, and the conditions do
// what they say.
func TestLight(t *testing.T) {
	mean := func(s Scene) (dark, light float64) {
		p := Painter{W: 320, H: 240}
		code := Code{W: 2, H: 1, Dark: []bool{true, false}}
		pix := p.Draw(code, s, 1, rand.New(rand.NewPCG(1, 1)))
		return float64(pix[120*320+145]), float64(pix[120*320+175])
	}
	dark, light := mean(Scene{Module: 30})
	if dark != ink || light != paper {
		t.Errorf("ink %v and paper %v", dark, light)
	}
	if d, l := mean(Scene{Module: 30, Inverted: true}); d != light || l != dark {
		t.Errorf("inverted: %v and %v", d, l)
	}
	if d, l := mean(Scene{Module: 30, Faint: 0.5}); math.Abs(l-d-(light-dark)/2) > 1 {
		t.Errorf("half of the contrast: %v and %v", d, l)
	}
	if d, _ := mean(Scene{Module: 30, Blur: 40}); d <= dark+20 {
		t.Errorf("blurred ink is %v", d)
	}
	if _, l := mean(Scene{Module: 30, Gradient: 1}); l > 0.6*light {
		t.Errorf("half way into the dark paper is %v", l)
	}
}
