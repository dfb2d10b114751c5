package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// FPS is the camera's frame rate.
const FPS = 25

const period = time.Second / FPS

// Clip is a pass's way: in and then held, the held frames to and fro for as
// long as it takes. Each frame is a JPEG.
type Clip struct {
	In, Held [][]byte
}

// camera sends JPEGs to the one viewer, at moments of an absolute schedule: a
// late frame does not make the next one late.
type camera struct {
	ln   net.Listener
	idle [][]byte

	mu   sync.Mutex
	clip *Clip
	at   int     // frames of the clip that were taken
	n    int     // frames of the idle loop that were taken
	held []int64 // when each held frame was sent
}

// now is CLOCK_MONOTONIC in nanoseconds, the time of every process.
func now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0
	}
	return t.Nano()
}

func newCamera(idle [][]byte) (*camera, error) {
	if len(idle) == 0 {
		return nil, errors.New("open camera: no idle frames")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open camera: %w", err)
	}
	return &camera{ln: ln, idle: idle}, nil
}

func (c *camera) url() string { return "http://" + c.ln.Addr().String() + "/document" }

// show plays a clip from the next frame on, nil for the empty desk.
func (c *camera) show(clip *Clip) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clip, c.at, c.held = clip, 0, nil
}

// sent are the times at which the clip's held frames were sent, so far.
func (c *camera) sent() []int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.held)
}

// next takes the frame of this moment, which is sent at once.
func (c *camera) next(at int64) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clip == nil {
		c.n++
		return c.idle[toAndFro(c.n, len(c.idle))]
	}
	i := c.at - len(c.clip.In)
	c.at++
	if i < 0 {
		return c.clip.In[len(c.clip.In)+i]
	}
	c.held = append(c.held, at)
	return c.clip.Held[toAndFro(i, len(c.clip.Held))]
}

// toAndFro walks 0..n-1..0 without showing an end twice.
func toAndFro(i, n int) int {
	if n == 1 {
		return 0
	}
	i %= 2*n - 2
	if i >= n {
		i = 2*n - 2 - i
	}
	return i
}

// serve runs the camera until ctx ends.
func (c *camera) serve(ctx context.Context) error {
	srv := &http.Server{
		Handler: http.HandlerFunc(c.stream), BaseContext: func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second,
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(c.ln) }()
	<-ctx.Done()
	err := srv.Close()
	<-done
	return err
}

func (c *camera) stream(w http.ResponseWriter, r *http.Request) {
	const boundary = "gatebenchframe"
	w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary="+boundary)
	rc := http.NewResponseController(w)
	t := time.NewTicker(period)
	defer t.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-t.C:
		}
		b := c.next(now())
		head := fmt.Sprintf("--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", boundary, len(b))
		for _, part := range [][]byte{[]byte(head), b, []byte("\r\n")} {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
		if rc.Flush() != nil {
			return
		}
	}
}
