package wire

import (
	"encoding/json"
	"fmt"
)

// Types of messages, the typ of their header.
const (
	TypeBundle  = "bundle"
	TypeBirth   = "birth"
	TypeDeath   = "death"
	TypeState   = "state"
	TypeRecords = "records"
	TypeLive    = "live"
	TypeHello   = "hello"
	TypeApplied = "applied"
	TypeAck     = "ack"
	TypeKey     = "key"
	TypeDelta   = "delta"
	TypeUrgent  = "urgent"
	TypeHead    = "head"
	TypeHQ      = "hq-state"

	TypeFetch    = "fetch"
	TypeSnapshot = "snapshot"
	TypePiece    = "piece"

	TypeCommand = "command"
	TypeResult  = "result"

	TypePolicy   = "policy"
	TypeOfficers = "officers"
)

// Kind describes a type of message: who signs it, where it goes, and an empty
// payload. docs/asyncapi.yaml is held to this list by a test.
type Kind struct {
	Typ      string
	Ver      int // newest version this code writes and reads
	Role     Role
	Retained bool
	Will     bool
	Topics   []string // with {gate} and {stream}
	Payload  any
}

// Kinds lists every message that crosses MQTT.
func Kinds() []Kind {
	up, dn := Prefix+"up/{gate}/", Prefix+"dn/{gate}/"
	return []Kind{
		{Typ: TypeBirth, Ver: 1, Role: RoleGate, Topics: []string{up + "birth"}, Payload: Birth{}},
		{Typ: TypeDeath, Ver: 1, Role: RoleGate, Will: true, Topics: []string{up + "death"}, Payload: Death{}},
		{Typ: TypeState, Ver: 1, Role: RoleGate, Topics: []string{up + "state"}, Payload: State{}},
		{Typ: TypeRecords, Ver: 1, Role: RoleGate, Topics: []string{up + "rec/{stream}"}, Payload: Records{}},
		{Typ: TypeLive, Ver: 1, Role: RoleGate, Topics: []string{up + "live/{stream}"}, Payload: Records{}},
		{Typ: TypeHello, Ver: 1, Role: RoleGate, Topics: []string{up + "hello"}, Payload: Hello{}},
		{Typ: TypeApplied, Ver: 1, Role: RoleGate, Topics: []string{up + "applied"}, Payload: Applied{}},
		{Typ: TypeFetch, Ver: 1, Role: RoleGate, Topics: []string{up + "fetch"}, Payload: Fetch{}},
		{Typ: TypeSnapshot, Ver: 1, Role: RoleSnapshot, Topics: []string{dn + "snapshot"}, Payload: Snapshot{}},
		{Typ: TypePiece, Ver: 1, Role: RoleSnapshot, Topics: []string{dn + "piece"}, Payload: []byte{}},
		{Typ: TypeResult, Ver: 1, Role: RoleGate, Topics: []string{up + "result"}, Payload: Result{}},
		{Typ: TypeAck, Ver: 1, Role: RoleAck, Retained: true, Topics: []string{dn + "ack/{stream}"}, Payload: Ack{}},
		{Typ: TypeKey, Ver: 1, Role: RoleDelta, Retained: true, Topics: []string{dn + "key"}, Payload: GroupKey{}},
		{Typ: TypeCommand, Ver: 1, Role: RoleCommand, Topics: []string{dn + "cmd"}, Payload: Command{}},
		{Typ: TypeDelta, Ver: 1, Role: RoleDelta, Topics: []string{dn + "delta", TopicDelta}, Payload: Delta{}},
		{Typ: TypeUrgent, Ver: 1, Role: RoleDelta, Topics: []string{dn + "urgent", TopicUrgent}, Payload: Delta{}},
		{Typ: TypeHead, Ver: 1, Role: RoleHead, Retained: true, Topics: []string{TopicHead}, Payload: Head{}},
		{Typ: TypePolicy, Ver: 1, Role: RolePolicy, Retained: true, Topics: []string{TopicPolicy}, Payload: Policy{}},
		{Typ: TypeOfficers, Ver: 1, Role: RolePolicy, Retained: true, Topics: []string{TopicOfficers}, Payload: Officers{}},
		{Typ: TypeHQ, Ver: 1, Role: RoleHead, Retained: true, Will: true, Topics: []string{TopicHQ}, Payload: HQState{}},
	}
}

// Range is what a gate holds of a stream: records First to Next-1. Before is
// the hash of record First-1, zero for the first of all.
type Range struct {
	Name   string `json:"name"`
	First  uint64 `json:"first"`
	Next   uint64 `json:"next"`
	Before Hash   `json:"before,omitzero"`
}

// Cursor is a place in the accounts log: everything up to Cursor is applied.
type Cursor struct {
	Epoch  uint64 `json:"epoch"`
	Cursor uint64 `json:"cursor"`
}

// Birth opens a gate's connection, after its subscriptions hold. HQ answers
// with its acknowledgement of every stream and with the group key.
type Birth struct {
	Boot         string  `json:"boot"` // one per connection; pairs with Death
	JournalEpoch uint64  `json:"journal_epoch"`
	Streams      []Range `json:"streams"`
	Accounts     Cursor  `json:"accounts"`
	Software     string  `json:"software"`
	Simulated    bool    `json:"simulated"`
}

// Death is the gate's last will.
type Death struct {
	Boot string `json:"boot"`
}

// State is the gate's own account of itself, every 10 s and on a change.
type State struct {
	Boot       string            `json:"boot"`
	Mode       string            `json:"mode"`
	CatchingUp bool              `json:"catching_up"`
	Accounts   Cursor            `json:"accounts"`
	HeadIssued int64             `json:"head_issued"` // Unix ns of the newest head, 0: none
	Queue      map[string]uint64 `json:"queue,omitempty"`
	Faults     []string          `json:"faults,omitempty"`
	Counters   map[string]uint64 `json:"counters,omitempty"`
	Clock      string            `json:"clock,omitempty"`  // synchronised, held_over, plausible or bad
	Wall       int64             `json:"wall,omitempty"`   // Unix ns by the gate's clock
	Config     string            `json:"config,omitempty"` // hash of the settings that decide who is admitted
	Models     string            `json:"models,omitempty"` // hash of the model manifest
	Policy     uint64            `json:"policy"`           // version of HQ's policy in use, 0: none
	Officers   uint64            `json:"officers"`         // version of the officers' list in use, 0: none
	Simulated  bool              `json:"simulated"`
}

// DayKey is a day key of the gate's vault, sealed to HQ.
type DayKey struct {
	Day    uint32 `json:"day"`
	Class  uint8  `json:"class"`
	Sealed []byte `json:"sealed"`
}

// Records is a batch of one stream, without a hole: record First+i is
// Records[i], each in its one encoding. Keys are the day keys its sealed parts
// need.
type Records struct {
	Stream     string   `json:"stream"`
	Epoch      uint64   `json:"epoch"`
	First      uint64   `json:"first"`
	N          int      `json:"n"`
	Historical bool     `json:"historical"` // written before this connection
	Keys       []DayKey `json:"keys,omitempty"`
	Records    [][]byte `json:"records"`
}

// Ack is HQ's statement that it has stored every record up to Cum of the
// stream in the epoch; Hash is that of record Cum (zero for Cum 0). It is the
// only thing that lets a gate delete.
type Ack struct {
	Stream string `json:"stream"`
	Epoch  uint64 `json:"epoch"`
	Cum    uint64 `json:"cum"`
	Hash   Hash   `json:"hash"`
	// Resend says that something after Cum was missing or unfit: send again
	// from Cum+1.
	Resend bool `json:"resend,omitempty"`
}

// Delta is N changes of the accounts log from First on. Prev is the chain's
// hash at First-1. Sealed is a JSON list of changes under the group key Key.
type Delta struct {
	Epoch  uint64 `json:"epoch"`
	First  uint64 `json:"first"`
	N      int    `json:"n"`
	Prev   Hash   `json:"prev"`
	Key    string `json:"key"`
	Sealed []byte `json:"sealed"`
}

// Head is the newest place of the accounts log. Its age is the age of what a
// gate knows.
type Head struct {
	Epoch  uint64 `json:"epoch"`
	Seq    uint64 `json:"seq"`
	Hash   Hash   `json:"hash"`
	Issued int64  `json:"issued"` // Unix ns
}

// Hello asks HQ for the changes after Cursor.
type Hello struct {
	Epoch  uint64 `json:"epoch"`
	Cursor uint64 `json:"cursor"`
	NoKey  bool   `json:"no_key,omitempty"` // the present group key is missing
}

// Applied reports a committed cursor and when each decision took effect.
type Applied struct {
	Epoch     uint64            `json:"epoch"`
	Cursor    uint64            `json:"cursor"`
	Decisions []AppliedDecision `json:"decisions,omitempty"`
	Refused   []RefusedDecision `json:"refused,omitempty"`
}

// AppliedDecision is the moment from which the gate refused, or again
// accepted, the account.
type AppliedDecision struct {
	ID string `json:"id"`
	At int64  `json:"at_unix_ns"`
	// Mono is CLOCK_MONOTONIC at the gate, ns.
	Mono int64 `json:"mono"`
}

// RefusedDecision is a change the gate did not carry out, since it breaks the
// rule of who may decide.
type RefusedDecision struct {
	ID  string `json:"id,omitempty"`
	Seq uint64 `json:"seq"`
	Why string `json:"why"`
}

// GroupKey is the key of the deltas, sealed to one gate.
type GroupKey struct {
	Kid    string `json:"kid"`
	Sealed []byte `json:"sealed"`
}

// HQState says whether HQ's ingest is there. Session is one per start of HQ,
// so that a late will of an earlier one is known for what it is.
type HQState struct {
	Online  bool   `json:"online"`
	Session string `json:"session"`
}

// Decode reads a payload; unknown fields are ignored.
func Decode[T any](payload []byte) (T, error) {
	var v T
	if err := json.Unmarshal(payload, &v); err != nil {
		return *new(T), fmt.Errorf("decode payload: %w", ErrPayload)
	}
	return v, nil
}

// SignJSON signs the JSON of v.
func SignJSON(k Signer, h Header, v any) ([]byte, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", h.Typ, err)
	}
	return Sign(k, h, payload)
}
