package app

import (
	"encoding/json"
	"sync"

	"bordergate/gate"
)

// hub is the lane's screen: it keeps the newest view and hands each change to
// whoever listens. It never blocks the lane; a listener that does not keep up
// loses its connection, not an event in the middle.
type hub struct {
	now   func() int64
	light func(gate.State) // the lamps, once there are some
	// traveller is his screen, where there is one; never blocks.
	traveller func(gate.View)
	ended     func(gate.View) // told of each transaction that ends; never blocks, may be nil
	seen      func(gate.View) // the service manager's part; never blocks; may be nil

	mu     sync.Mutex
	view   gate.View
	recent []event
	subs   map[chan event]struct{}
}

// recentKept is how many finished transactions the status page shows.
const recentKept = 20

// event is what the status page's stream says. It holds no personal data, and
// none of the reasons that must look like any other referral.
type event struct {
	Kind    string             `json:"kind"` // lane or transaction
	At      int64              `json:"at"`   // CLOCK_MONOTONIC ns
	State   string             `json:"state,omitempty"`
	Mode    string             `json:"mode,omitempty"`
	Way     string             `json:"direction,omitempty"`
	Cause   string             `json:"cause,omitempty"`
	Hint    string             `json:"hint,omitempty"`
	Tx      string             `json:"tx,omitempty"`
	Outcome string             `json:"outcome,omitempty"`
	Reasons []string           `json:"reasons,omitempty"`
	Detail  string             `json:"detail,omitempty"`
	Notices []gate.Notice      `json:"notices,omitempty"`
	Steps   map[string]float64 `json:"steps_ms,omitempty"`
	Granted bool               `json:"granted,omitempty"`
}

func newHub(now func() int64) *hub {
	return &hub{now: now, subs: map[chan event]struct{}{}}
}

// Show implements gate.Screen.
func (h *hub) Show(v gate.View) {
	if h.light != nil {
		h.light(v.State)
	}
	if h.traveller != nil {
		h.traveller(v)
	}
	if h.seen != nil {
		h.seen(v)
	}
	e := event{Kind: "lane", At: h.now(), State: v.State.String(), Mode: v.Mode.String(), Way: v.Direction.String(), Cause: v.Cause, Hint: v.Hint, Notices: v.Notices}
	if v.Tx != (gate.TxID{}) {
		e.Tx = v.Tx.String()
	}
	if v.Finished && h.ended != nil {
		h.ended(v)
	}
	if v.Finished {
		e.Kind, e.Outcome, e.Granted, e.Detail = "transaction", v.Outcome.String(), v.Granted, v.Detail
		e.Reasons = []string{}
		for _, r := range v.Reasons {
			if !r.Hidden() { // the officer has it from the record
				e.Reasons = append(e.Reasons, r.String())
			}
		}
		e.Steps = map[string]float64{}
		for k, us := range v.Steps {
			e.Steps[k] = float64(us) / 1000
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.view = v
	if v.Finished {
		h.recent = append(h.recent, e)
		if len(h.recent) > recentKept {
			h.recent = h.recent[1:]
		}
	}
	for c := range h.subs {
		select {
		case c <- e:
		default:
			delete(h.subs, c)
			close(c)
		}
	}
}

// listen gives a channel of the events from now on; the newest lane state
// comes first. The channel is closed when the listener does not keep up.
func (h *hub) listen() (events <-chan event, end func()) {
	c := make(chan event, 256)
	h.mu.Lock()
	defer h.mu.Unlock()
	c <- event{Kind: "lane", At: h.now(), State: h.view.State.String(), Mode: h.view.Mode.String(), Way: h.view.Direction.String(), Cause: h.view.Cause}
	h.subs[c] = struct{}{}
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if _, live := h.subs[c]; live {
			delete(h.subs, c)
			close(c)
		}
	}
}

func (h *hub) snapshot() (gate.View, []event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.view, append([]event(nil), h.recent...)
}

func (e event) json() []byte {
	b, err := json.Marshal(e)
	if err != nil {
		return []byte("{}")
	}
	return b
}
