package symbol

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/boombuler/barcode/aztec"
	"github.com/boombuler/barcode/datamatrix"
	"github.com/boombuler/barcode/ean"
	"github.com/boombuler/barcode/qr"
	"github.com/makiuchi-d/gozxing"
)

// laid is a code that lies on the desk.
type laid struct {
	code   *gozxing.BitMatrix
	x, y   float64 // of its corner, before the hand moves
	module float64
	tall   float64 // modules, of a code of one row
}

// height is in modules.
func (p laid) height() float64 {
	if p.tall > 0 {
		return p.tall
	}
	return float64(p.code.GetHeight())
}

// dark tells a module's colour from its place on the code.
func (p laid) dark(u, v float64) bool {
	if u < 0 || v < 0 || u >= float64(p.code.GetWidth()) || v >= p.height() {
		return false
	}
	if p.tall > 0 {
		v = 0
	}
	return p.code.Get(int(u), int(v))
}

// show draws codes on white cards on the desk, moved by a hand.
func show(list []laid, i int) Luma {
	s := scene{w: 1120, h: 640, seed: uint64(i)}
	l := s.desk()
	for k, p := range list {
		a := float64(i)/3 + float64(k)
		ox, oy := p.x+3*math.Sin(a), p.y+3*math.Cos(1.3*a)
		w, h := float64(p.code.GetWidth())*p.module, p.height()*p.module
		quiet := 4 * p.module
		for y := max(int(oy-quiet), 0); y < min(int(oy+h+quiet), l.H); y++ {
			for x := max(int(ox-quiet), 0); x < min(int(ox+w+quiet), l.W); x++ {
				l.Pix[y*l.Stride+x] = 215
				if p.dark((float64(x)-ox)/p.module, (float64(y)-oy)/p.module) {
					l.Pix[y*l.Stride+x] = 40
				}
			}
		}
	}
	s.noise = 4
	s.disturb(l)
	return l
}

// TestReadBeside holds that a pass is read soon after it comes into view,
// whatever other codes the reader follows already.
func TestReadBeside(t *testing.T) {
	text := "RDB1BNK2UMMFZJVQ4YQ7EC4PBC2T5SDBGHAAA7WBWYDUZ"
	pass := payload(180)
	c, err := qr.Encode(string(pass), qr.M, qr.Unicode)
	passQR := laid{code: modules(t, c, err), x: 700, y: 300, module: 4.2}
	c, err = datamatrix.Encode(text)
	passDM := laid{code: modules(t, c, err), x: 700, y: 300, module: 6}
	c, err = qr.Encode("https://example.org/parcel/12345", qr.M, qr.Unicode)
	link := laid{code: modules(t, c, err), x: 150, y: 60, module: 6}
	c, err = datamatrix.Encode("PARCEL 00340434161094042557")
	parcel := laid{code: modules(t, c, err), x: 480, y: 60, module: 8}
	c, err = aztec.Encode([]byte("TICKET 4711 12 2026"), 33, 0)
	ticket := laid{code: modules(t, c, err), x: 150, y: 360, module: 9}
	l, err := ean.Encode("5901234123457")
	bars := laid{code: modules(t, l, err), x: 760, y: 80, module: 3, tall: 40}

	for name, k := range map[string]struct {
		others []laid
		pass   laid
		want   []byte
	}{
		"QR beside a QR":                    {[]laid{link}, passQR, pass},
		"QR beside a DataMatrix and bars":   {[]laid{parcel, bars}, passQR, pass},
		"QR beside an Aztec":                {[]laid{ticket}, passQR, pass},
		"QR beside all":                     {[]laid{link, parcel, ticket, bars}, passQR, pass},
		"DataMatrix beside a QR and bars":   {[]laid{link, bars}, passDM, []byte(text)},
		"DataMatrix beside QR, Aztec, bars": {[]laid{link, ticket, bars}, passDM, []byte(text)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := NewReader()
			var clock time.Time
			r.now = func() time.Time { clock = clock.Add(time.Millisecond); return clock }
			seen := map[string]int{}
			const before, after = 6, 10
			for i := range before + after {
				list := k.others
				if i >= before {
					list = append(list[:len(list):len(list)], k.pass)
				}
				frame := show(list, i)
				for _, s := range r.Read(frame, 28*time.Millisecond) {
					if seen[string(s.Payload)]++; bytes.Equal(s.Payload, k.want) {
						return
					}
				}
			}
			t.Errorf("the pass was not read in %d frames: %v", after, seen)
		})
	}
}
