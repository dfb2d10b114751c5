package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"bordergate/gate"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// KindDestroyed is the kind of the record that proves a deletion.
const KindDestroyed = "key_destroyed"

// retentionEvery is how often the schedule is looked at.
const retentionEvery = time.Hour

// retention deletes what has been kept long enough, by destroying the key of
// its class and day, and puts the proof on record. The records stay, unreadable,
// so that the chain still verifies.
type retention struct {
	journal *journal.Journal
	vault   *vault.Vault
	clock   gate.Clock
	keep    map[vault.Class]time.Duration
	log     *slog.Logger
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
	now, trust, floor := r.clock.Wall()
	if trust < gate.ClockHeldOver {
		now = floor
	}
	var errs []error
	for class, keep := range r.keep {
		errs = append(errs, r.destroy(class, now.Add(-keep)), r.prove(ctx, class), r.prune(ctx))
	}
	return errors.Join(errs...)
}

// destroy ends every day of a class that was over before the time.
func (r *retention) destroy(class vault.Class, before time.Time) error {
	days, err := r.vault.Days(class)
	if err != nil {
		return err
	}
	for _, d := range days {
		if d >= vault.Day(before) {
			continue
		}
		if _, err := r.vault.Destroy(class, d); err != nil {
			return fmt.Errorf("delete day %d of class %d: %w", d, class, err)
		}
	}
	return nil
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

// prune gives back the room of pictures that headquarters holds, once half of
// their share is used.
func (r *retention) prune(ctx context.Context) error {
	const half = imageBudget / 2 / wire.MaxSealed
	for _, rg := range r.journal.Ranges() {
		if rg.Stream != wire.StreamImage || rg.Next-rg.First <= half {
			continue
		}
		return r.journal.Prune(ctx, rg.Stream, min(rg.Acked, rg.Next-1-half))
	}
	return nil
}
