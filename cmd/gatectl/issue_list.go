package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a list.
const (
	maxList  = 64 << 20 // bytes
	maxLine  = 16 << 10 // bytes
	maxSheet = 20_000   // labels in one PDF
)

// columns are the fields a list may have, with those it must have first.
func columns() (all []string, must int) {
	return []string{
		"number", "type", "name", "name_mrz", "birth", "account", "valid_from", "valid_to", "crossings", "directions",
		"organisation", "issued", "photo", "reference", "model",
	}, 10
}

// rowFault is what is wrong with a line, and where. It never quotes the value.
type rowFault struct {
	Line   int `json:"line"`
	Column int `json:"column"` // from 1; 0 for the line as a whole
	holderFault
}

// row is a line of a list.
type row struct {
	line  int
	cells []string
}

// list is a CSV file taken apart. Every line stands alone, so that a quote left
// open spoils no other line.
type list struct {
	folder string
	comma  rune
	column map[string]int // by field, from 0
	lines  [][]byte
}

// openList reads the file and its first line. Faults of that line are all
// reported at once.
func openList(file string) (*list, []rowFault, error) {
	b, err := readFile(file, maxList)
	if err != nil {
		return nil, nil, fmt.Errorf("list: %w", err)
	}
	b = bytes.TrimPrefix(b, []byte("\xEF\xBB\xBF")) // spreadsheets write this mark
	l := &list{folder: filepath.Dir(file), column: map[string]int{}, lines: bytes.Split(bytes.TrimRight(b, "\r\n"), []byte("\n"))}
	// Spreadsheets of some countries separate by semicolons.
	first := string(l.lines[0])
	l.comma = ','
	for _, c := range []rune{';', '\t'} {
		if strings.Count(first, string(c)) > strings.Count(first, string(l.comma)) {
			l.comma = c
		}
	}
	names, err := l.split(l.lines[0])
	if err != nil {
		return nil, nil, errors.New("list: its first line is not CSV with the names of the fields")
	}
	return l, l.head(names), nil
}

func (l *list) head(names []string) []rowFault {
	var faults []rowFault
	all, must := columns()
	for i, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		_, twice := l.column[name]
		switch {
		case !slices.Contains(all, name):
			faults = append(faults, rowFault{1, i + 1, holderFault{"", "not the name of a field", "write one of " + strings.Join(all, ", ")}})
		case twice:
			faults = append(faults, rowFault{1, i + 1, holderFault{name, "stands twice", "remove one of the columns"}})
		default:
			l.column[name] = i
		}
	}
	for _, name := range all[:must] {
		if _, there := l.column[name]; !there {
			faults = append(faults, rowFault{1, 0, holderFault{name, "no such column", "add it to the first line"}})
		}
	}
	return faults
}

func (l *list) split(line []byte) ([]string, error) {
	if len(line) > maxLine {
		return nil, csv.ErrFieldCount
	}
	r := csv.NewReader(bytes.NewReader(line))
	r.Comma = l.comma
	r.FieldsPerRecord = -1
	return r.Read()
}

// rows yields every line that is not blank, with its fault if it is no row.
func (l *list) rows(yield func(row, *rowFault) bool) {
	for i, line := range l.lines {
		line = bytes.TrimSuffix(line, []byte("\r"))
		if i == 0 || len(bytes.Trim(line, " \t,;")) == 0 {
			continue
		}
		r := row{line: i + 1}
		var fault *rowFault
		var parse *csv.ParseError
		cells, err := l.split(line)
		switch {
		case !utf8.Valid(line):
			fault = &rowFault{r.line, l.badByte(line), holderFault{"", "not UTF-8", "save the list as CSV UTF-8"}}
		case errors.As(err, &parse):
			fault = &rowFault{r.line, l.badQuote(line, parse.Column), holderFault{"", "a quote stands wrong", `write a field in quotes whole, and a quote in it twice: "a ""b"""; a field has no line break`}}
		case err != nil:
			fault = &rowFault{r.line, 0, holderFault{"", "no row", fmt.Sprintf("a row is CSV of at most %d bytes", maxLine)}}
		case len(cells) > l.width():
			fault = &rowFault{r.line, l.width() + 1, holderFault{"", "more fields than the first line names", "put a field with a separator in it in quotes"}}
		}
		r.cells = cells
		if !yield(r, fault) {
			return
		}
	}
}

func (l *list) width() int {
	n := 0
	for _, i := range l.column {
		n = max(n, i+1)
	}
	return n
}

// place is the column in which a byte of a line stands, from 1.
func (l *list) place(line []byte, at int) int {
	return 1 + strings.Count(string(line[:min(max(at-1, 0), len(line))]), string(l.comma))
}

// badQuote is the column of a quote that is left open, else of the byte the
// parser stopped at.
func (l *list) badQuote(line []byte, at int) int {
	column, opened, open := 1, 0, false
	for i, c := range string(line) {
		switch {
		case c == '"' && !open && (i == 0 || rune(line[i-1]) == l.comma):
			opened, open = column, true
		case c == '"':
			open = !open // its end, or the first of two
		case c == l.comma && !open:
			column++
		}
	}
	if open && opened > 0 {
		return opened
	}
	return l.place(line, at)
}

func (l *list) badByte(line []byte) int {
	for i := 0; i < len(line); {
		r, n := utf8.DecodeRune(line[i:])
		if r == utf8.RuneError && n == 1 {
			return l.place(line, i+1)
		}
		i += n
	}
	return 0
}

func (l *list) cell(r row, field string) string {
	i, there := l.column[field]
	if !there || i >= len(r.cells) {
		return ""
	}
	return strings.TrimSpace(r.cells[i])
}

// words splits a cell that holds several codes.
func words(cell string) []string {
	return strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(" ,;/+|", r) })
}

func (l *list) holder(r row) holder {
	get := func(field string) string { return l.cell(r, field) }
	return holder{
		Number: get("number"), Type: get("type"), Name: get("name"), NameMRZ: get("name_mrz"), Birth: get("birth"),
		Account: get("account"), Organisation: get("organisation"), ValidFrom: get("valid_from"), ValidTo: get("valid_to"),
		Crossings: words(get("crossings")), Directions: words(get("directions")), Issued: get("issued"),
	}
}
