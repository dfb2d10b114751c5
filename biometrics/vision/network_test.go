//go:build cgo

package vision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// shows is a camera in the test's own time, 25 pictures a second, the one that show names for each turn; nil ends the stream.
func shows(t *testing.T, show func(n int) []byte) dialer { return raw(t, films(show)) }

func films(show func(n int) []byte) func(*http.Request, io.Writer) {
	// A connection that was left may still be at its last turn when the next one begins.
	var turns atomic.Int64
	return func(_ *http.Request, w io.Writer) {
		_, err := io.WriteString(w, okStream)
		for err == nil {
			pic := show(int(turns.Add(1) - 1))
			if pic == nil {
				_, _ = io.WriteString(w, "--frame--\r\n")
				_ = w.(io.Closer).Close()
				return
			}
			_, err = w.Write(slices.Concat(fmt.Appendf(nil, "--frame\r\nContent-Length: %d\r\n\r\n", len(pic)), pic, []byte("\r\n")))
			<-time.After(40 * time.Millisecond)
		}
	}
}

// camera starts a network camera in the test's own time.
func camera(t *testing.T, w, h int, dial dialer) *Camera {
	t.Helper()
	began := time.Now()
	c := start(t, CameraOptions{Source: "http://camera/face", Width: w, Height: h}, func(c *Camera) {
		c.dial, c.now = dial, func() int64 { return int64(time.Since(began)) + 1 }
	})
	c.Demand(true)
	return c
}

func TestFrozenCamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var frozen atomic.Bool
		pics := pictures(t, 320, 180, 90, 100, 110, 120)
		c := camera(t, 0, 0, shows(t, func(n int) []byte {
			if frozen.Load() {
				return pics[0]
			}
			return pics[n%len(pics)]
		}))
		for range 5 {
			next(t, c).Close()
		}
		frozen.Store(true)
		// The first frozen frame may be new; no other is ever handed out.
		if n := until(t, c, func(h Health) bool { return !h.OK }); n > 2 {
			t.Errorf("%d frames of a frozen camera", n)
		}
		until(t, c, func(h Health) bool { return strings.Contains(h.Err, "frozen") })
		if n := until(t, c, func(h Health) bool { return !h.OK && h.Age > DeadAfter+time.Second }); n != 0 {
			t.Errorf("%d frames of a camera that was frozen and opened anew", n)
		}
		frozen.Store(false)
		until(t, c, func(h Health) bool { return h.OK && h.Err == "" })
		next(t, c).Close()
	})
}

// A camera that takes the connection and says nothing is given up after our own time-out, outside of any call into the library.
func TestSilentCamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := camera(t, 0, 0, raw(t, says()))
		began := time.Now()
		until(t, c, func(h Health) bool {
			if h.Busy != 0 {
				t.Fatalf("inside the library for %v", h.Busy)
			}
			return strings.Contains(h.Err, "cannot be opened") && strings.Contains(h.Err, "no answer")
		})
		if d := time.Since(began); d > firstLimit+100*time.Millisecond {
			t.Errorf("given up after %v", d)
		}
	})
}

// TestSlowCameraGetsMoreTime has a camera that says nothing twice and then needs longer than a first attempt allows.
func TestSlowCameraGetsMoreTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pics := pictures(t, 320, 180, 100, 110, 120)
		var asked atomic.Int32
		film := films(func(n int) []byte { return pics[n%len(pics)] })
		c := camera(t, 320, 180, raw(t, func(r *http.Request, w io.Writer) {
			if asked.Add(1) < 3 {
				return
			}
			<-time.After(1500 * time.Millisecond)
			film(r, w)
		}))
		began := time.Now()
		next(t, c).Close()
		// Two attempts given up with the pauses after them, and the third.
		want := firstLimit + firstBackoff + 2*firstLimit + 2*firstBackoff + 1500*time.Millisecond
		if d := time.Since(began); d < want || d > want+100*time.Millisecond {
			t.Errorf("the first frame after %v, want %v", d, want)
		}
	})
}

// TestCameraStopsAtOnce ends a camera whose stream has stalled inside a frame.
func TestCameraStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := NewCamera(CameraOptions{Source: "http://camera/face"})
		if err != nil {
			t.Fatal(err)
		}
		c.dial = raw(t, says(okStream, "--frame\r\nContent-Length: 9\r\n\r\ntwo"))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Serve(ctx) }()
		synctest.Wait()
		began := time.Now()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestNetworkCameraComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		pics := pictures(t, 320, 180, 100, 110, 120)
		c := camera(t, 320, 180, shows(t, func(n int) []byte {
			if broken.Load() {
				return nil
			}
			return pics[n%len(pics)]
		}))
		for range 5 {
			next(t, c).Close()
		}
		broken.Store(true)
		until(t, c, func(h Health) bool { return !h.OK && strings.Contains(h.Err, "ended the stream") })
		mended := c.now()
		broken.Store(false)
		f := next(t, c)
		if f.At() < mended {
			t.Error("a frame from before the break")
		}
		f.Close()
		until(t, c, func(h Health) bool { return h.OK && h.Err == "" })
	})
}

// TestCameraChangesItsSize has a camera that nobody asked for a size: each stream is of one size, and a change opens another.
func TestCameraChangesItsSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		large, small, odd := pictures(t, 640, 480, 90, 100), pictures(t, 320, 240, 90, 100), pictures(t, 331, 187, 90, 100)
		var streams atomic.Int64
		shown := shows(t, func(n int) []byte { return [][][]byte{large, small, odd}[n/10%3][n%2] })
		c := camera(t, 0, 0, func(ctx context.Context, network, address string) (net.Conn, error) {
			streams.Add(1)
			return shown(ctx, network, address)
		})
		seen := map[int]int{}
		for range 60 {
			f := next(t, c)
			w, h := f.Size()
			seen[w]++
			pix, err := f.Luma()
			if err != nil || len(pix) != w*h {
				t.Fatalf("%d pixels of %dx%d, %v", len(pix), w, h, err)
			}
			f.Close()
		}
		if len(seen) != 3 || streams.Load() < 3 {
			t.Errorf("frames by width %v in %d streams", seen, streams.Load())
		}
	})
}

// TestCameraOfAnotherSize has a camera that leaves the size configured, and comes back to it. No frame of another size is given.
func TestCameraOfAnotherSize(t *testing.T) {
	for name, idle := range map[string]bool{"watched": false, "idle": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var wrong atomic.Bool
				good, small := pictures(t, 640, 480, 90, 100, 110, 120, 130), pictures(t, 640, 360, 90, 100)
				c := camera(t, 640, 480, shows(t, func(n int) []byte {
					if wrong.Load() {
						return small[n%2]
					}
					return good[n%5]
				}))
				c.Demand(!idle)
				next(t, c).Close()
				wrong.Store(true)
				if n := until(t, c, func(h Health) bool { return !h.OK }); n > 2 {
					t.Errorf("%d frames of another size", n)
				}
				if h := c.Health(); !strings.Contains(h.Err, "640x360 instead of 640x480") || !strings.Contains(h.Err, "set the camera") {
					t.Errorf("health %+v", h)
				}
				wrong.Store(false)
				until(t, c, func(h Health) bool { return h.OK && h.Err == "" && h.Height == 480 })
				next(t, c).Close()
			})
		})
	}
}

// TestSpoiltPartsAreLeftOut has one part in three that is no whole picture, and then only such.
func TestSpoiltPartsAreLeftOut(t *testing.T) {
	pics := pictures(t, 320, 180, 90, 100, 110)
	for name, spoilt := range map[string][]byte{
		"cut":     pics[0][:len(pics[0])/2],
		"empty":   {},
		"no JPEG": asPNG(t, gradient(320, 180)),
		"huge":    bytes.Replace(pics[0], []byte{0, 180, 1, 64}, []byte{0xff, 0xff, 0xff, 0xff}, 1),
		"noise":   bytes.Repeat([]byte{0xff, 0xd8, 0xff, 0xda}, 1000),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var only atomic.Bool
				c := camera(t, 0, 0, shows(t, func(n int) []byte {
					if only.Load() || n%3 == 2 {
						return spoilt
					}
					return pics[n%3]
				}))
				for range 30 {
					f := next(t, c)
					if w, h := f.Size(); w != 320 || h != 180 {
						t.Fatalf("frame of %dx%d", w, h)
					}
					f.Close()
				}
				if h := c.Health(); !h.OK || h.Err != "" {
					t.Errorf("health %+v", h)
				}
				only.Store(true)
				until(t, c, func(h Health) bool { return !h.OK && strings.Contains(h.Err, "no whole picture") })
				only.Store(false)
				until(t, c, func(h Health) bool { return h.OK && h.Err == "" })
			})
		})
	}
}

// TestIdleCameraDecodesLittle counts the calls into the library while nobody wants frames.
func TestIdleCameraDecodesLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		pics := pictures(t, 320, 180, 90, 100, 110)
		dial := shows(t, inTurn(pics))
		c := start(t, CameraOptions{Source: "http://camera/face", Enter: func(string, uint32) { calls.Add(1) }}, func(c *Camera) { c.dial = dial })
		<-time.After(10 * time.Second)
		// Two a second, and the first.
		if n := calls.Load(); n < 15 || n > 21 {
			t.Errorf("%d pictures unpacked in 10 s", n)
		}
		if h := c.Health(); h.FPS < 24 || h.FPS > 26 {
			t.Errorf("%v frames a second", h.FPS)
		}
	})
}
