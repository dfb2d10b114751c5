package label

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"github.com/go-fonts/liberation/liberationsansbold"
	"github.com/go-fonts/liberation/liberationsansregular"
)

// point is a unit in PDF points: a hundredth of a point holds every multiple
// exactly, so modules fall onto the dots of printers of 300 and 600 dpi.
const point = 72.0 / Unit

// A4 in units, a little over: 210 by 297 mm.
const (
	a4Width  = 4960
	a4Height = 7016
)

// Sheet is how labels stand on A4.
type Sheet struct{ Columns, Rows int }

// ParseSheet reads "2x7": columns by rows.
func ParseSheet(s string) (Sheet, error) {
	m := regexp.MustCompile(`^([1-9][0-9]?)x([1-9][0-9]?)$`).FindStringSubmatch(s)
	if m == nil {
		return Sheet{}, fmt.Errorf("read sheet: %w: not columns by rows, such as 2x7", ErrLabel)
	}
	columns, _ := strconv.Atoi(m[1])
	rows, _ := strconv.Atoi(m[2])
	return Sheet{columns, rows}, nil
}

// PDF draws each label on a page of its own size. The time is the file's date.
func PDF(labels []*Label, at time.Time) ([]byte, error) {
	if len(labels) == 0 {
		return nil, fmt.Errorf("draw labels: %w: none", ErrLabel)
	}
	doc := newDocument(labels[0].w, labels[0].h, at)
	for _, l := range labels {
		doc.AddPageFormat("P", fpdf.SizeType{Wd: float64(l.w) * point, Ht: float64(l.h) * point})
		l.paint(doc, 0, 0)
	}
	return finish(doc)
}

// PDF draws the labels on A4, row by row, each in the middle of its place.
func (s Sheet) PDF(labels []*Label, at time.Time) ([]byte, error) {
	if len(labels) == 0 || s.Columns < 1 || s.Rows < 1 {
		return nil, fmt.Errorf("draw sheets: %w: no labels, or no places", ErrLabel)
	}
	w, h := a4Width/s.Columns, a4Height/s.Rows
	doc := newDocument(a4Width, a4Height, at)
	for i, l := range labels {
		if l.w > w || l.h > h {
			lw, lh := l.Millimetres()
			return nil, fmt.Errorf("draw sheets: %w: a label of %.0f by %.0f mm does not fit %d columns and %d rows on A4", ErrLabel, lw, lh, s.Columns, s.Rows)
		}
		place := i % (s.Columns * s.Rows)
		if place == 0 {
			doc.AddPage()
		}
		x, y := place%s.Columns*w+(w-l.w)/2, place/s.Columns*h+(h-l.h)/2
		l.paint(doc, x&^1, y&^1) // even: whole dots at 300 dpi too
	}
	return finish(doc)
}

const family = "label"

func newDocument(w, h int, at time.Time) *fpdf.Fpdf {
	doc := fpdf.NewCustom(&fpdf.InitType{
		OrientationStr: "P", UnitStr: "pt", Size: fpdf.SizeType{Wd: float64(w) * point, Ht: float64(h) * point},
	})
	doc.SetMargins(0, 0, 0)
	doc.SetAutoPageBreak(false, 0)
	// Nothing about the holder goes into the file's own description.
	doc.SetProducer("bordergate", false)
	doc.SetCreationDate(at.UTC())
	doc.SetModificationDate(at.UTC())
	doc.SetCatalogSort(true)
	doc.AddUTF8FontFromBytes(family, "", liberationsansregular.TTF)
	doc.AddUTF8FontFromBytes(family, "B", liberationsansbold.TTF)
	return doc
}

// paint draws the label with its upper left corner at x, y in units. The code
// is one path filled once, so that no reader leaves hair lines in it.
func (l *Label) paint(doc *fpdf.Fpdf, x, y int) {
	at := func(u int) float64 { return float64(u) * point }
	for _, r := range l.runs {
		style := ""
		if r.bold {
			style = "B"
		}
		doc.SetFont(family, style, at(r.size))
		doc.Text(at(x+r.x), at(y+r.y), r.text)
	}
	n, k := l.code.Rect.Dx(), l.module
	for row := range n {
		for from := 0; from < n; from++ {
			to := from
			for to < n && l.dark(to, row) {
				to++
			}
			if to == from {
				continue
			}
			left, right := at(x+l.codeX+from*k), at(x+l.codeX+to*k)
			top, bottom := at(y+l.codeY+row*k), at(y+l.codeY+(row+1)*k)
			doc.MoveTo(left, top)
			doc.LineTo(right, top)
			doc.LineTo(right, bottom)
			doc.LineTo(left, bottom)
			doc.ClosePath()
			from = to
		}
	}
	doc.DrawPath("F")
}

func finish(doc *fpdf.Fpdf) ([]byte, error) {
	var b bytes.Buffer
	if err := doc.Output(&b); err != nil {
		return nil, fmt.Errorf("write PDF: %w", err)
	}
	return unscaled(b.Bytes())
}

// unscaled tells the reader not to shrink the page to the printer's margins,
// which would make modules of uneven size. The writer has no setting for it,
// so it is appended as an update of the file (ISO 32000-1 §7.5.6, §12.2).
func unscaled(b []byte) ([]byte, error) {
	m := regexp.MustCompile(`trailer\s+<<\s+/Size (\d+)\s+/Root (\d+) 0 R\s+/Info (\d+) 0 R[\s\S]*?startxref\s+(\d+)\s+%%EOF\s*$`).FindSubmatch(b)
	if m == nil {
		return nil, errors.New("write PDF: the writer's trailer is not as expected")
	}
	size, root, info, before := m[1], m[2], m[3], m[4]
	out := bytes.NewBuffer(bytes.Clone(b))
	object := out.Len()
	fmt.Fprintf(out, "%s 0 obj\n<< /Type /Catalog /Pages 1 0 R /Lang (vi) /ViewerPreferences << /PrintScaling /None >> >>\nendobj\n", root)
	table := out.Len()
	fmt.Fprintf(out, "xref\n%s 1\n%010d 00000 n \ntrailer\n<< /Size %s /Root %s 0 R /Info %s 0 R /Prev %s >>\nstartxref\n%d\n%%%%EOF\n",
		root, object, size, root, info, before, table)
	return out.Bytes(), nil
}
