package app

import (
	"context"
	"log/slog"
	"time"

	"bordergate/sync/journal"
)

// checkpointEvery is how often the journal signs where it stands. What was cut
// off or rewritten before the newest checkpoint that headquarters holds can be
// proven by it, whoever has the gate's disk and key today.
const checkpointEvery = time.Hour

// checkpoints puts signed checkpoints on record. The one of a clean stop is
// made when the journal is closed.
type checkpoints struct {
	journal *journal.Journal
	log     *slog.Logger
	notify  func() // a record is durable; never blocks
}

func (c *checkpoints) serve(ctx context.Context) error {
	every := time.NewTicker(checkpointEvery)
	defer every.Stop()
	for {
		if err := c.journal.Checkpoint(ctx); err != nil && ctx.Err() == nil {
			c.log.Error("Checkpoint is not on record", "error", err)
		}
		c.notify()
		select {
		case <-every.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
