//go:build cgo

package vision

import (
	"fmt"

	"gocv.io/x/gocv"
)

// RawFrame makes a frame of a copy of BGR pixels, rows without gaps.
func RawFrame(w, h int, bgr []byte) (*Frame, error) {
	if w < minSide || h < minSide || w > maxSide || h > maxSide || len(bgr) != 3*w*h {
		return nil, fmt.Errorf("make frame: %w: %d bytes for %dx%d", ErrImage, len(bgr), w, h)
	}
	m, err := gocv.NewMatFromBytes(h, w, gocv.MatTypeCV8UC3, bgr)
	if err != nil {
		return nil, fmt.Errorf("make frame: %w: %w", ErrImage, err)
	}
	defer m.Close() // it only borrows the bytes
	f := &Frame{mat: m.Clone()}
	if err := f.check(); err != nil {
		f.Close()
		return nil, fmt.Errorf("make frame: %w", err)
	}
	return f, nil
}
