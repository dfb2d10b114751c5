// Package devices tries one device of a gate by itself, with the daemon's own
// drivers, while the daemon does not run.
//
// A device is opened, asked what it is or shows, and let go again. Nothing here
// moves a barrier: a turnstile is made inert, as every start of the daemon does,
// and no more. Each call ends with its context or its own short time; an error
// names the cure. What a camera or a scanner sees is given to the caller alone.
package devices

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"log/slog"
	"sync"
	"time"

	"bordergate/configs"
	"bordergate/hal"
	"bordergate/hal/fitting"
	"bordergate/hal/port"
	"bordergate/hal/scanner"
	"bordergate/hal/vision"
)

// How long a device has to show itself.
const (
	TurnstileWait = 2 * time.Second
	ScannerWait   = 1500 * time.Millisecond
	CameraWait    = 4 * time.Second
)

// during runs a device's service while f works, and waits for its end.
func during(ctx context.Context, serve func(context.Context) error, f func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	var service sync.WaitGroup
	service.Go(func() { _ = serve(ctx) }) // it ends with the context, which is no error here
	f(ctx)
	cancel()
	service.Wait()
}

// Turnstile opens the turnstile and gives it to f once it answers. It is made
// inert before and after.
func Turnstile(ctx context.Context, c configs.Turnstile, f func(context.Context, hal.Turnstile) error) error {
	dev, err := fitting.Turnstile(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	during(ctx, dev.Serve, func(ctx context.Context) {
		if err = online(ctx, dev); err == nil {
			err = f(ctx, dev)
		}
	})
	return errors.Join(err, dev.Close())
}

// online waits for the device's first answer. A line that cannot even be opened
// is not waited for.
func online(ctx context.Context, dev hal.Turnstile) error {
	ctx, cancel := context.WithTimeout(ctx, TurnstileWait)
	defer cancel()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		s := dev.Snapshot()
		var why *hal.Error
		switch {
		case s.Online:
			return nil
		case errors.As(s.Fault, &why) && why.Op == "open serial line":
			return s.Fault
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			if s.Fault != nil {
				return s.Fault
			}
			return &hal.Error{Op: "ask turnstile", Device: s.Device, Err: hal.ErrOffline, Hint: "check the board's supply, the line's two wires, and turnstile.baud and unit"}
		}
	}
}

// Scanner opens the scanner and gives it to f once it is there; one that can be
// asked has answered then.
func Scanner(ctx context.Context, c configs.Scanner, f func(context.Context, *scanner.Scanner) error) error {
	o, err := fitting.Scanner(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	dev, err := scanner.New(o)
	if err != nil {
		return err
	}
	during(ctx, dev.Serve, func(ctx context.Context) {
		if err = first(ctx, dev); err == nil {
			err = f(ctx, dev)
		}
	})
	return err
}

func first(ctx context.Context, dev *scanner.Scanner) error {
	late := time.NewTimer(ScannerWait)
	defer late.Stop()
	for {
		select {
		case e := <-dev.Events():
			switch e.Kind {
			case scanner.Online:
				return nil
			case scanner.Offline:
				if errors.Is(e.Err, scanner.ErrSilent) {
					return fmt.Errorf("%w (check its cable, scanner.dialect and baud; its maker's sheet sets serial trigger)", e.Err)
				}
				return e.Err
			}
		case <-late.C:
			return fmt.Errorf("%w (check its cable, scanner.dialect and baud)", scanner.ErrSilent)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Frame is one picture of a camera and what it measures.
type Frame struct {
	Width      int     `json:"width"`
	Height     int     `json:"height"`
	FPS        float64 `json:"fps"`
	Brightness float64 `json:"brightness"` // 0 black to 255 white
	Sharpness  float64 `json:"sharpness"`  // variance of the Laplacian; below 20 is a blur
	Dark       bool    `json:"dark"`       // a covered lens
	JPEG       []byte  `json:"-"`
}

// ErrDark means that a camera delivers black.
var ErrDark = errors.New("the picture is black")

// Camera has the worker of a camera deliver one frame. A dark one comes with
// ErrDark.
func Camera(ctx context.Context, program string, c configs.Camera) (Frame, error) {
	o := vision.DefaultOptions()
	o.Program, o.Args, o.Name = program, []string{"worker"}, "try"
	o.Config = vision.WorkerConfig{Role: vision.RoleDocument, Source: c.Source, Width: c.Width, Height: c.Height, FPS: int(c.FPS), Threads: c.Threads}
	if err := o.Config.Validate(); err != nil {
		return Frame{}, err
	}
	w := vision.NewWorker(o)
	var f Frame
	var err error
	during(ctx, w.Serve, func(ctx context.Context) { f, err = grab(ctx, w) })
	return f, err
}

// grab waits for a frame that follows a healthy camera.
func grab(ctx context.Context, w *vision.Worker) (Frame, error) {
	late := time.NewTimer(CameraWait)
	defer late.Stop()
	var f Frame
	why, asked := "its worker does not start", false
	for {
		select {
		case e := <-w.Events():
			switch e := e.(type) {
			case vision.Down:
				if e.Err != nil {
					return f, fmt.Errorf("work camera: %w (run gatectl models check; see whether gatevision runs: gatevision help)", e.Err)
				}
			case vision.Up:
				why = "it gives no frame"
			case vision.CameraHealth:
				if why = e.Err; !e.OK {
					continue
				}
				f.FPS, f.Dark = float64(e.FPS), e.Dark
				if !asked {
					w.Still()
					asked = true
				}
			case vision.Image:
				f.Width, f.Height, f.JPEG = e.Width, e.Height, e.JPEG
				return f, f.measure()
			}
		case <-late.C:
			return f, fmt.Errorf("open camera: %s (check its plug and its source; another program may have it open)", why)
		case <-ctx.Done():
			return f, ctx.Err()
		}
	}
}

// darkest is the mean below which a picture is called black.
const darkest = 8

func (f *Frame) measure() error {
	img, err := jpeg.Decode(bytes.NewReader(f.JPEG))
	if err != nil {
		return fmt.Errorf("decode frame: %w", err)
	}
	f.Brightness, f.Sharpness = light(img)
	if f.Dark = f.Dark || f.Brightness < darkest; f.Dark {
		return fmt.Errorf("%w (uncover the lens, switch its light on)", ErrDark)
	}
	return nil
}

// light is the mean of the grey values and the variance of their Laplacian, on
// every second pixel.
func light(img image.Image) (mean, sharp float64) {
	b := img.Bounds()
	grey := func(x, y int) float64 {
		r, g, b, _ := img.At(x, y).RGBA()
		return (.299*float64(r) + .587*float64(g) + .114*float64(b)) / 257
	}
	var n, sum, lap, square float64
	for y := b.Min.Y + 1; y < b.Max.Y-1; y += 2 {
		for x := b.Min.X + 1; x < b.Max.X-1; x += 2 {
			v := grey(x, y)
			l := grey(x-1, y) + grey(x+1, y) + grey(x, y-1) + grey(x, y+1) - 4*v
			n, sum, lap, square = n+1, sum+v, lap+l, square+l*l
		}
	}
	if n == 0 {
		return 0, 0
	}
	return sum / n, square/n - lap/n*lap/n
}

// Taken reports whether an error says that another program has a serial line.
func Taken(err error) bool { return errors.Is(err, port.ErrInUse) }
