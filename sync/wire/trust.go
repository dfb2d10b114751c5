package wire

import (
	"crypto/sha256"
	"fmt"
	"slices"
)

// Ops of a change of the trust store, which says whose seals on passes a gate
// believes. OpTrustPart brings bytes, under their hash, and changes nothing
// else; OpTrust names the parts of everything in the store and takes effect as
// a whole, in place of the store before it. So one certificate can be added to
// a large store, a list may grow beyond what fits one message, and no gate ever
// believes half of a change (docs/trust.md).
const (
	OpTrustPart = "trust_part"
	OpTrust     = "trust"
)

// What an old or missing revocation list means, laxest first. What stands on a
// list of any age is revoked under each.
const (
	ListsOff         = "off"          // nothing
	ListsWhenPresent = "when-present" // an old one: its authority's signers are not believed
	ListsRequired    = "required"     // either: they are not believed
)

// ListRules are the list policies, laxest first.
func ListRules() []string { return []string{ListsOff, ListsWhenPresent, ListsRequired} }

// Limits of the trust store.
const (
	MaxTrustPart    = 32 << 10 // bytes of one part
	MaxTrustParts   = 320      // of the whole store
	MaxTrustEntries = 256      // certificates and lists
	MaxTrustEntry   = 512 << 10
	MaxTrustBytes   = 1 << 20
	MaxListAge      = 366 * 24 * 3600 // seconds
)

// Trust is the whole store: its policy, and where each certificate and list is.
type Trust struct {
	Issued int64  `json:"issued"` // Unix ns
	Lists  string `json:"lists"`
	// ListAge is how long after its issue a list is fresh, seconds; 0: until
	// the time at which it announces the next one.
	ListAge      int64        `json:"list_age_s,omitempty"`
	AllowP224    bool         `json:"allow_p224,omitempty"` // admit brainpoolP224r1
	Certificates []TrustEntry `json:"certificates"`
	Revocations  []TrustEntry `json:"revocations,omitempty"` // revocation lists
}

// TrustEntry is one certificate or revocation list in DER: its parts in order,
// each by its SHA-256.
type TrustEntry struct {
	Size  int    `json:"size"`
	Parts []Hash `json:"parts"`
}

// OfTrust reports whether the change is of the trust store.
func (c Change) OfTrust() bool { return c.Op == OpTrust || c.Op == OpTrustPart }

// checkTrust holds a change of the trust store to its form: it says nothing of
// an account and nothing of a pass.
func (c Change) checkTrust() error {
	switch {
	case c.Ver == 0:
		return fmt.Errorf("%w: version 0", ErrChange)
	case c.Account != "" || c.Pass != "" || c.Status != "" || c.Level != 0 || c.Kind != "" || c.Organisation != "" ||
		c.Model != "" || len(c.Reference) != 0 || c.Stamped != 0 || c.Decision != nil:
		return fmt.Errorf("%w: an account or a pass in a change of the trust store", ErrChange)
	case (c.Op == OpTrustPart) != (c.Trust == nil), (c.Op == OpTrust) != (len(c.Part) == 0):
		return fmt.Errorf("%w: a part has bytes, a store its entries", ErrChange)
	case len(c.Part) > MaxTrustPart:
		return fmt.Errorf("%w: part of %d bytes", ErrChange, len(c.Part))
	case c.Trust == nil:
		return nil
	}
	return c.Trust.check()
}

func (t *Trust) check() error {
	switch {
	case t.Issued <= 0:
		return fmt.Errorf("%w: trust store without a time", ErrChange)
	case !slices.Contains(ListRules(), t.Lists):
		return fmt.Errorf("%w: lists %.20q", ErrChange, t.Lists)
	case t.ListAge < 0 || t.ListAge > MaxListAge:
		return fmt.Errorf("%w: list age of %d s", ErrChange, t.ListAge)
	case len(t.Certificates) == 0 || len(t.Certificates)+len(t.Revocations) > MaxTrustEntries:
		return fmt.Errorf("%w: trust store of %d certificates and %d lists", ErrChange, len(t.Certificates), len(t.Revocations))
	}
	bytes, parts := 0, 0
	for _, e := range slices.Concat(t.Certificates, t.Revocations) {
		// Every part but the last is full, so the size says how many there are.
		if e.Size <= 0 || e.Size > MaxTrustEntry || len(e.Parts) != (e.Size+MaxTrustPart-1)/MaxTrustPart {
			return fmt.Errorf("%w: trust entry of %d bytes in %d parts", ErrChange, e.Size, len(e.Parts))
		}
		bytes, parts = bytes+e.Size, parts+len(e.Parts)
	}
	if bytes > MaxTrustBytes || parts > MaxTrustParts {
		return fmt.Errorf("%w: trust store of %d bytes", ErrChange, bytes)
	}
	return nil
}

// NewTrust gives the store of these certificates and revocation lists in DER,
// and the bytes of its parts by their hashes. Policy and time are the caller's
// to set.
func NewTrust(certificates, revocations [][]byte) (Trust, map[Hash][]byte) {
	parts := make(map[Hash][]byte)
	entries := func(ders [][]byte) (out []TrustEntry) {
		for _, der := range ders {
			e := TrustEntry{Size: len(der)}
			for part := range slices.Chunk(der, MaxTrustPart) {
				h := PartHash(part)
				e.Parts, parts[h] = append(e.Parts, h), part
			}
			out = append(out, e)
		}
		return out
	}
	return Trust{Certificates: entries(certificates), Revocations: entries(revocations)}, parts
}

// PartHash is the name of a part.
func PartHash(part []byte) Hash { return sha256.Sum256(part) }

// Join puts certificates and revocation lists together from their parts. Get
// returns nothing for a part that is not there.
func (t *Trust) Join(get func(Hash) []byte) (certificates, revocations [][]byte, err error) {
	join := func(entries []TrustEntry) (out [][]byte, err error) {
		for i, e := range entries {
			der := make([]byte, 0, e.Size)
			for _, h := range e.Parts {
				part := get(h)
				if len(part) == 0 || PartHash(part) != h {
					return nil, fmt.Errorf("%w: a part of trust entry %d is missing", ErrChange, i)
				}
				der = append(der, part...)
			}
			if len(der) != e.Size {
				return nil, fmt.Errorf("%w: trust entry %d has %d bytes, %d are named", ErrChange, i, len(der), e.Size)
			}
			out = append(out, der)
		}
		return out, nil
	}
	if certificates, err = join(t.Certificates); err != nil {
		return nil, nil, err
	}
	if revocations, err = join(t.Revocations); err != nil {
		return nil, nil, err
	}
	return certificates, revocations, nil
}

// Parts names every part of the store, in order.
func (t *Trust) Parts() (out []Hash) {
	for _, e := range slices.Concat(t.Certificates, t.Revocations) {
		out = append(out, e.Parts...)
	}
	return out
}
