package symbol

import (
	"bytes"
	"image/color"
	"math"
	"slices"
	"testing"

	"github.com/boombuler/barcode/datamatrix"
	"github.com/boombuler/barcode/qr"
)

// TestShape holds what a size tells against symbols that another code base
// drew.
func TestShape(t *testing.T) {
	seen := map[int]bool{}
	for size := 1; size < 1000; size += 6 {
		code, err := qr.Encode(string(payload(size)), qr.M, qr.Unicode)
		if err != nil {
			t.Fatal(err)
		}
		n := code.Bounds().Dx()
		if seen[n] || n > largest {
			continue
		}
		seen[n] = true
		sh := newShape(n)
		for _, k := range append(sh.known, sh.telling...) {
			if k.x < 0 || k.y < 0 || k.x >= n || k.y >= n {
				if k.dark {
					t.Errorf("%d modules: the quiet zone is dark at %d, %d", n, k.x, k.y)
				}
				continue
			}
			if got := code.At(k.x, k.y) == color.Black; got != k.dark {
				t.Errorf("%d modules: dark %v at %d, %d, want %v", n, k.dark, k.x, k.y, got)
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d sizes were drawn", len(seen))
	}
}

// TestMatrixShape does the same for DataMatrix.
func TestMatrixShape(t *testing.T) {
	seen := map[int]bool{}
	for n := 1; n < 700; n += 3 {
		text := bytes.Repeat([]byte("A7"), n)[:n]
		code, err := datamatrix.Encode(string(text))
		if err != nil {
			t.Fatal(err)
		}
		n := code.Bounds().Dx()
		if seen[n] || n != code.Bounds().Dy() || !slices.Contains(matrixSizes(), n) {
			continue
		}
		seen[n] = true
		for _, k := range newMatrixShape(n).known {
			inside := k.x >= 0 && k.y >= 0 && k.x < n && k.y < n
			if got := inside && code.At(k.x, k.y) == color.Black; got != k.dark {
				t.Errorf("%d modules: dark %v at %d, %d, want %v", n, got, k.x, k.y, k.dark)
			}
		}
	}
	if len(seen) < 12 {
		t.Errorf("only %d sizes were drawn", len(seen))
	}
}

func TestFitPlane(t *testing.T) {
	want := plane{3.8, -0.4, 500, 0.3, 4.1, 200, 0.0004, -0.0002, 1}
	var pairs []pair
	for _, m := range [][2]float64{{3.5, 3.5}, {57.5, 3.5}, {3.5, 57.5}, {54.5, 54.5}, {30.5, 30.5}} {
		x, y := want.at(m[0], m[1])
		pairs = append(pairs, pair{m[0], m[1], x, y})
		if len(pairs) < 3 {
			continue
		}
		got, ok := fitPlane(pairs)
		if !ok {
			t.Fatalf("no plane through %d points", len(pairs))
		}
		for _, p := range pairs {
			if x, y := got.at(p.mx, p.my); max(x-p.px, p.px-x, y-p.py, p.py-y) > 0.01 {
				t.Errorf("of %d points: %v, %v, want %v, %v", len(pairs), x, y, p.px, p.py)
			}
		}
	}
	if p, ok := fitPlane([]pair{{1, 1, 5, 5}, {1, 1, 5, 5}, {1, 1, 5, 5}}); ok {
		if x, _ := p.at(1, 1); x != x {
			t.Error("a plane that is no number")
		}
	}
}

// TestGreyAnywhere holds that no plane leads out of the frame.
func TestGreyAnywhere(t *testing.T) {
	l := Luma{Pix: bytes.Repeat([]byte{7}, 16*16), Stride: 16, W: 16, H: 16}
	inf := math.Inf(1)
	for _, v := range []float64{-inf, -1e300, -1, 0, 0.5, 15.99, 16, 1e300, inf, math.NaN()} {
		for _, u := range []float64{-inf, 0, 15.99, 1e300, inf, math.NaN()} {
			if got := l.grey(v, u); got != 7 && got != 0 {
				t.Errorf("%v at %v, %v", got, v, u)
			}
		}
	}
}
