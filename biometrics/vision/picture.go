package vision

import (
	"bytes"
	"fmt"
	"image"
	_ "image/jpeg" // for its header
	_ "image/png"  // for its header
)

// Limits of a picture: under 16 pixels OpenCV's own geometry breaks down, above 64 megapixels memory does.
const (
	minSide   = 16
	maxSide   = 16384
	maxPixels = 64 << 20
	maxFile   = 64 << 20
)

// Marks inside picture files.
var (
	pngMark   = []byte("\x89PNG\r\n\x1a\n")
	jpegMark  = []byte{0xff, 0xd8, 0xff}
	jpegScan  = []byte{0xff, 0xda}
	jpegEnd   = []byte{0xff, 0xd9}
	pngEnd    = []byte("IEND")
	pngFrames = []byte("acTL")
	pngData   = []byte("IDAT")
)

// checkFile looks at a picture file before OpenCV does. It takes JPEG and PNG, whole, of one frame, of a size that Frame.check takes.
func checkFile(b []byte) error {
	if len(b) == 0 || len(b) > maxFile {
		return fmt.Errorf("%w: file of %d bytes, at most %d", ErrImage, len(b), maxFile)
	}
	var broken bool
	switch {
	case bytes.HasPrefix(b, jpegMark):
		// Neither mark can stand inside the packed pixels.
		broken = bytes.LastIndex(b, jpegEnd) < bytes.LastIndex(b, jpegScan) || !bytes.Contains(b, jpegScan)
	case bytes.HasPrefix(b, pngMark):
		broken = !bytes.Contains(b[max(0, len(b)-64):], pngEnd)
		if i := bytes.Index(b, pngFrames); i >= 0 && i < bytes.Index(b, pngData) {
			return fmt.Errorf("%w: an animated picture: save one frame of it as JPEG or PNG", ErrImage)
		}
	default:
		return fmt.Errorf("%w: neither JPEG nor PNG: save it as one of them", ErrImage)
	}
	if broken {
		return fmt.Errorf("%w: the file ends early: fetch or scan it again", ErrImage)
	}
	c, _, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("%w: %w: fetch or scan it again", ErrImage, err)
	}
	return checkSize(c.Width, c.Height)
}

// checkSize holds a picture to the limits.
func checkSize(w, h int) error {
	switch {
	case w < minSide || h < minSide:
		return fmt.Errorf("%w: %dx%d pixels, at least %d each way", ErrImage, w, h, minSide)
	case w > maxSide || h > maxSide || w*h > maxPixels:
		return fmt.Errorf("%w: %dx%d pixels, at most %d each way and %d in all: make it smaller", ErrImage, w, h, maxSide, maxPixels)
	default:
		return nil
	}
}
