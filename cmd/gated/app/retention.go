package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"bordergate/configs"
	"bordergate/gate"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// Kinds of the records that prove a deletion.
const (
	KindDestroyed = "key_destroyed" // a day's key: what it sealed is gone, wherever copies went
	KindPruned    = "pruned"        // records that headquarters holds are kept here no longer
)

// retentionEvery is how often the schedule is looked at.
const retentionEvery = time.Hour

// retention deletes what has been kept long enough, by class of data: it
// destroys the key of a class and day and puts the proof on record, and then
// gives up the records themselves as far as headquarters holds them. Until then
// they stay, so that headquarters can ask for them again after it was restored
// from a backup.
//
// What headquarters lacks is not deleted: a day of crossings or alarms of which
// one record is not acknowledged keeps its key. Pictures have no such
// privilege.
type retention struct {
	journal *journal.Journal
	vault   *vault.Vault
	clock   gate.Clock
	keep    map[vault.Class]time.Duration
	records map[wire.Stream]time.Duration
	kept    func() *configs.Gate // whose times hold now; nil: those above
	log     *slog.Logger
	note    func(wire.Stream, string, any) // on record; never blocks
}

// keptFor is how long the configuration has each class and stream kept.
func keptFor(c *configs.Gate) (map[vault.Class]time.Duration, map[wire.Stream]time.Duration) {
	return map[vault.Class]time.Duration{
			vault.ClassCrossing: c.Journal.Crossings, vault.ClassAlarm: c.Journal.Alarms, vault.ClassImage: c.Evidence.Retention,
		}, map[wire.Stream]time.Duration{
			wire.StreamCrossing: c.Journal.Crossings, wire.StreamAlarm: c.Journal.Alarms,
			wire.StreamTelemetry: c.Journal.Telemetry, wire.StreamImage: c.Evidence.Retention,
		}
}

func (r *retention) serve(ctx context.Context) error {
	every := time.NewTicker(retentionEvery)
	defer every.Stop()
	for {
		if err := r.once(ctx); err != nil && ctx.Err() == nil {
			r.log.Error("What has been kept long enough is not deleted", "error", err)
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// once does what is due. A clock that nobody vouches for deletes nothing on its
// own word: then the newest signed time counts, which is certainly past.
func (r *retention) once(ctx context.Context) error {
	if r.kept != nil {
		r.keep, r.records = keptFor(r.kept())
	}
	now, trust, floor := r.clock.Wall()
	if trust < gate.ClockHeldOver {
		now = floor
	}
	var errs []error
	for class, keep := range r.keep {
		errs = append(errs, r.destroy(class, now.Add(-keep)), r.prove(ctx, class))
	}
	for s, keep := range r.records {
		errs = append(errs, r.prune(ctx, s, vault.Day(now.Add(-keep))))
	}
	return errors.Join(errs...)
}

// destroy ends every day of a class that was over before the time.
func (r *retention) destroy(class vault.Class, before time.Time) error {
	days, err := r.vault.Days(class)
	if err != nil {
		return err
	}
	owed := ^uint32(0)
	if class != vault.ClassImage {
		if owed, err = r.owed(); err != nil {
			return err
		}
	}
	for _, d := range days {
		if d >= vault.Day(before) {
			continue
		}
		if d >= owed {
			r.log.Warn("Day is kept beyond its time: headquarters lacks records of it", "class", class, "day", d)
			continue
		}
		if _, err := r.vault.Destroy(class, d); err != nil {
			return fmt.Errorf("delete day %d of class %d: %w", d, class, err)
		}
	}
	return nil
}

// owed is the first day of which headquarters lacks a crossing or an alarm.
func (r *retention) owed() (uint32, error) {
	first := ^uint32(0)
	for _, rg := range r.journal.Ranges() {
		if rg.Stream != wire.StreamCrossing && rg.Stream != wire.StreamAlarm {
			continue
		}
		raws, err := r.journal.Read(rg.Stream, rg.Acked+1, 1)
		if err != nil {
			return 0, fmt.Errorf("look for what headquarters lacks: %w", err)
		}
		for _, raw := range raws {
			rec, err := wire.DecodeRecord(raw.Bytes)
			if err != nil {
				return 0, fmt.Errorf("look for what headquarters lacks: %w", err)
			}
			first = min(first, dayOf(&rec))
		}
	}
	return first, nil
}

// dayOf is the day under which a record counts.
func dayOf(r *wire.Record) uint32 {
	if len(r.Sealed) > 0 {
		return r.Day
	}
	return vault.Day(time.Unix(0, r.Wall))
}

// prove puts the proofs on record that are not there yet: a fact of the journal
// says up to which day they are, so that none is lost when the machine stops in
// between.
func (r *retention) prove(ctx context.Context, class vault.Class) error {
	proofs, err := r.vault.Proofs(class)
	if err != nil {
		return err
	}
	fact := fmt.Sprintf("destroyed_%d", class)
	for _, p := range proofs {
		if uint64(p.Day) < r.journal.Fact(fact) {
			continue
		}
		now, trust, _ := r.clock.Wall()
		if _, err := r.journal.Append(ctx, journal.Draft{
			Stream: wire.StreamAlarm, Kind: KindDestroyed, Public: p, Wall: now.UnixNano(), Trust: uint8(trust),
		}); err != nil {
			return fmt.Errorf("record a deletion: %w", err)
		}
		if err := r.journal.Advance(fact, uint64(p.Day)+1); err != nil {
			return fmt.Errorf("record a deletion: %w", err)
		}
		r.log.Info("Key of a day is destroyed", "class", p.Class, "day", p.Day)
	}
	return nil
}

// pruneStep is how many records are looked at together: pictures are large.
const pruneStep = 64

// prune gives up the records of a stream from before a day that headquarters
// holds.
func (r *retention) prune(ctx context.Context, s wire.Stream, before uint32) error {
	rg := r.journal.Ranges()[s-1]
	upTo := rg.First - 1
	for upTo < rg.Acked && ctx.Err() == nil {
		raws, err := r.journal.Read(s, upTo+1, int(min(pruneStep, rg.Acked-upTo)))
		if errors.Is(err, journal.ErrPruned) {
			return nil // for want of room, this moment
		}
		if err != nil {
			return fmt.Errorf("look for what is over: %w", err)
		}
		for _, raw := range raws {
			rec, err := wire.DecodeRecord(raw.Bytes)
			if err != nil {
				return fmt.Errorf("look for what is over: %w", err)
			}
			if dayOf(&rec) >= before {
				return r.giveUp(ctx, s, rg.First, upTo)
			}
			upTo = raw.Seq
		}
	}
	return r.giveUp(ctx, s, rg.First, upTo)
}

// giveUp deletes acknowledged records and puts on record that it did.
func (r *retention) giveUp(ctx context.Context, s wire.Stream, first, last uint64) error {
	if last < first {
		return nil
	}
	if err := r.journal.Prune(ctx, s, last); err != nil {
		return fmt.Errorf("give up what is over: %w", err)
	}
	r.note(wire.StreamAlarm, KindPruned, prunedRecord{s.String(), first, last, "retention"})
	return nil
}

// prunedRecord is the public part of the record of a pruning.
type prunedRecord struct {
	Stream string `json:"stream"`
	First  uint64 `json:"first"`
	Last   uint64 `json:"last"`
	Why    string `json:"why"` // retention or room
}
