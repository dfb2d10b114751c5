package scene

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"testing"
	"time"

	"bordergate/barcode/symbol"
)

func passSymbol(t *testing.T, payload []byte) Symbol {
	t.Helper()
	img, err := symbol.EncodeQR(payload, 1)
	if err != nil {
		t.Fatal(err)
	}
	return SymbolOf(img)
}

func testPayload(n int) []byte {
	r := rand.New(rand.NewPCG(7, 7))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// read says whether a frame's pass can be read, as the gate reads it.
func read(t *testing.T, f Frame, want []byte) bool {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(f.JPEG))
	if err != nil {
		t.Fatal(err)
	}
	y := img.(*image.YCbCr)
	if y.Rect.Dx() != Width || y.Rect.Dy() != Height {
		t.Fatalf("frame is %v", y.Rect)
	}
	l := symbol.Luma{Pix: y.Y, Stride: y.YStride, W: Width, H: Height}
	for _, s := range symbol.NewReader().Read(l, time.Second) {
		if bytes.Equal(s.Payload, want) {
			return true
		}
	}
	return false
}

func TestPassClipTruth(t *testing.T) {
	payload := testPayload(260)
	sym := passSymbol(t, payload)
	desk := NewDesk()
	for _, c := range []struct {
		name   string
		fumble Fumble
		damage Damage
		early  int
		reads  bool
	}{
		{"held at once", NoFumble, Whole, 0, true},
		{"upside down", UpsideDown, Whole, 0, true},
		{"back first", BackFirst, Whole, 2, true},
		{"too far first", TooFar, Whole, 2, true},
		{"ruined", NoFumble, Ruined, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			clip, err := desk.Clip(PassOptions{Seed: 11, Symbol: sym, Words: []string{"BORDER PASS"}, Damage: c.damage, Fumble: c.fumble, FumbleFrames: 2, Hold: 3})
			if err != nil {
				t.Fatal(err)
			}
			if len(clip.Fumble) != c.early || len(clip.Hold) != 3 {
				t.Fatalf("%d frames of fumble, %d of hold", len(clip.Fumble), len(clip.Hold))
			}
			for i, f := range clip.Fumble {
				if !f.Truth.InView || f.Truth.Usable || read(t, f, payload) {
					t.Errorf("fumble frame %d: truth %+v, or it can be read", i, f.Truth)
				}
			}
			for i, f := range clip.Hold {
				if got := read(t, f, payload); got != c.reads || f.Truth.Usable != c.reads {
					t.Errorf("hold frame %d: read %v, truth %+v", i, got, f.Truth)
				}
			}
		})
	}
}

// What is said to be too far must be so for a good reader too, or the times
// measured from the first readable frame are wrong.
func TestTooFarIsTooFarHoweverHeld(t *testing.T) {
	payload := testPayload(260)
	sym := passSymbol(t, payload)
	desk := NewDesk()
	for seed := range uint64(8) {
		clip, err := desk.Clip(PassOptions{Seed: seed, Symbol: sym, Words: []string{"BORDER PASS"}, Fumble: TooFar, FumbleFrames: 2, Hold: 1})
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range clip.Fumble {
			if read(t, f, payload) {
				t.Errorf("seed %d, frame %d can be read", seed, i)
			}
		}
	}
}

// portrait is a drawn stand-in for a photograph, skin on grey.
func portrait() (image.Image, Face) {
	img := image.NewRGBA(image.Rect(0, 0, 250, 250))
	for y := range 250 {
		for x := range 250 {
			c := color.RGBA{90, 90, 90, 255}
			if ellipse(float64(x), float64(y), 125, 125, 45, 65) < 1 {
				c = color.RGBA{200, 150, 120, 255}
			}
			img.Set(x, y, c)
		}
	}
	return img, Face{Box: Box{82, 62, 168, 192}, Eyes: [2][2]float64{{104, 112}, {146, 112}}}
}

func TestFaceClipTruthAndRepeatability(t *testing.T) {
	img, f := portrait()
	st := NewStudio()
	o := FaceOptions{Seed: 3, Enter: 3, Look: 2, Turn: TurnSame, LooksAway: true, LookAway: 1}
	a, err := st.Clip(img, f, o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewStudio().Clip(img, f, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Enter) != 3 || len(a.Look) != 2 {
		t.Fatalf("%d and %d frames", len(a.Enter), len(a.Look))
	}
	for i := range a.Enter {
		if a.Enter[i].Truth.Usable || !bytes.Equal(a.Enter[i].JPEG, b.Enter[i].JPEG) {
			t.Errorf("frame %d on the way in is usable, or not the same twice", i)
		}
	}
	for i := range a.Look {
		if !a.Look[i].Truth.Usable || !bytes.Equal(a.Look[i].JPEG, b.Look[i].JPEG) {
			t.Errorf("frame %d is not usable, or not the same twice", i)
		}
	}
	o.Seed++
	if c, err := st.Clip(img, f, o); err != nil || bytes.Equal(c.Look[0].JPEG, a.Look[0].JPEG) {
		t.Errorf("another seed gives the same frame (%v)", err)
	}
}

// The faces of other people must not be in the cut-out.
func TestCutHeadLeavesOthersOut(t *testing.T) {
	_, f := portrait()
	f.Others = []Box{{190, 70, 240, 150}}
	img := image.NewRGBA(image.Rect(0, 0, 250, 250))
	hd := cutHead(img, f)
	up := newUpright(f)
	up.ox, up.oy = hd.ox, hd.oy
	m := mask{face: up.box(f.Box), others: []Box{up.box(f.Others[0])}}
	o := m.others[0]
	if a := m.at((o.X1+o.X2)/2, (o.Y1+o.Y2)/2); a > 0.01 {
		t.Errorf("the other face's share is %.2f", a)
	}
	if a := m.at(hd.fx, hd.fy); a < 0.99 {
		t.Errorf("the own face's share is %.2f", a)
	}
}

func TestHomographyInverts(t *testing.T) {
	h := held{x: 640, y: 360, scale: 0.75, roll: 0.2, tiltX: 0.1, tiltY: -0.2}
	m := toCard(h)
	k := 1 / m[8]
	if x, y := m[2]*k, m[5]*k; x > 1e-6 || x < -1e-6 || y > 1e-6 || y < -1e-6 {
		t.Errorf("the picture's middle is the card's (%g, %g)", x, y)
	}
}
