package soak

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"bordergate/cmd/gatesim/station"
	"bordergate/sync/wire"
)

// register is what headquarters was ordered and has confirmed, account by
// account.
type register struct {
	rnd *rand.Rand // of the ordering goroutine alone

	mu       sync.Mutex
	ids      []string
	accounts map[string]*state
	n        int
	up       chan struct{} // closed while headquarters may be asked
}

// state is an account as ordered. Its version is between least and most: an
// order that was given again may have counted twice.
type state struct {
	status      wire.Status
	level       int
	reference   []byte
	least, most uint64
}

func newRegister(n int, seed uint64) *register {
	r := &register{rnd: rand.New(rand.NewPCG(seed, 2)), accounts: make(map[string]*state), up: make(chan struct{})}
	for i := range n {
		id := fmt.Sprintf("a%04d", i)
		r.ids = append(r.ids, id)
		r.accounts[id] = &state{}
	}
	close(r.up)
	return r
}

func (r *register) names() []string { return r.ids }

func (r *register) ordered() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

func (r *register) down() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.up = make(chan struct{})
}

func (r *register) upAgain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.up)
}

func (r *register) wait(ctx context.Context) error {
	r.mu.Lock()
	up := r.up
	r.mu.Unlock()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-up:
		return nil
	}
}

// put is an account as hqd's enrolment takes it.
type put struct {
	ID        string `json:"id"`
	Level     int    `json:"level"`
	Kind      string `json:"kind"`
	Model     string `json:"model"`
	Reference []byte `json:"reference"`
}

// decide is an order as hqd takes it.
type decide struct {
	Action  wire.Action  `json:"action"`
	Account string       `json:"account"`
	By      string       `json:"by"`
	Role    wire.Decider `json:"role"`
	Ground  wire.Ground  `json:"ground"`
}

// mostPut is how many accounts are enrolled together at most; headquarters
// stores them in one piece.
const mostPut = 30

// order brings n changes to the accounts log: enrolments that change an
// account's data, and decisions.
func (c *campaign) order(ctx context.Context, n int) error {
	r := c.accounts
	for n > 0 {
		if id := r.ids[r.rnd.IntN(len(r.ids))]; r.rnd.IntN(4) == 0 && r.accounts[id].least > 0 {
			if err := r.decide(ctx, c.hq, id); err != nil {
				return err
			}
			n--
			continue
		}
		k := min(n, len(r.ids), 1+r.rnd.IntN(mostPut))
		if err := r.put(ctx, c.hq, k); err != nil {
			return err
		}
		n -= k
	}
	return nil
}

// put changes the data of k accounts. Given again, it changes nothing that it
// had changed before.
func (r *register) put(ctx context.Context, hq *station.Headquarters, k int) error {
	list := make([]put, k)
	for i, at := range r.rnd.Perm(len(r.ids))[:k] {
		s := r.accounts[r.ids[at]]
		list[i] = put{ID: r.ids[at], Level: 1 + r.rnd.IntN(2), Kind: wire.KindCitizen, Model: "soak"}
		list[i].Reference = binary.BigEndian.AppendUint64(nil, s.most+1) // never the same twice
		list[i].Reference = binary.BigEndian.AppendUint64(list[i].Reference, r.rnd.Uint64())
	}
	if _, err := r.ask(ctx, hq, "/accounts", list); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range list {
		s := r.accounts[p.ID]
		if s.least == 0 {
			s.status = wire.StatusActive
		}
		s.level, s.reference = p.Level, p.Reference
		s.least++
		s.most++
	}
	r.n += k
	return nil
}

// decide suspends an account, or restores it.
func (r *register) decide(ctx context.Context, hq *station.Headquarters, id string) error {
	s := r.accounts[id]
	d := decide{Action: wire.ActionSuspend, Account: id, By: "Simulated Office", Role: wire.DeciderCommander, Ground: wire.GroundSecurity}
	to := wire.StatusSuspended
	if s.status == wire.StatusSuspended {
		d.Action, d.Ground, to = wire.ActionRestore, wire.GroundCleared, wire.StatusActive
	}
	again, err := r.ask(ctx, hq, "/decide", d)
	if again > 0 && errors.Is(err, station.ErrRefused) {
		err = nil // it was restored before the kill already
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.status = to
	s.least++
	s.most += 1 + uint64(again)
	r.n++
	return nil
}

// ask gives an order until it is answered, and says how often it was given
// again.
func (r *register) ask(ctx context.Context, hq *station.Headquarters, path string, v any) (again int, err error) {
	for {
		if err := r.wait(ctx); err != nil {
			return again, err
		}
		_, err := hq.Post(ctx, path, v)
		if err == nil || errors.Is(err, station.ErrRefused) || ctx.Err() != nil {
			return again, err
		}
		if status := (*station.StatusError)(nil); errors.As(err, &status) && status.Code != http.StatusInternalServerError {
			return again, err
		}
		again++
		if again > 100 {
			return again, err
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return again, err
		}
	}
}
