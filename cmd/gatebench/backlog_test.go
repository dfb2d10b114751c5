package main

import "testing"

// TestBacklogRows holds each goal to what misses it.
func TestBacklogRows(t *testing.T) {
	good := drained{
		Records: 10, Rate: 5000, Live: spread{N: 5, Max: 2000}, Alarm: spread{N: 1, Max: 900},
		Before: spread{N: 9, P50: 1, P99: 4}, After: spread{N: 9, P50: 1.9, P99: 7.9},
	}
	for _, c := range []struct {
		name   string
		change func(*drained)
		missed int
	}{
		{"good", func(*drained) {}, 0},
		{"slow", func(d *drained) { d.Rate = 4999 }, 1},
		{"a late crossing", func(d *drained) { d.Live.Max = 2001 }, 1},
		{"a late alarm", func(d *drained) { d.Alarm.Max = 2001 }, 1},
		{"nothing live", func(d *drained) { d.Live = spread{} }, 1},
		{"one not known", func(d *drained) { d.Missed = 1 }, 1},
		{"slower commits", func(d *drained) { d.After = spread{P50: 2, P99: 8} }, 2},
		{"no commits", func(d *drained) { d.Before = spread{} }, 2},
	} {
		d := good
		c.change(&d)
		missed := 0
		for _, r := range d.rows() {
			if !r.OK {
				missed++
			}
		}
		if missed != c.missed {
			t.Errorf("%s: %d goals missed, want %d", c.name, missed, c.missed)
		}
	}
}
