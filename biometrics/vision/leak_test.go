//go:build cgo && matprofile

package vision

import (
	"testing"

	"gocv.io/x/gocv"
)

// TestEveryMatIsClosed counts OpenCV's pictures; run it with -tags matprofile.
func TestEveryMatIsClosed(t *testing.T) {
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
