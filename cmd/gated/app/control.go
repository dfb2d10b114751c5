package app

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"time"

	"bordergate/sync/accounts"
	"bordergate/sync/journal"
)

// control serves the technician's tool over a socket that only the owner and
// his group reach. It reads, and it takes the acts of officers, who prove
// themselves by their own signature: whoever else reaches the socket moves
// nothing.
type control struct {
	listener net.Listener
	http     *http.Server
	app      *App
}

func (a *App) openControl() error {
	l, err := listenControl(a.cfg.Paths.Control)
	if err != nil {
		return err
	}
	c := &control{listener: l, app: a}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, a.Status()) })
	mux.HandleFunc("GET /v1/accounts/stats", c.accountStats)
	mux.HandleFunc("GET /v1/accounts/{id}", c.account)
	mux.HandleFunc("GET /v1/trust", c.trust)
	mux.HandleFunc("GET /v1/journal/export", c.withJournal(c.export))
	mux.HandleFunc("POST /v1/journal/verify", c.withJournal(c.verify))
	mux.HandleFunc("POST /v1/officer/nonce", c.nonce)
	mux.HandleFunc("POST /v1/officer/act", c.act)
	c.care(mux)
	c.arming(mux)
	c.http = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	a.control = c
	a.run("control socket", func(ctx context.Context) error { return serveHTTP(ctx, c.http, l) })
	a.onClose("control socket", c.http.Close)
	return nil
}

// withJournal serves what needs the journal.
func (c *control) withJournal(do http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if c.app.journal == nil {
			refuse(w, http.StatusServiceUnavailable, "the journal is not open; see the status page")
			return
		}
		do(w, r)
	}
}

// refuse answers with an error as JSON.
func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text}) // the reader has gone: nothing to tell him
}

func (c *control) export(w http.ResponseWriter, r *http.Request) {
	j := c.app.journal
	var open journal.OpenFunc
	if r.URL.Query().Get("open") == "true" {
		open = c.app.vault.Open
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := json.NewEncoder(w)
	for _, rng := range j.Ranges() {
		if err := exportStream(j, rng, open, out); err != nil {
			_ = out.Encode(map[string]string{"error": err.Error()}) // the answer has begun: its last line says so
			return
		}
	}
}

// exportStream writes one stream in chunks, so that no read transaction lasts.
func exportStream(j *journal.Journal, rng journal.Range, open journal.OpenFunc, out *json.Encoder) error {
	for next := rng.First; next < rng.Next; {
		raws, err := j.Read(rng.Stream, next, 256)
		if err != nil {
			return err
		}
		if len(raws) == 0 {
			return nil
		}
		for _, raw := range raws {
			line, err := journal.NewLine(raw, open)
			if err != nil {
				return err
			}
			if err := out.Encode(line); err != nil {
				return err
			}
		}
		next = raws[len(raws)-1].Seq + 1
	}
	return nil
}

func (c *control) verify(w http.ResponseWriter, r *http.Request) {
	report, err := c.app.journal.Check(r.Context())
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	writeJSON(w, report)
}

func (c *control) account(w http.ResponseWriter, r *http.Request) {
	if c.app.replica == nil {
		refuse(w, http.StatusServiceUnavailable, "the accounts are not open; see the status page")
		return
	}
	acc, known, err := c.app.replica.Lookup(r.PathValue("id"))
	switch {
	case err != nil:
		refuse(w, http.StatusServiceUnavailable, err.Error())
	case !known:
		refuse(w, http.StatusNotFound, "no such account in the cache")
	default:
		writeJSON(w, acc)
	}
}

// trust gives whose seals are believed, and headquarters' store itself where
// that rules: whoever asks can judge it for himself.
func (c *control) trust(w http.ResponseWriter, _ *http.Request) {
	b := c.app.believer
	if b == nil {
		refuse(w, http.StatusServiceUnavailable, "the accounts are not open; see the status page")
		return
	}
	writeJSON(w, struct {
		Status TrustStatus         `json:"status"`
		Store  accounts.TrustStore `json:"store"`
	}{b.status(time.Now()), b.now.Load().store})
}

func (c *control) accountStats(w http.ResponseWriter, _ *http.Request) {
	if c.app.replica == nil {
		refuse(w, http.StatusServiceUnavailable, "the accounts are not open; see the status page")
		return
	}
	writeJSON(w, c.app.replica.Stats())
}
