package app

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"bordergate/biometrics"
	"bordergate/configs"
	"bordergate/gate"
	"bordergate/hal/vision"
)

// eye is one camera with its worker.
type eye struct {
	camera gate.Camera
	name   string // on the status page
	conf   configs.Camera
	// testing takes the next picture; nil: no self-test waits for one.
	testing atomic.Pointer[chan vision.Image]
	ask     func() // the worker for a picture; never blocks
	worker  *vision.Worker
	model   *biometrics.Recogniser
	rules   biometrics.Rules
	log     *slog.Logger
	post    func(gate.Input)
	// evidence takes the stills it asked for; nil: none.
	evidence *evidence
	// desk takes the orders for the worker.
	desk *desk
	// bench is the technician's place; nil: none.
	bench *bench
	// mirror takes the views it asked for; nil: none.
	mirror func(vision.View)
	// monitor counts the frames; may be nil.
	monitor *monitor

	mu  sync.Mutex
	up  bool
	err string
	// away is since when the camera is away, born when its worker was last ready.
	away, born time.Time
	// starts counts the worker's lives, crash is the last one that ended badly.
	starts int
	crash  string
	health *vision.CameraHealth // the newest; nil before the first
	first  uint32               // session with which the traveller there now began
	hinted uint32               // session for which hints began anew
	hinter *biometrics.Hinter
}

// eyes are both cameras, as the lane sees them.
type eyes []*eye

// Watch implements gate.Eyes.
func (e eyes) Watch(session uint32) {
	for _, x := range e {
		x.begin(session)
		x.desk.watch(session)
	}
}

// begin has the next frame's hints begin anew: another traveller stands there.
func (e *eye) begin(session uint32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.first = session
}

// steady gives the hint to show, which changes slowly.
func (e *eye) steady(frameAt int64, cause biometrics.Hint) biometrics.Hint {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.hinter == nil {
		e.hinter = biometrics.NewHinter(biometrics.DefaultHintRule())
	}
	if e.hinted != e.first {
		e.hinter.Reset()
		e.hinted = e.first
	}
	return e.hinter.See(time.Duration(frameAt), cause)
}

// Again implements gate.Eyes.
func (e eyes) Again(session uint32) {
	e.each(gate.FaceCamera, func(d *desk) { d.watch(session) })
}

// Hold implements gate.Eyes.
func (e eyes) Hold() { e.each(gate.DocumentCamera, func(d *desk) { d.rest(false) }) }

func (e eyes) each(c gate.Camera, do func(*desk)) {
	for _, x := range e {
		if x.camera == c {
			do(x.desk)
		}
	}
}

// Stop implements gate.Eyes.
func (e eyes) Stop() {
	for _, x := range e {
		x.desk.rest(true)
	}
}

// serveEvents tells the lane what the worker sees.
func (e *eye) serveEvents(ctx context.Context, beat func()) error {
	return each(ctx, e.worker.Events(), beat, e.tell)
}

func (e *eye) tell(v vision.Event) {
	if e.bench != nil && e.bench.take(v) {
		return
	}
	switch v := v.(type) {
	case vision.Symbol:
		e.post(gate.Symbol(monoNow(), v.Session, v.FrameAt, v.Payload))
	case vision.Shown:
		e.post(gate.DocumentSeen(monoNow(), v.Session))
	case vision.Face:
		e.post(gate.FaceSeen(monoNow(), v.Session, e.face(v)))
	case vision.Image:
		e.tested(v)
		e.evidence.image(v)
	case vision.View:
		if e.mirror != nil {
			e.mirror(v)
		}
		clear(v.JPEG) // shown, and kept nowhere
	case vision.CameraHealth:
		e.mu.Lock()
		e.health = &v
		e.mu.Unlock()
		e.note(v.OK, v.Err)
	case vision.Up:
		e.mu.Lock()
		e.starts++
		e.born = time.Now()
		e.mu.Unlock()
	case vision.Down:
		text := "worker ended"
		if v.Err != nil {
			text = v.Err.Error()
		}
		if v.Crash != nil {
			e.mu.Lock()
			e.crash = v.Crash.Summary()
			e.mu.Unlock()
		}
		e.note(false, text)
	}
}

// note keeps the camera's health and tells the lane of a change.
func (e *eye) note(ok bool, text string) {
	e.mu.Lock()
	changed := ok != e.up
	last := e.err
	e.up, e.err = ok, text
	away, born := time.Since(e.away), time.Since(e.born)
	if changed && !ok {
		e.away = time.Now()
	}
	e.mu.Unlock()
	if changed {
		if ok {
			e.log.Info("Camera delivers frames", "away", away.Round(time.Millisecond), "worker_ready", born.Round(time.Millisecond), "last_error", last)
		} else {
			e.log.Warn("Camera is away", "error", text)
		}
		e.post(gate.CameraUp(monoNow(), e.camera, ok))
	}
}

// device is the camera's line on the status page.
func (e *eye) device() Device {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Device{Name: e.name, OK: e.up, Error: e.err, Starts: e.starts, LastCrash: e.crash}
}

func (e *eye) face(v vision.Face) gate.Face {
	q := v.Quality
	usable, hint := e.rules.Judge(qualityOf(v))
	f := gate.Face{FrameAt: v.FrameAt, Count: v.Count, Second: float64(v.Second), Box: v.Box, Usable: usable && len(v.Raw) == e.model.Dim, Hint: string(e.steady(v.FrameAt, hint)), Norm: q.Norm}
	e.monitor.frame(v, f.Usable)
	if v.Count > 1 && float64(v.Second) <= e.rules.MaxSecond {
		// Far behind the traveller: not a second person in the lane.
		f.Count = 1
	}
	if f.Usable {
		f.Embedding = v.Raw
	} else {
		clear(v.Raw) // nobody compares it
	}
	if v.Live.Done {
		f.LiveDone = true
		f.Live = cues(v)
	}
	return f
}

// cues are the liveness measurements of a frame, the face's place as shares of
// the frame.
func cues(v vision.Face) gate.LiveCues {
	c := gate.LiveCues{MS27: float64(v.Live.MS27), SQ15: float64(v.Live.SQ15), Lines: float64(v.Live.Lines)}
	if w, h := float64(v.Width), float64(v.Height); w > 0 && h > 0 {
		x, y, bw, bh := float64(v.Box[0]), float64(v.Box[1]), float64(v.Box[2]), float64(v.Box[3])
		c.Size, c.X, c.Y = bh/h, (x+bw/2)/w, (y+bh/2)/h
	}
	return c
}
