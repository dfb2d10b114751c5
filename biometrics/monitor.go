package biometrics

import (
	"math"
	"slices"
)

// Histogram counts values between fixed bounds. Bucket i holds the values below Bounds[i] and not below Bounds[i-1]; the last bucket
// holds the rest. It holds no value itself, so nothing of a person.
type Histogram struct {
	Bounds []float64 `json:"bounds"`
	Counts []uint64  `json:"counts"`
}

// Even returns a histogram of n buckets of one width from low to high, and one at each end.
func Even(low, high float64, n int) *Histogram {
	h := &Histogram{Counts: make([]uint64, n+2)}
	for i := range n + 1 {
		h.Bounds = append(h.Bounds, low+(high-low)*float64(i)/float64(n))
	}
	return h
}

// Add counts a value; one that is not a number is left out.
func (h *Histogram) Add(v float64) {
	if math.IsNaN(v) {
		return
	}
	i, found := slices.BinarySearch(h.Bounds, v)
	if found {
		i++
	}
	h.Counts[i]++
}

// N is how many values were counted.
func (h *Histogram) N() uint64 {
	var n uint64
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Median is the value in the middle, as near as the buckets tell; NaN without values.
func (h *Histogram) Median() float64 {
	n := h.N()
	if n == 0 {
		return math.NaN()
	}
	half, below := float64(n)/2, 0.0
	for i, c := range h.Counts {
		if below+float64(c) < half || c == 0 {
			below += float64(c)
			continue
		}
		if i == 0 || i == len(h.Bounds) {
			return h.Bounds[min(i, len(h.Bounds)-1)]
		}
		return h.Bounds[i-1] + (h.Bounds[i]-h.Bounds[i-1])*(half-below)/float64(c)
	}
	return h.Bounds[len(h.Bounds)-1]
}

// Clone is a copy.
func (h *Histogram) Clone() *Histogram {
	return &Histogram{Bounds: h.Bounds, Counts: slices.Clone(h.Counts)}
}

// merge adds another histogram of the same bounds, and halves what is held first where it would outweigh the present for ever.
func (h *Histogram) merge(o *Histogram, most uint64) {
	halve := h.N() > most
	for i := range h.Counts {
		if halve {
			h.Counts[i] /= 2
		}
		h.Counts[i] += o.Counts[i]
		o.Counts[i] = 0
	}
}

// Wilson gives the 95 % limits of a share of k in n; 0 to 1 without any.
func Wilson[N int | uint64](k, n N) (low, high float64) {
	if n == 0 {
		return 0, 1
	}
	const z = 1.959963984540054
	p, m := float64(k)/float64(n), float64(n)
	mid := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return max(0, mid-half), min(1, mid+half)
}

// DriftRule says when a measure has moved.
type DriftRule struct {
	// Window is how many values are compared at a time; Reference how many must have been seen before.
	Window, Reference uint64
	// Shift is how far the window's median may lie from the reference's, in the measure's unit.
	Shift float64
}

// Drift compares the median of each window of values with that of the long run before it. While a measure is away from its
// reference, the reference stays as it was; a station that means the change starts anew. The long run fades, by halves.
type Drift struct {
	rule      DriftRule
	window    *Histogram
	reference *Histogram
	away      bool
}

// referenceWindows is how many windows the long run is.
const referenceWindows = 40

// NewDrift returns the comparison of a measure that h has buckets for.
func NewDrift(r DriftRule, h *Histogram) *Drift {
	return &Drift{rule: r, window: h.Clone(), reference: h.Clone()}
}

// Change is a measure that has moved away from its reference, or has come back.
type Change struct {
	Away              bool
	Median, Reference float64
}

// Add takes a value. It reports a change when the window that the value ends lies away from the reference and the one before it did
// not, or the other way round.
func (d *Drift) Add(v float64) (Change, bool) {
	d.window.Add(v)
	if d.window.N() < d.rule.Window {
		return Change{}, false
	}
	c := Change{Median: d.window.Median(), Reference: d.reference.Median()}
	c.Away = d.reference.N() >= d.rule.Reference && math.Abs(c.Median-c.Reference) > d.rule.Shift
	changed := c.Away != d.away
	d.away = c.Away
	if c.Away {
		clear(d.window.Counts)
	} else {
		d.reference.merge(d.window, referenceWindows*d.rule.Window)
	}
	return c, changed
}

// Away reports whether the last window lay away from the reference.
func (d *Drift) Away() bool { return d.away }
