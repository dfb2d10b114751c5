//go:build cgo

package vision

import (
	"errors"
	"image"
	"image/draw"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"
)

// at gives the BGR values of a pixel.
func at(t *testing.T, f *Frame, x, y int) [3]int {
	t.Helper()
	pix, err := f.mat.DataPtrUint8()
	if err != nil {
		t.Fatal(err)
	}
	w, _ := f.Size()
	i := 3 * (y*w + x)
	return [3]int{int(pix[i]), int(pix[i+1]), int(pix[i+2])}
}

func near(a, b [3]int) bool {
	for i := range a {
		if a[i] < b[i]-12 || a[i] > b[i]+12 {
			return false
		}
	}
	return true
}

func TestUnusualPictures(t *testing.T) {
	grey, deep := image.NewGray(image.Rect(0, 0, 64, 48)), image.NewRGBA64(image.Rect(0, 0, 64, 48))
	draw.Draw(grey, grey.Bounds(), gradient(64, 48), image.Point{}, draw.Src)
	draw.Draw(deep, deep.Bounds(), gradient(64, 48), image.Point{}, draw.Src)
	for name, c := range map[string]struct {
		file []byte
		w, h int
		// The corner at the top left.
		corner [3]int
	}{
		"8 bits":         {asPNG(t, gradient(64, 48)), 64, 48, [3]int{42, 42, 42}},
		"16 bits":        {asPNG(t, deep), 64, 48, [3]int{42, 42, 42}},
		"grey":           {asJPEG(t, grey), 64, 48, [3]int{42, 42, 42}},
		"turned by EXIF": {turned(asJPEG(t, gradient(64, 48))), 48, 64, [3]int{90, 90, 90}},
		// Each ink times black, as they are inverted.
		"CMYK": {cmyk(), 64, 64, [3]int{198 * 228 / 255, 48 * 228 / 255, 208 * 228 / 255}},
	} {
		f, err := DecodeImage(c.file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if w, h := f.Size(); w != c.w || h != c.h || !near(at(t, f, 0, 0), c.corner) {
			t.Errorf("%s: %dx%d, corner %v, want %dx%d, %v", name, w, h, at(t, f, 0, 0), c.w, c.h, c.corner)
		}
		f.Close()
	}
}

func TestBrokenPicturesAreRefused(t *testing.T) {
	whole := asPNG(t, gradient(64, 48))
	spoilt := append([]byte(nil), whole...)
	for i := 60; i < len(spoilt)-20; i++ {
		spoilt[i] ^= 0x55
	}
	for name, file := range map[string][]byte{"spoilt": spoilt, "bomb": bomb(60_000, 60_000), "gif": asGIF(t), "nothing": nil} {
		if f, err := DecodeImage(file); !errors.Is(err, ErrImage) {
			f.Close()
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNoFaceAndFifty has a crowd of one photograph's face in rows.
func TestNoFaceAndFifty(t *testing.T) {
	p := openTest(t)
	empty, err := DecodeImage(asJPEG(t, gradient(1280, 720)))
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	if d, err := p.Detect(empty); err != nil || len(d) != 0 || Largest(d) != -1 {
		t.Errorf("%d faces of nobody, %v", len(d), err)
	}
	path := filepath.Join(root, "models", "demo-faces", "sample1.jpg")
	file, err := os.Open(path)
	if err != nil {
		t.Skip("demonstration photographs not here: run \"make models\"")
	}
	defer file.Close()
	photo, err := jpeg.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	face, _ := analyse(t, p, path)
	c, half := face.Box.Centre(), int(0.75*face.Box.H)
	crowd := image.NewRGBA(image.Rect(0, 0, 20*half, 10*half))
	for i := range 50 {
		cell := image.Rect(0, 0, 2*half, 2*half).Add(image.Pt(i%10*2*half, i/10*2*half))
		draw.Draw(crowd, cell, photo, image.Pt(int(c.X)-half, int(c.Y)-half), draw.Src)
	}
	f, err := DecodeImage(asJPEG(t, crowd))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := p.Detect(f)
	if err != nil || len(d) < 40 || len(d) > 60 {
		t.Fatalf("%d faces of fifty, %v", len(d), err)
	}
	if s := Second(d, Largest(d)); s < 0.8 {
		t.Errorf("the second face is %.2f of the first", s)
	}
	for _, one := range d {
		if _, err := p.Analyse(f, one, Want{Embed: Never, Live: Never}); err != nil && !errors.Is(err, ErrImage) {
			t.Errorf("%+v: %v", one, err)
		}
	}
}
