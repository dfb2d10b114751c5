package biometrics

import (
	"errors"
	"slices"
	"testing"
)

func portrait(e Embedding) Portrait {
	return Portrait{Raw: e, Quality: Quality{
		Faces: 1, Score: 0.99, Norm: e.Norm(), EyeDistance: 60, Laplacian: 35, Luminance: 120, NoseDrop: 0.57,
	}}
}

func TestEnrolPortraits(t *testing.T) {
	r, holder, other := shipped(), newPerson(1), newPerson(2)
	first, second := portrait(holder.frame(3.8, 0.4)), portrait(holder.frame(3.5, 0.4))
	ref, refused, err := r.EnrolPortraits(first, second)
	if err != nil || !slices.Equal(refused, []Refusal{RefusedNot, RefusedNot}) {
		t.Fatal(refused, err)
	}
	one, _, err := r.EnrolPortraits(first)
	if err != nil {
		t.Fatal(err)
	}
	probe := holder.frame(3.8, 0.4)
	both, _ := r.Score(probe, ref)
	if alone, _ := r.Score(probe, one); both <= alone {
		t.Errorf("two photographs score %.3f, one %.3f", both, alone)
	}
	weak, dark, none := portrait(holder.frame(3.1, 0.2)), second, Portrait{}
	dark.Quality.Luminance = 30
	crowd := second
	crowd.Quality.Faces, crowd.Quality.Second = 2, 0.9
	for name, c := range map[string]struct {
		list []Portrait
		want []Refusal
	}{
		"none at all":      {nil, []Refusal{}},
		"no face":          {[]Portrait{first, none}, []Refusal{RefusedNot, RefusedNone}},
		"first has none":   {[]Portrait{none, first}, []Refusal{RefusedNone, RefusedOther}},
		"good for a probe": {[]Portrait{weak}, []Refusal{Refusal(HintUncover)}},
		"dark":             {[]Portrait{first, dark}, []Refusal{RefusedNot, Refusal(HintTooDark)}},
		"two faces":        {[]Portrait{crowd}, []Refusal{Refusal(HintOnePerson)}},
		"another person":   {[]Portrait{first, portrait(other.frame(3.8, 0))}, []Refusal{RefusedNot, RefusedOther}},
	} {
		ref, refused, err := r.EnrolPortraits(c.list...)
		if !errors.Is(err, ErrPortrait) || ref != nil || !slices.Equal(refused, c.want) {
			t.Errorf("%s: %v, %v, %v", name, ref, refused, err)
		}
	}
	if _, refused, _ := r.EnrolPortraits(slices.Repeat([]Portrait{first}, MaxPortraits+1)...); refused[MaxPortraits] != RefusedMany {
		t.Errorf("one too many: %v", refused)
	}
}

// TestEveryRefusalHasItsAdvice : a photograph is never refused without saying what to do.
func TestEveryRefusalHasItsAdvice(t *testing.T) {
	seen := map[string]Refusal{}
	for _, r := range []Refusal{
		RefusedNot, RefusedNone, RefusedOther, RefusedMany, Refusal(HintLookHere), Refusal(HintOnePerson), Refusal(HintCloser),
		Refusal(HintTooDark), Refusal(HintTooBright), Refusal(HintUpright), Refusal(HintHoldStill), Refusal(HintUncover),
	} {
		a := r.Advice()
		if twin, twice := seen[a]; a == "" || twice {
			t.Errorf("%q says %q, as %q does", r, a, twin)
		}
		seen[a] = r
	}
}
