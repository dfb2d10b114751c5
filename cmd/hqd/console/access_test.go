package console

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// matrix is who may what, written down by hand beside the code's own table: a
// column for each role, in the order of Roles.
const matrix = `
route                                     operator assisting commander deputy technician auditor
GET /api/me                               yes      yes       yes       yes    yes        yes
POST /api/alive                           yes      yes       yes       yes    yes        yes
POST /api/watch                           yes      yes       yes       yes    yes        yes
GET /api/board                            yes      yes       yes       yes    yes        yes
GET /api/figures                          yes      yes       yes       yes    yes        yes
GET /api/exceptions/{id}                  yes      yes       yes       yes    no         no
GET /api/exceptions/{id}/photo/{which}    yes      yes       yes       yes    no         no
POST /api/exceptions/{id}/stamp           yes      no        yes       yes    no         no
POST /api/exceptions/{id}/answer          yes      yes       yes       yes    no         no
POST /api/exceptions/{id}/admit           yes      no        yes       yes    no         no
POST /api/lanes/{gate}/nonce              yes      no        yes       yes    no         no
POST /api/lanes/{gate}/act                yes      no        yes       yes    no         no
POST /api/lanes/{gate}/mode               yes      no        yes       yes    no         no
POST /api/stop                            yes      no        yes       yes    no         no
GET /api/log                              no       no        yes       yes    no         yes
POST /api/logout                          yes      yes       yes       yes    yes        yes
`

// streamed is tried by a test of its own, since its answer has no end.
const streamed = "GET /api/events"

func path(pattern string) (method, target string) {
	method, target, _ = strings.Cut(pattern, " ")
	return method, strings.NewReplacer("{id}", exc1, "{which}", photoLive, "{gate}", "lane-1").Replace(target)
}

func TestEveryRouteForEveryRole(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(matrix), "\n")
	roles := strings.Fields(lines[0])[1:]
	if len(roles) != len(Roles()) {
		t.Fatalf("columns %v", roles)
	}
	table := map[string][]string{}
	for _, l := range lines[1:] {
		f := strings.Fields(l)
		table[f[0]+" "+f[1]] = f[2:]
	}
	for _, rt := range routes() {
		if rt.pattern != streamed && table[rt.pattern] == nil {
			t.Errorf("%s is not in the matrix", rt.pattern)
		}
	}
	d := newDesk(t)
	d.refer()
	for i, role := range roles {
		o := d.login(role) // the matrix ends with signing out
		for _, l := range lines[1:] {
			f := strings.Fields(l)
			method, target := path(f[0] + " " + f[1])
			body := "{}"
			w := o.ask(method, target, body)
			if got := w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "role"); got != (f[2+i] == "yes") {
				t.Errorf("%s %s as %s: %d %s", method, target, role, w.Code, w.Body)
			}
		}
	}
}

func TestAssistingStaffRefersAndDoesNotRefuse(t *testing.T) {
	d := newDesk(t)
	d.refer()
	o := d.login("assisting")
	if w := o.ask("POST", "/api/exceptions/"+exc1+"/answer", `{"do":"refuse","reason":"not_entitled"}`); w.Code != http.StatusForbidden {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := o.ask("POST", "/api/exceptions/"+exc1+"/answer", `{"do":"refer","reason":"second_line"}`); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}

func TestNothingWithoutASession(t *testing.T) {
	d := newDesk(t)
	d.refer()
	for _, rt := range routes() {
		method, target := path(rt.pattern)
		for name, c := range map[string]*http.Cookie{"none": nil, "made up": {Name: "console", Value: newSessionID()}} {
			o := d.browser()
			o.cookie = c
			if w := o.ask(method, target, "{}"); w.Code != http.StatusUnauthorized {
				t.Errorf("%s with cookie %s: %d", rt.pattern, name, w.Code)
			}
		}
	}
	if w := d.browser().ask("GET", "/", ""); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/login" {
		t.Errorf("the page itself: %d", w.Code)
	}
	if got := len(d.hq.asked); got != 0 {
		t.Errorf("asked of headquarters: %v", d.hq.asked)
	}
}

func TestPostsComeFromThePageAlone(t *testing.T) {
	d := newDesk(t)
	o := d.login("operator")
	set := func(k, v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(k, v) } }
	for name, tc := range map[string]struct {
		change func(*http.Request)
		code   int
	}{
		"as the page does":  {func(*http.Request) {}, http.StatusOK},
		"no token":          {set("X-Csrf-Token", ""), http.StatusForbidden},
		"another's token":   {set("X-Csrf-Token", csrfOf("x")), http.StatusForbidden},
		"another's page":    {set("Origin", "http://evil.example"), http.StatusForbidden},
		"no origin":         {set("Origin", ""), http.StatusForbidden},
		"a form":            {set("Content-Type", "text/plain"), http.StatusForbidden},
		"cross-site":        {set("Sec-Fetch-Site", "cross-site"), http.StatusForbidden},
		"another's name":    {func(r *http.Request) { r.Host = "evil.example" }, http.StatusMisdirectedRequest},
		"this machine's":    {func(r *http.Request) { r.Host = "localhost:1"; r.Header.Set("Origin", "http://localhost:1") }, http.StatusOK},
		"https for another": {set("Origin", "https://127.0.0.1:8444"), http.StatusForbidden},
	} {
		if w := o.ask("POST", "/api/alive", "{}", tc.change); w.Code != tc.code {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := d.browser().ask("POST", "/api/login", `{}`, set("Origin", "http://evil.example")); w.Code != http.StatusForbidden {
		t.Errorf("log-in from another page: %d", w.Code)
	}
}

func TestAnswersKeepThePageToItself(t *testing.T) {
	d := newDesk(t)
	o := d.login("operator")
	for _, target := range []string{"/", "/login", "/assets/main.js", "/api/board", "/nowhere"} {
		w := o.ask("GET", target, "")
		csp := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") ||
			w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", target, w.Header())
		}
	}
	if !o.cookie.HttpOnly || o.cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("cookie %+v", o.cookie)
	}
}

func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		alive := func(o *officer) bool { return o.ask("GET", "/api/me", "").Code == http.StatusOK }
		idle, busy := d.login("operator"), d.login("deputy")
		for range 4 {
			pass(5 * time.Minute)
			if w := busy.ask("POST", "/api/alive", "{}"); w.Code != http.StatusOK {
				t.Fatalf("busy: %d", w.Code)
			}
			_ = alive(idle) // a page that only asks for news
		}
		if alive(idle) || !alive(busy) {
			t.Fatal("unused for 20 min and still signed in, or in use and signed out")
		}
		for range 12 * 12 {
			pass(5 * time.Minute)
			_ = busy.ask("POST", "/api/alive", "{}")
		}
		if alive(busy) {
			t.Fatal("signed in for more than 12 h")
		}
		d.endSessions(t.Context())
		if got := d.log.did("operator"); !slices.Contains(got, DidExpire) {
			t.Fatalf("end not on record: %v", got)
		}
		out, gone, changed := d.login("operator"), d.login("deputy"), d.login("commander")
		if w := out.ask("POST", "/api/logout", "{}"); w.Code != http.StatusOK || alive(out) {
			t.Fatal("signed out and still in")
		}
		if err := d.RemoveUser(t.Context(), "test", "deputy"); err != nil || alive(gone) {
			t.Fatalf("removed and still in: %v", err)
		}
		if err := d.SetUser(t.Context(), "test", User{Name: "commander"}, "another password", false); err != nil || alive(changed) {
			t.Fatalf("password changed and still in: %v", err)
		}
	})
}

// TestSessionsOutlastARestart: a page is signed in as before when headquarters
// was started again, and one that was signed out is not.
func TestSessionsOutlastARestart(t *testing.T) {
	d := newDesk(t)
	in, out := d.login("operator"), d.login("deputy")
	_ = out.ask("POST", "/api/logout", "{}")
	d.reopen()
	if w := in.ask("POST", "/api/alive", "{}"); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := out.ask("GET", "/api/me", ""); w.Code != http.StatusUnauthorized {
		t.Fatalf("signed out before: %d", w.Code)
	}
}

func TestWrongLoginsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		o := d.browser()
		try := func(name, password string) int {
			return o.ask("POST", "/api/login", fmt.Sprintf(`{"name":%q,"password":%q}`, name, password)).Code
		}
		for range freeTries {
			if code := try("operator", "wrong"); code != http.StatusUnauthorized {
				t.Fatalf("%d", code)
			}
		}
		if code := try("operator", goodPassword); code != http.StatusTooManyRequests {
			t.Fatalf("right after too many wrong ones: %d", code)
		}
		if w := d.login("operator"); w == nil {
			t.Fatal("an officer elsewhere is locked out")
		}
		pass(firstWait + time.Second)
		if code := try("operator", goodPassword); code != http.StatusOK {
			t.Fatalf("after the wait: %d", code)
		}
		// A name that nobody has is told from nothing, and is not written down.
		if code := try("nobody-has-this", "wrong"); code != http.StatusUnauthorized || !slices.Contains(d.log.did(unknownName), DidRefuse) {
			t.Fatalf("%d, %v", code, d.log.did(unknownName))
		}
	})
}

// TestParallelTriesCountToo: whoever asks many times at once gets no more tries.
func TestParallelTriesCountToo(t *testing.T) {
	d := newDesk(t)
	from := d.browser().from
	var tried atomic.Int32
	var wg sync.WaitGroup
	for range 4 * freeTries {
		wg.Go(func() {
			o := &officer{d: d, from: from}
			if o.ask("POST", "/api/login", `{"name":"operator","password":"wrong"}`).Code == http.StatusUnauthorized {
				tried.Add(1)
			}
		})
	}
	wg.Wait()
	if n := tried.Load(); n < freeTries || n >= freeTries+loginsAtOnce {
		t.Fatalf("%d tries", n)
	}
}

// TestAddressOfTheCertificate: with TLS the console answers to the names of its
// certificate alone, and its cookie is bound to them.
func TestAddressOfTheCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"console.example"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, func(o *Options) {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}}}
	})
	at := func(host string) func(*http.Request) {
		return func(r *http.Request) { r.Host = host; r.Header.Set("Origin", "https://"+host) }
	}
	good := fmt.Sprintf(`{"name":"operator","password":%q}`, goodPassword)
	w := d.browser().ask("POST", "/api/login", good, at("console.example:8444"))
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Set-Cookie"), "__Host-console=") || !strings.Contains(w.Header().Get("Set-Cookie"), "; Secure") ||
		w.Header().Get("Strict-Transport-Security") == "" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	for _, host := range []string{"127.0.0.1:8444", "localhost", "evil.example", "x.console.example"} {
		if w := d.browser().ask("POST", "/api/login", good, at(host)); w.Code != http.StatusMisdirectedRequest {
			t.Errorf("%s: %d", host, w.Code)
		}
	}
}

func TestLimiterIsBounded(t *testing.T) {
	var l limiter
	now := time.Unix(1, 0)
	for i := range maxTrackeds + 100 {
		l.wrong(now.Add(time.Duration(i)), fmt.Sprint(i), 0)
	}
	if len(l.tries) > maxTrackeds {
		t.Fatalf("%d kept", len(l.tries))
	}
	if d := l.wait(now, fmt.Sprint(maxTrackeds+99)); d <= 0 {
		t.Fatal("the newest is forgotten")
	}
}

func TestPasswords(t *testing.T) {
	for name, tc := range map[string]struct {
		hash, password string
		ok             bool
	}{
		"right":       {goodHash(), goodPassword, true},
		"wrong":       {goodHash(), goodPassword + "x", false},
		"empty":       {goodHash(), "", false},
		"no hash":     {"", "", false},
		"cut":         {goodHash()[:len(goodHash())-1], goodPassword, false},
		"too costly":  {strings.Replace(goodHash(), "m=19456", "m=99999999", 1), goodPassword, false},
		"no cost":     {strings.Replace(goodHash(), "t=2", "t=0", 1), goodPassword, false},
		"another way": {strings.Replace(goodHash(), "argon2id", "argon2i", 1), goodPassword, false},
	} {
		if samePassword(tc.hash, tc.password) != tc.ok {
			t.Errorf("%s: want %v", name, tc.ok)
		}
	}
	if _, err := hashPassword("short"); !errors.Is(err, ErrUser) {
		t.Errorf("short: %v", err)
	}
}

func TestAccountForm(t *testing.T) {
	d := newDesk(t)
	for name, u := range map[string]User{
		"name":    {Name: "A B", Person: "x", Role: RoleOperator},
		"person":  {Name: "a", Role: RoleOperator},
		"control": {Name: "a", Person: "x\n", Role: RoleOperator},
		"role":    {Name: "a", Person: "x", Role: "king"},
		"officer": {Name: "a", Person: "x", Role: RoleOperator, Officer: "../x"},
	} {
		if err := d.SetUser(t.Context(), "test", u, goodPassword, true); !errors.Is(err, ErrUser) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := d.SetUser(t.Context(), "test", User{Name: "operator", Person: "x", Role: RoleOperator}, goodPassword, true); !errors.Is(err, ErrUser) {
		t.Errorf("twice: %v", err)
	}
}
