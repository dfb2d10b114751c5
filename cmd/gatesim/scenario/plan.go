package scenario

import (
	"math/rand/v2"

	"bordergate/cmd/gatesim/scene"
)

// Traveller is one line of a plan.
type Traveller struct {
	N int // from 1
	// Seat is his place in the whole scenario, from 0. Who plays him and how goes by it, so that a case is the same in a shorter run.
	Seat      int
	Case      string
	Expect    Expect
	Seed      uint64
	Fumble    scene.Fumble
	LooksAway bool
	Moment    string
	Restart   bool // of the gate's daemon, before he comes
	Reader    string
	// CameraDead says that the document camera is off while he comes.
	CameraDead bool
	Faults     []Fault
}

// Offline reports whether headquarters is away while he passes.
func (t Traveller) Offline() bool { return t.Case == GenuineOffline || t.Case == StaleCache }

// Fumbles reports whether he does something wrong first.
func (t Traveller) Fumbles() bool { return t.Fumble != scene.NoFumble || t.LooksAway }

// Plan makes n travellers; with n zero, those of the steps. Fewer than the
// steps have are taken so that every case keeps its share as long as it can,
// more are filled up.
func (s *Scenario) Plan(n int, seed uint64) []Traveller {
	steps := s.fit(n)
	r := rand.New(rand.NewPCG(seed, 0x5ce9))
	var out []Traveller
	seat := 0
	for k, st := range steps {
		all := st.Count
		if k < len(s.Steps) {
			all = s.Steps[k].Count
		}
		for i := range all {
			drawn := r.Uint64()
			seat++
			if i >= st.Count {
				continue
			}
			expect := s.Expect[st.Case]
			if st.Expect != nil {
				expect = *st.Expect
			}
			out = append(out, Traveller{
				N: len(out) + 1, Seat: seat - 1, Case: st.Case, Expect: expect, Seed: drawn, Moment: st.Moment, Restart: st.Restart && i == 0, Reader: st.Reader, CameraDead: st.CameraDead,
				Faults: st.Faults,
			})
		}
	}
	s.fumble(out, r)
	return out
}

// fit gives the steps for n travellers.
func (s *Scenario) fit(n int) []Step {
	steps := append([]Step(nil), s.Steps...)
	total := 0
	for _, st := range steps {
		total += st.Count
	}
	if n == 0 {
		n = total
	}
	if n > total && s.Fill != "" {
		return append(steps, Step{Case: s.Fill, Count: n - total})
	}
	for ; total > n; total-- {
		most := 0
		for i := range steps {
			if steps[i].Count >= steps[most].Count {
				most = i
			}
		}
		steps[most].Count--
	}
	return steps
}

// fumble makes one in Fumbles of those who mean to pass do something wrong
// first.
func (s *Scenario) fumble(list []Traveller, r *rand.Rand) {
	if s.Fumbles == 0 {
		return
	}
	for first := 0; first < len(list); first += s.Fumbles {
		i := first + r.IntN(s.Fumbles)
		if i >= len(list) || list[i].Reader != "" || len(list[i].Faults) > 0 || list[i].Case != Genuine && list[i].Case != GenuineOffline && list[i].Case != Restored {
			continue
		}
		switch r.IntN(4) {
		case 0:
			list[i].Fumble = scene.UpsideDown
		case 1:
			list[i].Fumble = scene.BackFirst
		case 2:
			list[i].Fumble = scene.TooFar
		default:
			list[i].LooksAway = true
		}
	}
}
