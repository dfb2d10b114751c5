package station

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"bordergate/configs"
	"bordergate/sync/journal"
	"bordergate/sync/wire"
)

// Headquarters is hqd alone, for campaigns that bring gates of their own. Its
// address stays the same when it is started again. Its methods are for one
// caller, but for those that ask.
type Headquarters struct {
	Address     string // host:port of its broker
	Broker      string // the same as a URL
	Fingerprint string // of its root
	Bundle      string // file of its keys
	dir, bin    string
	file        string // its configuration
	p           *process
	http        *http.Client
}

// NewHeadquarters makes the keys and the configuration in dir, of a broker
// without TLS. Nothing runs yet.
func NewHeadquarters(ctx context.Context, dir, bin string) (*Headquarters, error) {
	h, err := newHeadquarters(ctx, dir, bin)
	if err != nil {
		return nil, err
	}
	if h.Address, err = freeAddress(); err != nil {
		return nil, err
	}
	h.Broker = "tcp://" + h.Address
	return h, h.configure(func(c *configs.HQ) { c.Listen = h.Address })
}

// NewHeadquartersAt is the same with another broker, host:port on this machine.
func NewHeadquartersAt(ctx context.Context, dir, bin, broker string) (*Headquarters, error) {
	h, err := newHeadquarters(ctx, dir, bin)
	if err != nil {
		return nil, err
	}
	h.Address, h.Broker = broker, "tcp://"+broker
	return h, h.configure(func(c *configs.HQ) { c.Broker = h.Broker })
}

// newHeadquarters makes the keys.
func newHeadquarters(ctx context.Context, dir, bin string) (*Headquarters, error) {
	h := &Headquarters{dir: dir, bin: bin}
	h.http, h.file = overSocket(h.path("hqd.sock")), h.path("hq.yaml")
	if err := os.MkdirAll(h.path("store"), 0o700); err != nil {
		return nil, fmt.Errorf("make headquarters: %w", err)
	}
	out, err := command(ctx, h.program(), "init", "--dir", h.path("identity"))
	if err != nil {
		return nil, err
	}
	var made struct{ Fingerprint, Bundle string }
	if err := json.Unmarshal(out, &made); err != nil {
		return nil, fmt.Errorf("read hqd init: %w", err)
	}
	h.Fingerprint, h.Bundle = made.Fingerprint, made.Bundle
	return h, nil
}

func (h *Headquarters) configure(broker func(*configs.HQ)) error {
	c := configs.DefaultHQ()
	c.Version, c.Simulated = 1, true
	c.Store, c.Identity, c.Control = h.path("store"), h.path("identity"), h.path("hqd.sock")
	broker(&c)
	return writeYAML(h.file, c)
}

func (h *Headquarters) path(name string) string { return filepath.Join(h.dir, name) }

func (h *Headquarters) program() string { return filepath.Join(h.bin, "hqd") }

// Log is the file that hqd writes to.
func (h *Headquarters) Log() string { return h.path("hqd.log") }

// AddGate registers a gate, whether hqd runs or not.
func (h *Headquarters) AddGate(ctx context.Context, request []byte) error {
	file := h.path("request.json")
	if err := os.WriteFile(file, request, 0o600); err != nil {
		return fmt.Errorf("add gate: %w", err)
	}
	_, err := command(ctx, h.program(), "gate", "add", "--identity", h.path("identity"), "--control", h.path("hqd.sock"), "--request", file)
	return err
}

// Start starts hqd and waits until it takes records in.
func (h *Headquarters) Start(ctx context.Context) error {
	var err error
	if h.p, err = start("hqd", h.Log(), h.program(), "serve", "--config", h.file); err != nil {
		return err
	}
	return until(ctx, "headquarters", readyLimit, h.p, func() bool {
		st, err := h.Status(ctx)
		return err == nil && st.Online
	})
}

// Kill takes hqd, and with it its broker, away at once.
func (h *Headquarters) Kill() {
	if h.p != nil {
		h.p.kill()
		h.p = nil
	}
}

// Stop ends hqd in order.
func (h *Headquarters) Stop() {
	if h.p != nil {
		h.p.stop(stopGrace)
		h.p = nil
	}
}

// Failed is why hqd is no more, nil while it runs or was taken away.
func (h *Headquarters) Failed() error {
	if h.p == nil {
		return nil
	}
	return h.p.ended()
}

// HQStatus is the part of hqd's status that campaigns look at.
type HQStatus struct {
	Address   string    `json:"address"`
	Simulated bool      `json:"simulated"`
	Online    bool      `json:"online"`
	Head      wire.Head `json:"head"`
	Accounts  int       `json:"accounts"`
	Gates     []struct {
		Gate     string            `json:"gate"`
		Stored   map[string]uint64 `json:"stored"`
		Counters map[string]uint64 `json:"counters"`
	} `json:"gates"`
	Counters map[string]uint64 `json:"counters"`
}

// Status asks hqd. It may be called from any goroutine.
func (h *Headquarters) Status(ctx context.Context) (HQStatus, error) {
	var st HQStatus
	b, err := get(ctx, h.http, "http://hqd/status")
	if err != nil {
		return st, err
	}
	return st, json.Unmarshal(b, &st)
}

// ErrRefused says that hqd understood and refused.
var ErrRefused = errors.New("headquarters refused")

// StatusError is any other answer than a result.
type StatusError struct {
	Code int
	Text string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("headquarters answered %d: %s", e.Code, e.Text)
}

// Post sends v as JSON to hqd's control socket. It may be called from any
// goroutine.
func (h *Headquarters) Post(ctx context.Context, path string, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://hqd"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	res, err := h.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	switch _, err := b.ReadFrom(res.Body); {
	case err != nil:
		return nil, fmt.Errorf("ask: %w", err)
	case res.StatusCode == http.StatusUnprocessableEntity:
		return nil, fmt.Errorf("%w: %.200s", ErrRefused, b.String())
	case res.StatusCode != http.StatusOK:
		return nil, &StatusError{res.StatusCode, fmt.Sprintf("%.200s", b.String())}
	}
	return b.Bytes(), nil
}

// Known is a record that headquarters has come to know of.
type Known struct {
	Stream string `json:"stream"`
	Seq    uint64 `json:"seq"`
	Stored bool   `json:"stored"`
}

// Follow calls f with every record of a gate as headquarters comes to know of
// it, until ctx ends.
func (h *Headquarters) Follow(ctx context.Context, gate string, f func(Known)) error {
	return each(ctx, h.http, "http://hqd/follow?"+url.Values{"gate": {gate}}.Encode(), f)
}

// Records calls f with every record of a gate's stream that hqd holds, its
// personal part opened.
func (h *Headquarters) Records(ctx context.Context, gate string, s wire.Stream, f func(journal.Line)) error {
	q := url.Values{"gate": {gate}, "stream": {s.String()}, "open": {"1"}}
	return each(ctx, h.http, "http://hqd/records?"+q.Encode(), f)
}

// each reads a JSON value a line. A list that was cut short is an error.
func each[T any](ctx context.Context, c *http.Client, from string, f func(T)) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	res, err := c.Do(req)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("ask: %s", res.Status)
	}
	for dec := json.NewDecoder(res.Body); ; {
		var v T
		switch err := dec.Decode(&v); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("ask: %w", err)
		}
		f(v)
	}
}
