package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"bordergate/biometrics/vision"
	worker "bordergate/hal/vision"
)

// The worker's rhythm and limits.
const (
	// healthEvery is the beat, changeEvery how soon a change of the camera's health is told.
	healthEvery = 200 * time.Millisecond
	changeEvery = 40 * time.Millisecond
	// callLimit is how long one call into the camera may take: longer than the library's own time-outs, after which the camera is
	// dead and the worker is not. Past it only the end of the process helps, as with a frame that stalls.
	callLimit = 8 * time.Second
	// leaveLimit is how long the camera gets to close at the end.
	leaveLimit = 300 * time.Millisecond
	// emptyEvery is how often a face worker looks at the scene while nobody is there.
	emptyEvery = 2 * time.Second
	// stillBytes bounds a still: sealed, it is one record of a journal.
	stillBytes = 88 << 10
	// viewWidth is how wide a view is, viewEvery how often one is sent at most: it must take little from what the frames are for.
	viewWidth = 480
	viewEvery = 95 * time.Millisecond
)

// errHung ends a worker whose camera or network does not come back.
var errHung = errors.New("a call into the image library does not come back")

// job is what a role does with a frame.
type job interface {
	// begin starts a new session.
	begin(session uint32)
	// frame works on one frame of the session and tells of each stage before it begins; it does not close the frame.
	frame(f *vision.Frame, enter func(stage string)) error
	close()
}

// learner is a job that wants to know the scene with nobody in it.
type learner interface{ empty(f *vision.Frame) error }

// station is one worker: its camera, its socket, what it was last told.
type station struct {
	child  *worker.Child
	camera *vision.Camera
	job    job

	mu    sync.Mutex
	order order
	wake  chan struct{}
	// busy is the number of the frame that is being worked on, 0 between frames.
	busy atomic.Uint32
	// viewed is when the frame of the last view was taken.
	viewed int64
	// tid is the thread that works on frames.
	tid atomic.Int64
}

// order is what the worker was last told.
type order struct {
	watching bool
	session  uint32
	since    int64
	still    bool
	mirror   bool
}

// busy tells whether every frame is wanted.
func (o order) busy() bool { return o.watching || o.still || o.mirror }

// runWorker is the process from its first message to its end.
func runWorker(ctx context.Context) int {
	child, err := worker.OpenChild()
	if err == nil {
		err = seclude()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "gatevision worker: %v\n", err)
		return exitUnable
	}
	err = serve(ctx, child)
	switch {
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, context.Canceled):
		return exitDone
	case errors.Is(err, errHung):
		_ = child.Fail(err)
		return exitHung
	default:
		_ = child.Fail(err)
		fmt.Fprintf(os.Stderr, "gatevision worker: %v\n", err)
		return exitUnable
	}
}

// seclude keeps the picture in memory out of core dumps and away from debuggers.
func seclude() error {
	err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	if err == nil {
		err = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	}
	if err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	return nil
}

func serve(ctx context.Context, child *worker.Child) error {
	cfg, err := child.Config()
	if err != nil {
		return err
	}
	s := &station{child: child, wake: make(chan struct{}, 1)}
	if s.camera, err = vision.NewCamera(vision.CameraOptions{
		Source: cfg.Source, Width: cfg.Width, Height: cfg.Height, FPS: cfg.FPS,
		Enter: func(step string, frame uint32) {
			child.Note(worker.LaneCamera, worker.Trace{Stage: step, Frame: frame})
		},
	}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	end := make(chan error, 4)
	left := make(chan struct{})
	// The camera opens while the networks are read.
	go func() {
		defer close(left)
		end <- s.camera.Serve(ctx)
	}()
	if s.job, err = newJob(cfg, child); err != nil {
		return err
	}
	if err := child.Ready(); err != nil {
		return err
	}
	go func() { end <- s.obey() }()
	go func() { end <- s.beat(ctx) }()
	go func() { end <- s.work(ctx) }()
	err = <-end
	cancel()
	// The other goroutines may hang inside the image library; the process's end is what ends them.
	select {
	case <-left:
	case <-time.After(leaveLimit):
	}
	return err
}

func newJob(cfg worker.WorkerConfig, child *worker.Child) (job, error) {
	if cfg.Role == worker.RoleDocument {
		vision.SetThreads(max(cfg.Threads, 1))
		return newDocumentJob(cfg, child), nil
	}
	return newFaceJob(cfg, child)
}

// obey takes orders until the socket ends.
func (s *station) obey() error {
	for {
		c, err := s.child.Next()
		if err != nil {
			return err
		}
		s.mu.Lock()
		switch c.Kind {
		case worker.CommandWatch:
			s.order.watching, s.order.session, s.order.since = true, c.Session, monotonic()
		case worker.CommandStop:
			s.order.watching, s.order.session = false, 0
		case worker.CommandStill:
			s.order.still = true
		case worker.CommandMirror:
			s.order.mirror = c.On
		}
		s.camera.Demand(s.order.busy())
		s.mu.Unlock()
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

func (s *station) told() order {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.order
}

// next waits until there is something to do: an order, or for a learner the time to look at the empty scene.
func (s *station) next(ctx context.Context) error {
	var idle <-chan time.Time
	if _, ok := s.job.(learner); ok {
		t := time.NewTimer(emptyEvery)
		defer t.Stop()
		idle = t.C
	}
	for {
		if s.told().busy() {
			return nil
		}
		select {
		case <-s.wake:
		case <-idle:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// work takes the newest frame whenever it is done with the last.
func (s *station) work(ctx context.Context) error {
	// One thread for all frames, so that its state and its time can be looked at.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s.tid.Store(int64(unix.Gettid()))
	defer s.job.close()
	var session uint32
	var begun bool
	for {
		if err := s.next(ctx); err != nil {
			return err
		}
		f, err := s.camera.Next(ctx)
		if err != nil {
			return err
		}
		o := s.told() // the frame may have been long in coming
		if o.watching && (!begun || o.session != session) {
			session, begun = o.session, true
			s.job.begin(session)
		}
		err = s.one(o, f)
		f.Close()
		if err != nil {
			return err
		}
	}
}

// one works on one frame. A frame from before the session began is left alone: it may show the traveller before.
func (s *station) one(o order, f *vision.Frame) error {
	s.busy.Store(f.Number())
	defer s.busy.Store(0)
	w, h := f.Size()
	digest, mean := f.Digest()
	t := worker.Trace{Stage: "frame", FrameAt: f.At(), Frame: f.Number(), Width: uint32(w), Height: uint32(h), Digest: digest, Mean: mean}
	s.note(t)
	if o.still {
		if err := s.still(o, f); err != nil {
			return err
		}
	}
	l, learns := s.job.(learner)
	switch {
	case o.watching && f.At() >= o.since:
		if err := s.job.frame(f, func(stage string) { t.Stage = stage; s.note(t) }); err != nil {
			return err
		}
	case learns && !o.busy():
		if err := l.empty(f); err != nil {
			return err
		}
	}
	if o.mirror {
		t.Stage = "view"
		s.note(t)
		if err := s.view(f); err != nil {
			return err
		}
	}
	t.Stage = "idle"
	s.note(t)
	return nil
}

func (s *station) note(t worker.Trace) { s.child.Note(worker.LaneWork, t) }

func (s *station) still(o order, f *vision.Frame) error {
	s.mu.Lock()
	s.order.still = false
	s.camera.Demand(s.order.busy())
	s.mu.Unlock()
	b, err := f.JPEG(stillBytes)
	if errors.Is(err, vision.ErrImage) {
		return nil // a picture that cannot be kept is no reason to stop watching
	}
	if err != nil {
		return err
	}
	w, h := f.Size()
	return s.child.Send(worker.Image{Session: o.session, FrameAt: f.At(), Width: w, Height: h, JPEG: b})
}

// view sends the frame to be looked at, when the last one is old enough.
func (s *station) view(f *vision.Frame) error {
	if f.At()-s.viewed < viewEvery.Nanoseconds() {
		return nil
	}
	s.viewed = f.At()
	b, err := f.Thumb(viewWidth, worker.MaxView)
	if errors.Is(err, vision.ErrImage) {
		return nil // the next one may be smaller
	}
	if err != nil {
		return err
	}
	return s.child.Send(worker.View{FrameAt: f.At(), JPEG: b})
}

// beat reports the camera's health, and ends the worker when a call hangs.
func (s *station) beat(ctx context.Context) error {
	t := time.NewTicker(changeEvery)
	defer t.Stop()
	var told vision.Health
	var work stall
	silent := healthEvery
	for {
		h := s.camera.Health()
		if h.Busy > callLimit {
			return fmt.Errorf("camera: %w", errHung)
		}
		if work.look(s.busy.Load(), func() (bool, time.Duration, error) { return thread(int(s.tid.Load())) }) {
			return fmt.Errorf("frame: %w", errHung)
		}
		if silent += changeEvery; silent >= healthEvery || h.OK != told.OK {
			told, silent = h, 0
			if err := s.child.Send(message(h)); err != nil {
				return err
			}
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func message(h vision.Health) worker.CameraHealth {
	age := int32(-1)
	if h.Age >= 0 {
		age = int32(min(h.Age, time.Hour).Milliseconds())
	}
	return worker.CameraHealth{
		OK: h.OK, Err: h.Err, FPS: float32(h.FPS), AgeMillis: age, Width: h.Width, Height: h.Height, Dark: h.Dark,
	}
}
