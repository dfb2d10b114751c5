package symbol

import "errors"

// Limits of a frame, in pixels.
const (
	MinSide   = 16
	MaxSide   = 8192
	MaxPixels = 33_000_000
)

// Symbologies that are read.
const (
	QR         = "qr"         // ISO/IEC 18004
	DataMatrix = "datamatrix" // ISO/IEC 16022, ECC 200
	Aztec      = "aztec"      // ISO/IEC 24778
)

// ErrFrame is returned for pixels that do not make a frame within the limits.
var ErrFrame = errors.New("frame is too small, too large or incomplete")

// Luma is a grey frame: row y begins at Pix[y*Stride] and has W pixels,
// 0 black to 255 white.
type Luma struct {
	Pix    []byte
	Stride int
	W, H   int
}

// Check reports ErrFrame for a frame that Read would ignore.
func (l Luma) Check() error {
	if l.W < MinSide || l.H < MinSide || l.W > MaxSide || l.H > MaxSide || l.W*l.H > MaxPixels {
		return ErrFrame
	}
	if l.Stride < l.W || l.Stride > MaxPixels || len(l.Pix) < l.Stride*(l.H-1)+l.W {
		return ErrFrame
	}
	return nil
}

// Symbol is one barcode found.
type Symbol struct {
	Symbology string // QR, DataMatrix or Aztec
	Payload   []byte
	// Corners in frame pixels, of the symbol without its quiet zone: top left,
	// top right, bottom right, bottom left as the symbol itself stands. They
	// are estimates, within about two modules.
	Corners [4][2]float32
}
