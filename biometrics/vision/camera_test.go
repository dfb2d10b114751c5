//go:build cgo

package vision

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
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

func start(t *testing.T, o CameraOptions) *Camera {
	t.Helper()
	c, err := NewCamera(o)
	if err != nil {
		t.Fatal(err)
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

// mjpeg serves pictures as a network camera does, until broken.
func mjpeg(t *testing.T, broken *atomic.Bool, served *atomic.Int64) *httptest.Server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "p.jpg")
	writeJPEG(t, path, 128)
	pic, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for !broken.Load() {
			fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", len(pic))
			if _, err := w.Write(append(pic, '\r', '\n')); err != nil {
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

func TestNetworkCameraComesBack(t *testing.T) {
	var broken atomic.Bool
	var served atomic.Int64
	s := mjpeg(t, &broken, &served)
	c := start(t, CameraOptions{Source: s.URL + "/face", Width: 320, Height: 180, FPS: 25})
	c.Demand(true)
	for range 5 {
		next(t, c).Close()
	}
	broken.Store(true)
	// The stream ends; the camera opens it anew and finds nothing until it is mended.
	for c.Health().Err == "" && c.Health().OK {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		if f, err := c.Next(ctx); err == nil {
			f.Close()
		}
		cancel()
	}
	broken.Store(false)
	before := served.Load()
	f := next(t, c)
	f.Close()
	if served.Load() <= before {
		t.Error("a frame from before the break")
	}
}

func TestIdleCameraStillCounts(t *testing.T) {
	var broken atomic.Bool
	var served atomic.Int64
	s := mjpeg(t, &broken, &served)
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

func TestFrameDarkAndJPEG(t *testing.T) {
	dir := t.TempDir()
	for bright, dark := range map[uint8]bool{0: true, 200: false} {
		p := filepath.Join(dir, "x.jpg")
		writeJPEG(t, p, bright)
		f, err := ReadImage(p)
		if err != nil {
			t.Fatal(err)
		}
		if f.Dark() != dark {
			t.Errorf("brightness %d: dark %v", bright, f.Dark())
		}
		if b, err := f.JPEG(1 << 20); err != nil || len(b) == 0 {
			t.Errorf("%d bytes, %v", len(b), err)
		}
		if b, err := f.JPEG(10); !errors.Is(err, ErrImage) {
			t.Errorf("%d bytes, %v; want ErrImage", len(b), err)
		}
		f.Close()
	}
}
