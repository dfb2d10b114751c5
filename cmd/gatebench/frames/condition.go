package frames

import (
	"math"
	"math/rand/v2"
)

// Scene is how a pass is held and seen. The zero value of a field leaves it
// out, but for Module.
type Scene struct {
	Module     float64 // pixels a module
	Roll       float64 // degrees
	Tilt, Lean float64 // degrees about the upright and the level axis
	X, Y       float64 // of the symbol's centre, from the frame's, in shares of its size
	Blur       float64 // sigma in pixels
	Motion     float64 // pixels
	Heading    float64 // of the motion, degrees
	Noise      float64 // sigma in grey levels
	Faint      float64 // share of the contrast that is lost
	Gradient   float64 // share of the light that is lost from left to right
	Damage     float64 // share of the symbol that is painted over
	Inverted   bool
}

// Condition makes the scene of one frame out of a plain one.
type Condition struct {
	Name  string
	apply func(s *Scene, r *rand.Rand)
}

// Scene draws a scene under the condition; base is the module size in pixels
// where the condition has none of its own.
func (c Condition) Scene(base float64, r *rand.Rand) Scene {
	s := Scene{Module: base, Roll: r.Float64()*4 - 2, X: r.Float64()*0.04 - 0.02, Y: r.Float64()*0.04 - 0.02, Noise: 2}
	c.apply(&s, r)
	return s
}

// Gate is the name of the condition that mixes the others as a gate does.
const Gate = "gate"

// Conditions is every condition, each changing one thing but the last, which
// draws all of them mildly.
func Conditions() []Condition {
	set := func(name string, change func(*Scene)) Condition {
		return Condition{name, func(s *Scene, _ *rand.Rand) { change(s) }}
	}
	return []Condition{
		set("rot0", func(s *Scene) { s.Roll = 0 }),
		set("rot15", func(s *Scene) { s.Roll += 15 }),
		set("rot45", func(s *Scene) { s.Roll += 45 }),
		set("rot90", func(s *Scene) { s.Roll += 90 }),
		set("rot187", func(s *Scene) { s.Roll += 187 }),
		set("pm1.5", func(s *Scene) { s.Module = 1.5 }),
		set("pm2", func(s *Scene) { s.Module = 2 }),
		set("pm3", func(s *Scene) { s.Module = 3 }),
		set("pm6", func(s *Scene) { s.Module = 6 }),
		{"tilt15", func(s *Scene, r *rand.Rand) { tilt(s, r, 15) }},
		{"tilt35", func(s *Scene, r *rand.Rand) { tilt(s, r, 35) }},
		set("blur1", func(s *Scene) { s.Blur = 1 }),
		set("blur2", func(s *Scene) { s.Blur = 2 }),
		set("blur3", func(s *Scene) { s.Blur = 3 }),
		{"motion8", func(s *Scene, r *rand.Rand) { s.Motion, s.Heading = 8, 360*r.Float64() }},
		set("noise15", func(s *Scene) { s.Noise = 15 }),
		set("noise40", func(s *Scene) { s.Noise = 40 }),
		set("contrast40", func(s *Scene) { s.Faint = 0.6 }),
		set("contrast15", func(s *Scene) { s.Faint = 0.85 }),
		set("gradient", func(s *Scene) { s.Gradient = 0.8 }),
		set("damage", func(s *Scene) { s.Damage = 0.05 }),
		{"off-centre", func(s *Scene, r *rand.Rand) {
			s.X, s.Y = math.Copysign(0.22, r.Float64()-0.5), math.Copysign(0.12, r.Float64()-0.5)
		}},
		set("inverted", func(s *Scene) { s.Inverted = true }),
		{Gate, gate},
	}
}

func tilt(s *Scene, r *rand.Rand, degrees float64) {
	if r.IntN(2) == 0 {
		degrees = -degrees
	}
	if r.IntN(2) == 0 {
		s.Tilt = degrees
	} else {
		s.Lean = degrees
	}
}

// gate is a pass held by hand over a document camera.
func gate(s *Scene, r *rand.Rand) {
	between := func(a, b float64) float64 { return a + (b-a)*r.Float64() }
	s.Module *= between(0.7, 1.15)
	s.Roll = between(-30, 30) + 180*float64(r.IntN(2))
	s.Tilt, s.Lean = between(-20, 20), between(-20, 20)
	s.X, s.Y = between(-0.12, 0.12), between(-0.08, 0.08)
	s.Blur = between(0.4, 1.3)
	s.Motion, s.Heading = between(0, 3), between(0, 360)
	s.Noise = between(3, 12)
	s.Faint = between(0.1, 0.65)
	s.Gradient = between(0, 0.5)
	if r.IntN(4) == 0 {
		s.Damage = between(0, 0.03)
	}
}

// Follow returns the scene a frame later, as a hand moves it. What is wrong
// with the light and the lens stays; the direction of a motion turns.
func (s Scene) Follow(r *rand.Rand) Scene {
	s.Roll += r.NormFloat64() * 0.8
	s.Tilt += r.NormFloat64() * 0.8
	s.Lean += r.NormFloat64() * 0.8
	s.Module *= 1 + r.NormFloat64()*0.006
	s.X += r.NormFloat64() * 0.004
	s.Y += r.NormFloat64() * 0.004
	if s.Motion > 0 {
		s.Heading += r.NormFloat64() * 30
	}
	return s
}
