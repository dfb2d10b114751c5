package app

import (
	"testing"

	"pgregory.net/rapid"

	"bordergate/biometrics"
	"bordergate/gate"
	"bordergate/hal/vision"
)

// sight is what a worker says of a frame with one good face in it.
func sight(ms int64, x float32, raw biometrics.Embedding) vision.Face {
	return vision.Face{
		Session: 1, FrameAt: ms * 1e6, Count: 1, Box: [4]float32{x, 200, 200, 240}, Width: 1280, Height: 720,
		Quality: vision.FaceQuality{Score: .99, Norm: 3.8, EyeDistance: 86, Laplacian: 60, Luminance: 120, NoseDrop: .58},
		Raw:     append([]float32(nil), raw...),
	}
}

// TestMatchIsOfOnePerson lets the holder and somebody else stand before the
// camera in turns, and takes in what the lane would. A match of the holder's
// reference never comes of frames of both.
func TestMatchIsOfOnePerson(t *testing.T) {
	m := testMatcher()
	holder, noise, other := person(1), person(2), person(3)
	ref, err := m.model.Enrol(holder)
	if err != nil {
		t.Fatal(err)
	}
	e := &eye{model: m.model, rules: biometrics.ProbeRules()}
	matches := 0
	rapid.Check(t, func(t *rapid.T) {
		f := newFollower(m.model.Limits.Reject)
		var faces []gate.Face
		var whose []bool
		ms := int64(0)
		for range rapid.IntRange(1, 40).Draw(t, "frames") {
			ms += int64(rapid.SampledFrom([]int{40, 40, 80, 400, 900}).Draw(t, "ms"))
			isHolder := rapid.IntRange(0, 3).Draw(t, "who") > 0
			raw := view(other, noise, rapid.Float64Range(.6, .7).Draw(t, "share"))
			if isHolder {
				raw = view(holder, noise, rapid.Float64Range(.6, .7).Draw(t, "share"))
			}
			v := sight(ms, float32(rapid.SampledFrom([]int{500, 510, 900}).Draw(t, "x")), raw)
			if rapid.IntRange(0, 4).Draw(t, "turned") == 0 {
				v.Quality.NoseOffset = .5
			}
			g := e.face(v)
			s := f.Follow(g)
			if s != gate.SightKept && s != gate.SightAway {
				faces, whose = nil, nil
			}
			if g.Usable && s != gate.SightAway && s != gate.SightCrowd {
				faces, whose = append(faces, g), append(whose, isHolder)
			}
			if m.Match(faces, "m", ref.Bytes(), false).Similarity != gate.Same {
				continue
			}
			matches++
			for _, w := range whose {
				if !w {
					t.Fatalf("matched on %v", whose)
				}
			}
			if !f.Present(ms*1e6) || f.Present((ms+701)*1e6) {
				t.Fatal("the one who matched is not there now, or for ever")
			}
		}
	})
	if matches == 0 {
		t.Error("no run came as far as a match")
	}
}

func TestSecondFaceBreaksTheTrack(t *testing.T) {
	e, f := &eye{model: testMatcher().model, rules: biometrics.ProbeRules()}, newFollower(.34)
	a := person(1)
	see := func(ms int64, second float32) gate.Sight {
		v := sight(ms, 500, a)
		if second > 0 {
			v.Count, v.Second = 2, second
		}
		return f.Follow(e.face(v))
	}
	for i, want := range []gate.Sight{gate.SightNew, gate.SightKept, gate.SightCrowd, gate.SightCrowd, gate.SightNew} {
		if got := see(int64(i)*40, []float32{0, .2, .5, .35, .2}[i]); got != want {
			t.Errorf("frame %d: %v, want %v", i, got, want)
		}
	}
}

func TestHintsAreOfOneTraveller(t *testing.T) {
	e := &eye{camera: gate.FaceCamera, model: testMatcher().model, rules: biometrics.ProbeRules()}
	far := sight(0, 500, person(1))
	far.Quality.EyeDistance = 30
	see := func(ms int64) string {
		far.FrameAt = ms * 1e6
		return e.face(far).Hint
	}
	e.begin(1)
	for ms := int64(0); ms < 300; ms += 100 {
		if h := see(ms); h != "" {
			t.Fatalf("%q is shown after %d ms", h, ms)
		}
	}
	if h := see(300); h != string(biometrics.HintCloser) {
		t.Fatalf("shown: %q", h)
	}
	e.begin(2)
	if h := see(400); h != "" {
		t.Errorf("the next traveller is shown %q at once", h)
	}
}
