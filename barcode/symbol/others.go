package symbol

import (
	"image"

	"github.com/makiuchi-d/gozxing"
	aztecdec "github.com/makiuchi-d/gozxing/aztec/decoder"
	aztec "github.com/makiuchi-d/gozxing/aztec/detector"
	matrix "github.com/makiuchi-d/gozxing/datamatrix/detector"
)

// retryDataMatrix and retryAztec look for one symbol at the middle of an area:
// gozxing starts there.
func retryDataMatrix(r *Reader, l Luma, area image.Rectangle) (Symbol, bool) {
	// Its corners come against the clock from the top left.
	return r.decodeOther(l, r.centred(l, area), DataMatrix, [4]int{0, 3, 2, 1}, r.detectMatrix)
}

func retryAztec(r *Reader, l Luma, area image.Rectangle) (Symbol, bool) {
	return r.decodeOther(l, r.centred(l, area), Aztec, [4]int{0, 1, 2, 3}, r.detectAztec)
}

func (r *Reader) detectMatrix(black *gozxing.BitMatrix) (payload []byte, points []gozxing.ResultPoint, ok bool) {
	d, err := matrix.NewDetector(black)
	if err != nil {
		return nil, nil, false
	}
	found, err := d.Detect()
	if err != nil {
		return nil, nil, false
	}
	payload, ok = r.readMatrix(found.GetBits())
	return payload, found.GetPoints(), ok
}

func (r *Reader) detectAztec(black *gozxing.BitMatrix) (payload []byte, points []gozxing.ResultPoint, ok bool) {
	d := aztec.NewDetector(black)
	for _, mirrored := range [2]bool{false, true} {
		found, err := d.Detect(mirrored)
		if err != nil {
			continue
		}
		result, err := aztecdec.NewDecoder().Decode(found)
		if err != nil || aztecProof(found) < sure {
			continue
		}
		return exactBytes(result.GetText()), found.GetPoints(), true
	}
	return nil, nil, false
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
func (r *Reader) decodeOther(l Luma, area image.Rectangle, name string, order [4]int,
	detect func(*gozxing.BitMatrix) ([]byte, []gozxing.ResultPoint, bool),
) (s Symbol, ok bool) {
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
	black, err := gozxing.NewHybridBinarizer(source).GetBlackMatrix()
	if err != nil {
		return Symbol{}, false
	}
	payload, points, ok := detect(black)
	if !ok || len(points) < len(order) || len(payload) == 0 {
		return Symbol{}, false
	}
	s = Symbol{Symbology: name, Payload: payload}
	for i, k := range order {
		s.Corners[i] = [2]float32{float32(points[k].GetX()), float32(points[k].GetY())}
	}
	return moved(s, area.Min), true
}
