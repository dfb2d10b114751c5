package vision

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
)

// gradient is a picture that is darker at its left and at its top, so that a turned one is told.
func gradient(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			v := uint8(40 + 150*x/w + 50*y/h)
			img.SetRGBA(x, y, color.RGBA{R: v, G: v, B: v, A: 255})
		}
	}
	return img
}

func asJPEG(tb testing.TB, img image.Image) []byte {
	tb.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, nil); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func asPNG(tb testing.TB, img image.Image) []byte {
	tb.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func asGIF(tb testing.TB) []byte {
	tb.Helper()
	frame := image.NewPaletted(image.Rect(0, 0, 32, 32), color.Palette{color.Black, color.White})
	var out bytes.Buffer
	if err := gif.EncodeAll(&out, &gif.GIF{Image: []*image.Paletted{frame, frame}, Delay: []int{1, 1}}); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// chunk makes a PNG chunk.
func chunk(kind string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// animated makes a PNG say that it has more frames.
func animated(b []byte) []byte {
	const header = 8 + 25
	out := append([]byte(nil), b[:header]...)
	return append(append(out, chunk("acTL", make([]byte, 8))...), b[header:]...)
}

// bomb is a PNG of almost no bytes that says it is huge.
func bomb(w, h uint32) []byte {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	b := append(append([]byte(nil), pngMark...), chunk("IHDR", append(head, 8, 2, 0, 0, 0))...)
	return append(append(b, chunk("IDAT", []byte{0x78, 0x9c, 3, 0, 0, 0, 0, 1})...), chunk("IEND", nil)...)
}

// turned marks a JPEG as taken with the camera on its side.
func turned(b []byte) []byte {
	exif := append([]byte("Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00"), 0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0)
	seg := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(exif)+2))
	return append(append(append([]byte(nil), b[:2]...), append(seg, exif...)...), b[2:]...)
}

// cmyk is a JPEG of 64x64 in four inks, all of one tone: 208, 48, 198 and 228 of 255, inverted as Adobe does.
func cmyk() []byte {
	quant := bytes.Repeat([]byte{8}, 64)
	b := append([]byte{0xff, 0xd8, 0xff, 0xee, 0, 14}, "Adobe\x00\x64\x00\x00\x00\x00\x00"...)
	b = append(append(b, 0xff, 0xdb, 0, 67, 0), quant...)
	b = append(b, 0xff, 0xc0, 0, 20, 8, 0, 64, 0, 64, 4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0)
	// Codes: 0 and 10 for a difference of no bits and of seven, 0 for "no more in this block".
	b = append(append(b, 0xff, 0xc4, 0, 21, 0x00, 1, 1), append(make([]byte, 14), 0, 7)...)
	b = append(append(b, 0xff, 0xc4, 0, 20, 0x10, 1), append(make([]byte, 15), 0)...)
	b = append(b, 0xff, 0xda, 0, 14, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0)
	var bits strings.Builder
	for block := range 64 {
		for _, tone := range []int{208 - 128, 48 - 128, 198 - 128, 228 - 128} {
			if block > 0 {
				bits.WriteString("00")
				continue
			}
			// A negative difference is written less one, in seven bits.
			v := tone
			if v < 0 {
				v += 127
			}
			bits.WriteString("10")
			for i := 6; i >= 0; i-- {
				bits.WriteByte('0' + byte(v>>i&1))
			}
			bits.WriteString("0")
		}
	}
	s := bits.String()
	s += strings.Repeat("1", (8-len(s)%8)%8)
	for ; s != ""; s = s[8:] {
		var v byte
		for _, c := range s[:8] {
			v = v<<1 | byte(c-'0')
		}
		if b = append(b, v); v == 0xff {
			b = append(b, 0)
		}
	}
	return append(b, 0xff, 0xd9)
}

func TestFilesThatAreNoPicture(t *testing.T) {
	whole := asJPEG(t, gradient(64, 48))
	for name, c := range map[string]struct {
		file []byte
		says string
	}{
		"empty":            {nil, "0 bytes"},
		"text":             {[]byte("a portrait"), "neither JPEG nor PNG"},
		"JPEG cut off":     {whole[:len(whole)/2], "ends early"},
		"JPEG of no scan":  {whole[:20], "ends early"},
		"JPEG with holes":  {append(append(append([]byte(nil), whole[:4]...), make([]byte, 60)...), whole[len(whole)-40:]...), "again"},
		"PNG cut off":      {asPNG(t, gradient(64, 48))[:60], "ends early"},
		"tiny":             {asJPEG(t, gradient(8, 8)), "at least 16"},
		"huge":             {bomb(60_000, 60_000), "make it smaller"},
		"huge one way":     {bomb(20_000, 20), "make it smaller"},
		"overflowing":      {bomb(1<<31-1, 1<<31-1), "again"},
		"animated PNG":     {animated(asPNG(t, gradient(64, 48))), "animated"},
		"animated GIF":     {asGIF(t), "save it as one of them"},
		"animated WebP":    {[]byte("RIFF\x20\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x1f\x00\x00\x1f\x00\x00ANIM"), "save it as one of them"},
		"larger than ever": {make([]byte, maxFile+1), "at most"},
	} {
		if err := checkFile(c.file); !errors.Is(err, ErrImage) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	for name, file := range map[string][]byte{
		"JPEG": whole, "PNG": asPNG(t, gradient(64, 48)), "CMYK": cmyk(), "turned": turned(whole), "tail": append(whole[:len(whole):len(whole)], "maker's note"...),
	} {
		if err := checkFile(file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzCheckFile(f *testing.F) {
	f.Add(asJPEG(f, gradient(32, 32)))
	f.Add(asPNG(f, gradient(32, 32)))
	f.Add(cmyk())
	f.Add(bomb(1<<20, 4))
	f.Fuzz(func(t *testing.T, b []byte) {
		if checkFile(b) != nil {
			return
		}
		if c, _, err := image.DecodeConfig(bytes.NewReader(b)); err != nil || c.Width*c.Height > maxPixels || min(c.Width, c.Height) < minSide {
			t.Errorf("taken: %+v, %v", c, err)
		}
	})
}
