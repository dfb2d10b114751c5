//go:build cgo && matprofile

package vision

import (
	"context"
	"os"
	"sync/atomic"
	"testing"

	"gocv.io/x/gocv"
)

// leakFrames is how many frames must leave nothing behind; "make check" runs this with -tags matprofile.
const leakFrames = 1000

// open counts OpenCV's pictures that are open, and fails where there are others than before.
func open(t *testing.T, after string, before int) {
	t.Helper()
	if now := gocv.MatProfile.Count(); now != before {
		t.Fatalf("%s: %d pictures open, %d before", after, now, before)
	}
}

// TestFramesAreClosed has the whole pipeline work on frames of a photograph.
func TestFramesAreClosed(t *testing.T) {
	p := openTest(t)
	file, err := os.ReadFile(dataPath(t, "pad", "live", "image_T1.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	before := gocv.MatProfile.Count()
	for i := range leakFrames {
		f, err := DecodeImage(file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.Detect(f)
		if err != nil || len(d) == 0 {
			t.Fatalf("frame %d: %d faces, %v", i, len(d), err)
		}
		// As in a session: liveness on some of the frames.
		want := Want{Embed: Always, Live: Never}
		if i%5 == 0 {
			want.Live = Always
		}
		if _, err := p.Analyse(f, d[0], want); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if i%100 == 0 {
			open(t, "a frame", before)
		}
	}
	open(t, "all frames", before)
}

// TestCameraFramesAreClosed has a camera deliver, change its size, repeat itself and fall behind its reader.
func TestCameraFramesAreClosed(t *testing.T) {
	var broken atomic.Bool
	var served atomic.Int64
	large, small := pictures(t, 320, 240, 90, 100), pictures(t, 160, 120, 90, 90, 110)
	s := mjpeg(t, &broken, &served, func(n int) []byte {
		if n/50%2 == 0 {
			return large[n%2]
		}
		return small[n%3]
	})
	before := gocv.MatProfile.Count()
	c, err := NewCamera(CameraOptions{Source: s.URL + "/face"})
	if err != nil {
		t.Fatal(err)
	}
	c.Demand(true)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx) }()
	for range 200 {
		next(t, c).Close()
	}
	cancel()
	<-done
	open(t, "a camera", before)
}

// TestEveryWayOutCloses takes the ways that end early.
func TestEveryWayOutCloses(t *testing.T) {
	p := openTest(t)
	path := dataPath(t, "pad", "live", "image_T1.jpg")
	before := gocv.MatProfile.Count()
	for range 5 {
		analyse(t, p, path)
		f, err := ReadImage(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Luma(); err != nil {
			t.Fatal(err)
		}
		if _, err := f.JPEG(1 << 20); err != nil {
			t.Fatal(err)
		}
		// A face mostly outside the picture ends in an error half way.
		_, _ = p.Analyse(f, Detection{Box: Box{-90, -90, 100, 100}, Score: 1}, Want{Embed: Always, Live: Always})
		_, _ = p.Analyse(f, Detection{Box: Box{-900, -900, 100, 100}, Score: 1}, Want{Embed: Always, Live: Always})
		f.Close()
		for range 2 * emptyFrames {
			wall := picture(t, 640, 480)
			if err := p.LearnEmpty(wall); err != nil {
				t.Fatal(err)
			}
			wall.Close()
		}
		p.empty.forget()
	}
	if after := gocv.MatProfile.Count(); after != before {
		t.Errorf("%d pictures open, %d before", after, before)
	}
}
