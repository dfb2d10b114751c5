package symbol

import (
	"image"
	"time"

	"github.com/makiuchi-d/gozxing"
)

// stage is a treatment of an area, for what the first pass does not read.
type stage struct {
	name  string
	areas int // that it is worth
	cost  time.Duration
	try   func(r *Reader, l Luma, area image.Rectangle) []Symbol
}

// stages in the order in which they pay; a Reader changes its own.
func stages() []stage {
	one := func(try func(r *Reader, l Luma, area image.Rectangle) (Symbol, bool)) func(*Reader, Luma, image.Rectangle) []Symbol {
		return func(r *Reader, l Luma, area image.Rectangle) []Symbol {
			if s, ok := try(r, l, area); ok {
				return []Symbol{s}
			}
			return nil
		}
	}
	return []stage{
		{name: "smooth", areas: 2, try: scanSmoothed},
		{name: "sharp", areas: 2, try: scanSharp},
		{name: "outline", areas: 1, try: scanOutline},
		{name: "double", areas: 2, try: scanDoubled},
		{name: "light on dark", areas: 2, try: scanInverted},
		{name: "datamatrix by outline", areas: 1, try: scanMatrix},
		{name: "datamatrix", areas: 1, try: one(retryDataMatrix)},
		{name: "aztec", areas: 1, try: one(retryAztec)},
		{name: "hybrid, doubled", areas: 1, try: one(retryDoubled)},
		{name: "hybrid, stretched", areas: 2, try: one(retryStretched)},
		{name: "frame", areas: 1, try: one(retryFrame)},
		{name: "global", areas: 2, try: one(retryGlobal)},
	}
}

// whole is an area as the frame has it.
func (r *Reader) whole(l Luma, area image.Rectangle) view { return view{l: l, area: area, scale: 1} }

func scanSmoothed(r *Reader, l Luma, area image.Rectangle) []Symbol {
	s := r.smoothed(l, area)
	return r.scan(view{s, image.Rect(0, 0, s.W, s.H), 1, float64(area.Min.X), float64(area.Min.Y), 0}, 1, 1)
}

func scanDoubled(r *Reader, l Luma, area image.Rectangle) []Symbol {
	if area.Dx()*area.Dy() > maxDoubled {
		return nil
	}
	c := r.crop(l, area)
	big := double(c, r.worked)
	r.worked = big.Pix
	return r.scan(view{big, image.Rect(0, 0, big.W, big.H), 2, float64(area.Min.X), float64(area.Min.Y), 3}, 1, 1)
}

func scanSharp(r *Reader, l Luma, area image.Rectangle) []Symbol {
	if area.Dx()*area.Dy() > maxDoubled {
		return nil
	}
	s := r.smoothed(l, area)
	big := double(s, r.cropped)
	r.cropped = big.Pix
	return r.scan(view{big, image.Rect(0, 0, big.W, big.H), 2, float64(area.Min.X), float64(area.Min.Y), 7}, 1, 2)
}

func scanInverted(r *Reader, l Luma, area image.Rectangle) []Symbol {
	return r.scan(r.whole(l, area), 0, 2)
}

func retryDoubled(r *Reader, l Luma, area image.Rectangle) (Symbol, bool) {
	if area.Dx()*area.Dy() > maxDoubled {
		return Symbol{}, false
	}
	c := r.crop(l, area)
	big := double(c, r.worked)
	r.worked = big.Pix
	s, ok := r.decode(big, image.Rect(0, 0, big.W, big.H), gozxing.NewHybridBinarizer)
	for i := range s.Corners {
		s.Corners[i][0] /= 2
		s.Corners[i][1] /= 2
	}
	return moved(s, area.Min), ok
}

func retryStretched(r *Reader, l Luma, area image.Rectangle) (Symbol, bool) {
	return r.decodeTreated(stretch(r.smoothed(l, area)), area, gozxing.NewHybridBinarizer)
}

func retryGlobal(r *Reader, l Luma, area image.Rectangle) (Symbol, bool) {
	return r.decodeTreated(r.smoothed(l, area), area, gozxing.NewGlobalHistgramBinarizer)
}

func retryFrame(r *Reader, l Luma, _ image.Rectangle) (Symbol, bool) {
	return r.decode(l, image.Rect(0, 0, l.W, l.H), gozxing.NewHybridBinarizer)
}

func (r *Reader) crop(l Luma, area image.Rectangle) Luma {
	c := crop(l, area, r.cropped)
	r.cropped = c.Pix
	return c
}

func (r *Reader) smoothed(l Luma, area image.Rectangle) Luma {
	s := smooth(r.crop(l, area), r.worked)
	r.worked = s.Pix
	return s
}

func (r *Reader) decodeTreated(t Luma, area image.Rectangle, bin binarizer) (Symbol, bool) {
	s, ok := r.decode(t, image.Rect(0, 0, t.W, t.H), bin)
	return moved(s, area.Min), ok
}

func moved(s Symbol, by image.Point) Symbol {
	for i := range s.Corners {
		s.Corners[i][0] += float32(by.X)
		s.Corners[i][1] += float32(by.Y)
	}
	return s
}
