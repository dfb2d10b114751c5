package app

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"strings"
	"testing"
	"time"

	"bordergate/configs"
	"bordergate/gate"
	"bordergate/hal"
	"bordergate/hal/vision"
)

// drawing is a JPEG of a drawing.
func drawing(t *testing.T, shade func(x, y int) uint8) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 64, 48))
	for y := range 48 {
		for x := range 64 {
			m.SetGray(x, y, color.Gray{Y: shade(x, y)})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCameraIsJudgedByItsPictures(t *testing.T) {
	scene := drawing(t, func(x, y int) uint8 { return uint8(60 + 120*((x/8+y/8)%2)) })
	other := drawing(t, func(x, y int) uint8 { return uint8(61 + 120*((x/8+y/8)%2)) })
	flat := func(v uint8) []byte { return drawing(t, func(int, int) uint8 { return v }) }
	moving := func(jpegs ...[]byte) []vision.Image {
		var out []vision.Image
		for i, j := range jpegs {
			out = append(out, vision.Image{FrameAt: int64(i + 1), Width: 64, Height: 48, JPEG: j})
		}
		return out
	}
	still := moving(scene, other)
	still[1].FrameAt = still[0].FrameAt
	small := moving(scene, other)
	small[0].Width = 32
	for name, c := range map[string]struct {
		pictures []vision.Image
		exact    bool
		says     string // empty: well
	}{
		"well":            {moving(scene, other), true, ""},
		"a drawing":       {moving(scene, scene), false, ""},
		"a frozen sensor": {moving(scene, scene), true, "frozen"},
		"no newer frame":  {still, false, "frozen"},
		"black":           {moving(flat(0), flat(0)), true, "black"},
		"blinded":         {moving(flat(255), flat(255)), true, "blinded"},
		"covered":         {moving(flat(90), flat(90)), true, "structure"},
		"of another size": {small, true, "32x48"},
		"not a picture":   {moving([]byte("nothing"), nil), true, "read"},
	} {
		t.Run(name, func(t *testing.T) {
			e := &eye{name: "face_camera", conf: configs.Camera{Width: 64, Height: 48}}
			e.ask = func() {
				e.tell(c.pictures[0])
				c.pictures = c.pictures[1:]
			}
			f := e.test(t.Context(), c.exact)
			if f.bad != (c.says != "") || !strings.Contains(f.detail, c.says) || f.bad != (f.hint != "") {
				t.Errorf("found %+v, want %q", f, c.says)
			}
		})
	}
}

func TestSampleOfTheSelfTestIsReadWholeAndForgeriesAreFound(t *testing.T) {
	if f := testSeal(); f.bad {
		t.Fatalf("%+v", f)
	}
	a := &App{matcher: testMatcher()}
	if f := a.testFaces(); f.bad {
		t.Fatalf("%+v", f)
	}
	if f := (&App{}).testFaces(); !f.bad || f.critical {
		t.Fatalf("without models %+v", f)
	}
}

// dryBoard answers a dry run as it is told to.
type dryBoard struct {
	stated
	halt, grant error
	granted     []hal.Grant
}

func (d *dryBoard) Halt() error { return d.halt }

func (d *dryBoard) Grant(_ context.Context, g hal.Grant) error {
	d.granted = append(d.granted, g)
	return d.grant
}

func TestTurnstileIsTestedDry(t *testing.T) {
	for name, c := range map[string]struct {
		simulated   bool
		halt, grant error
		bad, grave  bool
	}{
		"well":                        {true, nil, hal.ErrExpired, false, false},
		"a real gate is not granted":  {false, nil, nil, false, false},
		"an output that stays on":     {true, hal.ErrRejected, nil, true, true},
		"an expired grant that opens": {true, nil, nil, true, true},
		"one that may have opened":    {true, nil, hal.ErrUnconfirmed, true, true},
		"an obstructed passage":       {true, nil, hal.ErrObstructed, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := New(goodStation(t), quiet())
			defer a.Close()
			a.cfg.Simulated = c.simulated
			dev := &dryBoard{halt: c.halt, grant: c.grant}
			a.barrier.dev = dev
			f := a.dryRun(t.Context())
			if f.bad != c.bad || f.critical != c.grave {
				t.Errorf("found %+v", f)
			}
			if want := c.simulated && c.halt == nil; (len(dev.granted) == 1) != want {
				t.Errorf("grants %v", dev.granted)
			}
			if len(dev.granted) == 1 && dev.granted[0].Valid > time.Microsecond {
				t.Errorf("a dry grant that is valid for %v", dev.granted[0].Valid)
			}
		})
	}
}

func TestCriticalFindingClosesTheLaneUntilItIsGone(t *testing.T) {
	a := New(goodStation(t), quiet())
	defer a.Close()
	bad := true
	a.tester.checks = func(context.Context) []namedCheck {
		return []namedCheck{
			{"small", func(context.Context) finding { return ill("do this", "a small thing") }},
			{"great", func(context.Context) finding {
				if bad {
					return ill("do that", "a great thing").gravely()
				}
				return well("well")
			}},
		}
	}
	out := a.tester.run(t.Context(), testAtStart)
	if out.OK || len(out.Checks) != 2 || out.Checks[0].Critical || !out.Checks[1].Critical || out.Checks[1].Hint != "do that" {
		t.Fatalf("found %+v", out)
	}
	if a.unfit.holds() != gate.CauseSelfTest {
		t.Fatal("the lane is not told")
	}
	if s := a.Status(); s.SelfTest == nil || s.SelfTest.OK || !has(codesOf(s.Degraded), "self_test_failed") {
		t.Errorf("status %+v %+v", s.SelfTest, s.Degraded)
	}
	now := time.Now()
	for d, want := range map[time.Duration]string{time.Minute: "", selfTestAgain: testRepeated} {
		if got := a.tester.due(now.Add(d), false); got != want {
			t.Errorf("after %v due for %q, want %q", d, got, want)
		}
	}
	bad = false
	a.tester.run(t.Context(), testRepeated)
	if a.unfit.holds() != "" {
		t.Fatal("a small finding closes the lane")
	}
	a.tester.when = time.Date(2026, 11, 22, 20, 0, 0, 0, time.Local)
	night := time.Date(2026, 11, 23, selfTestHour, 10, 0, 0, time.Local)
	if a.tester.due(night, true) != testNightly || a.tester.due(night, false) != "" || a.tester.due(night.Add(3*time.Hour), true) != "" {
		t.Error("not at night, or not only while nobody is there")
	}
}

func codesOf(rows []Degraded) (out []string) {
	for _, d := range rows {
		out = append(out, d.Device+"_"+d.Failure)
	}
	return out
}

// TestSelfTestOfAGateWithoutDevices runs every check on a station that lacks
// its hardware: each says so with a cure, none closes the lane for it.
func TestSelfTestOfAGateWithoutDevices(t *testing.T) {
	a := New(goodStation(t), quiet())
	defer a.Close()
	a.eyes = nil // their patience is tested elsewhere
	out := a.tester.run(t.Context(), testOrdered)
	for _, c := range out.Checks {
		if c.OK != (c.Hint == "") || c.Detail == "" || c.Critical {
			t.Errorf("%+v", c)
		}
	}
	if len(out.Checks) < 9 || out.OK {
		t.Errorf("%d checks, ok %v", len(out.Checks), out.OK)
	}
}
