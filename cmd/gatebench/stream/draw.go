package stream

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"

	"bordergate/barcode/symbol"
	"bordergate/cmd/gatebench/frames"
)

// How a pass is carried in: from beyond the rim, slower and slower, each frame
// blurred by what it moves while the shutter is open.
const (
	framesIn   = 4
	framesHeld = 6
	firstStep  = 0.16 // of the frame's width
	lastStep   = 0.015
	shutter    = 0.5 // of the time between two frames
	mostBlur   = 20  // pixels; more changes nothing for a reader and takes long to draw
	quality    = 88  // of the JPEGs
)

// painter draws and encodes frames of one size; it belongs to one goroutine.
type painter struct {
	p    frames.Painter
	base float64 // pixels a module, before the conditions change it
}

func newPainter(w, h int) *painter {
	return &painter{p: frames.Painter{W: w, H: h}, base: float64(w) / 320}
}

// clip draws a pass under the gate's mix.
func (p *painter) clip(payload []byte, seed uint64) (*Clip, error) {
	code, err := modules(payload)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(seed, uint64(p.p.W)))
	held := gate().Scene(p.base, r)
	side := math.Copysign(1, held.X)
	c := &Clip{}
	// Backwards from where the hand comes to rest.
	x, scene := held.X, held
	for i := range framesIn {
		step := lastStep + (firstStep-lastStep)*float64(i)/(framesIn-1)
		x += side * step
		scene = scene.Follow(r)
		scene.X, scene.Heading = x, 0
		scene.Motion = max(held.Motion, min(step*float64(p.p.W)*shutter, mostBlur))
		b, err := p.shoot(code, scene, seed, r)
		if err != nil {
			return nil, err
		}
		c.In = append([][]byte{b}, c.In...)
	}
	for scene = held; len(c.Held) < framesHeld; scene = scene.Follow(r) {
		b, err := p.shoot(code, scene, seed, r)
		if err != nil {
			return nil, err
		}
		c.Held = append(c.Held, b)
	}
	return c, nil
}

// empty draws the desk with no pass on it.
func (p *painter) empty(n int) (out [][]byte, err error) {
	r := rand.New(rand.NewPCG(1, 1))
	for range n {
		// A card that lies outside of the frame.
		b, err := p.shoot(frames.Code{Dark: []bool{true}, W: 1, H: 1}, frames.Scene{Module: 1, X: 5, Noise: 6}, 1, r)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func gate() frames.Condition {
	for _, c := range frames.Conditions() {
		if c.Name == frames.Gate {
			return c
		}
	}
	panic("the mix of a gate is no condition any more")
}

// shoot draws a frame and encodes it as cameras do, with colour of a quarter of
// the pixels.
func (p *painter) shoot(code frames.Code, s frames.Scene, seed uint64, r *rand.Rand) ([]byte, error) {
	img := image.NewYCbCr(image.Rect(0, 0, p.p.W, p.p.H), image.YCbCrSubsampleRatio420)
	copy(img.Y, p.p.Draw(code, s, seed, r))
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = 128, 128
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("encode frame: %w", err)
	}
	return b.Bytes(), nil
}

// modules are those of a label, as the issuing office prints it.
func modules(payload []byte) (frames.Code, error) {
	label, err := symbol.EncodeQR(payload, 1)
	if err != nil {
		return frames.Code{}, fmt.Errorf("draw pass: %w", err)
	}
	n := label.Rect.Dx() - 2*symbol.QuietZone
	c := frames.Code{W: n, H: n}
	for y := range n {
		for x := range n {
			c.Dark = append(c.Dark, label.GrayAt(x+symbol.QuietZone, y+symbol.QuietZone).Y < 128)
		}
	}
	return c, nil
}
