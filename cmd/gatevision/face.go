package main

import (
	"errors"
	"math"

	"golang.org/x/sys/unix"

	"bordergate/biometrics"
	"bordergate/biometrics/vision"
	worker "bordergate/hal/vision"
)

// Defaults of the face worker.
const (
	// minEyes is the eye distance in pixels from which a face is worth recognising. The daemon's rules are stricter; this only
	// spares the network faces in the background.
	minEyes        = 24
	livenessFrames = 5
	// profile is the nose offset from which the recogniser fails.
	profile = 0.6
)

// faceJob finds, measures and embeds the largest face.
type faceJob struct {
	child   *worker.Child
	pipe    *vision.Pipeline
	rules   biometrics.Rules
	eyes    float64
	frames  int
	session uint32
	lived   int
	enter   func(stage string)
}

func newFaceJob(cfg worker.WorkerConfig, child *worker.Child) (*faceJob, error) {
	models, norm, err := told(cfg.Models)
	if err != nil {
		return nil, err
	}
	j := &faceJob{child: child, rules: biometrics.ProbeRules(), eyes: minEyes, frames: livenessFrames}
	j.enter = func(stage string) { child.Note(worker.LaneWork, worker.Trace{Stage: stage}) }
	j.pipe, err = vision.OpenPipeline(models, vision.Options{Threads: cfg.Threads, Enter: func(stage string) { j.enter(stage) }})
	if err != nil {
		return nil, err
	}
	j.rules.MinNorm = norm
	if cfg.MinEyeDistance > 0 {
		j.eyes = float64(cfg.MinEyeDistance)
	}
	if cfg.LivenessFrames > 0 {
		j.frames = cfg.LivenessFrames
	}
	return j, nil
}

func (j *faceJob) begin(session uint32) { j.session, j.lived = session, 0 }

// empty learns the lines that are there with nobody in the lane.
func (j *faceJob) empty(f *vision.Frame) error { return j.pipe.LearnEmpty(f) }

func (j *faceJob) close() { _ = j.pipe.Close() }

func (j *faceJob) frame(f *vision.Frame, enter func(string)) error {
	j.enter = enter
	found, err := j.pipe.Detect(f)
	if err != nil {
		return err
	}
	w, h := f.Size()
	out := worker.Face{Session: j.session, FrameAt: f.At(), Count: len(found), Width: w, Height: h}
	if i := vision.Largest(found); i >= 0 {
		out.Second = float32(vision.Second(found, i))
		live := func(q vision.Quality) bool { return j.live(q, len(found), float64(out.Second)) }
		face, err := j.pipe.Analyse(f, found[i], vision.Want{Embed: j.embed, Live: live})
		// A face that cannot be measured, such as one half outside the frame, is a face seen all the same.
		if err != nil && !errors.Is(err, vision.ErrImage) {
			return err
		}
		j.fill(&out, face)
	}
	out.DoneAt = monotonic()
	return j.child.Send(out)
}

func (j *faceJob) embed(q vision.Quality) bool {
	return q.EyeDistance >= j.eyes && math.Abs(q.NoseOffset) <= profile
}

// live spends the liveness network on the session's first frames that take part in a match, and on no others: that one face is alive
// does not make another so.
func (j *faceJob) live(q vision.Quality, faces int, second float64) bool {
	q.Faces, q.Second = faces, second
	usable, _ := j.rules.Judge(q)
	return usable && j.lived < j.frames
}

func (j *faceJob) fill(out *worker.Face, f vision.Face) {
	out.Box = [4]float32{float32(f.Box.X), float32(f.Box.Y), float32(f.Box.W), float32(f.Box.H)}
	q := f.Quality
	out.Quality = worker.FaceQuality{
		Score: float32(q.Score), Norm: float32(q.Norm), EyeDistance: float32(q.EyeDistance), Laplacian: float32(q.Laplacian),
		Luminance: float32(q.Luminance), ShareOver: float32(q.ShareOver), ShareUnder: float32(q.ShareUnder),
		NoseOffset: float32(q.NoseOffset), NoseDrop: float32(q.NoseDrop), Roll: float32(q.Roll),
	}
	out.Raw = f.Raw
	if f.Live != nil {
		j.lived++
		out.Live = worker.FaceLive{MS27: float32(f.Live.MS27), SQ15: float32(f.Live.SQ15), Lines: float32(f.Live.Lines), Done: true}
	}
}

func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0
	}
	return t.Nano()
}
