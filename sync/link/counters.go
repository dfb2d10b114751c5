package link

import (
	"errors"
	"maps"
	"sync"

	"bordergate/sync/wire"
)

// counters counts what was refused or went wrong, by cause.
type counters struct {
	mu sync.Mutex
	n  map[string]uint64
}

func newCounters() *counters { return &counters{n: make(map[string]uint64)} }

func (c *counters) add(cause string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[cause]++
}

func (c *counters) snapshot() map[string]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.n)
}

// Causes by which a message is counted and ignored.
const (
	causeRetained  = "retained"
	causeReplayed  = "replayed"
	causeEpoch     = "epoch"
	causeTopic     = "topic"
	causePayload   = "payload"
	causeGap       = "gap"
	causeDuplicate = "duplicate"
	causeNoKey     = "no_group_key"
	causeSealed    = "sealed"
	causeRefused   = "decision_refused"
	causeStall     = "stall"
	causeResend    = "resend"
	causeStore     = "store"
	causeGone      = "gone"
	causeTooLarge  = "too_large"
	causeSnapshot  = "snapshot"     // one was of no use
	causePiece     = "piece"        // one was another than its manifest names
	causeReset     = "reset"        // the replica was emptied, since it contradicted HQ
	countInstalled = "snapshots_in" // this one is no fault
)

// causeOf names the attack that a failed verification stands for.
func causeOf(err error) string {
	for _, c := range []struct {
		err  error
		name string
	}{
		{wire.ErrTooLarge, causeTooLarge},
		{wire.ErrForm, "form"},
		{wire.ErrHeader, "header"},
		{wire.ErrAlgorithm, "algorithm"},
		{wire.ErrCritical, "critical"},
		{wire.ErrKey, "unknown_key"},
		{wire.ErrRole, "wrong_role"},
		{wire.ErrSignature, "signature"},
		{wire.ErrType, "type"},
		{wire.ErrVersion, "version"},
		{wire.ErrTopic, causeTopic},
		{wire.ErrAddress, "address"},
		{wire.ErrExpired, "expired"},
		{wire.ErrSealed, causeSealed},
	} {
		if errors.Is(err, c.err) {
			return c.name
		}
	}
	return causePayload
}
