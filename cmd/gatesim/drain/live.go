package drain

import (
	"context"
	"fmt"
	"sync"
	"time"

	"bordergate/cmd/gatesim/station"
	"bordergate/sync/wire"
)

// live is what is recorded while the backlog drains.
type live struct {
	x *run

	mu      sync.Mutex
	written map[seen]time.Time
	late    map[wire.Stream][]time.Duration
	took    []time.Duration
}

// seen is a record by its place.
type seen struct {
	stream wire.Stream
	seq    uint64
}

func newLive(x *run) *live {
	return &live{x: x, written: make(map[seen]time.Time), late: make(map[wire.Stream][]time.Duration)}
}

// walk records what travellers would, every fifth an alarm, from when the link
// is up: what was recorded before is of the backlog.
func (l *live) walk(ctx context.Context) {
	for !l.x.gate.Link.Online() {
		select {
		case <-ctx.Done():
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
	tick := time.NewTicker(time.Second / time.Duration(l.x.o.LiveRate))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		d := draft(n)
		if n%5 == 4 {
			d.Stream = wire.StreamAlarm
		}
		start := time.Now()
		p, err := l.x.gate.Journal.Append(ctx, d)
		if err != nil {
			return
		}
		durable := time.Now()
		l.mu.Lock()
		l.took = append(l.took, durable.Sub(start))
		l.written[seen{p.Stream, p.Seq}] = durable
		l.mu.Unlock()
		l.x.gate.Link.Notify()
	}
}

// watch follows what headquarters knows.
func (l *live) watch(ctx context.Context) {
	err := l.x.hq.Follow(ctx, gateName, func(k station.Known) {
		if s, err := wire.ParseStream(k.Stream); err == nil {
			l.known(seen{s, k.Seq})
		}
	})
	if ctx.Err() == nil {
		l.x.say("headquarters told no more: %v", err)
	}
}

// known notes that headquarters knows a record now.
func (l *live) known(s seen) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.written[s]; ok {
		l.late[s.stream] = append(l.late[s.stream], time.Since(at))
		delete(l.written, s)
	}
}

func (l *live) now() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%+v ms, unknown %d", quantiles(l.late[wire.StreamCrossing]), len(l.written))
}

func (l *live) conclude(r *Report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.During = quantiles(l.took)
	r.Live, r.LiveAlarm = quantiles(l.late[wire.StreamCrossing]), quantiles(l.late[wire.StreamAlarm])
	// What was written within the last two seconds is not late yet.
	for s, at := range l.written {
		if age := time.Since(at); age > 2*time.Second {
			l.x.say("headquarters was not told of %s %d, %.1f s old", s.stream, s.seq, age.Seconds())
			r.Missed++
		}
	}
}
