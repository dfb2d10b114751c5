package replica

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Spread sums up times, µs.
type Spread struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// times collects durations from several goroutines.
type times struct {
	mu   sync.Mutex
	list []time.Duration
}

func (t *times) add(d time.Duration) {
	t.mu.Lock()
	t.list = append(t.list, d)
	t.mu.Unlock()
}

// spread sums up what was collected and begins anew.
func (t *times) spread() Spread {
	t.mu.Lock()
	list := t.list
	t.list = make([]time.Duration, 0, cap(list))
	t.mu.Unlock()
	if len(list) == 0 {
		return Spread{}
	}
	slices.Sort(list)
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	return Spread{len(list), us(list[len(list)/2]), us(list[len(list)*99/100]), us(list[len(list)-1])}
}

// Measures are those of one period.
type Measures struct {
	LookUp   Spread         `json:"look_up"`  // one account
	CPU      Spread         `json:"cpu"`      // the same in processor time: without waiting for a processor
	Asked    Spread         `json:"asked"`    // all that a decision asks the cache, and the decision
	Recorded Spread         `json:"recorded"` // until its record is durable
	Admitted int            `json:"admitted"`
	Others   map[string]int `json:"others"` // by reasons
}

// Event is what the gate's process says as it happens; a time is the clock's.
type Event struct {
	What string    `json:"what"`
	At   time.Time `json:"at"`
	// Of the events that end a period.
	Measures *Measures `json:"measures,omitempty"`
	Memory   *Memory   `json:"memory,omitempty"`
	Bytes    int64     `json:"bytes,omitempty"` // of the file
	Error    string    `json:"error,omitempty"`
}

// Memory is anonymous memory, bytes: what cannot be dropped and read again.
type Memory struct {
	Before int64 `json:"before"`
	Peak   int64 `json:"peak"`
	After  int64 `json:"after"`
}

// anonymous is this process's RssAnon, bytes.
func anonymous() (int64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	f := strings.Fields(rest)
	if len(f) == 0 {
		return 0, fmt.Errorf("read memory: no RssAnon: a newer Linux is needed")
	}
	n, err := strconv.ParseInt(f[0], 10, 64)
	return n << 10, err
}
