package main

import (
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// picture is BGR pixels, rows without gaps.
type picture struct {
	w, h int
	bgr  []byte
}

// readPhoto decodes a photograph once, so that every reader gets the same
// pixels.
func readPhoto(path string) (picture, error) {
	f, err := os.Open(path)
	if err != nil {
		return picture{}, fmt.Errorf("read photograph: %w", err)
	}
	defer f.Close()
	img, err := jpeg.Decode(f)
	if err != nil {
		return picture{}, fmt.Errorf("read photograph %s: %w", filepath.Base(path), err)
	}
	return pictureOf(img), nil
}

func pictureOf(img image.Image) picture {
	b := img.Bounds()
	p := picture{w: b.Dx(), h: b.Dy(), bgr: make([]byte, 0, 3*b.Dx()*b.Dy())}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			r, g, bl, _ := img.At(x, y).RGBA()
			p.bgr = append(p.bgr, byte(bl>>8), byte(g>>8), byte(r>>8))
		}
	}
	return p
}

// window cuts a part out of a picture.
func (p picture) window(x, y, w, h int) picture {
	out := picture{w: w, h: h, bgr: make([]byte, 0, 3*w*h)}
	for row := y; row < y+h; row++ {
		at := 3 * (row*p.w + x)
		out.bgr = append(out.bgr, p.bgr[at:at+3*w]...)
	}
	return out
}

// The gate's camera.
const (
	cameraW = 1280
	cameraH = 720
)

// demoPhotos are the photographs of the demonstration, in the model pack.
func demoPhotos(models string) ([]picture, error) {
	files, err := filepath.Glob(filepath.Join(models, "demo-faces", "*.jpg"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no photographs in %s: run \"make models\"", filepath.Join(models, "demo-faces"))
	}
	slices.Sort(files)
	var list []picture
	for _, f := range files {
		p, err := readPhoto(f)
		if err != nil {
			return nil, err
		}
		if p.w < cameraW || p.h < cameraH {
			return nil, fmt.Errorf("photograph %s is smaller than a camera's frame", filepath.Base(f))
		}
		list = append(list, p)
	}
	return list, nil
}

// frameOf is a frame of the camera's size out of one of the photographs.
func frameOf(photos []picture, r *rand.Rand) picture {
	p := photos[r.IntN(len(photos))]
	return p.window(r.IntN(p.w-cameraW+1), r.IntN(p.h-cameraH+1), cameraW, cameraH)
}
