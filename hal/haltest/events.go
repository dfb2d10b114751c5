package haltest

import (
	"testing"
	"time"

	"bordergate/hal"
)

// Want reads events until one of the kind comes; one of another kind that must
// not come meanwhile fails the test.
func Want(t *testing.T, from <-chan hal.Event, kind hal.EventKind, never ...hal.EventKind) hal.Event {
	t.Helper()
	return await(t, from, func(hal.Event) {}, kind, never...)
}

func await(t *testing.T, from <-chan hal.Event, judge func(hal.Event), kind hal.EventKind, never ...hal.EventKind) hal.Event {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	var seen []string
	for {
		select {
		case e := <-from:
			judge(e)
			if e.Kind == kind {
				return e
			}
			for _, n := range never {
				if e.Kind == n {
					t.Fatalf("%v came before %v", n, kind)
				}
			}
			seen = append(seen, e.Kind.String())
		case <-limit.C:
			t.Fatalf("no %v; there were %v", kind, seen)
		}
	}
}

// Until looks again and again until something holds that no event tells of.
func Until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("%s: never", what)
		}
	}
}
