package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"bordergate/sync/journal"
	"bordergate/sync/wire"
)

func (a *App) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /accounts", a.putAccounts)
	mux.HandleFunc("POST /decide", a.decide)
	mux.HandleFunc("POST /passes/revoke", a.revokePass)
	mux.HandleFunc("POST /passes/stamp", a.stampPasses)
	mux.HandleFunc("GET /trust", a.listTrust)
	mux.HandleFunc("POST /trust", a.publishTrust)
	mux.HandleFunc("GET /applied", a.applied)
	mux.HandleFunc("POST /notice", a.notice)
	mux.HandleFunc("GET /notices", a.notices)
	mux.HandleFunc("POST /watch", a.watchList)
	mux.HandleFunc("GET /records", a.listRecords)
	mux.HandleFunc("GET /crossings", a.crossings)
	mux.HandleFunc("GET /fleet", a.showFleet)
	mux.HandleFunc("GET /follow", a.follow)
	mux.HandleFunc("POST /snapshot", a.makeSnapshot)
	mux.HandleFunc("POST /command", a.command)
	mux.HandleFunc("GET /policy", a.showPolicy)
	mux.HandleFunc("POST /policy", a.publishPolicy)
	mux.HandleFunc("GET /officers", a.listOfficers)
	mux.HandleFunc("POST /officers", a.changeOfficers)
	mux.HandleFunc("GET /console/users", a.listUsers)
	mux.HandleFunc("POST /console/users", a.changeUser)
	mux.HandleFunc("GET /console/log", a.showAudit)
	mux.HandleFunc("GET /status", a.status)
	mux.HandleFunc("POST /gates", a.addGate)
	mux.HandleFunc("POST /gates/renew", a.renewGate)
	mux.HandleFunc("POST /gates/retire", a.retireGate)
	return mux
}

// body reads the whole request.
func body(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		reply(w, nil, fmt.Errorf("read request: %w", err))
	}
	return b, err == nil
}

// orderOf reads a request that is one JSON value of a kind; kind is also the
// error of one that is not. What is wrong has been answered then.
func orderOf[T any](w http.ResponseWriter, r *http.Request, kind error) (o T, ok bool) {
	b, ok := body(w, r)
	if !ok {
		return o, false
	}
	if err := strictJSON(b, &o); err != nil {
		reply(w, nil, fmt.Errorf("%w: %w", kind, err))
		return o, false
	}
	return o, true
}

func (a *App) putAccounts(w http.ResponseWriter, r *http.Request) {
	b, ok := body(w, r)
	if !ok {
		return
	}
	list, err := ParseAccounts(b)
	n := 0
	if err == nil {
		n, err = a.ledger.Put(r.Context(), list)
	}
	reply(w, struct {
		Accounts int `json:"accounts"`
		Written  int `json:"written"`
	}{len(list), n}, err)
}

// Decided answers an order.
type Decided struct {
	Decision string      `json:"decision"`
	Action   wire.Action `json:"action"`
	At       time.Time   `json:"at"`
	AtUnixNs int64       `json:"at_unix_ns"`
}

func (a *App) decide(w http.ResponseWriter, r *http.Request) {
	o, ok := orderOf[Order](w, r, wire.ErrDecision)
	if !ok {
		return
	}
	d, err := a.ledger.Decide(r.Context(), o)
	reply(w, Decided{d.ID, d.Action, time.Unix(0, d.At).UTC(), d.At}, err)
}

// applied reports on a decision; with wait=DURATION it first waits, so long at
// most, until every gate in service has followed or refused.
func (a *App) applied(w http.ResponseWriter, r *http.Request) {
	d, err := a.ledger.Decision(r.URL.Query().Get("decision"))
	var wait time.Duration
	if text := r.URL.Query().Get("wait"); err == nil && text != "" {
		wait, err = time.ParseDuration(text)
	}
	if err != nil {
		reply(w, nil, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	for {
		mark := a.events.mark()
		report := a.events.report(d, a.fleet.inService(), a.openTo, time.Now())
		if report.settled() || ctx.Err() != nil {
			reply(w, report, nil)
			return
		}
		a.events.await(ctx, mark)
	}
}

// listRecords writes a line for each record of a gate's stream.
func (a *App) listRecords(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	stream, err := wire.ParseStream(q.Get("stream"))
	if err != nil || !wire.ValidGateID(q.Get("gate")) {
		reply(w, nil, fmt.Errorf("%w: gate or stream", ErrGate))
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	err = a.records.each(r.Context(), q.Get("gate"), stream, func(raw journal.RawRecord, keys []wire.DayKey) error {
		var open journal.OpenFunc
		if q.Get("open") == "1" {
			open = a.id.opener(keys)
		}
		line, err := journal.NewLine(raw, open)
		if err != nil {
			return err
		}
		return enc.Encode(line)
	})
	if err != nil {
		a.opts.Logger.Error("Records not listed", "error", err)
		panic(http.ErrAbortHandler) // the reader must not take the part for the whole
	}
}

// Status is HQ's view of itself and its gates.
type Status struct {
	Address   string            `json:"address"`
	Online    bool              `json:"online"`
	Simulated bool              `json:"simulated"`
	Head      wire.Head         `json:"head"`
	Accounts  int               `json:"accounts"`
	Decisions int               `json:"decisions"`
	Watched   int               `json:"watched"` // entries of the watch-list
	Gates     []GateStatus      `json:"gates"`
	Counters  map[string]uint64 `json:"counters,omitempty"`
}

func (a *App) status(w http.ResponseWriter, r *http.Request) {
	s := Status{Address: a.Address(), Online: a.session.Connected(), Simulated: a.opts.Simulated, Head: a.ledger.Head()}
	s.Accounts, s.Decisions, s.Watched = a.ledger.count()
	s.Gates, s.Counters = a.fleet.status()
	policy, officers, err := a.current(r.Context())
	if err != nil {
		reply(w, nil, err)
		return
	}
	stored := make(map[string]map[string]uint64)
	subjects, err := a.records.subjects(r.Context(), "rec.>")
	for subject := range subjects {
		p := strings.Split(subject, ".")
		stream, err1 := wire.ParseStream(p[2])
		epoch, err2 := strconv.ParseUint(p[3], 10, 64)
		if err1 != nil || err2 != nil {
			continue
		}
		c, err3 := a.records.cursor(r.Context(), recordKey{p[1], stream, epoch})
		if err3 != nil {
			err = err3
			continue
		}
		if stored[p[1]] == nil {
			stored[p[1]] = make(map[string]uint64)
		}
		stored[p[1]][p[2]] += c.cum // epochs add up: each begins at 1
	}
	for i := range s.Gates {
		s.Gates[i].Stored = stored[s.Gates[i].Gate]
		s.Gates[i].Drift = drift(s.Gates[i].State, policy, officers)
	}
	reply(w, s, err)
}

func (a *App) addGate(w http.ResponseWriter, r *http.Request) {
	b, ok := body(w, r)
	if !ok {
		return
	}
	e, err := AddGate(a.opts.Identity, b)
	if err == nil {
		err = a.fleet.set(e)
	}
	if err == nil && a.session.Connected() {
		a.logged(a.sendKey(e))
	}
	reply(w, e, err)
}

// renewGate certifies a gate's key again.
func (a *App) renewGate(w http.ResponseWriter, r *http.Request) {
	b, ok := body(w, r)
	if !ok {
		return
	}
	e, err := RenewGate(a.opts.Identity, string(b))
	if err == nil {
		err = a.fleet.set(e)
	}
	reply(w, e, err)
}

// retireGate ends a gate and gives the others the next group key.
func (a *App) retireGate(w http.ResponseWriter, r *http.Request) {
	b, ok := body(w, r)
	if !ok {
		return
	}
	e, err := RetireGate(a.opts.Identity, string(b))
	if err == nil {
		err = a.fleet.set(e)
		a.door.shut(e.Gate)
	}
	if err == nil {
		a.mu.Lock()
		a.id.group, err = readGroup(a.opts.Identity)
		a.mu.Unlock()
	}
	for _, name := range a.fleet.inService() {
		if g, _, err := a.fleet.gate(name); err == nil && a.session.Connected() {
			a.logged(a.sendKey(g))
		}
	}
	reply(w, e, err)
}
