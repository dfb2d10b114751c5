//go:build cgo

package vision

import (
	"image"
	"slices"

	"gocv.io/x/gocv"
)

// feed is how a picture becomes a network's input. The mean is in the network's order of colours.
type feed struct {
	side  image.Point
	scale float64
	mean  [3]float64
	swap  bool
}

// embed runs the recogniser on the face. The face already aligned is taken where its template and size are the recogniser's.
func (p *Pipeline) embed(m gocv.Mat, points [5]Point, aligned gocv.Mat) ([]float32, error) {
	r := &p.recogniser
	size := image.Pt(r.Width, r.Height)
	face := aligned
	if r.Template != template || size != image.Pt(alignSize, alignSize) {
		own, err := p.align(m, points, r.Template, size)
		if err != nil {
			return nil, err
		}
		defer own.Close()
		face = own
	}
	defer p.stage(ModelFeature, &p.timing.Feature)()
	if r.Grey {
		grey := gocv.NewMat()
		defer grey.Close()
		gocv.CvtColor(face, &grey, gocv.ColorBGRToGray)
		face = grey
	}
	return forward(&p.feature, r.Output, face, feed{side: size, scale: r.Scale, mean: r.Mean, swap: r.SwapRB}, r.Dim)
}

// forward runs a network with one input, reads one output (its last, unless named) and returns a copy of its values, which must be
// finite.
func forward(n *gocv.Net, output string, m gocv.Mat, f feed, want int) ([]float32, error) {
	blob := gocv.BlobFromImage(m, f.scale, f.side, gocv.NewScalar(f.mean[0], f.mean[1], f.mean[2], 0), f.swap, false)
	defer blob.Close()
	n.SetInput(blob, "")
	out := n.Forward(output)
	defer out.Close()
	v, err := floats(out, want)
	return slices.Clone(v), err
}
