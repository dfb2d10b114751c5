package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// ErrRestart ends a gate that headquarters has ordered to be started again.
var ErrRestart = errors.New("restart ordered by headquarters")

// commander carries out headquarters' commands, one after another. Each number
// is taken once, which the journal's monotone fact remembers over a restart,
// before anything is done: a command is carried out at most once. What came of
// the last ones is said again to whoever asks again, and after a reconnect.
type commander struct {
	store  commandStore
	log    *slog.Logger
	do     map[string]func(context.Context, link.Order) (done, error)
	answer func(wire.Result)
	count  func(cause string)
	note   func(kind string, public any) // makes a record

	in    chan link.Order
	again chan struct{}

	// Only serve's goroutine, and New before it, touch these.
	kept   commandsKept
	recent []said
}

// done is what came of an order that was carried out.
type done struct {
	why    string
	sealed []byte
	nonce  string
	// restart ends the gate once the order is kept.
	restart bool
}

// said is a result and when it came about.
type said struct {
	wire.Result
	at time.Time
}

// commandStore is what the commander needs of the journal.
type commandStore interface {
	facts
	Blob(name string) ([]byte, error)
	PutBlob(name string, value []byte) error
}

// What the journal keeps: the newest number, and what outlasts a restart.
const (
	factCommand  = "hq_command"
	blobCommands = "hq_commands"
)

type commandsKept struct {
	Mode    string       `json:"mode"`              // as headquarters has ordered it
	Restart *wire.Result `json:"restart,omitempty"` // to be reported once the gate is back
}

const (
	maxOrders  = 8               // waiting; more are refused
	maxResults = 16              // remembered
	saidAgain  = 5 * time.Minute // how long a result is worth repeating
)

// openCommander reads what was kept. A blob that cannot be read closes the gate
// to be safe: headquarters' closure may have stood in it.
func openCommander(s commandStore, log *slog.Logger) (*commander, error) {
	c := &commander{store: s, log: log, in: make(chan link.Order, maxOrders), again: make(chan struct{}, 1)}
	b, err := s.Blob(blobCommands)
	if err == nil && b != nil {
		err = json.Unmarshal(b, &c.kept)
	}
	if err != nil {
		return nil, fmt.Errorf("read headquarters' last orders: %w", err)
	}
	if r := c.kept.Restart; r != nil {
		r.At, r.Mono = time.Now().UnixNano(), monoNow()
		c.recent = append(c.recent, said{*r, time.Now()})
		c.kept.Restart = nil
		if err := c.keep(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *commander) keep() error {
	b, err := json.Marshal(c.kept)
	if err == nil {
		err = c.store.PutBlob(blobCommands, b)
	}
	if err != nil {
		return fmt.Errorf("keep headquarters' orders: %w", err)
	}
	return nil
}

// take queues an order; it never blocks.
func (c *commander) take(o link.Order) {
	select {
	case c.in <- o:
	default:
		c.count(link.CauseCommandRefused)
		c.answer(c.result(o, wire.OutcomeRefused, "too many commands are waiting; send it again"))
	}
}

// repeat has the last results said again: headquarters is back.
func (c *commander) repeat() {
	select {
	case c.again <- struct{}{}:
	default:
	}
}

// serve carries out what comes until ctx ends, or until a restart was ordered.
func (c *commander) serve(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.again:
			for _, r := range c.recent {
				if time.Since(r.at) < saidAgain {
					c.answer(r.Result)
				}
			}
		case o := <-c.in:
			if err := c.handle(ctx, o); err != nil {
				return err
			}
		}
	}
}

func (c *commander) handle(ctx context.Context, o link.Order) error {
	for _, r := range c.recent {
		if r.ID == o.ID { // delivered twice
			c.count(link.CauseCommandReplayed)
			c.answer(r.Result)
			return nil
		}
	}
	if newest := c.store.Fact(factCommand); o.Seq <= newest {
		c.count(link.CauseCommandReplayed)
		c.answer(c.result(o, wire.OutcomeRefused, "a command with this number or a later one was taken before"))
		return nil
	}
	if err := c.store.Advance(factCommand, o.Seq); err != nil && o.Do != wire.DoDiagnostics {
		// Looking is allowed: it does no harm twice, and is wanted most now.
		c.finish(o, c.result(o, wire.OutcomeRefused, "the journal cannot remember it: "+err.Error()))
		return nil
	}
	if o.Late != "" {
		c.finish(o, c.result(o, wire.OutcomeExpired, o.Late))
		return nil
	}
	out, err := c.do[o.Do](ctx, o)
	if err != nil {
		c.finish(o, c.result(o, wire.OutcomeRefused, err.Error()))
		return nil
	}
	r := c.result(o, wire.OutcomeExecuted, out.why)
	r.Sealed, r.Nonce = out.sealed, out.nonce
	if !out.restart {
		c.finish(o, r)
		return nil
	}
	// Executed is what it is once the gate is back: it says so then.
	c.kept.Restart = &r
	if err := c.keep(); err != nil {
		c.finish(o, c.result(o, wire.OutcomeRefused, err.Error()))
		return nil
	}
	c.record(o, r)
	return ErrRestart
}

// finish counts, records, remembers and says what came of an order. A nonce
// does nothing until it comes back in an act, which is recorded.
func (c *commander) finish(o link.Order, r wire.Result) {
	switch r.Outcome {
	case wire.OutcomeRefused:
		c.count(link.CauseCommandRefused)
	case wire.OutcomeExpired:
		c.count(link.CauseCommandExpired)
	}
	if len(c.recent) >= maxResults {
		c.recent = c.recent[1:]
	}
	kept := r
	kept.Sealed = nil // large, and quickly out of date
	c.recent = append(c.recent, said{kept, time.Now()})
	if o.Do != wire.DoNonce || r.Outcome != wire.OutcomeExecuted {
		c.record(o, r)
	}
	c.answer(r)
}

// record has the journal say who ordered what and what came of it.
func (c *commander) record(o link.Order, r wire.Result) {
	c.log.Info("Command of headquarters", "do", o.Do, "mode", o.Mode, "outcome", r.Outcome, "why", r.Why)
	c.note("command", struct {
		ID      string `json:"id"`
		Do      string `json:"do"`
		Mode    string `json:"mode,omitempty"`
		By      string `json:"by,omitempty"` // headquarters' keyed hash
		Outcome string `json:"outcome"`
		Why     string `json:"why,omitempty"`
	}{o.ID, o.Do, o.Mode, o.By, r.Outcome, r.Why})
}

func (c *commander) result(o link.Order, outcome, why string) wire.Result {
	return wire.Result{
		ID: o.ID, Do: o.Do, Outcome: outcome, Why: why[:min(len(why), wire.MaxWhy)],
		At: time.Now().UnixNano(), Mono: monoNow(), Newest: c.store.Fact(factCommand),
	}
}
