package browsertest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Page is one tab.
type Page struct {
	t       testing.TB
	b       *Browser
	session string

	mu         sync.Mutex
	complaints []string
	requests   []string
}

// Open opens a tab of the given size, in pixels of the page, at an address. It
// returns when the page has loaded.
func (b *Browser) Open(url string, width, height int) *Page {
	b.t.Helper()
	p := &Page{t: b.t, b: b}
	var target struct {
		ID string `json:"targetId"`
	}
	var attached struct {
		ID string `json:"sessionId"`
	}
	p.Call("Target.createTarget", m{"url": "about:blank"}, &target) // of no session yet
	p.Call("Target.attachToTarget", m{"targetId": target.ID, "flatten": true}, &attached)
	p.session = attached.ID
	b.wire.listen(p.session, p.hear)
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		p.Call(domain+".enable", m{}, nil)
	}
	p.Resize(width, height)
	p.Go(url)
	return p
}

type m = map[string]any

func (p *Page) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("browser: %v\n%v\n%s", err, p.Complaints(), p.b.errors.String())
	}
}

// Call asks the browser for one thing of the DevTools protocol.
func (p *Page) Call(method string, params, into any) {
	p.t.Helper()
	ctx, end := context.WithTimeout(context.WithoutCancel(p.t.Context()), Patience)
	defer end()
	p.must(p.b.wire.call(ctx, p.session, method, params, into))
}

// Go loads an address.
func (p *Page) Go(url string) {
	p.t.Helper()
	var r struct {
		Error string `json:"errorText"`
	}
	p.Call("Page.navigate", m{"url": url}, &r)
	if r.Error != "" {
		p.t.Fatalf("browser: load %s: %s", url, r.Error)
	}
	p.Wait("document.readyState === 'complete'")
}

// Resize gives the page a size, as if the screen had it.
func (p *Page) Resize(width, height int) {
	p.t.Helper()
	p.Call("Emulation.setDeviceMetricsOverride", m{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
}

// Media has the page believe what a user has set, such as
// prefers-reduced-motion: reduce.
func (p *Page) Media(feature, value string) {
	p.t.Helper()
	p.Call("Emulation.setEmulatedMedia", m{"features": []m{{"name": feature, "value": value}}}, nil)
}

// Eval runs an expression, waits for the promise it may be, and decodes what
// it gives.
func (p *Page) Eval(expression string, into any) {
	p.t.Helper()
	var r struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception *struct {
			Text      string `json:"text"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	p.Call("Runtime.evaluate", m{"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true}, &r)
	if r.Exception != nil {
		p.t.Fatalf("browser: %.200s: %s %s", expression, r.Exception.Text, r.Exception.Exception.Description)
	}
	if into != nil && len(r.Result.Value) > 0 {
		p.must(json.Unmarshal(r.Result.Value, into))
	}
}

// Wait waits until the condition holds in the page.
func (p *Page) Wait(condition string) {
	p.t.Helper()
	p.Eval(fmt.Sprintf(`new Promise(done => { const look = () => (%s) ? done(true) : setTimeout(look, 4); look(); })`, condition), nil)
}

// Picture is the page as PNG.
func (p *Page) Picture() []byte {
	p.t.Helper()
	var r struct {
		Data string `json:"data"`
	}
	p.Call("Page.captureScreenshot", m{"format": "png"}, &r)
	b, err := base64.StdEncoding.DecodeString(r.Data)
	p.must(err)
	return b
}

// Weight is what the page holds, after everything that can be given back was.
type Weight struct {
	Heap      float64 `json:"usedSize"` // bytes of JavaScript
	Documents int     `json:"documents"`
	Nodes     int     `json:"nodes"`
	Listeners int     `json:"jsEventListeners"`
}

// Weigh collects garbage and weighs the page.
func (p *Page) Weigh() (w Weight) {
	p.t.Helper()
	p.Call("HeapProfiler.collectGarbage", m{}, nil)
	p.Call("Runtime.getHeapUsage", m{}, &w)
	p.Call("Memory.getDOMCounters", m{}, &w)
	return w
}

// Complaints lists what the browser found wrong with the page so far.
func (p *Page) Complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.complaints)
}

// Forgive forgets the complaints so far, as after the page was cut off.
func (p *Page) Forgive() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaints = nil
}

// Requests lists every address that the page has asked for.
func (p *Page) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

func (p *Page) hear(method string, params json.RawMessage) {
	var e struct {
		Type  string `json:"type"`
		Entry struct {
			Level, Source, Text, URL string
		} `json:"entry"`
		Args []struct {
			Value       json.RawMessage `json:"value"`
			Description string          `json:"description"`
		} `json:"args"`
		Exception struct {
			Text      string `json:"text"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
		Request struct {
			URL string `json:"url"`
		} `json:"request"`
	}
	if json.Unmarshal(params, &e) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch method {
	case "Network.requestWillBeSent":
		p.requests = append(p.requests, e.Request.URL)
	case "Runtime.exceptionThrown":
		p.complaints = append(p.complaints, "exception: "+e.Exception.Text+" "+e.Exception.Exception.Description)
	case "Runtime.consoleAPICalled":
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			var words []string
			for _, a := range e.Args {
				words = append(words, string(a.Value)+a.Description)
			}
			p.complaints = append(p.complaints, "console: "+strings.Join(words, " "))
		}
	case "Log.entryAdded":
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			p.complaints = append(p.complaints, e.Entry.Source+": "+e.Entry.Text+" "+e.Entry.URL)
		}
	}
}
