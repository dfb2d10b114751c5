package scene

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
)

// FaceClip is what the face camera sees of one traveller: he walks in, not
// yet to be compared, then stands and looks. Look is played to and fro for
// as long as he stands.
type FaceClip struct {
	Enter []Frame // 25 a second from the moment he is first in the picture
	Look  []Frame
}

// The turn of the head against the photograph. A photograph filmed again just
// as it is scores above any second photograph of the person; with TurnSame
// its scores fall where a second photograph's lie (0.75 to 0.93 measured).
const (
	TurnSame   = 0.125 // the enrolled photograph itself is filmed
	TurnSecond = 0.03  // another photograph of the person is filmed
)

// FaceOptions say how a traveller behaves before the face camera.
type FaceOptions struct {
	Seed      uint64
	Enter     int     // frames until the face is usable
	Look      int     // different frames while he looks
	Turn      float64 // TurnSame or TurnSecond
	LooksAway bool    // he looks away once, for LookAway frames at the end of Enter
	LookAway  int
}

// Studio draws face clips; it is safe for concurrent use.
type Studio struct {
	wall  canvas
	noise *noise
}

// NewStudio makes the gate's face camera and its backdrop.
func NewStudio() *Studio {
	r := rand.New(rand.NewPCG(0x9a7e, 1))
	return &Studio{wall: backdrop(r, 156, 126, 129), noise: newNoise(r)}
}

// Idle is what the camera sees with nobody there, to be played to and fro.
func (s *Studio) Idle(n int) ([]Frame, error) {
	r := rand.New(rand.NewPCG(0x1d1e, 1))
	out := make([]Frame, 0, n)
	for range n {
		f, err := s.finish(s.wall.copyOf(), Truth{}, r)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// pose places a head in the picture.
type pose struct {
	x, y    float64 // of the middle between the eyes
	scale   float64
	roll    float64 // radians
	squeeze float64 // 1 looking straight on; a turned head is narrower
	yaw     float64 // parallax of a turned head: shift of the nose, in half widths
	pitch   float64
	gain    float64
	fill    float64 // added to the luminance
	side    float64 // light from one side, share over the head's width
	warm    float64
}

// manner is one traveller's way of standing and his light.
type manner struct {
	x, y, sway, bob, roll, period, gain, fill, side, warm, squeeze, yaw, pitch float64
}

// newManner draws a manner. Whoever looks at the camera turns towards it from
// the way he looked when photographed.
func newManner(r *rand.Rand, f Face, turn, exposure float64) manner {
	u := func(lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }
	across, down := f.look()
	return manner{
		x: u(600, 680), y: u(270, 320), sway: u(3, 8), bob: u(1, 4), roll: u(-0.05, 0.05), period: u(0.9, 1.6),
		gain: exposure * u(0.92, 1.08), side: u(-0.14, 0.14), warm: u(-4, 4), squeeze: u(0.94, 0.98),
		yaw: sign(r, across) * turn * u(0.8, 1.2), pitch: sign(r, down-0.58) * turn * u(0.5, 0.9),
	}
}

// sign is that of v, or either where v is 0.
func sign(r *rand.Rand, v float64) float64 {
	if v == 0 {
		return float64(2*r.IntN(2) - 1)
	}
	return math.Copysign(1, v)
}

func (m manner) looking(t float64) pose {
	a := 2 * math.Pi * t / m.period
	return pose{
		x: m.x + m.sway*math.Sin(a), y: m.y + m.bob*math.Sin(1.7*a), scale: 1 + 0.02*math.Sin(0.6*a),
		roll: m.roll + 0.02*math.Sin(0.8*a), squeeze: m.squeeze + 0.015*math.Sin(0.9*a),
		yaw: m.yaw + 0.02*math.Sin(0.7*a), pitch: m.pitch + 0.02*math.Cos(0.9*a),
		gain: m.gain * (1 + 0.02*math.Sin(0.5*a)), fill: m.fill, side: m.side, warm: m.warm,
	}
}

// entering is the pose at share u of the way in: small, turned, aside.
func (m manner) entering(u float64) pose {
	p := m.looking(0)
	p.x += 300 * (1 - u)
	p.y += 50 * (1 - u)
	p.scale = 0.3 + 0.18*u
	p.squeeze = 0.55 + 0.1*u
	return p
}

func (m manner) away(u float64) pose {
	p := m.looking(u)
	p.x += 46
	p.squeeze = 0.5
	p.roll += 0.12
	return p
}

// Portrait gives the face as a photographer at an issuing office takes it:
// upright, straight on, before a plain wall, with nobody else in it.
func Portrait(photo image.Image, f Face) ([]byte, error) {
	hd := cutHead(photo, f)
	side := 5*eyeDistance + 2
	c := canvas{image.NewYCbCr(image.Rect(0, 0, side, side*5/4), image.YCbCrSubsampleRatio444)}
	for i := range c.Y {
		c.Y[i], c.Cb[i], c.Cr[i] = 176, 128, 128
	}
	hd.draw(c, pose{x: float64(side) / 2, y: float64(side) * 0.55, scale: 1, squeeze: 1, gain: hd.exposure(), fill: hd.fillLight()})
	var b bytes.Buffer
	if err := jpeg.Encode(&b, c.YCbCr, &jpeg.Options{Quality: 95}); err != nil {
		return nil, fmt.Errorf("draw portrait: %w", err)
	}
	return b.Bytes(), nil
}

// Clip draws one traveller from the face in the photograph.
func (s *Studio) Clip(photo image.Image, f Face, o FaceOptions) (FaceClip, error) {
	r := rand.New(rand.NewPCG(o.Seed, 0xface))
	hd := cutHead(photo, f)
	far, soft := hd.blurred(7), hd.blurred(4)
	m := newManner(r, f, o.Turn, hd.exposure())
	m.fill = hd.fillLight()
	var c FaceClip
	shot := func(h *head, p pose, t Truth) (Frame, error) {
		cv := s.wall.copyOf()
		h.draw(cv, p)
		return s.finish(cv, t, r)
	}
	for i := range o.Enter {
		h, p := far, m.entering(float64(i)/float64(max(o.Enter, 1)))
		if o.LooksAway && i >= o.Enter-o.LookAway {
			h, p = soft, m.away(float64(i)/FPS)
		}
		fr, err := shot(h, p, Truth{InView: true})
		if err != nil {
			return FaceClip{}, fmt.Errorf("draw face frame: %w", err)
		}
		c.Enter = append(c.Enter, fr)
	}
	for i := range o.Look {
		fr, err := shot(hd, m.looking(float64(i)/FPS), Truth{InView: true, Usable: true})
		if err != nil {
			return FaceClip{}, fmt.Errorf("draw face frame: %w", err)
		}
		c.Look = append(c.Look, fr)
	}
	return c, nil
}

func (s *Studio) finish(c canvas, t Truth, r *rand.Rand) (Frame, error) {
	s.noise.add(c, 2.2, r)
	b, err := c.encode()
	return Frame{JPEG: b, Truth: t}, err
}

// draw sets the head into the picture.
func (hd *head) draw(c canvas, p pose) {
	sin, cos := math.Sincos(-p.roll)
	reach := float64(max(hd.w, hd.h)) * p.scale
	x0, x1 := max(0, int(p.x-reach)), min(c.Rect.Dx()-1, int(p.x+reach))
	y0, y1 := max(0, int(p.y-reach)), c.Rect.Dy()-1
	// source = origin + R(-roll) * (target - position) / scale
	at := func(x, y int) (sx, sy float64) {
		dx, dy := (float64(x)-p.x)/p.scale, (float64(y)-p.y)/p.scale
		sx, sy = hd.ox+(dx*cos-dy*sin)/p.squeeze, min(hd.oy+dx*sin+dy*cos, float64(hd.h)-1.01)
		u, v := (sx-hd.fx)/hd.rx, (sy-hd.fy)/hd.ry
		depth := max(0, 1-u*u-v*v)
		return sx + p.yaw*depth*hd.rx, sy + p.pitch*depth*hd.ry
	}
	for y := y0; y <= y1; y++ {
		for x := x0; x <= x1; x++ {
			sx, sy := at(x, y)
			if sx < 0 || sy < 0 || sx >= float64(hd.w-1) || sy >= float64(hd.h-1) {
				continue
			}
			hd.blend(c, x, y, sx, sy, p)
		}
	}
}

// blend mixes one pixel; the colour planes have half the size.
func (hd *head) blend(c canvas, x, y int, sx, sy float64, p pose) {
	ix, iy := int(sx), int(sy)
	i := iy*hd.w + ix
	fx, fy := int32((sx-float64(ix))*256), int32((sy-float64(iy))*256)
	lerp := func(pl []uint8) int32 {
		top := int32(pl[i])*(256-fx) + int32(pl[i+1])*fx
		low := int32(pl[i+hd.w])*(256-fx) + int32(pl[i+hd.w+1])*fx
		return (top*(256-fy) + low*fy) >> 16
	}
	a := lerp(hd.alpha)
	if a == 0 {
		return
	}
	gain := p.gain * (1 + p.side*(sx-hd.ox)/float64(hd.w)*2)
	yi := y*c.YStride + x
	c.Y[yi] = over(c.Y[yi], int32(float64(lerp(hd.y))*gain+p.fill), a)
	if full := c.SubsampleRatio == image.YCbCrSubsampleRatio444; full || x&1 == 0 && y&1 == 0 {
		ci := c.COffset(x, y)
		c.Cb[ci] = over(c.Cb[ci], lerp(hd.cb)-int32(p.warm), a)
		c.Cr[ci] = over(c.Cr[ci], lerp(hd.cr)+int32(p.warm), a)
	}
}

func over(under uint8, v, a int32) uint8 {
	return clamp((int32(under)*(255-a) + int32(clamp(v))*a) / 255)
}
