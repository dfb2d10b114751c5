package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of the streams of news.
const (
	keptNews      = 256
	maxStreams    = 64
	streamsOfOne  = 4
	streamPing    = 10 * time.Second
	streamRetryMS = 1000
)

// news is a change, numbered so that a page that was away for a moment gets
// what it missed. It holds nothing that names anybody.
type news struct {
	n    uint64
	kind string
	data []byte
}

// hub keeps the last changes. It never waits for a page: each reads at its own
// pace, and one that fell too far behind is told to read all again.
type hub struct {
	boot string

	mu      sync.Mutex
	next    uint64
	last    []news
	changed chan struct{}
	readers int
}

func newHub(boot string) *hub { return &hub{boot: boot, next: 1, changed: make(chan struct{})} }

func (h *hub) tell(kind string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		return // not possible: plain structs
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = append(h.last, news{h.next, kind, b})
	h.next++
	if len(h.last) > keptNews {
		h.last = h.last[1:]
	}
	close(h.changed)
	h.changed = make(chan struct{})
}

// since gives the changes from number n on; whole is false where some of them
// are not kept any more.
func (h *hub) since(n uint64) (list []news, whole bool, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.last {
		if x.n >= n {
			list = append(list, x)
		}
	}
	whole = n <= h.next && (n == h.next || len(list) > 0 && list[0].n == n)
	return list, whole, h.changed
}

// from reads where a page stopped. One of another start of headquarters begins
// anew.
func (h *hub) from(id string) (n uint64, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	boot, text, _ := strings.Cut(id, "-")
	last, err := strconv.ParseUint(text, 10, 64)
	if boot != h.boot || err != nil || last >= h.next {
		return h.next, false
	}
	return last + 1, true
}

func (h *hub) join() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.readers >= maxStreams {
		return false
	}
	h.readers++
	return true
}

func (h *hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readers--
}

// admitStream counts the streams of a session.
func (c *Console) admitStream(session string, by int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sessions[session]
	if s == nil || by > 0 && s.streams >= streamsOfOne {
		return false
	}
	s.streams += by
	return true
}

// events writes what changes until the page goes or its session is over.
func (c *Console) events(w http.ResponseWriter, r *http.Request, v visit) {
	if !c.hub.join() {
		fail(w, http.StatusServiceUnavailable, "too many pages are open")
		return
	}
	defer c.hub.leave()
	if !c.admitStream(v.session, 1) {
		fail(w, http.StatusTooManyRequests, "too many pages are open in this session")
		return
	}
	defer c.admitStream(v.session, -1)
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	at, known := c.hub.from(r.Header.Get("Last-Event-ID"))
	begin := fmt.Sprintf("retry: %d\n", streamRetryMS)
	if !known {
		begin += fmt.Sprintf("id: %s-%d\nevent: resync\ndata: {}\n", c.hub.boot, at-1)
	}
	t := time.NewTicker(streamPing)
	defer t.Stop()
	text := begin + "\n"
	for {
		list, whole, changed := c.hub.since(at)
		if !whole {
			at, _ = c.hub.from("")
			text += fmt.Sprintf("id: %s-%d\nevent: resync\ndata: {}\n\n", c.hub.boot, at-1)
			list = nil
		}
		for _, x := range list {
			if x.kind != "exception" || v.user.Role.may(toMeet) {
				text += fmt.Sprintf("id: %s-%d\nevent: %s\ndata: %s\n\n", c.hub.boot, x.n, x.kind, x.data)
			}
			at = x.n + 1
		}
		_ = out.SetWriteDeadline(time.Now().Add(streamPing)) // where there is none, the connection's own end does
		if _, err := w.Write([]byte(text)); err != nil || out.Flush() != nil {
			return
		}
		text = ""
		select {
		case <-r.Context().Done():
			return
		case <-c.done:
			return
		case <-changed:
		case <-t.C:
			text = ": here\n\n"
		}
		if _, err := c.visitor(r, false); err != nil {
			_, _ = w.Write([]byte("event: over\ndata: {}\n\n"))
			_ = out.Flush()
			return
		}
	}
}
