package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
			summary: "make a label: --holder FILE.yaml --key FILE --cert FILE --out label.png|.pdf, or many: --batch FILE.csv --out DIR",
			run:     passIssue,
		},
		{
			words:   "pass template-key",
			summary: "make a key to seal face templates with, for gates and issuing offices: --out FILE",
			run:     passTemplateKey,
		},
		{
			words:   "pass verify",
			summary: "read and check a label in an image: --trust DIR [--at-crossing CODE] [--direction exit|entry] [--fresh-lists] [--list-age D] [--allow-p224] IMAGE",
			run:     passVerify,
		},
	}
}

// passFields is a pass as shown.
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

// passReport adds the pass to the report of its seal. Valid means that no check
// failed.
type passReport struct {
	sealReport
	Validity string      `json:"validity,omitempty"` // current, not_yet or expired
	Pass     *passFields `json:"pass,omitempty"`
	Checks   []passCheck `json:"checks"`
	Fields   []passField `json:"fields,omitempty"` // of a seal that somebody trusted signed
}

// place is where a pass is to be used, as far as it is known.
type place struct {
	at        time.Time
	crossing  string
	direction string
	templates pass.TemplateKeys
}

func passVerify(_ context.Context, e env, args []string) int {
	const words = "pass verify"
	fs := newFlags(e, words)
	f := trustFlags{
		dir:  fs.String("trust", "", "folder with the signers' certificates"),
		at:   fs.String("at", "", "time to check at, RFC 3339 (default now)"),
		pin:  fs.Bool("pin", false, "trust each certificate as a signer itself"),
		p224: fs.Bool("allow-p224", false, "admit the curve brainpoolP224r1"),
		json: fs.Bool("json", false, "print JSON"),
	}
	f.listFlags(fs)
	var where place
	fs.StringVar(&where.crossing, "at-crossing", "", "code of the crossing it is to be used at")
	fs.StringVar(&where.direction, "direction", "", "exit or entry")
	keyFile := fs.String("template-key", "", "key file to open the face template with")
	files, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if len(files) != 1 {
		return unable(e, words, errors.New("name one image"))
	}
	if !slices.Contains([]string{"", "exit", "entry"}, where.direction) {
		return unable(e, words, errors.New("--direction is exit or entry"))
	}
	trust, at, err := f.load(e)
	if err != nil {
		return unable(e, words, err)
	}
	where.at = at
	if *keyFile != "" {
		if where.templates, err = pass.LoadTemplateKeys(*keyFile); err != nil {
			return unable(e, words, err)
		}
	}
	frame, err := loadLuma(files[0])
	if err != nil {
		return unable(e, words, err)
	}
	report := judgePass(symbol.NewReader().Read(frame, fileBudget), trust, where)
	if err := printPass(e.Out, report, *f.json); err != nil {
		return unable(e, words, err)
	}
	if !report.Valid {
		return exitNegative
	}
	return exitDone
}

// pick takes the pass where several codes are in the picture, else the first
// seal, else the first code.
func pick(found []symbol.Symbol) symbol.Symbol {
	best, rank := found[0], 0
	for _, s := range found {
		parsed, err := seal.Parse(s.Payload)
		switch {
		case err != nil:
		case parsed.FeatureRef == pass.FeatureRef && parsed.Category == pass.Category:
			return s
		case rank == 0:
			best, rank = s, 1
		}
	}
	return best
}

func judgePass(found []symbol.Symbol, trust *seal.Trust, where place) passReport {
	if len(found) == 0 {
		r := passReport{sealReport: sealReport{Code: seal.ReadError, Reason: "no barcode found", Features: []sealFeature{}}}
		r.Checks = sealChecks(r.sealReport, "")
		return r
	}
	s := pick(found)
	r := passReport{sealReport: judge(s.Payload, trust, where.at)}
	r.Checks = sealChecks(r.sealReport, fmt.Sprintf("%s, %d bytes, %d codes in view", s.Symbology, len(s.Payload), len(found)))
	if !r.Valid {
		return r // what nobody signed is not shown as a pass
	}
	parsed, err := seal.Parse(s.Payload)
	if err != nil {
		return r
	}
	p, err := pass.FromSeal(parsed)
	r.Fields = explainFields(parsed, p, err)
	r.Checks = append(r.Checks, passChecks(p, err, where)...)
	if err != nil {
		r.Valid, r.Code, r.Reason = false, seal.CodeOf(err), err.Error()
		return r
	}
	r.Pass = showPass(p)
	switch notYet, expired := p.On(where.at.Local()); {
	case notYet:
		r.Validity = "not_yet"
	case expired:
		r.Validity = "expired"
	default:
		r.Validity = "current"
	}
	r.Valid = !slices.ContainsFunc(r.Checks, func(c passCheck) bool { return c.State == checkFailed })
	return r
}

func showPass(p pass.Pass) *passFields {
	f := &passFields{
		Number: p.Number, Type: p.Type, Name: p.Name, NameMRZ: p.NameMRZ,
		Birth: p.Birth.Format(time.DateOnly), Account: p.Account, Organisation: p.Organisation,
		ValidFrom: p.ValidFrom.Format(time.DateOnly), ValidTo: p.ValidTo.Format(time.DateOnly),
		Crossings: p.Crossings, Directions: directionWords(p.Directions), Model: p.Model, Template: len(p.SealedTemplate),
	}
	for _, tag := range p.Unknown {
		f.Unknown = append(f.Unknown, int(tag))
	}
	return f
}

func directionWords(d pass.Directions) []string {
	var list []string
	if d.Has(pass.Exit) {
		list = append(list, "exit")
	}
	if d.Has(pass.Entry) {
		list = append(list, "entry")
	}
	return list
}
