package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// documentStore keeps every version of the policy and the officers' list as
// signed, with who published it sealed beside it. The newest is what the store
// itself holds last, so that several hqd give gates the same.
type documentStore struct {
	js     jetstream.JetStream
	stream jetstream.Stream
}

const headerBy = "By" // who published, sealed to headquarters, base64

func openDocuments(ctx context.Context, e *store) (*documentStore, error) {
	s, err := e.stream(ctx, "DOCUMENTS", "doc.>", nil)
	if err != nil {
		return nil, err
	}
	return &documentStore{js: e.js, stream: s}, nil
}

func documentSubject(typ string) string { return "doc." + typ }

// last gives the newest message of a type and its place; nil where none was
// ever published.
func (s *documentStore) last(ctx context.Context, typ string) ([]byte, uint64, error) {
	m, err := s.stream.GetLastMsgForSubject(ctx, documentSubject(typ))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", typ, err)
	}
	return m.Data, m.Sequence, nil
}

// put stores a newer one, if the newest is still the one at the place after.
func (s *documentStore) put(ctx context.Context, typ string, after uint64, signed []byte, by string) error {
	msg := nats.NewMsg(documentSubject(typ))
	msg.Data = signed
	msg.Header.Set(headerBy, by)
	_, err := s.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(after))
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return fmt.Errorf("store %s: %w", typ, ErrRaced)
	}
	if err != nil {
		return fmt.Errorf("store %s: %w", typ, err)
	}
	return nil
}

// documents lists the types that are retained for gates.
func documentTypes() []string { return []string{wire.TypePolicy, wire.TypeOfficers} }

// newest decodes the newest document of a type; false where there is none.
func newest[T any](ctx context.Context, a *App, typ string) (v T, at uint64, ok bool, err error) {
	signed, at, err := a.documents.last(ctx, typ)
	if err != nil || signed == nil {
		return v, at, false, err
	}
	payload, err := wire.PayloadOf(signed)
	if err == nil {
		v, err = wire.Decode[T](payload)
	}
	return v, at, err == nil, err
}

// publishDocument signs, stores and only then publishes a document. Ver is
// above that of every one before it; the time keeps those of an HQ made anew
// above what gates know.
func (a *App) publishDocument(ctx context.Context, typ string, after, ver uint64, v any, by string) error {
	signed, err := a.id.sign(wire.RolePolicy, wire.Header{
		Typ: typ, To: wire.ToAll, Topic: link.DocumentTopic(typ), Seq: ver,
	}, v)
	if err != nil {
		return err
	}
	sealed, err := wire.SealTo(a.id.seal.PublicKey(), "publisher", []byte(by))
	if err != nil {
		return err
	}
	who, err := json.Marshal(sealed)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := a.documents.put(ctx, typ, after, signed, string(who)); err != nil {
		return err
	}
	if a.session.Connected() {
		a.logged(a.session.Send(link.DocumentTopic(typ), signed, true))
	}
	a.lag.renewed()
	return nil
}

func nextVersion(last uint64, now time.Time) uint64 { return max(last+1, uint64(now.Unix())) }

// sendDocuments has the broker retain the newest of each: it may be another
// broker, or have lost them.
func (a *App) sendDocuments(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	for _, typ := range documentTypes() {
		signed, _, err := a.documents.last(ctx, typ)
		if err == nil && signed != nil {
			err = a.session.Send(link.DocumentTopic(typ), signed, true)
		}
		a.logged(err)
	}
}

// lag is how HQ finds out that a gate has older documents than the store.
type lag struct {
	mu       sync.Mutex
	policy   uint64 // the store's, when it was last asked
	officers uint64
	asked    time.Time
	sent     time.Time // when a gate's lack was last answered
	pause    time.Duration
}

// Every so often, at most, the store is asked what is newest. Documents are sent
// again because some gate has older ones after a pause that doubles each time:
// a gate that can never take one must not cost all others their link.
const (
	askEvery  = 5 * time.Second
	lagPause  = 5 * time.Second
	lagLonger = 10 * time.Minute
)

// current reads the newest versions from the store.
func (a *App) current(ctx context.Context) (policy wire.Policy, officers uint64, err error) {
	p, _, _, err1 := newest[wire.Policy](ctx, a, wire.TypePolicy)
	o, _, _, err2 := newest[wire.Officers](ctx, a, wire.TypeOfficers)
	return p, o.Ver, errors.Join(err1, err2)
}

// renewed has a gate's lack answered soon again: there is something new to lack.
func (f *lag) renewed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pause = lagPause
}

// onLag sends the documents again where a gate says that it has older ones: the
// broker may have lost what it retained.
func (a *App) onLag(ctx context.Context, st wire.State, now time.Time) {
	f := &a.lag
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.asked) >= askEvery {
		policy, officers, err := a.current(ctx)
		f.policy, f.officers, f.asked = policy.Ver, officers, now
		a.logged(err)
	}
	if (st.Policy < f.policy || st.Officers < f.officers) && now.Sub(f.sent) >= f.pause {
		f.sent, f.pause = now, min(max(2*f.pause, lagPause), lagLonger)
		a.sendDocuments(ctx)
	}
}
