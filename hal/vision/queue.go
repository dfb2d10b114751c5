package vision

import (
	"context"
	"slices"
	"sync"
)

// Bounds of the event queue for each kind. Overflow drops the oldest of its own kind.
const (
	keepFaces   = 8
	keepSymbols = 16
	keepImages  = 2
	keepHealth  = 1
	keepShown   = 4
	keepViews   = 1 // only the newest is worth showing
	// keepLife bounds Up and Down. A reader that leaves this many behind has missed a quarter of an hour of crashes; what it must
	// know, the last ones, is still there.
	keepLife = 256
)

// queue holds events until they are read.
type queue struct {
	mu    sync.Mutex
	items []Event
	wake  chan struct{}
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// push never blocks.
func (q *queue) push(e Event) {
	q.mu.Lock()
	q.items = append(q.items, e)
	same, limit := family(e)
	count, oldest := 0, -1
	for i, it := range q.items {
		if f, _ := family(it); f == same {
			count++
			if oldest < 0 {
				oldest = i
			}
		}
	}
	if count > limit {
		q.items = slices.Delete(q.items, oldest, oldest+1)
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) pop() (Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return nil, false
	}
	e := q.items[0]
	q.items = slices.Delete(q.items, 0, 1)
	return e, true
}

// deliver hands events to out until ctx ends.
func (q *queue) deliver(ctx context.Context, out chan<- Event) {
	for {
		e, ok := q.pop()
		if !ok {
			select {
			case <-q.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case out <- e:
		case <-ctx.Done():
			return
		}
	}
}

func family(e Event) (name, limit int) {
	switch e.(type) {
	case Face:
		return 1, keepFaces
	case Symbol:
		return 2, keepSymbols
	case Image:
		return 3, keepImages
	case CameraHealth:
		return 4, keepHealth
	case Shown:
		return 6, keepShown
	case View:
		return 7, keepViews
	default:
		return 5, keepLife
	}
}
