package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bordergate/biometrics"
	"bordergate/cmd/gated/technician"
	"bordergate/configs"
	"bordergate/gate"
	"bordergate/gate/screen/browsertest"
	"bordergate/hal/vision"
)

// pageSizes are a technician's telephone and his notebook.
func pageSizes() []image.Point { return []image.Point{{X: 1280, Y: 800}, {X: 390, Y: 844}} }

// desktop is a technician before a served page.
type desktop struct {
	t    *testing.T
	s    *technician.Server
	o    technician.Options
	stop func()
	page *browsertest.Page
}

// servePage serves a page until the test or stop ends it.
func servePage(t *testing.T, o technician.Options) (*technician.Server, func()) {
	t.Helper()
	s, err := technician.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	stop := sync.OnceFunc(func() {
		end()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("served until %v", err)
		}
		_ = s.Close()
	})
	t.Cleanup(stop)
	return s, stop
}

func newDesktop(t *testing.T, b *browsertest.Browser, page func() technician.Page, shot func(context.Context, string, uint64) technician.Shot) *desktop {
	t.Helper()
	d := &desktop{t: t, o: technician.Options{
		Listen: "127.0.0.1:0", TokenFile: filepath.Join(t.TempDir(), "token"), Page: page, Shot: shot, Idle: time.Hour, Now: time.Now,
	}}
	d.s, d.stop = servePage(t, d.o)
	token, err := os.ReadFile(d.o.TokenFile)
	if err != nil {
		t.Fatal(err)
	}
	// He signs in in another tab: this one must not be gone while it is asked.
	d.page = b.Open("http://"+d.s.Addr()+"/", 1280, 800)
	d.page.Eval(`window.tab = open("/sign-in"); true`, nil)
	d.page.Wait(`tab.document.readyState === "complete" && tab.document.getElementById("token")`)
	d.page.Eval(fmt.Sprintf(`tab.document.getElementById("token").value = %q; tab.document.querySelector("form").requestSubmit(); true`, strings.TrimSpace(string(token))), nil)
	d.page.Wait(`tab.location.pathname === "/status" && tab.document.readyState === "complete"`)
	d.page.Eval(`tab.close(); true`, nil)
	d.page.Go("http://" + d.s.Addr() + "/")
	d.page.Wait(`document.body.dataset.page === "status"`)
	return d
}

// keep looks at the whole of the page at each size and fails for what is
// clipped, unreadable, or said on the console. Where BORDERGATE_SCREENS names a
// folder it keeps a picture.
func (d *desktop) keep(name string) {
	d.t.Helper()
	for _, size := range pageSizes() {
		var tall int
		d.page.Resize(size.X, size.Y)
		d.page.Eval(`document.documentElement.scrollHeight`, &tall)
		d.page.Resize(size.X, max(size.Y, tall))
		for _, text := range append(d.page.Clipped(), d.page.Axe()...) {
			d.t.Errorf("%s at %v: %s", name, size, text)
		}
		if dir := os.Getenv("BORDERGATE_SCREENS"); dir != "" {
			file := filepath.Join(dir, fmt.Sprintf("technician-%s-%dx%d.png", name, size.X, size.Y))
			if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(file, d.page.Picture(), 0o600)); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	if name != "disconnected" { // then the browser has something to say
		d.clean()
	}
}

func (d *desktop) clean() {
	d.t.Helper()
	for _, text := range d.page.Complaints() {
		d.t.Errorf("the browser says: %s", text)
	}
	for _, u := range d.page.Requests() {
		if !strings.HasPrefix(u, "http://"+d.s.Addr()) && !strings.HasPrefix(u, "data:image/jpeg") && u != "about:blank" {
			d.t.Errorf("the page asks %s", u)
		}
	}
}

// wellStatus is a gate on a good day.
func wellStatus() (Status, []DeviceCheck) {
	mono := func(name, detail string, age float64) DeviceCheck {
		return DeviceCheck{Device: Device{Name: name, OK: true}, AgeMS: age, Detail: detail}
	}
	st := SelfTest{At: "2026-11-22T03:00:04Z", Why: testNightly, OK: true}
	for _, c := range []string{"turnstile", "face_camera", "document_camera", "sample_pass", "face_vector", "models", "journal", "disk", "clock", "certificates", "accounts"} {
		st.Checks = append(st.Checks, SelfCheck{Check: c, OK: true, Detail: "as it should be", Millis: 12})
	}
	return Status{
		Simulated: true,
		Gate:      Place{ID: "lane-1", Crossing: "HNG1", Lane: "1", Direction: "exit"},
		Lane:      LaneStatus{State: "ready", Mode: "normal", Direction: "exit", ForS: 83},
		HQ:        HQStatus{Connected: true, Issued: time.Now().Add(-90 * time.Second).UTC().Format(time.RFC3339), Cursor: 4711},
		Trust:     TrustStatus{Source: fromHQ, Version: 7, Issued: "2026-11-20T08:00:00Z", Signers: 3}, SelfTest: &st,
		Journal: []Backlog{{"crossings", 1204, 1204}, {"alarms", 17, 17}, {"telemetry", 9210, 9207}},
		Faces:   &FaceStatus{Faces: 5120, Usable: 4488, FalseReject: Share{Count: 2, Of: 611, Low: .0004, High: .0118}},
		Recent: []event{
			{Tx: "0193f2c4a1b2", Outcome: "admitted", Notices: []gate.Notice{"stamp_soon"}, Steps: map[string]float64{"symbol_decoded": 1040, "match_decided": 1490, "verdict": 1492, "journaled": 1499, "grant_sent": 1503, "passage_completed": 4520}},
			{Tx: "0193f2c4a0aa", Outcome: "referred", Reasons: []string{"face_mismatch", "pass_stamp_due"}, Steps: map[string]float64{"symbol_decoded": 980, "match_decided": 7010}},
		},
	}, []DeviceCheck{mono("turnstile", "events lost 0", 12), mono("document_camera", "1280x720 at 25.0 frames a second", 31), mono("face_camera", "1280x720 at 25.0 frames a second", 22), mono("scanner", "scans 811, spoilt 2", 640)}
}

func noShot(context.Context, string, uint64) technician.Shot {
	return technician.Shot{Why: "This camera could not be opened: the status page says why."}
}

// TestTechniciansPages is what a technician sees of a gate that is well, that
// lacks its devices, and whose file is broken.
func TestTechniciansPages(t *testing.T) {
	b := browsertest.Start(t)
	a := New(goodStation(t), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = a.Close() })
	well, devices := wellStatus()
	d := newDesktop(t, b, func() technician.Page { return a.pageOf(well, devices) }, noShot)
	d.keep("well")
	d.page.Go("http://" + d.s.Addr() + "/sign-in")
	d.keep("sign-in")
	d = newDesktop(t, b, a.technicianPage, noShot)
	d.has("turnstile", "bring", "face camera")
	d.keep("device-missing")

	good, err := os.ReadFile("../../../configs/gate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "gate.yaml")
	text := strings.NewReplacer("unit: 1\n", "units: 1\n", "pulse: 300ms", "pulse: 3s", "direction: exit ", "direction: out ",
		`"0000 0000`, `"ab12 0000`).Replace(string(good))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, faults := configs.LoadGate(file)
	if len(faults) != 3 {
		t.Fatalf("faults %v", faults)
	}
	for i := range faults {
		faults[i].File = "/etc/bordergate/gate.yaml" // the test's own place is of no interest
	}
	broken := newBroken(looseGate(), faults, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = broken.Close() })
	d = newDesktop(t, b, broken.technicianPage, noShot)
	d.has("turnstile.units", `did you mean "unit"?`, "turnstile.pulse", "gate.direction", "line ")
	d.keep("broken-config")
}

// has waits until the page says all of it.
func (d *desktop) has(words ...string) {
	d.t.Helper()
	var text string
	d.page.Eval(`document.body.textContent`, &text)
	for _, w := range words {
		if !strings.Contains(text, w) {
			d.t.Errorf("the page does not say %q", w)
		}
	}
}

// figure is a view that shows nobody.
func figure(width int, face bool) []byte {
	m := image.NewRGBA(image.Rect(0, 0, width, width*9/16))
	for y := range m.Rect.Dy() {
		for x := range width {
			c := color.RGBA{uint8(60 + x/8), uint8(70 + y/4), 90, 255}
			dx, dy := float64(x-width/2)/float64(width), float64(y-m.Rect.Dy()/2)/float64(width)
			if face && dx*dx/.0064+dy*dy/.0121 < 1 {
				c = color.RGBA{200, 170, 150, 255}
			}
			if !face && dx*dx < .02 && dy*dy < .02 {
				c = color.RGBA{240, 240, 240, 255}
				if dx*dx < .006 && dy*dy < .006 && (x/8+y/8)%2 == 0 {
					c = color.RGBA{20, 20, 20, 255}
				}
			}
			m.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	_ = jpeg.Encode(&b, m, nil) // into memory
	return b.Bytes()
}

// film is a camera's worker that sends what it sees all the time.
func film(ctx context.Context, e *eye) {
	f := goodFace()
	f.Box, f.Quality.Luminance, f.Quality.Roll = [4]float32{538, 219, 204, 282}, 41, 22
	picture := figure(480, e.name == "face_camera")
	for pause(ctx, alignEvery/3) {
		if e.name == "face_camera" {
			e.tell(f)
		} else {
			e.tell(vision.Symbol{Session: 1 | alignBit, Symbology: "qr", Corners: [4][2]float32{{541, 261}, {739, 261}, {739, 459}, {541, 459}}})
		}
		e.tell(vision.View{FrameAt: monoNow(), JPEG: bytes.Clone(picture)})
	}
}

// TestTechniciansCameras aligns both cameras: the face with a rule that fails,
// the symbol with its outline; a traveller hides both.
func TestTechniciansCameras(t *testing.T) {
	var mu sync.Mutex
	served := false
	view := func() gate.View {
		mu.Lock()
		defer mu.Unlock()
		if served {
			return gate.View{State: gate.Matching, Tx: gate.TxID{1}}
		}
		return gate.View{State: gate.Ready}
	}
	a := New(goodStation(t), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = a.Close() })
	a.eyes = nil
	ctx, end := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() { end(); running.Wait() })
	for _, name := range []string{"face_camera", "document_camera"} {
		e := &eye{name: name, conf: configs.Camera{Width: 1280, Height: 720}, rules: biometrics.ProbeRules(), desk: &desk{worker: &told{}}}
		e.bench = newBench(e, func() (string, int64) { return laneOpen(view()) }, monoNow)
		a.eyes = append(a.eyes, e)
		running.Go(func() { _ = e.bench.serve(ctx) })
		running.Go(func() { film(ctx, e) })
	}
	well, devices := wellStatus()
	d := newDesktop(t, browsertest.Start(t), func() technician.Page { return a.pageOf(well, devices) }, a.shot)
	d.page.Go("http://" + d.s.Addr() + "/cameras")
	live := func(want bool) {
		t.Helper()
		d.page.Wait(fmt.Sprintf(`[...document.querySelectorAll(".camera")].every(c => c.dataset.live === "%v")`, want))
	}
	live(true)
	d.has("would be told: too dark", "at least", "A symbol is read: qr")
	d.keep("cameras")
	mu.Lock()
	served = true
	mu.Unlock()
	d.page.Wait(`[...document.querySelectorAll(".camera .none")].every(e => !e.hidden && e.textContent.startsWith("No view: the lane is not empty"))`)
	var left int
	d.page.Eval(`[...document.querySelectorAll("img")].filter(i => i.hasAttribute("src")).length`, &left)
	if left != 0 {
		t.Errorf("%d pictures stay while a traveller is served", left)
	}
	d.keep("cameras-hidden")
}

// TestTechniciansPageRecovers: it follows what changes, shows that it is
// disconnected, and goes on by itself, signed in, when the daemon is back.
func TestTechniciansPageRecovers(t *testing.T) {
	a := New(goodStation(t), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = a.Close() })
	well, devices := wellStatus()
	var mu sync.Mutex
	page := func() technician.Page {
		mu.Lock()
		defer mu.Unlock()
		return a.pageOf(well, devices)
	}
	d := newDesktop(t, browsertest.Start(t), page, noShot)
	mu.Lock()
	well.Lane.State = "out_of_service"
	mu.Unlock()
	d.page.Wait(`document.querySelector("h1").textContent.includes("out of service") && document.getElementById("s-lane").textContent.includes("out of service")`)
	d.o.Listen = d.s.Addr()
	d.stop()
	d.page.Wait(`document.getElementById("link").textContent.startsWith("Disconnected")`)
	d.page.Forgive()
	d.keep("disconnected")
	d.page.Forgive()
	mu.Lock()
	well.Lane.State = "ready"
	mu.Unlock()
	servePage(t, d.o)
	d.page.Wait(`document.getElementById("link").hidden && document.querySelector("h1").textContent.includes("ready")`)
	var where string
	if d.page.Eval(`location.pathname`, &where); where != "/status" {
		t.Errorf("the page is at %s", where)
	}
}
