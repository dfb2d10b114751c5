package link

import (
	"context"
	"crypto/hpke"
	"errors"
	"time"

	"bordergate/sync/wire"
)

// ErrNotNow says that the journal could not do something at this moment.
var ErrNotNow = errors.New("journal cannot do that now")

// Journal is what Uplink needs of the gate's journal. Its methods are called
// from Uplink's goroutine only, and block it.
type Journal interface {
	Epoch() uint64
	Ranges() []Range
	// Read gives up to limit encoded records of the stream from a sequence
	// on, in order and without a hole.
	Read(stream wire.Stream, from uint64, limit int) ([]Raw, error)
	// Acknowledge moves the stream's cursor; one that is behind the journal's
	// own only has its hash compared. A hash that is not the journal's own is
	// an error, and a fatal one; ErrNotNow says that the cursor cannot be
	// moved at this moment.
	Acknowledge(wire.Ack) error
}

// Range is what the journal holds of a stream: First to Next-1, of which HQ
// has Acked.
type Range struct {
	Stream             wire.Stream
	First, Next, Acked uint64
	Before             wire.Hash // of record First-1
}

// Raw is an encoded record.
type Raw struct {
	Seq   uint64
	Bytes []byte
}

// DayKeys wraps a day key of the vault for HQ.
type DayKeys interface {
	WrapFor(class uint8, day uint32, pub hpke.PublicKey) ([]byte, error)
}

// Accounts is what Downlink needs of the replica. Overlay must be safe beside
// look-ups and Cursor beside everything; the others are called from Downlink's
// goroutine only.
type Accounts interface {
	// Cursor is the epoch and sequence up to which changes are committed.
	Cursor() (epoch, seq uint64)
	// Overlay makes a restricting change bite at once, before it is
	// committed. An older version of the account than the known one does
	// nothing.
	Overlay(wire.Change)
	// Apply commits changes first, first+1, … and the cursor in one
	// transaction. Prev is the chain's hash before the first of them and hash
	// that after the last. A change with an empty Op only takes its place.
	Apply(epoch, first uint64, prev, hash wire.Hash, changes []wire.Change) error
	// Head makes the newest verified head known.
	Head(wire.Head) error
}

// Snapshots is an Accounts that can be filled anew. InstallSnapshot runs in a
// goroutine of its own, beside everything but BeginSnapshot and AddPiece; the
// others are called from Downlink's goroutine.
type Snapshots interface {
	Accounts
	// Diverged reports whether the replica contradicts HQ's log, and Reset
	// empties it.
	Diverged() bool
	Reset() error
	// BeginSnapshot prepares for a snapshot and AddPiece takes a piece; both
	// say which piece is wanted next. A snapshot that would not lead the
	// replica on is an error.
	BeginSnapshot(m wire.Snapshot, key [32]byte) (next int, err error)
	AddPiece(n int, b []byte) (next int, err error)
	// InstallSnapshot puts the snapshot in place of what there is.
	InstallSnapshot(ctx context.Context) error
}

// Clock tells the time and whether it is good enough to judge an expiry.
type Clock func() (now time.Time, trusted bool)
