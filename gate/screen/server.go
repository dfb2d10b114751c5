package screen

import (
	"context"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"bordergate/gate"
)

//go:embed page
var pageFiles embed.FS

// Options describe the screen of a gate.
type Options struct {
	Listen    string   // loopback host:port; port 0 lets the system choose
	Languages []string // of Languages, at least one; the first is this place's
	Side      string   // where the officer is, seen by the traveller: left or right
	Sound     bool
	// Start is the file for the kiosk browser's first address; empty: none.
	Start string
	// Limits are how long the states of the lane last that have a limit.
	Limits map[gate.State]time.Duration
	Mono   func() int64 // CLOCK_MONOTONIC, ns
	// Camera asks for the mirror's pictures, or ends them. It must not block; may
	// be nil.
	Camera func(on bool)
}

// Server serves the page.
type Server struct {
	o        Options
	board    *board
	listener net.Listener
	http     *http.Server
	token    string
	streams  streams
}

// New binds the address, so that a taken port shows at once. Close must be
// called.
func New(o Options) (*Server, error) {
	if len(o.Languages) == 0 || o.Side != "left" && o.Side != "right" || o.Mono == nil {
		return nil, errors.New("make screen: languages, side or clock is missing")
	}
	texts := map[string]Text{}
	for _, lang := range o.Languages {
		t, err := loadText(lang)
		if err != nil {
			return nil, err
		}
		texts[lang] = t
	}
	if o.Camera == nil {
		o.Camera = func(bool) {}
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for the screen on %s: %w (another program has the port: end it, or set another screen.listen)", o.Listen, err)
	}
	s := &Server{o: o, listener: l, board: newBoard(texts, o.Languages[0], o.Limits, o.Mono, o.Camera)}
	if s.token, err = startToken(o.Start, bootName(), s.Addr()); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.http = &http.Server{Handler: s.guard(s.routes()), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	return s, nil
}

// Addr is the address that is served.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// StartURL is the first address for the kiosk browser.
func (s *Server) StartURL() string { return startURL(s.Addr(), s.token) }

// Show puts a view of the lane on the screen. It never blocks.
func (s *Server) Show(v gate.View) { s.board.show(v) }

// Picture puts a JPEG picture of the face camera into the mirror, if one is
// shown. It never blocks and keeps nothing of its argument.
func (s *Server) Picture(jpeg []byte) { s.board.paint(jpeg) }

// Serve serves until ctx ends, then closes every connection.
func (s *Server) Serve(ctx context.Context) error {
	s.http.BaseContext = func(net.Listener) context.Context { return ctx }
	stop := context.AfterFunc(ctx, func() { _ = s.http.Close() })
	defer stop()
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve screen: %w", err)
	}
	return ctx.Err()
}

// Close closes the listener and every connection. Safe to call twice.
func (s *Server) Close() error {
	s.board.close()
	err := s.http.Close()
	if e := s.listener.Close(); !errors.Is(e, net.ErrClosed) {
		err = errors.Join(err, e)
	}
	return err
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", asset("index.html", "text/html; charset=utf-8"))
	mux.HandleFunc("GET /screen.css", asset("screen.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /screen.js", asset("screen.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /setup.json", s.setup)
	mux.HandleFunc("GET /events", s.events)
	mux.HandleFunc("GET /mirror.jpg", s.mirror)
	mux.HandleFunc("POST /language", s.language)
	return mux
}

// policy lets the page load from here and nowhere else, and run nothing that is
// written into it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

const cookie = "bordergate_screen"

// guard lets only this machine's own names and the holder of the token in.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch c, err := r.Cookie(cookie); {
		case !loopback(r.Host):
			http.Error(w, "this page is served to this machine only", http.StatusMisdirectedRequest)
		case r.URL.Path == "/start" && r.Method == http.MethodGet:
			s.start(w, r)
		case err != nil || !s.knows(c.Value):
			http.Error(w, "open the address in the start file (screen.start of the gate's configuration)", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (s *Server) knows(token string) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) == 1
}

// start gives the browser its cookie and takes the token out of the address.
func (s *Server) start(w http.ResponseWriter, r *http.Request) {
	if !s.knows(r.URL.Query().Get("token")) {
		http.Error(w, "the token is not of this boot: read the start file again", http.StatusForbidden)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: s.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func asset(name, kind string) http.HandlerFunc {
	b, err := pageFiles.ReadFile("page/" + name)
	return func(w http.ResponseWriter, _ *http.Request) {
		if err != nil {
			http.Error(w, "not built in", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(b) // the reader has gone: nothing to tell him
	}
}

// setup is what the page needs to know once.
func (s *Server) setup(w http.ResponseWriter, _ *http.Request) {
	type language struct {
		ID     string   `json:"id"`
		Lang   string   `json:"lang"`
		Name   string   `json:"name"`
		Choose string   `json:"choose"`
		Mirror string   `json:"mirror"`
		Way    []string `json:"way"`
		Away   Line     `json:"away"`
	}
	var list []language
	for _, id := range s.o.Languages {
		t := s.board.texts[id]
		list = append(list, language{id, t.Lang, t.Name, t.Choose, t.Mirror, t.Way, t.Away})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{ // the reader has gone: nothing to tell him
		"languages": list, "side": s.o.Side, "sound": s.o.Sound, "silence_ms": silence.Milliseconds(),
	})
}

// language is the one thing that a page may change, and only the page itself.
func (s *Server) language(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") != "http://"+r.Host || r.Header.Get("Content-Type") != "application/json" {
		http.Error(w, "only the screen's own page may choose", http.StatusForbidden)
		return
	}
	var ask struct {
		Lang string `json:"lang"`
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 256))
	if err != nil || json.Unmarshal(b, &ask) != nil || !s.board.choose(ask.Lang) {
		http.Error(w, "no such language here", http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
