package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/sync/accounts"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// register is what the lane asks about a pass by its number. A movement counts
// in memory at once; the file follows behind the traveller, and what a crash
// keeps out of it comes back from the journal, which had it first.
type register struct {
	replica  *accounts.Replica
	facts    facts
	boot     [16]byte
	mono     func() int64
	wall     func() time.Time
	complete bool // the station says that no passage goes past this gate
	log      *slog.Logger

	since atomic.Int64 // Unix ns; movements before it may not be the last
	wake  chan struct{}
}

// facts are the journal's monotone numbers.
type facts interface {
	Fact(name string) uint64
	Advance(name string, v uint64) error
}

// factMovements is the journal's monotone fact of the newest moment, Unix ns,
// at which people may have passed uncounted.
const factMovements = "movements_since"

func newRegister(r *accounts.Replica, f facts, boot [16]byte, complete bool, log *slog.Logger) *register {
	g := &register{
		replica: r, facts: f, boot: boot, mono: monoNow, wall: time.Now, complete: complete, log: log, wake: make(chan struct{}, 1),
	}
	g.since.Store(int64(f.Fact(factMovements)))
	return g
}

// Pass implements gate.Register.
func (g *register) Pass(number string) gate.PassState {
	p, err := g.replica.LookupPass(number)
	m, found, errMove := g.replica.LastMove(number)
	out := gate.PassState{Revoked: p.Revoked, Stamped: p.Stamped, Unusable: err != nil || errMove != nil}
	if here, ok, err := g.replica.LastStamp(number); err != nil {
		out.Unusable = true
	} else if at := time.Unix(0, here.Wall); ok && at.After(out.Stamped) {
		out.Stamped = at
	}
	if !found || errMove != nil {
		return out
	}
	out.Last = gate.Movement{
		Known: true, Direction: gate.Direction(m.Direction), Complete: g.complete && m.Wall > g.since.Load(),
	}
	if m.Boot == g.boot {
		out.Last.Ago = time.Duration(g.mono() - m.Mono)
	} else {
		out.Last.Ago = g.wall().Sub(time.Unix(0, m.Wall))
	}
	return out
}

// Moved implements gate.Register.
func (g *register) Moved(number string, d gate.Direction, at int64) {
	g.note(g.replica.Move(number, accounts.Movement{Direction: uint8(d), Wall: g.wall().UnixNano(), Mono: at, Boot: g.boot}))
}

// Stamped implements gate.Register.
func (g *register) Stamped(number string, at int64) {
	g.note(g.replica.Stamp(number, accounts.Movement{Wall: g.wall().UnixNano(), Mono: at, Boot: g.boot}))
}

// Unsure implements gate.Register.
func (g *register) Unsure(number string) { g.note(g.replica.Forget(number)) }

func (g *register) note(err error) {
	if err != nil {
		g.log.Error("Movement is not kept", "error", err)
	}
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// doubt says that from now on nobody knows who passed before.
func (g *register) doubt(wall int64) {
	for {
		old := g.since.Load()
		if wall <= old || g.since.CompareAndSwap(old, wall) {
			break
		}
	}
	g.note(nil)
}

// serve saves what was noted. A disk that fails is tried again with the next
// movement; the journal has it all.
func (g *register) serve(ctx context.Context) error {
	for {
		select {
		case <-g.wake:
			g.save()
		case <-ctx.Done():
			g.save()
			return ctx.Err()
		}
	}
}

func (g *register) save() {
	err := g.replica.SaveMoves()
	if err == nil {
		err = g.facts.Advance(factMovements, uint64(g.since.Load()))
	}
	if err != nil {
		g.log.Error("Movements are not saved", "error", err)
	}
}

// openRegister opens the register and takes up from the journal what a crash
// kept out of it.
func (a *App) openRegister() error {
	a.register = newRegister(a.replica, a.journal, a.boot, a.cfg.Policy.Movements == "complete", a.log.With("part", "movements"))
	a.register.mono, a.register.wall = a.mono, a.clock.now
	raws, err := a.journal.Tail(wire.StreamCrossing, replayed)
	if err != nil {
		return fmt.Errorf("read last records: %w", err)
	}
	if err := a.register.replay(raws, a.vault); err != nil {
		return err
	}
	if err := a.replica.SaveMoves(); err != nil {
		return err
	}
	a.recorder.doubt = a.register.doubt
	a.run("movements", a.register.serve)
	return nil
}

// replayed is how many of the newest crossing records are looked at: more than
// a lane makes within the time of passback, and by far more than can wait to
// be saved.
const replayed = 1024

// replay notes the movements of the records again, oldest first, so that the
// newest of each pass stands.
func (g *register) replay(raws []journal.RawRecord, v *vault.Vault) error {
	decided := map[[16]byte]string{} // admitted and not ended yet: pass number
	for _, raw := range raws {
		rec, err := wire.DecodeRecord(raw.Bytes)
		if err != nil {
			return fmt.Errorf("read record %d: %w", raw.Seq, err)
		}
		var public struct {
			Outcome   string `json:"outcome"`
			Direction string `json:"direction"`
			Granted   bool   `json:"granted"`
		}
		if json.Unmarshal(rec.Public, &public) != nil {
			continue // of another version: nothing that moves anybody
		}
		switch {
		case rec.Kind == gate.EntryStamp:
			if number, ok := passNumber(&rec, v); ok {
				err = g.replica.Stamp(number, accounts.Movement{Wall: rec.Wall, Mono: rec.Mono, Boot: rec.Boot})
			}
		case rec.Kind == gate.EntryDecision && public.Outcome == reason.Admitted.String():
			if number, ok := passNumber(&rec, v); ok {
				decided[rec.Tx] = number
			}
		case rec.Kind == gate.EntryOutcome && decided[rec.Tx] != "":
			err = g.replayOutcome(&rec, decided[rec.Tx], public.Outcome, public.Direction, public.Granted)
			delete(decided, rec.Tx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *register) replayOutcome(rec *wire.Record, number, outcome, direction string, granted bool) error {
	switch {
	case outcome == reason.Admitted.String():
		d := gate.DirEntry
		if direction == gate.DirExit.String() {
			d = gate.DirExit
		}
		return g.replica.Move(number, accounts.Movement{Direction: uint8(d), Wall: rec.Wall, Mono: rec.Mono, Boot: rec.Boot})
	case outcome == reason.Interrupted.String(), granted && outcome == reason.Failed.String():
		return g.replica.Forget(number)
	default:
		return nil
	}
}

// passNumber opens a record's personal part. One whose key was destroyed is
// older than anything that matters here.
func passNumber(rec *wire.Record, v *vault.Vault) (string, bool) {
	b, err := journal.Personal(rec, v.Open)
	if err != nil {
		return "", false
	}
	var p gate.Personal
	if json.Unmarshal(b, &p) != nil || p.PassNumber == "" {
		return "", false
	}
	return p.PassNumber, true
}
