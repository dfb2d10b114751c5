//go:build cgo

package vision

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"bordergate/biometrics/onnxtest"

	"gocv.io/x/gocv"
)

// stranger is a recogniser that this package has never seen: 48 values, 96 pixels, RGB, its own means, its own points.
func stranger() Recogniser {
	r := Recogniser{Width: 96, Height: 96, Scale: 0.5, Mean: [3]float64{10, 20, 30}, SwapRB: true, Output: onnxtest.Mean, Dim: onnxtest.Values(3, 4)}
	for i, p := range template {
		r.Template[i] = Point{p.X*96/112 + 2, p.Y * 96 / 112}
	}
	return r
}

// withStranger puts it in the place of the shipped recogniser.
func withStranger(tb testing.TB, r Recogniser) []Model {
	tb.Helper()
	channels := 3
	if r.Grey {
		channels = 1
	}
	b := onnxtest.Pool(channels, 4, 24)
	file, sum := filepath.Join(tb.TempDir(), "pool.onnx"), sha256.Sum256(b)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		tb.Fatal(err)
	}
	list := models(tb)
	for i := range list {
		if list[i].Name == ModelFeature {
			list[i] = Model{Name: ModelFeature, Path: file, SHA256: hex.EncodeToString(sum[:]), Recogniser: &r}
		}
	}
	return list
}

// TestAnotherRecogniser holds the input to what its description says: the colour of a plain picture comes back in each cell, less its
// channel's mean, in the order of colours asked for.
func TestAnotherRecogniser(t *testing.T) {
	const blue, green, red = 200, 120, 4
	for name, c := range map[string]struct {
		change func(*Recogniser)
		want   [3]float64
	}{
		"rgb":         {func(*Recogniser) {}, [3]float64{(red - 10) * 0.5, (green - 20) * 0.5, (blue - 30) * 0.5}},
		"bgr":         {func(r *Recogniser) { r.SwapRB = false }, [3]float64{(blue - 10) * 0.5, (green - 20) * 0.5, (red - 30) * 0.5}},
		"grey":        {func(r *Recogniser) { r.Grey, r.SwapRB, r.Dim = true, false, onnxtest.Values(1, 4) }, [3]float64{(94 - 10) * 0.5}},
		"last output": {func(r *Recogniser) { r.Output = "" }, [3]float64{0, (green - 20) * 0.5, (blue - 30) * 0.5}},
	} {
		t.Run(name, func(t *testing.T) {
			r := stranger()
			c.change(&r)
			p, err := OpenPipeline(withStranger(t, r), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			plain := &Frame{mat: gocv.NewMatWithSizeFromScalar(gocv.NewScalar(blue, green, red, 0), 480, 640, gocv.MatTypeCV8UC3)}
			defer plain.Close()
			raw, err := p.embed(plain.mat, facing(300, 200, 2), gocv.Mat{})
			if err != nil || len(raw) != r.Dim {
				t.Fatal(len(raw), err)
			}
			for i, v := range raw {
				if math.Abs(float64(v)-c.want[i/16]) > 0.3 {
					t.Fatalf("value %d is %v, want %v", i, v, c.want[i/16])
				}
			}
		})
	}
}

// facing are the five points of a face in a picture, so many times as large as the template.
func facing(x, y, k float64) (p [5]Point) {
	for i, q := range template {
		p[i] = Point{x + k*q.X, y + k*q.Y}
	}
	return p
}

// TestQualityIsTheSameForEveryRecogniser : sharpness and exposure do not move when another model is put in.
func TestQualityIsTheSameForEveryRecogniser(t *testing.T) {
	path := dataPath(t, "pad", "live", "image_T1.jpg")
	one, _ := analyse(t, openTest(t), path)
	p, err := OpenPipeline(withStranger(t, stranger()), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	other, _ := analyse(t, p, path)
	if len(other.Raw) != 48 || other.Quality.Norm == one.Quality.Norm || other.Quality.Norm != norm(other.Raw) {
		t.Errorf("%d values of norm %.2f", len(other.Raw), other.Quality.Norm)
	}
	other.Quality.Norm = one.Quality.Norm
	if other.Quality != one.Quality {
		t.Errorf("quality %+v, with the shipped recogniser %+v", other.Quality, one.Quality)
	}
}

func TestRecogniserRefused(t *testing.T) {
	for name, change := range map[string]func(*Recogniser){
		"output":       func(r *Recogniser) { r.Output = "no such" },
		"dimension":    func(r *Recogniser) { r.Dim = 49 },
		"no dimension": func(r *Recogniser) { r.Dim = 0 },
		"size":         func(r *Recogniser) { r.Width = 1 << 20 },
		"scale":        func(r *Recogniser) { r.Scale = math.NaN() },
		"points":       func(r *Recogniser) { r.Template = [5]Point{} },
	} {
		r := stranger()
		change(&r)
		if p, err := OpenPipeline(withStranger(t, r), Options{}); !errors.Is(err, ErrModel) {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	list := models(t)
	for i := range list {
		list[i].Recogniser = nil
	}
	if p, err := OpenPipeline(list, Options{}); !errors.Is(err, ErrModel) {
		t.Errorf("no description: %v, %v", p, err)
	}
}
