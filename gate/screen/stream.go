package screen

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Times of a page's connection.
const (
	beatEvery = time.Second             // the server's sign of life
	silence   = 3500 * time.Millisecond // after which a page shows that it has none
	sendLimit = 2 * time.Second         // for a page to take one message
	mirrorFor = 2 * time.Second         // how long a wait for a picture lasts
)

// maxStreams is how many pages may be open. A kiosk has one; a further one ends
// the oldest, which may be a browser that has gone without a word.
const maxStreams = 4

// streams are the open connections, oldest first.
type streams struct {
	mu   sync.Mutex
	open []*stream
}

type stream struct{ end chan struct{} }

func (l *streams) add() *stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) == maxStreams {
		close(l.open[0].end)
		l.open = l.open[1:]
	}
	s := &stream{end: make(chan struct{})}
	l.open = append(l.open, s)
	return s
}

func (l *streams) remove(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, o := range l.open {
		if o == s {
			l.open = append(l.open[:i:i], l.open[i+1:]...)
			return
		}
	}
}

// events sends the newest message at once and each later one as it comes
// (WHATWG HTML, server-sent events), and a beat in between.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	me := s.streams.add()
	defer s.streams.remove(me)
	defer s.board.look()()
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	send := func(text string) bool {
		if out.SetWriteDeadline(time.Now().Add(sendLimit)) != nil {
			return false
		}
		_, err := w.Write([]byte(text))
		return err == nil && out.Flush() == nil
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	if !send("retry: 500\n\n") {
		return
	}
	var last uint64
	for {
		m, changed := s.board.newest()
		text := "event: beat\ndata: {}\n\n"
		if m.Seq != last {
			b, err := json.Marshal(m)
			if err != nil {
				return
			}
			last, text = m.Seq, fmt.Sprintf("event: show\ndata: %s\n\n", b)
		}
		if !send(text) {
			return
		}
		select {
		case <-changed:
		case <-beat.C:
		case <-me.end:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// mirror answers with the newest picture that is newer than the one the page
// has; the page asks again when it has drawn it, so that one which is slow gets
// fewer.
func (s *Server) mirror(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		http.Error(w, "after is not a number", http.StatusBadRequest)
		return
	}
	limit := time.NewTimer(mirrorFor)
	defer limit.Stop()
	for {
		jpeg, number, on, next := s.board.reflection(after)
		if len(jpeg) > 0 {
			w.Header().Set("Content-Type", "image/jpeg")
			w.Header().Set("Frame", strconv.FormatUint(number, 10))
			_, _ = w.Write(jpeg) // the reader has gone: nothing to tell him
			clear(jpeg)
			return
		}
		if !on {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		select {
		case <-next:
		case <-limit.C:
			w.WriteHeader(http.StatusNoContent)
			return
		case <-r.Context().Done():
			return
		}
	}
}
