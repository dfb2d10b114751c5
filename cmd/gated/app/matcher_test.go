package app

import (
	"math/rand/v2"
	"testing"

	"bordergate/biometrics"
	"bordergate/configs"
	"bordergate/gate"
	"bordergate/hal/vision"
)

// testMatcher has the shipped manifest's recogniser under another id.
func testMatcher() matcher {
	models, err := configs.LoadModels("../../../configs/models.yaml")
	if err != nil {
		panic(err)
	}
	m, err := newMatcher(models, configs.ModelUse{FMR: 1e-4})
	if err != nil {
		panic(err)
	}
	m.model.ID = "m"
	return m
}

// person is a random direction with the length of a good face.
func person(seed uint64) biometrics.Embedding {
	r := rand.New(rand.NewPCG(seed, 1))
	e := make(biometrics.Embedding, testMatcher().model.Dim)
	for i := range e {
		e[i] = float32(r.NormFloat64())
	}
	// Only what lies in the projection's range can be enrolled; a person is
	// therefore made of it.
	basis, err := biometrics.DefaultBasis()
	if err != nil {
		panic(err)
	}
	return scale(lift(basis, e), 3.8)
}

func lift(b *biometrics.Basis, e biometrics.Embedding) biometrics.Embedding {
	y := b.Project(e)
	out := make(biometrics.Embedding, len(e))
	for i := range out {
		unit := make(biometrics.Embedding, len(e))
		unit[i] = 1
		row := b.Project(unit)
		var v float64
		for k := range y {
			v += y[k] * row[k]
		}
		out[i] = float32(v)
	}
	return out
}

func scale(e biometrics.Embedding, norm float64) biometrics.Embedding {
	out := make(biometrics.Embedding, len(e))
	f := float32(norm / e.Norm())
	for i := range e {
		out[i] = e[i] * f
	}
	return out
}

// view mixes two persons, so that its cosine with the first is near share.
func view(a, b biometrics.Embedding, share float64) biometrics.Embedding {
	out := make(biometrics.Embedding, len(a))
	for i := range a {
		out[i] = float32(share)*a[i] + float32(1-share)*b[i]
	}
	return scale(out, 3.8)
}

func faces(n int, e biometrics.Embedding) []gate.Face {
	out := make([]gate.Face, n)
	for i := range out {
		out[i] = gate.Face{Count: 1, Usable: true, Norm: 3.8, Embedding: e}
	}
	return out
}

func TestMatcher(t *testing.T) {
	a, b := person(1), person(2)
	ref, err := testMatcher().model.Enrol(a)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name  string
		faces []gate.Face
		model string
		final bool
		want  gate.Similarity
	}{
		{"too few frames yet", faces(2, view(a, b, .6)), "m", false, gate.Undecided},
		{"two frames at the end", faces(2, view(a, b, .6)), "m", true, gate.Same},
		{"three frames agree", faces(3, view(a, b, .6)), "m", false, gate.Same},
		{"the enrolled picture itself", faces(3, a), "m", false, gate.TooGood},
		{"another person, not sure yet", faces(3, b), "m", false, gate.Undecided},
		{"another person", faces(6, b), "m", false, gate.Different},
		{"between, still looking", faces(8, view(a, b, .31)), "m", false, gate.Undecided},
		{"between at the end", faces(8, view(a, b, .31)), "m", true, gate.Between},
		{"another model", faces(3, view(a, b, .6)), "other", true, gate.Undecided},
		{"no frame", nil, "m", true, gate.Undecided},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := testMatcher().Match(c.faces, c.model, ref.Bytes(), c.final)
			if got.Similarity != c.want {
				t.Fatalf("similarity %v at score %.3f of %.3f, want %v", got.Similarity, got.Score, got.Threshold, c.want)
			}
		})
	}
	if got := testMatcher().Match(faces(3, a), "m", []byte("short"), true); got.Similarity != gate.Undecided {
		t.Error("a broken reference was compared")
	}
}

func TestMatcherLiveness(t *testing.T) {
	a := person(1)
	ref, err := testMatcher().model.Enrol(a)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		cues gate.LiveCues
		n    int
		want gate.Liveness
	}{
		{"live", gate.LiveCues{MS27: 3, SQ15: 3}, 5, gate.LiveYes},
		{"screen edges", gate.LiveCues{MS27: 2, SQ15: 2, Lines: 12}, 5, gate.LiveAttack},
		{"never measured", gate.LiveCues{}, 0, gate.LiveUndecided},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := faces(5, a)
			for i := range c.n {
				f[i].LiveDone, f[i].Live = true, c.cues
			}
			got := testMatcher().Match(f, "m", ref.Bytes(), true)
			if got.Liveness != c.want || got.LivenessVersion == "" {
				t.Fatalf("liveness %v by %q, want %v", got.Liveness, got.LivenessVersion, c.want)
			}
		})
	}
}

// The liveness of one face must not vouch for another: an attacker's own face,
// tilted so that it takes no part in the comparison, before the photograph.
func TestMatcherTakesLivenessOfTheComparedFaceOnly(t *testing.T) {
	victim, attacker := person(1), person(2)
	ref, err := testMatcher().model.Enrol(victim)
	if err != nil {
		t.Fatal(err)
	}
	alive := gate.LiveCues{MS27: 5, SQ15: 5}
	tilted := make([]gate.Face, 5)
	for i := range tilted {
		tilted[i] = gate.Face{Count: 1, Norm: 3.8, LiveDone: true, Live: alive} // not usable: no embedding
	}
	got := testMatcher().Match(append(tilted, faces(5, view(victim, attacker, .6))...), "m", ref.Bytes(), true)
	if got.Similarity != gate.Same || got.Liveness != gate.LiveUndecided {
		t.Errorf("%v and %v: an unusable face vouched for the photograph", got.Similarity, got.Liveness)
	}
	other := faces(5, view(victim, attacker, .6))
	stranger := faces(1, person(3))
	stranger[0].LiveDone, stranger[0].Live = true, alive
	for range 5 {
		other = append(other, stranger[0])
	}
	if got := testMatcher().Match(other, "m", ref.Bytes(), true); got.Liveness != gate.LiveUndecided {
		t.Errorf("%v: another person vouched for the photograph", got.Liveness)
	}
}

func TestCuesHaveTheFacesPlace(t *testing.T) {
	f := vision.Face{Width: 1280, Height: 720, Box: [4]float32{600, 180, 80, 180}, Live: vision.FaceLive{Done: true, MS27: 1, SQ15: 2, Lines: 3}}
	if got, want := cues(f), (gate.LiveCues{MS27: 1, SQ15: 2, Lines: 3, Size: 0.25, X: 0.5, Y: 0.375}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	f.Width = 0
	if got := cues(f); got.Size != 0 || got.X != 0 {
		t.Errorf("%+v of a frame without a size", got)
	}
}
