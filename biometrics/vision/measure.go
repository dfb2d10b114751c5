//go:build cgo

package vision

import (
	"fmt"
	"image"

	"gocv.io/x/gocv"
)

// Limits of the exposure shares, and of the region of the aligned face in which sharpness is measured.
const (
	overExposed  = 245
	underExposed = 25
)

var sharpRegion = image.Rect(20, 30, 92, 100)

// exposure fills luminance, shares and sharpness from the aligned face.
func exposure(q *Quality, aligned gocv.Mat) error {
	grey := gocv.NewMat()
	defer grey.Close()
	gocv.CvtColor(aligned, &grey, gocv.ColorBGRToGray)
	pix, err := grey.DataPtrUint8()
	if err != nil || len(pix) != alignSize*alignSize {
		return fmt.Errorf("%w: aligned face has no pixels", ErrImage)
	}
	var sum, over, under int
	for _, v := range pix {
		sum += int(v)
		if v > overExposed {
			over++
		}
		if v < underExposed {
			under++
		}
	}
	n := float64(len(pix))
	q.Luminance, q.ShareOver, q.ShareUnder = float64(sum)/n, float64(over)/n, float64(under)/n

	part := grey.Region(sharpRegion)
	defer part.Close()
	inner, blurred, edges := part.Clone(), gocv.NewMat(), gocv.NewMat()
	defer inner.Close()
	defer blurred.Close()
	defer edges.Close()
	gocv.GaussianBlur(inner, &blurred, image.Point{}, 0.8, 0.8, gocv.BorderDefault)
	gocv.Laplacian(blurred, &edges, gocv.MatTypeCV64F, 1, 1, 0, gocv.BorderDefault)
	q.Laplacian = 1000 * variance(edges) / (variance(blurred) + 1)
	return nil
}

func variance(m gocv.Mat) float64 {
	mean, dev := gocv.NewMat(), gocv.NewMat()
	defer mean.Close()
	defer dev.Close()
	gocv.MeanStdDev(m, &mean, &dev)
	d := dev.GetDoubleAt(0, 0)
	return d * d
}

// live scores both crops and counts straight lines around the face.
func (p *Pipeline) live(m gocv.Mat, b Box) (Live, error) {
	var l Live
	w, h := m.Cols(), m.Rows()
	err := func() error {
		defer p.stage(ModelLiveness, &p.timing.Liveness)()
		var err error
		if l.MS27, err = p.liveCrop(m, contextCrop(b, w, h, 2.7)); err != nil {
			return err
		}
		l.SQ15, err = p.liveCrop(m, squareCrop(b, 1.5))
		return err
	}()
	if err != nil {
		return Live{}, err
	}
	defer p.stage("lines", &p.timing.Lines)()
	l.Lines = p.countLines(m, edgeRegion(b, w, h), b.W)
	return l, nil
}

func (p *Pipeline) liveCrop(m gocv.Mat, r image.Rectangle) (float64, error) {
	crop, err := cut(m, r, gocv.BorderConstant)
	if err != nil {
		return 0, err
	}
	defer crop.Close()
	out, err := forward(&p.liveness, "", crop, feed{side: image.Pt(livenessSide, livenessSide), scale: 1}, 3)
	if err != nil {
		return 0, err
	}
	return liveOdds(out), nil
}
