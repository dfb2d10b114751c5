//go:build cgo

package vision

import (
	"fmt"
	"image"

	"gocv.io/x/gocv"
)

const (
	// emptyFrames is how many frames of the empty scene are kept, emptyAgree how many must have an edge for it to be the scene's: who
	// walks past leaves no trace.
	emptyFrames, emptyAgree = 3, 2
	// emptyRoom is how far in pixels an edge may move and still be the scene's; odd.
	emptyRoom = 7
)

// emptyScene is what a camera sees with nobody there: its newest frames' edges, widened, 1 where there is one. mask is what enough of
// them have, 255 where there is an edge. The zero value has no edges.
type emptyScene struct {
	edges []gocv.Mat
	mask  *gocv.Mat
}

func (e *emptyScene) forget() {
	for i := range e.edges {
		_ = e.edges[i].Close()
	}
	if e.mask != nil {
		_ = e.mask.Close()
	}
	*e = emptyScene{}
}

// LearnEmpty takes a frame with nobody in it. Its lines do not count around a face from then on. A frame with a face is not taken.
func (p *Pipeline) LearnEmpty(f *Frame) error {
	found, err := p.Detect(f)
	if err != nil {
		return fmt.Errorf("learn empty scene: %w", err)
	}
	if len(found) > 0 {
		return nil
	}
	e := &p.empty
	if len(e.edges) > 0 && (e.edges[0].Cols() != f.mat.Cols() || e.edges[0].Rows() != f.mat.Rows()) {
		e.forget()
	}
	edges, wide, ones := findEdges(f.mat), gocv.NewMat(), gocv.NewMat()
	defer edges.Close()
	defer wide.Close()
	kernel := gocv.GetStructuringElement(gocv.MorphRect, image.Pt(emptyRoom, emptyRoom))
	defer kernel.Close()
	gocv.Dilate(edges, &wide, kernel)
	gocv.Threshold(wide, &ones, 127, 1, gocv.ThresholdBinary)
	e.edges = append(e.edges, ones)
	if len(e.edges) > emptyFrames {
		_ = e.edges[0].Close()
		e.edges = append(e.edges[:0], e.edges[1:]...)
	}
	e.agree()
	return nil
}

// agree makes the mask anew.
func (e *emptyScene) agree() {
	sum := e.edges[0].Clone()
	defer sum.Close()
	for _, m := range e.edges[1:] {
		gocv.Add(sum, m, &sum)
	}
	if e.mask == nil {
		m := gocv.NewMat()
		e.mask = &m
	}
	gocv.Threshold(sum, e.mask, emptyAgree-0.5, 255, gocv.ThresholdBinary)
}

// findEdges gives 255 where a picture has an edge.
func findEdges(m gocv.Mat) gocv.Mat {
	grey, smooth, edges := gocv.NewMat(), gocv.NewMat(), gocv.NewMat()
	defer grey.Close()
	defer smooth.Close()
	gocv.CvtColor(m, &grey, gocv.ColorBGRToGray)
	gocv.GaussianBlur(grey, &smooth, image.Pt(5, 5), 0, 0, gocv.BorderDefault)
	gocv.Canny(smooth, &edges, 40, 120)
	return edges
}

// countLines counts straight lines nearly as long as the face is wide, but for those of the empty scene.
func (p *Pipeline) countLines(m gocv.Mat, r image.Rectangle, faceWidth float64) int {
	if r.Dx() < minSide || r.Dy() < minSide {
		return 0
	}
	part := m.Region(r)
	defer part.Close()
	edges, lines := findEdges(part), gocv.NewMat()
	defer edges.Close()
	defer lines.Close()
	if k := p.empty.mask; k != nil && k.Cols() == m.Cols() && k.Rows() == m.Rows() {
		known := k.Region(r)
		defer known.Close()
		gocv.Subtract(edges, known, &edges)
	}
	gocv.HoughLinesPWithParams(edges, &lines, 1, 3.14159265/180, 60, float32(0.9*faceWidth), 8)
	return lines.Rows()
}
