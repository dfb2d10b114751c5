package seal

import (
	"errors"
	"time"
)

// ErrDate is returned for three bytes that are no date of the calendar.
var ErrDate = errors.New("not a date")

// DateSize is the length of an encoded date in bytes.
const DateSize = 3

// EncodeDate encodes the calendar date of t, in t's own location, as the
// number MMDDYYYY in three bytes (ICAO Doc 9303-13 §2.3.1).
func EncodeDate(t time.Time) ([]byte, error) {
	y, m, d := t.Date()
	if y < 1 || y > 9999 {
		return nil, ErrDate
	}
	n := int(m)*1000000 + d*10000 + y
	return []byte{byte(n >> 16), byte(n >> 8), byte(n)}, nil
}

// DecodeDate returns the date at 00:00 UTC.
func DecodeDate(b []byte) (time.Time, error) {
	if len(b) != DateSize {
		return time.Time{}, ErrDate
	}
	n := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	y, m, d := n%10000, time.Month(n/1000000), n/10000%100
	t := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	// time.Date carries 31 April over into May: only a date that comes back
	// unchanged exists.
	if gy, gm, gd := t.Date(); y < 1 || gy != y || gm != m || gd != d {
		return time.Time{}, ErrDate
	}
	return t, nil
}
