//go:build cgo

package vision

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"testing"
)

// picture is a grey wall with dark bars on it.
func picture(tb testing.TB, w, h int, bars ...image.Rectangle) *Frame {
	tb.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.RGBA{170, 170, 165, 255}), image.Point{}, draw.Src)
	for _, b := range bars {
		draw.Draw(img, b, image.NewUniform(color.RGBA{40, 40, 45, 255}), image.Point{}, draw.Src)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		tb.Fatal(err)
	}
	f, err := DecodeImage(b.Bytes())
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func TestLinesOfTheEmptySceneDoNotCount(t *testing.T) {
	p := openTest(t)
	door, screen := image.Rect(300, 40, 330, 460), image.Rect(380, 150, 480, 330)
	box := Box{X: 390, Y: 180, W: 80, H: 110}
	count := func(bars ...image.Rectangle) int {
		f := picture(t, 640, 480, bars...)
		defer f.Close()
		return p.countLines(f.mat, edgeRegion(box, 640, 480), box.W)
	}
	learn := func(bars ...image.Rectangle) {
		f := picture(t, 640, 480, bars...)
		defer f.Close()
		if err := p.LearnEmpty(f); err != nil {
			t.Fatal(err)
		}
	}
	before := count(door)
	if before == 0 {
		t.Fatal("the door has no lines: the test shows nothing")
	}
	learn(door)
	if n := count(door); n != before {
		t.Errorf("%d lines, %d before: one frame is not yet the scene", n, before)
	}
	learn(door)
	if n := count(door); n != 0 {
		t.Errorf("the door still has %d lines", n)
	}
	if n := count(door, screen); n == 0 {
		t.Error("the screen before the door has no lines")
	}
	learn(door, screen)
	learn(door)
	if n := count(door, screen); n == 0 {
		t.Error("what was there in one frame was learnt")
	}
	f := picture(t, 320, 240)
	defer f.Close()
	if err := p.LearnEmpty(f); err != nil {
		t.Fatal(err)
	}
	if n := count(door); n != before {
		t.Errorf("%d lines, want %d: a scene of another size is forgotten", n, before)
	}
}

func TestFramesWithAFaceAreNotTheEmptyScene(t *testing.T) {
	p := openTest(t)
	f, err := ReadImage(dataPath(t, "pad", "live", "image_T1.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 3 {
		if err := p.LearnEmpty(f); err != nil {
			t.Fatal(err)
		}
	}
	if p.empty.mask != nil {
		t.Error("a frame with a face was learnt")
	}
}
