package label

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/png"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// PNG draws the label in black and white with one pixel for each dot of the
// printer, and says so in the file (its pHYs chunk), so that it prints at size.
func (l *Label) PNG(dpi int) ([]byte, error) {
	if (dpi != DPI300 && dpi != DPI600) || l.module*dpi%Unit != 0 {
		return nil, fmt.Errorf("draw label: %w: no whole number of dots a module at %d dpi", ErrLabel, dpi)
	}
	grey := image.NewGray(image.Rect(0, 0, l.w*dpi/Unit, l.h*dpi/Unit))
	draw.Draw(grey, grey.Rect, image.White, image.Point{}, draw.Src)
	if err := l.drawText(grey, dpi); err != nil {
		return nil, err
	}
	l.drawCode(grey, dpi)
	return encode(grey, dpi)
}

func (l *Label) drawCode(to *image.Gray, dpi int) {
	k, x0, y0 := l.module*dpi/Unit, l.codeX*dpi/Unit, l.codeY*dpi/Unit
	n := l.code.Rect.Dx()
	for y := range n {
		for x := range n {
			ink := image.White
			if l.dark(x, y) {
				ink = image.Black
			}
			r := image.Rect(x0+x*k, y0+y*k, x0+(x+1)*k, y0+(y+1)*k)
			draw.Draw(to, r, ink, image.Point{}, draw.Src)
		}
	}
}

func (l *Label) drawText(to *image.Gray, dpi int) error {
	f, err := newFonts()
	if err != nil {
		return err
	}
	for _, r := range l.runs {
		src := map[bool]*sfnt.Font{false: f.regular, true: f.bold}[r.bold]
		face, err := opentype.NewFace(src, &opentype.FaceOptions{
			Size: float64(r.size) * float64(dpi) / Unit, DPI: 72, Hinting: font.HintingNone,
		})
		if err != nil {
			return fmt.Errorf("draw label: %w", err)
		}
		d := font.Drawer{
			Dst: to, Src: image.Black, Face: face,
			Dot: fixed.P(r.x*dpi/Unit, r.y*dpi/Unit),
		}
		d.DrawString(r.text)
		if err := face.Close(); err != nil {
			return fmt.Errorf("draw label: %w", err)
		}
	}
	return nil
}

// encode writes one bit a pixel: a label printer has no grey, and its driver
// would turn it into dots of its own.
func encode(grey *image.Gray, dpi int) ([]byte, error) {
	ink := image.NewPaletted(grey.Rect, color.Palette{color.White, color.Black})
	for i, v := range grey.Pix {
		if v < 128 {
			ink.Pix[i] = 1
		}
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, ink); err != nil {
		return nil, fmt.Errorf("write label: %w", err)
	}
	// The chunk stands right behind the header, which is 8+25 bytes.
	const head = 33
	out := append([]byte(nil), b.Bytes()[:head]...)
	out = append(out, physical(dpi)...)
	return append(out, b.Bytes()[head:]...), nil
}

// physical is the chunk that gives the dots a metre (PNG specification, pHYs).
func physical(dpi int) []byte {
	perMetre := uint32(float64(dpi)/0.0254 + 0.5)
	body := []byte("pHYs")
	body = binary.BigEndian.AppendUint32(body, perMetre)
	body = binary.BigEndian.AppendUint32(body, perMetre)
	body = append(body, 1)
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body)-4))
	out = append(out, body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(body))
}
