package pass

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bordergate/barcode/seal"
)

// Tags of the profile.
const (
	tagNumber       byte = 0x01
	tagType         byte = 0x02
	tagName         byte = 0x03
	tagNameMRZ      byte = 0x04
	tagBirth        byte = 0x05
	tagAccount      byte = 0x06
	tagOrganisation byte = 0x07
	tagValidity     byte = 0x08
	tagCrossings    byte = 0x09
	tagDirections   byte = 0x0A
	tagModel        byte = 0x0B
	tagTemplate     byte = 0x0C
)

// field is one row of the profile. decode writes the value into p and refuses
// what does not keep the rule; encode is its inverse and returns nil for an
// optional field that is not there.
type field struct {
	tag      byte
	name     string
	rule     string
	optional bool
	decode   func(p *Pass, v []byte) error
	encode   func(p Pass) ([]byte, error)
}

// errRule is turned into a FieldError with the field's name and rule.
var errRule = errors.New("rule not kept")

func fields() []field {
	return []field{
		text(tagNumber, "number", "1 to 20 of A-Z 0-9", isCode(1, MaxNumber), func(p *Pass) *string { return &p.Number }),
		{tagType, "type", "1 border_pass or 2 port_permit", false, decodeType, encodeType},
		{tagName, "name", "1 to 80 bytes of printable UTF-8 without space at the ends", false, decodeName, encodeName},
		{tagNameMRZ, "name_mrz", "1 to 39 of A-Z and <, a letter at both ends", false, decodeNameMRZ, encodeNameMRZ},
		{tagBirth, "birth", "a date from 1900 on", false, decodeBirth, encodeBirth},
		text(tagAccount, "account", "1 to 24 of A-Z 0-9", isCode(1, MaxAccount), func(p *Pass) *string { return &p.Account }),
		optional(text(tagOrganisation, "organisation", "1 to 24 of A-Z 0-9", isCode(1, MaxAccount), func(p *Pass) *string { return &p.Organisation })),
		{tagValidity, "validity", "two dates from 1900 on, the second not before the first", false, decodeValidity, encodeValidity},
		{tagCrossings, "crossings", "1 to 8 different codes of 2 to 8 of A-Z 0-9", false, decodeCrossings, encodeCrossings},
		{tagDirections, "directions", "exit, entry or both", false, decodeDirections, encodeDirections},
		{tagModel, "model", "1 to 32 of a-z 0-9 . _ - @", true, decodeModel, encodeModel},
		{tagTemplate, "template", "16 to 240 bytes", true, decodeTemplate, encodeTemplate},
	}
}

// text is a mandatory C40 field of capitals and digits.
func text(tag byte, name, rule string, ok func(string) bool, at func(*Pass) *string) field {
	return field{
		tag: tag, name: name, rule: rule,
		decode: func(p *Pass, v []byte) error {
			s, err := seal.DecodeC40(v)
			if err != nil || !ok(s) {
				return errRule
			}
			*at(p) = s
			return nil
		},
		encode: func(p Pass) ([]byte, error) {
			s := *at(&p)
			if !ok(s) {
				return nil, errRule
			}
			return seal.EncodeC40(s)
		},
	}
}

// optional lets an empty organisation mean that the field is not there.
func optional(f field) field {
	inner := f.encode
	f.optional = true
	f.encode = func(p Pass) ([]byte, error) {
		if p.Organisation == "" {
			return nil, nil
		}
		return inner(p)
	}
	return f
}

func isCode(low, high int) func(string) bool {
	return func(s string) bool {
		return len(s) >= low && len(s) <= high && !strings.ContainsFunc(s, func(r rune) bool {
			return (r < 'A' || r > 'Z') && (r < '0' || r > '9')
		})
	}
}

func decodeType(p *Pass, v []byte) error {
	switch {
	case len(v) == 1 && v[0] == 1:
		p.Type = TypeBorderPass
	case len(v) == 1 && v[0] == 2:
		p.Type = TypePortPermit
	default:
		return errRule
	}
	return nil
}

func encodeType(p Pass) ([]byte, error) {
	switch p.Type {
	case TypeBorderPass:
		return []byte{1}, nil
	case TypePortPermit:
		return []byte{2}, nil
	}
	return nil, errRule
}

func isName(s string) bool {
	return s != "" && len(s) <= MaxName && utf8.ValidString(s) && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func decodeName(p *Pass, v []byte) error {
	p.Name = string(v)
	return rule(isName(p.Name))
}

func encodeName(p Pass) ([]byte, error) { return []byte(p.Name), rule(isName(p.Name)) }

func isNameMRZ(s string) bool {
	return s != "" && len(s) <= MaxNameMRZ && strings.Trim(s, "<") == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return (r < 'A' || r > 'Z') && r != '<' })
}

func decodeNameMRZ(p *Pass, v []byte) error {
	s, err := seal.DecodeC40(v)
	p.NameMRZ = strings.ReplaceAll(s, " ", "<")
	return rule(err == nil && isNameMRZ(p.NameMRZ))
}

func encodeNameMRZ(p Pass) ([]byte, error) {
	if !isNameMRZ(p.NameMRZ) {
		return nil, errRule
	}
	return seal.EncodeC40(p.NameMRZ)
}

func decodeBirth(p *Pass, v []byte) (err error) {
	if p.Birth, err = seal.DecodeDate(v); err != nil {
		return err
	}
	return rule(plausible(p.Birth))
}

func encodeBirth(p Pass) ([]byte, error) {
	if !plausible(p.Birth) {
		return nil, errRule
	}
	return seal.EncodeDate(p.Birth)
}

func decodeValidity(p *Pass, v []byte) error {
	if len(v) != 2*seal.DateSize {
		return errRule
	}
	from, errFrom := seal.DecodeDate(v[:seal.DateSize])
	to, errTo := seal.DecodeDate(v[seal.DateSize:])
	p.ValidFrom, p.ValidTo = from, to
	return rule(errFrom == nil && errTo == nil && plausible(from) && !to.Before(from))
}

func encodeValidity(p Pass) ([]byte, error) {
	from, errFrom := seal.EncodeDate(p.ValidFrom)
	to, errTo := seal.EncodeDate(p.ValidTo)
	if errFrom != nil || errTo != nil || !plausible(p.ValidFrom) || date(p.ValidTo).Before(date(p.ValidFrom)) {
		return nil, errRule
	}
	return slices.Concat(from, to), nil
}

// plausible refuses the zero time and other dates no pass can carry.
func plausible(t time.Time) bool { return t.Year() >= MinYear }

// date is t's calendar date at 00:00 UTC, as it comes back from a seal.
func date(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

func areCrossings(list []string) bool {
	ok := isCode(MinCrossing, MaxCrossing)
	if len(list) < 1 || len(list) > MaxCrossings {
		return false
	}
	for i, c := range list {
		if !ok(c) || slices.Contains(list[:i], c) {
			return false
		}
	}
	return true
}

func decodeCrossings(p *Pass, v []byte) error {
	s, err := seal.DecodeC40(v)
	if err != nil {
		return errRule
	}
	p.Crossings = strings.SplitN(s, " ", MaxCrossings+1)
	return rule(areCrossings(p.Crossings))
}

func encodeCrossings(p Pass) ([]byte, error) {
	if !areCrossings(p.Crossings) {
		return nil, errRule
	}
	return seal.EncodeC40(strings.Join(p.Crossings, " "))
}

func decodeDirections(p *Pass, v []byte) error {
	if len(v) != 1 {
		return errRule
	}
	p.Directions = Directions(v[0])
	return rule(v[0] != 0 && p.Directions&^(Exit|Entry) == 0)
}

func encodeDirections(p Pass) ([]byte, error) {
	return []byte{byte(p.Directions)}, rule(p.Directions != 0 && p.Directions&^(Exit|Entry) == 0)
}

func isModel(s string) bool {
	return s != "" && len(s) <= MaxModel && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("._-@", r)
	})
}

func decodeModel(p *Pass, v []byte) error {
	p.Model = string(v)
	return rule(isModel(p.Model))
}

func encodeModel(p Pass) ([]byte, error) {
	if p.Model == "" {
		return nil, nil
	}
	return []byte(p.Model), rule(isModel(p.Model))
}

func decodeTemplate(p *Pass, v []byte) error {
	p.SealedTemplate = slices.Clone(v)
	return rule(len(v) >= MinTemplate && len(v) <= MaxTemplate)
}

func encodeTemplate(p Pass) ([]byte, error) {
	if len(p.SealedTemplate) == 0 {
		return nil, nil
	}
	n := len(p.SealedTemplate)
	return slices.Clone(p.SealedTemplate), rule(n >= MinTemplate && n <= MaxTemplate)
}

func rule(kept bool) error {
	if !kept {
		return errRule
	}
	return nil
}
