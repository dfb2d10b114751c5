package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"bordergate/hal/vision"
)

// Options say what is measured.
type Options struct {
	Worker        string // the program gatevision
	Width, Height int
	Passes        int
	Seed          uint64
	Log           io.Writer // the worker's own lines
}

// Limit is how long a pass is held before it counts as not verified.
const Limit = 3 * time.Second

// Result is what the passes waited, in milliseconds.
type Result struct {
	Waited []float64 // from held to verified, each pass
	// Of the frame that the pass was read of: how many were held before it was,
	// and the times from sent to in hand, to its payload, to the pass verified.
	Frames, Camera, Read, Verified []float64
	Early                          int // read of a frame before it was held
	Missed                         int // not verified within the limit
}

// ErrWorker is returned when the worker or its camera does not come up.
var ErrWorker = errors.New("the worker gives no frames")

const batch = 12 // clips drawn ahead: all of them would not fit the memory

// Run measures; progress is told after each batch.
func Run(ctx context.Context, o Options, progress func(done, all int)) (Result, error) {
	var res Result
	office, err := newOffice(time.Now())
	if err != nil {
		return res, err
	}
	idle, err := newPainter(o.Width, o.Height).empty(5)
	if err != nil {
		return res, err
	}
	cam, err := newCamera(idle)
	if err != nil {
		return res, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer func() { cancel(); wg.Wait() }()
	wg.Go(func() { _ = cam.serve(ctx) })
	opts := vision.DefaultOptions()
	opts.Program, opts.Args, opts.Name = o.Worker, []string{"worker"}, "document"
	opts.Log = slog.New(slog.NewTextHandler(o.Log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	opts.Config = vision.WorkerConfig{Role: vision.RoleDocument, Source: cam.url(), Width: o.Width, Height: o.Height, FPS: FPS, Threads: 1}
	w := vision.NewWorker(opts)
	wg.Go(func() { _ = w.Serve(ctx) })
	m := &meter{o: o, office: office, cam: cam, worker: w, res: &res}
	for first := 0; first < o.Passes; first += batch {
		n := min(batch, o.Passes-first)
		list, err := m.draw(ctx, first, n)
		if err != nil {
			return res, err
		}
		if err := m.ready(ctx); err != nil {
			return res, err
		}
		for _, p := range list {
			if err := m.hold(ctx, p); err != nil {
				return res, err
			}
		}
		progress(first+n, o.Passes)
	}
	return res, ctx.Err()
}

// meter shows passes and waits for each.
type meter struct {
	o       Options
	office  *office
	cam     *camera
	worker  *vision.Worker
	session uint32
	res     *Result
}

// shown is a pass that can be shown.
type shown struct {
	number string
	clip   *Clip
}

// draw makes clips on every core.
func (m *meter) draw(ctx context.Context, first, n int) ([]shown, error) {
	list := make([]shown, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			p := newPainter(m.o.Width, m.o.Height)
			for i := range next {
				list[i].number = fmt.Sprintf("B%07d", first+i)
				payload, err := m.office.issue(list[i].number)
				if err == nil {
					list[i].clip, err = p.clip(payload, m.o.Seed<<32+uint64(first+i))
				}
				errs[i] = err
			}
		})
	}
	for i := range n {
		if ctx.Err() == nil {
			next <- i
		}
	}
	close(next)
	wg.Wait()
	return list, errors.Join(append(errs, ctx.Err())...)
}

// ready waits until the camera's frames come at their rate, and lets the worker
// see the empty desk.
func (m *meter) ready(ctx context.Context) error {
	const wait, healthy = 30 * time.Second, 6
	ctx, cancel := context.WithTimeoutCause(ctx, wait, ErrWorker)
	defer cancel()
	for good := 0; good < healthy; {
		select {
		case e := <-m.worker.Events():
			if h, is := e.(vision.CameraHealth); is {
				if good++; !h.OK || h.Width != m.o.Width {
					good = 0
				}
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// hold shows a pass until it is verified.
func (m *meter) hold(ctx context.Context, p shown) error {
	m.session++
	m.worker.Watch(m.session)
	defer m.worker.Stop()
	m.cam.show(p.clip)
	defer m.cam.show(nil)
	limit := time.NewTimer(Limit)
	defer limit.Stop()
	for {
		select {
		case e := <-m.worker.Events():
			if d, is := e.(vision.Down); is {
				return fmt.Errorf("%w: %w", ErrWorker, d.Err)
			}
			s, is := e.(vision.Symbol)
			if !is || s.Session != m.session {
				continue
			}
			number, err := m.office.verify(s.Payload)
			at := now()
			if err != nil {
				return fmt.Errorf("something was read that nobody issued: %w", err)
			}
			if number != p.number {
				continue // the pass before, in a frame that came late
			}
			m.note(s, at)
			return m.clear(ctx)
		case <-limit.C:
			m.res.Missed++
			m.res.Waited = append(m.res.Waited, float64(Limit.Milliseconds()))
			return m.clear(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *meter) note(s vision.Symbol, at int64) {
	sent := m.cam.sent()
	// The frame read is the last that was sent when it was in hand, or one
	// before it.
	frame := -1
	for i, t := range sent {
		if t < s.FrameAt {
			frame = i
		}
	}
	if frame < 0 {
		m.res.Early++
		m.res.Waited = append(m.res.Waited, 0)
		return
	}
	ms := func(from, to int64) float64 { return float64(to-from) / 1e6 }
	m.res.Waited = append(m.res.Waited, ms(sent[0], at))
	m.res.Frames = append(m.res.Frames, float64(frame))
	m.res.Camera = append(m.res.Camera, ms(sent[frame], s.FrameAt))
	m.res.Read = append(m.res.Read, ms(s.FrameAt, s.DoneAt))
	m.res.Verified = append(m.res.Verified, ms(s.DoneAt, at))
}

// clear leaves the desk empty for some frames, another number of them each
// time, so that the passes come at every moment of what the worker does.
func (m *meter) clear(ctx context.Context) error {
	m.cam.show(nil)
	t := time.NewTimer(5*period + period/7*time.Duration(m.session%7))
	defer t.Stop()
	for {
		select {
		case <-m.worker.Events():
		case <-t.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
