package app

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"bordergate/biometrics"
	"bordergate/cmd/gated/technician"
	"bordergate/gate"
	"bordergate/hal/vision"
)

// A technician aligns a camera by its live view. He sees one only while no
// traveller is served, only while he looks, and nothing of it is kept: the
// camera's worker is asked for views and findings under a session of his own,
// which the lane takes from it whenever it wants, and never hears of.

// alignBit marks the sessions of alignment; the lane counts its own from 1.
const alignBit = 1 << 31

// looker is what a worker can be asked for.
type looker interface {
	Watch(session uint32)
	Stop()
	Mirror(on bool)
}

// desk takes the orders of everybody who wants something of a worker. The
// lane's go before.
type desk struct {
	worker looker

	mu      sync.Mutex
	lane    bool // it has a session, or holds the worker still within one
	aligns  bool // the worker watches for the technician
	session uint32
	mirrors int
}

func (d *desk) watch(session uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lane, d.aligns = true, false
	d.worker.Watch(session)
}

// rest has the worker stand still; over says that the lane is done with it.
func (d *desk) rest(over bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lane, d.aligns = !over, false
	d.worker.Stop()
}

// align has the worker watch for the technician, unless the lane has it.
func (d *desk) align(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.lane || on == d.aligns:
	case on:
		d.aligns = true
		d.session++
		d.worker.Watch(d.session | alignBit)
	default:
		d.aligns = false
		d.worker.Stop()
	}
}

// mirror makes one who may ask for views: they are sent while anybody does.
func (d *desk) mirror() func(on bool) {
	var mine bool
	return func(on bool) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if on == mine {
			return
		}
		mine = on
		before := d.mirrors
		if on {
			d.mirrors++
		} else {
			d.mirrors--
		}
		if (before > 0) != (d.mirrors > 0) {
			d.worker.Mirror(d.mirrors > 0)
		}
	}
}

// Times of a view.
const (
	alignEvery = 180 * time.Millisecond // from picture to picture at least
	alignLook  = 3 * time.Second        // who has not asked for so long looks no more
	alignWait  = 2 * time.Second        // for a picture
	alignFresh = 1200 * time.Millisecond
)

// bench is the technician's place at one camera.
type bench struct {
	e      *eye
	views  func(on bool)
	open   func() (why string, since int64) // why nothing may be seen, and since when something may
	mono   func() int64
	mu     sync.Mutex
	wanted int64 // until when somebody looks
	on     bool
	taken  int64 // when the newest view was
	shot   technician.Shot
	found  technician.Shot // what was last found, without a picture
	seen   int64           // when
	next   chan struct{}
}

func newBench(e *eye, open func() (string, int64), mono func() int64) *bench {
	return &bench{e: e, views: e.desk.mirror(), open: open, mono: mono, next: make(chan struct{})}
}

// laneOpen says why no view may be shown as the lane is, and since when one may.
func laneOpen(v gate.View) (why string, since int64) {
	switch {
	case v.Mode == gate.ModeMaintenance:
		return "", v.Since
	case v.Tx == (gate.TxID{}) && slices.Contains([]gate.State{gate.Closed, gate.SelfTest, gate.Ready, gate.OutOfService}, v.State):
		return "", v.Since
	default:
		return "No view: the lane is not empty. It comes back when it is, or in maintenance.", 0
	}
}

// serve begins and ends the views as somebody looks and the lane allows.
func (b *bench) serve(ctx context.Context) error {
	defer b.turn(false)
	for pause(ctx, alignEvery) {
		b.look()
	}
	return ctx.Err()
}

func (b *bench) look() {
	why, _ := b.open()
	b.mu.Lock()
	on := why == "" && b.mono() < b.wanted
	b.mu.Unlock()
	b.turn(on)
}

// turn asks the worker, and forgets the last picture when nobody may see it.
func (b *bench) turn(on bool) {
	b.e.desk.align(on) // each time: the lane may have had the worker
	b.views(on)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.on && !on { // who waits for a picture is told at once that there is none
		close(b.next)
		b.next = make(chan struct{})
	}
	if b.on = on; !on {
		b.forget()
	}
}

// forget drops what was seen. The caller holds mu.
func (b *bench) forget() {
	clear(b.shot.JPEG)
	b.shot, b.found, b.seen = technician.Shot{Number: b.shot.Number}, technician.Shot{}, 0
}

// take keeps what an event of the worker shows, for the moment; true says that
// it is the technician's alone.
func (b *bench) take(v vision.Event) bool {
	switch v := v.(type) {
	case vision.View:
		b.view(v)
	case vision.Face:
		if v.Session&alignBit != 0 {
			clear(v.Raw) // nobody is compared
			b.find(faceShot(v, b.e.rules))
			return true
		}
	case vision.Symbol:
		if v.Session&alignBit != 0 {
			b.find(symbolShot(v, b.e.size()))
			return true
		}
	case vision.Shown:
		return v.Session&alignBit != 0
	}
	return false
}

func (b *bench) find(s technician.Shot) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.on {
		b.found, b.seen = s, b.mono()
	}
}

func (b *bench) view(v vision.View) {
	why, since := b.open()
	size := b.e.size()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.on || why != "" || v.FrameAt < since || v.FrameAt-b.taken < alignEvery.Nanoseconds() {
		return
	}
	n := b.shot.Number
	clear(b.shot.JPEG)
	b.shot = technician.Shot{Found: "Nothing found in the picture", Tone: technician.Warn}
	if b.mono()-b.seen < alignFresh.Nanoseconds() {
		b.shot = b.found
	}
	if b.shot.Width == 0 {
		b.shot.Width, b.shot.Height = size[0], size[1]
	}
	b.taken, b.shot.Number, b.shot.Live, b.shot.JPEG = v.FrameAt, n+1, true, slices.Clone(v.JPEG)
	close(b.next)
	b.next = make(chan struct{})
}

// newer is the view after a number; it waits a little for it.
func (b *bench) newer(ctx context.Context, after uint64) technician.Shot {
	limit := time.NewTimer(alignWait)
	defer limit.Stop()
	for {
		why, _ := b.open()
		b.mu.Lock()
		b.wanted = b.mono() + alignLook.Nanoseconds()
		if why != "" {
			b.forget()
		}
		s, next := b.shot, b.next
		s.JPEG = slices.Clone(s.JPEG) // the shot's own is cleared when it is over
		b.mu.Unlock()
		switch {
		case why != "":
			return technician.Shot{Number: s.Number, Why: why}
		case s.Live && s.Number != after:
			return s
		}
		clear(s.JPEG)
		select {
		case <-next:
		case <-limit.C:
			return technician.Shot{Number: s.Number, Why: b.lack()}
		case <-ctx.Done():
			return technician.Shot{Number: s.Number, Why: "The gate stops."}
		}
	}
}

// lack says why the camera gives no picture.
func (b *bench) lack() string {
	if d := b.e.device(); !d.OK && d.Error != "" {
		return "The camera gives no picture: " + d.Error
	}
	return "The camera gives no picture yet."
}

// size is that of the newest frame.
func (e *eye) size() [2]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.health == nil {
		return [2]int{e.conf.Width, e.conf.Height}
	}
	return [2]int{e.health.Width, e.health.Height}
}

func symbolShot(v vision.Symbol, size [2]int) technician.Shot {
	s := technician.Shot{Width: size[0], Height: size[1], Found: "A symbol is read: " + v.Symbology, Tone: technician.Good}
	for _, c := range v.Corners {
		s.Outline = append(s.Outline, [2]int{whole(c[0]), whole(c[1])})
	}
	return s
}

func faceShot(v vision.Face, r biometrics.Rules) technician.Shot {
	s := technician.Shot{Width: v.Width, Height: v.Height, Found: "No face", Tone: technician.Warn}
	if v.Count == 0 {
		return s
	}
	x, y, w, h := whole(v.Box[0]), whole(v.Box[1]), whole(v.Box[2]), whole(v.Box[3])
	s.Outline = [][2]int{{x, y}, {x + w, y}, {x + w, y + h}, {x, y + h}}
	q := qualityOf(v)
	s.Rules = faceRules(q, r)
	s.Found, s.Tone = "The face is good enough to be compared", technician.Good
	if ok, hint := r.Judge(q); !ok {
		s.Found, s.Tone = "The face is not good enough: the traveller would be told: "+spaced(string(hint)), technician.Warn
	}
	return s
}

func whole(v float32) int { return int(math.Round(float64(v))) }

func qualityOf(v vision.Face) biometrics.Quality {
	q := v.Quality
	return biometrics.Quality{
		Faces: v.Count, Second: float64(v.Second), Score: float64(q.Score), Norm: float64(q.Norm),
		EyeDistance: float64(q.EyeDistance), Laplacian: float64(q.Laplacian), Luminance: float64(q.Luminance),
		ShareOver: float64(q.ShareOver), ShareUnder: float64(q.ShareUnder),
		NoseOffset: float64(q.NoseOffset), NoseDrop: float64(q.NoseDrop), Roll: float64(q.Roll),
	}
}

// faceRules are the rules of biometrics.Rules.Judge one by one.
func faceRules(q biometrics.Quality, r biometrics.Rules) []technician.RuleValue {
	rule := func(name, unit string, v, least, most float64) technician.RuleValue {
		limit := fmt.Sprintf("%.4g to %.4g%s", least, most, unit)
		switch {
		case math.IsInf(most, 1):
			limit = fmt.Sprintf("at least %.4g%s", least, unit)
		case math.IsInf(least, -1):
			limit = fmt.Sprintf("at most %.4g%s", most, unit)
		}
		return technician.RuleValue{Rule: name, Value: fmt.Sprintf("%.3g%s", v, unit), Limit: limit, OK: v >= least && v <= most}
	}
	none, low := math.Inf(1), math.Inf(-1)
	norm := rule("norm of the vector", "", q.Norm, r.MinNorm, none)
	norm.OK = norm.OK && q.Norm > 0
	return []technician.RuleValue{
		rule("detector's certainty", "", q.Score, r.MinScore, none),
		rule("second face, width", "", q.Second, low, r.MaxSecond),
		rule("distance of the eyes", " px", q.EyeDistance, r.MinEyeDistance, none),
		rule("brightness", "", q.Luminance, r.MinLuminance, r.MaxLuminance),
		rule("share too dark", "", q.ShareUnder, low, r.MaxShareUnder),
		rule("share too bright", "", q.ShareOver, low, r.MaxShareOver),
		rule("turned aside", "", q.NoseOffset, -r.MaxNoseOffset, r.MaxNoseOffset),
		rule("looks up or down", "", q.NoseDrop, r.MinNoseDrop, r.MaxNoseDrop),
		rule("tilted", "°", q.Roll, -r.MaxRoll, r.MaxRoll),
		rule("sharpness", "", q.Laplacian, r.MinLaplacian, none),
		norm,
	}
}
