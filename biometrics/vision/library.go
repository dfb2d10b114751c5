//go:build cgo

package vision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gocv.io/x/gocv"
)

// library is a device, a file or an RTSP camera, read by OpenCV. Its calls cannot be interrupted.
type library struct {
	c   *Camera
	src source
	vc  *gocv.VideoCapture
}

func openLibrary(c *Camera, src source) (capture, error) {
	defer c.inside("open")()
	var vc *gocv.VideoCapture
	var err error
	switch src.kind {
	case sourceDevice:
		vc, err = gocv.VideoCaptureDeviceWithAPI(src.device, gocv.VideoCaptureV4L2)
	case sourceURL, sourceFile:
		vc, err = gocv.VideoCaptureFileWithAPI(src.path, gocv.VideoCaptureFFmpeg)
	case sourceImages:
		vc, err = gocv.VideoCaptureFileWithAPI(src.path, gocv.VideoCaptureImages)
	default:
		return nil, fmt.Errorf("%w: no such kind of source", ErrCamera)
	}
	if err == nil && !vc.IsOpened() {
		err = errors.New("not opened")
	}
	if err != nil {
		// The handle is there on an error too.
		if vc != nil {
			_ = vc.Close()
		}
		return nil, fmt.Errorf("%w: cannot be opened", ErrCamera)
	}
	if src.kind == sourceDevice {
		vc.Set(gocv.VideoCaptureFOURCC, vc.ToCodec("MJPG"))
		vc.Set(gocv.VideoCaptureFrameWidth, float64(c.o.Width))
		vc.Set(gocv.VideoCaptureFrameHeight, float64(c.o.Height))
		vc.Set(gocv.VideoCaptureFPS, float64(c.o.FPS))
		vc.Set(gocv.VideoCaptureBufferSize, 1)
	}
	return &library{c: c, src: src, vc: vc}, nil
}

func (l *library) close() { _ = l.vc.Close() }

func (l *library) skip(context.Context) (at int64, n int, ok bool) {
	before := progress(l.vc)
	done := l.c.inside("grab")
	l.vc.Grab(1)
	done()
	return l.c.now(), 1, progress(l.vc) != before
}

// progress changes with every frame taken, by one property or the other.
func progress(vc *gocv.VideoCapture) [2]float64 {
	return [2]float64{vc.Get(gocv.VideoCapturePosFrames), vc.Get(gocv.VideoCapturePosMsec)}
}

func (l *library) read(context.Context) (f *Frame, n int, err error) {
	m := l.c.takeSpare()
	done := l.c.inside("read")
	ok := l.vc.Read(&m)
	done()
	at := l.c.now()
	if l.src.kind == sourceDevice {
		// The driver's own time of the frame, where its clock is this one.
		if t := int64(l.vc.Get(gocv.VideoCapturePosMsec) * 1e6); t < at && at-t < int64(time.Second) {
			at = t
		}
	}
	if ok {
		colour(&m)
	}
	f = &Frame{mat: m, at: at, put: l.c.putSpare}
	if !ok || f.check() != nil {
		f.Close()
		return nil, 0, errors.New("no frame")
	}
	return f, 1, nil
}

// colour makes BGR of the grey or transparent pictures that some sources give.
func colour(m *gocv.Mat) {
	var code gocv.ColorConversionCode
	switch {
	case m.Empty():
		return
	case m.Type() == gocv.MatTypeCV8UC1:
		code = gocv.ColorGrayToBGR
	case m.Type() == gocv.MatTypeCV8UC4:
		code = gocv.ColorBGRAToBGR
	default:
		return
	}
	out := gocv.NewMat()
	gocv.CvtColor(*m, &out, code)
	_ = m.Close()
	*m = out
}
