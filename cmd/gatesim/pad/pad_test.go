package pad

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"bordergate/biometrics"
	"bordergate/cmd/gatesim/people"
	"bordergate/cmd/gatesim/scene"
)

func model() *biometrics.Recogniser {
	return &biometrics.Recogniser{ID: "m", Dim: 64, Norm: biometrics.NormLimits{Probe: 1, Enrol: 1}, Limits: biometrics.Thresholds{Reject: 0.34, TooGood: 0.97}}
}

// frame is a good one with a value of the liveness rule.
func frame(value, lines float64) seen {
	e := make(biometrics.Embedding, 64)
	for i := range e {
		e[i] = 1
	}
	return seen{
		quality: biometrics.Quality{Faces: 1, Score: 1, Norm: 3.8, EyeDistance: 80, Laplacian: 40, Luminance: 120, NoseDrop: 0.55},
		raw:     e, score: biometrics.LivenessScore{MS27: value, SQ15: value, Lines: lines, Size: 0.3, X: 0.5, Y: 0.4},
	}
}

func second(s seen) seen { s.quality.Faces, s.quality.Second = 2, 0.9; return s }

func tried(t *testing.T, kind string, frames ...seen) Result {
	t.Helper()
	s := Stream{Kind: kind, Device: scene.Device{Kind: "phone"}, Frames: make([]scene.Frame, len(frames))}
	x, err := try(s, model(), biometrics.DefaultLivenessRule(), func(i int) (seen, error) { return frames[i], nil })
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestTryJudgesAsTheGateDoes(t *testing.T) {
	live, attack, bezel := frame(2, 0), frame(-9, 3), frame(-2, 4)
	for _, c := range []struct {
		name   string
		frames []seen
		want   biometrics.Liveness
		looked int
		cues   []string
	}{
		{"live after three", []seen{live, live, live, live, live}, biometrics.LivenessLive, 3, nil},
		{"attack after five", []seen{attack, attack, attack, attack, attack, attack}, biometrics.LivenessAttack, 5, []string{"network", "lines"}},
		{"lines tip the scale", []seen{bezel, bezel, bezel, bezel, bezel}, biometrics.LivenessAttack, 5, []string{"lines"}},
		{"his own face beside it", []seen{second(live), second(live), second(live), second(live), live}, biometrics.LivenessUndecided, 5, []string{"second_face"}},
		{"no face", make([]seen, 5), biometrics.LivenessUndecided, 5, []string{"quality"}},
	} {
		x := tried(t, Screen, c.frames...)
		if x.Verdict != c.want || x.Frames != c.looked || !slices.Equal(caught(x, biometrics.DefaultLivenessRule()), c.cues) {
			t.Errorf("%s: %s after %d frames, caught by %v", c.name, x.Verdict, x.Frames, caught(x, biometrics.DefaultLivenessRule()))
		}
	}
	gone := errors.New("gone")
	if _, err := try(Stream{Frames: make([]scene.Frame, 1)}, model(), biometrics.DefaultLivenessRule(), func(int) (seen, error) { return seen{}, gone }); !errors.Is(err, gone) {
		t.Errorf("a frame that could not be looked at: %v", err)
	}
}

func TestReportCounts(t *testing.T) {
	rule := biometrics.DefaultLivenessRule()
	r := &Report{QualityHints: map[string]int{}}
	live, attack := frame(2, 0), frame(-9, 3)
	r.add(tried(t, Live, live, live, live), rule)
	r.add(tried(t, Live, second(live), live, live, live), rule)
	r.add(tried(t, Live, attack, attack, attack), rule)
	r.add(tried(t, Print, attack, attack, attack), rule)
	r.add(tried(t, Screen, live, live, live), rule)
	r.finish()
	if r.BPCER.Count != 1 || r.BPCER.Of != 3 || r.QualityRejected.Count != 1 || r.QualityRejected.Of != 10 || r.OK {
		t.Errorf("%+v, %+v, %v", r.BPCER, r.QualityRejected, r.OK)
	}
	p, s := kindOf(&r.Media, Print), kindOf(&r.Media, Screen)
	if p.APCER.Count != 0 || p.APCER.Of != 1 || s.APCER.Count != 1 || s.APCER.Share != 1 || p.Cues["lines"] != 1 || len(p.Only) != 0 {
		t.Errorf("%+v, %+v", p, s)
	}
	if len(r.Kinds) != 2 || len(r.Streams) != 5 {
		t.Errorf("%d kinds, %d streams", len(r.Kinds), len(r.Streams))
	}
	good := &Report{QualityHints: map[string]int{}}
	good.add(tried(t, Live, live, live, live), rule)
	good.add(tried(t, Print, attack, attack, attack), rule)
	if good.finish(); !good.OK {
		t.Errorf("%+v", good)
	}
}

func TestOrdersUseEveryDeviceOfTheMedium(t *testing.T) {
	list := []people.Person{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	got := orders(Screen, 40, list, scene.Devices(true), rand.New(rand.NewPCG(1, 1)))
	used, seeds := map[string]bool{}, map[uint64]bool{}
	for _, o := range got {
		if o.device.Medium != scene.Screen || o.who.ID == o.behind.ID {
			t.Errorf("%+v", o)
		}
		used[o.device.Name], seeds[o.seed] = true, true
	}
	if len(used) != 4 || len(seeds) != 40 {
		t.Errorf("%d devices, %d seeds", len(used), len(seeds))
	}
}

func TestRateHasItsLimits(t *testing.T) {
	if r := newRate(0, 200); r.Share != 0 || r.Low != 0 || r.High < 0.018 || r.High > 0.02 {
		t.Errorf("%+v", r)
	}
	if r := newRate(0, 0); r.High != 1 {
		t.Errorf("%+v", r)
	}
}
