package technician

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// clock is a time that a test moves.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time       { return time.Unix(0, c.at.Load()) }
func (c *clock) move(d time.Duration) { c.at.Add(int64(d)) }
func newClock() *clock                { c := &clock{}; c.at.Store(time.Now().UnixNano()); return c }
func sample() Page {
	return Page{Gate: "lane-1", Headline: "ready, all well", Tone: Good, Sections: []Section{
		{ID: "lane", Title: "Lane", Head: []string{"what", "how it is"}, Rows: []Row{{Good, []string{"state", "ready <b>"}}}},
	}}
}

func options(t *testing.T, c *clock) Options {
	return Options{
		Listen: "127.0.0.1:0", TokenFile: filepath.Join(t.TempDir(), "run", "token"), Page: sample, Idle: 30 * time.Minute, Now: c.now,
		Shot: func(context.Context, string, uint64) Shot { return Shot{Why: "no camera"} },
	}
}

func serve(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.look = 10 * time.Millisecond
	ctx, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		end()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("served until %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// browser keeps cookies, as one does, and follows nothing by itself.
func browser(t *testing.T) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func ask(t *testing.T, b *http.Client, method, address string, form url.Values, origin string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	w, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(w.Body, 1<<20))
	return w.StatusCode, string(text)
}

func signIn(t *testing.T, b *http.Client, s *Server, token string) (int, string) {
	t.Helper()
	base := "http://" + s.Addr()
	return ask(t, b, "POST", base+"/sign-in", url.Values{"token": {token}}, base)
}

func token(t *testing.T, o Options) string {
	t.Helper()
	b, err := os.ReadFile(o.TokenFile)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// TestNothingIsSeenWithoutTheToken: not the page, not the news, not a camera.
func TestNothingIsSeenWithoutTheToken(t *testing.T) {
	o := options(t, newClock())
	looked := false
	o.Shot = func(context.Context, string, uint64) Shot { looked = true; return Shot{} }
	s, b := serve(t, o), browser(t)
	base := "http://" + s.Addr()
	for _, path := range []string{"/", "/status", "/cameras", "/cameras/face?after=0", "/events", "/here"} {
		if code, text := ask(t, b, "GET", base+path, nil, ""); code != http.StatusUnauthorized && code != http.StatusSeeOther || strings.Contains(text, "lane-1") {
			t.Errorf("%s gives %d %s to a stranger", path, code, text)
		}
	}
	if code, _ := signIn(t, b, s, strings.Repeat("0", 32)); code != http.StatusForbidden {
		t.Errorf("a wrong token gives %d", code)
	}
	if code, _ := ask(t, b, "GET", base+"/status", nil, ""); code != http.StatusSeeOther {
		t.Errorf("after a wrong token the page gives %d", code)
	}
	if looked {
		t.Error("a stranger looked through a camera")
	}
	if code, _ := signIn(t, b, s, token(t, o)); code != http.StatusSeeOther {
		t.Fatalf("the token gives %d", code)
	}
	if code, text := ask(t, b, "GET", base+"/status", nil, ""); code != http.StatusOK || !strings.Contains(text, "ready &lt;b&gt;") {
		t.Errorf("signed in: %d %s", code, text)
	}
	if code, _ := ask(t, b, "GET", base+"/cameras/face?after=0", nil, ""); code != http.StatusOK || !looked {
		t.Errorf("signed in, the camera gives %d", code)
	}
	if code, _ := ask(t, b, "POST", base+"/sign-out", url.Values{}, base); code != http.StatusSeeOther {
		t.Errorf("signing out gives %d", code)
	}
	if code, _ := ask(t, b, "GET", base+"/here", nil, ""); code != http.StatusUnauthorized {
		t.Errorf("signed out: %d", code)
	}
}

// TestNothingThatIsAskedChangesTheGate: of what is not reading there is the way
// in and the way out, from the page's own forms.
func TestNothingThatIsAskedChangesTheGate(t *testing.T) {
	o := options(t, newClock())
	s, b := serve(t, o), browser(t)
	base := "http://" + s.Addr()
	signIn(t, b, s, token(t, o))
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		for _, path := range []string{"/status", "/cameras", "/cameras/face", "/events", "/here", "/"} {
			if code, _ := ask(t, b, method, base+path, url.Values{}, base); code != http.StatusMethodNotAllowed && code != http.StatusNotFound {
				t.Errorf("%s %s gives %d", method, path, code)
			}
		}
	}
	for _, origin := range []string{"", "null", "http://gate.example", "https://" + s.Addr()} {
		if code, _ := ask(t, b, "POST", base+"/sign-out", url.Values{}, origin); code != http.StatusForbidden {
			t.Errorf("a page of %q signs out with %d", origin, code)
		}
	}
	for host, want := range map[string]int{"localhost": http.StatusSeeOther, "[::1]:7082": http.StatusSeeOther, "gate.example": http.StatusMisdirectedRequest, "10.0.0.1": http.StatusMisdirectedRequest} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", base+"/status", nil)
		r.Host = host
		if s.http.Handler.ServeHTTP(w, r); w.Code != want {
			t.Errorf("host %s: %d, want %d", host, w.Code, want)
		}
		if p := w.Header().Get("Content-Security-Policy"); strings.Contains(p, "unsafe") || !strings.HasPrefix(p, "default-src 'none'") {
			t.Errorf("policy %q", p)
		}
	}
}

func TestCookieIsOutOfReachOfScriptsAndOtherPages(t *testing.T) {
	s := serve(t, options(t, newClock()))
	if k := s.cookie("x"); !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.Secure {
		t.Errorf("cookie %+v", k)
	}
}

func TestWrongTokensWaitLongerAndLonger(t *testing.T) {
	c := newClock()
	o := options(t, c)
	s, b := serve(t, o), browser(t)
	for i := range freeTries {
		if code, _ := signIn(t, b, s, "x"); code != http.StatusForbidden {
			t.Fatalf("try %d gives %d", i, code)
		}
	}
	if code, text := signIn(t, b, s, token(t, o)); code != http.StatusTooManyRequests || !strings.Contains(text, "wait 2 s") {
		t.Fatalf("after too many tries the right token gives %d %s", code, text)
	}
	c.move(time.Second)
	if code, _ := signIn(t, b, s, "x"); code != http.StatusForbidden {
		t.Errorf("after the wait: %d", code)
	}
	c.move(1500 * time.Millisecond)
	if code, _ := signIn(t, b, s, token(t, o)); code != http.StatusTooManyRequests {
		t.Errorf("the second wait is no longer than the first: %d", code)
	}
	c.move(longestWait)
	if code, _ := signIn(t, b, s, token(t, o)); code != http.StatusSeeOther {
		t.Errorf("at last: %d", code)
	}
}

// TestASessionEnds: one that is not used; what a page asks by itself is no use.
func TestASessionEnds(t *testing.T) {
	c := newClock()
	o := options(t, c)
	s, b := serve(t, o), browser(t)
	here := func() int {
		code, _ := ask(t, b, "GET", "http://"+s.Addr()+"/here", nil, "")
		return code
	}
	signIn(t, b, s, token(t, o))
	c.move(29 * time.Minute)
	if here() != http.StatusNoContent {
		t.Fatal("a session that is used ends")
	}
	c.move(29 * time.Minute)
	if code, _ := ask(t, b, "GET", "http://"+s.Addr()+"/cameras/face?after=0", nil, ""); code != http.StatusOK {
		t.Fatalf("a used session ended: %d", code)
	}
	c.move(2 * time.Minute)
	if here() != http.StatusUnauthorized {
		t.Error("a page that asks by itself keeps a session")
	}
}

// TestASessionOutlivesTheDaemon: a daemon that starts again knows who was signed
// in, but nobody who was away for too long, and no cookie of another token.
func TestASessionOutlivesTheDaemon(t *testing.T) {
	c := newClock()
	first := &sessions{token: "a", idle: time.Hour, now: c.now, used: map[string]time.Time{}}
	value := first.begin()
	again := func(token string) *sessions {
		return &sessions{token: token, idle: time.Hour, now: c.now, used: map[string]time.Time{}}
	}
	if _, _, ok := again("b").who(value, true); ok {
		t.Error("a cookie of another token is taken")
	}
	if _, _, ok := again("a").who(strings.Replace(value, ".", ".9", 1), true); ok {
		t.Error("a cookie with another time is taken")
	}
	if _, _, ok := again("a").who(value, true); !ok {
		t.Error("the daemon has forgotten him")
	}
	c.move(time.Hour)
	if _, _, ok := again("a").who(value, true); ok {
		t.Error("a start brings an old session back")
	}
	for _, bad := range []string{"", ".", "..", "a.b.c", value + "x", strings.Repeat("1", 300)} {
		if _, _, ok := first.who(bad, true); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestSessionsAreBounded(t *testing.T) {
	c := newClock()
	s := &sessions{token: "a", idle: time.Hour, now: c.now, used: map[string]time.Time{}}
	for range 3 * maxSessions {
		c.move(time.Second)
		s.begin()
	}
	if len(s.used) > maxSessions {
		t.Errorf("%d sessions", len(s.used))
	}
}

func TestTheTokenIsForTheGroupAndNobodyElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "token")
	first, err := tokenOf(path)
	if err != nil || len(first) != 32 {
		t.Fatalf("token %q: %v", first, err)
	}
	info, _ := os.Stat(path)
	if info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v", info.Mode())
	}
	if again, _ := tokenOf(path); again != first {
		t.Error("a start makes another token")
	}
	for name, spoil := range map[string]func(){
		"open to all":   func() { _ = os.Chmod(path, 0o644) },
		"of no token":   func() { _ = os.WriteFile(path, []byte("short"), 0o640) },
		"a link":        func() { _ = os.Remove(path); _ = os.Symlink("/etc/hostname", path) },
		"a huge file":   func() { _ = os.Remove(path); _ = os.WriteFile(path, make([]byte, 4096), 0o640) },
		"open to write": func() { _ = os.Chmod(path, 0o660) },
	} {
		old := tokenIn(path)
		spoil()
		got, err := tokenOf(path)
		info, _ := os.Lstat(path)
		if err != nil || got == old || len(got) != 32 || info.Mode() != 0o640 {
			t.Errorf("%s: %q, mode %v, %v", name, got, info.Mode(), err)
		}
	}
}

func TestOnlyThisMachineWithoutTLS(t *testing.T) {
	o := options(t, newClock())
	o.Listen = "0.0.0.0:0"
	if s, err := New(o); err == nil || !strings.Contains(err.Error(), "technician.cert") {
		t.Fatalf("served to all: %v %v", s, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o.Listen = l.Addr().String()
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "technician.listen") {
		t.Fatalf("no cure for a taken port: %v", err)
	}
}

// news reads the names of a stream's events.
type news struct {
	t    *testing.T
	body io.Closer
	scan *bufio.Scanner
}

func follow(t *testing.T, b *http.Client, s *Server) *news {
	t.Helper()
	w, err := b.Get("http://" + s.Addr() + "/events")
	if err != nil || w.StatusCode != http.StatusOK {
		t.Fatalf("no stream: %v %v", w, err)
	}
	t.Cleanup(func() { _ = w.Body.Close() })
	return &news{t, w.Body, bufio.NewScanner(w.Body)}
}

// next is the next event but beats, or empty at the end.
func (n *news) next() (event, data string) {
	for n.scan.Scan() {
		if name, ok := strings.CutPrefix(n.scan.Text(), "event: "); ok && name != "beat" && n.scan.Scan() {
			return name, n.scan.Text()
		}
	}
	return "", ""
}

// TestTwoTechniciansSeeTheSameChange: each page gets what has changed, and no
// more; the one of too many gives way.
func TestTwoTechniciansSeeTheSameChange(t *testing.T) {
	o := options(t, newClock())
	var state atomic.Value
	state.Store("ready")
	o.Page = func() Page {
		p := sample()
		p.Sections[0].Rows[0].Cells[1] = state.Load().(string)
		p.Sections = append(p.Sections, Section{ID: "still", Title: "Still", Note: "the same"})
		return p
	}
	s := serve(t, o)
	var all []*news
	for range 2 {
		b := browser(t)
		signIn(t, b, s, token(t, o))
		n := follow(t, b, s)
		for _, want := range []string{`"id":"head"`, `"id":"sections"`} {
			if _, data := n.next(); !strings.Contains(data, want) {
				t.Fatalf("first came %s, want %s", data, want)
			}
		}
		all = append(all, n)
	}
	state.Store("emergency")
	for i, n := range all {
		if event, data := n.next(); event != "part" || !strings.Contains(data, `"id":"s-lane"`) || !strings.Contains(data, "emergency") {
			t.Errorf("technician %d got %s %s", i, event, data)
		}
	}
	b := browser(t)
	signIn(t, b, s, token(t, o))
	for range maxStreams - 1 {
		follow(t, b, s)
	}
	if event, data := all[0].next(); event != "" {
		t.Errorf("the oldest of too many goes on with %s %s", event, data)
	}
	state.Store("ready")
	if event, _ := all[1].next(); event != "part" {
		t.Error("another one was ended")
	}
}

// TestAStreamEndsWithItsSession: the page is told.
func TestAStreamEndsWithItsSession(t *testing.T) {
	c := newClock()
	o := options(t, c)
	s, b := serve(t, o), browser(t)
	signIn(t, b, s, token(t, o))
	n := follow(t, b, s)
	n.next()
	n.next()
	c.move(time.Hour)
	if event, _ := n.next(); event != "over" {
		t.Errorf("the stream goes on with %q", event)
	}
	if event, _ := n.next(); event != "" {
		t.Errorf("and then %q", event)
	}
}

// stuck is a connection whose other end takes the first words and then nothing.
type stuck struct {
	http.ResponseWriter
	writes, limits int
}

func (w *stuck) Flush()                           {}
func (w *stuck) SetReadDeadline(time.Time) error  { return nil }
func (w *stuck) SetWriteDeadline(time.Time) error { w.limits++; return nil }
func (w *stuck) Write(b []byte) (int, error) {
	if w.writes++; w.writes > 1 {
		return 0, os.ErrDeadlineExceeded
	}
	return len(b), nil
}

// TestAPageThatTakesNothingIsDropped: each write has its limit, and the first
// that is not taken ends the connection.
func TestAPageThatTakesNothingIsDropped(t *testing.T) {
	s := serve(t, options(t, newClock()))
	w := &stuck{ResponseWriter: httptest.NewRecorder()}
	s.events(w, httptest.NewRequest("GET", "http://127.0.0.1/events", nil), "x")
	if w.writes != 2 || w.limits != 2 || len(s.streams.open) != 0 {
		t.Errorf("%d writes, %d limits, %d streams open", w.writes, w.limits, len(s.streams.open))
	}
}
