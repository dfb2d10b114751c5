package symbol

import (
	"image"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode/detector"
)

// binarizer makes black and white of grey.
type binarizer func(gozxing.LuminanceSource) gozxing.Binarizer

// decode looks for one QR code in the area of the frame. Coordinates of the
// result are the frame's.
func (r *Reader) decode(l Luma, area image.Rectangle, bin binarizer) (s Symbol, ok bool) {
	// The decoder was never seen to panic, but it meets outside bytes and was
	// not written by us: a frame must not end the worker.
	defer func() {
		if recover() != nil {
			s, ok = Symbol{}, false
		}
	}()
	// The source takes the buffer's height from its length only; the last row
	// may be shorter than the stride, which its crops respect.
	source, err := gozxing.NewPlanarYUVLuminanceSource(l.Pix, l.Stride, l.H,
		area.Min.X, area.Min.Y, area.Dx(), area.Dy(), false)
	if err != nil {
		return Symbol{}, false
	}
	black, err := bin(source).GetBlackMatrix()
	if err != nil {
		return Symbol{}, false
	}
	found, err := detector.NewDetector(black).Detect(r.hints)
	if err != nil {
		return Symbol{}, false
	}
	bits := found.GetBits()
	n := bits.GetWidth() // before the decoder may turn the bits over
	payload, mirrored, ok := r.readQR(bits)
	if !ok {
		return Symbol{}, false
	}
	points := found.GetPoints()
	corners, ok := corners(points, n, area.Min)
	if !ok {
		return Symbol{}, false
	}
	if mirrored {
		corners[1], corners[3] = corners[3], corners[1]
	}
	return Symbol{Symbology: QR, Payload: payload, Corners: corners}, true
}

// exactBytes undoes the decoding as ISO 8859-1 that the hint asks for: each
// rune is one printed byte. A symbol that declares another character set is
// text and comes back as UTF-8.
func exactBytes(text string) []byte {
	out := make([]byte, 0, len(text))
	for _, c := range text {
		if c > 0xFF {
			return []byte(text)
		}
		out = append(out, byte(c))
	}
	return out
}

// corners extends the pattern centres to the corners of a symbol of n modules.
func corners(points []gozxing.ResultPoint, n int, origin image.Point) (c [4][2]float32, ok bool) {
	if len(points) < 3 {
		return c, false
	}
	var alignment *detector.AlignmentPattern
	if len(points) > 3 {
		alignment, _ = points[3].(*detector.AlignmentPattern)
	}
	side := float64(n)
	at := []float64{0, 0, side, 0, side, side, 0, side}
	detector.Detector_createTransform(points[1], points[2], points[0], alignment, n).TransformPoints(at)
	for i := range c {
		c[i] = [2]float32{
			float32(at[2*i]) + float32(origin.X),
			float32(at[2*i+1]) + float32(origin.Y),
		}
	}
	return c, true
}
