package biometrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestHistogram(t *testing.T) {
	h := Even(0, 4, 4)
	for _, v := range []float64{-1, 0, .5, 1, 3.99, 4, 9, math.NaN(), math.Inf(1)} {
		h.Add(v)
	}
	if want := []uint64{1, 2, 1, 0, 1, 3}; !slices.Equal(h.Counts, want) || h.N() != 8 {
		t.Errorf("counts %v of %d, want %v", h.Counts, h.N(), want)
	}
	if !math.IsNaN(Even(0, 1, 3).Median()) {
		t.Error("a median of nothing")
	}
}

// TestMedianIsNearTheTrueOne holds the histogram's median to within a bucket of the values' own.
func TestMedianIsNearTheTrueOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(2, 5), 1, 200).Draw(t, "values")
		h := Even(2, 5, 30)
		for _, v := range values {
			h.Add(v)
		}
		slices.Sort(values)
		low, high := values[(len(values)-1)/2], values[len(values)/2]
		if m := h.Median(); m < low-.1001 || m > high+.1001 {
			t.Fatalf("median %v of values from %v to %v in the middle", m, low, high)
		}
	})
}

func TestWilson(t *testing.T) {
	for _, c := range []struct {
		k, n      uint64
		low, high float64
	}{{0, 0, 0, 1}, {0, 300, 0, .01264}, {3, 300, .0034, .0290}, {300, 300, .98736, 1}} {
		low, high := Wilson(c.k, c.n)
		if math.Abs(low-c.low) > 1e-4 || math.Abs(high-c.high) > 1e-4 {
			t.Errorf("%d of %d: %.4f to %.4f, want %.4f to %.4f", c.k, c.n, low, high, c.low, c.high)
		}
	}
}

func TestDrift(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	d := NewDrift(DriftRule{Window: 200, Reference: 1000, Shift: .25}, Even(2, 5, 30))
	run := func(mean float64, n int) (out []Change) {
		for range n {
			if c, changed := d.Add(mean + .3*rng.NormFloat64()); changed {
				out = append(out, c)
			}
		}
		return out
	}
	if c := run(3.1, 200); len(c) != 0 {
		t.Fatalf("before there is a reference: %v", c)
	}
	if c := run(3.7, 20_000); len(c) != 0 {
		t.Fatalf("a steady camera: %v", c)
	}
	if c := run(3.75, 5_000); len(c) != 0 {
		t.Fatalf("a shift within the rule: %v", c)
	}
	c := run(3.2, 20_000) // a dirty lens, for long
	if len(c) != 1 || !c[0].Away || c[0].Median > 3.4 || c[0].Reference < 3.6 || !d.Away() {
		t.Fatalf("a dirty lens: %+v", c)
	}
	c = run(3.7, 2_000)
	if len(c) != 1 || c[0].Away || d.Away() {
		t.Fatalf("cleaned: %+v", c)
	}
	if n := d.reference.N(); n > 3*referenceWindows*200 {
		t.Errorf("the reference holds %d values", n)
	}
}
