package modbusio

import (
	"context"
	"sync"

	"bordergate/hal"
)

// maxQueue is how many events wait for a reader that does not come.
const maxQueue = 4096

// queue keeps events in order. A level replaces an older one of the same input
// that nobody has read; nothing else is dropped before the queue is full, and
// then a Desync says so.
type queue struct {
	out  chan hal.Event
	wake chan struct{}

	mu   sync.Mutex
	seq  uint64
	list []hal.Event
	lost uint64
}

func newQueue() *queue {
	return &queue{out: make(chan hal.Event), wake: make(chan struct{}, 1)}
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
	if len(q.list) >= maxQueue {
		q.lost++
		q.list[len(q.list)-1] = hal.Event{Seq: e.Seq, At: e.At, Wall: e.Wall, Device: e.Device, Kind: hal.Desync}
		return
	}
	if in := e.Kind.Coalesces(); in != 0 && len(q.list) > 64 {
		for i := len(q.list) - 1; i >= 0; i-- {
			if q.list[i].Kind.Coalesces() == in {
				q.list[i] = e
				return
			}
		}
	}
	q.list = append(q.list, e)
}

func (q *queue) dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost
}

// pump hands events out until ctx ends.
func (q *queue) pump(ctx context.Context) {
	for {
		q.mu.Lock()
		var e hal.Event
		have := len(q.list) > 0
		if have {
			e = q.list[0]
			q.list = q.list[1:]
		}
		q.mu.Unlock()
		if !have {
			select {
			case <-q.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case q.out <- e:
		case <-ctx.Done():
			return
		}
	}
}
