package console

import (
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
)

//go:embed assets
var assets embed.FS

// route is what somebody signed in can ask for. Quiet ones are asked by the
// page itself and keep no session alive.
type route struct {
	pattern string
	need    right // empty: whoever is signed in
	quiet   bool
	do      func(c *Console, w http.ResponseWriter, r *http.Request, v visit)
}

func routes() []route {
	return []route{
		{"GET /api/me", "", true, (*Console).me},
		{"POST /api/alive", "", false, (*Console).alive},
		{"POST /api/logout", "", false, (*Console).logout},
		{"POST /api/watch", "", false, (*Console).watch},
		{"GET /api/board", toSee, true, (*Console).showBoard},
		{"GET /api/figures", toSee, true, (*Console).showFigures},
		{"GET /api/events", toSee, true, (*Console).events},
		{"GET /api/exceptions/{id}", toMeet, false, (*Console).look},
		{"GET /api/exceptions/{id}/photo/{which}", toMeet, false, (*Console).photo},
		{"POST /api/exceptions/{id}/answer", toRefer, false, (*Console).answer},
		{"POST /api/exceptions/{id}/stamp", toAnswer, false, (*Console).stamp},
		{"POST /api/exceptions/{id}/admit", toAdmit, false, (*Console).admit},
		{"POST /api/lanes/{gate}/nonce", toAdmit, false, (*Console).nonce},
		{"POST /api/lanes/{gate}/act", toAdmit, false, (*Console).act},
		{"POST /api/lanes/{gate}/mode", toRun, false, (*Console).mode},
		{"POST /api/stop", toStop, false, (*Console).stopAll},
		{"GET /api/log", toAudit, false, (*Console).readLog},
	}
}

func (c *Console) handler() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range routes() {
		mux.HandleFunc(rt.pattern, func(w http.ResponseWriter, r *http.Request) { c.enter(w, r, rt) })
	}
	mux.HandleFunc("POST /api/login", c.login)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if _, err := c.visitor(r, false); err != nil {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		c.file(w, r, "console.html")
	})
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) { c.file(w, r, "login.html") })
	static, err := fs.Sub(assets, "assets")
	if err == nil {
		mux.Handle("GET /assets/", http.StripPrefix("/assets/", http.FileServerFS(static)))
	}
	return c.guard(mux)
}

func (c *Console) file(w http.ResponseWriter, r *http.Request, name string) {
	http.ServeFileFS(w, r, assets, "assets/"+name)
}

// policy lets the page load its own files and nothing else, and nobody frame it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard is what every answer has and every request needs.
func (c *Console) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for k, v := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			"Permissions-Policy": "camera=(), microphone=(), geolocation=()", "X-Frame-Options": "DENY",
		} {
			w.Header().Set(k, v)
		}
		if c.o.TLS != nil {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		switch {
		case !c.ours(r.Host):
			fail(w, http.StatusMisdirectedRequest, "this is not the console's address")
		case r.Method != http.MethodGet && r.Method != http.MethodHead && !c.sameOrigin(r):
			fail(w, http.StatusForbidden, "the request comes from another page")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// ours says whether a browser that asks for the host means this console: a name
// of its certificate, or this machine. A name that somebody else points here is
// neither.
func (c *Console) ours(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.Trim(name, "[]")
	if c.o.TLS == nil {
		ip := net.ParseIP(name)
		return name == "localhost" || ip != nil && ip.IsLoopback()
	}
	for _, k := range c.o.TLS.Certificates {
		if k.Leaf != nil && k.Leaf.VerifyHostname(name) == nil {
			return true
		}
	}
	return false
}

// sameOrigin demands what a browser says of a request that its own page made.
func (c *Console) sameOrigin(r *http.Request) bool {
	scheme := "http://"
	if c.o.TLS != nil {
		scheme = "https://"
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return r.Header.Get("Origin") == scheme+r.Host && (site == "" || site == "same-origin") &&
		r.Header.Get("Content-Type") == "application/json"
}

// enter lets somebody signed in, with the page's token and the right, through
// to a route.
func (c *Console) enter(w http.ResponseWriter, r *http.Request, rt route) {
	v, err := c.visitor(r, false)
	if err != nil {
		fail(w, http.StatusUnauthorized, "sign in")
		return
	}
	token := r.Header.Get("X-Csrf-Token")
	if r.Method != http.MethodGet && subtle.ConstantTimeCompare([]byte(token), []byte(csrfOf(v.id))) != 1 {
		fail(w, http.StatusForbidden, "the page is of an earlier session: load it again")
		return
	}
	if rt.need != "" && !v.user.Role.may(rt.need) {
		fail(w, http.StatusForbidden, "your role does not allow it")
		return
	}
	if !rt.quiet {
		_, _ = c.visitor(r, true) // it was there a moment ago
	}
	rt.do(c, w, r, v)
}

// fail answers with a sentence for the officer.
func fail(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text}) // the reader is gone; nothing to do
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the reader is gone; nothing to do
}

// unwritten answers where the log did not take an entry: nothing is shown then.
func (c *Console) unwritten(w http.ResponseWriter, err error) {
	var taken takenError
	if errors.As(err, &taken) {
		fail(w, http.StatusConflict, taken.Error())
		return
	}
	c.o.Logger.Error("Entry is not on record", "error", err)
	fail(w, http.StatusServiceUnavailable, "the log does not take entries now, so nothing is shown or done; try again, and call the technician if it stays so")
}

// read reads a request's one JSON value, strictly.
func read[T any](w http.ResponseWriter, r *http.Request) (v T, ok bool) {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if dec.Decode(&v) != nil || !errors.Is(dec.Decode(&struct{}{}), io.EOF) {
		fail(w, http.StatusBadRequest, "the request is not as the page makes it: load the page again")
		return v, false
	}
	return v, true
}
