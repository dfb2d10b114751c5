package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"bordergate/barcode/pass"
	"bordergate/barcode/seal"
	"bordergate/barcode/symbol"
)

func passCommands() []command {
	return []command{
		{
			words:   "pass keygen",
			summary: "make an authority and a signer for tests and demonstrations: --country UT --signer GT --out DIR",
			run:     passKeygen,
		},
		{
			words:   "pass issue",
			summary: "make a label: --holder FILE.yaml --key FILE --cert FILE --out label.png",
			run:     passIssue,
		},
		{
			words:   "pass verify",
			summary: "read and check a label in an image: --trust DIR IMAGE",
			run:     passVerify,
		},
	}
}

type passFields struct {
	Number       string   `json:"number"`
	Type         string   `json:"type"`
	Name         string   `json:"name"`
	NameMRZ      string   `json:"name_mrz"`
	Birth        string   `json:"birth"`
	Account      string   `json:"account"`
	Organisation string   `json:"organisation,omitempty"`
	ValidFrom    string   `json:"valid_from"`
	ValidTo      string   `json:"valid_to"`
	Crossings    []string `json:"crossings"`
	Directions   []string `json:"directions"`
	Model        string   `json:"model,omitempty"`
	Template     int      `json:"template_bytes,omitempty"`
	Unknown      []int    `json:"unknown_tags,omitempty"`
}

// passReport adds the pass to the report of its seal. Valid means a valid
// seal, a pass of the profile, and a day within its validity.
type passReport struct {
	sealReport
	Validity string      `json:"validity,omitempty"` // current, not_yet or expired
	Pass     *passFields `json:"pass,omitempty"`
}

func passVerify(_ context.Context, e env, args []string) int {
	const words = "pass verify"
	fs := newFlags(e, words)
	no := false
	f := trustFlags{
		dir:  fs.String("trust", "", "folder with the signers' certificates"),
		at:   fs.String("at", "", "time to check at, RFC 3339 (default now)"),
		pin:  fs.Bool("pin", false, "trust each certificate as a signer itself"),
		p224: &no,
		json: fs.Bool("json", false, "print JSON"),
	}
	files, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if len(files) != 1 {
		return unable(e, words, errors.New("name one image"))
	}
	trust, at, err := f.load(e)
	if err != nil {
		return unable(e, words, err)
	}
	frame, err := loadLuma(files[0])
	if err != nil {
		return unable(e, words, err)
	}
	report := judgePass(symbol.NewReader().Read(frame, fileBudget), trust, at)
	if err := printPass(e.Out, report, *f.json); err != nil {
		return unable(e, words, err)
	}
	if !report.Valid {
		return exitNegative
	}
	return exitDone
}

func judgePass(found []symbol.Symbol, trust *seal.Trust, at time.Time) passReport {
	if len(found) == 0 {
		return passReport{sealReport: sealReport{
			Code: seal.ReadError, Reason: "no barcode found", Features: []sealFeature{},
		}}
	}
	r := passReport{sealReport: judge(found[0].Payload, trust, at)}
	if !r.Valid {
		return r // what nobody signed is not shown as a pass
	}
	s, err := seal.Parse(found[0].Payload)
	if err != nil {
		return r
	}
	p, err := pass.FromSeal(s)
	if err != nil {
		r.Valid, r.Code, r.Reason = false, seal.CodeOf(err), err.Error()
		return r
	}
	r.Pass = showPass(p)
	switch notYet, expired := p.On(at.Local()); {
	case notYet:
		r.Valid, r.Validity = false, "not_yet"
	case expired:
		r.Valid, r.Validity = false, "expired"
	default:
		r.Validity = "current"
	}
	return r
}

func showPass(p pass.Pass) *passFields {
	f := &passFields{
		Number: p.Number, Type: p.Type, Name: p.Name, NameMRZ: p.NameMRZ,
		Birth: p.Birth.Format(time.DateOnly), Account: p.Account, Organisation: p.Organisation,
		ValidFrom: p.ValidFrom.Format(time.DateOnly), ValidTo: p.ValidTo.Format(time.DateOnly),
		Crossings: p.Crossings, Model: p.Model, Template: len(p.SealedTemplate),
	}
	if p.Directions.Has(pass.Exit) {
		f.Directions = append(f.Directions, "exit")
	}
	if p.Directions.Has(pass.Entry) {
		f.Directions = append(f.Directions, "entry")
	}
	for _, tag := range p.Unknown {
		f.Unknown = append(f.Unknown, int(tag))
	}
	return f
}

func printPass(w io.Writer, r passReport, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	if err := printSeal(w, r.sealReport, false); err != nil || r.Pass == nil {
		return err
	}
	p := r.Pass
	_, err := fmt.Fprintf(w, "%s %s of %s, account %s, %s to %s (%s), crossings %v, directions %v\n",
		p.Type, p.Number, p.Name, p.Account, p.ValidFrom, p.ValidTo, r.Validity, p.Crossings, p.Directions)
	return err
}
