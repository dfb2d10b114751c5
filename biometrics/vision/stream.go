package vision

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Limits of a network camera.
const (
	// quietLimit is how long a camera may take for a whole frame. To answer and to send its first it gets firstLimit, and at each
	// further attempt twice that up to quietLimit: a connection that comes to nothing must not keep a new worker's camera away for
	// seconds, nor a slow camera be given up each time.
	quietLimit    = 2 * time.Second
	firstLimit    = 600 * time.Millisecond
	maxRedirects  = 3
	maxHTTPHeader = 64 << 10
)

// dialer opens a connection.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// stream reads an MJPEG stream without pause and keeps its newest part, so that a slow reader falls behind by none.
type stream struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	parts  *parts
	body   io.Closer
	watch  *time.Timer

	mu     sync.Mutex
	newest part
	spare  [][]byte
	err    error

	fresh, done chan struct{}
}

// part is one picture as it came.
type part struct {
	data []byte
	at   int64
	// count is how many came since the part taken before, this one with them.
	count int
}

// openStream connects to a camera, which gets limit to answer and to send its first frame; dial nil is the system's own. Nothing of
// the URL stands in an error: it may hold a password.
func openStream(ctx context.Context, address string, limit time.Duration, dial dialer, now func() int64) (*stream, error) {
	s := &stream{fresh: make(chan struct{}, 1), done: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	s.watch = time.AfterFunc(limit, func() { s.cancel(errors.New("no answer or no whole frame in time")) })
	res, err := s.ask(address, dial)
	if err != nil {
		s.watch.Stop()
		err = s.why(err)
		s.cancel(nil)
		return nil, err
	}
	boundary, _ := boundaryOf(res.Header.Get("Content-Type"))
	s.body, s.parts = res.Body, newParts(res.Body, boundary, now)
	s.watch.Reset(limit)
	go s.run()
	return s, nil
}

// answerLimit is how long a camera may take to answer after so many attempts that came to nothing.
func answerLimit(failed int) time.Duration {
	return min(firstLimit<<min(failed, 8), quietLimit)
}

// ask sends the request and holds the answer to what a camera answers.
func (s *stream) ask(address string, dial dialer) (*http.Response, error) {
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	if u := req.URL.User; u != nil {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
		req.URL.User = nil
	}
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	client := &http.Client{CheckRedirect: stay, Transport: &http.Transport{
		// No proxy: pictures of travellers go no other way than the one written down.
		DialContext: dial, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHTTPHeader,
		ReadBufferSize: readBuffer, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
	}}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if err := fitting(res); err != nil {
		_ = res.Body.Close()
		return nil, err
	}
	return res, nil
}

// stay follows a camera to another page of its own only.
func stay(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects || req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		return errors.New("it sends on to another place: write that one down as the camera's source")
	}
	return nil
}

// fitting tells why an answer is no MJPEG stream.
func fitting(res *http.Response) error {
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		return errors.New("it wants a name and password: write them into the source's URL and set its sign-in to basic")
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("it answers with status %d: is its address right", res.StatusCode)
	case res.Header.Get("Content-Encoding") != "":
		return errors.New("its stream is packed: set it to plain MJPEG")
	}
	if _, ok := boundaryOf(res.Header.Get("Content-Type")); !ok {
		return fmt.Errorf("it gives %.60q, not multipart/x-mixed-replace: is this the address of its MJPEG stream", res.Header.Get("Content-Type"))
	}
	return nil
}

// why says what ended a request, without the request.
func (s *stream) why(err error) error {
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	if errors.Is(err, io.EOF) && errors.Unwrap(err) == nil {
		return errors.New("the camera ended the stream")
	}
	var bad *tls.CertificateVerificationError
	if errors.As(err, &bad) {
		return fmt.Errorf("%w: add the camera's authority to those the machine trusts", bad)
	}
	var asked *url.Error
	if errors.As(err, &asked) {
		return asked.Err
	}
	return err
}

// run reads parts until the stream ends.
func (s *stream) run() {
	defer close(s.done)
	var buf []byte
	for {
		data, at, err := s.parts.next(buf[:0])
		if err != nil {
			s.mu.Lock()
			s.err = s.why(err)
			s.mu.Unlock()
			return
		}
		s.watch.Reset(quietLimit)
		buf = s.put(data, at)
	}
}

// put makes a part the newest, and returns memory for the next.
func (s *stream) put(data []byte, at int64) (buf []byte) {
	s.mu.Lock()
	old := s.newest
	s.newest = part{data: data, at: at, count: old.count + 1}
	if buf = old.data; buf == nil && len(s.spare) > 0 {
		buf = s.spare[len(s.spare)-1]
		s.spare = s.spare[:len(s.spare)-1]
	}
	s.mu.Unlock()
	select {
	case s.fresh <- struct{}{}:
	default:
	}
	return buf
}

// next waits for a part newer than the last it gave. Its data go back with give.
func (s *stream) next(ctx context.Context) (part, error) {
	for {
		s.mu.Lock()
		p, err := s.newest, s.err
		s.newest = part{}
		s.mu.Unlock()
		switch {
		case p.count > 0:
			return p, nil
		case err != nil:
			return part{}, err
		}
		select {
		case <-s.fresh:
		case <-s.done:
		case <-ctx.Done():
			return part{}, ctx.Err()
		}
	}
}

// give takes a part's memory back.
func (s *stream) give(p part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.spare) < 2 {
		s.spare = append(s.spare, p.data)
	}
}

// close ends the stream and waits until nobody reads it any more.
func (s *stream) close() {
	s.watch.Stop()
	s.cancel(context.Canceled)
	_ = s.body.Close()
	<-s.done
}
