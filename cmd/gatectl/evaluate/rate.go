package evaluate

import (
	"slices"

	"bordergate/biometrics"
)

// Rate is a count with its share and the share's 95 % limits.
type Rate struct {
	Count int     `json:"count"`
	Of    int     `json:"of"`
	Rate  float64 `json:"rate"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// NewRate is k of n.
func NewRate(k, n int) Rate {
	r := Rate{Count: k, Of: n}
	if n > 0 {
		r.Rate = float64(k) / float64(n)
	}
	r.Low, r.High = biometrics.Wilson(k, n)
	return r
}

// histogram counts impostor scores, so that tens of millions of them need no memory. A threshold is an upper edge of a step.
type histogram struct {
	counts [histogramSteps + 1]int
	n      int
}

const histogramSteps = 40000

func (h *histogram) add(s float64) {
	h.counts[min(max(int((s+1)/2*histogramSteps), 0), histogramSteps)]++
	h.n++
}

// threshold is the lowest score that at most fmr of the impostors reach, and how many reach it.
func (h *histogram) threshold(fmr float64) (t float64, hits int) {
	allowed := int(fmr * float64(h.n) * (1 + 1e-12))
	for i := histogramSteps; i >= 0; i-- {
		if hits+h.counts[i] > allowed {
			return float64(i+1)/histogramSteps*2 - 1, hits
		}
		hits += h.counts[i]
	}
	return -1, hits
}

// above is how many impostors reach a score, to within a step.
func (h *histogram) above(t float64) (hits int) {
	for i := histogramSteps; i >= 0 && float64(i)/histogramSteps*2-1 >= t-1e-9; i-- {
		hits += h.counts[i]
	}
	return hits
}

// Point is an operating point: the rates at one threshold.
type Point struct {
	// Wanted is the false match rate asked for.
	Wanted    float64 `json:"fmr"`
	Threshold float64 `json:"threshold"`
	FNMR      Rate    `json:"fnmr"`
	Hits      int     `json:"false_matches"`
	FMR       Rate    `json:"fmr_measured"`
}

// Series is one way of comparing, measured.
type Series struct {
	Name      string `json:"name"`
	Genuine   int    `json:"genuine"`
	Impostors int    `json:"impostors"`
	// Fixed are the points at fixed rates of false matches, Manifest those at the manifest's thresholds.
	Fixed    []Point `json:"points"`
	Manifest []Point `json:"manifest"`
	// Gate says how many comparisons and photographs the quality gate took away; nil without one.
	Gate *Rejected `json:"rejected,omitempty"`

	genuine   []float64
	impostors histogram
}

// Rejected counts what a quality gate refuses.
type Rejected struct {
	AsProbe     Rate           `json:"as_probe"`
	AsReference Rate           `json:"as_reference"`
	Genuine     Rate           `json:"genuine"`
	Why         map[string]int `json:"why_as_probe"`
}

func (s *Series) add(score float64, genuine bool) {
	if genuine {
		s.genuine = append(s.genuine, score)
	} else {
		s.impostors.add(score)
	}
}

func (s *Series) at(wanted, threshold float64) Point {
	missed, _ := slices.BinarySearch(s.genuine, threshold)
	hits := s.impostors.above(threshold)
	return Point{Wanted: wanted, Threshold: threshold, FNMR: NewRate(missed, len(s.genuine)), Hits: hits, FMR: NewRate(hits, s.impostors.n)}
}

// fixedRates are those that so many impostors can tell: below 1e-4, ten false matches at least.
func fixedRates(impostors int) []float64 {
	rates := []float64{1e-2, 1e-3, 1e-4}
	for _, r := range []float64{1e-5, 1e-6} {
		if r*float64(impostors) >= 10 {
			rates = append(rates, r)
		}
	}
	return rates
}

// sweep returns the points of the detection error trade-off, thresholds rising.
func (s *Series) sweep() (points []Point) {
	const steps = 320
	for i := range steps + 1 {
		points = append(points, s.at(0, -0.2+1.2*float64(i)/steps))
	}
	return points
}
