//go:build cgo

package vision

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"gocv.io/x/gocv"
	"golang.org/x/sys/unix"
)

// The capture's rhythm.
const (
	spareMats    = 3
	idleDecode   = 500 * time.Millisecond
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 2 * time.Second
	defaultFPS   = 25
)

// Camera reads a source without pause and keeps its newest frame.
type Camera struct {
	o CameraOptions

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
	return &Camera{o: o, fresh: make(chan struct{}, 1), health: Health{Err: "not opened yet"}}, nil
}

// Serve reads until ctx ends, opening anew whatever fails. It returns only between two reads: a read cannot be interrupted.
func (c *Camera) Serve(ctx context.Context) error {
	defer c.drain()
	backoff := firstBackoff
	for ctx.Err() == nil {
		frames, err := c.session(ctx)
		if frames > 0 {
			backoff = firstBackoff
		}
		if err == nil {
			continue
		}
		c.mu.Lock()
		c.health.Err = err.Error()
		c.mu.Unlock()
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
	vc, err := c.open(src)
	if err != nil {
		return 0, err
	}
	defer vc.Close()
	var pace <-chan time.Time
	if src.paced() {
		fps := c.o.FPS
		if fps <= 0 {
			fps = defaultFPS
		}
		t := time.NewTicker(time.Second / time.Duration(fps))
		defer t.Stop()
		pace = t.C
	}
	var decoded time.Time
	for ctx.Err() == nil {
		if pace != nil {
			select {
			case <-pace:
			case <-ctx.Done():
				return frames, nil
			}
		}
		if !c.wanted() && time.Since(decoded) < idleDecode && c.skip(vc) {
			frames++
			continue
		}
		if !c.read(vc, src) {
			if src.paced() && frames > 0 {
				return frames, nil
			}
			return frames, fmt.Errorf("%w: no frame after %d", ErrCamera, frames)
		}
		decoded = time.Now()
		frames++
		if c.frozen() {
			// Opening it anew may help.
			return frames, fmt.Errorf("%w: the same picture for %v: it is frozen", ErrCamera, DeadAfter)
		}
	}
	return frames, nil
}

func (c *Camera) open(src source) (*gocv.VideoCapture, error) {
	defer c.inside("open")()
	var vc *gocv.VideoCapture
	var err error
	switch src.kind {
	case sourceDevice:
		vc, err = gocv.VideoCaptureDeviceWithAPI(src.device, gocv.VideoCaptureV4L2)
	case sourceURL, sourceFile:
		vc, err = gocv.VideoCaptureFileWithAPI(src.path, gocv.VideoCaptureFFmpeg)
	case sourceImages:
		vc, err = gocv.VideoCaptureFileWithAPI(src.path, gocv.VideoCaptureImages)
	default:
		return nil, fmt.Errorf("%w: no such kind of source", ErrCamera)
	}
	if err == nil && !vc.IsOpened() {
		err = errors.New("not opened")
	}
	if err != nil {
		// The handle is there on an error too.
		if vc != nil {
			_ = vc.Close()
		}
		return nil, fmt.Errorf("%w: cannot be opened", ErrCamera)
	}
	if src.kind == sourceDevice {
		vc.Set(gocv.VideoCaptureFOURCC, vc.ToCodec("MJPG"))
		vc.Set(gocv.VideoCaptureFrameWidth, float64(c.o.Width))
		vc.Set(gocv.VideoCaptureFrameHeight, float64(c.o.Height))
		vc.Set(gocv.VideoCaptureFPS, float64(c.o.FPS))
		vc.Set(gocv.VideoCaptureBufferSize, 1)
	}
	return vc, nil
}

// skip takes a frame off the source without unpacking it. It reports false when the source did not move on, and only a read can
// tell why.
func (c *Camera) skip(vc *gocv.VideoCapture) bool {
	before := progress(vc)
	done := c.inside("grab")
	vc.Grab(1)
	done()
	if progress(vc) == before {
		return false
	}
	c.tick(monotonic(), nil)
	return true
}

// progress changes with every frame taken, by one property or the other.
func progress(vc *gocv.VideoCapture) [2]float64 {
	return [2]float64{vc.Get(gocv.VideoCapturePosFrames), vc.Get(gocv.VideoCapturePosMsec)}
}

// read unpacks the next frame into the slot.
func (c *Camera) read(vc *gocv.VideoCapture, src source) bool {
	m := c.takeSpare()
	done := c.inside("read")
	ok := vc.Read(&m)
	done()
	at := monotonic()
	if src.kind == sourceDevice {
		// The driver's own time of the frame, where its clock is this one.
		if t := int64(vc.Get(gocv.VideoCapturePosMsec) * 1e6); t < at && at-t < int64(time.Second) {
			at = t
		}
	}
	if ok {
		colour(&m)
	}
	f := &Frame{mat: m, at: at, put: c.putSpare}
	if !ok || f.check() != nil {
		f.Close()
		return false
	}
	f.sum()
	c.tick(at, f)
	return true
}

// frozen tells that the source gives one picture for so long that it counts as dead.
func (c *Camera) frozen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stuck && monotonic()-c.newest > int64(DeadAfter)
}

// colour makes BGR of the grey or transparent pictures that some sources give.
func colour(m *gocv.Mat) {
	var code gocv.ColorConversionCode
	switch {
	case m.Empty():
		return
	case m.Type() == gocv.MatTypeCV8UC1:
		code = gocv.ColorGrayToBGR
	case m.Type() == gocv.MatTypeCV8UC4:
		code = gocv.ColorBGRAToBGR
	default:
		return
	}
	out := gocv.NewMat()
	gocv.CvtColor(*m, &out, code)
	_ = m.Close()
	*m = out
}

// tick counts a frame and, when it was unpacked, makes it the newest. A frame that is its predecessor again is none: a frozen camera
// delivers nothing.
func (c *Camera) tick(at int64, f *Frame) {
	c.mu.Lock()
	c.count++
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
		if f != nil && monotonic()-f.at <= int64(StaleAfter) {
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
		h.Age = time.Duration(monotonic() - c.newest)
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

func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0
	}
	return t.Nano()
}
