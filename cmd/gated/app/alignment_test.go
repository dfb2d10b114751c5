package app

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"bordergate/biometrics"
	"bordergate/configs"
	"bordergate/gate"
	"bordergate/hal/vision"
)

// told notes what a worker is asked for.
type told struct{ list []string }

func (w *told) Watch(s uint32) {
	if s&alignBit != 0 {
		w.list = append(w.list, "align")
		return
	}
	w.list = append(w.list, fmt.Sprint("watch ", s))
}
func (w *told) Stop()          { w.list = append(w.list, "stop") }
func (w *told) Mirror(on bool) { w.list = append(w.list, fmt.Sprint("views ", on)) }

func (w *told) take() []string {
	l := w.list
	w.list = nil
	return l
}

// TestTheLaneGoesBeforeTheTechnician: he never takes a worker that the lane has,
// not while it only holds it still, and the views end when the last of those
// who asked has enough.
func TestTheLaneGoesBeforeTheTechnician(t *testing.T) {
	w := &told{}
	d := &desk{worker: w}
	mirror, bench := d.mirror(), d.mirror()
	for _, c := range []struct {
		do   func()
		want string
	}{
		{func() { d.align(true) }, "align"},
		{func() { d.align(true) }, ""},
		{func() { d.watch(5) }, "watch 5"},
		{func() { d.align(false) }, ""},
		{func() { d.align(true) }, ""},
		{func() { d.rest(false) }, "stop"},
		{func() { d.align(true) }, ""},
		{func() { d.rest(true) }, "stop"},
		{func() { d.align(true) }, "align"},
		{func() { d.align(false) }, "stop"},
		{func() { d.align(false) }, ""},
		{func() { mirror(true) }, "views true"},
		{func() { bench(true); bench(true) }, ""},
		{func() { mirror(false); mirror(false) }, ""},
		{func() { bench(false) }, "views false"},
	} {
		if c.do(); strings.Join(w.take(), " ") != c.want {
			t.Errorf("the worker was not told just %q", c.want)
		}
	}
}

// sights is a camera, a lane and a technician who may look.
type sights struct {
	w    *told
	b    *bench
	view gate.View
	lane []gate.Input
	now  atomic.Int64
}

// later lets time pass.
func (s *sights) later(d time.Duration) { s.now.Add(d.Nanoseconds()) }

func newSights() *sights {
	s := &sights{w: &told{}, view: gate.View{State: gate.Ready}}
	s.now.Store(time.Hour.Nanoseconds())
	e := &eye{name: "face_camera", conf: configs.Camera{Width: 1280, Height: 720}, rules: biometrics.ProbeRules(), desk: &desk{worker: s.w}, post: func(in gate.Input) { s.lane = append(s.lane, in) }}
	s.b = newBench(e, func() (string, int64) { return laneOpen(s.view) }, s.now.Load)
	e.bench = s.b
	return s
}

func goodFace() vision.Face {
	return vision.Face{
		Session: 1 | alignBit, Count: 1, Box: [4]float32{500, 200, 200, 260}, Width: 1280, Height: 720, Raw: []float32{1, 2},
		Quality: vision.FaceQuality{Score: .95, Norm: 9, EyeDistance: 90, Laplacian: 60, Luminance: 120, NoseDrop: .5},
	}
}

func (s *sights) picture() { s.b.e.tell(vision.View{FrameAt: s.b.mono(), JPEG: []byte("picture")}) }

// TestAViewIsForWhoLooksAtAnEmptyLane follows one technician: the camera is asked
// while he looks, with what it finds; a traveller ends it at once and leaves
// nothing of before; who goes away ends it too.
func TestAViewIsForWhoLooksAtAnEmptyLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSights()
		s.b.look()
		s.picture()
		if got := s.w.take(); len(got) != 0 || s.b.shot.Live {
			t.Fatalf("nobody looks, and the worker is told %v", got)
		}
		answer := make(chan bool)
		go func() {
			shot := s.b.newer(t.Context(), 0)
			answer <- shot.Live && string(shot.JPEG) == "picture" && len(shot.Outline) == 4 && len(shot.Rules) == 11 && shot.Tone == "good"
		}()
		synctest.Wait()
		s.b.look()
		if got := s.w.take(); !slices.Equal(got, []string{"align", "views true"}) {
			t.Fatalf("told %v", got)
		}
		face := goodFace()
		s.b.e.tell(face)
		if face.Raw[0] != 0 || len(s.lane) != 0 {
			t.Error("a technician's face goes on to the lane, or its vector is kept")
		}
		s.later(time.Second)
		s.b.e.tell(goodFace())
		s.picture()
		if !<-answer {
			t.Error("no whole view")
		}
		n := s.b.shot.Number
		s.picture()
		if s.b.shot.Number != n {
			t.Error("more pictures than asked for")
		}
		hidden := make(chan string)
		go func() { hidden <- s.b.newer(t.Context(), n).Why }()
		synctest.Wait()
		s.view = gate.View{State: gate.Matching, Tx: gate.TxID{1}}
		began := time.Now()
		s.b.look()
		if why := <-hidden; !strings.Contains(why, "not empty") || time.Since(began) != 0 {
			t.Errorf("who waits for a picture is told %q after %v", why, time.Since(began))
		}
		s.view = gate.View{State: gate.Ready}
		s.b.look()
		s.picture()
		s.w.take()
		s.view = gate.View{State: gate.Matching, Tx: gate.TxID{1}}
		if shot := s.b.newer(t.Context(), 0); shot.Live || len(shot.JPEG) > 0 || shot.Why == "" {
			t.Errorf("a traveller is seen: %+v", shot)
		}
		s.later(time.Second)
		s.picture()
		s.b.look()
		if got := s.w.take(); !slices.Equal(got, []string{"stop", "views false"}) || s.b.shot.Live {
			t.Errorf("a traveller is there: told %v", got)
		}
		s.view = gate.View{State: gate.Ready, Since: s.b.mono() + 1}
		s.b.look()
		s.w.take()
		s.picture()
		if s.b.shot.Live {
			t.Error("a frame of the traveller before is seen")
		}
		s.later(2 * alignLook)
		s.b.look()
		if got := s.w.take(); !slices.Equal(got, []string{"stop", "views false"}) {
			t.Errorf("nobody looks any more: told %v", got)
		}
	})
}

// TestWhenALaneMayBeSeen goes through every state: only those without a
// traveller, and maintenance.
func TestWhenALaneMayBeSeen(t *testing.T) {
	open := map[string]bool{"closed": true, "self_test": true, "ready": true, "out_of_service": true}
	for s := gate.Closed; s <= gate.OutOfService; s++ {
		if why, _ := laneOpen(gate.View{State: s, Mode: gate.ModeNormal}); (why == "") != open[s.String()] {
			t.Errorf("%v: %q", s, why)
		}
		if why, _ := laneOpen(gate.View{State: s, Mode: gate.ModeNormal, Tx: gate.TxID{1}}); why == "" {
			t.Errorf("%v in a transaction is seen", s)
		}
		if why, _ := laneOpen(gate.View{State: s, Mode: gate.ModeMaintenance}); why != "" {
			t.Errorf("%v in maintenance is not seen", s)
		}
	}
}

// TestTheListedRulesAreTheJudges: a face is good exactly when every rule that
// the page lists is kept.
func TestTheListedRulesAreTheJudges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		near := func(name string, v float64) float64 {
			return rapid.OneOf(rapid.Just(v), rapid.Float64Range(-2*v-1, 2*v+1)).Draw(t, name)
		}
		r := biometrics.ProbeRules()
		q := biometrics.Quality{
			Faces: 1, Second: near("second", .2), Score: near("score", .95), Norm: near("norm", 5), EyeDistance: near("eyes", 60),
			Laplacian: near("sharp", 30), Luminance: near("light", 120), ShareOver: near("over", .05), ShareUnder: near("under", .1),
			NoseOffset: near("offset", .1), NoseDrop: near("drop", .5), Roll: near("roll", 5),
		}
		ok, _ := r.Judge(q)
		all := true
		for _, v := range faceRules(q, r) {
			all = all && v.OK
		}
		if ok != all {
			t.Fatalf("judged %v, the rules say %v: %+v", ok, all, q)
		}
	})
}

func TestASymbolsOutlineIsShownAndNotWhatItSays(t *testing.T) {
	s := symbolShot(vision.Symbol{Symbology: "qr", Payload: []byte("SECRET"), Corners: [4][2]float32{{1, 2}, {3, 2}, {3, 4}, {1, 4}}}, [2]int{1280, 720})
	if text := fmt.Sprintf("%+v", s); strings.Contains(text, "SECRET") || len(s.Outline) != 4 || s.Outline[1] != [2]int{3, 2} {
		t.Errorf("shown %s", text)
	}
}
