package symbol

import (
	"bytes"
	"flag"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/aztec"
	"github.com/boombuler/barcode/datamatrix"
	"github.com/boombuler/barcode/qr"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/aztec/detector"
)

func modules(t *testing.T, code barcode.Barcode, err error) *gozxing.BitMatrix {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	w, h := code.Bounds().Dx(), code.Bounds().Dy()
	m, err := gozxing.NewBitMatrix(w, h)
	if err != nil {
		t.Fatal(err)
	}
	for y := range h {
		for x := range w {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				m.Set(x, y)
			}
		}
	}
	return m
}

// flip turns modules over that lie within a margin, each at most once.
func flip(m *gozxing.BitMatrix, n, margin int, r *rand.Rand) {
	done := map[[2]int]bool{}
	for len(done) < n {
		at := [2]int{margin + r.IntN(m.GetWidth()-2*margin), margin + r.IntN(m.GetHeight()-2*margin)}
		if !done[at] {
			done[at] = true
			m.Flip(at[0], at[1])
		}
	}
}

// TestProofOfModules holds what errors cost: a small symbol is read when hardly
// any is wrong and never at the end of its capacity, where a hundred thousand
// random grids have a reading; one of a pass's size is read at both.
func TestProofOfModules(t *testing.T) {
	rd := NewReader()
	readDM := func(m *gozxing.BitMatrix) ([]byte, bool) { return rd.readMatrix(m) }
	readQR := func(m *gozxing.BitMatrix) ([]byte, bool) { p, _, ok := rd.readQR(m); return p, ok }
	dm := func(text string) *gozxing.BitMatrix { c, err := datamatrix.Encode(text); return modules(t, c, err) }
	code := func(text string, l qr.ErrorCorrectionLevel) *gozxing.BitMatrix {
		c, err := qr.Encode(text, l, qr.Unicode)
		return modules(t, c, err)
	}
	long := string(payload(230))
	text := "RDB1BNK2UMMFZJVQ4YQ7EC4PBC2T5SDBGHAAA7WBWYDUZDSKCIOE3V6JEA"
	for _, c := range []struct {
		name        string
		m           func() *gozxing.BitMatrix
		read        func(*gozxing.BitMatrix) ([]byte, bool)
		want        string
		wrong, most int // modules that do no harm, and as many as to fail always
	}{
		{"smallest DataMatrix", func() *gozxing.BitMatrix { return dm("A7") }, readDM, "A7", 0, 2},
		{"DataMatrix", func() *gozxing.BitMatrix { return dm(text) }, readDM, text, 12, 200},
		{"smallest QR, L", func() *gozxing.BitMatrix { return code("A7B8", qr.L) }, readQR, "A7B8", 1, 4},
		{"QR of a pass", func() *gozxing.BitMatrix { return code(long, qr.M) }, readQR, long, 30, 900},
	} {
		r := rand.New(rand.NewPCG(5, 5))
		if got, ok := c.read(c.m()); !ok || string(got) != c.want {
			t.Errorf("%s: not read: %x", c.name, got)
		}
		for range 50 {
			m := c.m()
			flip(m, c.wrong, 9*min(1, m.GetWidth()/50)+1, r)
			if got, ok := c.read(m); ok && string(got) != c.want {
				t.Errorf("%s: %x with %d modules wrong", c.name, got, c.wrong)
			} else if !ok && c.wrong > 4 {
				t.Errorf("%s: not read with %d modules wrong", c.name, c.wrong)
			}
			m = c.m()
			flip(m, c.most, 1, r)
			if got, ok := c.read(m); ok && (c.most > 4 || string(got) != c.want) {
				t.Errorf("%s: %x with %d modules wrong", c.name, got, c.most)
			}
		}
	}
}

// TestProof holds the bound against counts made by hand.
func TestProof(t *testing.T) {
	var none, two, all proof
	none.block(8, 5, 8, 0, 0) // the smallest DataMatrix
	two.block(8, 5, 8, 2, 9)  // at its capacity
	all.block(8, 5, 8, 8, 32) // whatever lay there
	if none != 40 || none < sure {
		t.Errorf("no error: %v bits", none)
	}
	// 28 pairs of words, with any bits in them, and the fewer.
	if want := 40 - 16 - math.Log2(28*3); math.Abs(float64(two)-want) > 1e-6 || two >= sure {
		t.Errorf("two errors: %v bits, want %v", two, want)
	}
	if all > 0 {
		t.Errorf("chance proved %v bits", all)
	}
}

// TestEmptyPatterns holds that textures that are codewords are no symbols: a
// QR code's bare mask has no bytes in it, and neither has a DataMatrix of one
// colour.
func TestEmptyPatterns(t *testing.T) {
	rd := NewReader()
	c, err := qr.Encode("7", qr.M, qr.Numeric)
	m := modules(t, c, err)
	for y := 9; y < 12; y++ {
		for x := range 21 {
			if m.Get(x, y) {
				m.Flip(x, y)
			}
		}
	}
	if got, _, ok := rd.readQR(m); ok {
		t.Errorf("QR: %x", got)
	}
	for _, n := range matrixSizes() {
		for _, dark := range []bool{false, true} {
			m, err := gozxing.NewSquareBitMatrix(n)
			if err != nil {
				t.Fatal(err)
			}
			if dark {
				m.FlipAll()
			}
			if got, ok := rd.readMatrix(m); ok {
				t.Errorf("DataMatrix of %d modules, dark %v: %x", n, dark, got)
			}
		}
	}
}

// TestAztecBits holds our way through the layers against symbols that another
// code base drew, with and without the lines of the grid.
func TestAztecBits(t *testing.T) {
	for n := 4; n < 300; n += 23 {
		c, err := aztec.Encode(bytes.Repeat([]byte("A7"), n)[:n], 23, 0)
		m := modules(t, c, err)
		black, err := gozxing.NewSquareBitMatrix(6 * (m.GetWidth() + 4))
		if err != nil {
			t.Fatal(err)
		}
		for y := range m.GetHeight() {
			for x := range m.GetWidth() {
				if m.Get(x, y) {
					if err := black.SetRegion(12+6*x, 12+6*y, 6, 6); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		found, err := detector.NewDetector(black).Detect(false)
		if err != nil {
			t.Fatal(err)
		}
		if p := aztecProof(found); p < sure {
			t.Errorf("%d letters, %d layers: %v bits", n, found.GetNbLayers(), p)
		}
	}
}

// sessions may be raised to thousands for a campaign.
var sessions = flag.Int("sessions", 4, "sessions of each kind in TestReadNothingPrinted")

// TestReadNothingPrinted shows what has no symbol to read for as long as a
// session lasts: ruined labels, noise, print and bars. Whatever is read was
// never printed.
func TestReadNothingPrinted(t *testing.T) {
	const frames = 10
	for kind, s := range map[string]scene{
		"ruined": {module: 3.2, noise: 5, ruined: true},
		"torn":   {module: 2.2, noise: 15, blur: 1, ruined: true},
		"noise":  {module: 0.01, noise: 60},
		"bars":   {module: 2, roll: 3, noise: 5, bars: true},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for session := range *sessions {
				r := NewReader()
				var clock time.Time
				r.now = func() time.Time { clock = clock.Add(time.Millisecond); return clock }
				for i := range frames {
					s := s
					s.w, s.h, s.seed = 208, 192, uint64(session)<<8+uint64(i)
					s.x, s.y, s.roll = 104+float64(i%3), 96, s.roll+float64(session)
					s.damage = uint64(session)
					frame, _ := s.draw(t, payload(90))
					for _, got := range r.Read(frame, 20*time.Millisecond) {
						t.Errorf("session %d, frame %d: %s %x", session, i, got.Symbology, got.Payload)
					}
				}
			}
		})
	}
}
