package station

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Event is one event of the gate's status stream.
type Event struct {
	Kind    string             `json:"kind"` // lane or transaction
	At      int64              `json:"at"`   // CLOCK_MONOTONIC ns
	State   string             `json:"state"`
	Cause   string             `json:"cause"`
	Tx      string             `json:"tx"`
	Outcome string             `json:"outcome"`
	Reasons []string           `json:"reasons"`
	Notices []string           `json:"notices"`
	Steps   map[string]float64 `json:"steps_ms"`
	Granted bool               `json:"granted"`
}

// follow hands the gate's events over until ctx ends, and connects again when
// the gate was away. A full receiver holds the stream up, not the gate.
func (s *Station) follow(ctx context.Context) {
	for ctx.Err() == nil {
		s.stream(ctx)
		t := time.NewTimer(askEvery)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

func (s *Station) stream(ctx context.Context) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.status+"/events", nil)
	if err != nil {
		return
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return
	}
	defer res.Body.Close()
	scan := bufio.NewScanner(res.Body)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		e, ok := parseEvent(scan.Text())
		if !ok {
			continue
		}
		select {
		case s.events <- e:
		case <-ctx.Done():
			return
		}
	}
}

// parseEvent reads one line of a server-sent event stream.
func parseEvent(line string) (Event, bool) {
	data, ok := strings.CutPrefix(line, "data:")
	if !ok {
		return Event{}, false
	}
	var e Event
	if json.Unmarshal([]byte(strings.TrimSpace(data)), &e) != nil || e.Kind == "" {
		return Event{}, false
	}
	return e, true
}
