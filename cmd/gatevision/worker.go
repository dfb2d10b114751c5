package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"bordergate/biometrics/vision"
	worker "bordergate/hal/vision"
)

// The worker's rhythm and limits.
const (
	healthEvery = 500 * time.Millisecond
	// callLimit is how long one call into the camera may take, workLimit how long one frame. Past it only the end of the process helps.
	callLimit = 8 * time.Second
	workLimit = 5 * time.Second
	// leaveLimit is how long the camera gets to close at the end.
	leaveLimit = 300 * time.Millisecond
	// stillBytes bounds a still.
	stillBytes = 900 << 10
)

// errHung ends a worker whose camera or network does not come back.
var errHung = errors.New("a call into the image library does not come back")

// job is what a role does with a frame.
type job interface {
	// begin starts a new session.
	begin(session uint32)
	// frame works on one frame of the session; it does not close it.
	frame(f *vision.Frame) error
	close()
}

// station is one worker: its camera, its socket, what it was last told.
type station struct {
	child  *worker.Child
	camera *vision.Camera
	job    job

	mu    sync.Mutex
	order order
	wake  chan struct{}
	// busy is when work on the present frame began, in Unix nanoseconds; 0 between frames.
	busy atomic.Int64
}

// order is what the worker was last told.
type order struct {
	watching bool
	session  uint32
	since    int64
	still    bool
}

// runWorker is the process from its first message to its end.
func runWorker(ctx context.Context) int {
	child, err := worker.OpenChild()
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

func serve(ctx context.Context, child *worker.Child) error {
	cfg, err := child.Config()
	if err != nil {
		return err
	}
	s := &station{child: child, wake: make(chan struct{}, 1)}
	if s.job, err = newJob(cfg, child); err != nil {
		return err
	}
	if s.camera, err = vision.NewCamera(vision.CameraOptions{
		Source: cfg.Source, Width: cfg.Width, Height: cfg.Height, FPS: cfg.FPS,
	}); err != nil {
		return err
	}
	if err := child.Ready(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	end := make(chan error, 4)
	left := make(chan struct{})
	go func() {
		defer close(left)
		end <- s.camera.Serve(ctx)
	}()
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
		}
		s.camera.Demand(s.order.watching || s.order.still)
		s.mu.Unlock()
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// next waits until there is something to do.
func (s *station) next(ctx context.Context) (order, error) {
	for {
		s.mu.Lock()
		o := s.order
		s.mu.Unlock()
		if o.watching || o.still {
			return o, nil
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return order{}, ctx.Err()
		}
	}
}

// work takes the newest frame whenever it is done with the last.
func (s *station) work(ctx context.Context) error {
	defer s.job.close()
	var session uint32
	var begun bool
	for {
		o, err := s.next(ctx)
		if err != nil {
			return err
		}
		f, err := s.camera.Next(ctx)
		if err != nil {
			return err
		}
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
	s.busy.Store(time.Now().UnixNano())
	defer s.busy.Store(0)
	if o.still {
		if err := s.still(o, f); err != nil {
			return err
		}
	}
	if !o.watching || f.At() < o.since {
		return nil
	}
	return s.job.frame(f)
}

func (s *station) still(o order, f *vision.Frame) error {
	s.mu.Lock()
	s.order.still = false
	s.camera.Demand(s.order.watching)
	s.mu.Unlock()
	b, err := f.JPEG(stillBytes)
	if err != nil {
		return err
	}
	w, h := f.Size()
	return s.child.Send(worker.Image{Session: o.session, FrameAt: f.At(), Width: w, Height: h, JPEG: b})
}

// beat reports the camera's health, and ends the worker when a call hangs.
func (s *station) beat(ctx context.Context) error {
	t := time.NewTicker(healthEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		h := s.camera.Health()
		if h.Busy > callLimit {
			return fmt.Errorf("camera: %w", errHung)
		}
		if b := s.busy.Load(); b != 0 && time.Since(time.Unix(0, b)) > workLimit {
			return fmt.Errorf("frame: %w", errHung)
		}
		age := int32(-1)
		if h.Age >= 0 {
			age = int32(min(h.Age, time.Hour).Milliseconds())
		}
		err := s.child.Send(worker.CameraHealth{
			OK: h.OK, Err: h.Err, FPS: float32(h.FPS), AgeMillis: age, Width: h.Width, Height: h.Height, Dark: h.Dark,
		})
		if err != nil {
			return err
		}
	}
}
