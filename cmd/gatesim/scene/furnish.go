package scene

import "image"

// NewFurnishedStudio is a studio with what gates have behind a traveller: a
// door frame and a sign, whose edges are as straight as a screen's.
func NewFurnishedStudio() *Studio {
	s := NewStudio()
	for _, b := range []struct {
		image.Rectangle
		luma float64
	}{
		{image.Rect(452, 60, 466, Height), 74},
		{image.Rect(858, 60, 872, Height), 74},
		{image.Rect(452, 60, 872, 74), 74},
		{image.Rect(905, 130, 1105, 270), 205},
		{image.Rect(915, 140, 1095, 260), 96},
	} {
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				s.wall.put(x, y, b.luma, 128, 126, 1)
			}
		}
	}
	return s
}
