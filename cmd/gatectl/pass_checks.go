package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"bordergate/barcode/pass"
	"bordergate/barcode/seal"
	"bordergate/biometrics"
)

// States of a check and of a field.
const (
	checkOK      = "ok"
	checkFailed  = "failed"
	checkNotDone = "not_checked"
	fieldMissing = "missing"
	fieldAbsent  = "absent" // optional and not there
)

// passCheck is one step from the picture to a usable pass.
type passCheck struct {
	Check  string `json:"check"`
	State  string `json:"state"`
	Detail string `json:"detail,omitempty"`
}

// passField is one row of the profile.
type passField struct {
	Field string `json:"field"`
	Tag   int    `json:"tag"`
	State string `json:"state"`
	Value string `json:"value,omitempty"`
	Rule  string `json:"rule"`
}

// The checks of a seal, and what each asks.
func sealSteps() []passCheck {
	return []passCheck{
		{"read", checkNotDone, "a barcode is in the picture"},
		{"format", checkNotDone, "its content is a well-formed seal"},
		{"signer", checkNotDone, "the signer's certificate is in the trust folder"},
		{"trust", checkNotDone, "the certificate comes from a trusted authority"},
		{"revocation", checkNotDone, "no list in the trust folder revokes it"},
		{"period", checkNotDone, "the certificate is valid now and was when it signed"},
		{"signature", checkNotDone, "the signature fits the content, and its dates are not in the future"},
	}
}

// sealChecks tells from the seal's code which check failed, which must have
// been passed before it, and which were not reached or cannot be told.
func sealChecks(r sealReport, read string) []passCheck {
	reached := map[seal.Code]struct {
		ok     []string
		failed string
	}{
		seal.ReadError:            {nil, "read"},
		seal.WrongFormat:          {[]string{"read"}, "format"},
		seal.UnknownCertificate:   {[]string{"read", "format"}, "signer"},
		seal.UntrustedCertificate: {[]string{"read", "format", "signer"}, "trust"},
		seal.RevokedCertificate:   {[]string{"read", "format", "signer"}, "revocation"},
		seal.ExpiredCertificate:   {[]string{"read", "format", "signer"}, "period"},
		seal.InvalidSignature:     {[]string{"read", "format", "signer", "trust", "period"}, "signature"},
		seal.Valid:                {[]string{"read", "format", "signer", "trust", "revocation", "period", "signature"}, ""},
	}[r.Code]
	checks := sealSteps()
	for i := range checks {
		c := &checks[i]
		switch {
		case c.Check == reached.failed:
			c.State, c.Detail = checkFailed, r.Reason
		case slices.Contains(reached.ok, c.Check):
			c.State = checkOK
		}
		if c.Check == "read" && c.State == checkOK && read != "" {
			c.Detail = read
		}
		if c.Check == "format" && c.State == checkOK && r.Header != nil {
			c.Detail = fmt.Sprintf("%s of %s", r.Format, r.Header.Country)
		}
	}
	return checks
}

// passChecks looks at the pass and at the place it is to be used at.
func passChecks(p pass.Pass, err error, where place) []passCheck {
	kind := passCheck{"type", checkOK, "the document is a border pass or port permit"}
	fields := passCheck{"fields", checkOK, "every field is there and keeps its rule"}
	var other *pass.TypeError
	switch {
	case errors.As(err, &other):
		kind.State, kind.Detail, fields.State = checkFailed, err.Error(), checkNotDone
	case err != nil:
		fields.State, fields.Detail = checkFailed, strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	list := []passCheck{kind, fields}
	if err != nil {
		for _, name := range []string{"dates", "crossing", "direction", "template"} {
			list = append(list, passCheck{name, checkNotDone, "the pass cannot be read"})
		}
		return list
	}
	return append(list, dateCheck(p, where.at), crossingCheck(p, where.crossing), directionCheck(p, where.direction), templateCheck(p, where.templates))
}

func dateCheck(p pass.Pass, at time.Time) passCheck {
	span := p.ValidFrom.Format(time.DateOnly) + " to " + p.ValidTo.Format(time.DateOnly)
	switch notYet, expired := p.On(at.Local()); {
	case notYet:
		return passCheck{"dates", checkFailed, "not valid yet: " + span}
	case expired:
		return passCheck{"dates", checkFailed, "no longer valid: " + span}
	}
	return passCheck{"dates", checkOK, "valid " + span}
}

func crossingCheck(p pass.Pass, crossing string) passCheck {
	good := "good for " + strings.Join(p.Crossings, ", ")
	switch {
	case crossing == "":
		return passCheck{"crossing", checkNotDone, good + "; --at-crossing checks it"}
	case slices.Contains(p.Crossings, crossing):
		return passCheck{"crossing", checkOK, good}
	}
	return passCheck{"crossing", checkFailed, good}
}

func directionCheck(p pass.Pass, direction string) passCheck {
	good := "good for " + strings.Join(directionWords(p.Directions), " and ")
	switch {
	case direction == "":
		return passCheck{"direction", checkNotDone, good + "; --direction checks it"}
	case slices.Contains(directionWords(p.Directions), direction):
		return passCheck{"direction", checkOK, good}
	}
	return passCheck{"direction", checkFailed, good}
}

func templateCheck(p pass.Pass, keys pass.TemplateKeys) passCheck {
	switch {
	case len(p.SealedTemplate) == 0:
		return passCheck{"template", checkNotDone, "the pass carries none"}
	case keys.Len() == 0:
		return passCheck{"template", checkNotDone, "sealed; --template-key opens it"}
	}
	plain, err := keys.Open(p)
	if err == nil {
		_, err = biometrics.ParseReference(plain)
	}
	if err != nil {
		return passCheck{"template", checkFailed, err.Error()}
	}
	return passCheck{"template", checkOK, "opens, a reference of " + p.Model}
}

// explainFields goes through the profile. Values are shown only of a pass that
// is right as a whole.
func explainFields(s *seal.Seal, p pass.Pass, err error) []passField {
	var other *pass.TypeError
	if errors.As(err, &other) {
		return nil
	}
	wrong := map[string]bool{}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if f := (*pass.FieldError)(nil); errors.As(e, &f) {
				wrong[f.Field] = true
			}
		}
	}
	var list []passField
	for _, info := range pass.Profile() {
		_, there := s.Feature(info.Tag)
		f := passField{Field: info.Name, Tag: int(info.Tag), State: checkOK, Rule: info.Rule}
		switch {
		case !there && info.Optional && !wrong[info.Name]:
			f.State = fieldAbsent
		case !there:
			f.State = fieldMissing
		case wrong[info.Name]:
			f.State = checkFailed
		case err == nil:
			f.Value = fieldValue(p, info.Name)
		}
		list = append(list, f)
	}
	return list
}

func fieldValue(p pass.Pass, field string) string {
	v := showPass(p)
	return map[string]string{
		"number": v.Number, "type": v.Type, "name": v.Name, "name_mrz": v.NameMRZ, "birth": v.Birth,
		"account": v.Account, "organisation": v.Organisation, "validity": v.ValidFrom + " to " + v.ValidTo,
		"crossings": strings.Join(v.Crossings, " "), "directions": strings.Join(v.Directions, " "),
		"model": v.Model, "template": fmt.Sprintf("%d bytes, sealed", v.Template),
	}[field]
}

func printPass(w io.Writer, r passReport, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	if err := printSeal(w, r.sealReport, false); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, c := range r.Checks {
		fmt.Fprintf(t, "check\t%s\t%s\t%s\n", c.Check, c.State, c.Detail)
	}
	for _, f := range r.Fields {
		value := f.Value
		if f.State == checkFailed || f.State == fieldMissing {
			value = "must be " + f.Rule
		}
		fmt.Fprintf(t, "field\t%s\t%s\t%s\n", f.Field, f.State, value)
	}
	return t.Flush()
}
