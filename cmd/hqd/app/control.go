package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bordergate/cmd/hqd/console"
	"bordergate/sync/wire"
)

// maxControlBody bounds a request on the control socket, bytes.
const maxControlBody = 64 << 20

// control is HQ's socket for its own commands. Who may use it is the file's
// mode and owner.
type control struct {
	ln  net.Listener
	srv *http.Server
}

// listenControl opens the socket. The store's lock is held by now, so that a
// socket that is there already was left by a process that is gone.
func listenControl(path string, h http.Handler) (*control, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("open control socket: %w", err), ln.Close())
	}
	return &control{ln: ln, srv: &http.Server{
		Handler: http.MaxBytesHandler(h, maxControlBody), ReadHeaderTimeout: 5 * time.Second,
	}}, nil
}

func (c *control) serve(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { _ = c.srv.Close() })
	defer stop()
	_ = c.srv.Serve(c.ln) // ends by Close
}

func (c *control) close() error {
	if err := c.ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// fault is the body of a refused request. Negative tells an order that was
// understood and refused from one that could not be carried out.
type fault struct {
	Error    string `json:"error"`
	Negative bool   `json:"negative"`
}

func reply(w http.ResponseWriter, v any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		negative := errors.Is(err, wire.ErrDecision) || errors.Is(err, wire.ErrChange) ||
			errors.Is(err, ErrNoAccount) || errors.Is(err, ErrTransition) || errors.Is(err, ErrNoDecision) || errors.Is(err, ErrGate) ||
			errors.Is(err, ErrTrust) || errors.Is(err, ErrLookup) || errors.Is(err, wire.ErrWatched) ||
			errors.Is(err, ErrPolicy) || errors.Is(err, wire.ErrPolicy) || errors.Is(err, ErrOfficer) || errors.Is(err, wire.ErrOfficers) ||
			errors.Is(err, console.ErrUser) || errors.Is(err, ErrCommand) || errors.Is(err, wire.ErrCommand)
		w.WriteHeader(map[bool]int{true: http.StatusUnprocessableEntity, false: http.StatusInternalServerError}[negative])
		v = fault{err.Error(), negative}
	}
	_ = json.NewEncoder(w).Encode(v) // the reader is gone; nothing to do
}

// Client talks to a running HQ over its control socket.
type Client struct{ http *http.Client }

// ErrRefused means that HQ understood the order and refused it.
var ErrRefused = errors.New("headquarters refused")

// ErrNotRunning means that nothing answers at the control socket.
var ErrNotRunning = errors.New("hqd is not running here")

// NewClient makes a client of the socket at path.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return &Client{http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Do sends body as JSON, where not nil, and copies the answer to out.
func (c *Client) Do(ctx context.Context, method, target string, body any, out io.Writer) error {
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		in = bytes.NewReader(b)
	default:
		enc, err := json.Marshal(b)
		if err != nil {
			return fmt.Errorf("ask hqd: %w", err)
		}
		in = bytes.NewReader(enc)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://hqd"+target, in)
	if err != nil {
		return fmt.Errorf("ask hqd: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask hqd: %w: start it with: hqd serve --config FILE (%w)", ErrNotRunning, err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end below
	if resp.StatusCode == http.StatusOK {
		_, err = io.Copy(out, resp.Body)
		return err
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("ask hqd: %w", err)
	}
	var f fault
	if json.Unmarshal(text, &f) != nil {
		return fmt.Errorf("ask hqd: %s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	if f.Negative {
		return fmt.Errorf("%w: %s", ErrRefused, f.Error)
	}
	return errors.New(f.Error)
}
