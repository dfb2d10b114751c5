package console

import (
	"math"
	"slices"
	"time"
)

// Bounds of the figures.
const (
	figureHours = 24
	maxSamples  = 4000 // travellers an hour whose times are kept
	maxCounted  = 64   // different words
)

// hour is what came of the travellers of one hour.
type hour struct {
	outcomes       map[string]int
	machine, total []float64 // ms
}

// figures are the last day's, from the records of what came of each traveller.
type figures struct {
	hours   map[int64]*hour // by Unix hour
	reasons map[int64]map[string]int
	doubted map[int64]int // overridden although it was the face that was doubted
	acts    map[int64]int // overrides decided, whether somebody went through or not
}

// open makes room for an hour and drops what is too old; false where the hour
// itself is.
func (f *figures) open(h, now int64) bool {
	if f.hours == nil {
		f.hours, f.reasons = make(map[int64]*hour), make(map[int64]map[string]int)
		f.doubted, f.acts = make(map[int64]int), make(map[int64]int)
	}
	oldest := now - figureHours
	for old := range f.hours {
		if old <= oldest {
			delete(f.hours, old)
			delete(f.reasons, old)
			delete(f.doubted, old)
			delete(f.acts, old)
		}
	}
	if h <= oldest || h > now+1 {
		return false
	}
	if f.hours[h] == nil {
		f.hours[h], f.reasons[h] = &hour{outcomes: make(map[string]int)}, make(map[string]int)
	}
	return true
}

// decided counts an officer's override.
func (f *figures) decided(at, now time.Time, s said) {
	h := at.Unix() / 3600
	if s.Outcome == "overridden" && f.open(h, now.Unix()/3600) {
		f.acts[h]++
	}
}

// faceDoubts are the reasons that a false rejection would have.
var faceDoubts = []string{"face_none", "face_quality", "face_mismatch", "liveness_attack", "liveness_undecided", "capture_timeout"}

func (f *figures) count(at, now time.Time, s said) {
	h := at.Unix() / 3600
	if s.Outcome == "" || !f.open(h, now.Unix()/3600) {
		return
	}
	add(f.hours[h].outcomes, s.Outcome)
	if s.Outcome != "admitted" {
		for _, r := range s.Reasons {
			add(f.reasons[h], r)
		}
	}
	if s.Outcome == "overridden" && slices.ContainsFunc(s.Reasons, func(r string) bool { return slices.Contains(faceDoubts, r) }) {
		f.doubted[h]++
	}
	f.hours[h].times(s)
}

func add(m map[string]int, word string) {
	if _, ok := m[word]; ok || len(m) < maxCounted {
		m[word]++
	}
}

// times keeps how long an admitted traveller took: the machine's part is from
// when the pass was in view and the face usable, as the gate saw it, to the
// grant; the whole is from the pass in view to the end of the passage.
func (h *hour) times(s said) {
	pass, ok1 := s.Steps["symbol_in_view"]
	face, ok2 := s.Steps["first_usable_face"]
	grant, ok3 := s.Steps["grant_sent"]
	done, ok4 := s.Steps["passage_completed"]
	if s.Outcome != "admitted" || len(h.total) >= maxSamples {
		return
	}
	if ok1 && ok2 && ok3 && grant >= max(pass, face) {
		h.machine = append(h.machine, float64(grant-max(pass, face))/1000)
	}
	if ok1 && ok4 && done >= pass {
		h.total = append(h.total, float64(done-pass)/1000)
	}
}

// Hour is one hour's figures.
type Hour struct {
	At       time.Time      `json:"at"`
	Outcomes map[string]int `json:"outcomes"`
	Machine  Spread         `json:"machine_ms"`
	Total    Spread         `json:"total_ms"`
}

// Spread is the median and the 95th percentile of n.
type Spread struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
}

// Figures are the station's of the last day.
type Figures struct {
	Hours      []Hour         `json:"hours"`
	Outcomes   map[string]int `json:"outcomes"`
	Reasons    map[string]int `json:"reasons"` // of those who were not admitted by the gate
	Machine    Spread         `json:"machine_ms"`
	Total      Spread         `json:"total_ms"`
	Overridden int            `json:"overridden"` // acts, whether somebody went through or not
	// FalseRejects is the share of those who were let through, by the gate or by
	// an officer, whose face the gate had doubted and an officer had not.
	FalseRejects float64 `json:"false_rejects"`
	Doubted      int     `json:"doubted"`
	Through      int     `json:"through"`
}

func (b *board) report() Figures {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := Figures{Outcomes: map[string]int{}, Reasons: map[string]int{}}
	var machine, total []float64
	now := b.now().Unix() / 3600
	for h := now - figureHours + 1; h <= now; h++ {
		line := Hour{At: time.Unix(h*3600, 0).UTC(), Outcomes: map[string]int{}}
		if x := b.figures.hours[h]; x != nil {
			for k, n := range x.outcomes {
				line.Outcomes[k] = n
				out.Outcomes[k] += n
			}
			for k, n := range b.figures.reasons[h] {
				out.Reasons[k] += n
			}
			out.Doubted += b.figures.doubted[h]
			out.Overridden += b.figures.acts[h]
			line.Machine, line.Total = spread(x.machine), spread(x.total)
			machine, total = append(machine, x.machine...), append(total, x.total...)
		}
		out.Hours = append(out.Hours, line)
	}
	out.Machine, out.Total = spread(machine), spread(total)
	if out.Through = out.Outcomes["admitted"] + out.Outcomes["overridden"]; out.Through > 0 {
		out.FalseRejects = float64(out.Doubted) / float64(out.Through)
	}
	return out
}

func spread(list []float64) Spread {
	if len(list) == 0 {
		return Spread{}
	}
	list = slices.Sorted(slices.Values(list))
	at := func(q float64) float64 { return list[int(math.Ceil(q*float64(len(list))))-1] }
	return Spread{N: len(list), P50: at(0.5), P95: at(0.95)}
}
