package symbol

import (
	"errors"
	"fmt"
	"image"
	"image/color"

	"github.com/boombuler/barcode/qr"
)

// ErrPayload is returned for a payload that a label cannot carry.
var ErrPayload = errors.New("payload does not fit a label")

// Shape of a label.
const (
	MaxVersion = 16 // of a QR code on a label: 81 modules a side
	QuietZone  = 4  // modules of white on each side
	MaxModule  = 64 // pixels
)

// EncodeQR draws a payload as one byte segment in a QR code with error
// correction M, each module exactly modulePx pixels wide, with its quiet zone.
func EncodeQR(payload []byte, modulePx int) (*image.Gray, error) {
	if len(payload) == 0 || modulePx < 1 || modulePx > MaxModule {
		return nil, fmt.Errorf("encode QR: %w: empty, or module size not 1 to %d", ErrPayload, MaxModule)
	}
	code, err := qr.Encode(string(payload), qr.M, qr.Unicode)
	if err != nil {
		return nil, fmt.Errorf("encode QR: %w: %w", ErrPayload, err)
	}
	n := code.Bounds().Dx()
	if version := (n - 17) / 4; version > MaxVersion {
		return nil, fmt.Errorf("encode QR: %w: %d bytes need version %d, at most %d", ErrPayload, len(payload), version, MaxVersion)
	}
	side := (n + 2*QuietZone) * modulePx
	img := image.NewGray(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			mx, my := x/modulePx-QuietZone, y/modulePx-QuietZone
			dark := mx >= 0 && my >= 0 && mx < n && my < n && code.At(mx, my) == color.Black
			if !dark {
				img.Pix[y*img.Stride+x] = 0xFF
			}
		}
	}
	return img, nil
}
