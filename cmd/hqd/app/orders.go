package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

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

// Order is what a person asks HQ to decide.
type Order struct {
	Action        wire.Action  `json:"action"`
	Account       string       `json:"account"`
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
	a, known := l.accounts[o.Account]
	if !known {
		return wire.Decision{}, fmt.Errorf("decide: %w", ErrNoAccount)
	}
	if o.By == "" {
		return wire.Decision{}, fmt.Errorf("decide: %w: nobody named as decider", wire.ErrDecision)
	}
	to, err := transition(a.status, o.Action)
	if err != nil {
		return wire.Decision{}, fmt.Errorf("decide: %w", err)
	}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return wire.Decision{}, fmt.Errorf("decide: %w", err)
	}
	d := wire.Decision{
		ID: hex.EncodeToString(id[:]), Action: o.Action, Role: o.Role, Authorisation: o.Authorisation,
		Ground: o.Ground, Request: o.Request, By: l.by(o.By), At: time.Now().UnixNano(),
	}
	c := wire.Change{Op: wire.OpStatus, Account: o.Account, Ver: a.ver + 1, Status: to, Decision: &d}
	if err := c.Check(); err != nil {
		return wire.Decision{}, fmt.Errorf("decide: %w", err)
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return wire.Decision{}, fmt.Errorf("decide: %w", err)
	}
	return d, l.append(ctx, []entry{{Raw: raw, By: o.By}}, c.Restricts())
}

// transition is what an action makes of a status.
func transition(from wire.Status, a wire.Action) (wire.Status, error) {
	to := map[wire.Action]wire.Status{
		wire.ActionSuspend: wire.StatusSuspended,
		wire.ActionRestore: wire.StatusActive,
		wire.ActionCancel:  wire.StatusCancelled,
	}[a]
	switch {
	case to == "":
		return "", fmt.Errorf("%w: action %.20q, want suspend, restore or cancel", wire.ErrDecision, a)
	case from == wire.StatusCancelled:
		return "", fmt.Errorf("%w: it is cancelled for good", ErrTransition)
	case a == wire.ActionRestore && from != wire.StatusSuspended:
		return "", fmt.Errorf("%w: it is not suspended", ErrTransition)
	}
	return to, nil
}
