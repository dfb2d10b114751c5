package biometrics

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHintsHaveAnOrder(t *testing.T) {
	all := Hints()
	for _, h := range []Hint{HintLookHere, HintOnePerson, HintCloser, HintTooDark, HintTooBright, HintUpright, HintHoldStill, HintUncover} {
		if !slices.Contains(all, h) {
			t.Errorf("%s is never shown", h)
		}
	}
	if slices.Contains(all, HintNone) {
		t.Error("nothing is a hint")
	}
}

func TestHinter(t *testing.T) {
	const n, c, s, d = HintNone, HintCloser, HintHoldStill, HintTooDark
	cases := map[string]struct {
		causes []Hint // one each 100 ms
		want   []Hint
	}{
		"one bad frame":       {[]Hint{n, c, n, n}, []Hint{n, n, n, n}},
		"after 300 ms":        {[]Hint{c, c, c, c, c}, []Hint{n, n, n, c, c}},
		"kept for a second":   {[]Hint{c, c, c, c, n, n, n, n, n, n, n, n, n, n, n}, []Hint{n, n, n, c, c, c, c, c, c, c, c, c, c, n, n}},
		"more often than not": {[]Hint{s, s, s, n, s, s, n, s}, []Hint{n, n, n, n, n, s, s, s}},
		"the first of two": {
			[]Hint{s, s, s, s, d, d, d, d, d, d, d, d, d, d, d}, []Hint{n, n, n, s, s, s, s, s, s, s, s, s, s, d, d},
		},
	}
	for name, k := range cases {
		t.Run(name, func(t *testing.T) {
			h := NewHinter(DefaultHintRule())
			var got []Hint
			for i, cause := range k.causes {
				got = append(got, h.See(time.Duration(i)*100*time.Millisecond, cause))
			}
			if !slices.Equal(got, k.want) {
				t.Errorf("shown %q\n want %q", got, k.want)
			}
		})
	}
	if (&Hinter{}).See(0, HintCloser) != HintNone {
		t.Error("a hinter without a rule shows something")
	}
}

// TestHinterIsSteady holds for any causes at any pace: what is shown was the cause for long enough, stays long enough, and is taken
// away when the cause is.
func TestHinterIsSteady(t *testing.T) {
	shown := 0
	rapid.Check(t, func(t *rapid.T) {
		r := DefaultHintRule()
		h := NewHinter(r)
		causes := append(Hints()[:rapid.IntRange(1, 8).Draw(t, "kinds")], HintNone)
		held := map[Hint]time.Duration{}
		var at, since time.Duration
		var now Hint
		for range rapid.IntRange(2, 120).Draw(t, "frames") {
			step := time.Duration(rapid.SampledFrom([]int{0, 30, 40, 40, 100, 700}).Draw(t, "ms")) * time.Millisecond
			at += step
			cause := rapid.SampledFrom(causes).Draw(t, "cause")
			held[cause] += step
			got := h.See(at, cause)
			if got != now {
				shown++
				if got != HintNone && held[got] < r.After {
					t.Fatalf("%q is shown after it held for %v", got, held[got])
				}
				if now != HintNone && at-since < r.Keep {
					t.Fatalf("%q was shown for %v", now, at-since)
				}
				now, since = got, at
			}
		}
		for range 20 {
			at += 100 * time.Millisecond
			now = h.See(at, HintNone)
		}
		if now != HintNone {
			t.Fatalf("%q is shown and nothing is wrong", now)
		}
	})
	if shown == 0 {
		t.Error("no run came as far as a hint")
	}
}
