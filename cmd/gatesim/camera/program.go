package camera

import (
	"sync"
	"time"

	"bordergate/cmd/gatesim/scene"
)

// Program is what a camera shows of one traveller, from a start on: first
// the frames on the way in, then the loop to and fro until it is ended, then
// the frames on the way out. Before and after, the camera shows its idle
// loop.
type Program struct {
	intro, loop, outro []scene.Frame

	mu    sync.Mutex
	start int64 // CLOCK_MONOTONIC ns; 0 not started
	end   int64 // when the loop ends; 0 not yet known
	seen  Seen
}

// Seen says when frames of a kind were first sent, CLOCK_MONOTONIC
// nanoseconds; 0 not at all. The time is that at which sending began.
type Seen struct {
	InView int64
	Usable int64
}

// NewProgram makes a program that has not begun.
func NewProgram(intro, loop, outro []scene.Frame) *Program {
	return &Program{intro: intro, loop: loop, outro: outro}
}

// Start begins the program at a moment, CLOCK_MONOTONIC ns.
func (p *Program) Start(at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start = at
}

// End ends the loop at a moment; the way out follows.
func (p *Program) End(at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end = at
}

// Seen says what was sent so far.
func (p *Program) Seen() Seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// frame is what to show at a moment, false for the idle loop.
func (p *Program) frame(at int64) (scene.Frame, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.start == 0 || at < p.start {
		return scene.Frame{}, false
	}
	if p.end != 0 && at >= p.end {
		i := int((at - p.end) / int64(Period))
		if i < len(p.outro) {
			return p.outro[i], true
		}
		return scene.Frame{}, false
	}
	i := int((at - p.start) / int64(Period))
	if i < len(p.intro) {
		return p.intro[i], true
	}
	if len(p.loop) == 0 {
		return scene.Frame{}, false
	}
	return p.loop[toAndFro(i-len(p.intro), len(p.loop))], true
}

// sent notes that a frame went out.
func (p *Program) sent(t scene.Truth, at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.InView && p.seen.InView == 0 {
		p.seen.InView = at
	}
	if t.Usable && p.seen.Usable == 0 {
		p.seen.Usable = at
	}
}

// toAndFro walks 0..n-1..0 without showing an end twice.
func toAndFro(i, n int) int {
	if n == 1 {
		return 0
	}
	i %= 2*n - 2
	if i >= n {
		i = 2*n - 2 - i
	}
	return i
}

// Period is the time between two frames.
const Period = time.Second / scene.FPS
