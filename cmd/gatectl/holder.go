package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/unicode/norm"

	"bordergate/barcode/pass"
)

// holder is what an issuing office fills in, as a YAML file or a line of a
// list; docs/pass-profile.md.
type holder struct {
	Number       string   `yaml:"number"`
	Type         string   `yaml:"type"`
	Name         string   `yaml:"name"`
	NameMRZ      string   `yaml:"name_mrz"`
	Birth        string   `yaml:"birth"`
	Account      string   `yaml:"account"`
	Organisation string   `yaml:"organisation"`
	ValidFrom    string   `yaml:"valid_from"`
	ValidTo      string   `yaml:"valid_to"`
	Crossings    []string `yaml:"crossings"`
	Directions   []string `yaml:"directions"`
	Issued       string   `yaml:"issued"`
}

// holderFault is one field that is wrong. It never quotes the value.
type holderFault struct {
	Field   string `json:"field"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

func (f holderFault) String() string { return f.Field + ": " + f.Message + ": " + f.Hint }

// form turns the fields into a pass and lists all that is wrong with them.
func (h holder) form() (p pass.Pass, issued time.Time, faults []holderFault) {
	p = pass.Pass{
		Number: h.Number, Type: h.Type, Name: norm.NFC.String(h.Name), NameMRZ: h.NameMRZ,
		Account: h.Account, Organisation: h.Organisation, Crossings: h.Crossings,
	}
	for _, d := range []struct {
		field, text string
		to          *time.Time
	}{
		{"birth", h.Birth, &p.Birth},
		{"valid_from", h.ValidFrom, &p.ValidFrom},
		{"valid_to", h.ValidTo, &p.ValidTo},
		{"issued", h.Issued, &issued},
	} {
		var err error
		switch {
		case d.text != "":
			*d.to, err = time.Parse(time.DateOnly, d.text)
		case d.field != "issued":
			err = errors.New("missing")
		}
		if err != nil {
			faults = append(faults, holderFault{d.field, "not a date", "write year-month-day, such as 2026-09-01"})
		}
	}
	for _, d := range h.Directions {
		switch d {
		case "exit":
			p.Directions |= pass.Exit
		case "entry":
			p.Directions |= pass.Entry
		default:
			faults = append(faults, holderFault{"directions", "not a direction", "write exit, entry or both"})
		}
	}
	return p, issued, append(faults, profileFaults(p, faults)...)
}

// profileFaults asks the profile, but does not repeat what is known.
func profileFaults(p pass.Pass, known []holderFault) []holderFault {
	_, err := p.Features()
	if err == nil {
		return nil
	}
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	var faults []holderFault
	for _, err := range list {
		var f *pass.FieldError
		if !errors.As(err, &f) {
			faults = append(faults, holderFault{"", err.Error(), "see docs/pass-profile.md"})
			continue
		}
		same := []string{f.Field}
		if f.Field == "validity" {
			same = []string{"valid_to", "valid_from"}
		}
		if !slices.ContainsFunc(known, func(k holderFault) bool { return slices.Contains(same, k.Field) }) {
			faults = append(faults, holderFault{same[0], "missing or breaks its rule", "write " + f.Rule})
		}
	}
	return faults
}

// loadHolder reads a YAML file.
func loadHolder(file string) (p pass.Pass, issued time.Time, err error) {
	b, err := readFile(file, 64<<10)
	if err != nil {
		return p, issued, fmt.Errorf("holder: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	var h holder
	if err := dec.Decode(&h); err != nil {
		if errors.Is(err, io.EOF) {
			return p, issued, errors.New("holder: the file is empty")
		}
		// The library's text quotes values.
		return p, issued, errors.New("holder: not YAML with only the fields of docs/pass-profile.md")
	}
	p, issued, faults := h.form()
	if len(faults) > 0 {
		var lines []string
		for _, f := range faults {
			lines = append(lines, f.String())
		}
		return p, issued, errors.New("holder: " + strings.Join(lines, "; "))
	}
	return p, issued, nil
}
