package turnstile

import (
	"context"
	"testing"

	"bordergate/hal"
)

// readAll pumps the queue until the last event is out.
func readAll(t *testing.T, q *queue, n int) []hal.Event {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); q.pump(ctx) }()
	var out []hal.Event
	for range n {
		out = append(out, <-q.out)
	}
	cancel()
	<-done
	return out
}

func TestSafetyEventsSurviveAFloodOfLevels(t *testing.T) {
	q := newQueue()
	for range 50 {
		q.push(hal.Event{Kind: hal.TamperOn})
		for range 1000 {
			q.push(hal.Event{Kind: hal.PresenceOn})
			q.push(hal.Event{Kind: hal.PresenceOff})
		}
	}
	got := map[hal.EventKind]int{}
	for _, e := range readAll(t, q, len(q.list)) {
		got[e.Kind]++
	}
	if got[hal.TamperOn] != 50 || q.dropped() != 0 {
		t.Errorf("%d of 50 safety events, %d dropped", got[hal.TamperOn], q.dropped())
	}
}

func TestReplacedLevelIsTheLatestAndLast(t *testing.T) {
	q := newQueue()
	q.push(hal.Event{Kind: hal.PresenceOff})
	for range coalesceAbove {
		q.push(hal.Event{Kind: hal.ForcedEntry})
	}
	q.push(hal.Event{Kind: hal.PresenceOn})
	out := readAll(t, q, len(q.list))
	for i, e := range out {
		if e.Kind == hal.PresenceOff || i > 0 && e.Seq <= out[i-1].Seq {
			t.Fatalf("event %d: %v number %d", i, e.Kind, e.Seq)
		}
	}
	if out[len(out)-1].Kind != hal.PresenceOn {
		t.Errorf("last %v", out[len(out)-1].Kind)
	}
}

func TestFullQueueSaysHowMuchItLost(t *testing.T) {
	q := newQueue()
	q.push(hal.Event{Kind: hal.DoorOpened}) // makes room for one more
	for range maxQueue + 5 {
		q.push(hal.Event{Kind: hal.ForcedEntry})
	}
	out := readAll(t, q, maxQueue+1)
	last := out[maxQueue]
	if last.Kind != hal.Desync || last.Code != 5 || q.dropped() != 5 {
		t.Errorf("last %v with code %d; %d dropped", last.Kind, last.Code, q.dropped())
	}
	for i, e := range out[:maxQueue] {
		if e.Kind != hal.ForcedEntry {
			t.Fatalf("event %d is %v", i, e.Kind)
		}
	}
}

func TestEventsWaitForTheNextPump(t *testing.T) {
	q := newQueue()
	for range 3 * readyEvents {
		q.push(hal.Event{Kind: hal.TamperOn})
	}
	first := readAll(t, q, 1)
	q.flush()
	rest := readAll(t, q, 3*readyEvents-1)
	for i, e := range append(first, rest...) {
		if e.Seq != uint64(i+1) {
			t.Fatalf("event %d has number %d", i, e.Seq)
		}
	}
}
