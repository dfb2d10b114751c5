package app

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"bordergate/sync/wire"
)

// Known is a record that headquarters has come to know of. A record that waits
// behind its gate's backlog is known before it is stored, by its copy, and told
// again when it is. What a gate brings of the time without a connection is not
// told.
type Known struct {
	Gate      string    `json:"gate"`
	Stream    string    `json:"stream"`
	Epoch     uint64    `json:"epoch"`
	Seq       uint64    `json:"seq"`
	Kind      string    `json:"kind"`
	Wall      time.Time `json:"wall"`
	At        time.Time `json:"known"`
	Stored    bool      `json:"stored"`
	Simulated bool      `json:"simulated"`
}

// newsQueue is how far a reader may fall behind before it is cut off.
const newsQueue = 4096

// news tells of records as they become known, to whoever follows.
type news struct {
	mu      sync.Mutex
	readers map[chan Known]bool
}

func newNews() *news { return &news{readers: make(map[chan Known]bool)} }

// tell never blocks. A reader that does not keep up is cut off, since what it
// would miss it could not know of.
func (n *news) tell(recs []wire.Record, stored bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.readers) == 0 {
		return
	}
	now := time.Now().UTC()
	for _, r := range recs {
		k := Known{
			Gate: r.Gate, Stream: r.Stream.String(), Epoch: r.Epoch, Seq: r.Seq, Kind: r.Kind,
			Wall: time.Unix(0, r.Wall).UTC(), At: now, Stored: stored, Simulated: r.Simulated,
		}
		for c := range n.readers {
			select {
			case c <- k:
			default:
				delete(n.readers, c)
				close(c)
			}
		}
	}
}

func (n *news) read() chan Known {
	c := make(chan Known, newsQueue)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.readers[c] = true
	return c
}

func (n *news) leave(c chan Known) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.readers, c)
}

// onLive takes the copy of what a gate has just recorded. It is not stored: the
// records come in their place, and only there do they count.
func (a *App) onLive(g GateEntry, stream wire.Stream, r wire.Records) error {
	recs, _, err := r.Check(g.Gate, stream)
	if err == nil {
		a.news.tell(recs, false)
	}
	return err
}

// follow writes a line for each record that becomes known, until the reader
// goes or falls behind.
func (a *App) follow(w http.ResponseWriter, r *http.Request) {
	gate := r.URL.Query().Get("gate")
	c := a.news.read()
	defer a.news.leave(c)
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := http.NewResponseController(w)
	if out.Flush() != nil { // the reader knows now that nothing after this is missed
		return
	}
	enc := json.NewEncoder(w)
	for {
		select {
		case <-r.Context().Done():
			return
		case k, ok := <-c:
			if !ok {
				panic(http.ErrAbortHandler) // the reader must not take the part for the whole
			}
			if gate != "" && k.Gate != gate {
				continue
			}
			if enc.Encode(k) != nil || out.Flush() != nil {
				return
			}
		}
	}
}
