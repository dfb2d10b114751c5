package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// ErrOfficers means that a list of officers or an act breaks its form.
var ErrOfficers = errors.New("officers' list or act is malformed")

// What an officer may do at a gate, each a right of its own.
const (
	ActOverride  = "override"  // let the referred traveller of a transaction through
	ActConfirm   = "confirm"   // admit the traveller who waits for it in supervised mode
	ActStamp     = "stamp"     // the pass of a transaction was stamped
	ActMode      = "mode"      // run the lane in another mode
	ActDirection = "direction" // turn a reversible lane
	ActSignOff   = "sign_off"  // after an emergency: the lane is safe
)

// Acts lists what an officer may do.
func Acts() []string {
	return []string{ActOverride, ActConfirm, ActStamp, ActMode, ActDirection, ActSignOff}
}

// Limits of the officers' list.
const (
	MaxOfficers    = 600
	maxOfficerID   = 32
	maxCrossings   = 16
	maxCrossingLen = 8
)

// AnyCrossing in an officer's certificate is every crossing.
const AnyCrossing = "*"

// Officers is every officer whose key HQ certifies. It is whole: whoever is not
// on the newest list is no officer. Like the policy it is signed by that role,
// retained, versioned, and does not expire as a whole; each key does.
type Officers struct {
	Ver      uint64    `json:"ver"` // rises with every list
	Issued   int64     `json:"issued"`
	Officers []Officer `json:"officers"`
}

// Officer is one officer's key and what it is good for. ID is no name.
type Officer struct {
	ID        string   `json:"id"`
	Key       []byte   `json:"key"` // Ed25519 public key
	Acts      []string `json:"acts"`
	Crossings []string `json:"crossings"`
	NotAfter  int64    `json:"not_after"` // Unix ms
}

// Kid is the id of the officer's key in the header of his acts.
func (o Officer) Kid() string {
	sum := sha256.Sum256(o.Key)
	return string(RoleOfficer) + "-" + hex.EncodeToString(sum[:8])
}

// May reports whether the officer may do this at the crossing.
func (o Officer) May(act, crossing string) bool {
	return slices.Contains(o.Acts, act) && (slices.Contains(o.Crossings, crossing) || slices.Contains(o.Crossings, AnyCrossing))
}

// Check holds a list to its form. A list without anybody is a good one.
func (l Officers) Check() error {
	if l.Ver == 0 || l.Issued <= 0 || len(l.Officers) > MaxOfficers {
		return fmt.Errorf("%w: version, time, or %d officers", ErrOfficers, len(l.Officers))
	}
	ids, kids := make(map[string]bool), make(map[string]bool)
	for i, o := range l.Officers {
		if err := o.check(); err != nil {
			return fmt.Errorf("officer %d: %w", i, err)
		}
		if ids[o.ID] || kids[o.Kid()] {
			return fmt.Errorf("%w: officer %d is listed twice", ErrOfficers, i)
		}
		ids[o.ID], kids[o.Kid()] = true, true
	}
	return nil
}

func (o Officer) check() error {
	switch {
	case len(o.ID) > maxOfficerID || !ValidGateID(o.ID):
		return fmt.Errorf("%w: an id is 1 to %d of a-z, 0-9 and -, and no name", ErrOfficers, maxOfficerID)
	case len(o.Key) != ed25519.PublicKeySize:
		return fmt.Errorf("%w: key of %d bytes", ErrOfficers, len(o.Key))
	case o.NotAfter <= 0:
		return fmt.Errorf("%w: a key without an end", ErrOfficers)
	case len(o.Acts) == 0 || len(o.Acts) > len(Acts()) || len(o.Crossings) == 0 || len(o.Crossings) > maxCrossings:
		return fmt.Errorf("%w: %d acts at %d crossings", ErrOfficers, len(o.Acts), len(o.Crossings))
	}
	for _, a := range o.Acts {
		if !slices.Contains(Acts(), a) {
			return fmt.Errorf("%w: act %.20q", ErrOfficers, a)
		}
	}
	for _, c := range o.Crossings {
		if c == "" || len(c) > maxCrossingLen {
			return fmt.Errorf("%w: crossing %.20q", ErrOfficers, c)
		}
	}
	return nil
}
