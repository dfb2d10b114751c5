package pass

import (
	"time"

	"bordergate/barcode/seal"
)

// The kind of document in a seal's header. The category is even, so the kind
// is the issuing country's own.
const (
	FeatureRef byte = 0x01
	Category   byte = 0x42
)

// Types of pass, as in Pass.Type.
const (
	TypeBorderPass = "border_pass"
	TypePortPermit = "port_permit"
)

// Directions is a set of ways through a gate.
type Directions uint8

// The directions a pass may be good for.
const (
	Exit  Directions = 1 << iota // out of the country
	Entry                        // into it
)

// Has reports whether d contains all of want.
func (d Directions) Has(want Directions) bool { return want != 0 && d&want == want }

// Limits of the fields, in characters unless stated otherwise.
const (
	MaxNumber    = 20
	MaxName      = 80 // bytes of UTF-8
	MaxNameMRZ   = 39
	MaxAccount   = 24
	MaxCrossings = 8 // crossings
	MaxCrossing  = 8
	MinCrossing  = 2
	MaxModel     = 32
	MinYear      = 1900
	MinTemplate  = 16  // bytes: no AEAD adds less
	MaxTemplate  = 240 // bytes
)

// Pass is what the holder shows. Its Number is its identity for passback and
// revocation.
type Pass struct {
	Number  string // 1 to MaxNumber of A-Z 0-9
	Type    string // TypeBorderPass or TypePortPermit
	Name    string // UTF-8, 1 to MaxName bytes, printable, no space at the ends
	NameMRZ string // 1 to MaxNameMRZ of A-Z and '<', a letter at both ends
	Birth   time.Time

	Account      string // 1 to MaxAccount of A-Z 0-9
	Organisation string // the same, or empty: the holder acts for himself

	// ValidFrom and ValidTo are calendar dates at 00:00 UTC, both inclusive.
	ValidFrom, ValidTo time.Time
	Crossings          []string // 1 to MaxCrossings different ones, MinCrossing to MaxCrossing of A-Z 0-9
	Directions         Directions

	// Model and SealedTemplate come together or not at all. Only gates and
	// issuers can open the template: TemplateKey.Seal, TemplateKeys.Open.
	Model          string // 1 to MaxModel of a-z 0-9 . _ - @
	SealedTemplate []byte // MinTemplate to MaxTemplate bytes

	// Unknown lists tags this version does not know. They were signed and
	// do not harm.
	Unknown []byte
}

// On tells whether the pass is valid on t's calendar date in t's own location.
func (p Pass) On(t time.Time) (notYet, expired bool) {
	y, m, d := t.Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	return day.Before(p.ValidFrom), day.After(p.ValidTo)
}

// Header is h made into that of a pass.
func Header(h seal.Header) seal.Header {
	h.FeatureRef, h.Category = FeatureRef, Category
	return h
}
