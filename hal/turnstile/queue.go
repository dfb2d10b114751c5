package turnstile

import (
	"context"
	"slices"
	"sync"

	"bordergate/hal"
)

const (
	maxQueue      = 4096 // events that wait for a reader who does not come
	coalesceAbove = 64   // from here on a level replaces an older one of its input
	readyEvents   = 64   // events a reader finds without the pump
)

// queue keeps events in order for one reader and never blocks the bus.
//
// The rule when it fills: above coalesceAbove a level replaces an unread one of
// the same input. When it is full the oldest level makes room. When there is
// none the new event is lost and counted, and a Desync with the number lost
// follows what was queued, so that the reader takes a snapshot.
type queue struct {
	out  chan hal.Event
	wake chan struct{}

	mu   sync.Mutex
	seq  uint64
	list []hal.Event
	lost uint64
	gap  uint32 // lost since the last Desync
}

func newQueue() *queue {
	return &queue{out: make(chan hal.Event, readyEvents), wake: make(chan struct{}, 1)}
}

func (q *queue) push(e hal.Event) {
	q.mu.Lock()
	q.seq++
	e.Seq = q.seq
	q.putLocked(e)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) putLocked(e hal.Event) {
	if in := e.Kind.Coalesces(); in != 0 && len(q.list) > coalesceAbove {
		q.list = slices.DeleteFunc(q.list, func(old hal.Event) bool { return old.Kind.Coalesces() == in })
	}
	if len(q.list) >= maxQueue {
		i := slices.IndexFunc(q.list, func(old hal.Event) bool { return old.Kind.Coalesces() != 0 })
		if i < 0 {
			q.lost++
			q.gap++
			return
		}
		q.list = slices.Delete(q.list, i, i+1)
	}
	q.list = append(q.list, e)
}

func (q *queue) dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost
}

// first is the oldest event; it stays until done takes it off.
func (q *queue) first() (hal.Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == 0 {
		return hal.Event{}, false
	}
	return q.list[0], true
}

// done takes the delivered event off, unless a newer level has replaced it
// meanwhile.
func (q *queue) done(e hal.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) > 0 && q.list[0].Seq == e.Seq {
		q.list = q.list[1:]
	}
	if q.gap > 0 && len(q.list) < maxQueue {
		q.seq++
		q.list = append(q.list, hal.Event{
			Seq: q.seq, At: hal.Now(), Wall: e.Wall, Trust: e.Trust, Device: e.Device, Kind: hal.Desync, Code: q.gap,
		})
		q.gap = 0
	}
}

// pump hands events out until ctx ends. An event that was not taken stays for
// the next pump.
func (q *queue) pump(ctx context.Context) {
	for {
		e, ok := q.first()
		if !ok {
			select {
			case <-q.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case q.out <- e:
			q.done(e)
		case <-ctx.Done():
			return
		}
	}
}

// flush hands out what a reader has room for, without a pump.
func (q *queue) flush() {
	for {
		e, ok := q.first()
		if !ok {
			return
		}
		select {
		case q.out <- e:
			q.done(e)
		default:
			return
		}
	}
}
