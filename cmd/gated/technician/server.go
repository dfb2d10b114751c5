package technician

import (
	"bytes"
	"context"
	"crypto/tls"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed page
var files embed.FS

// Options describe the page of a gate.
type Options struct {
	Listen    string // host:port; port 0 lets the system choose
	Cert, Key string // PEM files; without them the page is this machine's alone
	TokenFile string
	Page      func() Page
	// Shot gives what a camera of Cameras shows that is newer than a number; it waits
	// a little for it. It is called only while somebody signed in looks.
	Shot func(ctx context.Context, camera string, after uint64) Shot
	Idle time.Duration // after which an unused session ends
	Now  func() time.Time
}

// Cameras are those that can be looked through.
func Cameras() []string { return []string{"face", "document"} }

// Server serves the page.
type Server struct {
	o        Options
	tls      *tls.Config // nil: this machine's alone
	listener net.Listener
	http     *http.Server
	sessions *sessions
	limit    limiter
	streams  streams
	look     time.Duration // from look to look at the gate
	pages    *template.Template
}

// New binds the address, so that a taken port shows at once. Close must be
// called.
func New(o Options) (*Server, error) {
	s := &Server{o: o, look: lookEvery, limit: limiter{tries: map[string]tries{}}}
	var err error
	if s.pages, err = template.ParseFS(files, "page/*.html"); err != nil {
		return nil, fmt.Errorf("parse the technician's page: %w", err)
	}
	if o.Cert != "" || o.Key != "" {
		pair, err := tls.LoadX509KeyPair(o.Cert, o.Key)
		if err != nil {
			return nil, fmt.Errorf("load technician.cert and technician.key: %w", err)
		}
		s.tls = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}
	}
	if s.listener, err = net.Listen("tcp", o.Listen); err != nil {
		return nil, fmt.Errorf("listen for the technician's page on %s: %w (another program has the port: end it, or set another technician.listen)", o.Listen, err)
	}
	if ip := s.listener.Addr().(*net.TCPAddr).IP; s.tls == nil && !ip.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("listen for the technician's page on %s: without TLS it is this machine's alone: set technician.cert and technician.key", o.Listen), s.listener.Close())
	}
	token, err := tokenOf(o.TokenFile)
	if err != nil {
		return nil, errors.Join(err, s.listener.Close())
	}
	s.sessions = &sessions{token: token, idle: o.Idle, now: o.Now, used: map[string]time.Time{}}
	s.http = &http.Server{
		Handler: s.guard(s.routes()), TLSConfig: s.tls, MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: nil,
	}
	return s, nil
}

// Addr is the address that is served.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve serves until ctx ends, then closes every connection.
func (s *Server) Serve(ctx context.Context) error {
	s.http.BaseContext = func(net.Listener) context.Context { return ctx }
	stop := context.AfterFunc(ctx, func() { _ = s.http.Close() })
	defer stop()
	l := s.listener
	if s.tls != nil {
		l = tls.NewListener(l, s.tls)
	}
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the technician's page: %w", err)
	}
	return ctx.Err()
}

// Close closes the listener and every connection. Safe to call twice.
func (s *Server) Close() error {
	err := s.http.Close()
	if e := s.listener.Close(); !errors.Is(e, net.ErrClosed) {
		err = errors.Join(err, e)
	}
	return err
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /technician.css", asset("technician.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /technician.js", asset("technician.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /sign-in", func(w http.ResponseWriter, _ *http.Request) { s.askToken(w, http.StatusOK, "") })
	mux.HandleFunc("POST /sign-in", s.signIn)
	for pattern, do := range map[string]func(w http.ResponseWriter, r *http.Request, id string){
		"GET /{$}": func(w http.ResponseWriter, r *http.Request, _ string) {
			http.Redirect(w, r, "/status", http.StatusSeeOther)
		},
		"GET /status": func(w http.ResponseWriter, _ *http.Request, _ string) {
			s.show(w, http.StatusOK, "status.html", s.o.Page())
		},
		"GET /cameras": func(w http.ResponseWriter, _ *http.Request, _ string) {
			s.show(w, http.StatusOK, "cameras.html", s.o.Page())
		},
		"GET /cameras/{camera}": s.shot,
		"GET /here":             func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusNoContent) },
		"GET /events":           s.events,
		"POST /sign-out":        s.signOut,
	} {
		// What a page asks by itself keeps nobody signed in.
		quiet := pattern == "GET /events" || pattern == "GET /cameras/{camera}"
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			k, err := r.Cookie(s.cookieName())
			if err != nil {
				s.strange(w, r)
				return
			}
			id, next, ok := s.sessions.who(k.Value, !quiet)
			if !ok {
				s.strange(w, r)
				return
			}
			if !quiet {
				http.SetCookie(w, s.cookie(next))
			}
			do(w, r, id)
		})
	}
	return mux
}

// strange is the answer to whoever is not signed in.
func (s *Server) strange(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" || r.URL.Path == "/status" {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return
	}
	http.Error(w, "sign in first", http.StatusUnauthorized)
}

// policy lets the page load from here and nowhere else, and run nothing that is
// written into it. A camera's view comes inside its answer, as data.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// guard is what every answer has and every request needs.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // a form's own page has to show its origin
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		scheme := "http://"
		if s.tls != nil {
			scheme = "https://"
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		switch {
		case !s.ours(r.Host):
			http.Error(w, "this is not the address of the technician's page", http.StatusMisdirectedRequest)
		case r.Method == http.MethodPost && r.Header.Get("Origin") != scheme+r.Host:
			http.Error(w, "the request comes from another page", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// ours says whether a browser that asks for the host means this page: a name of
// its certificate, or this machine.
func (s *Server) ours(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return true
	}
	if s.tls == nil {
		return false
	}
	leaf := s.tls.Certificates[0].Leaf
	return leaf != nil && leaf.VerifyHostname(host) == nil
}

func (s *Server) cookieName() string {
	if s.tls != nil {
		return "__Host-technician"
	}
	return "technician"
}

func (s *Server) cookie(value string) *http.Cookie {
	k := &http.Cookie{Name: s.cookieName(), Value: value, Path: "/", HttpOnly: true, Secure: s.tls != nil, SameSite: http.SameSiteStrictMode}
	if value == "" {
		k.MaxAge = -1
	}
	return k
}

func (s *Server) askToken(w http.ResponseWriter, status int, wrong string) {
	s.show(w, status, "sign-in.html", struct{ Wrong, File string }{wrong, s.o.TokenFile})
}

func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	now, from := s.o.Now(), sender(r)
	if d := s.limit.wait(now, from); d > 0 {
		n := int(d.Seconds()) + 1
		w.Header().Set("Retry-After", strconv.Itoa(n))
		s.askToken(w, http.StatusTooManyRequests, fmt.Sprintf("Too many wrong tries: wait %d s.", n))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1024)
	if !same(strings.TrimSpace(r.PostFormValue("token")), s.sessions.token) {
		s.limit.wrong(now, from)
		s.askToken(w, http.StatusForbidden, "That is not the token of this gate.")
		return
	}
	s.limit.right(from)
	http.SetCookie(w, s.cookie(s.sessions.begin()))
	http.Redirect(w, r, "/status", http.StatusSeeOther)
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request, id string) {
	s.sessions.end(id)
	http.SetCookie(w, s.cookie(""))
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}

// show writes a whole page, or says that it cannot.
func (s *Server) show(w http.ResponseWriter, status int, name string, data any) {
	text, err := s.render(name, data)
	if err != nil {
		http.Error(w, "the page cannot be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // the reader has gone: nothing to tell him
}

func (s *Server) render(name string, data any) (string, error) {
	var b bytes.Buffer
	err := s.pages.ExecuteTemplate(&b, name, data)
	return b.String(), err
}

func asset(name, kind string) http.HandlerFunc {
	b, err := files.ReadFile("page/" + name)
	return func(w http.ResponseWriter, _ *http.Request) {
		if err != nil {
			http.Error(w, "not built in", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(b) // the reader has gone: nothing to tell him
	}
}

// shot answers with what a camera shows.
func (s *Server) shot(w http.ResponseWriter, r *http.Request, _ string) {
	after, err := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	camera := r.PathValue("camera")
	if err != nil || camera != "face" && camera != "document" {
		http.Error(w, "no such camera, or after is not a number", http.StatusBadRequest)
		return
	}
	shot := s.o.Shot(r.Context(), camera, after)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(shot) // the reader has gone: nothing to tell him
	clear(shot.JPEG)
}
