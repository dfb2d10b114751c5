package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// maxControlAnswer bounds one JSON answer of gated, and one line of an export.
const maxControlAnswer = 4 << 20

// errNotFound means that gated has no such thing.
var errNotFound = errors.New("not found")

// controlClient talks to a running gated over its control socket.
type controlClient struct {
	socket string
	http   *http.Client
}

func newControlClient(socket string) *controlClient {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &controlClient{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// alive reports whether somebody listens on the socket.
func (c *controlClient) alive(ctx context.Context) bool {
	d := net.Dialer{Timeout: 2 * time.Second}
	conn, err := d.DialContext(ctx, "unix", c.socket)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

func (c *controlClient) get(ctx context.Context, path string) (json.RawMessage, error) {
	return c.document(ctx, http.MethodGet, path)
}

func (c *controlClient) post(ctx context.Context, path string) (json.RawMessage, error) {
	return c.document(ctx, http.MethodPost, path)
}

// document asks for one JSON document.
func (c *controlClient) document(ctx context.Context, method, path string) (json.RawMessage, error) {
	resp, err := c.do(ctx, method, path)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxControlAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read answer of gated: %w", err)
	case len(b) > maxControlAnswer || !json.Valid(b):
		return nil, errors.New("read answer of gated: it is no JSON document of a reasonable size")
	}
	return b, nil
}

// lines copies an answer of one JSON document a line to w. A last line that is
// an error ends it with that error.
func (c *controlClient) lines(ctx context.Context, path string, w io.Writer) error {
	resp, err := c.do(ctx, http.MethodGet, path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	sc := bufio.NewScanner(resp.Body)
	sc.Buffer(make([]byte, 64<<10), maxControlAnswer)
	for sc.Scan() {
		if bytes.HasPrefix(sc.Bytes(), []byte(`{"error":`)) {
			return answerError(resp.StatusCode, sc.Bytes())
		}
		if _, err := fmt.Fprintf(w, "%s\n", sc.Bytes()); err != nil {
			return fmt.Errorf("write result: %w", err)
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("read answer of gated: %w", err)
	}
	return nil
}

func (c *controlClient) do(ctx context.Context, method, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://gated"+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask gated: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask gated: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return nil, errors.Join(answerError(resp.StatusCode, b), err, resp.Body.Close())
}

// answerError is what gated says went wrong.
func answerError(status int, body []byte) error {
	var e struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &e) != nil || e.Error == "" {
		e.Error = http.StatusText(status)
	}
	if status == http.StatusNotFound {
		return fmt.Errorf("gated: %s: %w", e.Error, errNotFound)
	}
	return fmt.Errorf("gated: %s", e.Error)
}
