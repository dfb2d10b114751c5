package app

import (
	"testing"
	"time"

	"bordergate/hal"
)

func TestLooksStatusHoldsEveryLook(t *testing.T) {
	if looksStatus(hal.Looks{}) != nil {
		t.Error("a device that nobody looked at has looks")
	}
	var l hal.Looks
	for _, d := range []time.Duration{time.Millisecond, 60 * time.Millisecond, 150 * time.Millisecond, time.Minute} {
		l.Note(d, 100*time.Millisecond)
	}
	s := looksStatus(l)
	sum := uint64(0)
	for _, n := range s.WithinMS {
		sum += n
	}
	if s.Count != 4 || sum != 4 || s.Late != 2 || s.LongestMS != 60_000 || s.WithinMS["25"] != 1 || s.WithinMS["more"] != 1 {
		t.Errorf("%+v", s)
	}
}
