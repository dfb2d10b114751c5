package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// serviceRule is how a part that ends is started again.
type serviceRule struct {
	First, Limit time.Duration // wait before the next start: doubled from First up to Limit
	Window       time.Duration // a part that ran so long without an end is well again
	Most         int           // ends within Window that make it a failing part
	Slow         time.Duration // wait between the starts of a failing part
}

func defaultServiceRule() serviceRule {
	return serviceRule{First: 100 * time.Millisecond, Limit: 5 * time.Second, Window: time.Minute, Most: 5, Slow: 30 * time.Second}
}

// service is one long-lived part with its supervision: a part that ends or
// panics is started again. One that fails again and again is named on the
// status and at headquarters and tried slowly; where the lane cannot do without
// it the gate ends instead, for the service manager to start it anew.
type service struct {
	name  string
	serve func(ctx context.Context) error
	vital bool // without it the lane has no hands

	pulse pulse

	mu      sync.Mutex
	ends    []time.Time // within the window
	last    error
	failing bool
	total   int
	began   time.Time
	restart context.CancelCauseFunc // of the running start
}

// errPanic says that a part panicked. The value is not shown: it may hold what
// the part was working on.
var errPanic = errors.New("panic")

// errAgain ends a part that is to be started again at once.
var errAgain = errors.New("started again on purpose")

// keep runs the service until ctx ends, or until it says that the whole gate
// must end, which is the error.
func (s *service) keep(ctx context.Context, rule serviceRule, log *slog.Logger) error {
	for wait := rule.First; ; {
		s.begin()
		one, stop := context.WithCancelCause(ctx)
		s.mu.Lock()
		s.restart = stop
		s.mu.Unlock()
		err := s.once(one, log)
		again := errors.Is(context.Cause(one), errAgain)
		stop(nil)
		s.pulse.rest()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrRestart):
			return err
		case again:
			continue
		}
		failing, fresh := s.end(err, rule)
		log.Error("Part ended and is started again", "service", s.name, "failing", failing, "error", cause(err))
		switch {
		case failing && s.vital:
			return fmt.Errorf("part %s keeps ending: %w", s.name, cause(err))
		case failing:
			wait = rule.Slow
		case fresh:
			wait = rule.First
		}
		if !pause(ctx, wait) {
			return nil
		}
		wait = min(2*wait, rule.Limit)
	}
}

// once turns a panic into an error, with the stack on the log and not its
// value.
func (s *service) once(ctx context.Context, log *slog.Logger) (err error) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("Part panicked", "service", s.name, "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = fmt.Errorf("%w in %s (its stack is in the log; report it)", errPanic, s.name)
		}
	}()
	return s.serve(ctx)
}

func (s *service) begin() {
	s.mu.Lock()
	s.began = time.Now()
	s.mu.Unlock()
	s.pulse.beat()
}

// end notes an end; fresh says that it is the first one in a window.
func (s *service) end(err error, rule serviceRule) (failing, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.began) >= rule.Window {
		s.ends, s.failing = nil, false
	}
	s.ends = slices.DeleteFunc(s.ends, func(t time.Time) bool { return now.Sub(t) >= rule.Window })
	fresh = len(s.ends) == 0
	s.ends = append(s.ends, now)
	s.last, s.total = err, s.total+1
	s.failing = s.failing || len(s.ends) >= rule.Most
	return s.failing, fresh
}

// again has the service started again, which is no fault.
func (s *service) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.restart != nil {
		s.restart(errAgain)
	}
}

// fault is why the service is a failing one, or nil.
func (s *service) fault(rule serviceRule) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.failing || len(s.ends) > 0 && s.began.After(s.ends[len(s.ends)-1]) && time.Since(s.began) >= rule.Window {
		return nil
	}
	return fmt.Errorf("%s has ended %d times: %w", s.name, s.total, cause(s.last))
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// pulse is when a goroutine last completed a piece of its work. The zero value
// is of one that is not watched.
type pulse struct {
	limit time.Duration // silence beyond it is a standstill; 0: not watched
	// read gives the last turn where the goroutine notes it itself; may be nil.
	read func() int64
	last atomic.Int64 // CLOCK_MONOTONIC ns; 0 while it does not run
}

func (p *pulse) beat() { p.last.Store(monoNow()) }
func (p *pulse) rest() { p.last.Store(0) }

// still reports whether the goroutine runs and has completed nothing for too
// long.
func (p *pulse) still(now int64) bool {
	last := p.last.Load()
	if last != 0 && p.read != nil {
		last = max(last, p.read())
	}
	return p.limit > 0 && last != 0 && now-last > p.limit.Nanoseconds()
}

// pulseEvery is how often a goroutine that waits for events shows that it does.
const pulseEvery = 3 * time.Second

// each hands what comes to do until ctx ends, and beats after each and while
// nothing comes.
func each[T any](ctx context.Context, from <-chan T, beat func(), do func(T)) error {
	idle := time.NewTicker(pulseEvery)
	defer idle.Stop()
	for {
		select {
		case v := <-from:
			do(v)
		case <-idle.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if beat != nil {
			beat()
		}
	}
}
