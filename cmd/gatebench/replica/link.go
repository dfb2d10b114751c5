package replica

import (
	"context"

	"bordergate/sync/accounts"
	"bordergate/sync/journal"
	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// steps tells of a snapshot's way.
type steps struct {
	*accounts.Replica
	g *gateEnd
}

// BeginSnapshot implements link.Snapshots.
func (s steps) BeginSnapshot(m wire.Snapshot, key [32]byte) (int, error) {
	next, err := s.Replica.BeginSnapshot(m, key)
	if err == nil {
		s.g.say(Event{What: "begun"})
	}
	return next, err
}

// InstallSnapshot implements link.Snapshots.
func (s steps) InstallSnapshot(ctx context.Context) error {
	s.g.say(Event{What: "received"})
	err := s.Replica.InstallSnapshot(ctx)
	if err == nil {
		s.g.say(Event{What: "installed"})
	}
	return err
}

// outbox is the journal as the link sees it.
type outbox struct{ *journal.Journal }

func (o outbox) Ranges() []link.Range {
	var out []link.Range
	for _, r := range o.Journal.Ranges() {
		out = append(out, link.Range{Stream: r.Stream, First: r.First, Next: r.Next, Acked: r.Acked})
	}
	return out
}

func (o outbox) Read(s wire.Stream, from uint64, limit int) ([]link.Raw, error) {
	raws, err := o.Journal.Read(s, from, limit)
	out := make([]link.Raw, 0, len(raws))
	for _, r := range raws {
		out = append(out, link.Raw{Seq: r.Seq, Bytes: r.Bytes})
	}
	return out, err
}
