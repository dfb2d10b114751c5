package technician

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Times of a page's connection.
const (
	lookEvery = time.Second     // at the gate, and the server's sign of life
	sendLimit = 2 * time.Second // for a page to take what is sent
)

// maxStreams is how many pages may be open; a further one ends the oldest, which
// may be a browser that has gone without a word.
const maxStreams = 8

// streams are the open connections, oldest first.
type streams struct {
	mu   sync.Mutex
	open []chan struct{}
}

func (l *streams) add() chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) == maxStreams {
		close(l.open[0])
		l.open = l.open[1:]
	}
	end := make(chan struct{})
	l.open = append(l.open, end)
	return end
}

func (l *streams) remove(end chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, o := range l.open {
		if o == end {
			l.open = append(l.open[:i:i], l.open[i+1:]...)
			return
		}
	}
}

// part is a piece of the page that has changed.
type part struct {
	ID   string `json:"id"`
	HTML string `json:"html"`
}

// events sends each part of the page that has changed (WHATWG HTML, server-sent
// events) and a beat every second, until the session is over.
func (s *Server) events(w http.ResponseWriter, r *http.Request, id string) {
	me := s.streams.add()
	defer s.streams.remove(me)
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	_ = out.SetReadDeadline(time.Time{}) // the request is read; its end shows by its context
	send := func(text string) bool {
		if out.SetWriteDeadline(time.Now().Add(sendLimit)) != nil {
			return false
		}
		_, err := w.Write([]byte(text))
		return err == nil && out.Flush() == nil
	}
	if !send("retry: 1000\n\n") {
		return
	}
	beat := time.NewTicker(s.look)
	defer beat.Stop()
	sent := map[string]string{}
	for {
		text, ok := s.changes(sent)
		if !ok || !send(text+"event: beat\ndata: {}\n\n") {
			return
		}
		select {
		case <-beat.C:
		case <-me:
			return
		case <-r.Context().Done():
			return
		}
		if !s.sessions.holds(id) {
			send("event: over\ndata: {}\n\n")
			return
		}
	}
}

// holds says whether a session is not over.
func (s *sessions) holds(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	used, ok := s.used[id]
	return ok && !used.IsZero() && s.now().Sub(used) < s.idle
}

// changes are the parts that are not as they were sent last. When the list of
// sections itself has changed, all of it is one part.
func (s *Server) changes(sent map[string]string) (text string, ok bool) {
	p := s.o.Page()
	order := ""
	for _, x := range p.Sections {
		order += x.ID + " "
	}
	parts := []struct {
		id, name string
		data     any
	}{{"head", "head", p}}
	if sent["order"] != order {
		clear(sent)
		sent["order"] = order
		parts = append(parts, struct {
			id, name string
			data     any
		}{"sections", "sections", p})
	}
	for _, x := range p.Sections {
		parts = append(parts, struct {
			id, name string
			data     any
		}{"s-" + x.ID, "section", x})
	}
	whole := len(sent) == 1
	for _, x := range parts {
		html, err := s.render(x.name, x.data)
		if err != nil {
			return "", false
		}
		if sent[x.id] == html {
			continue
		}
		sent[x.id] = html
		if whole && x.name == "section" {
			continue // it went with all of them
		}
		b, err := json.Marshal(part{x.id, html})
		if err != nil {
			return "", false
		}
		text += "event: part\ndata: " + string(b) + "\n\n"
	}
	return text, true
}
