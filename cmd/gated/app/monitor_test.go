package app

import (
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/hal/vision"
	"bordergate/sync/wire"
)

// kept is one thing that a monitor put on record.
type kept struct {
	stream wire.Stream
	kind   string
	public any
}

func testMonitor() (*monitor, *[]kept) {
	var all []kept
	return newMonitor("face", slog.New(slog.DiscardHandler), func(s wire.Stream, kind string, public any) {
		all = append(all, kept{s, kind, public})
	}), &all
}

// crowd lets n travellers pass whose faces have about this norm.
func crowd(m *monitor, rng *rand.Rand, n int, norm float64, o reason.Outcome, reasons ...reason.Reason) {
	for range n {
		own := norm + .3*rng.NormFloat64()
		for range 4 {
			m.frame(vision.Face{Count: 1, Quality: vision.FaceQuality{Norm: float32(own), EyeDistance: 80, Laplacian: 50}}, true)
		}
		m.frame(vision.Face{Count: 1, Quality: vision.FaceQuality{EyeDistance: 30, Laplacian: 10}}, false)
		m.frame(vision.Face{}, false)
		m.entry(gate.Entry{Kind: gate.EntryDecision, Public: gate.Public{Outcome: o}})
		m.entry(gate.Entry{Kind: gate.EntryOutcome, Public: gate.Public{
			Outcome: o, Reasons: reasons, Score: .7 + .08*rng.NormFloat64(), Faces: &gate.FaceCount{Frames: 6, None: 1, Poor: 1, Usable: 4},
		}})
	}
}

func TestMonitorCounts(t *testing.T) {
	m, _ := testMonitor()
	rng := rand.New(rand.NewPCG(1, 1))
	crowd(m, rng, 97, 3.7, reason.Admitted)
	crowd(m, rng, 3, 2.9, reason.Overridden, reason.FaceMismatch, reason.OfficerDecision)
	crowd(m, rng, 5, 3.7, reason.Overridden, reason.PassStampDue) // not for his face
	crowd(m, rng, 4, 3.7, reason.Refused, reason.FaceMismatch)    // nobody let him through
	s := m.status()
	if s.Faces != 5*109 || s.Usable != 4*109 || s.CaptureRate != .8 {
		t.Errorf("capture: %+v", s)
	}
	if f := s.FalseReject; f.Count != 3 || f.Of != 100 || f.Rate != .03 || f.Low < .01 || f.Low > .0105 || f.High < .084 || f.High > .0855 {
		t.Errorf("presumed false rejects: %+v", f)
	}
	for name, want := range map[string][2]float64{"norm": {3.5, 3.9}, "eye_distance": {75, 90}, "score": {.65, .75}, "capture_rate": {.7, .9}} {
		if v := s.Medians[name]; v < want[0] || v > want[1] {
			t.Errorf("median of %s is %v", name, v)
		}
	}
	if n := m.report().Histograms["score"].N(); n != 97 {
		t.Errorf("%d scores are counted, want those of who was admitted", n)
	}
	var none *monitor
	none.frame(vision.Face{Count: 1}, true)
	none.entry(gate.Entry{Kind: gate.EntryOutcome})
}

func TestMonitorReportsADrift(t *testing.T) {
	m, all := testMonitor()
	rng := rand.New(rand.NewPCG(2, 1))
	crowd(m, rng, 3000, 3.7, reason.Admitted)
	if len(*all) != 0 {
		t.Fatalf("a steady camera: %+v", *all)
	}
	crowd(m, rng, 500, 3.3, reason.Admitted) // a lamp has failed
	if len(*all) != 1 {
		t.Fatalf("on record: %+v", *all)
	}
	k := (*all)[0]
	if d, ok := k.public.(drift); !ok || k.stream != wire.StreamAlarm || k.kind != KindDrift || d.Measure != "norm" || !d.Away || d.Median > d.Reference-.2 {
		t.Errorf("on record: %+v", k)
	}
	if s := m.status(); !slices.Equal(s.Drifting, []string{"norm"}) {
		t.Errorf("drifting: %v", s.Drifting)
	}
	crowd(m, rng, 200, 3.7, reason.Admitted)
	if n := len(*all); n != 2 || (*all)[1].public.(drift).Away {
		t.Errorf("after the repair: %+v", *all)
	}
}

// TestReportIsSmallAndOfNobody holds the record to its bound and to counts.
func TestReportIsSmallAndOfNobody(t *testing.T) {
	m, _ := testMonitor()
	crowd(m, rand.New(rand.NewPCG(3, 1)), 200, 3.7, reason.Admitted)
	b, err := json.Marshal(m.report())
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > wire.MaxPublic/4 {
		t.Errorf("%d bytes", len(b))
	}
	for _, word := range []string{"tx", "pass", "account", "embedding", "raw"} {
		if strings.Contains(string(b), `"`+word) {
			t.Errorf("the report says %q: %s", word, b)
		}
	}
}
