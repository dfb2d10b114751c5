package symbol

import (
	"bytes"
	"errors"
	"image/color"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/aztec"
	"github.com/boombuler/barcode/datamatrix"
)

const long = time.Hour // a budget that allows every retry

func TestReadScenes(t *testing.T) {
	base := scene{module: 4, seed: 1}
	cases := map[string]func(*scene){
		"plain":          func(*scene) {},
		"three pixels":   func(s *scene) { s.module = 3 },
		"two pixels":     func(s *scene) { s.module = 2 },
		"six pixels":     func(s *scene) { s.module = 6 },
		"fifteen":        func(s *scene) { s.roll = 15 },
		"askew":          func(s *scene) { s.roll = 45 },
		"upside down":    func(s *scene) { s.roll = 187 },
		"tilted":         func(s *scene) { s.tilt = 25 },
		"tilted, rolled": func(s *scene) { s.tilt, s.roll, s.module = -20, 98, 3.5 },
		"in a corner":    func(s *scene) { s.x, s.y = 200, 560 },
		"noisy":          func(s *scene) { s.noise = 15 },
		"blurred":        func(s *scene) { s.blur = 1 },
		"out of focus":   func(s *scene) { s.blur = 2 },
		"grainy":         func(s *scene) { s.noise = 40 },
		"tiny":           func(s *scene) { s.module = 1.5 },
		"faint":          func(s *scene) { s.contrast = 0.12 },
		"inverted":       func(s *scene) { s.invert = true },
		"full HD":        func(s *scene) { s.w, s.h, s.module = 1920, 1080, 6 },
	}
	want := payload(230)
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := base
			change(&s)
			frame, corners := s.draw(t, want)
			got := NewReader().Read(frame, long)
			if len(got) != 1 {
				t.Fatalf("found %d symbols", len(got))
			}
			if got[0].Symbology != QR || !bytes.Equal(got[0].Payload, want) {
				t.Errorf("payload %x, want %x", got[0].Payload, want)
			}
			for i, c := range got[0].Corners {
				if d := math.Hypot(float64(c[0])-corners[i][0], float64(c[1])-corners[i][1]); d > 2*s.module {
					t.Errorf("corner %d at %v, want %v", i, c, corners[i])
				}
			}
		})
	}
}

// TestReadHeld moves a tilted pass as a hand does: it must be read in one
// frame or the next, with hardly any budget.
func TestReadHeld(t *testing.T) {
	want := payload(230)
	r := NewReader()
	var clock time.Time
	r.now = func() time.Time { clock = clock.Add(time.Millisecond); return clock }
	missed, frames := 0, 60
	for i := range frames {
		a := float64(i) / 5
		s := scene{
			module: 4 + math.Sin(a/3), roll: 10*math.Sin(a) + float64(i%2)*180, tilt: 18 * math.Cos(a),
			x: 640 + 40*math.Sin(a*1.3), y: 360 + 30*math.Cos(a*1.1), noise: 6, seed: uint64(i),
		}
		frame, _ := s.draw(t, want)
		got := r.Read(frame, 2*time.Millisecond) // one treatment
		if len(got) == 0 {
			if missed++; missed > 1 {
				t.Fatalf("two frames in a row missed at %d: %+v", i, s)
			}
			continue
		}
		missed = 0
		if !bytes.Equal(got[0].Payload, want) {
			t.Fatalf("wrong payload in frame %d", i)
		}
	}
}

// TestReadTogether shows frames that cannot be read alone: their votes must add
// up, and must not when the frames are of different symbols.
func TestReadTogether(t *testing.T) {
	want := payload(230)
	read := func(frames int, other bool) (alone, together int) {
		r := NewReader()
		for i := range frames {
			p := want
			if other && i%2 == 1 {
				p = payload(231)
			}
			s := scene{module: 3, noise: 60, contrast: 0.4, seed: uint64(i), x: 640 + float64(i%3), w: 1280, h: 720, y: 360}
			frame, _ := s.draw(t, p)
			if len(NewReader().Read(frame, long)) > 0 {
				alone++
			}
			for _, got := range r.Read(frame, long) {
				if !bytes.Equal(got.Payload, p) {
					t.Fatalf("frame %d: wrong payload", i)
				}
				together++
			}
		}
		return alone, together
	}
	if alone, together := read(8, false); together <= alone {
		t.Errorf("%d frames read together, %d alone", together, alone)
	}
	read(8, true)
}

// TestReadSeveral shows two passes at once.
func TestReadSeveral(t *testing.T) {
	one, two := payload(120), payload(121)
	left, _ := scene{module: 4, x: 330, y: 360, seed: 1}.draw(t, one)
	right, _ := scene{module: 4, x: 950, y: 360, seed: 1}.draw(t, two)
	for y := range left.H {
		copy(left.Pix[y*left.Stride+640:(y+1)*left.Stride], right.Pix[y*right.Stride+640:])
	}
	got := NewReader().Read(left, long)
	if len(got) != 2 {
		t.Fatalf("found %d symbols", len(got))
	}
	if bytes.Equal(got[0].Payload, two) {
		got[0], got[1] = got[1], got[0]
	}
	if !bytes.Equal(got[0].Payload, one) || !bytes.Equal(got[1].Payload, two) {
		t.Error("wrong payloads")
	}
}

// TestReadOthers reads the other symbologies, larger than QR codes need be.
func TestReadOthers(t *testing.T) {
	text := []byte("RDB1BNK2UMMFZJVQ4YQ7EC4PBC2T5SDBGHAAA7WBWYDUZDSKCIOE3V6JEA")
	dm, err := datamatrix.Encode(string(text))
	if err != nil {
		t.Fatal(err)
	}
	az, err := aztec.Encode(text, 23, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, code := range map[string]barcode.Barcode{DataMatrix: dm, Aztec: az} {
		n := code.Bounds().Dx()
		const module = 7
		l := Luma{Pix: bytes.Repeat([]byte{200}, 640*480), Stride: 640, W: 640, H: 480}
		for y := range n * module {
			for x := range n * module {
				if code.At(x/module, y/module) == color.Black {
					l.Pix[(y+80)*640+x+190] = 40
				}
			}
		}
		got := NewReader().Read(l, long)
		if len(got) != 1 || got[0].Symbology != name || !bytes.Equal(got[0].Payload, text) {
			t.Errorf("%s: %d symbols: %v", name, len(got), got)
		}
	}
}

func TestReadNothing(t *testing.T) {
	s := scene{w: 1280, h: 720, seed: 3}
	r := NewReader()
	for _, l := range []Luma{
		s.desk(),
		{Pix: make([]byte, 64*64), Stride: 64, W: 64, H: 64},
		{},
		{Pix: make([]byte, 100), Stride: 64, W: 64, H: 64},
		{Pix: make([]byte, 64*64), Stride: 32, W: 64, H: 64},
		{Pix: make([]byte, 64*64), Stride: 64, W: -64, H: -64},
		{Pix: make([]byte, 9000*16), Stride: 9000, W: 9000, H: 16},
	} {
		if got := r.Read(l, long); got != nil {
			t.Errorf("found %d symbols in a frame of %dx%d without one", len(got), l.W, l.H)
		}
	}
}

// TestReadStride reads from a frame whose rows are longer than its width and
// whose last row ends early.
func TestReadStride(t *testing.T) {
	want := payload(120)
	tight, _ := scene{module: 4, w: 640, h: 480}.draw(t, want)
	l := Luma{Pix: make([]byte, 700*480), Stride: 700, W: 640, H: 480}
	for y := range 480 {
		copy(l.Pix[y*700:], tight.Pix[y*640:(y+1)*640])
	}
	l.Pix = l.Pix[:700*479+640]
	before := bytes.Clone(l.Pix)
	got := NewReader().Read(l, long)
	if len(got) != 1 || !bytes.Equal(got[0].Payload, want) {
		t.Errorf("not read: %d symbols", len(got))
	}
	if !bytes.Equal(before, l.Pix) {
		t.Error("frame was changed")
	}
}

// TestBudget counts the treatments that are begun, on a clock of its own.
func TestBudget(t *testing.T) {
	frame, _ := scene{module: 4, invert: true, seed: 1}.draw(t, payload(230))
	r := NewReader()
	var clock time.Time
	r.now = func() time.Time { clock = clock.Add(time.Millisecond); return clock }
	if got := r.Read(frame, 0); got != nil {
		t.Fatal("an inverted symbol was read without a retry")
	}
	// Each later frame goes on with the next retry, so that the inversion
	// comes in turn even though a frame has time for one only.
	for range maxFind * len(stages()) {
		if got := r.Read(frame, 3*time.Millisecond); got != nil {
			return
		}
	}
	t.Error("the retries did not come in turn")
}

func TestEncodeQR(t *testing.T) {
	for _, n := range []int{1, 180, 300, 450} {
		want := payload(n)
		img, err := EncodeQR(want, 3)
		if err != nil {
			t.Fatal(err)
		}
		if side := img.Rect.Dx(); side%3 != 0 || img.Rect.Dy() != side {
			t.Errorf("label of %d bytes is %v", n, img.Rect)
		}
		for i := range QuietZone * 3 * img.Stride {
			if img.Pix[i] != 0xFF || img.Pix[len(img.Pix)-1-i] != 0xFF {
				t.Fatal("quiet zone is not white")
			}
		}
		got := NewReader().Read(grayLuma(img), long)
		if len(got) != 1 || !bytes.Equal(got[0].Payload, want) {
			t.Errorf("label of %d bytes not read back", n)
		}
	}
	for name, encode := range map[string]func() error{
		"empty":    func() error { _, err := EncodeQR(nil, 3); return err },
		"too long": func() error { _, err := EncodeQR(payload(451), 3); return err },
		"no pixel": func() error { _, err := EncodeQR(payload(9), 0); return err },
		"huge":     func() error { _, err := EncodeQR(payload(9), MaxModule+1); return err },
	} {
		if err := encode(); !errors.Is(err, ErrPayload) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzRead gives the reader frames of any content and shape.
func FuzzRead(f *testing.F) {
	label, err := EncodeQR(payload(20), 2)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(label.Pix, label.Rect.Dx(), label.Stride)
	f.Add(make([]byte, 4096), 64, 64)
	f.Add([]byte{1, 2, 3}, 1, 1)
	f.Fuzz(func(t *testing.T, pix []byte, w, stride int) {
		if stride < 1 || len(pix) > 1<<16 {
			return
		}
		l := Luma{Pix: pix, Stride: stride, W: w, H: len(pix) / stride}
		for _, s := range NewReader().Read(l, long) {
			if s.Symbology == "" {
				t.Error("a symbol without a symbology")
			}
		}
	})
}

// BenchmarkRead is one frame of a pass held in view, of an empty desk, and of a
// pass that no retry can read.
func BenchmarkRead(b *testing.B) {
	for name, s := range map[string]scene{
		"held":   {module: 4, roll: 12, tilt: 15, noise: 6, seed: 1},
		"far":    {module: 2, roll: 12, noise: 6, seed: 1},
		"beyond": {module: 1.2, roll: 12, noise: 6, seed: 1},
	} {
		frame, _ := s.draw(b, payload(230))
		b.Run(name, func(b *testing.B) {
			r := NewReader()
			for b.Loop() {
				r.Read(frame, 15*time.Millisecond)
			}
		})
	}
	first, _ := scene{module: 4, roll: 12, tilt: 15, noise: 6, seed: 1}.draw(b, payload(230))
	b.Run("first sight", func(b *testing.B) {
		r := NewReader()
		for b.Loop() {
			r.Forget()
			r.Read(first, 15*time.Millisecond)
		}
	})
	desk := scene{w: 1280, h: 720}.desk()
	b.Run("empty", func(b *testing.B) {
		r := NewReader()
		for b.Loop() {
			r.Read(desk, 15*time.Millisecond)
		}
	})
}

// BenchmarkMemory tells how much more is held after the reads than after the
// first ones; run it with -benchtime=20000x.
func BenchmarkMemory(b *testing.B) {
	var frames []Luma
	for i := range 4 {
		s := scene{module: 3 + float64(i), roll: 11 * float64(i), noise: 6, blur: float64(i % 2), seed: uint64(i), w: 640, h: 480}
		frame, _ := s.draw(b, payload(120+i))
		frames = append(frames, frame)
	}
	frames = append(frames, scene{w: 640, h: 480}.desk())
	r := NewReader()
	held := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for i := range 100 {
		r.Read(frames[i%len(frames)], 15*time.Millisecond)
	}
	before := held()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		r.Read(frames[i%len(frames)], 15*time.Millisecond)
		i++
	}
	b.ReportMetric((held()-before)/1024, "KiB-more")
	runtime.KeepAlive(r)
}
