package link_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/sync/link"
)

// hole is a network that swallows nothing and gives nothing back once it is
// dug: what was in flight stays there, as behind a cut cable.
type hole struct {
	*liar
	mu  sync.Mutex
	dug []chan struct{}
}

func (h *hole) dial(ctx context.Context) (net.Conn, error) {
	here, there := net.Pipe()
	dug := make(chan struct{})
	h.mu.Lock()
	h.dug = append(h.dug, dug)
	h.mu.Unlock()
	h.dials <- struct{}{}
	go h.serve(swallowed{there, dug})
	return here, nil
}

// dig cuts the newest connection's cable.
func (h *hole) dig() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.dug[len(h.dug)-1])
}

// swallowed reads no more once the hole is dug.
type swallowed struct {
	net.Conn
	dug chan struct{}
}

func (s swallowed) Read(p []byte) (int, error) {
	select {
	case <-s.dug:
		return 0, net.ErrClosed // and nobody hears of it: Close does nothing
	default:
	}
	return s.Conn.Read(p)
}

// Close leaves the other end without a word.
func (s swallowed) Close() error { return nil }

// TestBlackHoleIsFound: the cable is cut without a word, once with nothing to
// say and once in the middle of a flood that fills every buffer, in which the
// client's own pinger hangs too. Twice the keep-alive is the limit.
func TestBlackHoleIsFound(t *testing.T) {
	for name, flood := range map[string]bool{"idle": false, "flood": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &hole{liar: newLiar()}
				s, stop := serve(t, link.Options{Broker: "tcp://127.0.0.1:1", ClientID: "x", Dial: h.dial})
				next(t, s, link.Ready)
				cut := time.Now()
				h.dig()
				var writers sync.WaitGroup
				ctx, cancel := context.WithCancel(t.Context())
				for range 8 {
					writers.Go(func() {
						for flood && ctx.Err() == nil && s.Publish(ctx, "t/x", make([]byte, 64<<10), false) == nil {
						}
					})
				}
				for m := range s.Messages() {
					if m.Kind == link.Down {
						break
					}
				}
				if took := time.Since(cut); took > 20*time.Second {
					t.Errorf("the black hole was found after %v, want 20 s at most", took)
				}
				cancel()
				writers.Wait()
				stop()
			})
		})
	}
}
