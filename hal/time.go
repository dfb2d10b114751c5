package hal

import (
	"time"

	"golang.org/x/sys/unix"
)

// Mono is a reading of CLOCK_MONOTONIC in nanoseconds. Readings compare
// between processes of one boot, never between boots.
type Mono int64

// Now reads CLOCK_MONOTONIC.
func Now() Mono {
	var ts unix.Timespec
	// The call cannot fail for this clock on Linux; a zero reading would make
	// every level stale, which fails closed.
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return Mono(ts.Nano())
}

// Add is the reading d later.
func (m Mono) Add(d time.Duration) Mono { return m + Mono(d) }

// Sub is the time from o to m.
func (m Mono) Sub(o Mono) time.Duration { return time.Duration(m - o) }

// Trust says how far the wall clock can be believed. The zero value is Bad.
type Trust uint8

// The levels of trust in the wall clock, least first.
const (
	TrustBad       Trust = iota // below the time floor, or unknown
	TrustPlausible              // at or above the floor, never synchronised
	TrustHoldover               // was synchronised during this boot
	TrustSynced                 // synchronised now
)

// String names the level as records do.
func (t Trust) String() string {
	switch t {
	case TrustPlausible:
		return "plausible"
	case TrustHoldover:
		return "holdover"
	case TrustSynced:
		return "synced"
	default:
		return "bad"
	}
}
