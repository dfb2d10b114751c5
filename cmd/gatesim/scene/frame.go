package scene

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
)

// Version changes with every change of what is drawn, so that kept clips are
// not taken for new ones.
const Version = 5

// The size and rate of both cameras.
const (
	Width  = 1280
	Height = 720
	FPS    = 25
)

// Truth says what a frame holds.
type Truth struct {
	InView bool // something of the pass or the face is in the picture
	Usable bool // the pass can be read, or the face can be compared
}

// Frame is one encoded picture and its truth.
type Frame struct {
	JPEG  []byte
	Truth Truth
}

// quality is the JPEG quality of a usual network camera.
const quality = 80

// canvas is a picture being drawn, 4:2:0 as cameras deliver it.
type canvas struct {
	*image.YCbCr
}

func newCanvas() canvas {
	return canvas{image.NewYCbCr(image.Rect(0, 0, Width, Height), image.YCbCrSubsampleRatio420)}
}

// copyOf gives a canvas with the same content, to draw on.
func (c canvas) copyOf() canvas {
	d := newCanvas()
	copy(d.Y, c.Y)
	copy(d.Cb, c.Cb)
	copy(d.Cr, c.Cr)
	return d
}

// encode gives the canvas as a JPEG.
func (c canvas) encode() ([]byte, error) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, c.YCbCr, &jpeg.Options{Quality: quality}); err != nil {
		return nil, err
	}
	return bytes.Clone(b.Bytes()), nil
}

// noise is a table of Gaussian sensor noise, sigma 1 times 16.
type noise struct{ table []int16 }

func newNoise(r *rand.Rand) *noise {
	n := &noise{table: make([]int16, 1<<16+Width)}
	for i := range n.table {
		n.table[i] = int16(math.Round(r.NormFloat64() * 16))
	}
	return n
}

// add puts sensor noise of standard deviation sigma on the luminance.
func (n *noise) add(c canvas, sigma float64, r *rand.Rand) {
	k := int32(math.Round(sigma * 16))
	for y := range Height {
		row := c.Y[y*c.YStride : y*c.YStride+Width]
		t := n.table[r.IntN(1<<16):]
		for x := range row {
			row[x] = clamp(int32(row[x]) + int32(t[x])*k>>8)
		}
	}
}

func clamp(v int32) uint8 {
	if v < 0 {
		return 0
	}
	if v > 255 {
		return 255
	}
	return uint8(v)
}

// backdrop fills a canvas with a plain wall: a soft vertical fall of light
// and a slight texture of low frequency.
func backdrop(r *rand.Rand, luma, cb, cr float64) canvas {
	c := newCanvas()
	type wave struct{ fx, fy, ph, a float64 }
	sum := make([]float64, Width*Height)
	for range 7 {
		w := wave{r.Float64() * 0.03, r.Float64() * 0.03, r.Float64() * 6, 0.4 + r.Float64()*0.9}
		// sin(x+y) = sin x cos y + cos x sin y: two tables instead of a sine a pixel.
		sx, cx := make([]float64, Width), make([]float64, Width)
		for x := range Width {
			sx[x], cx[x] = math.Sincos(w.fx*float64(x) + w.ph)
		}
		for y := range Height {
			sy, cy := math.Sincos(w.fy * float64(y))
			for x := range Width {
				sum[y*Width+x] += w.a * (sx[x]*cy + cx[x]*sy)
			}
		}
	}
	for y := range Height {
		for x := range Width {
			c.Y[y*c.YStride+x] = clamp(int32(luma - 14*float64(y)/Height + sum[y*Width+x]))
		}
	}
	for i := range c.Cb {
		c.Cb[i], c.Cr[i] = clamp(int32(cb)), clamp(int32(cr))
	}
	return c
}
