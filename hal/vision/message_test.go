package vision

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"testing"
)

func samples() []Message {
	raw := make([]float32, 512)
	for i := range raw {
		raw[i] = float32(i) / 7
	}
	return []Message{
		WorkerConfig{
			Role: RoleFace, Source: "http://127.0.0.1:8081/face", Width: 1280, Height: 720, FPS: 25, Threads: 2,
			Models: []ModelFile{{Name: "detect", Path: "models/fr_detect.onnx", SHA256: "6c02"}},
		},
		watch{Session: 9},
		stop{},
		still{},
		mirror{On: true},
		ready{PID: 77},
		Fault{Text: "no camera"},
		Symbol{Session: 1, FrameAt: 2, DoneAt: 3, Symbology: "qr", Payload: []byte{0, 1, 0xff}, Corners: [4][2]float32{{1, 2}, {3, 4}, {5, 6}, {7, 8}}},
		Face{
			Session: 1, FrameAt: 2, DoneAt: 3, Count: 2, Second: 0.5, Box: [4]float32{1, 2, 3, 4}, Width: 1280, Height: 720,
			Quality: FaceQuality{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, Live: FaceLive{1, -2, 3, true}, Raw: raw,
		},
		CameraHealth{OK: true, Err: "none", FPS: 24.9, AgeMillis: -1, Width: 1280, Height: 720, Dark: true},
		Image{Session: 1, FrameAt: 2, Width: 3, Height: 4, JPEG: []byte{0xff, 0xd8}},
		Shown{Session: 1, FrameAt: 2},
		View{FrameAt: 2, JPEG: []byte{0xff, 0xd8}},
	}
}

func TestMessagesSurvive(t *testing.T) {
	var buf bytes.Buffer
	for _, m := range samples() {
		if err := Write(&buf, m); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range samples() {
		got, err := Read(&buf)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if _, err := Read(&buf); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v, want io.EOF", err)
	}
}

func TestReadRefuses(t *testing.T) {
	var buf bytes.Buffer
	if err := Write(&buf, samples()[8]); err != nil {
		t.Fatal(err)
	}
	valid := buf.Bytes()
	nan := math.Float32bits(float32(math.NaN()))
	for name, c := range map[string]struct {
		change func([]byte) []byte
		want   error
	}{
		"magic":          {func(b []byte) []byte { b[0] = '['; return b }, ErrMagic},
		"version":        {func(b []byte) []byte { b[2]++; return b }, ErrVersion},
		"kind":           {func(b []byte) []byte { b[3] = 99; return b }, ErrBody},
		"length":         {func(b []byte) []byte { b[4] = 0xff; return b }, ErrTooLarge},
		"cut short":      {func(b []byte) []byte { return b[:len(b)-1] }, io.ErrUnexpectedEOF},
		"cut in header":  {func(b []byte) []byte { return b[:3] }, io.ErrUnexpectedEOF},
		"body too long":  {func(b []byte) []byte { b[7]++; return append(b, 0) }, ErrBody},
		"body too short": {func(b []byte) []byte { b[7]--; return b }, ErrBody},
		"count":          {func(b []byte) []byte { b[headerSize+20] = 0xff; return b }, ErrBody},
		"not a number": {func(b []byte) []byte {
			n := len(b)
			b[n-4], b[n-3], b[n-2], b[n-1] = byte(nan>>24), byte(nan>>16), byte(nan>>8), byte(nan)
			return b
		}, ErrBody},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Read(bytes.NewReader(c.change(bytes.Clone(valid))))
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, %v; want %v", m, err, c.want)
			}
		})
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, m := range map[string]Message{
		"image too large":   Image{JPEG: make([]byte, MaxBody)},
		"payload too large": Symbol{Payload: make([]byte, maxPayload+1)},
		"not a number":      Face{Raw: []float32{float32(math.Inf(1))}},
	} {
		if err := Write(io.Discard, m); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	valid := WorkerConfig{Role: RoleFace, Source: "x", Models: []ModelFile{{}}}
	if err := valid.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*WorkerConfig){
		"role":      func(c *WorkerConfig) { c.Role = "both" },
		"source":    func(c *WorkerConfig) { c.Source = "" },
		"size":      func(c *WorkerConfig) { c.Width = -1 },
		"threads":   func(c *WorkerConfig) { c.Threads = 99 },
		"no models": func(c *WorkerConfig) { c.Models = nil },
	} {
		c := valid
		change(&c)
		if err := c.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v, want ErrConfig", name, err)
		}
	}
}

// FuzzRead holds that no bytes bring the daemon down, and that what is read is written again as the same bytes.
func FuzzRead(f *testing.F) {
	for _, m := range samples() {
		var buf bytes.Buffer
		if err := Write(&buf, m); err != nil {
			f.Fatal(err)
		}
		f.Add(buf.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := Write(&out, m); err != nil {
			t.Fatalf("cannot write what was read: %v", err)
		}
		again, err := Read(&out)
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Fatalf("read %+v, then %+v, %v", m, again, err)
		}
	})
}
