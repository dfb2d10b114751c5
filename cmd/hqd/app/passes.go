package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"bordergate/barcode/pass"
	"bordergate/sync/wire"
)

// passEntry is what HQ must know of a pass to judge a change of it. HQ keeps
// no list of the passes that were issued: it revokes and stamps numbers.
type passEntry struct {
	ver     uint64
	revoked bool
	stamped int64 // Unix ns
}

// checkNumber refuses what no pass can have as its number, so that a slip of
// the hand does not revoke nothing. The error does not repeat it.
func checkNumber(n string) error {
	bad := func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') }
	if n == "" || len(n) > pass.MaxNumber || strings.ContainsFunc(n, bad) {
		return fmt.Errorf("%w: a pass number is 1 to %d of A-Z and 0-9", wire.ErrChange, pass.MaxNumber)
	}
	return nil
}

// projectPass moves the projection of a pass over one change.
func (l *ledger) projectPass(c wire.Change) {
	p := l.passes[c.Pass]
	p.ver = c.Ver
	switch c.Op {
	case wire.OpRevoke:
		p.revoked = true
	case wire.OpStamp:
		p.stamped = c.Stamped
	}
	l.passes[c.Pass] = p
}

// Revocation is what a person asks HQ to revoke.
type Revocation struct {
	Number        string       `json:"number"`
	By            string       `json:"by"`
	Role          wire.Decider `json:"role"` // issuing_office where empty
	Authorisation string       `json:"authorisation"`
	Ground        wire.Ground  `json:"ground"`
	Request       string       `json:"request"`
}

// Revoke makes the revocation of a pass durable and publishes it, or refuses
// to make it. It is for good: the holder needs a pass with another number.
func (l *ledger) Revoke(ctx context.Context, o Revocation) (wire.Decision, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := checkNumber(o.Number); err != nil {
		return wire.Decision{}, fmt.Errorf("revoke pass: %w", err)
	}
	p := l.passes[o.Number]
	switch {
	case o.By == "":
		return wire.Decision{}, fmt.Errorf("revoke pass: %w: nobody named as decider", wire.ErrDecision)
	case p.revoked:
		return wire.Decision{}, fmt.Errorf("revoke pass: %w: it is revoked already", ErrTransition)
	}
	if o.Role == "" {
		o.Role = wire.DeciderIssuer
	}
	d := wire.Decision{
		ID: randomID(16), Action: wire.ActionRevoke, Role: o.Role, Authorisation: o.Authorisation,
		Ground: o.Ground, Request: o.Request, By: l.by(o.By), At: l.now().UnixNano(),
	}
	c := wire.Change{Op: wire.OpRevoke, Pass: o.Number, Ver: p.ver + 1, Decision: &d}
	if err := c.Check(); err != nil {
		return wire.Decision{}, fmt.Errorf("revoke pass: %w", err)
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return wire.Decision{}, fmt.Errorf("revoke pass: %w", err)
	}
	return d, l.append(ctx, []entry{{Raw: raw, By: o.By}}, true)
}

// Stamp is a verification stamp that HQ is told of.
type Stamp struct {
	Pass string    `json:"pass"`
	By   string    `json:"by"`
	At   time.Time `json:"at,omitzero"` // now where zero
}

// stampAhead is how far in the future a stamp may lie, for two clocks differ.
const stampAhead = time.Minute

// Stamp makes stamps durable and publishes them: all of them or, where one is
// refused, none. What is known already is left out. It returns how many were
// written.
func (l *ledger) Stamp(ctx context.Context, list []Stamp) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var entries []entry
	seen := make(map[string]bool)
	for i, s := range list {
		if err := checkNumber(s.Pass); err != nil {
			return 0, fmt.Errorf("stamp %d: %w", i, err)
		}
		p := l.passes[s.Pass]
		now := time.Now()
		if s.At.IsZero() {
			s.At = now
		}
		switch {
		case s.By == "":
			return 0, fmt.Errorf("stamp %d: %w: nobody named as who stamped", i, wire.ErrDecision)
		case p.revoked:
			return 0, fmt.Errorf("stamp %d: %w: the pass is revoked", i, ErrTransition)
		case seen[s.Pass]:
			return 0, fmt.Errorf("stamp %d: %w: the pass is twice in one list", i, wire.ErrChange)
		case s.At.After(now.Add(stampAhead)):
			return 0, fmt.Errorf("stamp %d: %w: it lies in the future", i, wire.ErrChange)
		case s.At.UnixNano() == p.stamped:
			continue
		}
		seen[s.Pass] = true
		c := wire.Change{Op: wire.OpStamp, Pass: s.Pass, Ver: p.ver + 1, Stamped: s.At.UnixNano()}
		if err := c.Check(); err != nil {
			return 0, fmt.Errorf("stamp %d: %w", i, err)
		}
		raw, err := json.Marshal(c)
		if err != nil {
			return 0, fmt.Errorf("stamp %d: %w", i, err)
		}
		entries = append(entries, entry{Raw: raw, By: s.By})
	}
	return len(entries), l.append(ctx, entries, false)
}

func (a *App) revokePass(w http.ResponseWriter, r *http.Request) {
	o, ok := orderOf[Revocation](w, r, wire.ErrDecision)
	if !ok {
		return
	}
	d, err := a.ledger.Revoke(r.Context(), o)
	reply(w, Decided{d.ID, d.Action, time.Unix(0, d.At).UTC(), d.At}, err)
}

func (a *App) stampPasses(w http.ResponseWriter, r *http.Request) {
	b, ok := body(w, r)
	if !ok {
		return
	}
	list, err := ParseStamps(b)
	n := 0
	if err == nil {
		n, err = a.ledger.Stamp(r.Context(), list)
	}
	reply(w, struct {
		Stamps  int `json:"stamps"`
		Written int `json:"written"`
	}{len(list), n}, err)
}

// ParseStamps reads a JSON list of stamps.
func ParseStamps(b []byte) ([]Stamp, error) {
	var list []Stamp
	if err := strictJSON(b, &list); err != nil {
		return nil, fmt.Errorf("read stamps: %w: %w", wire.ErrChange, err)
	}
	return list, nil
}
