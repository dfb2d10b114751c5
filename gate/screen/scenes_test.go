package screen

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/gate/screen/browsertest"
)

// sizes are the screens that a gate has.
func sizes() []image.Point { return []image.Point{{1080, 1920}, {1280, 800}} }

// shot is one thing that the screen can show: the views that lead to it.
type shot struct {
	name  string
	step  Step
	views []gate.View
}

// shots are all that the screen can show, word by word.
func shots() []shot {
	here := func(s gate.State) gate.View { return gate.View{State: s, Tx: gate.TxID{1}, Mode: gate.ModeNormal} }
	var list []shot
	add := func(name string, views ...gate.View) {
		list = append(list, shot{name, looks()[views[len(views)-1].State].step, views})
	}
	add("01-welcome", here(gate.Ready))
	add("02-pass", here(gate.Reading))
	for _, h := range []struct {
		name string
		seen gate.Document
	}{{hintFlat, gate.DocumentShown}, {hintOther, gate.DocumentForeign}} {
		v := here(gate.Reading)
		v.Document = h.seen
		add("02-pass-"+h.name, v)
	}
	add("03-face", here(gate.Matching))
	for _, h := range Hints()[:8] {
		v := here(gate.Matching)
		v.Hint = h
		add("03-face-"+h, v)
	}
	add("04-checking", here(gate.Deciding))
	add("05-go", here(gate.Granted))
	for _, n := range Notices() {
		v := here(gate.Granted)
		v.Notices = Notices()
		add("05-go-"+string(n), v)
	}
	add("06-done", here(gate.Clearing))
	for _, w := range Words() {
		for _, r := range reason.Reasons() {
			if words()[r] == w && !r.Hidden() {
				add("07-officer-"+string(w), gate.View{State: gate.Deciding, Finished: true, Reasons: []reason.Reason{r}}, here(gate.ReferredAway))
				break
			}
		}
	}
	add("08-clear", here(gate.Blocked))
	add("09-wait", here(gate.SelfTest))
	add("10-closed", here(gate.Closed))
	add("11-emergency", here(gate.Emergency))
	return list
}

// stage is a screen with a browser before it.
type stage struct {
	t     *testing.T
	s     *Server
	page  *browsertest.Page
	since int64
}

func newStage(t *testing.T, size image.Point) *stage {
	t.Helper()
	b := browsertest.Start(t)
	g := &stage{t: t, s: serve(t, options(t))}
	g.s.board.director.flat = time.Millisecond
	g.page = b.Open(g.s.StartURL(), size.X, size.Y)
	g.settle()
	return g
}

// settle waits until the page shows the newest message.
func (g *stage) settle() {
	g.t.Helper()
	m, _ := g.s.board.newest()
	g.page.Wait(fmt.Sprintf("document.body.dataset.seq === '%d'", m.Seq))
}

// play gives the views of a shot, each a little later than the last.
func (g *stage) play(c shot) {
	g.t.Helper()
	for _, v := range c.views {
		g.since++
		v.Since = g.since
		g.s.Show(v)
	}
	g.settle()
	if c.step == StepFace {
		g.s.Picture(portrait())
		g.page.Wait("!document.getElementById('mirror').hidden")
	}
	if c.name == "02-pass-"+hintFlat {
		g.page.Wait("!document.getElementById('hint').hidden")
	}
}

// clean fails the test for whatever the browser found wrong, and for every
// address that is not this screen's.
func (g *stage) clean() {
	g.t.Helper()
	for _, c := range g.page.Complaints() {
		g.t.Errorf("the browser complains: %s", c)
	}
	own := "http://" + g.s.Addr() + "/"
	for _, r := range g.page.Requests() {
		if len(r) < len(own) || r[:len(own)] != own {
			g.t.Errorf("the page asks another: %s", r)
		}
	}
}

// portrait is a drawn head before a grey wall, as JPEG.
func portrait() []byte {
	img := image.NewRGBA(image.Rect(0, 0, 640, 480))
	for y := range 480 {
		for x := range 640 {
			dx, dy := float64(x-320)/95, float64(y-210)/130
			c := color.RGBA{150, 160, 170, 255}
			switch {
			case dx*dx+dy*dy < 1:
				c = color.RGBA{205, 165, 135, 255}
			case y > 330 && dx*dx < 4:
				c = color.RGBA{60, 80, 120, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	_ = jpeg.Encode(&b, img, nil) // into memory: never fails
	return b.Bytes()
}

// keep writes the page as a picture where BORDERGATE_SCREENS names a folder.
func (g *stage) keep(name string) {
	g.t.Helper()
	dir := os.Getenv("BORDERGATE_SCREENS")
	if dir == "" {
		return
	}
	path := filepath.Join(dir, name+".png")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(path, g.page.Picture(), 0o644); err != nil {
		g.t.Fatal(err)
	}
}

// TestEveryTextFits shows everything in every language at both sizes: no text
// is cut off, the picture that is named is there, the page's language is right.
// What breaks a rule of axe-core is looked for in one language at every step,
// and in every language at one; with BORDERGATE_SCREENS everywhere.
func TestEveryTextFits(t *testing.T) {
	if raced {
		t.Skip("race: it is the browser that works here, and the other tests drive the same server")
	}
	g := newStage(t, sizes()[0])
	g.page.Media("prefers-reduced-motion", "reduce")
	all := os.Getenv("BORDERGATE_SCREENS") != ""
	for _, size := range sizes() {
		g.page.Resize(size.X, size.Y)
		for _, lang := range Languages() {
			for i, c := range shots() {
				g.s.board.choose(lang)
				if c.step == StepWelcome { // a choice ends with the traveller
					g.play(c)
					g.s.board.choose(lang)
					g.settle()
				} else {
					g.play(c)
				}
				where := fmt.Sprintf("%dx%d/%s/%s", size.X, size.Y, lang, c.name)
				for _, wrong := range append(g.page.Clipped(), g.wrong(lang)...) {
					t.Errorf("%s: %s", where, wrong)
				}
				// One of each step has all the parts of the others of it.
				if whole := strings.Count(c.name, "-") == 1 || strings.HasSuffix(c.name, "-"+hintOther) || strings.HasPrefix(c.name, "05-go-"); all || size == sizes()[0] && (lang == "en" && whole || i == 3) {
					for _, v := range g.page.Axe() {
						t.Errorf("%s: %s", where, v)
					}
				}
				g.keep(where)
			}
		}
	}
	g.clean()
}

// wrong lists the parts of the page that stand on one another, a picture that is
// not there, and a language that is not the page's.
func (g *stage) wrong(lang string) (list []string) {
	g.page.Eval(`(() => {
		const out = [], parts = [];
		for (const id of ["way", "plate", "mirror", "title", "body", "hint", "notices", "time", "languages"]) {
			const e = document.getElementById(id);
			const r = e.getBoundingClientRect();
			if (e.checkVisibility({visibilityProperty: true}) && r.width && r.height) parts.push([id, r]);
		}
		for (const [a, p] of parts) for (const [b, q] of parts)
			if (a < b && p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 1 && q.top < p.bottom - 1) out.push(a + " stands on " + b);
		for (const u of document.querySelectorAll("main use"))
			if (!document.querySelector(u.getAttribute("href"))) out.push("no picture " + u.getAttribute("href"));
		if (document.documentElement.lang !== "`+g.s.board.texts[lang].Lang+`") out.push("lang is " + document.documentElement.lang);
		return out;
	})()`, &list)
	return list
}
