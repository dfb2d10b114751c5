package scene

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
)

// AttackOptions say how a presentation attack is made.
type AttackOptions struct {
	Seed   uint64
	Device Device
	Look   int // different frames
	// Hidden keeps the attacker's own face behind what he holds.
	Hidden bool
}

// Sitter is a face in a photograph.
type Sitter struct {
	Photo image.Image
	Face  Face
}

// stance is how one attacker holds his artefact, and the gate's light on it.
type stance struct {
	held
	sway, bob, period, shake float64
	curl                     float64
	glareX, glareY, glareR   float64 // of the lamp's mirror image, picture pixels
	bandPeriod, bandSpeed    float64
	gain, warm               float64
	fingers                  []finger
}

// finger is a piece of the hand over the artefact's edge, millimetres from
// its middle.
type finger struct{ x, y, rx, ry float64 }

// Attack films a photograph of the victim on a device, held before the gate's
// camera by somebody else. The victim's face is as large and as high in the
// picture as an honest traveller's.
func (s *Studio) Attack(victim, attacker Sitter, o AttackOptions) ([]Frame, error) {
	r := rand.New(rand.NewPCG(o.Seed, 0xa77ac))
	shown := newShown(victim, o.Device, r)
	st := newStance(r, o.Device, shown)
	behind := cutHead(attacker.Photo, attacker.Face)
	bp := behindPose(r, behind, st, o)
	var out []Frame
	for i := range o.Look {
		t := float64(i) / FPS
		c := s.wall.copyOf()
		p := bp
		p.x += 3 * math.Sin(2*math.Pi*t/st.period)
		behind.draw(c, p)
		shown.draw(c, st.at(t), t)
		f, err := s.finish(c, Truth{InView: true}, r)
		if err != nil {
			return nil, fmt.Errorf("draw attack frame: %w", err)
		}
		out = append(out, f)
	}
	return out, nil
}

// apart is how far two who stand side by side are from the middle, pixels.
const apart = 165

// Pair films two people side by side who both look at the camera, equally
// near: no one can say whose face is meant.
func (s *Studio) Pair(a, b Sitter, o FaceOptions) (FaceClip, error) {
	r := rand.New(rand.NewPCG(o.Seed, 0x2face))
	heads := [2]*head{cutHead(a.Photo, a.Face), cutHead(b.Photo, b.Face)}
	manners := [2]manner{newManner(r, a.Face, o.Turn, heads[0].exposure()), newManner(r, b.Face, o.Turn, heads[1].exposure())}
	shoot := func(i int) (Frame, error) {
		c := s.wall.copyOf()
		for k, h := range heads {
			p := manners[k].looking(float64(i) / FPS)
			p.x += float64(2*k-1) * apart
			h.draw(c, p)
		}
		return s.finish(c, Truth{InView: true}, r)
	}
	var c FaceClip
	for i := range o.Enter + o.Look {
		f, err := shoot(i)
		if err != nil {
			return FaceClip{}, fmt.Errorf("draw frame of two: %w", err)
		}
		if i < o.Enter {
			c.Enter = append(c.Enter, f)
		} else {
			c.Look = append(c.Look, f)
		}
	}
	return c, nil
}

// behindPose is where the attacker himself stands: for the most part hidden by
// what he holds, in one stream of five with his face beside it.
func behindPose(r *rand.Rand, hd *head, st stance, o AttackOptions) pose {
	d := o.Device
	p := pose{
		x: st.x + 40*(r.Float64()-0.5), y: st.y - 30 + 60*(r.Float64()-0.5), scale: 0.9 + 0.15*r.Float64(), squeeze: 0.96,
		gain: hd.exposure(), fill: hd.fillLight(),
	}
	if r.IntN(5) == 0 && !o.Hidden {
		side := float64(2*r.IntN(2) - 1)
		p.x = st.x + side*(d.W/2*st.scale+90+60*r.Float64())
	} else if top := st.y - d.H/2*st.scale; p.y-120 < top {
		p.y = top + 120
	}
	return p
}

func newStance(r *rand.Rand, d Device, s *shown) stance {
	u := func(lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }
	st := stance{
		sway: u(2, 9), bob: u(1, 6), period: u(0.8, 1.7), shake: u(0.2, 1.2), curl: d.Curl * u(-1, 1),
		glareX: u(420, 860), glareY: u(120, 520), glareR: u(40, 130), bandPeriod: u(90, 400), bandSpeed: u(-900, 900),
		gain: u(0.92, 1.08), warm: u(-4, 4),
	}
	st.scale = s.scale
	st.roll, st.tiltX, st.tiltY = u(-0.09, 0.09), u(-0.16, 0.16), u(-0.16, 0.16)
	// The shown face, not the artefact, stands where a face is looked for.
	st.x, st.y = u(600, 680)-s.eyesX*s.scale, u(270, 330)-s.eyesY*s.scale
	side := float64(2*r.IntN(2) - 1)
	for i := range 1 + r.IntN(4) {
		st.fingers = append(st.fingers, finger{x: side * (d.W/2 - u(-4, 6)), y: d.H*u(0.05, 0.2) + float64(i)*19, rx: u(9, 15), ry: u(8, 10)})
	}
	if r.IntN(2) == 0 {
		st.fingers = append(st.fingers, finger{x: d.W * u(-0.3, 0.3), y: d.H/2 - u(0, 10), rx: 10, ry: u(14, 24)})
	}
	return st
}

func (st stance) at(t float64) stance {
	a := 2 * math.Pi * t / st.period
	st.x += st.sway*math.Sin(a) + st.shake*math.Sin(7.3*a)
	st.y += st.bob*math.Sin(1.7*a) + st.shake*math.Cos(6.1*a)
	st.roll += 0.015 * math.Sin(0.8*a)
	st.tiltX += 0.03 * math.Sin(1.1*a)
	st.tiltY += 0.03 * math.Cos(0.9*a)
	return st
}
