package devices

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"bordergate/cmd/gatesim/camera"
	"bordergate/cmd/gatesim/scene"
	"bordergate/configs"
)

// chessboard is a picture with known light and edges.
func chessboard(level uint8) image.Image {
	m := image.NewGray(image.Rect(0, 0, 640, 480))
	for i := range m.Pix {
		if (i%640/8+i/640/8)%2 == 0 {
			m.Pix[i] = level
		}
	}
	return m
}

func TestLightOfKnownPictures(t *testing.T) {
	flat := image.NewGray(image.Rect(0, 0, 64, 64))
	for i := range flat.Pix {
		flat.Pix[i] = 100
	}
	if mean, sharp := light(flat); mean < 99 || mean > 101 || sharp > 1 {
		t.Errorf("an even grey: %v, %v", mean, sharp)
	}
	mean, sharp := light(chessboard(200))
	if mean < 95 || mean > 105 || sharp < 500 {
		t.Errorf("a chessboard: %v, %v", mean, sharp)
	}
}

// gatevision is the real worker; it is built by make.
func gatevision(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../../bin/gatevision")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("bin/gatevision is not built (make build)")
	}
	return path
}

// watched is a simulated camera that shows one picture.
func watched(t *testing.T, m image.Image) configs.Camera {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	c, err := camera.Listen("face", []scene.Frame{{JPEG: b.Bytes()}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() { _ = c.Serve(ctx) }) // ends with ctx
	t.Cleanup(func() { cancel(); serving.Wait() })
	conf := configs.DefaultGate().Cameras.Face
	conf.Source, conf.Width, conf.Height = c.URL(), 640, 480
	return conf
}

func TestCameraOverTheRealWorker(t *testing.T) {
	program := gatevision(t)
	f, err := Camera(t.Context(), program, watched(t, chessboard(200)))
	if err != nil || f.Width != 640 || f.Height != 480 || f.Brightness < 80 || f.Sharpness < 100 || len(f.JPEG) == 0 {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := Camera(t.Context(), program, watched(t, chessboard(2))); !errors.Is(err, ErrDark) || !f.Dark {
		t.Errorf("black: %+v, %v", f, err)
	}
}

func TestCameraThatCannotBeWorked(t *testing.T) {
	c := configs.DefaultGate().Cameras.Face
	c.Source = "http://127.0.0.1:9/face"
	if _, err := Camera(t.Context(), "/bin/false", c); err == nil || !strings.Contains(err.Error(), "gatevision") {
		t.Errorf("a worker that ends: %v", err)
	}
	c.Source = ""
	if _, err := Camera(t.Context(), "/bin/false", c); err == nil {
		t.Error("a camera without a source was tried")
	}
}

func TestPathsAreOnePerDevice(t *testing.T) {
	dev := t.TempDir()
	for _, d := range []string{"gate", "serial/by-path", "v4l/by-path"} {
		if err := os.MkdirAll(filepath.Join(dev, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{
		"gate/barrier": "ttyUSB0", "serial/by-path/usb-1": "ttyUSB0", "serial/by-path/usb-2": "ttyUSB1", "serial/by-path/gone": "none",
		"v4l/by-path/c-video-index0": "video0", "v4l/by-path/c-video-index1": "video1",
	} {
		if to != "none" {
			if err := os.WriteFile(filepath.Join(dev, to), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(filepath.Join(dev, to), filepath.Join(dev, name)); err != nil {
			t.Fatal(err)
		}
	}
	serial, cameras := Paths(dev)
	if len(serial) != 2 || filepath.Base(serial[0]) != "barrier" || filepath.Base(serial[1]) != "usb-2" || len(cameras) != 1 {
		t.Errorf("%v, %v", serial, cameras)
	}
}
