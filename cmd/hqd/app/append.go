package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"bordergate/sync/wire"
)

// ErrRaced means that another hqd wrote to the accounts log at that moment.
var ErrRaced = errors.New("another headquarters process wrote at the same moment: give the order again")

// appendOne stores one message at the place after the last that was read, or
// not at all: where another hqd has written there meanwhile, the order may no
// longer be right.
func (l *ledger) appendOne(ctx context.Context, entries []entry, urgent bool) error {
	plain, err := json.Marshal(entries)
	if err != nil {
		return fmt.Errorf("write accounts log: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	at := l.at + 1
	msg := nats.NewMsg(ledgerSubject)
	msg.Data = l.aead.Seal(nil, nil, plain, l.aad(at))
	for {
		one, cancel := soon(ctx, l.shared)
		_, err := l.js.PublishMsg(one, msg, jetstream.WithExpectLastSequence(at-1))
		cancel()
		if err == nil {
			return l.take(at, entries, urgent)
		}
		// Whether it was stored is unknown: what the store holds decides.
		switch held, err2 := l.settle(ctx, at, msg.Data); {
		case errors.Is(err2, ErrRaced):
			return fmt.Errorf("write accounts log: %w", err2)
		case held:
			return nil
		case err2 != nil || !l.shared || !pause(ctx):
			return fmt.Errorf("write accounts log: %w", errors.Join(err, err2))
		}
	}
}

// settle takes up what the store holds and says whether data is what is in
// place at.
func (l *ledger) settle(ctx context.Context, at uint64, data []byte) (bool, error) {
	ctx = context.WithoutCancel(ctx) // a person who goes away leaves no doubt behind
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	for {
		err := l.reread(ctx)
		if err == nil && l.at < at {
			return false, nil
		}
		if err == nil {
			var m *jetstream.RawStreamMsg
			one, cancel := soon(ctx, l.shared)
			m, err = l.stream.GetMsg(one, at)
			cancel()
			if err == nil {
				if bytes.Equal(m.Data, data) {
					return true, nil
				}
				return false, ErrRaced
			}
		}
		if !l.shared || !pause(ctx) {
			return false, err
		}
	}
}

// take moves the projections over a message of the store and publishes it.
func (l *ledger) take(at uint64, entries []entry, urgent bool) error {
	first, prev := l.seq+1, l.hash
	if err := l.project(at, entries); err != nil {
		return err
	}
	raws := make([][]byte, len(entries))
	for i, e := range entries {
		raws[i] = e.Raw
	}
	l.publish(first, prev, raws, urgent)
	return nil
}

// follow takes up what other hqd have written, so that the gates at this
// one's broker hear of it as soon as theirs.
func (l *ledger) follow(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reread(ctx)
}

// reread takes up what the store holds beyond the projections. The caller
// holds mu.
func (l *ledger) reread(ctx context.Context) error {
	asked := l.now()
	one, cancel := soon(ctx, l.shared)
	info, err := l.stream.Info(one)
	cancel()
	if err != nil {
		return err
	}
	for l.at < info.State.LastSeq {
		entries, err := l.read(ctx, l.at+1)
		if err != nil {
			return err
		}
		urgent := slices.ContainsFunc(entries, func(e entry) bool {
			var c wire.Change
			return json.Unmarshal(e.Raw, &c) == nil && (c.Decision != nil && c.Restricts() || c.OfWatch())
		})
		if err := l.take(l.at+1, entries, urgent); err != nil {
			return err
		}
	}
	l.whole = asked
	return nil
}
