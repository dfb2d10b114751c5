package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bordergate/sync/wire"
)

// GateApplied is when a gate began to follow a decision.
type GateApplied struct {
	Gate    string    `json:"gate"`
	Applied bool      `json:"applied"`
	At      time.Time `json:"at,omitzero"`
	// Millis is from the decision's time at HQ to At on the gate's clock.
	Millis  float64 `json:"millis,omitempty"`
	Mono    int64   `json:"mono_ns,omitempty"`
	Refused string  `json:"refused,omitempty"`
	// Inferred says that the gate's own report is missing: At is when HQ saw
	// that the gate is past the decision.
	Inferred bool `json:"inferred,omitempty"`
}

// settled reports whether there is nothing to wait for.
func (r AppliedReport) settled() bool {
	for _, g := range r.Gates {
		if !g.Applied && g.Refused == "" {
			return false
		}
	}
	return true
}

// event is what is stored of either.
type event struct {
	Gate    string `json:"gate,omitempty"`
	At      int64  `json:"at"`
	Mono    int64  `json:"mono,omitempty"`
	Refused string `json:"refused,omitempty"`
	To      []byte `json:"to,omitempty"` // sealed
	As      string `json:"as,omitempty"` // to whom a notice was sent
	// Inferred: from the gate's cursor, without a report.
	Inferred bool   `json:"inferred,omitempty"`
	at       uint64 // the store's own sequence
}

// eventStore keeps when gates applied decisions and which notices were sent.
// The first report of a gate on a decision counts; the store refuses others.
type eventStore struct {
	js     jetstream.JetStream
	stream jetstream.Stream
	shared bool // other hqd write too

	mu      sync.Mutex
	applied map[string]map[string]event // decision, gate
	notices map[string][]event          // decision
	changed chan struct{}               // closed at the next change

	at uint64 // read so far; follow's alone
}

func openEvents(ctx context.Context, st *store) (*eventStore, error) {
	s, err := st.stream(ctx, "EVENTS", "ev.>", nil)
	if err != nil {
		return nil, err
	}
	es := &eventStore{
		js: st.js, shared: st.shared, stream: s, applied: make(map[string]map[string]event), notices: make(map[string][]event),
		changed: make(chan struct{}),
	}
	return es, es.follow(ctx)
}

// follow takes up what the store holds beyond what was read. What was added
// here is read once more, which changes nothing.
func (s *eventStore) follow(ctx context.Context) error {
	info, err := s.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("load events: %w", err)
	}
	for ; s.at < info.State.LastSeq; s.at++ {
		m, err := s.stream.GetMsg(ctx, s.at+1)
		if err != nil {
			return fmt.Errorf("load events: %w", err)
		}
		ev := event{at: m.Sequence}
		if err := json.Unmarshal(m.Data, &ev); err != nil {
			return fmt.Errorf("load events: %w", err)
		}
		s.project(m.Subject, ev)
	}
	return nil
}

func (s *eventStore) project(subject string, ev event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
	parts := strings.Split(subject, ".")
	if len(parts) < 3 {
		return
	}
	id := parts[2]
	if parts[1] == "notice" {
		if slices.ContainsFunc(s.notices[id], func(old event) bool { return old.at == ev.at }) {
			return
		}
		s.notices[id] = append(s.notices[id], ev)
		return
	}
	if s.applied[id] == nil {
		s.applied[id] = make(map[string]event)
	}
	s.applied[id][ev.Gate] = ev
}

func (s *eventStore) add(ctx context.Context, subject string, ev event, opts ...jetstream.PublishOpt) error {
	b, err := json.Marshal(ev)
	if err != nil {
		return fmt.Errorf("store event: %w", err)
	}
	msg := nats.NewMsg(subject)
	msg.Data = b
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	ack, err := s.publish(ctx, msg, opts)
	for err != nil && !wrongPlace(err) && s.shared && len(opts) > 0 && pause(ctx) {
		ack, err = s.publish(ctx, msg, opts) // what has its one place cannot be there twice
	}
	if wrongPlace(err) {
		return nil // known already
	}
	if err != nil {
		return fmt.Errorf("store event: %w", err)
	}
	ev.at = ack.Sequence
	s.project(subject, ev)
	return nil
}

func (s *eventStore) publish(ctx context.Context, m *nats.Msg, opts []jetstream.PublishOpt) (*jetstream.PubAck, error) {
	ctx, cancel := soon(ctx, s.shared)
	defer cancel()
	return s.js.PublishMsg(ctx, m, opts...)
}

// Applied keeps that gate follows, or refuses, the decision.
func (s *eventStore) Applied(ctx context.Context, gate, id string, ev event) error {
	if s.known(gate, id) {
		return nil
	}
	ev.Gate = gate
	return s.add(ctx, "ev.applied."+id+"."+gate, ev, jetstream.WithExpectLastSequencePerSubject(0))
}

// known reports whether the gate has answered for the decision.
func (s *eventStore) known(gate, id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.applied[id][gate]
	return ok
}

// Notice keeps that a notice was sent; to is sealed.
func (s *eventStore) Notice(ctx context.Context, id, as string, to []byte) error {
	return s.add(ctx, "ev.notice."+id, event{At: time.Now().UnixNano(), To: to, As: as})
}

// AppliedReport is HQ's view of one decision.
type AppliedReport struct {
	Decision      string        `json:"decision"`
	Action        wire.Action   `json:"action"`
	On            string        `json:"on"` // account, organisation or pass
	Ground        wire.Ground   `json:"ground"`
	Role          wire.Decider  `json:"role"`
	Request       string        `json:"request,omitempty"`
	At            time.Time     `json:"at"`
	Effective     time.Time     `json:"effective,omitzero"` // first gate's, in service now or not
	All           bool          `json:"all"`                // every gate in service has applied it
	Gates         []GateApplied `json:"gates"`
	NoticeDue     time.Time     `json:"notice_due,omitzero"`
	NoticeMissing []string      `json:"notice_missing,omitempty"` // to whom none was sent yet
	NoticeOverdue bool          `json:"notice_overdue"`
	Notices       []Notice      `json:"notices"`
}

// await returns at the next change, or when ctx ends.
func (s *eventStore) await(ctx context.Context, since <-chan struct{}) {
	select {
	case <-since:
	case <-ctx.Done():
	}
}

// mark is closed at the next change.
func (s *eventStore) mark() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// report puts together what is known of a decision. Gates are those in
// service. openTo reads a notice's addressee.
func (s *eventStore) report(d decision, gates []string, openTo func([]byte) string, now time.Time) AppliedReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := AppliedReport{
		Decision: d.ID, Action: d.Action, On: d.scope, Ground: d.Ground, Role: d.Role, Request: d.Request,
		At: time.Unix(0, d.At).UTC(), All: true, Notices: []Notice{},
	}
	for _, ev := range s.applied[d.ID] {
		if at := time.Unix(0, ev.At).UTC(); ev.Refused == "" && (r.Effective.IsZero() || at.Before(r.Effective)) {
			r.Effective = at
		}
	}
	for _, g := range gates {
		ev, ok := s.applied[d.ID][g]
		ga := GateApplied{Gate: g, Applied: ok && ev.Refused == "", Refused: ev.Refused}
		if ga.Applied {
			ga.Inferred = ev.Inferred
			ga.At, ga.Mono = time.Unix(0, ev.At).UTC(), ev.Mono
			ga.Millis = float64(ev.At-d.At) / 1e6
		}
		r.All = r.All && ga.Applied
		r.Gates = append(r.Gates, ga)
	}
	s.noticed(&r, d, openTo, now)
	return r
}
