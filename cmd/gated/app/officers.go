package app

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"bordergate/gate"
	"bordergate/sync/wire"
)

// Why an act is refused, one for each, so that each can be told and counted.
var (
	errNoOfficer = errors.New("no officer of headquarters' list has signed this, or his key is over")
	errNonce     = errors.New("its nonce is not this gate's, is used, or is older than 10 s: ask for a new one")
	errNoRight   = errors.New("headquarters gives this officer no right to it at this crossing")
)

// Limits of acts.
const (
	actLife   = 10 * time.Second // from the nonce to the act
	maxNonces = 16               // given out and unused
)

// officers verifies the acts of officers at this gate, with no network: by
// headquarters' newest list, and by a nonce of this gate's own that is good
// once and for seconds of its monotonic clock. So an act was signed for this
// gate just now, whatever the clocks say. Without a list, or with a lost one,
// nobody is an officer.
type officers struct {
	gate, crossing string
	clock          gate.Clock
	mono           func() int64

	mu     sync.Mutex
	ring   *wire.Keyring
	list   map[string]wire.Officer // by key id
	nonces map[string]int64        // when given out
}

func newOfficers(name, crossing string, clock gate.Clock) *officers {
	return &officers{gate: name, crossing: crossing, clock: clock, mono: monoNow, nonces: make(map[string]int64)}
}

// user takes headquarters' list.
func (o *officers) user() documentUser {
	return documentUser{
		read: func(payload []byte) (uint64, func(), error) {
			l, err := wire.Decode[wire.Officers](payload)
			if err == nil {
				err = l.Check()
			}
			if err != nil {
				return 0, nil, err
			}
			keys, list := make([]wire.PublicKey, 0, len(l.Officers)), make(map[string]wire.Officer, len(l.Officers))
			for _, e := range l.Officers {
				keys = append(keys, wire.PublicKey{
					Kid: e.Kid(), Role: wire.RoleOfficer, Key: ed25519.PublicKey(e.Key), NotAfter: time.UnixMilli(e.NotAfter),
				})
				list[e.Kid()] = e
			}
			ring, err := wire.NewKeyring(keys...)
			return l.Ver, func() { o.set(ring, list) }, err
		},
		lost: func() { o.set(nil, nil) },
	}
}

func (o *officers) set(ring *wire.Keyring, list map[string]wire.Officer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ring, o.list = ring, list
}

// nonce gives out a new one. The oldest makes room, so that nobody can keep an
// officer from getting one.
func (o *officers) nonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.mono()
	oldest := ""
	for n, at := range o.nonces {
		if now-at > actLife.Nanoseconds() {
			delete(o.nonces, n)
		} else if oldest == "" || at < o.nonces[oldest] {
			oldest = n
		}
	}
	if len(o.nonces) >= maxNonces {
		delete(o.nonces, oldest)
	}
	out := hex.EncodeToString(b[:])
	o.nonces[out] = now
	return out
}

// verify gives the act and who did it. A nonce is used up by any act that is an
// officer's, also by one that he has no right to.
func (o *officers) verify(signed []byte) (wire.Act, wire.Officer, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ring == nil || len(signed) > wire.MaxAct {
		return wire.Act{}, wire.Officer{}, errNoOfficer
	}
	h, payload, err := o.ring.Verify(signed, wire.Want{Typ: wire.TypeAct, To: o.gate, Role: wire.RoleOfficer, Now: o.judging()})
	if err == nil && h.To != o.gate {
		err = wire.ErrAddress
	}
	if err != nil {
		return wire.Act{}, wire.Officer{}, fmt.Errorf("%w (%w)", errNoOfficer, err)
	}
	act, err := wire.Decode[wire.Act](payload)
	if err == nil {
		err = act.Check()
	}
	if err != nil {
		return wire.Act{}, wire.Officer{}, err
	}
	given, ok := o.nonces[act.Nonce]
	delete(o.nonces, act.Nonce)
	who := o.list[h.Kid]
	switch {
	case !ok || o.mono()-given > actLife.Nanoseconds():
		return act, who, errNonce
	case !who.May(act.Do, o.crossing):
		return act, who, errNoRight
	}
	return act, who, nil
}

// judging is by what time the end of a key is judged: a clock that is not to be
// trusted may be behind by as long as an outage lasts.
func (o *officers) judging() time.Time {
	now, trust, floor := o.clock.Wall()
	if trust >= gate.ClockHeldOver {
		return now
	}
	return floor.Add(clockMargin)
}
