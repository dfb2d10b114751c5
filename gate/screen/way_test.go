package screen

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/gate/screen/browsertest"
)

// company plays every neighbour of a lane but the screen.
type company struct {
	now     time.Time
	session atomic.Uint32
	grant   chan gate.TxID
	journal chan func(error) // records on their way to the disk
	pass    gate.Pass
}

func newCompany() *company {
	now := time.Now()
	return &company{
		now: now, grant: make(chan gate.TxID, 8), journal: make(chan func(error), 64),
		pass: gate.Pass{
			Number: "P-NEVER-SHOWN", Type: "border_pass", Account: "A-NEVER-SHOWN", NameMRZ: "NGUYEN", Crossings: []string{"HNG1"},
			Directions: []gate.Direction{gate.DirExit}, ValidFrom: now.Add(-9 * 24 * time.Hour), ValidTo: now.Add(24 * time.Hour),
		},
	}
}

func (c *company) Read(payload []byte, _ time.Time) gate.Claim {
	if string(payload) != "pass" {
		return gate.Claim{Fault: reason.PassFormat}
	}
	return gate.Claim{Pass: c.pass}
}

func (c *company) Look(string) gate.Account {
	return gate.Account{Status: gate.AccountActive, Level: 2, Model: "m", Reference: []byte{1}, Issued: c.now}
}
func (c *company) Watched(gate.Pass) (on, ok bool)     { return false, true }
func (c *company) CatchingUp() bool                    { return false }
func (c *company) Pass(string) gate.PassState          { return gate.PassState{} }
func (c *company) Moved(string, gate.Direction, int64) {}
func (c *company) Unsure(string)                       {}
func (c *company) Stamped(string, int64)               {}
func (c *company) Fits(string) bool                    { return true }
func (c *company) Open(gate.Pass) []byte               { return nil }
func (c *company) Begin()                              {}
func (c *company) Hold()                               {}
func (c *company) Present(int64) bool                  { return true }
func (c *company) Revoke(gate.TxID)                    {}
func (c *company) Watch(s uint32)                      { c.session.Store(s) }
func (c *company) Again(s uint32)                      { c.session.Store(s) }
func (c *company) Stop()                               {}
func (c *company) Follow(gate.Face) gate.Sight         { return gate.SightKept }
func (c *company) Record(_ gate.Entry, done func(error)) error {
	c.journal <- done
	return nil
}

func (c *company) Match(faces []gate.Face, _ string, _ []byte, _ bool) gate.Match {
	if len(faces) == 0 {
		return gate.Match{}
	}
	return gate.Match{Similarity: gate.Same, Liveness: gate.LiveYes, Score: .7, Frames: len(faces), Model: "m"}
}

func (c *company) Grant(id gate.TxID, _ gate.Direction, _ time.Duration) error {
	c.grant <- id
	return nil
}

func (c *company) Wall() (time.Time, gate.ClockTrust, time.Time) {
	return c.now, gate.ClockSynced, c.now
}

var boot = time.Now()

func mono() int64 { return int64(time.Since(boot)) + 1 }

// lane runs a real lane before the screen.
func lane(t *testing.T, c *company, s *Server) *gate.Lane {
	t.Helper()
	l, err := gate.NewLane(gate.Options{
		Policy: gate.Policy{
			Crossing: "HNG1", Direction: gate.DirExit, CacheMaxAge: 72 * time.Hour,
			PassTypes: map[string]gate.PassRule{"border_pass": {Level: 2, StampEvery: 10 * 24 * time.Hour, StampSoon: 2 * 24 * time.Hour}},
		},
		Times: gate.DefaultTimes(), Passes: c, Accounts: c, Register: c, References: c, Matcher: c, Tracker: c, Recorder: c,
		Turnstile: c, Eyes: c, Screen: shower{s}, Clock: c, Mono: mono,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx) }()
	t.Cleanup(func() {
		end()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the lane ended with %v", err)
		}
	})
	return l
}

type shower struct{ s *Server }

func (h shower) Show(v gate.View) { h.s.Show(v) }

// TestTravellersWay is one traveller's way past a real lane and screen, in the
// browser: each step is seen, at the end nothing of him is left.
func TestTravellersWay(t *testing.T) {
	o := options(t)
	o.Mono, o.Limits = mono, map[gate.State]time.Duration{gate.Reading: 15 * time.Second, gate.Matching: 6 * time.Second}
	s := serve(t, o)
	c := newCompany()
	l := lane(t, c, s)
	p := browsertest.Start(t).Open(s.StartURL(), 1080, 1920)
	g := &stage{t: t, s: s, page: p}
	see := func(step Step) {
		t.Helper()
		p.Wait("document.body.dataset.step === '" + string(step) + "'")
		g.keep("way/" + string(step))
	}
	see(StepClosed)
	l.Post(gate.Start(mono()))
	see(StepWait)
	for _, in := range []gate.Input{
		gate.TurnstileUp(mono(), true), gate.EmergencyInput(mono(), gate.Off), gate.Obstruction(mono(), gate.Off), gate.Presence(mono(), gate.Off),
		gate.CameraUp(mono(), gate.DocumentCamera, true), gate.CameraUp(mono(), gate.FaceCamera, true),
	} {
		l.Post(in)
	}
	see(StepWelcome)
	l.Post(gate.Presence(mono(), gate.On))
	see(StepPass)
	p.Eval(`document.querySelector("#languages button:nth-child(2)").click()`, nil)
	p.Wait(`document.documentElement.lang === "en"`)
	l.Post(gate.Symbol(mono(), c.session.Load(), mono(), []byte("https://example.com")))
	p.Wait(`document.getElementById("hint-text").textContent.startsWith("Another code")`)
	l.Post(gate.Symbol(mono(), c.session.Load(), mono(), []byte("pass")))
	see(StepFace)
	l.Post(gate.FaceSeen(mono(), c.session.Load(), gate.Face{FrameAt: mono(), Count: 1, Hint: "closer"}))
	p.Wait(`document.getElementById("hint-text").textContent === "Come closer"`)
	s.Picture(portrait())
	p.Wait(`!document.getElementById("mirror").hidden`)
	if n := blank(p); n == 0 {
		t.Error("the mirror is empty")
	}
	l.Post(gate.FaceSeen(mono(), c.session.Load(), gate.Face{FrameAt: mono(), Count: 1, Usable: true, Embedding: []float32{1}}))
	see(StepChecking)
	if n := blank(p); n != 0 {
		t.Error("the mirror's last picture stays on the page")
	}
	(<-c.journal)(nil)
	see(StepGo)
	p.Wait(`document.getElementById("notices").textContent.includes("stamp soon")`)
	id := <-c.grant
	l.Post(gate.GrantAccepted(mono(), id))
	l.Post(gate.Obstruction(mono(), gate.On))
	l.Post(gate.PassageStarted(mono(), id))
	l.Post(gate.PassageCompleted(mono(), id, gate.DirExit))
	see(StepDone)
	l.Post(gate.Presence(mono(), gate.Off))
	l.Post(gate.Obstruction(mono(), gate.Off))
	see(StepWelcome)
	var left struct{ Lang, Text, Cue string }
	p.Eval(`({lang: document.documentElement.lang, text: document.body.textContent + document.documentElement.outerHTML, cue: document.body.dataset.cue})`, &left)
	if left.Lang != "vi" {
		t.Errorf("the next traveller is spoken to in %s", left.Lang)
	}
	for _, never := range []string{"stamp soon", "Come closer", "NEVER-SHOWN", "NGUYEN", id.String()} {
		if strings.Contains(left.Text, never) {
			t.Errorf("%q is left on the page", never)
		}
	}
	if left.Cue != "go go" {
		t.Errorf("the last sound was %q", left.Cue)
	}
	l.Post(gate.EmergencyInput(mono(), gate.On))
	see(StepEmergency)
	g.clean()
}

// blank is how many pixels of the mirror are drawn.
func blank(p *browsertest.Page) (n int) {
	p.Eval(`(() => { const g = document.getElementById("glass"), own = document.createElement("canvas");
		own.width = g.width; own.height = g.height;
		const pen = own.getContext("2d", {willReadFrequently: true});
		pen.drawImage(g, 0, 0);
		return pen.getImageData(0, 0, g.width, g.height).data.filter((v, i) => i % 4 === 3 && v).length; })()`, &n)
	return n
}

// TestThePageRecovers: a page whose daemon has gone never shows an open gate,
// and goes on by itself when the daemon is back within the boot.
func TestThePageRecovers(t *testing.T) {
	o := options(t)
	o.Start = filepath.Join(t.TempDir(), "start")
	first, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- first.Serve(ctx) }()
	first.Show(gate.View{State: gate.Granted})
	p := browsertest.Start(t).Open(first.StartURL(), 1280, 800)
	p.Wait("document.body.dataset.tone === 'go'")
	o.Listen = first.Addr()
	end()
	<-done
	_ = first.Close()
	p.Wait("document.body.dataset.step === 'away' && document.body.dataset.tone === 'calm'")
	for _, text := range append(p.Clipped(), p.Axe()...) {
		t.Errorf("without a connection: %s", text)
	}
	(&stage{t: t, page: p}).keep("way/away")
	second := serve(t, o)
	second.Show(gate.View{State: gate.Ready})
	p.Wait("document.body.dataset.step === 'welcome'")
	var mirrored int
	p.Eval(fmt.Sprintf("document.querySelectorAll('#languages button').length - %d", len(Languages())), &mirrored)
	if mirrored != 0 {
		t.Error("the page is not whole any more")
	}
}
