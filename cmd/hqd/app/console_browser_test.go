package app

import (
	"bytes"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bordergate/gate/screen/browsertest"
	"bordergate/sync/journal"
	"bordergate/sync/link"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// TestConsoleInABrowser is an officer's way in a real browser: he signs in, sees
// a referral come, looks, makes his key, and admits; headquarters goes away and
// comes back. Each step leaves a picture in out/screens.
func TestConsoleInABrowser(t *testing.T) {
	b := browsertest.Start(t)
	c := newConsole(t)
	c.gate = newGate(t, c.hqRig, "lane-1")
	c.verifying()
	c.gate.state = wire.State{Mode: "ready", Clock: "synchronised", HeadIssued: time.Now().UnixNano(), Simulated: true}
	newGate(t, c.hqRig, "lane-2") // registered, and never heard
	c.gate.start(c.hqRig)
	c.gate.heard(1)

	p := b.Open(c.app.ConsoleAddress()+"/", 1440, 900)
	p.Wait(`location.pathname === '/login' && document.getElementById('name') === document.activeElement`)
	shot(t, p, "1-sign-in")
	// The page would leave for the console by itself, and take with it whoever
	// waits in it: the test lets it ask, and goes there itself.
	p.Eval(`(() => {
		const ask = window.fetch;
		window.fetch = async (...a) => { window.answer = await ask(...a); return new Promise(() => {}); };
		document.getElementById('name').value = 'commander';
		document.getElementById('password').value = '`+testPassword+`';
		document.querySelector('button').click();
	})()`, nil)
	p.Wait(`window.answer?.ok`)
	p.Go(c.app.ConsoleAddress() + "/")
	p.Wait(`document.querySelectorAll('.lane').length === 2 && document.getElementById('link').textContent === 'Connected'`)
	shot(t, p, "2-lanes")

	c.day()
	p.Wait(`document.querySelectorAll('#list button').length === 3`)
	p.Eval(`document.querySelector('#list button[data-id^="lane-1.01"]').click()`, nil)
	p.Wait(`document.querySelector('[data-photo=live] img')?.naturalWidth > 0 && document.querySelector('[data-photo=enrolled]').textContent.includes('no photograph is kept')`)
	shot(t, p, "3-exception")

	p.Eval(`document.getElementById('key').click()`, nil)
	p.Wait(`document.querySelector('#dialog[open] button.main')`)
	p.Eval(`document.querySelector('#dialog button.main').click()`, nil)
	p.Wait(`document.getElementById('pem')?.value.includes('END PUBLIC KEY')`)
	shot(t, p, "4-key")
	var key string
	p.Eval(`document.getElementById('pem').value`, &key)
	c.certify([]byte(key))
	p.Eval(`document.querySelector('#dialog .acts button').click()`, nil)

	p.Eval(`[...document.querySelectorAll('#detail .acts button')].find(b => b.textContent.startsWith('Admit')).click()`, nil)
	p.Wait(`document.querySelector('#dialog[open] #reason')`)
	p.Eval(`document.getElementById('reason').value = 'identity_checked'`, nil)
	shot(t, p, "5-admit")
	p.Eval(`document.querySelector('#dialog button.main').click()`, nil)
	p.Wait(`document.getElementById('toast').textContent.includes('opens for one') || document.querySelector('#dialog [role=alert]')?.textContent`)
	shot(t, p, "6-admitted")
	var wrong string
	if p.Eval(`document.querySelector('#dialog[open] [role=alert]')?.textContent ?? ''`, &wrong); wrong != "" {
		t.Fatalf("the act was refused: %s", wrong)
	}

	p.Eval(`document.querySelector('[data-view=figures]').click()`, nil)
	p.Wait(`document.querySelectorAll('#figures svg[role=img]').length === 3`)
	shot(t, p, "7-figures")
	p.Eval(`document.querySelector('[data-view=log]').click()`, nil)
	p.Wait(`document.querySelector('#log table')?.textContent.includes('commander')`)
	shot(t, p, "8-log")
	p.Eval(`document.querySelector('[data-view=board]').click()`, nil)
	p.Resize(800, 1100)
	shot(t, p, "9-narrow")
	p.Resize(1440, 900)
	if list := p.Complaints(); len(list) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(list, "\n"))
	}
	if list := p.Requests(); slices.ContainsFunc(list, func(u string) bool {
		return !strings.HasPrefix(u, c.app.ConsoleAddress()) && !strings.HasPrefix(u, "blob:")
	}) {
		t.Errorf("addresses outside: %v", list)
	}

	c.console.Listen = c.app.desk.ln.Addr().String()
	c.stop()
	p.Wait(`!document.getElementById('lost').hidden`)
	shot(t, p, "10-no-connection")
	c.start()
	p.Wait(`document.getElementById('lost').hidden && document.querySelectorAll('#list button').length === 3 && location.pathname === '/'`)
	p.Eval(`document.getElementById('stop').click()`, nil)
	p.Wait(`document.querySelector('#dialog[open]')`)
	shot(t, p, "11-stop-all")
}

// shot keeps a picture of the page, and holds the page to the rules for those
// who see or move otherwise.
func shot(t *testing.T, p *browsertest.Page, name string) {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "out", "screens")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "console-"+name+".png"), p.Picture(), 0o644); err != nil {
		t.Fatal(err)
	}
	if list := p.Axe(); len(list) > 0 {
		t.Errorf("%s:\n%s", name, strings.Join(list, "\n"))
	}
}

// verifying has the gate verify acts as a gate does.
func (c *consoleRig) verifying() {
	nonce := strings.Repeat("5a", 16)
	c.gate.onCommand = func(o link.Order) {
		r := wire.Result{ID: o.ID, Do: o.Do, Outcome: wire.OutcomeExecuted, At: time.Now().UnixNano(), Newest: o.Seq}
		switch o.Do {
		case wire.DoNonce:
			r.Nonce = nonce
		case wire.DoAct:
			act, err := (station{app: c.app}).Verify(c.t.Context(), "lane-1", "o-17", o.Act)
			if err != nil || act.Nonce != nonce || act.Tx != hex.EncodeToString(c.tx[:]) {
				r.Outcome, r.Why = wire.OutcomeRefused, fmt.Sprintf("not the officer's act: %v", err)
			}
		}
		c.gate.link.Answer(r)
	}
}

func (c *consoleRig) certify(key []byte) {
	c.t.Helper()
	if block, _ := pem.Decode(key); block == nil {
		c.t.Fatalf("no key: %s", key)
	}
	if _, err := ask[OfficerReport](c.t, c.hqRig, "POST", "/officers", OfficerOrder{
		By: "test", ID: "o-17", Key: key, Acts: []string{wire.ActOverride, wire.ActMode}, Crossings: []string{"*"}, NotAfter: time.Now().Add(time.Hour),
	}); err != nil {
		c.t.Fatal(err)
	}
}

// day has the gate record some hours' travellers, three exceptions last.
func (c *consoleRig) day() {
	c.t.Helper()
	now := time.Now()
	put := func(d journal.Draft) {
		if _, err := c.gate.out.Append(c.t.Context(), d); err != nil {
			c.t.Fatal(err)
		}
	}
	outcomes := []string{"admitted", "admitted", "admitted", "admitted", "admitted", "overridden", "admitted", "referred", "admitted", "refused"}
	reasons := []string{"face_quality", "pass_stamp_due", "face_mismatch", "pass_unreadable"}
	for i := range 120 {
		at, o := now.Add(-time.Duration(i*9)*time.Minute-2*time.Hour), outcomes[i%len(outcomes)]
		public := map[string]any{"outcome": o, "steps_us": map[string]int64{
			"symbol_in_view": 1_000_000, "first_usable_face": 1_150_000, "grant_sent": 1_300_000 + int64(i%17)*11_000, "passage_completed": 4_600_000 + int64(i%23)*90_000,
		}}
		if o != "admitted" {
			public["reasons"] = []string{reasons[i/10%len(reasons)]}
		}
		if o == "referred" || o == "refused" {
			continue // would be an exception of its own
		}
		put(journal.Draft{Stream: wire.StreamCrossing, Kind: "outcome", Class: vault.ClassCrossing, Wall: at.UnixNano(), Public: public})
	}
	for i, why := range [][]string{{"face_mismatch", "pass_stamp_due"}, {"account_suspended"}, {"liveness_undecided"}} {
		tx := [16]byte{byte(i + 1)}
		put(journal.Draft{
			Stream: wire.StreamCrossing, Kind: "decision", Class: vault.ClassCrossing, Tx: tx, Wall: now.Add(-time.Duration(i*50) * time.Second).UnixNano(),
			Public: map[string]any{
				"outcome": "referred", "reasons": why, "score": 0.31, "threshold": 0.42, "frames": 5, "model": "sface-2021dec", "reference": "cache",
				"liveness": "live", "direction": "entry",
			},
			Personal: fmt.Appendf(nil, `{"pass_number":"LC-00%d","account":"A-00%d","pass_type":"border_pass"}`, i, i),
		})
		put(journal.Draft{
			Stream: wire.StreamImage, Kind: "still", Class: vault.ClassImage, Tx: tx, Wall: now.UnixNano(),
			Public: map[string]any{"for": "decision"}, Personal: drawnFace(),
		})
	}
	c.gate.link.Notify()
}

// drawnFace is a picture of nobody.
func drawnFace() []byte {
	m := image.NewRGBA(image.Rect(0, 0, 240, 300))
	for y := range 300 {
		for x := range 240 {
			m.Set(x, y, color.RGBA{90, 110, 130, 255})
			if dx, dy := float64(x-120)/75, float64(y-150)/100; dx*dx+dy*dy < 1 {
				m.Set(x, y, color.RGBA{216, 176, 146, 255})
			}
			for _, eye := range []int{92, 148} {
				if dx, dy := x-eye, y-125; dx*dx+dy*dy < 64 {
					m.Set(x, y, color.RGBA{40, 40, 50, 255})
				}
			}
			if y > 198 && y < 204 && x > 95 && x < 145 {
				m.Set(x, y, color.RGBA{150, 70, 70, 255})
			}
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		return nil
	}
	return b.Bytes()
}
