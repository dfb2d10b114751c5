package app

import (
	"slices"
	"strings"
	"time"
)

// maxFormer is how many earlier starts of a gate are remembered.
const maxFormer = 8

// twins tells whether two machines work under one gate's identity, as after
// the copy of a disk. A gate names itself anew at each start, and a start that
// another has followed never comes back: where it does, both are running.
// Neither harms the other's records: those of another journal have an epoch of
// their own, and those of a copied journal contradict what is stored and are
// refused, upon which that machine stops.
type twins struct {
	now    string
	former []string
	at     time.Time // when it was seen last
}

// born takes a birth and reports whether it shows two machines.
func (t *twins) born(boot string, at time.Time) bool {
	start := boot
	if i := strings.LastIndexByte(boot, '-'); i >= 0 {
		start = boot[:i] // without the connection's number
	}
	if start == t.now {
		return false
	}
	two := slices.Contains(t.former, start)
	if two {
		t.at = at
		t.former = slices.DeleteFunc(t.former, func(s string) bool { return s == start })
	}
	if t.now != "" {
		t.former = append(t.former, t.now)
	}
	if n := len(t.former); n > maxFormer {
		t.former = t.former[n-maxFormer:]
	}
	t.now = start
	return two
}
