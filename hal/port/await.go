package port

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is the wait between attempts to reach a device: it doubles from
// First to Limit, each wait spread over its upper half so that devices of one
// machine do not retry in step. The zero value waits 100 ms to 1 s,
// so that a line is in service again within 2 s of its path. One
// goroutine owns it.
type Backoff struct {
	First, Limit time.Duration
	next         time.Duration
}

// Next is the wait before the next attempt.
func (b *Backoff) Next() time.Duration {
	first, limit := b.First, b.Limit
	if first <= 0 {
		first = 100 * time.Millisecond
	}
	if limit < first {
		limit = max(first, time.Second)
	}
	if b.next < first {
		b.next = first
	}
	base := b.next
	b.next = min(2*b.next, limit)
	return base/2 + rand.N(base/2+1)
}

// Reset makes the next wait the first one again.
func (b *Backoff) Reset() { b.next = 0 }

// Wait sleeps for Next or until ctx ends, whose error it returns.
func (b *Backoff) Wait(ctx context.Context) error {
	t := time.NewTimer(b.Next())
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Await calls open until it succeeds or ctx ends, waiting between attempts.
// Each failure is told to report, if there is one; open must resolve the stable
// path anew every time.
func Await(ctx context.Context, b *Backoff, open func() (Port, error), report func(error)) (Port, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p, err := open()
		if err == nil {
			return p, nil
		}
		if report != nil {
			report(err)
		}
		if err := b.Wait(ctx); err != nil {
			return nil, err
		}
	}
}
