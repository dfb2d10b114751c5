package link

import "time"

// A batch that waits longer than queueing beyond the line's own time stands in
// a queue, and whatever is newer stands behind it.
const (
	firstWindow = 4
	queueing    = 700 * time.Millisecond
)

// pace finds how many batches of a lane may be under way: as many as keep a
// long line full, and not so many that they queue, at the gate's own socket, on
// a narrow line or at HQ. It doubles on an empty line with each round trip,
// until batches queue; then it gives way by a quarter and grows by one.
type pace struct {
	most   int
	window float64
	best   time.Duration // shortest time to an acknowledgement on this connection
	full   bool          // batches have queued on this connection
	calm   time.Time     // what was sent before the last giving way says nothing new
}

func newPace(most int) pace { return pace{most: most, window: firstWindow} }

// restart forgets the line, whose next connection may be another.
func (p *pace) restart() { *p = pace{most: p.most, window: firstWindow} }

// room reports whether one more batch may go beside n under way.
func (p *pace) room(n int) bool { return n < min(int(p.window), p.most) }

// acked learns from the acknowledgement of n batches, the newest of which was
// sent at that time.
func (p *pace) acked(n int, sent, now time.Time) {
	took := now.Sub(sent)
	if p.best == 0 || took < p.best {
		p.best = took
	}
	switch {
	case took <= p.best+queueing && !p.full:
		p.window += float64(n)
	case took <= p.best+queueing:
		p.window += 2 * float64(n) / p.window
	case sent.After(p.calm):
		p.full, p.calm = true, now
		p.window *= 0.75
	}
	p.window = min(max(p.window, firstWindow), float64(p.most))
}
