package camera

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"bordergate/cmd/gatesim/scene"

	"golang.org/x/sys/unix"
)

// Camera is one simulated camera; its methods are safe for concurrent use.
type Camera struct {
	name string
	idle []scene.Frame
	ln   net.Listener

	mu      sync.Mutex
	program *Program
	viewers map[chan shot]struct{}
	off     chan struct{} // closed while the camera is switched off
	verb    string        // what is wrong with it; see faults.go
	held    *shot         // what a frozen camera shows
	covered [2]scene.Frame
}

// shot is one frame on its way to a viewer.
type shot struct {
	frame   scene.Frame
	program *Program
}

// Now is the time on CLOCK_MONOTONIC in nanoseconds.
func Now() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		return 0
	}
	return ts.Nano()
}

// Listen opens a camera on a loopback port of the system's choice.
func Listen(name string, idle []scene.Frame) (*Camera, error) {
	if len(idle) == 0 {
		return nil, errors.New("open camera: no idle frames")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open camera: %w", err)
	}
	return &Camera{name: name, idle: idle, ln: ln, viewers: map[chan shot]struct{}{}, off: make(chan struct{})}, nil
}

// URL is where a viewer finds the stream.
func (c *Camera) URL() string { return "http://" + c.ln.Addr().String() + "/" + c.name }

// Show makes p what the camera shows; nil for the idle loop.
func (c *Camera) Show(p *Program) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.program = p
}

// Switch takes the camera off its supply, or puts it back: its streams end and
// nobody is given a new one.
func (c *Camera) Switch(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case on == c.onLocked():
	case on:
		c.off = make(chan struct{})
	default:
		close(c.off)
	}
}

func (c *Camera) onLocked() bool {
	select {
	case <-c.off:
		return false
	default:
		return true
	}
}

// Viewers counts the open streams.
func (c *Camera) Viewers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.viewers)
}

// Serve runs the camera until ctx ends.
func (c *Camera) Serve(ctx context.Context) error {
	srv := &http.Server{Handler: http.HandlerFunc(c.stream), BaseContext: func(net.Listener) context.Context { return ctx }, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(c.ln) }()
	c.tick(ctx)
	err := srv.Close()
	<-done
	return err
}

// tick hands out a frame at each moment of the schedule.
func (c *Camera) tick(ctx context.Context) {
	start := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := int64(0); ; n++ {
		n = max(n, int64(time.Since(start)/Period)) // a missed moment stays missed
		timer.Reset(time.Until(start.Add(time.Duration(n) * Period)))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		c.shoot(n, Now())
	}
}

// shoot hands the frame of a moment to every viewer that is ready for it.
func (c *Camera) shoot(n, at int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := shot{frame: c.idle[toAndFro(int(n), len(c.idle))]}
	if c.program != nil {
		if f, ok := c.program.frame(at); ok {
			s = shot{frame: f, program: c.program}
		}
	}
	s, ok := c.spoilLocked(n, s)
	if !ok {
		return
	}
	for v := range c.viewers {
		select {
		case v <- s:
		default: // too slow: it misses this frame
		}
	}
}

const boundary = "gatesimframe"

// stream sends frames to one viewer until it leaves.
func (c *Camera) stream(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	v := make(chan shot, 1)
	c.mu.Lock()
	off := c.off
	if !c.onLocked() {
		c.mu.Unlock()
		http.Error(w, "the camera is switched off", http.StatusServiceUnavailable)
		return
	}
	c.viewers[v] = struct{}{}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.viewers, v)
		c.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary="+boundary)
	w.Header().Set("Cache-Control", "no-store")
	for {
		select {
		case <-r.Context().Done():
			return
		case <-off:
			return
		case s := <-v:
			began := Now()
			if err := write(w, rc, s.frame.JPEG); err != nil {
				return
			}
			if s.program != nil {
				s.program.sent(s.frame.Truth, began)
			}
		}
	}
}

func write(w http.ResponseWriter, rc *http.ResponseController, jpeg []byte) error {
	head := "--" + boundary + "\r\nContent-Type: image/jpeg\r\nContent-Length: " + strconv.Itoa(len(jpeg)) + "\r\n\r\n"
	if err := rc.SetWriteDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := w.Write([]byte(head)); err != nil {
		return err
	}
	if _, err := w.Write(jpeg); err != nil {
		return err
	}
	if _, err := w.Write([]byte("\r\n")); err != nil {
		return err
	}
	return rc.Flush()
}
