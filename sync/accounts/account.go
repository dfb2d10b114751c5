package accounts

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"bordergate/sync/wire"
)

// Account is what the lane needs to know of one. It holds no name.
type Account struct {
	// Status is the worse of the account's own and Through.
	Status wire.Status
	// Through is the status of the organisation that answers for the account,
	// where that takes its right away; else empty.
	Through      wire.Status
	Level        int    // 1 or 2; 0: only its status is known
	Kind         string // citizen, foreigner or organisation
	Organisation string // who answers for it, or empty
	Model        string // face model that Reference is of
	Reference    []byte // as many bytes as Model keeps, or none
	Ver          uint64 // version of the newest change
	// Overlaid says that Status comes from a change that is not committed yet.
	Overlaid bool
}

// MarshalJSON describes the account to people: whether it has a reference, but
// not the reference.
func (a Account) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Status       wire.Status `json:"status"`
		Through      wire.Status `json:"through_organisation,omitempty"`
		Level        int         `json:"level,omitempty"`
		Kind         string      `json:"kind,omitempty"`
		Organisation string      `json:"organisation,omitempty"`
		Model        string      `json:"model,omitempty"`
		Reference    bool        `json:"reference"`
		Ver          uint64      `json:"ver"`
		Overlaid     bool        `json:"overlaid"`
	}{a.Status, a.Through, a.Level, a.Kind, a.Organisation, a.Model, len(a.Reference) > 0, a.Ver, a.Overlaid})
}

// accountOf is the account that a put or a status names by itself.
func accountOf(c *wire.Change) Account {
	if c.Op != wire.OpPut {
		return Account{Status: c.Status, Ver: c.Ver}
	}
	return Account{
		Status: c.Status, Level: c.Level, Kind: c.Kind, Organisation: c.Organisation, Model: c.Model,
		Reference: c.Reference, Ver: c.Ver,
	}
}

// fold is what a put, or else a status, makes of the account; false where it is
// not newer than what is there. The zero Account is one that is not known.
func (a Account) fold(put bool, in Account) (Account, bool) {
	next := a
	if a.Ver != 0 && in.Ver <= a.Ver {
		return a, false
	}
	if put {
		next = in
	}
	next.Status, next.Ver = in.Status, in.Ver
	if a.Status == wire.StatusCancelled {
		next.Status = wire.StatusCancelled // for ever
	}
	return next, true
}

// errValue says that a stored account, pass or movement does not fit its form.
var errValue = errors.New("stored value is malformed")

const valueVersion = 1

var (
	statuses = []wire.Status{"", wire.StatusActive, wire.StatusSuspended, wire.StatusCancelled}
	kinds    = []string{"", wire.KindCitizen, wire.KindForeigner, wire.KindOrganisation}
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func index[T comparable](list []T, v T) (byte, error) {
	for i, x := range list {
		if x == v {
			return byte(i), nil
		}
	}
	return 0, errValue
}

// encode is the account's stored form before it is sealed.
func (a *Account) encode() ([]byte, error) {
	status, err1 := index(statuses, a.Status)
	kind, err2 := index(kinds, a.Kind)
	if err := errors.Join(err1, err2); err != nil || len(a.Organisation) > 255 || len(a.Model) > 255 ||
		a.Level < 0 || a.Level > 2 || !wire.IsReferenceSize(len(a.Reference)) {
		return nil, errValue
	}
	b := make([]byte, 0, 16+len(a.Organisation)+len(a.Model)+len(a.Reference))
	b = append(b, status, byte(a.Level), kind)
	b = binary.BigEndian.AppendUint64(b, a.Ver)
	b = append(b, byte(len(a.Organisation)))
	b = append(b, a.Organisation...)
	b = append(b, byte(len(a.Model)))
	b = append(b, a.Model...)
	return append(b, a.Reference...), nil
}

// decodeAccount reads what encode made.
func decodeAccount(b []byte) (Account, error) {
	var a Account
	if len(b) < 12 || int(b[0]) >= len(statuses) || b[0] == 0 || b[1] > 2 || int(b[2]) >= len(kinds) {
		return a, errValue
	}
	a.Status, a.Level, a.Kind = statuses[b[0]], int(b[1]), kinds[b[2]]
	a.Ver = binary.BigEndian.Uint64(b[3:])
	b = b[11:]
	var ok bool
	if a.Organisation, b, ok = text(b); !ok {
		return Account{}, errValue
	}
	if a.Model, b, ok = text(b); !ok {
		return Account{}, errValue
	}
	if !wire.IsReferenceSize(len(b)) {
		return Account{}, errValue
	}
	if len(b) > 0 {
		a.Reference = append([]byte(nil), b...)
	}
	return a, nil
}

func text(b []byte) (s string, rest []byte, ok bool) {
	if len(b) < 1 || len(b) < 1+int(b[0]) {
		return "", nil, false
	}
	n := 1 + int(b[0])
	return string(b[1:n]), b[n:], true
}

// seal gives the value stored under key.
func (c *crypt) seal(key accountKey, a *Account) ([]byte, error) {
	plain, err := a.encode()
	if err != nil {
		return nil, err
	}
	return c.sealValue(key, plain), nil
}

// sealValue binds a value to its key: version, ciphertext, CRC-32C.
func (c *crypt) sealValue(key accountKey, plain []byte) []byte {
	b := append(make([]byte, 0, 1+len(plain)+28+4), valueVersion)
	b = c.aead.Seal(b, nil, plain, key[:])
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// open reads a stored account.
func (c *crypt) open(key accountKey, b []byte) (Account, error) {
	plain, err := c.openValue(key, b)
	if err != nil {
		return Account{}, err
	}
	return decodeAccount(plain)
}

// openValue reads a stored value. The checksum comes first: it tells damage
// from forgery.
func (c *crypt) openValue(key accountKey, b []byte) ([]byte, error) {
	if len(b) < 5 {
		return nil, fmt.Errorf("%w: %d bytes", errValue, len(b))
	}
	body := b[:len(b)-4]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return nil, fmt.Errorf("%w: checksum", errValue)
	}
	if body[0] != valueVersion {
		return nil, fmt.Errorf("%w: version %d", errValue, body[0])
	}
	plain, err := c.aead.Open(nil, nil, body[1:], key[:])
	if err != nil {
		return nil, fmt.Errorf("%w: does not open", errValue)
	}
	return plain, nil
}
