package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bordergate/barcode/pass"
	"bordergate/cmd/gatectl/label"
)

// rowReport is the result of a line of a list.
type rowReport struct {
	Line        int        `json:"line"`
	Status      string     `json:"status"` // issued, kept, replaced or bad
	Number      string     `json:"number,omitempty"`
	File        string     `json:"file,omitempty"`
	PrintedName string     `json:"printed_name,omitempty"`
	Faults      []rowFault `json:"faults,omitempty"`
}

// batchReport closes the report.
type batchReport struct {
	Rows     int    `json:"rows"`
	Issued   int    `json:"issued"`
	Kept     int    `json:"kept"`
	Replaced int    `json:"replaced"`
	Bad      int    `json:"bad"`
	Sheets   string `json:"sheets,omitempty"`
}

// batch is a run over a list.
type batch struct {
	is     *issuer
	list   *list
	f      issueFlags
	seen   map[string]int // line of each number
	labels []*label.Label // for sheets
	sum    batchReport
}

// issueBatch makes the labels of a list. A bad line is reported and the others
// are made; a second run makes only what is missing or has changed.
func issueBatch(ctx context.Context, e env, is *issuer, f issueFlags) int {
	const words = "pass issue"
	l, faults, err := openList(f.batch)
	if err != nil {
		return unable(e, words, err)
	}
	if len(faults) > 0 {
		reportFaults(e.Err, f.batch, faults)
		return unable(e, words, errors.New("list: nothing was made: correct its first line"))
	}
	if err := os.MkdirAll(f.out, 0o700); err != nil {
		return unable(e, words, fmt.Errorf("make folder: %w", err))
	}
	b := &batch{is: is, list: l, f: f, seen: map[string]int{}}
	bar := newRowBar(e.Err, len(l.lines)-1)
	enc := json.NewEncoder(e.Out)
	for r, fault := range l.rows {
		if ctx.Err() != nil {
			break
		}
		report := b.row(ctx, e, r, fault)
		b.count(report)
		bar.clear()
		if len(report.Faults) > 0 {
			reportFaults(e.Err, f.batch, report.Faults)
		}
		if err := enc.Encode(report); err != nil {
			return unable(e, words, err)
		}
		bar.at(r.line-1, b.sum)
	}
	bar.end(b.sum)
	if err := b.sheets(); err != nil {
		return unable(e, words, err)
	}
	if err := enc.Encode(b.sum); err != nil {
		return unable(e, words, err)
	}
	switch {
	case ctx.Err() != nil:
		return unable(e, words, errors.New("interrupted: what was made stays, and a second run goes on"))
	case b.sum.Bad > 0:
		return exitNegative
	}
	return exitDone
}

func reportFaults(w io.Writer, file string, faults []rowFault) {
	for _, f := range faults {
		fmt.Fprintf(w, "%s: line %d", file, f.Line)
		if f.Column > 0 {
			fmt.Fprintf(w, ", column %d", f.Column)
		}
		if f.Field != "" {
			fmt.Fprintf(w, " (%s)", f.Field)
		}
		fmt.Fprintf(w, ": %s: %s\n", f.Message, f.Hint)
	}
}

func (b *batch) count(r rowReport) {
	b.sum.Rows++
	switch r.Status {
	case "issued":
		b.sum.Issued++
	case "kept":
		b.sum.Kept++
	case "replaced":
		b.sum.Replaced++
	default:
		b.sum.Bad++
	}
}

// bad is the report of a line with one fault.
func (b *batch) bad(r row, field, message, hint string) rowReport {
	column := 0
	if i, there := b.list.column[field]; there {
		column = i + 1
	}
	return rowReport{Line: r.line, Status: "bad", Faults: []rowFault{{r.line, column, holderFault{field, message, hint}}}}
}

func (b *batch) row(ctx context.Context, e env, r row, fault *rowFault) rowReport {
	if fault != nil {
		return rowReport{Line: r.line, Status: "bad", Faults: []rowFault{*fault}}
	}
	h := b.list.holder(r)
	p, issued, faults := h.form()
	if len(faults) > 0 {
		report := rowReport{Line: r.line, Status: "bad"}
		for _, f := range faults {
			report.Faults = append(report.Faults, b.bad(r, f.Field, f.Message, f.Hint).Faults...)
		}
		return report
	}
	if before, twice := b.seen[p.Number]; twice {
		return b.bad(r, "number", fmt.Sprintf("stands in line %d already", before), "give every pass a number of its own")
	}
	b.seen[p.Number] = r.line
	t, report, ok := b.template(ctx, e, r)
	if !ok {
		return report
	}
	m, kept, err := b.sign(p, issued, t)
	if err != nil {
		return b.bad(r, "", err.Error(), "see docs/pass-profile.md")
	}
	return b.write(r, p.Number, m, kept)
}

// sign takes the seal of an earlier run if it still says the same.
func (b *batch) sign(p pass.Pass, issued time.Time, t template) (m made, kept bool, err error) {
	if m, kept, err = b.is.kept(b.path(p.Number, ".vds"), p, issued, t); kept || err != nil {
		return m, kept, err
	}
	m, err = b.is.make(p, issued, t)
	return m, false, err
}

func (b *batch) path(number, ext string) string { return filepath.Join(b.f.out, number+ext) }

// write writes the seal and then the label of a line, so that a label that
// exists can always be made again byte for byte.
func (b *batch) write(r row, number string, m made, kept bool) rowReport {
	report := rowReport{Line: r.line, Number: number, Status: "kept", PrintedName: m.printedName()}
	if !kept {
		report.Status = "issued"
		if _, err := os.Stat(b.path(number, ".vds")); err == nil {
			report.Status = "replaced"
		}
		if err := replaceFile(b.path(number, ".vds"), m.raw); err != nil {
			return b.bad(r, "", err.Error(), "free the folder and run again")
		}
	}
	if b.f.sheet != "" {
		if len(b.labels) == maxSheet {
			return b.bad(r, "", fmt.Sprintf("more than %d labels in one file", maxSheet), "split the list, or leave --sheet away")
		}
		b.labels = append(b.labels, m.label)
		return report
	}
	ext := "." + b.f.format
	image, err := b.is.draw([]*label.Label{m.label}, ext, "")
	if err == nil {
		report.File = b.path(number, ext)
		err = replaceFile(report.File, image)
	}
	if err != nil {
		return b.bad(r, "", err.Error(), "free the folder and run again")
	}
	return report
}

// template is that of the line's photograph or reference, if it has one.
func (b *batch) template(ctx context.Context, e env, r row) (t template, report rowReport, ok bool) {
	photo, reference, model := b.list.cell(r, "photo"), b.list.cell(r, "reference"), b.list.cell(r, "model")
	var err error
	switch {
	case photo == "" && reference == "":
		return t, report, true
	case b.is.templates.Len() == 0:
		return t, b.bad(r, "photo", "no key to seal the template with", "name one with --template-key"), false
	case photo != "" && reference != "":
		return t, b.bad(r, "photo", "a reference stands beside it", "leave one of the two empty"), false
	case photo != "":
		if !filepath.IsAbs(photo) {
			photo = filepath.Join(b.list.folder, photo)
		}
		if t, err = b.is.enrol(ctx, e, photo); err != nil {
			return t, b.bad(r, "photo", err.Error(), "take another photograph"), false
		}
	default:
		if t, err = parseTemplate(reference, model); err != nil {
			return t, b.bad(r, "reference", err.Error(), "copy reference_base64 and model as face enrol prints them"), false
		}
	}
	return t, report, true
}

// sheets writes the labels of all good lines into one file.
func (b *batch) sheets() error {
	if b.f.sheet == "" || len(b.labels) == 0 {
		return nil
	}
	image, err := b.is.draw(b.labels, ".pdf", b.f.sheet)
	if err != nil {
		return err
	}
	b.sum.Sheets = filepath.Join(b.f.out, "labels.pdf")
	if err := replaceFile(b.sum.Sheets, image); err != nil {
		return fmt.Errorf("write sheets: %w", err)
	}
	return nil
}

// rowBar shows how far a list is: redrawn on a terminal, a line every tenth
// elsewhere.
type rowBar struct {
	w      io.Writer
	total  int
	redraw bool
	tenths int
}

func newRowBar(w io.Writer, total int) *rowBar {
	return &rowBar{w: w, total: max(total, 1), redraw: isTerminal(w)}
}

func (b *rowBar) at(n int, sum batchReport) {
	n = min(n, b.total)
	if b.redraw {
		const width = 30
		full := n * width / b.total
		fmt.Fprintf(b.w, "\rlabels [%s%s] %d of %d, %d bad ", strings.Repeat("#", full), strings.Repeat("-", width-full), n, b.total, sum.Bad)
		return
	}
	if t := n * 10 / b.total; t > b.tenths && t < 10 {
		b.tenths = t
		fmt.Fprintf(b.w, "labels: %d of %d lines, %d bad\n", n, b.total, sum.Bad)
	}
}

// clear makes room for a line of text.
func (b *rowBar) clear() {
	if b.redraw {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

func (b *rowBar) end(sum batchReport) {
	b.clear()
	fmt.Fprintf(b.w, "labels: %d issued, %d replaced, %d kept, %d bad\n", sum.Issued, sum.Replaced, sum.Kept, sum.Bad)
}
