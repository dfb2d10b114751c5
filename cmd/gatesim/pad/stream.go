package pad

import (
	"math/rand/v2"

	"bordergate/cmd/gatesim/people"
	"bordergate/cmd/gatesim/scene"
)

// The kinds of stream.
const (
	Live   = "live"
	Print  = string(scene.Print)
	Screen = string(scene.Screen)
)

// Stream is one presentation.
type Stream struct {
	Kind   string
	Device scene.Device // of attacks
	Who    people.Person
	Frames []scene.Frame
}

// order is a stream that is not drawn yet.
type order struct {
	kind        string
	device      scene.Device
	who, behind people.Person
	seed        uint64
}

// orders lists n streams of a kind. People come again when there are fewer.
func orders(kind string, n int, list []people.Person, devices []scene.Device, r *rand.Rand) []order {
	var fit []scene.Device
	for _, d := range devices {
		if string(d.Medium) == kind {
			fit = append(fit, d)
		}
	}
	turn := r.Perm(len(list))
	out := make([]order, 0, n)
	for i := range n {
		o := order{kind: kind, who: list[turn[i%len(list)]], behind: list[turn[(i+1)%len(list)]], seed: r.Uint64()}
		if kind != Live {
			o.device = fit[i%len(fit)]
		}
		out = append(out, o)
	}
	return out
}

// draw makes the frames.
func (o order) draw(st *scene.Studio, frames int) (Stream, error) {
	s := Stream{Kind: o.kind, Device: o.device, Who: o.who}
	photo, err := o.who.Film.Load()
	if err != nil {
		return s, err
	}
	if o.kind == Live {
		c, err := st.Clip(photo, o.who.Film.Face, scene.FaceOptions{Seed: o.seed, Look: frames, Turn: o.who.Turn()})
		s.Frames = c.Look
		return s, err
	}
	behind, err := o.behind.Film.Load()
	if err != nil {
		return s, err
	}
	s.Frames, err = st.Attack(scene.Sitter{Photo: photo, Face: o.who.Film.Face}, scene.Sitter{Photo: behind, Face: o.behind.Film.Face},
		scene.AttackOptions{Seed: o.seed, Device: o.device, Look: frames})
	return s, err
}
