package biometrics

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func frames(values ...[3]float64) (out []LivenessScore) {
	for _, v := range values {
		out = append(out, LivenessScore{MS27: v[0], SQ15: v[1], Lines: v[2], Size: 0.3, X: 0.5, Y: 0.4})
	}
	return out
}

func session(t interface{ Errorf(string, ...any) }, scores []LivenessScore) *LivenessSession {
	var s LivenessSession
	for _, v := range scores {
		if !s.Add(v) {
			t.Errorf("%v not taken", v)
		}
	}
	return &s
}

func TestLiveness(t *testing.T) {
	type f = [3]float64
	for _, c := range []struct {
		name   string
		scores []LivenessScore
		final  bool
		want   Liveness
	}{
		{"none", nil, true, LivenessUndecided},
		{"too few", frames(f{5, 5, 0}, f{5, 5, 0}), true, LivenessUndecided},
		{"live", frames(f{3, 5, 0}, f{-20, -20, 0}, f{2, 2, 1}), false, LivenessLive},
		{"attack", frames(f{-8, -6, 0}, f{9, 9, 0}, f{-6, -6, 0}), true, LivenessAttack},
		{"attack, but more may come", frames(f{-8, -6, 0}, f{9, 9, 0}, f{-6, -6, 0}), false, LivenessUndecided},
		{"attack with all it can hold", frames(f{-8, -6, 0}, f{9, 9, 0}, f{-6, -6, 0}, f{-6, -6, 0}, f{9, 9, 0}), false, LivenessAttack},
		{"bezel", frames(f{2, 2, 40}, f{2, 2, 7}, f{2, 2, 9}), true, LivenessAttack},
		{"at the threshold", frames(f{-4, -4, 0}, f{-4, -4, 0}, f{-4, -4, 0}), true, LivenessAttack},
		{"even counts low", frames(f{9, 9, 0}, f{9, 9, 0}, f{-9, -9, 0}, f{-9, -9, 0}), true, LivenessAttack},
	} {
		s := session(t, c.scores)
		if got := s.Verdict(DefaultLivenessRule(), c.final); got != c.want {
			t.Errorf("%s: %s (median %.1f), want %s", c.name, got, s.Median(), c.want)
		}
	}
}

func TestLivenessBounds(t *testing.T) {
	if v := (LivenessScore{MS27: 2, SQ15: 4, Lines: 50}).Value(); v != 3-12 {
		t.Errorf("value %v, want -9: lines count at most 12", v)
	}
	if v := (LivenessScore{MS27: 2, SQ15: 4, Lines: -5}).Value(); v != 3 {
		t.Errorf("value %v, want 3: lines never add", v)
	}
	var s LivenessSession
	if s.Add(LivenessScore{MS27: math.NaN()}) || s.Add(LivenessScore{SQ15: math.Inf(1)}) || s.Add(LivenessScore{Lines: math.NaN()}) || s.Add(LivenessScore{Size: math.NaN()}) {
		t.Error("a score that is no number was taken")
	}
	for range MaxFrames {
		s.Add(LivenessScore{MS27: -9, SQ15: -9})
	}
	if s.Add(LivenessScore{MS27: 9, SQ15: 9}) || s.N() != MaxFrames {
		t.Error("a sixth frame was taken")
	}
	rule := DefaultLivenessRule()
	rule.Margin = 6
	if got := s.Verdict(rule, true); got != LivenessUndecided {
		t.Errorf("inside the margin: %s, want undecided", got)
	}
}

func TestLivenessPlace(t *testing.T) {
	rule := DefaultLivenessRule()
	rule.Place = Place{MinSize: 0.2, MaxSize: 0.4, MinX: 0.3, MaxX: 0.7, MinY: 0.2, MaxY: 0.6}
	at := func(size, x, y float64) LivenessScore { return LivenessScore{MS27: 5, SQ15: 5, Size: size, X: x, Y: y} }
	good := at(0.3, 0.5, 0.4)
	for _, c := range []struct {
		name string
		odd  LivenessScore
	}{
		{"too large", at(0.41, 0.5, 0.4)},
		{"too small", at(0.19, 0.5, 0.4)},
		{"at the side", at(0.3, 0.71, 0.4)},
		{"too low", at(0.3, 0.5, 0.61)},
	} {
		if got := session(t, []LivenessScore{good, c.odd, good}).Verdict(rule, true); got != LivenessLive {
			t.Errorf("%s in one of three: %s", c.name, got)
		}
		s := session(t, []LivenessScore{c.odd, c.odd, good})
		if got := s.Verdict(rule, true); got != LivenessUndecided {
			t.Errorf("%s in two of three: %s, want undecided", c.name, got)
		}
		if got := s.Cues(rule); !slices.Equal(got, []Cue{CuePlace}) {
			t.Errorf("%s: cues %v", c.name, got)
		}
		rule := DefaultLivenessRule()
		if got := s.Verdict(rule, true); got != LivenessLive {
			t.Errorf("%s without a calibrated place: %s", c.name, got)
		}
	}
}

func TestLivenessCuesAndVersion(t *testing.T) {
	type f = [3]float64
	rule := DefaultLivenessRule()
	if got := session(t, frames(f{-9, -9, 2}, f{-9, -9, 0}, f{-9, -9, 3})).Cues(rule); !slices.Equal(got, []Cue{CueNetwork, CueLines}) {
		t.Errorf("cues %v", got)
	}
	if got := session(t, frames(f{3, 3, 0})).Cues(rule); got != nil {
		t.Errorf("cues %v against a live face", got)
	}
	a := rule.Version("net@1")
	rule.Calibration = "c1"
	if b := rule.Version("net@1"); a == b || a == "" {
		t.Errorf("versions %q and %q", a, b)
	}
}

// Nothing but enough frames above the threshold is ever live.
func TestLivenessIsNeverGivenAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Float64Range(-30, 30)
		rule := DefaultLivenessRule()
		rule.Threshold = value.Draw(t, "threshold")
		rule.Margin = rapid.Float64Range(0, 5).Draw(t, "margin")
		var scores []LivenessScore
		below := 0
		for range rapid.IntRange(0, MaxFrames).Draw(t, "frames") {
			s := LivenessScore{MS27: value.Draw(t, "ms27"), SQ15: value.Draw(t, "sq15"), Lines: float64(rapid.IntRange(0, 20).Draw(t, "lines"))}
			if s.Value() <= rule.Threshold {
				below++
			}
			scores = append(scores, s)
		}
		got := session(t, scores).Verdict(rule, rapid.Bool().Draw(t, "final"))
		if got == LivenessLive && (len(scores) < rule.MinFrames || 2*below >= len(scores)) {
			t.Fatalf("live with %d frames, %d of them not above the threshold", len(scores), below)
		}
	})
}

func TestCalibrateLiveness(t *testing.T) {
	type f = [3]float64
	lim := LivenessLimits{-7, 0}
	var users []*LivenessSession
	for i := range 20 {
		v := float64(i) - 3 // medians -3 to 16
		users = append(users, session(t, frames(f{v, v, 0}, f{v, v, 0}, f{-50, -50, 0}, f{50, 50, 0}, f{v, v, 0})))
	}
	for _, c := range []struct {
		bpcer    float64
		want     float64
		rejected int
		bounded  bool
	}{
		{0, -3.25, 0, false},
		{0.04, -3.25, 0, false},
		{0.05, -2.25, 1, false},
		{0.10, -1.25, 2, false},
		{0.20, 0, 4, true},
	} {
		got, err := CalibrateLiveness(users, c.bpcer, lim)
		if err != nil || got.Threshold != c.want || got.Rejected != c.rejected || got.Bounded != c.bounded || got.Users != 20 {
			t.Errorf("at %g: %+v, %v; want %g with %d rejected", c.bpcer, got, err, c.want, c.rejected)
		}
		for _, u := range users {
			if u.most(func(s LivenessScore) bool { return !got.Place.Holds(s) }) {
				t.Error("a user of the calibration is out of place")
			}
		}
	}
	if got, err := CalibrateLiveness(users, 0, LivenessLimits{-2, 0}); err != nil || got.Threshold != -2 || !got.Bounded || got.Rejected != 2 {
		t.Errorf("below the limits: %+v, %v", got, err)
	}
	for _, bad := range []struct {
		users []*LivenessSession
		bpcer float64
		lim   LivenessLimits
	}{
		{nil, 0.01, lim},
		{[]*LivenessSession{{}}, 0.01, lim},
		{users, 0.3, lim},
		{users, math.NaN(), lim},
		{users, 0.01, LivenessLimits{1, 0}},
	} {
		if got, err := CalibrateLiveness(bad.users, bad.bpcer, bad.lim); !errors.Is(err, ErrCalibration) {
			t.Errorf("%v at %g: %+v, %v", bad.lim, bad.bpcer, got, err)
		}
	}
}
