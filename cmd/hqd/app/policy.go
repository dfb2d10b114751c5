package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"bordergate/sync/wire"
)

// ErrPolicy means that HQ will not have gates work by this.
var ErrPolicy = errors.New("policy is refused")

// PolicyOrder is what a person asks HQ to have gates decide by. Version and
// time are HQ's to give.
type PolicyOrder struct {
	By     string      `json:"by"`
	Policy wire.Policy `json:"policy"`
}

// PolicyReport is the policy in force and which gates follow it.
type PolicyReport struct {
	Policy *wire.Policy `json:"policy"` // null: none was ever published
	Gates  []PolicyGate `json:"gates"`
	All    bool         `json:"all"` // every gate in service follows
}

// PolicyGate is what a gate says it works by.
type PolicyGate struct {
	Gate    string   `json:"gate"`
	Up      bool     `json:"up"`
	Version uint64   `json:"version"`
	Models  string   `json:"models,omitempty"`
	Config  string   `json:"config,omitempty"`
	Drift   []string `json:"drift,omitempty"`
}

// Policy publishes a new version of the policy.
func (a *App) Policy(ctx context.Context, o PolicyOrder) error {
	if o.By == "" {
		return fmt.Errorf("%w: nobody named as who publishes", ErrPolicy)
	}
	old, at, _, err := newest[wire.Policy](ctx, a, wire.TypePolicy)
	if err != nil {
		return err
	}
	now := time.Now()
	o.Policy.Ver, o.Policy.Issued = nextVersion(old.Ver, now), now.UnixNano()
	if err := o.Policy.Check(); err != nil {
		return err
	}
	return a.publishDocument(ctx, wire.TypePolicy, at, o.Policy.Ver, o.Policy, o.By)
}

// modelsSaid is how many hex digits of a manifest's hash a gate says.
const modelsSaid = 24

// drift names what a gate works by that is not what HQ has it work by.
func drift(st wire.State, p wire.Policy, officers uint64) []string {
	var out []string
	if st.Policy != p.Ver {
		out = append(out, "policy")
	}
	if st.Officers != officers {
		out = append(out, "officers")
	}
	if len(p.Models) > 0 && !slices.ContainsFunc(p.Models, func(h wire.Hash) bool { return h.String()[:modelsSaid] == st.Models }) {
		out = append(out, "models")
	}
	return out
}

func (a *App) policyReport(ctx context.Context) (PolicyReport, error) {
	r := PolicyReport{Gates: []PolicyGate{}, All: true}
	p, officers, err := a.current(ctx)
	if err != nil {
		return r, err
	}
	if p.Ver != 0 {
		r.Policy = &p
	}
	gates, _ := a.fleet.status()
	for _, g := range gates {
		if g.Retired {
			continue
		}
		one := PolicyGate{
			Gate: g.Gate, Up: g.Up, Version: g.State.Policy, Models: g.State.Models, Config: g.State.Config,
			Drift: drift(g.State, p, officers),
		}
		r.All = r.All && !slices.Contains(one.Drift, "policy")
		r.Gates = append(r.Gates, one)
	}
	return r, nil
}

func (a *App) showPolicy(w http.ResponseWriter, r *http.Request) {
	out, err := a.policyReport(r.Context())
	reply(w, out, err)
}

func (a *App) publishPolicy(w http.ResponseWriter, r *http.Request) {
	o, ok := orderOf[PolicyOrder](w, r, fmt.Errorf("publish policy: %w", ErrPolicy))
	if !ok {
		return
	}
	if err := a.Policy(r.Context(), o); err != nil {
		reply(w, nil, fmt.Errorf("publish policy: %w", err))
		return
	}
	out, err := a.policyReport(r.Context())
	reply(w, out, err)
}
