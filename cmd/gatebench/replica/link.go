package replica

import (
	"context"

	"bordergate/sync/accounts"
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
