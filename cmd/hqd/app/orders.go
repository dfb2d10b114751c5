package app

import (
	"context"
	"encoding/json"
	"fmt"

	"bordergate/sync/wire"
)

// Put enrols accounts: new ones as given, known ones with their status kept.
// What is already so is left out. It returns how many were written.
func (l *ledger) Put(ctx context.Context, accounts []wire.Change) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var entries []entry
	pending := make(map[string]bool)
	for i, c := range accounts {
		c.Op, c.Decision, c.Ver = wire.OpPut, nil, 1
		if pending[c.Account] {
			return 0, fmt.Errorf("put account %d: twice in one list", i)
		}
		pending[c.Account] = true
		if old, known := l.accounts[c.Account]; known {
			if old.data == enrolled(c) {
				continue
			}
			if l.bodies[old.body(c.Account)].stopped() && (account{organisation: c.Organisation, kind: c.Kind}).body(c.Account) != old.body(c.Account) {
				return 0, fmt.Errorf("put account %d: %w: its organisation is suspended or cancelled, and only a decision takes it out of that", i, ErrTransition)
			}
			c.Status, c.Ver = old.status, old.ver+1
		}
		if err := c.Check(); err != nil {
			return 0, fmt.Errorf("put account %d: %w", i, err)
		}
		raw, err := json.Marshal(c)
		if err != nil {
			return 0, fmt.Errorf("put account %d: %w", i, err)
		}
		entries = append(entries, entry{Raw: raw})
	}
	return len(entries), l.append(ctx, entries, false)
}

// Order is what a person asks HQ to decide: on an account, or on an
// organisation and with it on every account that it answers for.
type Order struct {
	Action        wire.Action  `json:"action"`
	Account       string       `json:"account,omitempty"`
	Organisation  string       `json:"organisation,omitempty"`
	By            string       `json:"by"`
	Role          wire.Decider `json:"role"`
	Authorisation string       `json:"authorisation"`
	Ground        wire.Ground  `json:"ground"`
	Request       string       `json:"request"`
}

// Decide makes a decision durable and publishes it, or refuses to make it.
func (l *ledger) Decide(ctx context.Context, o Order) (wire.Decision, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o.By == "" {
		return wire.Decision{}, fmt.Errorf("decide: %w: nobody named as decider", wire.ErrDecision)
	}
	c, err := l.subject(o)
	if err != nil {
		return wire.Decision{}, fmt.Errorf("decide: %w", err)
	}
	d := wire.Decision{
		ID: randomID(16), Action: o.Action, Role: o.Role, Authorisation: o.Authorisation,
		Ground: o.Ground, Request: o.Request, By: l.by(o.By), At: l.now().UnixNano(),
	}
	c.Decision = &d
	if err := c.Check(); err != nil {
		return wire.Decision{}, fmt.Errorf("decide: %w", err)
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return wire.Decision{}, fmt.Errorf("decide: %w", err)
	}
	return d, l.append(ctx, []entry{{Raw: raw, By: o.By}}, c.Restricts())
}
