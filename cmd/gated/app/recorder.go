package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"

	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// recorder writes the lane's entries to the journal. Done comes only after the
// disk has them.
type recorder struct {
	journal *journal.Journal
	clock   gate.Clock
	log     *slog.Logger
	notify  func() // a record is durable; never blocks
	// refused is told of a record that was not written; may be nil.
	refused func(error)
	// doubt is told of an alarm after which movements may be missing; it never
	// blocks and may be nil.
	doubt func(wall int64)
	// emergency is told that one has begun, and that one was signed off for good;
	// it never blocks and may be nil.
	emergency func(on bool)
	// evidence asks for a picture of what is recorded; may be nil.
	evidence *evidence
	// monitor counts how transactions end; may be nil.
	monitor *monitor
}

// Record implements gate.Recorder.
func (r *recorder) Record(e gate.Entry, done func(error)) error {
	d, err := r.draft(e)
	if err != nil {
		return err
	}
	if r.doubt != nil && e.Kind == gate.EntryAlarm && slices.Contains(e.Public.Reasons, reason.ModeEmergency) {
		r.doubt(d.Wall)
	}
	if r.emergency != nil && e.Kind == gate.EntryAlarm && slices.Contains(e.Public.Reasons, reason.ModeEmergency) {
		r.emergency(true)
	}
	defer r.monitor.entry(e)
	defer r.evidence.wants(e) // never before the record is on its way
	return r.journal.AppendAsync(d, func(_ journal.Position, err error) {
		if err != nil {
			r.log.Error("Record is not durable", "kind", e.Kind, "error", err)
			if r.refused != nil {
				r.refused(err)
			}
		}
		if err == nil && r.emergency != nil && e.Kind == gate.EntryState && e.Public.Cause == gate.CauseSignedOff {
			r.emergency(false)
		}
		done(err)
		r.notify()
	})
}

func (r *recorder) draft(e gate.Entry) (journal.Draft, error) {
	now, trust, _ := r.clock.Wall()
	d := journal.Draft{
		Stream: wire.StreamCrossing, Kind: e.Kind, Tx: e.Tx, Public: e.Public,
		Mono: e.At, Wall: now.UnixNano(), Trust: uint8(trust), Class: vault.ClassCrossing,
	}
	if e.Alarm || e.Kind == gate.EntryState {
		d.Stream, d.Class = wire.StreamAlarm, vault.ClassAlarm
	}
	if e.Personal == nil {
		return d, nil
	}
	b, err := json.Marshal(e.Personal)
	if err != nil {
		return d, fmt.Errorf("encode record: %w", err)
	}
	d.Personal = b
	return d, nil
}

// unfinishedWindow is how many of the newest crossing records are searched for
// transactions that a crash left open. One lane has one transaction at a time,
// so the newest few would do.
const unfinishedWindow = 64

// closeInterrupted journals the end of every transaction that was decided, and
// perhaps granted, when the machine stopped.
func (r *recorder) closeInterrupted(ctx context.Context) (int, error) {
	raws, err := r.journal.Tail(wire.StreamCrossing, unfinishedWindow)
	if err != nil {
		return 0, fmt.Errorf("read last records: %w", err)
	}
	open := map[gate.TxID]bool{}
	for _, raw := range raws {
		rec, err := wire.DecodeRecord(raw.Bytes)
		if err != nil {
			return 0, fmt.Errorf("read record %d: %w", raw.Seq, err)
		}
		switch rec.Kind {
		case gate.EntryDecision:
			open[rec.Tx] = true
		case gate.EntryOutcome:
			delete(open, rec.Tx)
		}
	}
	for tx := range open {
		d, err := r.draft(gate.Entry{Tx: tx, Kind: gate.EntryOutcome, At: monoNow(), Public: gate.Public{
			Outcome: reason.Interrupted, Reasons: []reason.Reason{reason.Interrupt},
		}})
		if err != nil {
			return 0, err
		}
		if _, err := r.journal.Append(ctx, d); err != nil {
			return 0, fmt.Errorf("record an interrupted transaction: %w", err)
		}
	}
	return len(open), nil
}

// bootID is the machine's boot id, which tells monotonic times of two boots
// apart.
func bootID(text string) (id [16]byte) {
	n := 0
	for _, c := range []byte(text) {
		var v byte
		switch {
		case c >= '0' && c <= '9':
			v = c - '0'
		case c >= 'a' && c <= 'f':
			v = c - 'a' + 10
		default:
			continue
		}
		if n >= 32 {
			break
		}
		id[n/2] |= v << (4 * (1 - n%2))
		n++
	}
	return id
}
