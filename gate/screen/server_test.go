package screen

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/gate"
)

// options are those of a screen in a test; its clock stands still.
func options(t *testing.T) Options {
	return Options{
		Listen: "127.0.0.1:0", Languages: Languages(), Side: "left", Sound: true,
		Start: filepath.Join(t.TempDir(), "kiosk", "start"), Limits: map[gate.State]time.Duration{gate.Reading: 15 * time.Second},
		Mono: func() int64 { return 0 },
	}
}

func serve(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		end()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("serve ended with %v", err)
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask sends one request to the handler, with the token where it is wanted.
func ask(s *Server, r *http.Request, token string) *httptest.ResponseRecorder {
	if token != "" {
		r.AddCookie(&http.Cookie{Name: cookie, Value: token})
	}
	w := httptest.NewRecorder()
	s.http.Handler.ServeHTTP(w, r)
	return w
}

func TestOnlyThisMachinesKioskGetsIn(t *testing.T) {
	s := serve(t, options(t))
	for _, c := range []struct {
		name, host, path, token string
		want                    int
	}{
		{"page", "127.0.0.1:7081", "/", s.token, http.StatusOK},
		{"name", "localhost", "/", s.token, http.StatusOK},
		{"another name", "gate.example", "/", s.token, http.StatusMisdirectedRequest},
		{"a name that begins so", "127.0.0.1.example", "/start?token=" + s.token, "", http.StatusMisdirectedRequest},
		{"no token", "127.0.0.1", "/", "", http.StatusForbidden},
		{"wrong token", "127.0.0.1", "/events", s.token + "0", http.StatusForbidden},
		{"script without token", "127.0.0.1", "/screen.js", "", http.StatusForbidden},
		{"mirror without token", "127.0.0.1", "/mirror.jpg?after=0", "", http.StatusForbidden},
		{"start", "127.0.0.1", "/start?token=" + s.token, "", http.StatusSeeOther},
		{"wrong start", "127.0.0.1", "/start?token=1", "", http.StatusForbidden},
		{"nothing there", "127.0.0.1", "/page/index.html", s.token, http.StatusNotFound},
		{"not a number", "127.0.0.1", "/mirror.jpg?after=x", s.token, http.StatusBadRequest},
	} {
		r := httptest.NewRequest("GET", "http://x"+c.path, nil)
		r.Host = c.host
		w := ask(s, r, c.token)
		if w.Code != c.want {
			t.Errorf("%s: status %d, want %d", c.name, w.Code, c.want)
		}
		if p := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(p, "default-src 'none'") || strings.Contains(p, "unsafe") {
			t.Errorf("%s: policy %q", c.name, p)
		}
		if strings.Contains(w.Body.String(), s.token) {
			t.Errorf("%s: the answer holds the token", c.name)
		}
	}
	w := ask(s, httptest.NewRequest("GET", "http://localhost/start?token="+s.token, nil), "")
	if c := w.Header().Get("Set-Cookie"); !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Strict") {
		t.Errorf("cookie %q", c)
	}
}

func TestOnlyTheLanguageChanges(t *testing.T) {
	s := serve(t, options(t))
	for _, c := range []struct {
		name, origin, kind, body string
		want                     int
	}{
		{"another origin", "http://evil.example", "application/json", `{"lang":"lo"}`, http.StatusForbidden},
		{"another port", "http://localhost:1", "application/json", `{"lang":"lo"}`, http.StatusForbidden},
		{"no origin", "", "application/json", `{"lang":"lo"}`, http.StatusForbidden},
		{"a form", "http://localhost", "text/plain", `{"lang":"lo"}`, http.StatusForbidden},
		{"no language", "http://localhost", "application/json", `{"lang":"xx"}`, http.StatusBadRequest},
		{"not JSON", "http://localhost", "application/json", `lo`, http.StatusBadRequest},
		{"too long", "http://localhost", "application/json", `{"lang":"lo","x":"` + strings.Repeat("x", 300) + `"}`, http.StatusBadRequest},
	} {
		r := httptest.NewRequest("POST", "http://localhost/language", strings.NewReader(c.body))
		r.Header.Set("Origin", c.origin)
		r.Header.Set("Content-Type", c.kind)
		if w := ask(s, r, s.token); w.Code != c.want {
			t.Errorf("%s: status %d, want %d", c.name, w.Code, c.want)
		}
		if m, _ := s.board.newest(); m.Lang != "vi" {
			t.Fatalf("%s: the language changed to %s", c.name, m.Lang)
		}
	}
	r := httptest.NewRequest("POST", "http://localhost/language", strings.NewReader(`{"lang":"lo"}`))
	r.Header.Set("Origin", "http://localhost")
	r.Header.Set("Content-Type", "application/json")
	if w := ask(s, r, s.token); w.Code != http.StatusNoContent {
		t.Errorf("status %d", w.Code)
	}
	if m, _ := s.board.newest(); m.Lang != "lo" {
		t.Errorf("the language is %s", m.Lang)
	}
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		if w := ask(s, httptest.NewRequest(method, "http://localhost/events", nil), s.token); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s /events: status %d", method, w.Code)
		}
	}
}

// TestTheTokenLastsABoot: a daemon that starts again goes on with the page that
// is open; another boot, another owner's file or a damaged one make a new token.
func TestTheTokenLastsABoot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "start")
	first, err := startToken(path, "aaaa1111", "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := startToken(path, "aaaa1111", "127.0.0.1:2"); again != first {
		t.Error("the same boot has another token")
	}
	if b, _ := os.ReadFile(path); string(b) != startURL("127.0.0.1:2", first)+"\n" {
		t.Errorf("start file %q", b)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("start file mode %v", info.Mode())
	}
	if other, _ := startToken(path, "bbbb2222", "127.0.0.1:1"); other == first {
		t.Error("another boot has the same token")
	}
	for name, spoil := range map[string]func() error{
		"writable by others": func() error { return os.Chmod(path, 0o666) },
		"damaged":            func() error { return os.WriteFile(path, []byte("http://x/start?token=zz-bbbb2222\n"), 0o640) },
		"a link": func() error {
			return errors.Join(os.Rename(path, path+"2"), os.Symlink(path+"2", path))
		},
	} {
		before, _ := startToken(path, "bbbb2222", "127.0.0.1:1")
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		after, err := startToken(path, "bbbb2222", "127.0.0.1:1")
		if err != nil || after == before {
			t.Errorf("%s: the token was taken over: %v", name, err)
		}
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		t.Error("a link was written through")
	}
}

// listener reads a page's stream.
type listener struct {
	t     *testing.T
	body  io.Closer
	lines *bufio.Scanner
}

func listen(t *testing.T, s *Server) *listener {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.Addr()+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: cookie, Value: s.token})
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("listen: %v %v", resp, err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return &listener{t, resp.Body, bufio.NewScanner(resp.Body)}
}

// next is the next message; ok is false at the stream's end.
func (l *listener) next() (m Message, ok bool) {
	show := false
	for l.lines.Scan() {
		line := l.lines.Text()
		if kind, ok := strings.CutPrefix(line, "event: "); ok {
			show = kind == "show"
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok && show {
			if err := json.Unmarshal([]byte(data), &m); err != nil {
				l.t.Fatal(err)
			}
			return m, true
		}
	}
	return m, false
}

func TestAStreamBeginsWithTheNewest(t *testing.T) {
	s := serve(t, options(t))
	s.Show(gate.View{State: gate.Ready})
	s.Show(gate.View{State: gate.Reading, Tx: gate.TxID{7}})
	l := listen(t, s)
	if m, _ := l.next(); m.Step != StepPass || m.Total != 15000 || m.Left != 15000 {
		t.Fatalf("the stream begins with %+v", m)
	}
	s.Show(gate.View{State: gate.Emergency})
	if m, _ := l.next(); m.Step != StepEmergency || m.Tone != ToneFree {
		t.Fatalf("then %+v", m)
	}
}

func TestAFurtherPageEndsTheOldest(t *testing.T) {
	s := serve(t, options(t))
	var all []*listener
	for range maxStreams + 1 {
		l := listen(t, s)
		if _, ok := l.next(); !ok {
			t.Fatal("no message")
		}
		all = append(all, l)
	}
	if _, ok := all[0].next(); ok {
		t.Error("the oldest page is still told")
	}
	s.Show(gate.View{State: gate.Ready})
	if m, ok := all[1].next(); !ok || m.Step != StepWelcome {
		t.Error("the second page is not told any more")
	}
}

func testBoard(t *testing.T, camera func(bool)) *board {
	t.Helper()
	return newBoard(texts(t), "vi", nil, func() int64 { return 0 }, camera)
}

func (b *board) language() string {
	m, _ := b.newest()
	return m.Lang
}

// TestTheLanguageIsTheTravellers: it lasts as long as he does.
func TestTheLanguageIsTheTravellers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBoard(t, func(bool) {})
		defer b.close()
		b.show(gate.View{State: gate.Ready})
		b.choose("km")
		for _, s := range []gate.State{gate.Reading, gate.Matching, gate.Deciding, gate.ReferredAway} {
			b.show(gate.View{State: s})
			<-time.After(langHold)
			synctest.Wait()
			if b.language() != "km" {
				t.Fatalf("in %v the language is %s", s, b.language())
			}
		}
		b.show(gate.View{State: gate.Ready, Since: 1})
		if b.language() != "vi" {
			t.Error("the next traveller has the last one's language")
		}
		b.choose("lo")
		<-time.After(langHold + time.Second)
		synctest.Wait()
		if b.language() != "vi" {
			t.Error("a language that was touched in passing stays")
		}
	})
}

// TestTheMirrorIsOnlyForWhoIsThere: pictures are asked for while a step wants
// them and a page looks, and the last one goes with its traveller.
func TestTheMirrorIsOnlyForWhoIsThere(t *testing.T) {
	var calls []bool
	b := testBoard(t, func(on bool) { calls = append(calls, on) })
	b.paint([]byte("early"))
	b.show(gate.View{State: gate.Reading})
	if len(calls) != 0 {
		t.Fatal("pictures are asked for though nobody looks")
	}
	end := b.look()
	b.paint([]byte("first"))
	if p, _, on, _ := b.reflection(0); p != nil || on {
		t.Error("the mirror shows before its step")
	}
	b.show(gate.View{State: gate.Matching})
	p, n, on, next := b.reflection(0)
	if string(p) != "first" || !on {
		t.Errorf("picture %q", p)
	}
	if p, _, _, _ := b.reflection(n); p != nil {
		t.Error("the same picture again")
	}
	b.paint(bytes.Repeat([]byte{1}, maxPicture+1))
	if p, _, _, _ := b.reflection(n); p != nil {
		t.Error("a picture that is too large was taken")
	}
	kept := b.picture
	b.show(gate.View{State: gate.Deciding})
	<-next
	if p, _, on, _ := b.reflection(0); p != nil || on || !bytes.Equal(kept, make([]byte, len(kept))) {
		t.Errorf("after the traveller: picture %q, kept %q", p, kept)
	}
	b.show(gate.View{State: gate.Reading})
	end()
	end()
	if want := []bool{true, false, true, false}; len(calls) != 4 || calls[0] != want[0] || calls[3] != want[3] {
		t.Errorf("asked %v", calls)
	}
}

func TestThePageIsLight(t *testing.T) {
	s := serve(t, options(t))
	total := 0
	for _, path := range []string{"/", "/screen.css", "/screen.js", "/setup.json"} {
		w := ask(s, httptest.NewRequest("GET", "http://localhost"+path, nil), s.token)
		if w.Code != http.StatusOK {
			t.Errorf("%s: status %d", path, w.Code)
		}
		total += w.Body.Len()
		for _, never := range []string{"https://", "http://", "//cdn", "<script>", "onclick", "style=\"", "eval("} {
			if strings.Contains(w.Body.String(), never) {
				t.Errorf("%s holds %q", path, never)
			}
		}
	}
	t.Logf("page weight %d bytes", total)
	if total > 300<<10 {
		t.Errorf("the page weighs %d bytes", total)
	}
}

func TestOptionsThatCannotWork(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no language":  func(o *Options) { o.Languages = nil },
		"no such one":  func(o *Options) { o.Languages = []string{"xx"} },
		"no side":      func(o *Options) { o.Side = "up" },
		"taken port":   func(o *Options) { o.Listen = serve(t, options(t)).Addr() },
		"start folder": func(o *Options) { o.Start = "/dev/null/start" },
	} {
		o := options(t)
		change(&o)
		if s, err := New(o); err == nil {
			_ = s.Close()
			t.Errorf("%s: made", name)
		}
	}
}
