//go:build cgo

package vision

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"time"

	"gocv.io/x/gocv"
)

// The detector's geometry and limits.
const (
	detectW, detectH = 320, 240
	detectPriors     = 4420
	detectScore      = 0.7
	detectIoU        = 0.4
	landmarkSide     = 64
	livenessSide     = 128
)

// Pipeline is a set of networks for one goroutine.
type Pipeline struct {
	detect, landmark, feature, liveness gocv.Net
	recogniser                          Recogniser
	timing                              Timing
	enter                               func(stage string)
	empty                               emptyScene
}

// OpenPipeline loads the networks and tries each on an empty picture, so that a model that does not fit is refused now.
func OpenPipeline(models []Model, o Options) (*Pipeline, error) {
	SetThreads(max(o.Threads, 1))
	p := &Pipeline{enter: o.Enter}
	for name, net := range map[string]*gocv.Net{
		ModelDetect: &p.detect, ModelLandmark: &p.landmark, ModelFeature: &p.feature, ModelLiveness: &p.liveness,
	} {
		i := slices.IndexFunc(models, func(m Model) bool { return m.Name == name })
		if i < 0 {
			_ = p.Close()
			return nil, fmt.Errorf("open pipeline: %w: no %s model given", ErrModel, name)
		}
		n, err := loadNet(models[i])
		if name == ModelFeature && err == nil {
			p.recogniser = *models[i].Recogniser
		}
		*net = n
		if err != nil {
			_ = p.Close()
			return nil, fmt.Errorf("open pipeline: %w", err)
		}
	}
	if err := p.try(); err != nil {
		_ = p.Close()
		return nil, fmt.Errorf("open pipeline: %w", err)
	}
	return p, nil
}

func loadNet(m Model) (gocv.Net, error) {
	b, err := readModel(m)
	if err == nil && m.Name == ModelFeature {
		err = m.Recogniser.check(b)
	}
	if err != nil {
		return gocv.Net{}, err
	}
	n, err := gocv.ReadNetFromONNXBytes(b)
	if err != nil || n.Empty() {
		return gocv.Net{}, fmt.Errorf("%w: %s: not a network", ErrModel, m.Name)
	}
	return n, nil
}

// try runs every network once; it also takes the slower first call away from the first traveller.
func (p *Pipeline) try() error {
	blank := &Frame{mat: gocv.NewMatWithSizeFromScalar(gocv.NewScalar(90, 110, 130, 0), 480, 640, gocv.MatTypeCV8UC3)}
	defer blank.Close()
	if _, err := p.Detect(blank); err != nil {
		return err
	}
	_, err := p.Analyse(blank, Detection{Box: Box{220, 140, 200, 200}, Score: 1}, Want{Embed: Always, Live: Always})
	return err
}

// Close frees the networks. The pipeline is not used after it.
func (p *Pipeline) Close() error {
	p.empty.forget()
	for _, n := range []*gocv.Net{&p.detect, &p.landmark, &p.feature, &p.liveness} {
		if *n != (gocv.Net{}) {
			_ = n.Close()
			*n = gocv.Net{}
		}
	}
	return nil
}

// Timing returns how long the stages of the last calls took.
func (p *Pipeline) Timing() Timing { return p.timing }

// Detect finds faces, best score first.
func (p *Pipeline) Detect(f *Frame) ([]Detection, error) {
	defer p.stage(ModelDetect, &p.timing.Detect)()
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("detect: %w", err)
	}
	canvas, w, h := detectCanvas(f.mat)
	defer canvas.Close()
	blob := gocv.BlobFromImage(canvas, 1.0/128, image.Pt(detectW, detectH), gocv.NewScalar(127, 127, 127, 0), true, false)
	defer blob.Close()
	p.detect.SetInput(blob, "")
	outs := p.detect.ForwardLayers([]string{"scores", "boxes"})
	defer func() {
		for i := range outs {
			_ = outs[i].Close()
		}
	}()
	if len(outs) != 2 {
		return nil, fmt.Errorf("detect: %w: %d outputs", ErrModel, len(outs))
	}
	scores, err := floats(outs[0], detectPriors*2)
	if err != nil {
		return nil, fmt.Errorf("detect: %w", err)
	}
	boxes, err := floats(outs[1], detectPriors*4)
	if err != nil {
		return nil, fmt.Errorf("detect: %w", err)
	}
	return suppress(readBoxes(scores, boxes, w, h), detectIoU), nil
}

// readBoxes takes the candidates above the limit; coordinates come as shares of the canvas.
func readBoxes(scores, boxes []float32, w, h float64) []Detection {
	var found []Detection
	for i := range detectPriors {
		s := float64(scores[2*i+1])
		if !(s > detectScore) {
			continue
		}
		x0, y0 := float64(boxes[4*i])*w, float64(boxes[4*i+1])*h
		x1, y1 := float64(boxes[4*i+2])*w, float64(boxes[4*i+3])*h
		b := Box{x0, y0, x1 - x0, y1 - y0}
		if b.W >= 4 && b.H >= 4 && b.W <= 2*w && b.H <= 2*h {
			found = append(found, Detection{Box: b, Score: s})
		}
	}
	return found
}

// detectCanvas pads to 4:3 at the right or the bottom, and returns the canvas's size in pixels of the frame. Where the frame shrinks
// by a whole number, as 1280x720 does, it is shrunk first: the same pixels for a sixteenth of the copying.
func detectCanvas(m gocv.Mat) (canvas gocv.Mat, w, h float64) {
	cols, rows := m.Cols(), m.Rows()
	pw, ph := max(cols, rows*4/3), max(rows, cols*3/4)
	grey := color.RGBA{R: 127, G: 127, B: 127}
	canvas = gocv.NewMat()
	if k := pw / detectW; k > 1 && pw == k*detectW && ph == k*detectH && cols%k == 0 && rows%k == 0 {
		small := gocv.NewMat()
		defer small.Close()
		gocv.Resize(m, &small, image.Pt(cols/k, rows/k), 0, 0, gocv.InterpolationLinear)
		gocv.CopyMakeBorder(small, &canvas, 0, detectH-rows/k, 0, detectW-cols/k, gocv.BorderConstant, grey)
		return canvas, float64(pw), float64(ph)
	}
	gocv.CopyMakeBorder(m, &canvas, 0, ph-rows, 0, pw-cols, gocv.BorderConstant, grey)
	return canvas, float64(pw), float64(ph)
}

// Analyse measures one face and, where wanted, embeds it and scores its liveness.
func (p *Pipeline) Analyse(f *Frame, d Detection, want Want) (Face, error) {
	p.timing = Timing{Detect: p.timing.Detect}
	if err := f.check(); err != nil {
		return Face{}, fmt.Errorf("analyse: %w", err)
	}
	face := Face{Box: d.Box, Quality: Quality{Score: d.Score}}
	points, err := p.landmarks(f.mat, d.Box)
	if err != nil {
		return face, fmt.Errorf("find landmarks: %w", err)
	}
	face.Points = points
	pose(&face.Quality, points)
	aligned, err := p.align(f.mat, points, template, image.Pt(alignSize, alignSize))
	if err != nil {
		return face, fmt.Errorf("align: %w", err)
	}
	defer aligned.Close()
	if err := exposure(&face.Quality, aligned); err != nil {
		return face, fmt.Errorf("measure: %w", err)
	}
	if want.Embed != nil && want.Embed(face.Quality) {
		if face.Raw, err = p.embed(f.mat, points, aligned); err != nil {
			return face, fmt.Errorf("embed: %w", err)
		}
		face.Quality.Norm = norm(face.Raw)
	}
	if want.Live != nil && want.Live(face.Quality) {
		l, err := p.live(f.mat, d.Box)
		if err != nil {
			return face, fmt.Errorf("score liveness: %w", err)
		}
		face.Live = &l
	}
	return face, nil
}

// landmarks finds the five points inside a square around the box.
func (p *Pipeline) landmarks(m gocv.Mat, b Box) ([5]Point, error) {
	defer p.stage(ModelLandmark, &p.timing.Landmark)()
	r := landmarkSquare(b)
	crop, err := cut(m, r, gocv.BorderReplicate)
	if err != nil {
		return [5]Point{}, err
	}
	defer crop.Close()
	grey, small := gocv.NewMat(), gocv.NewMat()
	defer grey.Close()
	defer small.Close()
	gocv.CvtColor(crop, &grey, gocv.ColorBGRToGray)
	gocv.Resize(grey, &small, image.Pt(landmarkSide, landmarkSide), 0, 0, gocv.InterpolationLinear)
	out, err := forward(&p.landmark, "", small, feed{side: image.Pt(landmarkSide, landmarkSide), scale: 1.0 / 256}, 136)
	if err != nil {
		return [5]Point{}, err
	}
	var l [68]Point
	for i := range l {
		l[i] = Point{
			float64(r.Min.X) + float64(out[2*i])*float64(r.Dx()), float64(r.Min.Y) + float64(out[2*i+1])*float64(r.Dy()),
		}
	}
	return fivePoints(l), nil
}

// align warps the face onto a template. A face much larger than the template is smoothed first, since bilinear sampling would
// skip pixels.
func (p *Pipeline) align(m gocv.Mat, points, onto [5]Point, size image.Point) (gocv.Mat, error) {
	defer p.stage("align", &p.timing.Align)()
	s, err := fit(points, onto)
	if err != nil {
		return gocv.Mat{}, err
	}
	src, k := m, s.scale()
	if k < 0.55 {
		sigma := 0.45 / k
		r := s.footprint(size, 3*sigma+2).Intersect(image.Rect(0, 0, m.Cols(), m.Rows()))
		if r.Dx() < minSide || r.Dy() < minSide {
			return gocv.Mat{}, fmt.Errorf("%w: face outside the picture", ErrImage)
		}
		part := m.Region(r)
		defer part.Close()
		src = gocv.NewMat()
		defer src.Close()
		gocv.GaussianBlur(part, &src, image.Point{}, sigma, sigma, gocv.BorderDefault)
		s = s.shifted(float64(r.Min.X), float64(r.Min.Y))
	}
	warp := gocv.NewMatWithSize(2, 3, gocv.MatTypeCV64F)
	defer warp.Close()
	for i, v := range []float64{s.A, -s.B, s.TX, s.B, s.A, s.TY} {
		warp.SetDoubleAt(i/3, i%3, v)
	}
	out := gocv.NewMat()
	gocv.WarpAffineWithParams(src, &out, warp, size, gocv.InterpolationLinear, gocv.BorderConstant, color.RGBA{})
	return out, nil
}

// footprint is the part of the picture the template covers, with a margin in pixels.
func (s similarity) footprint(size image.Point, margin float64) image.Rectangle {
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, c := range []Point{{0, 0}, {float64(size.X), 0}, {0, float64(size.Y)}, {float64(size.X), float64(size.Y)}} {
		p := s.back(c)
		x0, y0, x1, y1 = min(x0, p.X), min(y0, p.Y), max(x1, p.X), max(y1, p.Y)
	}
	return image.Rect(int(x0-margin), int(y0-margin), int(x1+margin)+1, int(y1+margin)+1)
}

// floats gives the values of a network's output without copying: they die with the Mat.
func floats(m gocv.Mat, want int) ([]float32, error) {
	if m.Empty() || m.Total() != want {
		return nil, fmt.Errorf("%w: output has another size than %d", ErrModel, want)
	}
	v, err := m.DataPtrFloat32()
	if err != nil || len(v) != want {
		return nil, fmt.Errorf("%w: output is not %d floats", ErrModel, want)
	}
	for _, f := range v {
		if f != f || math.IsInf(float64(f), 0) {
			return nil, fmt.Errorf("%w: output is not finite", ErrModel)
		}
	}
	return v, nil
}

func norm(v []float32) float64 {
	var s float64
	for _, f := range v {
		s += float64(f) * float64(f)
	}
	return math.Sqrt(s)
}

// stage tells what begins, and how long it took when it ends.
func (p *Pipeline) stage(name string, d *time.Duration) func() {
	if p.enter != nil {
		p.enter(name)
	}
	start := time.Now()
	return func() { *d = time.Since(start) }
}
