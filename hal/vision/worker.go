package vision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Why a worker was ended or ended itself.
var (
	// ErrBeat is the cause when a worker was silent for too long.
	ErrBeat = errors.New("vision: worker missed its beat")
	// ErrMemory is the cause when a worker grew past its limit.
	ErrMemory = errors.New("vision: worker grew past its memory limit")
	// ErrRetired is the cause when a worker was replaced in time, while nobody was watched. It is no fault.
	ErrRetired = errors.New("vision: worker replaced while idle")
	// ErrStart is the cause when a worker was not ready in time.
	ErrStart = errors.New("vision: worker was not ready in time")
	// ErrWorker is the cause when a worker gave up by itself and said why.
	ErrWorker = errors.New("vision: worker gave up")
	// ErrExit is the cause when a worker ended without a word.
	ErrExit = errors.New("vision: worker ended")
	// ErrServing is returned by a second Serve while the first one runs.
	ErrServing = errors.New("vision: worker is already being served")
)

// Options describe one worker. DefaultOptions gives the limits.
type Options struct {
	// Program and Args are what is started. Name goes into events and log lines.
	Program string
	Args    []string
	Name    string
	// Config is the worker's first message.
	Config WorkerConfig
	// Env is added to the worker's environment, which is otherwise nearly empty.
	Env []string
	// Log takes the worker's own lines and the supervisor's; nil discards them.
	Log *slog.Logger
	// Beat is the longest silence of a worker that is ready. One that is not let run by a loaded machine gets four times as long.
	Beat time.Duration
	// StartLimit is the longest time from start to ready.
	StartLimit time.Duration
	// MaxRSS is the resident memory in bytes above which a worker is replaced at once.
	MaxRSS int64
	// MaxAnon is the memory in bytes, without that of files, and MaxAge the time since it was ready, above which a worker is replaced
	// once it has watched nobody for Rest.
	MaxAnon int64
	MaxAge  time.Duration
	Rest    time.Duration
	// MemoryCheck is how often this is looked at.
	MemoryCheck time.Duration
	// CrashDir is where a crash file is written when a worker ends badly, at most 20 for each worker; empty writes none.
	CrashDir string
	// MaxBackoff is the longest wait before a restart. The first restart after a good run is immediate.
	MaxBackoff time.Duration
	// GoodRun is how long a worker must have been ready for its end to count as the first.
	GoodRun time.Duration
}

// DefaultOptions returns the limits of a gate.
func DefaultOptions() Options {
	return Options{
		Beat: 800 * time.Millisecond, StartLimit: 20 * time.Second, MaxRSS: 600 << 20, MemoryCheck: time.Second,
		MaxAnon: 256 << 20, MaxAge: 24 * time.Hour, Rest: 10 * time.Second,
		MaxBackoff: 1500 * time.Millisecond, GoodRun: 3 * time.Second,
	}
}

// withDefaults fills what is not set.
func (o Options) withDefaults() Options {
	d := DefaultOptions()
	for _, f := range []struct{ have, def *time.Duration }{
		{&o.Beat, &d.Beat},
		{&o.StartLimit, &d.StartLimit},
		{&o.MemoryCheck, &d.MemoryCheck},
		{&o.MaxBackoff, &d.MaxBackoff},
		{&o.GoodRun, &d.GoodRun},
		{&o.MaxAge, &d.MaxAge},
		{&o.Rest, &d.Rest},
	} {
		if *f.have <= 0 {
			*f.have = *f.def
		}
	}
	if o.MaxRSS <= 0 {
		o.MaxRSS = d.MaxRSS
	}
	if o.MaxAnon <= 0 {
		o.MaxAnon = d.MaxAnon
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Worker supervises one worker process. Watch, Stop, Still, Mirror and Events may be used from any goroutine, before, during and after Serve.
type Worker struct {
	o       Options
	log     *slog.Logger
	queue   *queue
	events  chan Event
	serving atomic.Bool

	mu sync.Mutex
	// want is what the worker is to do; kick wakes the one who tells it.
	want desire
	kick chan struct{}
}

// desire is the state the worker is to be in. It outlives the process.
type desire struct {
	watching bool
	session  uint32
	still    bool
	mirror   bool
}

// NewWorker prepares a worker; nothing is started before Serve.
func NewWorker(o Options) *Worker {
	o = o.withDefaults()
	return &Worker{
		o: o, log: o.Log.With("worker", o.Name), queue: newQueue(), events: make(chan Event), kick: make(chan struct{}, 1),
	}
}

// Events returns the one channel of events. It is never closed.
func (w *Worker) Events() <-chan Event { return w.events }

// Watch asks for symbols or faces, marked with the session, until Stop or the next Watch. Session numbers are not used twice.
func (w *Worker) Watch(session uint32) {
	w.change(func(d *desire) { d.watching, d.session = true, session })
}

// Stop ends watching.
func (w *Worker) Stop() { w.change(func(d *desire) { d.watching, d.session = false, 0 }) }

// Still asks for one Image of the newest frame.
func (w *Worker) Still() { w.change(func(d *desire) { d.still = true }) }

// Mirror asks for views, or ends them. It outlives the process, as watching does.
func (w *Worker) Mirror(on bool) { w.change(func(d *desire) { d.mirror = on }) }

func (w *Worker) change(f func(*desire)) {
	w.mu.Lock()
	f(&w.want)
	w.mu.Unlock()
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// takeDesire returns the wanted state and forgets a wanted still.
func (w *Worker) takeDesire() desire {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.want
	w.want.still = false
	return d
}

// Serve keeps the worker running until ctx ends, and returns ctx's error. Any other error means that it cannot be started at all
// with these options.
func (w *Worker) Serve(ctx context.Context) error {
	if err := w.o.Config.Validate(); err != nil {
		return fmt.Errorf("serve worker %s: %w", w.o.Name, err)
	}
	if !w.serving.CompareAndSwap(false, true) {
		return ErrServing
	}
	defer w.serving.Store(false)
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { w.queue.deliver(ctx, w.events) })

	fails := 0
	for {
		ready, crash, err := w.runOnce(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.tell(crash, err)
		w.queue.push(Down{Name: w.o.Name, Err: err, Crash: crash})
		if ready >= w.o.GoodRun {
			fails = 0
		}
		if !wait(ctx, w.backoff(fails)) {
			return ctx.Err()
		}
		fails++
	}
}

// tell logs an end, and keeps what is left of a crash.
func (w *Worker) tell(c *Crash, err error) {
	if errors.Is(err, ErrRetired) {
		w.log.Info("Worker replaced", "why", err)
		return
	}
	if c == nil {
		w.log.Warn("Worker down", "error", err)
		return
	}
	if w.o.CrashDir != "" {
		if err := c.write(w.o.CrashDir); err != nil {
			w.log.Warn("Crash not kept", "error", err)
		}
	}
	w.log.Warn("Worker down", "error", err, "crash", c.Summary(), "file", c.File)
}

// watching tells whether anybody is to be watched.
func (w *Worker) watching() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.want.watching
}

// backoff is nothing for the first failure, then 125 ms doubling up to MaxBackoff.
func (w *Worker) backoff(fails int) time.Duration {
	if fails == 0 {
		return 0
	}
	return min(w.o.MaxBackoff, 125*time.Millisecond<<min(fails-1, 10))
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
