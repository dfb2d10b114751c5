//go:build cgo

package vision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// writeJPEG makes a grey picture whose brightness tells its number.
func writeJPEG(tb testing.TB, path string, bright uint8) {
	tb.Helper()
	img := image.NewGray(image.Rect(0, 0, 320, 180))
	for i := range img.Pix {
		img.Pix[i] = bright
	}
	img.SetGray(0, 0, color.Gray{})
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(jpeg.Encode(f, img, nil), f.Close()); err != nil {
		tb.Fatal(err)
	}
}

func start(t *testing.T, o CameraOptions, set ...func(*Camera)) *Camera {
	t.Helper()
	c, err := NewCamera(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range set {
		f(c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Serve returned %v", err)
		}
		if c.frame != nil || c.spare != nil {
			t.Error("memory left behind")
		}
	})
	return c
}

// next waits for a frame, or fails the test.
func next(t *testing.T, c *Camera) *Frame {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	f, err := c.Next(ctx)
	if err != nil {
		t.Fatalf("no frame: %v (health %+v)", err, c.Health())
	}
	return f
}

func TestFolderAsCamera(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		writeJPEG(t, filepath.Join(dir, fmt.Sprintf("img_%04d.jpg", i)), uint8(40*i+20))
	}
	c := start(t, CameraOptions{Source: dir, FPS: 100})
	c.Demand(true)
	last := int64(0)
	// More frames than there are pictures: the folder starts anew.
	for range 12 {
		f := next(t, c)
		if w, h := f.Size(); w != 320 || h != 180 {
			t.Errorf("frame of %dx%d", w, h)
		}
		if f.At() <= last {
			t.Error("time does not move on")
		}
		last = f.At()
		pix, err := f.Luma()
		if err != nil || len(pix) != 320*180 {
			t.Errorf("luma of %d bytes, %v", len(pix), err)
		}
		f.Close()
		f.Close()
	}
	if h := c.Health(); !h.OK || h.Width != 320 || h.Err != "" {
		t.Errorf("health %+v", h)
	}
}

// pictures makes JPEGs of a size, each of another brightness.
func pictures(t *testing.T, w, h int, bright ...uint8) [][]byte {
	t.Helper()
	var out [][]byte
	for _, b := range bright {
		img := image.NewGray(image.Rect(0, 0, w, h))
		for i := range img.Pix {
			img.Pix[i] = b
		}
		var buf bytes.Buffer
		if err := jpeg.Encode(&buf, img, nil); err != nil {
			t.Fatal(err)
		}
		out = append(out, buf.Bytes())
	}
	return out
}

// mjpeg serves pictures as a network camera does, the one that show names for each turn, until broken.
func mjpeg(t *testing.T, broken *atomic.Bool, served *atomic.Int64, show func(n int) []byte) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for !broken.Load() {
			pic := show(int(served.Load()))
			fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", len(pic))
			if _, err := w.Write(append(pic[:len(pic):len(pic)], '\r', '\n')); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			served.Add(1)
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// inTurn shows one picture after the other, again and again.
func inTurn(pics [][]byte) func(int) []byte {
	return func(n int) []byte { return pics[n%len(pics)] }
}

// until waits until a camera's health fits. Frames are taken as they come, and counted.
func until(t *testing.T, c *Camera, fits func(Health) bool) (frames int) {
	t.Helper()
	limit := time.Now().Add(time.Minute)
	for !fits(c.Health()) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		if f, err := c.Next(ctx); err == nil {
			frames++
			f.Close()
		}
		cancel()
		if time.Now().After(limit) {
			t.Fatalf("health stays %+v", c.Health())
		}
	}
	return frames
}

func TestIdleCameraStillCounts(t *testing.T) {
	var broken atomic.Bool
	var served atomic.Int64
	s := mjpeg(t, &broken, &served, inTurn(pictures(t, 320, 180, 100, 110, 120)))
	c := start(t, CameraOptions{Source: s.URL + "/face"})
	// Nobody wants frames; the first ones are unpacked all the same, for stills and to see a covered lens.
	next(t, c).Close()
	next(t, c).Close()
	if h := c.Health(); !h.OK || h.Age > DeadAfter {
		t.Errorf("health %+v", h)
	}
}

func TestAbsentCamera(t *testing.T) {
	c := start(t, CameraOptions{Source: "/dev/v4l/by-path/none"})
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if f, err := c.Next(ctx); err == nil {
		f.Close()
		t.Error("a frame from no camera")
	}
	if h := c.Health(); h.OK || h.Err == "" || h.Age >= 0 {
		t.Errorf("health %+v", h)
	}
}

func TestThumbIsSmallAndBounded(t *testing.T) {
	f, err := DecodeImage(asJPEG(t, gradient(1280, 720)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := f.Thumb(480, 48<<10)
	if err != nil {
		t.Fatal(err)
	}
	small, err := DecodeImage(b)
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	if w, h := small.Size(); w != 480 || h != 270 {
		t.Errorf("%dx%d", w, h)
	}
	if _, err := f.Thumb(480, 100); !errors.Is(err, ErrImage) {
		t.Errorf("larger than the limit: %v", err)
	}
	if same, err := small.Thumb(1000, 48<<10); err != nil || len(same) == 0 {
		t.Errorf("a frame that is no wider: %v", err)
	}
}

func TestFrameAsJPEG(t *testing.T) {
	f, err := DecodeImage(pictures(t, 320, 180, 200)[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := f.JPEG(1 << 20); err != nil || len(b) == 0 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if b, err := f.JPEG(10); !errors.Is(err, ErrImage) {
		t.Errorf("%d bytes, %v; want ErrImage", len(b), err)
	}
}

// TestNoisyFrameFitsAtHalfItsSize takes the worst picture a camera can give.
func TestNoisyFrameFitsAtHalfItsSize(t *testing.T) {
	img := gradient(640, 360)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range img.Pix {
		img.Pix[i] = uint8(rng.Uint32())
	}
	f, err := DecodeImage(asPNG(t, img))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	worst, err := f.JPEG(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	b, err := f.JPEG(len(worst) / 8)
	if err != nil || len(b) > len(worst)/8 {
		t.Fatalf("%d bytes of %d, %v", len(b), len(worst), err)
	}
	half, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil || half.Width != 320 || half.Height != 180 {
		t.Errorf("picture is %dx%d, %v", half.Width, half.Height, err)
	}
}
