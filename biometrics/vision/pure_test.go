package vision

import (
	"errors"
	"image"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bordergate/biometrics/onnxtest"
)

func TestFitRecoversASimilarity(t *testing.T) {
	want := similarity{A: 0.4 * math.Cos(0.3), B: 0.4 * math.Sin(0.3), TX: -12, TY: 31}
	var points [5]Point
	for i, p := range template {
		points[i] = want.back(p)
	}
	got, err := fit(points, template)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []float64{got.A - want.A, got.B - want.B, got.TX - want.TX, got.TY - want.TY} {
		if math.Abs(d) > 1e-9 {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
	moved := got.shifted(100, 50)
	p, q := got.back(template[2]), moved.back(template[2])
	if math.Abs(p.X-q.X-100) > 1e-9 || math.Abs(p.Y-q.Y-50) > 1e-9 {
		t.Errorf("shifted: %v and %v", p, q)
	}
}

func TestFitRefuses(t *testing.T) {
	nan := template
	nan[3].X = math.NaN()
	for name, p := range map[string][5]Point{"one spot": {}, "not a number": nan} {
		if _, err := fit(p, template); !errors.Is(err, ErrImage) {
			t.Errorf("%s: %v, want ErrImage", name, err)
		}
	}
}

func TestPose(t *testing.T) {
	var q Quality
	pose(&q, template)
	if math.Abs(q.EyeDistance-35.24) > 0.01 || math.Abs(q.Roll) > 1 || math.Abs(q.NoseOffset) > 0.02 || math.Abs(q.NoseDrop-0.573) > 0.01 {
		t.Errorf("template: %+v", q)
	}
	turned := template
	turned[2].X += 0.3 * 35.24
	pose(&q, turned)
	if math.Abs(q.NoseOffset-0.3) > 0.02 {
		t.Errorf("turned: offset %.3f, want 0.3", q.NoseOffset)
	}
	// Rolling the head changes nothing but the roll.
	roll := similarity{A: math.Cos(0.35), B: math.Sin(0.35)}
	var rolled [5]Point
	for i, p := range turned {
		rolled[i] = Point{roll.A*p.X - roll.B*p.Y, roll.B*p.X + roll.A*p.Y}
	}
	before := q
	pose(&q, rolled)
	if math.Abs(q.NoseOffset-before.NoseOffset) > 1e-9 || math.Abs(q.Roll-before.Roll-0.35*180/math.Pi) > 1e-6 {
		t.Errorf("rolled: %+v", q)
	}
	pose(&q, [5]Point{})
}

func TestSuppress(t *testing.T) {
	got := suppress([]Detection{
		{Box{100, 100, 50, 50}, 0.8}, {Box{102, 101, 50, 50}, 0.9}, {Box{300, 100, 40, 40}, 0.75}, {Box{140, 100, 50, 50}, 0.7},
	}, 0.4)
	if len(got) != 3 || got[0].Score != 0.9 || got[1].Score != 0.75 || got[2].Score != 0.7 {
		t.Errorf("kept %+v", got)
	}
	if suppress(nil, 0.4) != nil {
		t.Error("something out of nothing")
	}
}

func TestChoice(t *testing.T) {
	d := []Detection{{Box: Box{0, 0, 90, 90}}, {Box: Box{140, 140, 30, 30}}, {Box: Box{200, 0, 60, 60}}}
	if Largest(d) != 0 || NearestCentre(d, 300, 300) != 1 || Largest(nil) != -1 || NearestCentre(nil, 1, 1) != -1 {
		t.Error("wrong face chosen")
	}
	if s := Second(d, 0); math.Abs(s-60.0/90) > 1e-9 {
		t.Errorf("second %v", s)
	}
	if Second(d[:1], 0) != 0 || Second(nil, -1) != 0 {
		t.Error("a second face where there is none")
	}
}

func TestCropsStayInside(t *testing.T) {
	frame := image.Rect(0, 0, 640, 480)
	for name, b := range map[string]Box{
		"middle": {270, 190, 100, 120}, "corner": {-20, -30, 100, 120}, "far corner": {600, 430, 100, 120}, "large": {10, 10, 600, 460}, "nothing": {},
	} {
		if r := contextCrop(b, 640, 480, 2.7); !r.In(frame) {
			t.Errorf("%s: context crop %v", name, r)
		}
		if r := edgeRegion(b, 640, 480); !r.In(frame) {
			t.Errorf("%s: edge region %v", name, r)
		}
		if r := squareCrop(b, 1.5); r.Dx() != r.Dy() {
			t.Errorf("%s: square %v", name, r)
		}
	}
	if r := contextCrop(Box{270, 190, 100, 120}, 640, 480, 2.7); r.Dx() < 268 || r.Dx() > 272 || r.Dy() < 322 || r.Dy() > 326 {
		t.Errorf("context crop %v, want 270 by 324", r)
	}
}

func TestLiveOdds(t *testing.T) {
	if z := liveOdds([]float32{1, 1, 1}); math.Abs(z+math.Log(2)) > 1e-6 {
		t.Errorf("even logits: %v", z)
	}
	if z := liveOdds([]float32{500, -500, -400}); math.IsInf(z, 0) || math.Abs(z-900) > 1e-3 {
		t.Errorf("far logits: %v", z)
	}
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "clip.webm")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]source{
		"http://127.0.0.1:8081/face": {kind: sourceMJPEG, path: "http://127.0.0.1:8081/face"},
		"rtsp://camera/stream":       {kind: sourceURL, path: "rtsp://camera/stream"},
		dir:                          {kind: sourceImages, path: filepath.Join(dir, "img_%04d.jpg")},
		dir + "/p_%03d.png":          {kind: sourceImages, path: dir + "/p_%03d.png"},
		file:                         {kind: sourceFile, path: file},
	} {
		if got, err := resolve(in); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "http://", "ftp://host/x", "concat://a", "file:///etc/passwd", dir + "/%s.jpg", dir + "/%d_%d.jpg", "/dev/null", "/dev/video9999999",
		"/dev/v4l/by-path/none", filepath.Join(dir, "none"),
	} {
		if got, err := resolve(in); !errors.Is(err, ErrCamera) {
			t.Errorf("%q: %+v, %v; want ErrCamera", in, got, err)
		}
	}
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{"http://h/x", "/dev/video0", "a/%04d.jpg", "", "rtsp://"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		src, err := resolve(s)
		if err == nil && (src.kind == sourceURL || src.kind == sourceMJPEG) && !strings.HasPrefix(s, "http") && !strings.HasPrefix(s, "rtsp") {
			t.Fatalf("%q became a URL", s)
		}
	})
}

func TestOutputs(t *testing.T) {
	b := onnxtest.Pool(3, 2, 8)
	if got := outputs(b); !slices.Equal(got, []string{onnxtest.Mean, onnxtest.Last}) {
		t.Errorf("outputs %q", got)
	}
	for n := range len(b) {
		outputs(b[:n])
	}
	if got := outputs([]byte("no network")); len(got) > 0 {
		t.Errorf("outputs %q of no network", got)
	}
}

func FuzzOutputs(f *testing.F) {
	f.Add(onnxtest.Pool(3, 2, 8))
	f.Add([]byte{58, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		sum := 0
		for _, name := range outputs(b) {
			sum += len(name)
		}
		if sum > len(b) {
			t.Errorf("%d bytes of names in %d", sum, len(b))
		}
	})
}
