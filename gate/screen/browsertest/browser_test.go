package browsertest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestBrowserSeesWhatIsWrong has a page with one fault of each kind.
func TestBrowserSeesWhatIsWrong(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'self'; style-src 'unsafe-inline'")
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>t</title><body><main><h1 id="h">word</h1>
<p style="width:10px;overflow:hidden;white-space:nowrap">cut off</p><p style="color:#888;background:#999">faint</p>
<img src="/none.png"><script>document.title = "ran"</script></main></body></html>`))
	}))
	defer site.Close()
	p := Start(t).Open(site.URL+"/", 400, 300)
	var title string
	p.Eval("document.title", &title)
	if title != "t" {
		t.Error("the policy did not stop the inline script")
	}
	p.Wait("document.images[0].complete")
	all := strings.Join(p.Complaints(), "\n")
	for _, want := range []string{"Content Security Policy", "404"} {
		if !strings.Contains(all, want) {
			t.Errorf("not seen: %s, in %q", want, all)
		}
	}
	if cut := p.Clipped(); len(cut) != 2 || !strings.HasPrefix(cut[0], "cut by P") || !strings.HasPrefix(cut[1], "wider than P") {
		t.Errorf("clipped text: %q", cut)
	}
	if png := p.Picture(); len(png) < 1000 || string(png[1:4]) != "PNG" {
		t.Errorf("a picture of %d bytes", len(png))
	}
	if w := p.Weigh(); w.Heap < 1000 || w.Nodes < 10 {
		t.Errorf("weight %+v", w)
	}
	var rules []string
	for _, v := range p.Axe() {
		rule, _, _ := strings.Cut(v, " ")
		rules = append(rules, rule)
	}
	for _, want := range []string{"image-alt", "color-contrast"} {
		if !strings.Contains(strings.Join(rules, " "), want) {
			t.Errorf("axe found only %v", rules)
		}
	}
}
