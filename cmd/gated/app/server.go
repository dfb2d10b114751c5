package app

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

//go:embed status.html
var pages embed.FS

// server serves the read-only status on loopback: a page, its JSON, and a
// stream of events. It has no command and no personal data.
type server struct {
	listener net.Listener
	http     *http.Server
	mux      *http.ServeMux
	status   func() Status
	hub      *hub
	page     *template.Template
}

// newServer binds the address, so that a taken port shows at once.
func newServer(addr string, h *hub, status func() Status) (*server, error) {
	page, err := template.ParseFS(pages, "status.html")
	if err != nil {
		return nil, fmt.Errorf("parse status page: %w", err)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for status on %s: %w (another program has the port: end it, or set another status.listen)", addr, err)
	}
	s := &server{listener: l, status: status, hub: h, page: page}
	mux := http.NewServeMux()
	s.mux = mux
	mux.HandleFunc("GET /{$}", s.serveIndex)
	mux.HandleFunc("GET /status", s.serveIndex)
	mux.HandleFunc("GET /status.json", s.serveJSON)
	mux.HandleFunc("GET /events", s.serveStream)
	s.http = &http.Server{Handler: s.guard(mux), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	return s, nil
}

func (s *server) addr() string { return s.listener.Addr().String() }

// guard refuses requests that a page of another origin makes a browser send.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "this page is served to this machine only", http.StatusMisdirectedRequest)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (s *server) serve(ctx context.Context) error {
	return serveHTTP(ctx, s.http, s.listener)
}

// serveHTTP serves until ctx ends, then closes every connection: the streams
// would not end by themselves.
func serveHTTP(ctx context.Context, srv *http.Server, l net.Listener) error {
	srv.BaseContext = func(net.Listener) context.Context { return ctx }
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}

func (s *server) serveIndex(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = s.page.Execute(w, s.status()) // the reader has gone: nothing to tell him
}

func (s *server) serveJSON(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.status()) }

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // the reader has gone: nothing to tell him
}

// serveStream sends events as they come (WHATWG HTML, server-sent events).
func (s *server) serveStream(w http.ResponseWriter, r *http.Request) {
	events, end := s.hub.listen()
	defer end()
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return
			}
			if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", e.Kind, e.json()); err != nil {
				return
			}
			if out.Flush() != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// listenControl makes the control socket, for the owner and his group only. A
// socket that a dead daemon left behind is replaced, one that answers is not.
func listenControl(path string) (net.Listener, error) {
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("listen on control socket %s: a gated already runs here; stop it first", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("make folder of control socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove old control socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("restrict control socket: %w", err), l.Close())
	}
	return l, nil
}
