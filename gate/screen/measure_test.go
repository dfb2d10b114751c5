package screen

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/gate/screen/browsertest"
)

// measured skips what only makes sense on a quiet machine.
func measured(t *testing.T) {
	t.Helper()
	if os.Getenv("BORDERGATE_MEASURE") == "" {
		t.Skip("measured by: make bench PART=people")
	}
}

// figure is one line of the bench: printed, and written for gatebench. A figure
// with a goal may be that at most.
func figure(t *testing.T, name string, value float64, unit string, most float64, note string) {
	t.Helper()
	load, _ := os.ReadFile("/proc/loadavg")
	t.Logf("%-36s %9.1f %-4s %s (load %s)", name, value, unit, note, strings.TrimSpace(string(load)))
	row := map[string]any{"name": "screen: " + name, "value": value, "unit": unit, "ok": true}
	if most > 0 {
		row["goal"], row["ok"] = fmt.Sprintf("<= %.0f", most), value <= most
		if value > most {
			t.Errorf("%s is %.1f %s, at most %.1f is allowed", name, value, unit, most)
		}
	}
	b, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(os.Getenv("BORDERGATE_MEASURE"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(append(b, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestMeasureReaction is the time from an input of a real lane to the frame of
// the browser that shows it.
func TestMeasureReaction(t *testing.T) {
	measured(t)
	const events = 400
	o := options(t)
	o.Mono = mono
	s := serve(t, o)
	c := newCompany()
	go func() {
		for done := range c.journal {
			done(nil)
		}
	}()
	t.Cleanup(func() { close(c.journal) })
	l := lane(t, c, s)
	p := browsertest.Start(t).Open(s.StartURL(), 1080, 1920)
	for _, in := range []gate.Input{
		gate.Start(mono()), gate.TurnstileUp(mono(), true), gate.EmergencyInput(mono(), gate.Off), gate.Obstruction(mono(), gate.Off),
		gate.Presence(mono(), gate.Off), gate.CameraUp(mono(), gate.DocumentCamera, true), gate.CameraUp(mono(), gate.FaceCamera, true),
	} {
		l.Post(in)
	}
	p.Wait("document.body.dataset.step === 'welcome'")
	// The frame after the one in which the page has changed: it is on the glass.
	p.Eval(`window.at = {}; new MutationObserver(() => { const step = document.body.dataset.step;
		requestAnimationFrame(() => requestAnimationFrame(() => { at[step] = performance.timeOrigin + performance.now(); })); })
		.observe(document.body, {attributes: true, attributeFilter: ["data-seq"]}); true`, nil)
	var all []float64
	for i := range events {
		step, level := StepPass, gate.On
		if i%2 == 1 {
			step, level = StepWelcome, gate.Off
		}
		p.Eval("delete at."+string(step), nil)
		sent := float64(time.Now().UnixNano()) / 1e6
		l.Post(gate.Presence(mono(), level))
		p.Wait("at." + string(step))
		var shown float64
		p.Eval("at."+string(step), &shown)
		all = append(all, shown-sent)
	}
	slices.Sort(all)
	figure(t, "lane event to frame, p50", all[len(all)/2], "ms", 0, fmt.Sprintf("%d events", events))
	figure(t, "lane event to frame, p95", all[len(all)*95/100], "ms", 100, "")
	figure(t, "lane event to frame, largest", all[len(all)-1], "ms", 0, "")
	var weight int
	for _, path := range []string{"/", "/screen.css", "/screen.js", "/setup.json"} {
		weight += ask(s, httptest.NewRequest("GET", "http://localhost"+path, nil), s.token).Body.Len()
	}
	figure(t, "page weight", float64(weight)/1024, "KiB", 300, "not compressed")
}

// way is the views of one traveller; one in ten is sent to the officer.
func way(n int) []gate.View {
	id := gate.TxID{byte(n), byte(n >> 8), 1}
	v := func(s gate.State) gate.View { return gate.View{State: s, Tx: id, Mode: gate.ModeNormal} }
	seen, closer, still := v(gate.Reading), v(gate.Matching), v(gate.Matching)
	seen.Document, closer.Hint, still.Hint = gate.DocumentForeign, "closer", "hold_still"
	list := []gate.View{v(gate.Reading), seen, v(gate.Matching), closer, still, v(gate.Deciding)}
	end := gate.View{State: gate.Passing, Tx: id, Finished: true, Outcome: reason.Admitted, Notices: Notices()}
	if n%10 == 0 {
		end = gate.View{State: gate.Deciding, Tx: id, Finished: true, Outcome: reason.Referred, Reasons: []reason.Reason{reason.PassStampDue}}
		return append(list, end, gate.View{State: gate.ReferredAway}, gate.View{State: gate.Ready})
	}
	return append(list, v(gate.Granted), v(gate.Passing), end, gate.View{State: gate.Clearing}, gate.View{State: gate.Ready})
}

// TestMeasureDay replays the travellers of 24 hours, one every 30 seconds, each
// message shown before the next, and weighs page and server before and after.
func TestMeasureDay(t *testing.T) {
	measured(t)
	const warm, travellers = 100, 24 * 60 * 2
	g := newStage(t, sizes()[0])
	g.page.Call("Network.disable", map[string]any{}, nil) // it keeps what was loaded
	g.page.Eval(`window.shown = seq => new Promise(done => {
		const look = () => document.body.dataset.seq === String(seq);
		if (look()) return done();
		const o = new MutationObserver(() => { if (look()) { o.disconnect(); done(); } });
		o.observe(document.body, {attributes: true, attributeFilter: ["data-seq"]});
	}); true`, nil)
	head := portrait()
	var since int64
	var messages int
	replay := func(from, to int) {
		for n := from; n < to; n++ {
			for _, v := range way(n) {
				since++
				v.Since = since
				g.s.Show(v)
				m, _ := g.s.board.newest()
				g.page.Eval(fmt.Sprintf("shown(%d)", m.Seq), nil)
				messages++
				if v.Hint == "closer" {
					g.s.Picture(head)
				}
			}
		}
	}
	server := func() (bytes, routines int) {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc), runtime.NumGoroutine()
	}
	replay(0, warm)
	before := g.page.Weigh()
	heap, routines := server()
	began := time.Now()
	messages = 0
	replay(warm, warm+travellers)
	after := g.page.Weigh()
	heap2, routines2 := server()
	figure(t, "24 h of travellers replayed", time.Since(began).Seconds(), "s", 0, fmt.Sprintf("%d travellers, %d views", travellers, messages))
	figure(t, "heap after the first 100", before.Heap/1024, "KiB", 0, fmt.Sprintf("%d nodes, %d listeners", before.Nodes, before.Listeners))
	figure(t, "heap grown in 24 h", (after.Heap-before.Heap)/1024, "KiB", 512, "JavaScript, after garbage collection")
	figure(t, "nodes grown in 24 h", float64(after.Nodes-before.Nodes), "", 50, fmt.Sprintf("%d listeners", after.Listeners))
	figure(t, "server's heap grown in 24 h", float64(heap2-heap)/1024, "KiB", 4096, "with the test's own")
	figure(t, "server's goroutines grown in 24 h", float64(routines2-routines), "", 8, "")
	g.clean()
}
