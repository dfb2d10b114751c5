package haltest

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"bordergate/hal/port"
)

// Exchange is what was sent and what came back before the next was sent.
type Exchange struct {
	Sent, Received []byte
}

// Recorder is a port that writes down what crosses it.
type Recorder struct {
	port.Port

	mu   sync.Mutex
	list []Exchange
}

// Record wraps a port.
func Record(p port.Port) *Recorder { return &Recorder{Port: p} }

// Write begins a new exchange.
func (r *Recorder) Write(p []byte) (int, error) {
	n, err := r.Port.Write(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, Exchange{Sent: bytes.Clone(p[:n])})
	return n, err
}

// Read adds to the exchange that is under way.
func (r *Recorder) Read(p []byte) (int, error) {
	n, err := r.Port.Read(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	if n > 0 {
		if len(r.list) == 0 {
			r.list = append(r.list, Exchange{})
		}
		e := &r.list[len(r.list)-1]
		e.Received = append(e.Received, p[:n]...)
	}
	return n, err
}

// Exchanges is what has crossed so far.
func (r *Recorder) Exchanges() []Exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Exchange, len(r.list))
	for i, e := range r.list {
		out[i] = Exchange{Sent: bytes.Clone(e.Sent), Received: bytes.Clone(e.Received)}
	}
	return out
}

// Playback is a port that knows one conversation by heart. A Read beyond what
// was recorded meets its deadline at once, so that a lost reply costs no time.
type Playback struct {
	t *testing.T

	mu     sync.Mutex
	list   []Exchange
	ready  []byte
	closed bool
}

// Play returns a port that wants exactly these exchanges, in order, and fails
// the test at its end for those that were not used.
func Play(t *testing.T, list []Exchange) *Playback {
	t.Helper()
	p := &Playback{t: t, list: list}
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.list) > 0 || len(p.ready) > 0 {
			t.Errorf("%d exchanges and %d bytes were not used; next % X", len(p.list), len(p.ready), p.nextLocked())
		}
	})
	return p
}

func (p *Playback) nextLocked() []byte {
	if len(p.list) == 0 {
		return nil
	}
	return p.list[0].Sent
}

// Write must be the next request.
func (p *Playback) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, os.ErrClosed
	}
	if want := p.nextLocked(); want == nil || !bytes.Equal(want, b) {
		p.t.Errorf("sent % X, recorded % X", b, want)
		return 0, fmt.Errorf("play back: % X was not recorded", b)
	}
	p.ready = append(p.ready, p.list[0].Received...)
	p.list = p.list[1:]
	return len(b), nil
}

// Read gives back what was recorded after the last request.
func (p *Playback) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, os.ErrClosed
	}
	if len(p.ready) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(b, p.ready)
	p.ready = p.ready[n:]
	return n, nil
}

// Flush does nothing: what was recorded has been read by somebody.
func (p *Playback) Flush() error { return nil }

// SetReadDeadline does nothing; every Read is at once.
func (p *Playback) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing; every Write is at once.
func (p *Playback) SetWriteDeadline(time.Time) error { return nil }

// Close makes later calls fail.
func (p *Playback) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}
