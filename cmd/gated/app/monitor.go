package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"bordergate/biometrics"
	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/hal/vision"
	"bordergate/sync/journal"
	"bordergate/sync/wire"
)

// Kinds of the monitor's records.
const (
	KindFaceMonitor = "face_monitor" // telemetry: the counts since the start
	KindDrift       = "drift"        // alarm stream: a measure has moved, or has come back
)

// reportEvery is how often the counts go on record.
const reportEvery = time.Hour

// The measures of a face camera.
const (
	measureNorm        = "norm"
	measureEyeDistance = "eye_distance"
	measureLaplacian   = "laplacian"
	measureLiveness    = "liveness"
	measureScore       = "score"
	measureCapture     = "capture_rate"
)

// newMeasures makes the buckets: wide enough for any camera, fixed, so that the
// counts of gates can be added up.
func newMeasures() map[string]*biometrics.Histogram {
	return map[string]*biometrics.Histogram{
		measureNorm: biometrics.Even(2, 5, 30), measureEyeDistance: biometrics.Even(0, 200, 20), measureLaplacian: biometrics.Even(0, 100, 20),
		measureLiveness: biometrics.Even(-20, 20, 20), measureScore: biometrics.Even(-.2, 1, 24), measureCapture: biometrics.Even(0, 1, 10),
	}
}

// newDrifts holds one value of each traveller against those before: frames of
// one person are too alike to count apart.
func newDrifts() map[string]*biometrics.Drift {
	m := newMeasures()
	rule := func(shift float64) biometrics.DriftRule {
		return biometrics.DriftRule{Window: 100, Reference: 500, Shift: shift}
	}
	return map[string]*biometrics.Drift{
		measureNorm:    biometrics.NewDrift(rule(.2), m[measureNorm]),
		measureScore:   biometrics.NewDrift(rule(.06), m[measureScore]),
		measureCapture: biometrics.NewDrift(rule(.15), m[measureCapture]),
	}
}

// monitor counts what the face camera's frames and travellers measure. It holds
// counts alone: no value of a person, no id, no template.
type monitor struct {
	camera string
	log    *slog.Logger
	keep   func(stream wire.Stream, kind string, public any)

	mu       sync.Mutex
	since    int64
	faces    uint64 // frames with a face
	usable   uint64
	measures map[string]*biometrics.Histogram
	drifts   map[string]*biometrics.Drift
	norms    float64 // of the traveller there now: sum and number
	normed   int
	admitted uint64
	overrode uint64
}

func newMonitor(camera string, log *slog.Logger, keep func(wire.Stream, string, any)) *monitor {
	return &monitor{camera: camera, log: log, keep: keep, since: monoNow(), measures: newMeasures(), drifts: newDrifts()}
}

// frame counts one analysed frame.
func (m *monitor) frame(v vision.Face, usable bool) {
	if m == nil || v.Count == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faces++
	q := v.Quality
	m.measures[measureEyeDistance].Add(float64(q.EyeDistance))
	m.measures[measureLaplacian].Add(float64(q.Laplacian))
	if q.Norm > 0 { // else nothing was embedded
		m.measures[measureNorm].Add(float64(q.Norm))
	}
	if v.Live.Done {
		m.measures[measureLiveness].Add(biometrics.LivenessScore(cues(v)).Value())
	}
	if usable {
		m.usable++
		m.norms += float64(q.Norm)
		m.normed++
	}
}

// entry counts how a transaction ended.
func (m *monitor) entry(e gate.Entry) {
	if m == nil || e.Kind != gate.EntryOutcome {
		return
	}
	m.mu.Lock()
	norm, score, capture := m.norms/float64(m.normed), math.NaN(), math.NaN() // NaN where there is none
	m.norms, m.normed = 0, 0
	if p := e.Public; p.Outcome == reason.Admitted {
		m.admitted++
		score = p.Score // of the one enrolled: an impostor's says nothing of the camera
	} else if p.Outcome == reason.Overridden && aboutFace(p.Reasons) {
		m.overrode++
	}
	if f := e.Public.Faces; f != nil && f.Frames > f.None {
		capture = float64(f.Usable) / float64(f.Frames-f.None)
	}
	var moved []drift
	for name, v := range map[string]float64{measureNorm: norm, measureScore: score, measureCapture: capture} {
		if math.IsNaN(v) {
			continue
		}
		if name != measureNorm { // counted by frames
			m.measures[name].Add(v)
		}
		if c, changed := m.drifts[name].Add(v); changed {
			moved = append(moved, drift{Camera: m.camera, Measure: name, Away: c.Away, Median: c.Median, Reference: c.Reference})
		}
	}
	m.mu.Unlock()
	for _, d := range moved {
		m.log.Warn("Measure of the face camera has moved", "measure", d.Measure, "away", d.Away, "median", d.Median, "reference", d.Reference)
		m.keep(wire.StreamAlarm, KindDrift, d)
	}
}

// drift is what a drift's record says.
type drift struct {
	Camera    string  `json:"camera"`
	Measure   string  `json:"measure"`
	Away      bool    `json:"away"` // false: it has come back
	Median    float64 `json:"median"`
	Reference float64 `json:"reference"`
}

// aboutFace reports whether a face alone, or with other things, kept somebody
// from passing.
func aboutFace(reasons []reason.Reason) bool {
	for _, r := range reasons {
		switch r {
		case reason.FaceNone, reason.FaceMany, reason.FaceQuality, reason.FaceMismatch, reason.LivenessAttack, reason.LivenessUndecided:
			return true
		}
	}
	return false
}

// FaceStatus is how the face camera has done since the daemon's start.
type FaceStatus struct {
	Camera      string             `json:"camera"`
	ForS        float64            `json:"for_s"`
	Faces       uint64             `json:"frames_with_a_face"`
	Usable      uint64             `json:"usable_frames"`
	CaptureRate float64            `json:"capture_rate"`
	Medians     map[string]float64 `json:"medians"`
	Drifting    []string           `json:"drifting"`
	FalseReject Share              `json:"presumed_false_rejects"`
}

// Share is a part of a whole with its 95 % limits.
type Share struct {
	Count uint64  `json:"count"`
	Of    uint64  `json:"of"`
	Rate  float64 `json:"rate"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// status is the short form. Whoever an officer lets through whom the gate had
// stopped for his face is presumed to have been rejected falsely; who was not
// looked at again is not counted, so the estimate is from below.
func (m *monitor) status() FaceStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := FaceStatus{
		Camera: m.camera, ForS: float64(monoNow()-m.since) / 1e9, Faces: m.faces, Usable: m.usable, Medians: map[string]float64{}, Drifting: []string{},
		FalseReject: Share{Count: m.overrode, Of: m.admitted + m.overrode},
	}
	if m.faces > 0 {
		s.CaptureRate = float64(m.usable) / float64(m.faces)
	}
	for _, name := range []string{measureNorm, measureEyeDistance, measureLaplacian, measureLiveness, measureScore, measureCapture} {
		if v := m.measures[name].Median(); !math.IsNaN(v) {
			s.Medians[name] = v
		}
		if d := m.drifts[name]; d != nil && d.Away() {
			s.Drifting = append(s.Drifting, name)
		}
	}
	r := &s.FalseReject
	if r.Of > 0 {
		r.Rate = float64(r.Count) / float64(r.Of)
	}
	r.Low, r.High = biometrics.Wilson(r.Count, r.Of)
	return s
}

// report is the long form, for the record.
type report struct {
	FaceStatus
	Histograms map[string]*biometrics.Histogram `json:"histograms"`
}

func (m *monitor) report() report {
	r := report{FaceStatus: m.status(), Histograms: map[string]*biometrics.Histogram{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, h := range m.measures {
		r.Histograms[name] = h.Clone()
	}
	return r
}

// serve puts the counts on record every hour, and at the end.
func (m *monitor) serve(ctx context.Context) error {
	every := time.NewTicker(reportEvery)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			m.keep(wire.StreamTelemetry, KindFaceMonitor, m.report())
			return ctx.Err()
		}
		m.keep(wire.StreamTelemetry, KindFaceMonitor, m.report())
	}
}

// note puts something without personal data on record; it never blocks.
func (r *recorder) note(stream wire.Stream, kind string, public any) {
	now, trust, _ := r.clock.Wall()
	err := r.journal.AppendAsync(journal.Draft{Stream: stream, Kind: kind, Public: public, Wall: now.UnixNano(), Trust: uint8(trust)},
		func(_ journal.Position, err error) {
			if err != nil && !errors.Is(err, journal.ErrThinned) { // the gap is on record
				r.log.Warn("Record is not durable", "kind", kind, "error", err)
			}
			r.notify()
		})
	if err != nil {
		r.log.Warn("Record is not durable", "kind", kind, "error", err)
	}
}

// durable is note for what nobody may act on before the disk has it.
func (r *recorder) durable(stream wire.Stream, kind string, public any) error {
	now, trust, _ := r.clock.Wall()
	ctx, cancel := context.WithTimeout(context.Background(), durableWait)
	defer cancel()
	_, err := r.journal.Append(ctx, journal.Draft{Stream: stream, Kind: kind, Public: public, Wall: now.UnixNano(), Trust: uint8(trust)})
	if err != nil {
		return fmt.Errorf("record %s: %w", kind, err)
	}
	r.notify()
	return nil
}

// durableWait bounds the wait for a disk that hangs.
const durableWait = 5 * time.Second
