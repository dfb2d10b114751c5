package wire

import (
	"encoding/json"
	"fmt"
)

// TypeCheckpoint is the typ of a signed checkpoint. It is no message of its
// own: it lies in a gate's journal and reaches headquarters inside a record.
const TypeCheckpoint = "checkpoint"

// Checkpoint is a gate's word on where its journal stands. Whoever holds one
// knows every record before it by its hash.
type Checkpoint struct {
	Gate    string  `json:"gate"`
	Epoch   uint64  `json:"epoch"`
	Streams []Stand `json:"streams"` // in the order of Streams
	// State is the digest of what the journal keeps beside records.
	State Hash `json:"state"`
}

// Stand is where one stream stands: records First to Next-1 are kept, Before
// is the hash of First-1 and Last that of Next-1.
type Stand struct {
	Name   string `json:"stream"`
	First  uint64 `json:"first"`
	Next   uint64 `json:"next"`
	Acked  uint64 `json:"acked"`
	Before Hash   `json:"before"`
	Last   Hash   `json:"last"`
}

// SignCheckpoint signs c with the gate's key.
func SignCheckpoint(k Signer, c Checkpoint) ([]byte, error) {
	return SignJSON(k, Header{Typ: TypeCheckpoint, Ver: 1, To: ToHQ, Epoch: c.Epoch}, c)
}

// ParseCheckpoint reads a checkpoint and, where ring is not nil, verifies that
// a gate's key in it signed it.
func ParseCheckpoint(msg []byte, ring *Keyring) (Header, Checkpoint, error) {
	var c Checkpoint
	h, _, payload, _, err := split(msg)
	if ring != nil {
		h, payload, err = ring.Verify(msg, Want{Typ: TypeCheckpoint, To: ToHQ, Role: RoleGate})
	}
	if err == nil && json.Unmarshal(payload, &c) != nil {
		err = ErrPayload
	}
	if err == nil && (h.Typ != TypeCheckpoint || len(c.Streams) != len(Streams()) || !ValidGateID(c.Gate)) {
		err = ErrPayload
	}
	for i, s := range c.Streams {
		if err == nil && (s.Name != Streams()[i].String() || s.First == 0 || s.Next < s.First) {
			err = ErrPayload
		}
	}
	if err != nil {
		return Header{}, Checkpoint{}, fmt.Errorf("read checkpoint: %w", err)
	}
	return h, c, nil
}
