package line

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Faults are chances per PUBLISH packet, 0 to 1. The zero value is a line
// without faults.
type Faults struct {
	Drop, Double, Swap float64
	Cut                float64 // the connection breaks off before the packet
}

func (f Faults) none() bool { return f == Faults{} }

// Options of a line.
type Options struct {
	To    string        // host:port of the far end
	Delay time.Duration // each way
	Seed  uint64
}

// Counts are what has happened on the line.
type Counts struct {
	Connections uint64 `json:"connections"`
	Cuts        uint64 `json:"cuts"`
	Passed      uint64 `json:"passed"` // PUBLISH packets that arrived, each copy counted
	Dropped     uint64 `json:"dropped"`
	Doubled     uint64 `json:"doubled"`
	Swapped     uint64 `json:"swapped"`
}

// Line is a listening proxy.
type Line struct {
	o      Options
	ln     net.Listener
	faults atomic.Pointer[Faults]
	wg     sync.WaitGroup

	connections, cuts, passed, dropped, doubled, swapped atomic.Uint64

	mu     sync.Mutex
	rnd    *rand.Rand
	calls  map[*call]bool
	closed bool
}

// New listens on a free port of this machine and passes on to o.To, which need
// not be there yet. Close ends it.
func New(o Options) (*Line, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open line: %w", err)
	}
	l := &Line{o: o, ln: ln, rnd: rand.New(rand.NewPCG(o.Seed, 0x11e)), calls: make(map[*call]bool)}
	l.faults.Store(&Faults{})
	l.wg.Go(l.accept)
	return l, nil
}

// Address is where the near end connects to.
func (l *Line) Address() string { return l.ln.Addr().String() }

// Set changes the faults from the next packet on.
func (l *Line) Set(f Faults) { l.faults.Store(&f) }

// Cut breaks every connection off.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.calls {
		l.cuts.Add(1)
		c.end()
	}
}

// Counts is what has happened so far.
func (l *Line) Counts() Counts {
	return Counts{
		Connections: l.connections.Load(), Cuts: l.cuts.Load(), Passed: l.passed.Load(),
		Dropped: l.dropped.Load(), Doubled: l.doubled.Load(), Swapped: l.swapped.Load(),
	}
}

// Close ends the line and everything on it.
func (l *Line) Close() {
	l.mu.Lock()
	l.closed = true
	for c := range l.calls {
		c.end()
	}
	l.mu.Unlock()
	_ = l.ln.Close()
	l.wg.Wait()
}

func (l *Line) accept() {
	for {
		near, err := l.ln.Accept()
		if err != nil {
			return // closed
		}
		l.wg.Go(func() { l.serve(near) })
	}
}

// serve connects one call through. A far end that is not there refuses it.
func (l *Line) serve(near net.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	far, err := new(net.Dialer).DialContext(ctx, "tcp", l.o.To)
	if err != nil {
		_ = near.Close()
		return
	}
	c := &call{line: l, near: near, far: far}
	c.up, c.down = newWay(c, far), newWay(c, near)
	if !l.add(c) {
		c.end()
		return
	}
	l.connections.Add(1)
	var wg sync.WaitGroup
	wg.Go(func() { c.read(near, c.up, c.down) })
	wg.Go(func() { c.read(far, c.down, c.up) })
	wg.Go(c.up.write)
	wg.Go(c.down.write)
	wg.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.calls, c)
}

func (l *Line) add(c *call) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.calls[c] = true
	return true
}

// fate is what becomes of one PUBLISH.
type fate uint8

const (
	pass fate = iota
	drop
	double
	swap
	cut
)

// draw decides on the next PUBLISH.
func (l *Line) draw() fate {
	f := *l.faults.Load()
	if f.none() {
		return pass
	}
	l.mu.Lock()
	x := l.rnd.Float64()
	l.mu.Unlock()
	for _, c := range []struct {
		chance float64
		fate   fate
	}{{f.Drop, drop}, {f.Double, double}, {f.Swap, swap}, {f.Cut, cut}} {
		if x < c.chance {
			return c.fate
		}
		x -= c.chance
	}
	return pass
}
