package biometrics

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const tick = 40 * time.Millisecond

// seat is where somebody stands before the camera.
func seat(x float64) Box { return Box{X: x, Y: 200, W: 200, H: 240} }

func sighting(at time.Duration, b Box, raw Embedding) Sighting {
	return Sighting{At: at, Faces: 1, Box: b, Raw: raw}
}

func TestTracker(t *testing.T) {
	a, b := newPerson(1), newPerson(2)
	one := func(at time.Duration) Sighting { return sighting(at, seat(500), a.frame(3.8, .3)) }
	other := func(at time.Duration) Sighting { return sighting(at, seat(500), b.frame(3.8, .3)) }
	poor := func(at time.Duration, x float64) Sighting { return sighting(at, seat(x), nil) }
	crowd := func(at time.Duration, second float64) Sighting {
		s := one(at)
		s.Faces, s.Second = 2, second
		return s
	}
	type step struct {
		see  Sighting
		want Continuity
	}
	ms := time.Millisecond
	cases := map[string][]step{
		"one person": {{one(0), TrackNew}, {one(40 * ms), TrackKept}, {poor(80*ms, 510), TrackKept}, {one(120 * ms), TrackKept}},
		"another in his place": {
			{one(0), TrackNew}, {one(40 * ms), TrackKept}, {other(80 * ms), TrackOther}, {other(120 * ms), TrackKept}, {one(160 * ms), TrackOther},
		},
		"a short look away": {{one(0), TrackNew}, {Sighting{At: 300 * ms}, TrackAway}, {one(650 * ms), TrackKept}},
		"too long away":     {{one(0), TrackNew}, {Sighting{At: 300 * ms}, TrackAway}, {one(750 * ms), TrackNew}},
		"no frame for long": {{one(0), TrackNew}, {one(701 * ms), TrackNew}},
		"a jump that the face explains": {
			{one(0), TrackNew}, {sighting(40*ms, seat(900), a.frame(3.8, .3)), TrackKept}, {poor(80*ms, 910), TrackKept},
		},
		"a jump that nothing explains": {
			{one(0), TrackNew}, {poor(40*ms, 900), TrackAway}, {poor(400*ms, 900), TrackAway}, {poor(740*ms, 900), TrackNew},
		},
		"known by his place too long": {
			{one(0), TrackNew},
			{poor(600*ms, 500), TrackKept},
			{poor(1200*ms, 500), TrackKept},
			{poor(1800*ms, 500), TrackKept},
			{poor(2040*ms, 500), TrackNew},
		},
		"a second person": {
			{one(0), TrackNew},
			{crowd(40*ms, .39), TrackKept},
			{crowd(80*ms, .4), TrackCrowd},
			{crowd(120*ms, .33), TrackCrowd},
			{crowd(160*ms, .31), TrackNew},
		},
		"walking in, not yet known": {{poor(0, 100), TrackNew}, {poor(40*ms, 120), TrackKept}, {poor(80*ms, 900), TrackNew}, {one(120 * ms), TrackNew}},
		"a box without size":        {{sighting(0, Box{}, nil), TrackAway}, {sighting(0, Box{W: math.NaN(), H: 1}, nil), TrackAway}},
	}
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) {
			tr := NewTracker(DefaultTrackRule(shipped().Limits.Reject))
			for i, s := range steps {
				if got := tr.See(s.see); got != s.want {
					t.Fatalf("frame %d: %v, want %v", i, got, s.want)
				}
			}
		})
	}
}

func TestTrackerHeld(t *testing.T) {
	a, b := newPerson(1), newPerson(2)
	tr := NewTracker(DefaultTrackRule(shipped().Limits.Reject))
	for i := range 4 {
		tr.See(sighting(time.Duration(i)*tick, seat(500), a.frame(3.8, .3)))
	}
	tr.Hold()
	small := Box{X: 540, Y: 220, W: 100, H: 120}
	for i, c := range []struct {
		see  Sighting
		want Continuity
	}{
		{sighting(200*time.Millisecond, seat(500), a.frame(3.8, .3)), TrackKept},
		{sighting(240*time.Millisecond, small, b.frame(3.8, .3)), TrackAway}, // the next one in the queue
		{sighting(280*time.Millisecond, seat(500), b.frame(3.8, .3)), TrackOther},
		{sighting(320*time.Millisecond, seat(500), b.frame(3.8, .3)), TrackOther}, // he never becomes the one followed
		{sighting(2*time.Second, seat(500), nil), TrackAway},
		{sighting(2040*time.Millisecond, seat(500), a.frame(3.8, .3)), TrackKept},
		{Sighting{At: 2080 * time.Millisecond, Faces: 2, Second: .9, Box: seat(500)}, TrackCrowd},
		{sighting(2120*time.Millisecond, seat(500), a.frame(3.8, .3)), TrackKept},
	} {
		if got := tr.See(c.see); got != c.want {
			t.Fatalf("frame %d: %v, want %v", i, got, c.want)
		}
	}
	if !tr.Present(2800*time.Millisecond) || tr.Present(2900*time.Millisecond) {
		t.Error("presence does not end with the gap")
	}
}

func TestTrackerForgets(t *testing.T) {
	tr := NewTracker(DefaultTrackRule(shipped().Limits.Reject))
	tr.See(sighting(0, seat(500), newPerson(1).frame(3.8, .3)))
	sum := tr.sum
	tr.Reset()
	if tr.Present(0) {
		t.Error("somebody is present after a reset")
	}
	for _, v := range sum {
		if v != 0 {
			t.Fatal("the embedding outlives its session")
		}
	}
}

// TestTrackerNeverMixesTwoPersons lets two persons come, go, stand at one place, look well and badly, in any order. What is gathered
// by the tracker's answers is of one person.
func TestTrackerNeverMixesTwoPersons(t *testing.T) {
	people := []person{newPerson(11), newPerson(12)}
	var mixes, voids int
	rapid.Check(t, func(t *rapid.T) {
		tr := NewTracker(DefaultTrackRule(shipped().Limits.Reject))
		var gathered []int
		var at time.Duration
		for range rapid.IntRange(1, 60).Draw(t, "frames") {
			at += time.Duration(rapid.SampledFrom([]int{40, 40, 40, 80, 300, 800}).Draw(t, "ms")) * time.Millisecond
			who := rapid.IntRange(0, 1).Draw(t, "who")
			s := Sighting{
				At: at, Faces: rapid.SampledFrom([]int{0, 1, 1, 1, 1, 2}).Draw(t, "faces"),
				Box: seat(rapid.SampledFrom([]float64{500, 500, 520, 900}).Draw(t, "x")),
			}
			if s.Faces == 2 {
				s.Second = rapid.Float64Range(0, 1).Draw(t, "second")
			}
			if rapid.Bool().Draw(t, "usable") {
				s.Raw = people[who].frame(3.6, rapid.Float64Range(.1, .9).Draw(t, "noise"))
			}
			c := tr.See(s)
			if c == TrackNew || c == TrackOther || c == TrackCrowd {
				voids += min(len(gathered), 1)
				gathered = nil
			}
			if c != TrackAway && c != TrackCrowd && s.Raw != nil {
				gathered = append(gathered, who)
			}
			for _, g := range gathered {
				if g != gathered[0] {
					t.Fatalf("gathered of two persons: %v", gathered)
				}
			}
			mixes = max(mixes, len(gathered))
		}
	})
	if mixes < 3 || voids == 0 {
		t.Errorf("at most %d frames were gathered and %d times dropped: the rule was not put to the test", mixes, voids)
	}
}

// TestTrackerKeepsOnePerson lets one person sway, turn away for less than the gap and look badly: he is never lost.
func TestTrackerKeepsOnePerson(t *testing.T) {
	p := newPerson(21)
	rapid.Check(t, func(t *rapid.T) {
		tr := NewTracker(DefaultTrackRule(shipped().Limits.Reject))
		at, sure, x := time.Duration(0), time.Duration(0), 500.0
		for i := range rapid.IntRange(2, 80).Draw(t, "frames") {
			at += time.Duration(rapid.IntRange(30, 600).Draw(t, "ms")) * time.Millisecond
			x += rapid.Float64Range(-80, 80).Draw(t, "way")
			s := sighting(at, seat(x), nil)
			if i == 0 || at-sure > 1300*time.Millisecond || rapid.Bool().Draw(t, "usable") {
				s.Raw, sure = p.frame(3.6, rapid.Float64Range(.1, .9).Draw(t, "noise")), at
			}
			if c := tr.See(s); i > 0 && c != TrackKept {
				t.Fatalf("frame %d: %v", i, c)
			}
		}
	})
}
