//go:build cgo

package vision

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"gocv.io/x/gocv"
)

// The capture's rhythm.
const (
	spareMats    = 3
	idleDecode   = 500 * time.Millisecond
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 2 * time.Second
	defaultFPS   = 25
)

// capture is a source that is open.
type capture interface {
	// skip takes frames off the source without unpacking one, and tells how many and the time of the last. It is not ok where only a
	// read can tell why none came.
	skip(ctx context.Context) (at int64, n int, ok bool)
	// read unpacks the next frame, which is the last of n that came.
	read(ctx context.Context) (f *Frame, n int, err error)
	close()
}

// Camera reads a source without pause and keeps its newest frame.
type Camera struct {
	o CameraOptions
	// now is the time of frames; dial opens connections, nil is the system's own. A test sets them before Serve.
	now  func() int64
	dial dialer
	// failed counts the attempts since the last frame that came to nothing; only Serve uses it.
	failed int

	mu     sync.Mutex
	frame  *Frame
	fresh  chan struct{}
	spare  []gocv.Mat
	demand bool
	health Health
	newest int64
	number uint32
	// digest is of the last frame unpacked; stuck tells that it was the same as the one before.
	digest uint64
	stuck  bool
	since  time.Time
	count  int
	call   time.Time
}

// NewCamera prepares a camera; nothing is opened before Serve.
func NewCamera(o CameraOptions) (*Camera, error) {
	for _, e := range captureEnv {
		if os.Getenv(e[0]) == "" {
			if err := os.Setenv(e[0], e[1]); err != nil {
				return nil, fmt.Errorf("prepare capture: %w", err)
			}
		}
	}
	return &Camera{o: o, now: monotonic, fresh: make(chan struct{}, 1), health: Health{Err: "not opened yet"}}, nil
}

// Serve reads until ctx ends, opening anew whatever fails. It returns only between two calls into the library: they cannot be
// interrupted.
func (c *Camera) Serve(ctx context.Context) error {
	defer c.drain()
	backoff := firstBackoff
	for ctx.Err() == nil {
		frames, err := c.session(ctx)
		if frames > 0 {
			backoff, c.failed = firstBackoff, 0
		}
		if err == nil {
			continue
		}
		c.failed++
		c.complain(err)
		select {
		case <-time.After(backoff):
		case <-ctx.Done():
		}
		backoff = min(2*backoff, lastBackoff)
	}
	return ctx.Err()
}

// session opens the source and reads it to its end. A file that gave frames and ended is no error.
func (c *Camera) session(ctx context.Context) (frames int, err error) {
	src, err := resolve(c.o.Source)
	if err != nil {
		return 0, err
	}
	in, err := c.open(ctx, src)
	if err != nil {
		if ctx.Err() != nil {
			return 0, nil
		}
		return 0, err
	}
	defer in.close()
	pace, stop := c.pace(src)
	defer stop()
	var decoded time.Time
	for ctx.Err() == nil {
		select {
		case <-pace:
		case <-ctx.Done():
			return frames, nil
		}
		if !c.wanted() && time.Since(decoded) < idleDecode {
			if at, n, ok := in.skip(ctx); ok {
				frames++
				c.tick(at, n, nil)
				continue
			}
		}
		f, n, err := in.read(ctx)
		switch {
		case err == nil:
		case ctx.Err() != nil || (src.paced() && frames > 0):
			return frames, nil
		default:
			return frames, fmt.Errorf("%w: after %d frames: %w", ErrCamera, frames, err)
		}
		f.sum()
		c.tick(f.at, n, f)
		decoded = time.Now()
		frames++
		if c.frozen() {
			// Opening it anew may help.
			return frames, fmt.Errorf("%w: the same picture for %v: it is frozen", ErrCamera, DeadAfter)
		}
	}
	return frames, nil
}

// open opens a source by whoever reads its kind.
func (c *Camera) open(ctx context.Context, src source) (capture, error) {
	if src.kind == sourceMJPEG {
		return openNetwork(ctx, c, src)
	}
	return openLibrary(c, src)
}

// pace is ready whenever the source may be read: always, but for files.
func (c *Camera) pace(src source) (ready <-chan time.Time, stop func()) {
	if !src.paced() {
		always := make(chan time.Time)
		close(always)
		return always, func() {}
	}
	fps := c.o.FPS
	if fps <= 0 {
		fps = defaultFPS
	}
	t := time.NewTicker(time.Second / time.Duration(fps))
	return t.C, t.Stop
}

// complain says why no frame comes.
func (c *Camera) complain(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.health.Err = err.Error()
}

// frozen tells that the source gives one picture for so long that it counts as dead.
func (c *Camera) frozen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stuck && c.now()-c.newest > int64(DeadAfter)
}

// tick counts n frames and, when the last was unpacked, makes it the newest. A frame that is its predecessor again is none: a frozen
// camera delivers nothing.
func (c *Camera) tick(at int64, n int, f *Frame) {
	c.mu.Lock()
	c.count += n
	if f != nil {
		c.number++
		f.number = c.number
		c.stuck = f.digest == c.digest
		c.digest = f.digest
	}
	if !c.stuck {
		c.newest = at
		c.health.Err = ""
	}
	if d := time.Since(c.since); d >= time.Second {
		if !c.since.IsZero() {
			c.health.FPS = float64(c.count) / d.Seconds()
		}
		c.since, c.count = time.Now(), 0
	}
	old, fresh := f, f != nil && !c.stuck
	if fresh {
		old, c.frame = c.frame, f
		c.health.Width, c.health.Height = f.Size()
		c.health.Dark = f.mean < darkMean
	}
	c.mu.Unlock()
	old.Close()
	if fresh {
		select {
		case c.fresh <- struct{}{}:
		default:
		}
	}
}

// Demand tells whether frames are wanted. While they are not, few are unpacked.
func (c *Camera) Demand(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.demand = on
}

func (c *Camera) wanted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.demand
}

// Next waits for a frame newer than the last it gave. The caller closes it.
func (c *Camera) Next(ctx context.Context) (*Frame, error) {
	for {
		c.mu.Lock()
		f := c.frame
		c.frame = nil
		c.mu.Unlock()
		if f != nil && c.now()-f.at <= int64(StaleAfter) {
			return f, nil
		}
		f.Close()
		select {
		case <-c.fresh:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Health returns the camera's state now.
func (c *Camera) Health() Health {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.health
	h.Age = -1
	if c.newest != 0 {
		h.Age = time.Duration(c.now() - c.newest)
	}
	if !c.call.IsZero() {
		h.Busy = time.Since(c.call)
	}
	h.OK = h.Age >= 0 && h.Age <= DeadAfter
	switch {
	case h.OK && h.Dark:
		h.Err = "the picture is nearly black: is the lens covered, is there light"
	case h.OK:
		h.Err = ""
	case h.Err == "":
		h.Err = "no new frame for " + DeadAfter.String()
	}
	if !h.OK {
		h.FPS = 0
	}
	return h
}

// inside marks a call into the library, for whoever must end the process when it hangs.
func (c *Camera) inside(step string) func() {
	c.mu.Lock()
	c.call = time.Now()
	number := c.number
	c.mu.Unlock()
	if c.o.Enter != nil {
		c.o.Enter(step, number+1)
	}
	return func() {
		c.mu.Lock()
		c.call = time.Time{}
		c.mu.Unlock()
	}
}

func (c *Camera) takeSpare() gocv.Mat {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.spare); n > 0 {
		m := c.spare[n-1]
		c.spare = c.spare[:n-1]
		return m
	}
	return gocv.NewMat()
}

// putSpare keeps a frame's memory for the next one.
func (c *Camera) putSpare(m gocv.Mat) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.spare) < spareMats {
		c.spare = append(c.spare, m)
		return
	}
	_ = m.Close()
}

// drain frees what is left when Serve ends.
func (c *Camera) drain() {
	c.mu.Lock()
	f := c.frame
	c.frame = nil
	c.mu.Unlock()
	f.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.spare {
		_ = m.Close()
	}
	c.spare = nil
}
