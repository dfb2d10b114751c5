package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Status of an account.
type Status string

// The statuses. A cancelled account never comes back.
const (
	StatusActive    Status = "active"
	StatusSuspended Status = "suspended"
	StatusCancelled Status = "cancelled"
)

// Kinds of account.
const (
	KindCitizen      = "citizen"
	KindForeigner    = "foreigner"
	KindOrganisation = "organisation"
)

// Ops of a change.
const (
	OpPut    = "put"    // the account's data, as enrolled
	OpStatus = "status" // a decision on its status
	OpRevoke = "revoke" // a pass is worth nothing any more, for good
	OpStamp  = "stamp"  // a pass has a new verification stamp
)

// Limits of the accounts log.
const (
	MaxAccountID   = 64
	MaxPass        = 64 // bytes of a pass number
	MaxModel       = 64
	ReferenceSize  = 160 // bytes of the shipped recogniser's face reference
	MinReference   = 16  // bytes of any recogniser's
	MaxReference   = 1024
	MaxDeltaN      = 500      // changes in one delta
	MaxDeltaPlain  = 64 << 10 // bytes of a delta's list
	maxDecisionTxt = 200
)

// Action is what a decision does.
type Action string

// Decider is the office that may decide.
type Decider string

// Ground is why.
type Ground string

// Actions, deciders and grounds of domain rule 3.
const (
	ActionSuspend Action = "suspend"
	ActionRestore Action = "restore"
	ActionCancel  Action = "cancel"
	ActionRevoke  Action = "revoke" // of a pass, not of an account

	DeciderCommander Decider = "station_commander"
	DeciderDeputy    Decider = "authorised_deputy"
	DeciderIssuer    Decider = "issuing_office" // may revoke a pass, and nothing else

	GroundSecurity  Ground = "security_risk"
	GroundOwner     Ground = "owner_request"
	GroundCleared   Ground = "risk_cleared"
	GroundLost      Ground = "lost"      // of a pass, as the three after it
	GroundStolen    Ground = "stolen"    //
	GroundReplaced  Ground = "replaced"  // by a pass with another number
	GroundWithdrawn Ground = "withdrawn" // the right to cross has ended
)

// Decision is who changed a status or revoked a pass, by what right and why. By
// names nobody: it is HQ's keyed hash of the decider.
type Decision struct {
	ID            string  `json:"id"` // 16 random bytes, hex
	Action        Action  `json:"action"`
	Role          Decider `json:"role"`
	Authorisation string  `json:"authorisation,omitempty"`
	Ground        Ground  `json:"ground"`
	Request       string  `json:"request,omitempty"`
	By            string  `json:"by"`
	At            int64   `json:"at"` // Unix ns
}

// Change is one entry of the accounts log: of an account, with OpRevoke and
// OpStamp of a pass, which its signed number names, with OpTrust and
// OpTrustPart of the trust store, with OpOrganisation of everybody an
// organisation answers for, or with OpWatch and OpWatchKey of the watch-list.
type Change struct {
	Op           string    `json:"op"`
	Account      string    `json:"account"`
	Pass         string    `json:"pass,omitempty"`
	Ver          uint64    `json:"ver"` // rises with every change of the account, pass, store, organisation, mark or key
	Status       Status    `json:"status"`
	Level        int       `json:"level,omitempty"` // 1 or 2
	Kind         string    `json:"kind,omitempty"`
	Organisation string    `json:"organisation,omitempty"`
	Model        string    `json:"model,omitempty"`
	Reference    []byte    `json:"reference,omitempty"`
	Stamped      int64     `json:"stamped,omitempty"` // when the stamp was given, Unix ns
	Decision     *Decision `json:"decision,omitempty"`
	Trust        *Trust    `json:"trust,omitempty"`
	Part         []byte    `json:"part,omitempty"`
	Mark         []byte    `json:"mark,omitempty"` // keyed hash, with OpWatch
	On           bool      `json:"on,omitempty"`   // with OpWatch: on the list from now on
	Key          []byte    `json:"key,omitempty"`  // with OpWatchKey
}

// Errors of Change.Check.
var (
	ErrChange   = errors.New("change is malformed")
	ErrDecision = errors.New("decision breaks the rule of who may decide")
)

// Restricts reports whether the change takes a right away. Such a change bites
// before it is committed; one that gives a right back only after.
func (c Change) Restricts() bool {
	return c.Op == OpRevoke || c.Op == OpWatch && c.On || c.Op == OpWatchKey ||
		c.Status == StatusSuspended || c.Status == StatusCancelled
}

// OfPass reports whether the change is of a pass and not of an account.
func (c Change) OfPass() bool { return c.Op == OpRevoke || c.Op == OpStamp }

// Check holds a change to its form, and a change of status to domain rule 3.
// HQ refuses to make what fails it; a gate refuses to carry it out. The error
// names no person and no account.
func (c Change) Check() error {
	switch {
	case c.OfWatch():
		return c.checkWatch()
	case len(c.Mark) != 0 || c.On || len(c.Key) != 0:
		return fmt.Errorf("%w: the watch-list in another change", ErrChange)
	case c.OfOrganisation():
		return c.checkOrganisation()
	case c.OfTrust():
		return c.checkTrust()
	case c.Trust != nil || len(c.Part) != 0:
		return fmt.Errorf("%w: a trust store in another change", ErrChange)
	case c.OfPass():
		return c.checkPass()
	case c.Pass != "" || c.Stamped != 0:
		return fmt.Errorf("%w: a pass in a change of an account", ErrChange)
	case c.Account == "" || len(c.Account) > MaxAccountID:
		return fmt.Errorf("%w: account id of %d bytes", ErrChange, len(c.Account))
	case c.Ver == 0:
		return fmt.Errorf("%w: version 0", ErrChange)
	case c.Status != StatusActive && !c.Restricts():
		return fmt.Errorf("%w: status %.20q", ErrChange, c.Status)
	case len(c.Organisation) > MaxAccountID || len(c.Model) > MaxModel:
		return fmt.Errorf("%w: organisation or model too long", ErrChange)
	}
	switch c.Op {
	case OpPut:
		return c.checkPut()
	case OpStatus:
		if c.Decision == nil {
			return fmt.Errorf("%w: a status without a decision", ErrDecision)
		}
		return c.Decision.checkStatus(c.Status)
	}
	return fmt.Errorf("%w: op %.20q", ErrChange, c.Op)
}

// IsReferenceSize says whether a face reference may have so many bytes: how
// many is its model's to say.
func IsReferenceSize(n int) bool { return n == 0 || MinReference <= n && n <= MaxReference }

func (c Change) checkPut() error {
	switch {
	case c.Level != 1 && c.Level != 2:
		return fmt.Errorf("%w: level %d", ErrChange, c.Level)
	case !slices.Contains([]string{KindCitizen, KindForeigner, KindOrganisation}, c.Kind):
		return fmt.Errorf("%w: kind %.20q", ErrChange, c.Kind)
	case !IsReferenceSize(len(c.Reference)):
		return fmt.Errorf("%w: reference of %d bytes, want %d to %d or none", ErrChange, len(c.Reference), MinReference, MaxReference)
	case c.Decision != nil:
		return fmt.Errorf("%w: a put with a decision", ErrChange)
	}
	return nil
}

// checkPass holds a change of a pass to its form: it says nothing of an account.
func (c Change) checkPass() error {
	switch {
	case c.Pass == "" || len(c.Pass) > MaxPass:
		return fmt.Errorf("%w: pass number of %d bytes", ErrChange, len(c.Pass))
	case c.Ver == 0:
		return fmt.Errorf("%w: version 0", ErrChange)
	case c.Account != "" || c.Status != "" || c.Level != 0 || c.Kind != "" || c.Organisation != "" || c.Model != "" || len(c.Reference) != 0:
		return fmt.Errorf("%w: an account in a change of a pass", ErrChange)
	case c.Op == OpStamp && (c.Stamped <= 0 || c.Decision != nil):
		return fmt.Errorf("%w: a stamp has a time and no decision", ErrChange)
	case c.Op == OpStamp:
		return nil
	case c.Stamped != 0:
		return fmt.Errorf("%w: a revocation with a stamp", ErrChange)
	case c.Decision == nil:
		return fmt.Errorf("%w: a revocation without a decision", ErrDecision)
	}
	return c.Decision.checkRevocation()
}

// check holds a decision to what every one has, whatever it is on.
func (d Decision) check() error {
	id, err := hex.DecodeString(d.ID)
	switch {
	case err != nil || len(id) != 16:
		return fmt.Errorf("%w: id is not 32 hex digits", ErrDecision)
	case d.At <= 0:
		return fmt.Errorf("%w: no time", ErrDecision)
	case d.By == "":
		return fmt.Errorf("%w: nobody named as decider", ErrDecision)
	case len(d.Authorisation) > maxDecisionTxt || len(d.Request) > maxDecisionTxt || len(d.By) > maxDecisionTxt:
		return fmt.Errorf("%w: a text is too long", ErrDecision)
	case d.Role == DeciderDeputy && d.Authorisation == "":
		return fmt.Errorf("%w: a deputy without the reference of the commander's authorisation", ErrDecision)
	case d.Ground == GroundOwner && d.Request == "":
		return fmt.Errorf("%w: owner_request without the request's number", ErrDecision)
	}
	return nil
}

// checkRevocation holds the revocation of a pass to who may revoke and why.
func (d Decision) checkRevocation() error {
	grounds := []Ground{GroundLost, GroundStolen, GroundReplaced, GroundWithdrawn, GroundSecurity, GroundOwner}
	switch {
	case d.Action != ActionRevoke:
		return fmt.Errorf("%w: action %.20q does not revoke", ErrDecision, d.Action)
	case !slices.Contains([]Decider{DeciderIssuer, DeciderCommander, DeciderDeputy}, d.Role):
		return fmt.Errorf("%w: role %.30q, want issuing_office, station_commander or authorised_deputy", ErrDecision, d.Role)
	case !slices.Contains(grounds, d.Ground):
		return fmt.Errorf("%w: ground %.30q is none for revoke", ErrDecision, d.Ground)
	}
	return d.check()
}

// checkStatus holds a decision on an account to domain rule 3.
func (d Decision) checkStatus(to Status) error {
	if d.Role != DeciderCommander && d.Role != DeciderDeputy {
		return fmt.Errorf("%w: role %.30q, want station_commander or authorised_deputy", ErrDecision, d.Role)
	}
	if err := d.check(); err != nil {
		return err
	}
	rules := map[Action]struct {
		to      Status
		grounds []Ground
	}{
		ActionSuspend: {StatusSuspended, []Ground{GroundSecurity, GroundOwner}},
		ActionRestore: {StatusActive, []Ground{GroundCleared, GroundOwner}},
		ActionCancel:  {StatusCancelled, []Ground{GroundSecurity, GroundOwner}},
	}
	rule, ok := rules[d.Action]
	switch {
	case !ok:
		return fmt.Errorf("%w: action %.20q, want suspend, restore or cancel", ErrDecision, d.Action)
	case rule.to != to:
		return fmt.Errorf("%w: %s does not lead to %s", ErrDecision, d.Action, to)
	case !slices.Contains(rule.grounds, d.Ground):
		return fmt.Errorf("%w: ground %.30q is none for %s", ErrDecision, d.Ground, d.Action)
	}
	return nil
}

// ChainNext is the hash of the accounts log at seq, from the hash at seq-1 and
// the entry's bytes as HQ wrote them.
func ChainNext(prev Hash, epoch, seq uint64, entry []byte) Hash {
	h := sha256.New()
	h.Write(prev[:])
	var n [16]byte
	binary.BigEndian.PutUint64(n[:8], epoch)
	binary.BigEndian.PutUint64(n[8:], seq)
	h.Write(n[:])
	h.Write(entry)
	return Hash(h.Sum(nil))
}

// SealDelta makes a delta of entries, each the JSON of a Change, the first of
// which has the sequence first.
func SealDelta(epoch, first uint64, prev Hash, entries [][]byte, kid string, key [32]byte) (Delta, error) {
	d := Delta{Epoch: epoch, First: first, N: len(entries), Prev: prev, Key: kid}
	plain := append([]byte{'['}, bytes.Join(entries, []byte{','})...)
	plain = append(plain, ']')
	if d.N == 0 || d.N > MaxDeltaN || len(plain) > MaxDeltaPlain {
		return Delta{}, fmt.Errorf("seal delta of %d changes, %d bytes: %w", d.N, len(plain), ErrTooLarge)
	}
	var err error
	if d.Sealed, err = seal(key, d.aad(), plain); err != nil {
		return Delta{}, fmt.Errorf("seal delta: %w", err)
	}
	return d, nil
}

// Entry is a change in its place. Hash is the chain's hash there.
type Entry struct {
	Seq    uint64
	Hash   Hash
	Change Change
}

// Open gives the delta's changes in order, the chain computed over them from
// d.Prev. It does not Check them: one that breaks a rule still has its place.
func (d Delta) Open(key [32]byte) ([]Entry, error) {
	if d.N <= 0 || d.N > MaxDeltaN || d.First == 0 || d.First+uint64(d.N) < d.First {
		return nil, fmt.Errorf("open delta: %w: %d changes from %d", ErrPayload, d.N, d.First)
	}
	plain, err := open(key, d.aad(), d.Sealed)
	if err != nil {
		return nil, fmt.Errorf("open delta: %w", err)
	}
	var raw []json.RawMessage
	if len(plain) > MaxDeltaPlain || json.Unmarshal(plain, &raw) != nil || len(raw) != d.N {
		return nil, fmt.Errorf("open delta: %w", ErrPayload)
	}
	out, prev := make([]Entry, d.N), d.Prev
	for i, r := range raw {
		e := &out[i]
		e.Seq = d.First + uint64(i)
		prev = ChainNext(prev, d.Epoch, e.Seq, r)
		e.Hash = prev
		if err := json.Unmarshal(r, &e.Change); err != nil {
			return nil, fmt.Errorf("open delta: %w: change %d", ErrPayload, i)
		}
	}
	return out, nil
}
