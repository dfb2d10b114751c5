package stream

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"testing"
	"time"

	"bordergate/barcode/symbol"
)

func TestOfficeVerifiesItsOwn(t *testing.T) {
	one, err := newOffice(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	other, err := newOffice(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	payload, err := one.issue("B0000007")
	if err != nil {
		t.Fatal(err)
	}
	if number, err := one.verify(payload); err != nil || number != "B0000007" {
		t.Errorf("number %q, %v", number, err)
	}
	if _, err := other.verify(payload); !errors.Is(err, errPass) {
		t.Errorf("another office verified it: %v", err)
	}
	if _, err := one.verify([]byte("https://example.org")); !errors.Is(err, errPass) {
		t.Errorf("a foreign code was verified: %v", err)
	}
}

// TestClip holds that the drawer knows when a pass is held: then it can be
// read, and a seed tells every byte.
func TestClip(t *testing.T) {
	office, err := newOffice(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	payload, err := office.issue("B0000007")
	if err != nil {
		t.Fatal(err)
	}
	draw := func(w, h int, seed uint64) *Clip {
		c, err := newPainter(w, h).clip(payload, seed)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := draw(800, 450, 1)
	if len(c.In) != framesIn || len(c.Held) != framesHeld {
		t.Fatalf("%d frames in and %d held", len(c.In), len(c.Held))
	}
	read := 0
	for _, b := range c.Held {
		img, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		y := img.(*image.YCbCr)
		for _, s := range symbol.NewReader().Read(symbol.Luma{Pix: y.Y, Stride: y.YStride, W: 800, H: 450}, time.Hour) {
			if bytes.Equal(s.Payload, payload) {
				read++
			}
		}
	}
	if read < framesHeld/2 {
		t.Errorf("%d of %d held frames were read", read, framesHeld)
	}
	one, again, other := draw(160, 90, 1), draw(160, 90, 1), draw(160, 90, 2)
	if !bytes.Equal(one.Held[0], again.Held[0]) || !bytes.Equal(one.In[0], again.In[0]) {
		t.Error("one seed drew two clips")
	}
	if bytes.Equal(one.Held[0], other.Held[0]) {
		t.Error("two seeds drew one clip")
	}
}

// TestCamera plays a clip over HTTP: idle, in, held to and fro, and notes when
// the first held frame was sent.
func TestCamera(t *testing.T) {
	c, err := newCamera([][]byte{[]byte("i")})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.serve(t.Context()) }()
	t.Cleanup(func() { <-done })
	res, err := http.Get(c.url())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	parts := multipart.NewReader(res.Body, "gatebenchframe")
	next := func() byte {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil || len(b) != 1 {
			t.Fatalf("frame %q, %v", b, err)
		}
		return b[0]
	}
	if got := next(); got != 'i' || len(c.sent()) != 0 {
		t.Errorf("first frame %c, held at %d", got, c.sent())
	}
	before := now()
	c.show(&Clip{In: [][]byte{[]byte("a"), []byte("b")}, Held: [][]byte{[]byte("x"), []byte("y"), []byte("z")}})
	var got []byte
	for len(got) < 8 {
		if f := next(); f != 'i' || len(got) > 0 {
			got = append(got, f)
		}
	}
	if string(got) != "abxyzyxy" {
		t.Errorf("showed %s", got)
	}
	if at := c.sent(); len(at) < 6 || at[0] < before || at[5] > now() || !slices.IsSorted(at) {
		t.Errorf("held at %d, between %d and %d", at, before, now())
	}
	if _, err := newCamera(nil); err == nil {
		t.Error("a camera with nothing to show was opened")
	}
}
