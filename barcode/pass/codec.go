package pass

import (
	"errors"
	"fmt"

	"bordergate/barcode/seal"
)

// ErrField is wrapped by every FieldError.
var ErrField = errors.New("pass field is missing or breaks its rule")

// FieldError says which field is wrong and what it should be.
type FieldError struct {
	Field   string // as in docs/pass-profile.md
	Rule    string
	Missing bool
}

// Error names the field and the rule, not the value.
func (e *FieldError) Error() string {
	if e.Missing {
		return fmt.Sprintf("field %s is missing (%s)", e.Field, e.Rule)
	}
	return fmt.Sprintf("field %s is not %s", e.Field, e.Rule)
}

// Unwrap returns ErrField.
func (e *FieldError) Unwrap() error { return ErrField }

// SealCode is WRONG_FORMAT.
func (e *FieldError) SealCode() seal.Code { return seal.WrongFormat }

// TypeError says that the seal is of another kind of document.
type TypeError struct{ FeatureRef, Category byte }

// Error names the kind found.
func (e *TypeError) Error() string {
	return fmt.Sprintf("seal is no border pass or port permit: reference %02X, category %02X", e.FeatureRef, e.Category)
}

// SealCode is INVALID_DOCUMENTTYPE.
func (e *TypeError) SealCode() seal.Code { return seal.InvalidDocumentType }

// FromSeal reads the pass in a seal. The error joins all that is wrong, each a
// *TypeError or *FieldError; seal.CodeOf gives its code.
func FromSeal(s *seal.Seal) (Pass, error) {
	if s.Version != 4 || s.FeatureRef != FeatureRef || s.Category != Category {
		return Pass{}, &TypeError{s.FeatureRef, s.Category}
	}
	var p Pass
	var known [256]bool
	var faults []error
	for _, f := range fields() {
		known[f.tag] = true
		v, there := s.Feature(f.tag)
		if !there && f.optional {
			continue
		}
		if !there || f.decode(&p, v) != nil {
			faults = append(faults, &FieldError{f.name, f.rule, !there})
		}
	}
	faults = append(faults, together(p)...)
	if len(faults) > 0 {
		return Pass{}, errors.Join(faults...)
	}
	for _, f := range s.Features {
		if !known[f.Tag] {
			p.Unknown = append(p.Unknown, f.Tag)
		}
	}
	return p, nil
}

// Features encodes the pass. The error joins all fields that break their rule.
func (p Pass) Features() ([]seal.Feature, error) {
	var out []seal.Feature
	var faults []error
	for _, f := range fields() {
		v, err := f.encode(p)
		switch {
		case err != nil:
			faults = append(faults, &FieldError{f.name, f.rule, false})
		case v != nil:
			out = append(out, seal.Feature{Tag: f.tag, Value: v})
		}
	}
	faults = append(faults, together(p)...)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return out, nil
}

// together checks the rule that spans two fields.
func together(p Pass) []error {
	if (p.Model == "") == (len(p.SealedTemplate) == 0) {
		return nil
	}
	return []error{&FieldError{Field: "template", Rule: "present with the model's id and only with it"}}
}

// FieldInfo is a row of the profile, for those who explain a pass.
type FieldInfo struct {
	Tag      byte
	Name     string // as in docs/pass-profile.md and FieldError
	Rule     string
	Optional bool
}

// Profile lists the fields in the order of their tags.
func Profile() []FieldInfo {
	var list []FieldInfo
	for _, f := range fields() {
		list = append(list, FieldInfo{f.tag, f.name, f.rule, f.optional})
	}
	return list
}
