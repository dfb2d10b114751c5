package main

import (
	"testing"
)

// TestWhoIsLeftOutHoldsNoPass: only his own seats go to another person.
func TestWhoIsLeftOutHoldsNoPass(t *testing.T) {
	list, order := persons(5), []int{3, 1, 4, 0, 2}
	out := []string{list[4].ID}
	for seat := range 12 {
		all, some := seated(list, order, seat, nil), seated(list, order, seat, out)
		if all.ID != list[order[seat%5]].ID {
			t.Fatalf("seat %d: %s", seat, all.ID)
		}
		if some.ID == out[0] || all.ID != out[0] && some.ID != all.ID {
			t.Fatalf("seat %d: %s in place of %s", seat, some.ID, all.ID)
		}
	}
}
