//go:build cgo

package vision

import (
	"errors"
	"testing"
)

func TestRawFrame(t *testing.T) {
	pix := make([]byte, 3*32*24)
	pix[0], pix[1], pix[2] = 255, 0, 0 // blue
	f, err := RawFrame(32, 24, pix)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	clear(pix)
	if w, h := f.Size(); w != 32 || h != 24 {
		t.Errorf("%dx%d", w, h)
	}
	grey, err := f.Luma()
	if err != nil || grey[0] < 25 || grey[0] > 33 || grey[1] != 0 {
		t.Errorf("first pixels %v, %v: not a copy, or not blue first", grey[:2], err)
	}
	for _, c := range []struct{ w, h, n int }{{32, 24, 5}, {0, 0, 0}, {-32, -24, 3 * 32 * 24}, {8, 96, 3 * 32 * 24}, {1 << 20, 1, 3 << 20}} {
		if f, err := RawFrame(c.w, c.h, make([]byte, c.n)); !errors.Is(err, ErrImage) {
			t.Errorf("%+v: %v, %v; want ErrImage", c, f, err)
		}
	}
}
