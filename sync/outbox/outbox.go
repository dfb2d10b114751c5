// Package outbox is the journal as the link sees it: whoever runs a gate's link
// over a real journal puts this between the two, which know nothing of each
// other.
//
// It passes records and cursors on as they are. An acknowledgement that the
// journal contradicts stays what it is, fatal; one that the journal could not
// write down, for want of room or because it writes nothing at all, becomes
// link.ErrNotNow and may come again.
package outbox

import (
	"errors"
	"fmt"

	"bordergate/sync/journal"
	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// Outbox implements link.Journal.
type Outbox struct {
	*journal.Journal
	// Agreed is told of every acknowledgement that holds; nil: nobody is.
	Agreed func(wire.Ack)
}

// Ranges implements link.Journal.
func (o Outbox) Ranges() []link.Range {
	var out []link.Range
	for _, r := range o.Journal.Ranges() {
		out = append(out, link.Range{Stream: r.Stream, First: r.First, Next: r.Next, Acked: r.Acked, Before: r.Before})
	}
	return out
}

// Read implements link.Journal.
func (o Outbox) Read(s wire.Stream, from uint64, limit int) ([]link.Raw, error) {
	raws, err := o.Journal.Read(s, from, limit)
	out := make([]link.Raw, 0, len(raws))
	for _, r := range raws {
		out = append(out, link.Raw{Seq: r.Seq, Bytes: r.Bytes})
	}
	return out, err
}

// Acknowledge moves the journal's cursor.
func (o Outbox) Acknowledge(a wire.Ack) error {
	err := o.Journal.Acknowledge(a)
	switch {
	case err == nil && o.Agreed != nil:
		o.Agreed(a)
	case err != nil && !errors.Is(err, journal.ErrAckAhead) && !errors.Is(err, journal.ErrChainMismatch):
		return fmt.Errorf("%w: %w", link.ErrNotNow, err) // the disk is full, or it does not write at all
	}
	return err
}
