package app

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bordergate/biometrics"
	"bordergate/cmd/gatesim/camera"
	simulated "bordergate/cmd/gatesim/scanner"
	"bordergate/cmd/gatesim/scene"
	"bordergate/configs"
	"bordergate/gate"
	"bordergate/hal/fitting"
	"bordergate/hal/scanner"
	"bordergate/hal/vision"
)

// TestMain lets the test binary be the cameras' worker of a stand.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "stand-worker" {
		os.Exit(standWorker())
	}
	os.Exit(m.Run())
}

// standWires are a stand's cameras and scanner, real to the wire: simulated
// cameras over HTTP, workers as processes of their own, a simulated scanner on a
// serial line, and between them the daemon's own parts. What a worker makes of a
// picture is its brightness and size, and that is all that is simple about it.
type standWires struct {
	senses
	face, document *camera.Camera
	device         *simulated.Scanner
	driver         *scanner.Scanner
}

// standBoth are a stand's eyes where only some are real to the wire.
type standBoth struct {
	fake *standEyes
	real *standWires
}

func (b standBoth) Watch(session uint32) { b.fake.Watch(session); b.real.Watch(session) }
func (b standBoth) Again(session uint32) { b.fake.Again(session); b.real.Again(session) }
func (b standBoth) Hold()                { b.fake.Hold(); b.real.Hold() }
func (b standBoth) Stop()                { b.fake.Stop(); b.real.Stop() }

// Brightness of what a stand's cameras show, and its size.
const (
	standIdle, standFaceLevel, standPassLevel = 40, 150, 210
	standWidth, standHeight                   = 64, 36
)

// standPicture is a picture of one brightness, never twice the same.
func standPicture(level uint8) []scene.Frame {
	var out []scene.Frame
	for i := range 2 {
		m := image.NewGray(image.Rect(0, 0, standWidth, standHeight))
		for k := range m.Pix {
			m.Pix[k] = level
		}
		m.SetGray(8*i, 8, color.Gray{Y: 255})
		var b bytes.Buffer
		if jpeg.Encode(&b, m, nil) != nil {
			return nil
		}
		out = append(out, scene.Frame{JPEG: b.Bytes()})
	}
	return out
}

func newStandWires(s *laneStand) *standWires {
	w := &standWires{}
	if s.o.scanner {
		w.addScanner(s)
	}
	if !s.o.cameras {
		return w
	}
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	for name, to := range map[string]**camera.Camera{"face": &w.face, "document": &w.document} {
		c, err := camera.Listen(name, standPicture(standIdle))
		if err != nil {
			s.t.Fatal(err)
		}
		*to = c
		o := vision.DefaultOptions()
		o.Program, o.Args, o.Name = self, []string{"stand-worker"}, name
		o.Config = vision.WorkerConfig{Role: vision.RoleDocument, Source: c.URL(), Width: standWidth, Height: standHeight, FPS: scene.FPS}
		e := &eye{
			camera: gate.DocumentCamera, away: time.Now(), worker: vision.NewWorker(o), model: &biometrics.Recogniser{Dim: 16},
			rules: biometrics.ProbeRules(), log: slog.New(slog.DiscardHandler), post: func(in gate.Input) { s.lane.Post(in) },
		}
		e.desk = &desk{worker: e.worker}
		if name == "face" {
			e.camera = gate.FaceCamera
		}
		w.eyes = append(w.eyes, e)
	}
	return w
}

func (w *standWires) addScanner(s *laneStand) {
	o := simulated.DefaultOptions()
	o.Link = filepath.Join(s.t.TempDir(), "scanner")
	var err error
	if w.device, err = simulated.New(o); err != nil {
		s.t.Skipf("this machine has no pty: %v", err)
	}
	so, err := fitting.Scanner(configs.Scanner{Dialect: "honeywell", Port: o.Link, Baud: 115200, AIM: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	if w.driver, err = scanner.New(so); err != nil {
		s.t.Fatal(err)
	}
	w.scanner = &passScanner{dev: w.driver, log: slog.New(slog.DiscardHandler), post: func(in gate.Input) { s.lane.Post(in) }}
}

func (w *standWires) run(ctx context.Context, parts *sync.WaitGroup) {
	for _, c := range []*camera.Camera{w.face, w.document} {
		if c != nil {
			parts.Go(func() { _ = c.Serve(ctx) })
		}
	}
	for _, e := range w.eyes {
		parts.Go(func() { _ = e.worker.Serve(ctx) })
		parts.Go(func() { _ = e.serveEvents(ctx, nil) })
	}
	if w.driver != nil {
		parts.Go(func() { _ = w.driver.Serve(ctx) })
		parts.Go(func() { _ = w.scanner.serveEvents(ctx, nil) })
	}
}

// close powers the scanner off, once its driver has let go.
func (w *standWires) close() error {
	if w.device == nil {
		return nil
	}
	return w.device.Close()
}

func (w *standWires) showPass(on bool) {
	switch {
	case w.device != nil && on:
		w.device.Present(simulated.Code{AIM: "]Q1", Payload: []byte(standPayload)})
	case w.device != nil:
		w.device.Remove()
	default:
		show(w.document, standPassLevel, on)
	}
}

func (w *standWires) showFace(on bool) { show(w.face, standFaceLevel, on) }

func show(c *camera.Camera, level uint8, on bool) {
	if !on {
		c.Show(nil)
		return
	}
	p := camera.NewProgram(nil, standPicture(level), nil)
	p.Start(1)
	c.Show(p)
}

// standDead is how old the newest picture of a camera may be.
const standDead = 700 * time.Millisecond

// standEye is the worker's side of one camera.
type standEye struct {
	c       *vision.Child
	cfg     vision.WorkerConfig
	face    bool
	session atomic.Uint32
	newest  atomic.Int64 // of a picture that is not its predecessor again
	dark    atomic.Bool
	shown   uint32
	last    []byte
}

// standWorker is the process.
func standWorker() int {
	c, err := vision.OpenChild()
	if err != nil {
		return 9
	}
	cfg, err := c.Config()
	if err != nil {
		return 8
	}
	e := &standEye{c: c, cfg: cfg, face: path.Base(cfg.Source) == "face"}
	if c.Ready() != nil {
		return 7
	}
	go e.watch()
	go e.beat()
	for {
		cmd, err := c.Next()
		if err != nil {
			return 0
		}
		switch cmd.Kind {
		case vision.CommandWatch:
			e.session.Store(cmd.Session)
		case vision.CommandStop:
			e.session.Store(0)
		}
	}
}

// beat tells of the camera's health.
func (e *standEye) beat() {
	for range time.Tick(50 * time.Millisecond) {
		age := time.Duration(monoNow() - e.newest.Load())
		h := vision.CameraHealth{OK: e.newest.Load() != 0 && age < standDead, Width: e.cfg.Width, Height: e.cfg.Height, Dark: e.dark.Load()}
		if !h.OK {
			h.Err = "no new picture"
		}
		if e.c.Send(h) != nil {
			return
		}
	}
}

// watch reads the camera's stream, again and again.
func (e *standEye) watch() {
	for range time.Tick(20 * time.Millisecond) {
		_ = e.stream() // the camera is away: the beat says so
	}
}

func (e *standEye) stream() error {
	res, err := http.Get(e.cfg.Source)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", res.Status)
	}
	parts := multipart.NewReader(res.Body, "gatesimframe")
	for {
		p, err := parts.NextPart()
		if err != nil {
			return err
		}
		b, err := io.ReadAll(p)
		if err != nil {
			return err
		}
		if err := e.picture(b); err != nil {
			return err
		}
	}
}

// picture tells what one shows. One that is its predecessor again is none.
func (e *standEye) picture(b []byte) error {
	at := monoNow()
	if bytes.Equal(b, e.last) {
		return nil
	}
	e.last = b
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return err
	}
	size := m.Bounds().Size()
	r, _, _, _ := m.At(size.X-4, size.Y-4).RGBA()
	level := int(r >> 8)
	e.newest.Store(at)
	e.dark.Store(level < 16)
	session := e.session.Load()
	if session == 0 {
		return nil
	}
	right := size == image.Pt(e.cfg.Width, e.cfg.Height)
	if e.face {
		return e.c.Send(standSeen(session, at, level, right))
	}
	near := level > (standFaceLevel+standPassLevel)/2
	switch {
	case near && right:
		return e.c.Send(vision.Symbol{Session: session, FrameAt: at, DoneAt: at, Symbology: "qr", Payload: []byte(standPayload)})
	case e.dark.Load():
	case !right && e.shown != session:
		e.shown = session
		return e.c.Send(vision.Shown{Session: session, FrameAt: at})
	}
	return nil
}

// standSeen is a face where the picture is bright, and a bad one where it is of
// another size.
func standSeen(session uint32, at int64, level int, right bool) vision.Face {
	f := vision.Face{Session: session, FrameAt: at, DoneAt: at, Width: standWidth, Height: standHeight}
	if level < (standIdle+standFaceLevel)/2 {
		return f
	}
	f.Count, f.Box, f.Quality = 1, [4]float32{20, 5, 20, 25}, vision.FaceQuality{
		Score: 1, Norm: 5, EyeDistance: 80, Laplacian: 100, Luminance: 120, NoseDrop: 0.6,
	}
	f.Raw = standProbe()
	if !right {
		f.Quality.EyeDistance = 10
	}
	return f
}
