package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Role is what a key may sign. A key of one role is good for nothing else.
type Role string

// The roles. Root is kept offline and signs only the bundle; the next seven
// are HQ's online keys; a gate has one key, and so has an officer.
const (
	RoleRoot     Role = "root"
	RoleHead     Role = "head"
	RoleDelta    Role = "delta"
	RoleSnapshot Role = "snapshot"
	RoleCommand  Role = "command"
	RoleAck      Role = "ack"
	RolePolicy   Role = "policy"
	RoleGate     Role = "gate"
	RoleOfficer  Role = "officer"
)

// OnlineRoles lists the roles of HQ's bundle.
func OnlineRoles() []Role {
	return []Role{RoleHead, RoleDelta, RoleSnapshot, RoleCommand, RoleAck, RolePolicy}
}

// Limits of a message.
const (
	MaxMessage = 256 << 10 // the whole compact serialization, bytes
	MaxHeader  = 2 << 10   // the decoded protected header, bytes
	MaxKid     = 64        // characters of a key id
)

// Errors of Verify, one per attack, so that each can be counted by itself.
var (
	ErrTooLarge  = errors.New("message is larger than allowed")
	ErrForm      = errors.New("message is not a JWS compact serialization")
	ErrHeader    = errors.New("message header is malformed")
	ErrAlgorithm = errors.New("message algorithm is not EdDSA")
	ErrCritical  = errors.New("message has a critical header field")
	ErrKey       = errors.New("message is signed by an unknown or expired key")
	ErrRole      = errors.New("message is signed by a key of another role")
	ErrSignature = errors.New("message signature does not fit")
	ErrType      = errors.New("message is of another type")
	ErrVersion   = errors.New("message version is unknown")
	ErrTopic     = errors.New("message belongs to another topic")
	ErrAddress   = errors.New("message is addressed to another reader")
	ErrExpired   = errors.New("message has expired")
	ErrPayload   = errors.New("message payload is malformed")
)

// Header is the protected header of a signed message (RFC 7515 §4). Topic
// binds it to where it was published and To to its reader; Epoch and Seq give
// its place in the sequence it belongs to, where it has one.
type Header struct {
	Alg   string `json:"alg"` // always EdDSA (RFC 8037 §3.1)
	Kid   string `json:"kid"`
	Typ   string `json:"typ"`
	Ver   int    `json:"ver"`
	To    string `json:"to,omitempty"`  // gate id, "hq" or "all"
	Topic string `json:"top,omitempty"` // the MQTT topic
	Epoch uint64 `json:"epoch,omitempty"`
	Seq   uint64 `json:"seq,omitempty"`
	Iat   int64  `json:"iat"`           // issued, Unix ms
	Exp   int64  `json:"exp,omitempty"` // expires, Unix ms; 0: never
}

// Readers that are not a single gate.
const (
	ToHQ  = "hq"
	ToAll = "all"
)

const algorithm = "EdDSA"

// Signer is a private key and what it may sign.
type Signer struct {
	Kid  string
	Role Role
	Key  ed25519.PrivateKey
}

// Public is the other half of the signer, without an end of validity.
func (s Signer) Public() PublicKey {
	return PublicKey{Kid: s.Kid, Role: s.Role, Key: s.Key.Public().(ed25519.PublicKey)}
}

var b64 = base64.RawURLEncoding.Strict()

// Sign makes a compact serialization over h and payload. It sets Alg and Kid;
// a zero Iat becomes the present.
func Sign(k Signer, h Header, payload []byte) ([]byte, error) {
	if len(k.Key) != ed25519.PrivateKeySize || k.Kid == "" || len(k.Kid) > MaxKid {
		return nil, fmt.Errorf("sign %s: %w", h.Typ, ErrKey)
	}
	if h.Typ == "" || h.Ver < 1 {
		return nil, fmt.Errorf("sign message: %w: no type or version", ErrHeader)
	}
	h.Alg, h.Kid = algorithm, k.Kid
	if h.Iat == 0 {
		h.Iat = time.Now().UnixMilli()
	}
	head, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", h.Typ, err)
	}
	n := b64.EncodedLen(len(head)) + b64.EncodedLen(len(payload)) + b64.EncodedLen(ed25519.SignatureSize) + 2
	if n > MaxMessage || len(head) > MaxHeader {
		return nil, fmt.Errorf("sign %s of %d bytes: %w", h.Typ, n, ErrTooLarge)
	}
	out := make([]byte, 0, n)
	out = b64.AppendEncode(out, head)
	out = append(out, '.')
	out = b64.AppendEncode(out, payload)
	sig := ed25519.Sign(k.Key, out)
	out = append(out, '.')
	return b64.AppendEncode(out, sig), nil
}

// PublicKey is a verification key with its role. NotAfter zero: no end.
type PublicKey struct {
	Kid      string
	Role     Role
	Key      ed25519.PublicKey
	NotAfter time.Time
}

// Keyring holds the keys a reader trusts. It is safe for concurrent use once
// built.
type Keyring struct{ keys map[string]PublicKey }

// NewKeyring builds a ring; two keys of one id are an error.
func NewKeyring(keys ...PublicKey) (*Keyring, error) {
	r := &Keyring{keys: make(map[string]PublicKey, len(keys))}
	for _, k := range keys {
		switch _, dup := r.keys[k.Kid]; {
		case dup:
			return nil, fmt.Errorf("build keyring: key id %.20q twice", k.Kid)
		case k.Kid == "" || len(k.Kid) > MaxKid || len(k.Key) != ed25519.PublicKeySize || k.Role == "":
			return nil, fmt.Errorf("build keyring: key %.20q is malformed", k.Kid)
		}
		r.keys[k.Kid] = k
	}
	return r, nil
}

// Want is what the reader demands of a message. Empty Topic or To is not
// checked; a zero Now checks neither the message's nor the key's end.
type Want struct {
	Typ    string
	MaxVer int // 0: 1
	Topic  string
	To     string // the reader; messages to "all" pass as well
	Role   Role
	Now    time.Time
}

// Verify checks msg against want and returns its header and payload. The
// payload is a copy. Nothing of a message that fails is returned.
func (r *Keyring) Verify(msg []byte, want Want) (Header, []byte, error) {
	h, payload, err := r.verify(msg, want)
	if err != nil {
		return Header{}, nil, fmt.Errorf("verify %s: %w", want.Typ, err)
	}
	return h, payload, nil
}

func (r *Keyring) verify(msg []byte, want Want) (Header, []byte, error) {
	h, signed, payload, sig, err := split(msg)
	if err != nil {
		return h, nil, err
	}
	key, ok := r.keys[h.Kid]
	switch {
	case !ok:
		return h, nil, ErrKey
	case key.Role != want.Role:
		return h, nil, ErrRole
	case !ed25519.Verify(key.Key, signed, sig):
		return h, nil, ErrSignature
	}
	if err := want.admit(h, key); err != nil {
		return h, nil, err
	}
	return h, payload, nil
}

// admit judges a header whose signature holds.
func (want Want) admit(h Header, key PublicKey) error {
	now := want.Now
	switch {
	case h.Typ != want.Typ:
		return ErrType
	case h.Ver < 1 || h.Ver > max(want.MaxVer, 1):
		return ErrVersion
	case want.Topic != "" && h.Topic != want.Topic:
		return ErrTopic
	case want.To != "" && h.To != want.To && h.To != ToAll:
		return ErrAddress
	case !now.IsZero() && h.Exp != 0 && now.UnixMilli() > h.Exp:
		return ErrExpired
	case !now.IsZero() && !key.NotAfter.IsZero() && now.After(key.NotAfter):
		return ErrKey
	}
	return nil
}

// split takes a compact serialization apart without judging it.
func split(msg []byte) (h Header, signed, payload, sig []byte, err error) {
	if len(msg) > MaxMessage {
		return h, nil, nil, nil, ErrTooLarge
	}
	first, last := bytes.IndexByte(msg, '.'), bytes.LastIndexByte(msg, '.')
	if first < 0 || first == last || bytes.Count(msg, []byte{'.'}) != 2 || bytes.ContainsAny(msg, "\r\n") {
		return h, nil, nil, nil, ErrForm
	}
	if b64.DecodedLen(first) > MaxHeader {
		return h, nil, nil, nil, ErrHeader
	}
	head, err1 := b64.AppendDecode(nil, msg[:first])
	payload, err2 := b64.AppendDecode(nil, msg[first+1:last])
	sig, err3 := b64.AppendDecode(nil, msg[last+1:])
	if err1 != nil || err2 != nil || err3 != nil || len(sig) != ed25519.SignatureSize {
		return h, nil, nil, nil, ErrForm
	}
	h, err = parseHeader(head)
	return h, msg[:last], payload, sig, err
}

// parseHeader reads the header with exact field names: a name twice is an
// error, "crit" is an error (RFC 7515 §4.1.11: we understand none), other
// unknown fields are ignored.
func parseHeader(b []byte) (Header, error) {
	var h Header
	known := map[string]any{
		"alg": &h.Alg, "kid": &h.Kid, "typ": &h.Typ, "ver": &h.Ver, "to": &h.To,
		"top": &h.Topic, "epoch": &h.Epoch, "seq": &h.Seq, "iat": &h.Iat, "exp": &h.Exp,
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return Header{}, ErrHeader
	}
	seen := make(map[string]bool, len(known))
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok || seen[name] {
			return Header{}, ErrHeader
		}
		seen[name] = true
		if name == "crit" {
			return Header{}, ErrCritical
		}
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			return Header{}, ErrHeader
		}
		if to := known[name]; to != nil && json.Unmarshal(raw, to) != nil {
			return Header{}, ErrHeader
		}
	}
	if _, err := dec.Token(); err != nil {
		return Header{}, ErrHeader
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Header{}, ErrHeader
	}
	if h.Alg != algorithm {
		return Header{}, ErrAlgorithm
	}
	return h, nil
}

// PayloadOf gives the payload of a message that was verified before it was
// stored. It verifies nothing.
func PayloadOf(msg []byte) ([]byte, error) {
	_, _, payload, _, err := split(msg)
	return payload, err
}
