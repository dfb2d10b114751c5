package symbol

import (
	"image"

	"github.com/makiuchi-d/gozxing"
)

// retryDataMatrix and retryAztec look for one symbol at the middle of an area:
// gozxing starts there.
func retryDataMatrix(r *Reader, l Luma, area image.Rectangle) (Symbol, bool) {
	// Its corners come against the clock from the top left.
	return r.decodeOther(l, r.centred(l, area), r.dm, DataMatrix, [4]int{0, 3, 2, 1})
}

func retryAztec(r *Reader, l Luma, area image.Rectangle) (Symbol, bool) {
	return r.decodeOther(l, r.centred(l, area), r.aztec, Aztec, [4]int{0, 1, 2, 3})
}

// centred is the part of an area around what has an outline in it.
func (r *Reader) centred(l Luma, area image.Rectangle) image.Rectangle {
	corners, ok := r.outline(l, area)
	if !ok {
		return area
	}
	box := image.Rectangle{Min: area.Max, Max: area.Min}
	for _, c := range corners {
		box.Min.X, box.Min.Y = min(box.Min.X, int(c[0])), min(box.Min.Y, int(c[1]))
		box.Max.X, box.Max.Y = max(box.Max.X, int(c[0])+1), max(box.Max.Y, int(c[1])+1)
	}
	const margin = 20 // parts of the longer side
	box = box.Inset(-2 - max(box.Dx(), box.Dy())/margin).Intersect(image.Rect(0, 0, l.W, l.H))
	if box.Dx() < MinSide || box.Dy() < MinSide {
		return area
	}
	return box
}

// decodeOther reads a symbology whose corners gozxing returns in the order
// given.
func (r *Reader) decodeOther(l Luma, area image.Rectangle, by gozxing.Reader, name string, order [4]int) (s Symbol, ok bool) {
	defer func() { // as in decode
		if recover() != nil {
			s, ok = Symbol{}, false
		}
	}()
	source, err := gozxing.NewPlanarYUVLuminanceSource(l.Pix, l.Stride, l.H,
		area.Min.X, area.Min.Y, area.Dx(), area.Dy(), false)
	if err != nil {
		return Symbol{}, false
	}
	bitmap, err := gozxing.NewBinaryBitmap(gozxing.NewHybridBinarizer(source))
	if err != nil {
		return Symbol{}, false
	}
	result, err := by.Decode(bitmap, r.hints)
	if err != nil {
		return Symbol{}, false
	}
	s = Symbol{Symbology: name, Payload: exactBytes(result.GetText())}
	points := result.GetResultPoints()
	if len(points) < len(order) || len(s.Payload) == 0 {
		return Symbol{}, false
	}
	for i, k := range order {
		s.Corners[i] = [2]float32{float32(points[k].GetX()), float32(points[k].GetY())}
	}
	return moved(s, area.Min), true
}
