package console

import (
	"sync"
	"time"
)

// Bounds of wrong log-ins.
const (
	freeTries    = 5  // of one name from one address
	freeFrom     = 30 // from one address, of any name
	firstWait    = 30 * time.Second
	longestWait  = 15 * time.Minute
	forgetAfter  = time.Hour
	maxTrackeds  = 4096
	loginsAtOnce = 2 // each takes 19 MiB
)

// limiter slows down whoever tries passwords. Beyond what is free each wrong
// one doubles the wait. Names and addresses are counted together, so that
// nobody elsewhere can lock an officer out.
type limiter struct {
	mu    sync.Mutex
	tries map[string]tries
}

type tries struct {
	n     int
	last  time.Time
	until time.Time
}

// wait is how long the key has to wait.
func (l *limiter) wait(now time.Time, keys ...string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var most time.Duration
	for _, k := range keys {
		most = max(most, l.tries[k].until.Sub(now))
	}
	return most
}

// wrong counts a wrong try; free are without a wait.
func (l *limiter) wrong(now time.Time, key string, free int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tries == nil {
		l.tries = make(map[string]tries)
	}
	if len(l.tries) >= maxTrackeds {
		l.forget(now)
	}
	t := l.tries[key]
	if now.Sub(t.last) > forgetAfter {
		t = tries{}
	}
	t.n, t.last = t.n+1, now
	if over := t.n - free; over >= 0 {
		t.until = now.Add(min(firstWait<<min(over, 10), longestWait))
	}
	l.tries[key] = t
}

func (l *limiter) right(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.tries, key)
}

// forget drops what is old, and where nothing is, the oldest.
func (l *limiter) forget(now time.Time) {
	oldest := ""
	for k, t := range l.tries {
		if now.Sub(t.last) > forgetAfter {
			delete(l.tries, k)
		} else if oldest == "" || t.last.Before(l.tries[oldest].last) {
			oldest = k
		}
	}
	if len(l.tries) >= maxTrackeds {
		delete(l.tries, oldest)
	}
}
