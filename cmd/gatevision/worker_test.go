//go:build cgo

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bordergate/barcode/symbol"
	"bordergate/biometrics/vision"
	"bordergate/configs"
	worker "bordergate/hal/vision"
)

// TestMain lets the test binary be the worker that the real supervisor starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "worker" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

const root = "../.."

// dataPath finds a file of the test data, or skips.
func dataPath(tb testing.TB, parts ...string) string {
	tb.Helper()
	dir := os.Getenv("BORDERGATE_DATA")
	if dir == "" {
		dir = filepath.Join(root, "..", "shared", "data")
	}
	p, err := filepath.Abs(filepath.Join(append([]string{dir}, parts...)...))
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := os.Stat(p); err != nil {
		tb.Skipf("test data not here: %s (set BORDERGATE_DATA)", filepath.Join(parts...))
	}
	return p
}

// faceModels lists the model pack for a worker, or skips.
func faceModels(tb testing.TB) []worker.ModelFile {
	tb.Helper()
	man, err := configs.LoadModels(filepath.Join(root, "configs", "models.yaml"))
	if err != nil {
		tb.Fatal(err)
	}
	dir, err := filepath.Abs(filepath.Join(root, "models"))
	if err != nil {
		tb.Fatal(err)
	}
	if err := man.Check(dir); errors.Is(err, configs.ErrModelMissing) {
		tb.Skip("model pack not here: run \"make models\"")
	}
	return modelFiles(tb, man, dir)
}

func serveWorker(t *testing.T, cfg worker.WorkerConfig) *worker.Worker {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := worker.DefaultOptions()
	o.Program, o.Args, o.Name, o.Config, o.StartLimit = self, []string{"worker"}, string(cfg.Role), cfg, time.Minute
	// A loaded test machine may hold a worker up for longer than a gate's would.
	o.Beat = 30 * time.Second
	w := worker.NewWorker(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Serve returned %v", err)
		}
	})
	return w
}

// await returns the first event that fits.
func await[E worker.Event](t *testing.T, w *worker.Worker, fits func(E) bool) E {
	t.Helper()
	limit := time.After(2 * time.Minute)
	for {
		select {
		case e := <-w.Events():
			if d, ok := e.(worker.Down); ok {
				var none E
				if _, wanted := any(none).(worker.Down); !wanted {
					t.Fatalf("worker down: %v", d.Err)
				}
			}
			if want, ok := e.(E); ok && fits(want) {
				return want
			}
		case <-limit:
			var none E
			t.Fatalf("no fitting %T came", none)
		}
	}
}

func any1[E any](E) bool { return true }

// folder fills a folder with a picture that is never quite the same, so that a camera can loop over it.
func folder(t *testing.T, pic []byte) string {
	t.Helper()
	src, err := jpeg.Decode(bytes.NewReader(pic))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := range 10 {
		img := image.NewRGBA(src.Bounds())
		draw.Draw(img, img.Bounds(), src, image.Point{}, draw.Src)
		draw.Draw(img, image.Rect(16*i, 0, 16*i+16, 16), image.Black, image.Point{}, draw.Src)
		var out bytes.Buffer
		if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 92}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("img_%04d.jpg", i)), out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFaceWorker(t *testing.T) {
	// Written anew, since a folder as camera knows nothing of a photograph's orientation mark.
	photo, err := vision.ReadImage(dataPath(t, "pad", "live", "image_T1.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	defer photo.Close()
	pic, err := photo.JPEG(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	w := serveWorker(t, worker.WorkerConfig{Role: worker.RoleFace, Source: folder(t, pic), FPS: 25, Threads: 1, Models: faceModels(t)})
	await(t, w, any1[worker.Up])
	await(t, w, func(h worker.CameraHealth) bool { return h.OK && h.Width == 480 && h.Height == 640 })
	w.Watch(5)
	scored := 0
	for range 8 {
		f := await(t, w, any1[worker.Face])
		if f.Session != 5 || f.Count != 1 || len(f.Raw) != 512 || f.Quality.Norm < 3 || f.Quality.EyeDistance < 40 || f.DoneAt < f.FrameAt {
			t.Fatalf("face %+v", f)
		}
		if f.Live.Done {
			scored++
		}
	}
	if scored == 0 || scored > livenessFrames {
		t.Errorf("%d frames scored for liveness, want 1 to %d", scored, livenessFrames)
	}
	w.Still()
	if m := await(t, w, any1[worker.Image]); m.Width != 480 || len(m.JPEG) < 1000 || m.Session != 5 {
		t.Errorf("still of %dx%d, %d bytes, session %d", m.Width, m.Height, len(m.JPEG), m.Session)
	}
	w.Mirror(true)
	first := await(t, w, any1[worker.View])
	second := await(t, w, any1[worker.View])
	if gap := second.FrameAt - first.FrameAt; gap < viewEvery.Nanoseconds() || len(first.JPEG) < 1000 || first.FrameAt == 0 {
		t.Errorf("views of %d bytes, %d ns from one another", len(first.JPEG), gap)
	}
	w.Mirror(false)
	w.Stop()
	w.Watch(6)
	if f := await(t, w, func(f worker.Face) bool { return f.Session == 6 }); !f.Live.Done {
		t.Error("the next session's first frame was not scored for liveness")
	}
}

func TestFaceWorkerRefusesModel(t *testing.T) {
	models := faceModels(t)
	models[2].SHA256 = strings.Repeat("0", 64)
	w := serveWorker(t, worker.WorkerConfig{Role: worker.RoleFace, Source: t.TempDir(), Models: models})
	d := await(t, w, any1[worker.Down])
	if !errors.Is(d.Err, worker.ErrWorker) || !strings.Contains(d.Err.Error(), "SHA-256") {
		t.Errorf("down because %v", d.Err)
	}
}

func TestDocumentWorker(t *testing.T) {
	const payload = "a pass that nobody signed"
	w := serveWorker(t, worker.WorkerConfig{Role: worker.RoleDocument, Source: folder(t, label(t, payload)), FPS: 25})
	up := await(t, w, any1[worker.Up])
	w.Watch(1)
	first := await(t, w, any1[worker.Symbol])
	if string(first.Payload) != payload || first.Session != 1 || first.DoneAt < first.FrameAt {
		t.Errorf("symbol %+v", first)
	}
	second := await(t, w, any1[worker.Symbol])
	if second.DoneAt-first.DoneAt < repeatAfter {
		t.Errorf("sent again after %d ms", (second.DoneAt-first.DoneAt)/1e6)
	}
	if err := syscall.Kill(up.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, w, any1[worker.Down])
	again := await(t, w, any1[worker.Symbol])
	if again.Session != 1 || string(again.Payload) != payload {
		t.Errorf("after the restart: %+v", again)
	}
}

func TestDocumentWorkerWithoutCamera(t *testing.T) {
	w := serveWorker(t, worker.WorkerConfig{Role: worker.RoleDocument, Source: "/dev/v4l/by-path/none"})
	h := await(t, w, func(h worker.CameraHealth) bool { return h.Err != "not opened yet" })
	if h.OK || !strings.Contains(h.Err, "plugged in") {
		t.Errorf("health %+v", h)
	}
}

// label is a picture of a QR code on a light ground.
func label(t *testing.T, payload string) []byte {
	t.Helper()
	qr, err := symbol.EncodeQR([]byte(payload), 6)
	if err != nil {
		t.Fatal(err)
	}
	img := image.NewGray(image.Rect(0, 0, 640, 480))
	for i := range img.Pix {
		img.Pix[i] = 230
	}
	draw.Draw(img, qr.Bounds().Add(image.Pt(150, 100)), qr, image.Point{}, draw.Src)
	var out strings.Builder
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return []byte(out.String())
}
