package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"bordergate/cmd/gatesim/bare"
	"bordergate/cmd/gatesim/line"
	"bordergate/sync/accounts"
	"bordergate/sync/journal"
	"bordergate/sync/wire"
)

// Report is the result of a campaign, in the form of "make soak".
type Report struct {
	Seed       uint64 `json:"seed"`
	Runs       int    `json:"runs"`       // rounds, each with a kill
	Lost       int    `json:"lost"`       // promised and not at headquarters
	Duplicated int    `json:"duplicated"` // stored more than once
	Wrong      int    `json:"wrong"`      // accounts, records, or words of the gate
	Unsafe     int    `json:"unsafe"`     // accounts that may pass at the gate and may not at headquarters
	Detail     Detail `json:"detail"`
}

// Clean reports whether nothing was found.
func (r Report) Clean() bool { return r.Lost+r.Duplicated+r.Wrong+r.Unsafe == 0 }

// Detail is what a report rests on.
type Detail struct {
	Simulated bool              `json:"simulated"`
	Records   int               `json:"records"` // said to be durable
	Journal   int               `json:"journal"` // in the gate's journal: also those it had no time to speak of
	Stored    int               `json:"stored"`  // at headquarters
	Changes   uint64            `json:"changes"` // in headquarters' accounts log
	Accounts  int               `json:"accounts"`
	Kills     map[string]int    `json:"kills"`
	Broker    string            `json:"broker"`
	Line      line.Counts       `json:"line"`              // the gate's
	HQLine    *line.Counts      `json:"hq_line,omitempty"` // headquarters' own
	Gate      map[string]uint64 `json:"gate,omitempty"`    // what the gate's last life counted
	HQ        map[string]uint64 `json:"hq,omitempty"`      // what headquarters' last life counted of it
	Seconds   float64           `json:"seconds"`
	Settled   float64           `json:"settled_seconds"` // from the last kill until both agreed
	Faults    []string          `json:"faults,omitempty"`
}

const maxFaults = 50

func (r *Report) fault(n *int, format string, a ...any) {
	*n++
	if len(r.Detail.Faults) < maxFaults {
		r.Detail.Faults = append(r.Detail.Faults, fmt.Sprintf(format, a...))
	}
}

// judge waits until both ends agree and compares.
func (c *campaign) judge(ctx context.Context) (Report, error) {
	r := Report{Seed: c.o.Seed, Runs: c.o.Kills}
	since := time.Now()
	settled, err := c.settle(ctx)
	if err != nil {
		return r, fmt.Errorf("settle: %w", err)
	}
	r.Detail.Settled = time.Since(since).Seconds()
	if !settled {
		r.fault(&r.Wrong, "the ends did not agree within %v: gate %v, replica %s", c.o.Settle, c.gate.log.acked, c.gate.log.at)
	}
	st, err := c.hq.Status(ctx)
	if err != nil {
		return r, err
	}
	if err := c.dump(ctx); err != nil {
		return r, err
	}
	if err := c.gate.stop(); err != nil {
		return r, fmt.Errorf("stop gate: %w", err)
	}
	log := c.gate.log
	for _, text := range log.wrong {
		r.fault(&r.Wrong, "gate: %s", text)
	}
	d := &r.Detail
	d.Simulated, d.Records, d.Changes, d.Accounts = true, log.count(), st.Head.Seq, len(c.accounts.ids)
	d.Kills, d.Line, d.Gate = c.killed, c.line.Counts(), log.counts
	d.Broker = "headquarters' own"
	if c.broker != nil {
		n := c.hqLine.Counts()
		d.Broker, d.HQLine = "mosquitto", &n
	}
	for _, g := range st.Gates {
		if g.Gate == gateName {
			d.HQ = g.Counters
		}
	}
	if err := c.judgeRecords(ctx, &r); err != nil {
		return r, fmt.Errorf("compare records: %w", err)
	}
	r.compareAccounts("gate", c.accounts, log.accounts)
	witness, err := c.witness(ctx, st.Head)
	if err != nil {
		return r, fmt.Errorf("begin another gate: %w", err)
	}
	r.compareAccounts("new gate", c.accounts, witness)
	r.Detail.Seconds = time.Since(c.started).Seconds()
	return r, nil
}

// settle waits until headquarters has everything and the gate follows.
func (c *campaign) settle(ctx context.Context) (bool, error) {
	limit := time.Now().Add(c.o.Settle)
	for time.Now().Before(limit) {
		l, err := c.gate.alive(ctx)
		if err != nil {
			return false, err
		}
		st, err := c.hq.Status(ctx)
		if err != nil {
			return false, err
		}
		asks := c.gate.log.asked()
		l.tell("ask")
		if err := c.gate.log.wait(ctx, l.done, func() bool { return c.gate.log.asks > asks }); err != nil {
			return false, err
		}
		if c.gate.log.agrees(st.Head) {
			return true, nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return false, err
		}
	}
	return false, nil
}

func (s *said) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asks
}

// agrees tells that nothing is outstanding either way.
func (s *said) agrees(h wire.Head) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.acked {
		if v[0]+1 != v[1] {
			return false
		}
	}
	return s.at == fmt.Sprintf("%d %d %s true", h.Epoch, h.Seq, h.Hash)
}

func (c *campaign) dump(ctx context.Context) error {
	l, err := c.gate.alive(ctx)
	if err != nil {
		return err
	}
	l.tell("dump")
	return c.gate.log.wait(ctx, l.done, func() bool { return c.gate.log.dumps > 0 })
}

// judgeRecords holds headquarters' records against those that were promised
// and against the gate's journal.
func (c *campaign) judgeRecords(ctx context.Context, r *Report) error {
	own, err := journal.OpenReadOnly(filepath.Join(c.path(gateName), "journal.db"))
	if err != nil {
		return err
	}
	defer own.Close() //nolint:errcheck // read only
	if err := own.Verify(); err != nil {
		r.fault(&r.Wrong, "the gate's journal: %v", err)
	}
	kept, err := everything(own)
	if err != nil {
		return err
	}
	var there []journal.Line
	for _, s := range wire.Streams() {
		if err := c.hq.Records(ctx, gateName, s, func(l journal.Line) { there = append(there, l) }); err != nil {
			return err
		}
	}
	r.compareRecords(c.gate.log.records, kept, there)
	return nil
}

// compareRecords holds what headquarters has against what was promised and
// what the gate's journal keeps, by hash.
func (r *Report) compareRecords(said map[place]promised, kept map[place]string, there []journal.Line) {
	r.Detail.Journal, r.Detail.Stored = len(kept), len(there)
	times := make(map[place]int)
	last := make(map[place]journal.Line) // by stream and epoch
	for _, l := range there {
		p, sequence := place{l.Stream, l.Epoch, l.Seq}, place{l.Stream, l.Epoch, 0}
		times[p]++
		if times[p] > 1 {
			r.fault(&r.Duplicated, "%v is at headquarters %d times", p, times[p])
			continue
		}
		if before := last[sequence]; l.Seq != before.Seq+1 || l.Prev != before.Hash {
			r.fault(&r.Wrong, "%v does not follow record %d", p, before.Seq)
		}
		last[sequence] = l
		if kept[p] != l.Hash.String() {
			r.fault(&r.Wrong, "%v at headquarters is not that of the gate's journal", p)
		}
		if v, ok := said[p]; ok && !v.is(l) {
			r.fault(&r.Wrong, "%v at headquarters is not the one that was written (personal part %s)", p, l.State)
		}
	}
	for p, v := range said {
		if times[p] == 0 {
			r.fault(&r.Lost, "%v was durable at the gate and is not at headquarters", p)
		}
		if v.times > 1 {
			r.fault(&r.Wrong, "the gate gave place %v to %d records", p, v.times)
		}
	}
	for p := range kept {
		if times[p] == 0 && said[p].times == 0 {
			r.fault(&r.Lost, "%v is in the journal and not at headquarters", p)
		}
	}
}

// is compares a record at headquarters with the one that was written.
func (v promised) is(l journal.Line) bool {
	var personal struct {
		Nonce string `json:"nonce"`
	}
	return json.Unmarshal(l.Personal, &personal) == nil && personal.Nonce == v.nonce && l.Hash.String() == v.hash && l.Simulated
}

// everything lists a journal's records with their hashes.
func everything(j *journal.Reader) (map[place]string, error) {
	out := make(map[place]string)
	for _, s := range j.Ranges() {
		for from := s.First; from < s.Next; {
			raws, err := j.Read(s.Stream, from, 1000)
			if err != nil {
				return nil, err
			}
			for _, raw := range raws {
				out[place{s.Name, j.Epoch(), raw.Seq}] = wire.HashOf(raw.Bytes).String()
				from = raw.Seq + 1
			}
		}
	}
	return out, nil
}

// compareAccounts holds a replica, as it says it, against what was ordered.
func (r *Report) compareAccounts(who string, ordered *register, have map[string]string) {
	for _, id := range ordered.ids {
		want := ordered.accounts[id]
		var status, reference string
		var level int
		var ver uint64
		switch _, err := fmt.Sscanf(have[id]+" .", "%s %d %d %s", &status, &level, &ver, &reference); {
		case want.least == 0 && have[id] == "":
		case err != nil:
			r.fault(&r.Wrong, "%s: account %s is %q", who, id, have[id])
		case status != string(want.status) || level != want.level || reference != fmt.Sprintf("%x", want.reference) || ver < want.least || ver > want.most:
			r.fault(&r.Wrong, "%s: account %s is %s, ordered was %s %d %d..%d %x", who, id, have[id], want.status, want.level, want.least, want.most, want.reference)
			if status == string(wire.StatusActive) && want.status != wire.StatusActive {
				r.Unsafe++
			}
		}
	}
}

// witness begins a gate that knows nothing and gives what it comes to.
func (c *campaign) witness(ctx context.Context, head wire.Head) (map[string]string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.Settle, errors.New("it did not come up to the log's end"))
	defer cancel()
	g, err := bare.Open(bare.Options{
		Dir: c.path(witnessName), Name: witnessName, Broker: "tcp://" + c.brokerAddress(),
		Bundle: c.hq.Bundle, Fingerprint: c.hq.Fingerprint, Known: c.accounts.ids,
	})
	if err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { defer close(done); _ = g.Serve(run) }()
	defer func() { stop(); <-done; _ = g.Close() }()
	for {
		if s := g.Accounts.Stats(); s.Synced && s.Cursor >= head.Seq {
			break
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
	out := make(map[string]string)
	for _, id := range c.accounts.ids {
		a, found, err := g.Accounts.Lookup(id)
		if err != nil {
			return nil, err
		}
		if found {
			out[id] = shown(a)
		}
	}
	return out, nil
}

// shown is an account as a gate says it.
func shown(a accounts.Account) string {
	return fmt.Sprintf("%s %d %d %x", a.Status, a.Level, a.Ver, a.Reference)
}
