package scene

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestDeviceHalvesHaveNothingInCommon(t *testing.T) {
	known, trial := Devices(false), Devices(true)
	for _, m := range []Medium{Print, Screen} {
		for _, half := range [][]Device{known, trial} {
			if !slices.ContainsFunc(half, func(d Device) bool { return d.Medium == m }) {
				t.Errorf("a half has no %s", m)
			}
		}
	}
	names := map[string]bool{}
	for _, d := range slices.Concat(known, trial) {
		if names[d.Name] {
			t.Errorf("%s stands twice", d.Name)
		}
		names[d.Name] = true
		if d.Left+d.Right >= d.W/2 || d.Top+d.Bottom >= d.H/2 || d.Pitch <= 0 || d.Dark >= d.Bright {
			t.Errorf("%s cannot be: %+v", d.Name, d)
		}
	}
	for _, a := range known {
		for _, b := range trial {
			if a.W == b.W && a.H == b.H && a.Pitch == b.Pitch {
				t.Errorf("%s is %s under another name", a.Name, b.Name)
			}
		}
	}
}

func TestAttackIsRepeatable(t *testing.T) {
	img, f := portrait()
	st := NewStudio()
	for _, d := range []Device{Devices(true)[0], Devices(true)[3]} {
		shoot := func(seed uint64) []Frame {
			out, err := st.Attack(Sitter{img, f}, Sitter{img, f}, AttackOptions{Seed: seed, Device: d, Look: 2})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		a, b, c := shoot(1), shoot(1), shoot(2)
		if len(a) != 2 || !bytes.Equal(a[1].JPEG, b[1].JPEG) || bytes.Equal(a[1].JPEG, c[1].JPEG) || bytes.Equal(a[0].JPEG, a[1].JPEG) {
			t.Errorf("%s: not the same twice, or the same for two seeds or two moments", d.Name)
		}
		for _, x := range a {
			if !x.Truth.InView || x.Truth.Usable {
				t.Errorf("%s: truth %+v", d.Name, x.Truth)
			}
		}
	}
}

// The artefact is really there: a white margin or a dark bezel, the shown
// face as large as asked for, and no face-coloured pixels beyond its outline.
func TestShownHasItsOutline(t *testing.T) {
	img, f := portrait()
	r := rand.New(rand.NewPCG(1, 1))
	for _, d := range Devices(false) {
		s := newShown(Sitter{img, f}, d, r)
		if s.inside(0, 0) != 1 || s.inside(d.W/2+5, 0) != 0 || s.inside(0, -d.H/2-5) != 0 {
			t.Errorf("%s: its outline is not %gx%g mm", d.Name, d.W, d.H)
		}
		if d.Corner > 2 && s.inside(d.W/2-0.1, d.H/2-0.1) != 0 {
			t.Errorf("%s: its corners are not round", d.Name)
		}
		g := s.grid(stance{})
		if p := s.at(-d.W/2+d.Left/2, 0, g); p.y != 255*d.Frame {
			t.Errorf("%s: the frame's light is %.0f", d.Name, p.y)
		}
		// The portrait is 250 wide with 42 between the eyes.
		if ied := 42 * float64(s.w) / 250; ied > 110 || math.IsNaN(s.eyesX) || s.scale <= 0 {
			t.Errorf("%s: %.0f pixels between the eyes", d.Name, ied)
		}
	}
}

func TestDotsAndPixelsLeaveATrace(t *testing.T) {
	grey := image.NewRGBA(image.Rect(0, 0, 250, 250))
	for i := range grey.Pix {
		grey.Pix[i] = 128
	}
	_, f := portrait()
	for _, d := range Devices(true) {
		s := newShown(Sitter{grey, f}, d, rand.New(rand.NewPCG(2, 2)))
		g := s.grid(stance{})
		low, high := math.Inf(1), math.Inf(-1)
		for i := range 400 {
			p := s.at(float64(i)*0.021, float64(i)*0.013, g)
			low, high = min(low, p.y), max(high, p.y)
		}
		if high-low < 0.2 || high-low > 120 {
			t.Errorf("%s: a flat grey varies by %.2f", d.Name, high-low)
		}
	}
}

func TestPairHasTwoHeads(t *testing.T) {
	img, f := portrait()
	c, err := NewStudio().Pair(Sitter{img, f}, Sitter{img, f}, FaceOptions{Seed: 4, Enter: 1, Look: 1, Turn: TurnSecond})
	if err != nil {
		t.Fatal(err)
	}
	pic, err := jpeg.Decode(bytes.NewReader(c.Look[0].JPEG))
	if err != nil {
		t.Fatal(err)
	}
	skin := func(x, y int) bool {
		y8, _, cr := color.RGBToYCbCr(rgb8(pic, x, y))
		return cr > 140 && y8 > 60
	}
	runs, was := 0, false
	for x := range Width {
		is := skin(x, 330)
		if is && !was {
			runs++
		}
		was = is
	}
	if runs != 2 || c.Look[0].Truth.Usable {
		t.Errorf("%d patches of skin across the picture, want 2; truth %+v", runs, c.Look[0].Truth)
	}
}

func rgb8(img image.Image, x, y int) (r, g, b uint8) {
	c := color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)
	return c.R, c.G, c.B
}
