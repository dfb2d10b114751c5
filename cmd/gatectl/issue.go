package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"bordergate/barcode/pass"
	"bordergate/biometrics"
	"bordergate/cmd/gatectl/label"
)

// issueReport is what a label made from a holder file gives.
type issueReport struct {
	File        string `json:"file"`
	Bytes       int    `json:"bytes"`
	Modules     int    `json:"modules"`
	Signer      string `json:"signer"`
	CertRef     string `json:"cert_ref"`
	TemplateKey string `json:"template_key,omitempty"` // id of the key the template is sealed under
	PrintedName string `json:"printed_name"`           // name, or name_mrz where the font lacks a letter
}

// issueFlags are those of "pass issue".
type issueFlags struct {
	holder, batch                             string
	key, cert, passphraseFile, country        string
	photo, reference, model, templateKey      string
	out, format, sheet                        string
	dpi, module                               int
	gatevisionProgram, modelsFolder, manifest string
}

func (f *issueFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.holder, "holder", "", "YAML file with the holder's data")
	fs.StringVar(&f.batch, "batch", "", "CSV file with a holder a line, its first line naming the fields")
	fs.StringVar(&f.key, "key", "", "signer's private key, PEM; PKCS #8 under a passphrase, or plain")
	fs.StringVar(&f.cert, "cert", "", "signer's certificate, PEM or DER")
	fs.StringVar(&f.passphraseFile, "passphrase-file", "", "file whose first line is the key's passphrase (default: asked at the terminal)")
	fs.StringVar(&f.country, "country", "", "issuing country, 1 to 3 letters (default from the certificate)")
	fs.StringVar(&f.photo, "photo", "", "photograph to make the template from")
	fs.StringVar(&f.reference, "reference", "", "the template itself, base64, as face enrol prints it")
	fs.StringVar(&f.model, "model", "", "the reference's model, as face enrol prints it")
	fs.StringVar(&f.templateKey, "template-key", "", "key file to seal templates with; without it the pass carries none")
	fs.StringVar(&f.out, "out", "", "label to write, .png or .pdf; with --batch the folder")
	fs.StringVar(&f.format, "format", "pdf", "with --batch: png or pdf, a file for each pass")
	fs.StringVar(&f.sheet, "sheet", "", "columns by rows of labels on A4, such as 2x8; with --batch all go into labels.pdf")
	fs.IntVar(&f.dpi, "dpi", label.DPI600, "printer's dots per inch, 300 or 600")
	fs.IntVar(&f.module, "module", 0, "dots a module (default 4 at 300 dpi, 8 at 600: 0.34 mm, the smallest allowed)")
	fs.StringVar(&f.gatevisionProgram, "gatevision", "", "the gatevision program; beside gatectl when empty")
	fs.StringVar(&f.modelsFolder, "models", "models", "folder of the model pack, for photographs")
	fs.StringVar(&f.manifest, "manifest", "configs/models.yaml", "model manifest, for photographs")
	fs.Bool("json", true, "print JSON (always)")
}

// check refuses what does not go together.
func (f *issueFlags) check(rest []string) error {
	ext := strings.ToLower(filepath.Ext(f.out))
	switch {
	case len(rest) > 0 || (f.holder == "") == (f.batch == "") || f.key == "" || f.cert == "" || f.out == "":
		return errors.New("needs --holder or --batch, --key, --cert and --out, and nothing else")
	case f.batch == "" && ext != ".png" && ext != ".pdf":
		return errors.New("--out: name a .png or .pdf file")
	case f.batch == "" && f.sheet != "" && ext != ".pdf":
		return errors.New("--sheet: sheets are PDF: name a .pdf file with --out")
	case f.batch != "" && f.format != "png" && f.format != "pdf":
		return errors.New("--format is png or pdf")
	case f.batch != "" && (f.photo != "" || f.reference != "" || f.model != ""):
		return errors.New("--batch: photographs and references are columns of the list, not flags")
	case f.photo != "" && f.reference != "":
		return errors.New("--photo or --reference, not both")
	case (f.reference == "") != (f.model == ""):
		return errors.New("--reference and --model go together")
	case f.reference != "" && f.templateKey == "":
		return errors.New("--reference needs --template-key: a template in plain would be readable by anybody")
	case f.templateKey != "" && f.batch == "" && f.reference == "" && f.photo == "":
		return errors.New("--template-key needs --photo, or --reference and --model")
	}
	return nil
}

func passIssue(ctx context.Context, e env, args []string) int {
	const words = "pass issue"
	fs := newFlags(e, words)
	var f issueFlags
	f.register(fs)
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if err := f.check(rest); err != nil {
		return unable(e, words, err)
	}
	is, err := newIssuer(ctx, e, f)
	if err != nil {
		return unable(e, words, err)
	}
	if f.batch != "" {
		return issueBatch(ctx, e, is, f)
	}
	report, err := issueOne(ctx, e, is, f)
	if err != nil {
		return unable(e, words, err)
	}
	if err := json.NewEncoder(e.Out).Encode(report); err != nil {
		return unable(e, words, err)
	}
	return exitDone
}

// issueOne makes the label of a holder file.
func issueOne(ctx context.Context, e env, is *issuer, f issueFlags) (issueReport, error) {
	p, issued, err := loadHolder(f.holder)
	if err != nil {
		return issueReport{}, err
	}
	var t template
	switch {
	case f.reference != "":
		t, err = parseTemplate(f.reference, f.model)
	case f.photo != "" && is.templates.Len() > 0:
		t, err = is.enrol(ctx, e, f.photo)
	case f.photo != "":
		if _, err := os.Stat(f.photo); err != nil {
			return issueReport{}, fmt.Errorf("--photo: %w", err)
		}
		fmt.Fprintln(e.Err, "gatectl pass issue: without --template-key the photograph is not used: enrol it in the accounts")
	}
	if err != nil {
		return issueReport{}, err
	}
	made, err := is.make(p, issued, t)
	if err != nil {
		return issueReport{}, err
	}
	b, err := is.draw([]*label.Label{made.label}, filepath.Ext(f.out), f.sheet)
	if err != nil {
		return issueReport{}, err
	}
	if err := replaceFile(f.out, b); err != nil {
		return issueReport{}, fmt.Errorf("write label: %w", err)
	}
	report := issueReport{
		File: f.out, Bytes: len(made.raw), Modules: made.modules,
		Signer: made.header.Signer, CertRef: made.header.CertRef, PrintedName: made.printedName(),
	}
	if k, ok := is.templates.First(); ok && t.bytes != nil {
		report.TemplateKey = k.ID()
	}
	return report, nil
}

// template is an enrolled face before it is sealed; bytes is nil for none.
type template struct {
	bytes []byte
	model string
}

// parseTemplate reads what "face enrol" prints.
func parseTemplate(reference, model string) (template, error) {
	b, err := base64.StdEncoding.DecodeString(reference)
	if err != nil {
		return template{}, errors.New("reference is not base64, as face enrol prints it")
	}
	if _, err := biometrics.ParseReference(b); err != nil {
		return template{}, fmt.Errorf("reference: %w", err)
	}
	return template{b, model}, nil
}

// replaceFile writes a file whole or not at all, for its owner's eyes only.
func replaceFile(path string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".gatectl-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(b); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// titles are the words for a kind of pass on its label.
func titles(kind string) string {
	if kind == pass.TypePortPermit {
		return "GIẤY PHÉP / PORT PERMIT"
	}
	return "GIẤY THÔNG HÀNH / BORDER PASS"
}
