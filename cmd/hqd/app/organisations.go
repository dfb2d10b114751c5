package app

import (
	"fmt"

	"bordergate/sync/wire"
)

// What a decision is on.
const (
	scopeAccount      = "account"
	scopeOrganisation = "organisation"
	scopePass         = "pass"
)

// To whom a notice is due.
const (
	toPerson       = "person"
	toOrganisation = "organisation"
)

// body is the organisation whose standing reaches the account: the one that
// answers for it, or itself where it is an organisation's; else empty.
func (a account) body(id string) string {
	if a.kind == wire.KindOrganisation {
		return id
	}
	return a.organisation
}

func (o organisation) stopped() bool {
	return o.status == wire.StatusSuspended || o.status == wire.StatusCancelled
}

// answer counts the accounts that an organisation answers for.
func (l *ledger) answer(id string, n int) {
	if id == "" {
		return
	}
	o := l.bodies[id]
	o.accounts += n
	l.bodies[id] = o
}

func (l *ledger) projectOrganisation(c wire.Change) {
	o := l.bodies[c.Organisation]
	o.ver, o.status = c.Ver, c.Status
	l.bodies[c.Organisation] = o
}

// scope says what a decision is on and to whom a notice of it is due: by
// domain rule 2 to the person and to the organisation, each where there is one,
// of a suspension and of a restoration.
func (l *ledger) scope(c wire.Change) (scope string, due []string) {
	switch {
	case c.OfPass():
		return scopePass, nil
	case c.OfOrganisation():
		scope, due = scopeOrganisation, []string{toOrganisation}
	default:
		scope = scopeAccount
		a := l.accounts[c.Account]
		if a.kind != wire.KindOrganisation {
			due = append(due, toPerson)
		}
		if a.body(c.Account) != "" {
			due = append(due, toOrganisation)
		}
	}
	if c.Decision.Action == wire.ActionCancel {
		due = nil
	}
	return scope, due
}

// subject is the change that an order leads to, still without its decision.
func (l *ledger) subject(o Order) (wire.Change, error) {
	if (o.Account == "") == (o.Organisation == "") {
		return wire.Change{}, fmt.Errorf("%w: want an account or an organisation, and not both", wire.ErrDecision)
	}
	c := wire.Change{Op: wire.OpStatus, Account: o.Account}
	from := wire.StatusActive
	if o.Account != "" {
		a, known := l.accounts[o.Account]
		if !known {
			return c, ErrNoAccount
		}
		c.Ver, from = a.ver+1, a.status
	} else {
		b := l.bodies[o.Organisation]
		if b.accounts == 0 && b.ver == 0 {
			return c, fmt.Errorf("%w: no account is of this organisation", ErrNoAccount)
		}
		c = wire.Change{Op: wire.OpOrganisation, Organisation: o.Organisation, Ver: b.ver + 1}
		if b.status != "" {
			from = b.status
		}
	}
	var err error
	c.Status, err = transition(from, o.Action)
	return c, err
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
