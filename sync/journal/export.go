package journal

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// OpenFunc opens a sealed part; (*vault.Vault).Open is one.
type OpenFunc func(class uint8, day uint32, aad, sealed []byte) ([]byte, error)

// AAD is what the sealed part of a record is bound to: the record's gate,
// epoch, stream, transaction, kind and day.
func AAD(r *wire.Record) []byte {
	b := append(make([]byte, 0, 96), "bordergate record 1\x00"...)
	b = append(b, byte(len(r.Gate)))
	b = append(b, r.Gate...)
	b = binary.BigEndian.AppendUint64(b, r.Epoch)
	b = append(b, byte(r.Stream))
	b = append(b, r.Tx[:]...)
	b = append(b, byte(len(r.Kind)))
	b = append(b, r.Kind...)
	return binary.BigEndian.AppendUint32(b, r.Day)
}

// Personal opens a record's sealed part; nil where there is none.
func Personal(r *wire.Record, open OpenFunc) ([]byte, error) {
	if len(r.Sealed) == 0 {
		return nil, nil
	}
	return open(r.Class, r.Day, AAD(r), r.Sealed)
}

// What became of a record's personal part in a Line.
const (
	PersonalNone      = "none"
	PersonalSealed    = "sealed"    // not opened
	PersonalOpened    = "opened"    //
	PersonalDestroyed = "destroyed" // its key was destroyed
	PersonalUnknown   = "unknown"   // does not open
)

// Line is a record as people and programs outside read it.
type Line struct {
	Gate      string          `json:"gate"`
	Epoch     uint64          `json:"epoch"`
	Stream    string          `json:"stream"`
	Seq       uint64          `json:"seq"`
	Prev      wire.Hash       `json:"prev"`
	Hash      wire.Hash       `json:"hash"`
	Boot      string          `json:"boot"`
	Mono      int64           `json:"mono"`
	Wall      time.Time       `json:"wall"`
	Trust     uint8           `json:"trust"`
	Tx        string          `json:"tx,omitempty"`
	Kind      string          `json:"kind"`
	Simulated bool            `json:"simulated"`
	Public    json.RawMessage `json:"public,omitempty"`
	Class     uint8           `json:"class,omitempty"`
	Day       uint32          `json:"day,omitempty"`
	State     string          `json:"personal_state"`
	Personal  json.RawMessage `json:"personal,omitempty"`
}

// NewLine describes a record. Open nil leaves its personal part sealed.
func NewLine(raw RawRecord, open OpenFunc) (Line, error) {
	r, err := wire.DecodeRecord(raw.Bytes)
	if err != nil {
		return Line{}, fmt.Errorf("describe record %d: %w", raw.Seq, err)
	}
	l := Line{
		Gate: r.Gate, Epoch: r.Epoch, Stream: r.Stream.String(), Seq: r.Seq, Prev: r.Prev,
		Hash: wire.HashOf(raw.Bytes), Boot: hex.EncodeToString(r.Boot[:]), Mono: r.Mono,
		Wall: time.Unix(0, r.Wall).UTC(), Trust: r.Trust, Kind: r.Kind, Simulated: r.Simulated,
		Public: asJSON(r.Public), Class: r.Class, Day: r.Day, State: PersonalNone,
	}
	if r.Tx != [16]byte{} {
		l.Tx = hex.EncodeToString(r.Tx[:])
	}
	if len(r.Sealed) == 0 {
		return l, nil
	}
	l.State = PersonalSealed
	if open == nil {
		return l, nil
	}
	plain, err := Personal(&r, open)
	switch {
	case err == nil:
		l.State, l.Personal = PersonalOpened, asJSON(plain)
	case errors.Is(err, vault.ErrDestroyed):
		l.State = PersonalDestroyed
	default:
		l.State = PersonalUnknown
	}
	return l, nil
}

// asJSON gives JSON as it is and anything else as base64 text.
func asJSON(b []byte) json.RawMessage {
	if len(b) == 0 {
		return nil
	}
	if json.Valid(b) {
		return slices.Clone(b)
	}
	text, err := json.Marshal(b)
	if err != nil {
		return nil
	}
	return text
}

// Export gives every record kept to fn, stream by stream in order, until fn or
// ctx ends it. No streams named means all. Records that retention deletes
// meanwhile are skipped.
func (r *Reader) Export(ctx context.Context, fn func(RawRecord) error, streams ...wire.Stream) error {
	if len(streams) == 0 {
		streams = wire.Streams()
	}
	for _, s := range streams {
		h, err := r.head(s)
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		for from := h.first; from < h.next; {
			raws, err := r.Read(s, from, int(min(chunk, h.next-from)))
			if errors.Is(err, ErrPruned) {
				now, err := r.head(s)
				if err != nil {
					return fmt.Errorf("export: %w", err)
				}
				from = now.first
				continue
			}
			if err != nil {
				return fmt.Errorf("export: %w", err)
			}
			for _, raw := range raws {
				if err := errors.Join(ctx.Err(), fn(raw)); err != nil {
					return fmt.Errorf("export: %w", err)
				}
			}
			from += uint64(len(raws))
		}
	}
	return nil
}
