//go:build cgo

package vision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"

	"gocv.io/x/gocv"
)

// errSize tells a picture of another size than the camera's.
var errSize = errors.New("pictures of another size")

// badLimit is how many parts in a row may be no whole picture before the stream is opened anew.
const badLimit = 10

// network is an MJPEG camera on HTTP. Only decoding goes through OpenCV, after the picture's header was held to the limits and to the
// camera's one size.
type network struct {
	c *Camera
	s *stream
	// size is what the pictures must have; a side that is not asked for is 0 until the first came.
	size image.Point
	// bad is how many parts in a row were no picture, failed why there will be no more.
	bad    int
	failed error
}

func openNetwork(ctx context.Context, c *Camera, src source) (capture, error) {
	s, err := openStream(ctx, src.path, answerLimit(c.failed), c.dial, c.now)
	if err != nil {
		return nil, fmt.Errorf("%w: cannot be opened: %w", ErrCamera, err)
	}
	return &network{c: c, s: s, size: image.Pt(c.o.Width, c.o.Height)}, nil
}

func (n *network) close() { n.s.close() }

// skip looks at the next picture's header all the same: a camera that gives no pictures must not look well while nobody is there.
func (n *network) skip(ctx context.Context) (at int64, count int, ok bool) {
	p, err := n.next(ctx)
	if err != nil {
		n.failed = err
		return 0, 0, false
	}
	n.s.give(p)
	n.bad = 0
	return p.at, p.count, true
}

func (n *network) read(ctx context.Context) (f *Frame, count int, err error) {
	for n.failed == nil {
		p, err := n.next(ctx)
		if err != nil {
			return nil, 0, err
		}
		f, err := n.unpack(p)
		n.s.give(p)
		if err == nil {
			n.bad = 0
			return f, p.count, nil
		}
		n.failed = n.spoilt(err)
	}
	return nil, 0, n.failed
}

// next waits for the newest part that is a whole picture of the right size.
func (n *network) next(ctx context.Context) (part, error) {
	for {
		p, err := n.s.next(ctx)
		if err != nil {
			return part{}, err
		}
		if err = n.check(p.data); err == nil {
			return p, nil
		}
		n.s.give(p)
		if errors.Is(err, errSize) {
			return part{}, err
		}
		if err = n.spoilt(err); err != nil {
			return part{}, err
		}
	}
}

// check holds a part to being a whole JPEG of the camera's size.
func (n *network) check(b []byte) error {
	if !bytes.HasPrefix(b, jpegMark) {
		return fmt.Errorf("%w: not JPEG", ErrImage)
	}
	if err := checkFile(b); err != nil {
		return err
	}
	c, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrImage, err)
	}
	return n.sized(c.Width, c.Height)
}

// sized holds a picture to the size asked for, or else to the first one's.
func (n *network) sized(w, h int) error {
	if n.size.X <= 0 {
		n.size.X = w
	}
	if n.size.Y <= 0 {
		n.size.Y = h
	}
	if n.size == image.Pt(w, h) {
		return nil
	}
	return fmt.Errorf("%w: %dx%d instead of %dx%d: set the camera's stream to one size, the width and height configured",
		errSize, w, h, n.size.X, n.size.Y)
}

// spoilt counts a part that is no picture, and is an error when there were too many.
func (n *network) spoilt(err error) error {
	n.bad++
	err = fmt.Errorf("%d in a row are no whole picture: %w: look at the network and the camera's rate", n.bad, err)
	if n.bad >= badLimit {
		return err
	}
	n.c.complain(fmt.Errorf("%w: %w", ErrCamera, err))
	return nil
}

// unpack decodes a part that was checked. A camera's own mark of orientation is left alone, as with every other source.
func (n *network) unpack(p part) (*Frame, error) {
	done := n.c.inside("read")
	m, err := gocv.IMDecode(p.data, gocv.IMReadColor|gocv.IMReadIgnoreOrientation)
	done()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrImage, err)
	}
	f := &Frame{mat: m, at: p.at}
	if err = f.check(); err == nil {
		err = n.sized(f.Size())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
