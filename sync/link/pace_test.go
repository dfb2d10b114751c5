package link

import (
	"testing"
	"time"
)

// road is a line of a length and a width: what it carries at a time goes
// through in the time of a round trip, what comes on top waits.
type road struct {
	trip time.Duration
	each time.Duration // to get one batch in
	free time.Time
}

func (r *road) send(at time.Time) (acked time.Time) {
	start := at
	if r.free.After(start) {
		start = r.free
	}
	r.free = start.Add(r.each)
	return r.free.Add(r.trip)
}

// drive has p send for a while over r and gives the batches a second and the
// longest wait of the second half.
func drive(p *pace, r *road, seconds int) (rate float64, worst time.Duration) {
	type under struct{ sent, acked time.Time }
	begin := time.Unix(0, 0)
	end := begin.Add(time.Duration(seconds) * time.Second)
	half := begin.Add(end.Sub(begin) / 2)
	var way []under
	now, n := begin, 0
	for now.Before(end) {
		for p.room(len(way)) {
			way = append(way, under{now, r.send(now)})
		}
		now = way[0].acked
		if now.After(half) {
			n++
			worst = max(worst, now.Sub(way[0].sent))
		}
		p.acked(1, way[0].sent, now)
		way = way[1:]
	}
	return float64(n) / end.Sub(half).Seconds(), worst
}

// TestPaceFillsALineWithoutAQueue drives it over lines of any length and
// width: it uses what is there, and nothing waits for two seconds.
func TestPaceFillsALineWithoutAQueue(t *testing.T) {
	for _, c := range []struct {
		name       string
		trip, each time.Duration
		atLeast    float64 // batches a second
	}{
		{"long and wide", 600 * time.Millisecond, time.Millisecond, 190},
		{"long", 600 * time.Millisecond, 20 * time.Millisecond, 45},
		{"long and narrow", 600 * time.Millisecond, 100 * time.Millisecond, 9},
		{"short", 2 * time.Millisecond, 5 * time.Millisecond, 190},
		{"short and narrow", 2 * time.Millisecond, 200 * time.Millisecond, 4.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPace(128)
			rate, worst := drive(&p, &road{trip: c.trip, each: c.each}, 120)
			if rate < c.atLeast {
				t.Errorf("%.0f batches a second, want %.0f; window %.0f", rate, c.atLeast, p.window)
			}
			// On the narrowest line the smallest window alone takes 0.8 s.
			if limit := c.trip + queueing + firstWindow*c.each + 100*time.Millisecond; worst > limit {
				t.Errorf("a batch waited %v, want at most %v", worst, limit)
			}
		})
	}
}

func TestPaceKeepsItsBounds(t *testing.T) {
	p := newPace(6)
	now := time.Unix(100, 0)
	for range 100 {
		p.acked(3, now.Add(-time.Millisecond), now)
	}
	if p.room(6) || !p.room(5) {
		t.Errorf("window %.1f, want at most 6", p.window)
	}
	for i := range 100 {
		at := now.Add(time.Duration(i) * 10 * time.Second)
		p.acked(3, at.Add(-9*time.Second), at)
	}
	if !p.room(firstWindow-1) || p.room(firstWindow) {
		t.Errorf("window %.1f after queues only, want %d", p.window, firstWindow)
	}
	p.restart()
	if p.full || p.best != 0 || p.most != 6 {
		t.Errorf("%+v after a restart", p)
	}
}
