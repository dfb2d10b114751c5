package label

import (
	"errors"
	"fmt"
	"image"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
)

// Unit is one step of the layout: so many make an inch.
const Unit = 600

// Resolutions of label printers, dots per inch.
const (
	DPI300 = 300
	DPI600 = 600
)

// MinModule is the smallest module, in units: 8 are 0.3387 mm, 8 dots at 600
// dpi and 4 at 300 (ICAO Doc 9303-13 asks for 0.3386 mm).
const MinModule = 8

// maxModule keeps a label below the width of an A4 sheet.
const maxModule = 24

// ErrLabel is returned for what cannot be drawn.
var ErrLabel = errors.New("label cannot be drawn")

// Content is what stands on a label.
type Content struct {
	// Code has one pixel for each module, dark below 128, with its quiet zone.
	Code *image.Gray
	// Title names the kind of document; it is printed as it is.
	Title   string
	Number  string
	Name    string // in UTF-8; printed composed (NFC)
	NameMRZ string // printed when the font lacks a letter of Name
	// ValidFrom and ValidTo are calendar dates.
	ValidFrom, ValidTo time.Time
	Crossings          []string
}

// Module converts dots at a printer's resolution into units. Zero dots give
// the smallest module allowed.
func Module(dots, dpi int) (int, error) {
	switch {
	case dpi != DPI300 && dpi != DPI600:
		return 0, fmt.Errorf("size module: %w: %d dpi, not %d or %d", ErrLabel, dpi, DPI300, DPI600)
	case dots == 0:
		return MinModule, nil
	case dots < 0 || dots > maxModule*dpi/Unit || dots*Unit/dpi < MinModule:
		return 0, fmt.Errorf("size module: %w: %d dots at %d dpi, not %d to %d", ErrLabel, dots, dpi, MinModule*dpi/Unit, maxModule*dpi/Unit)
	}
	return dots * Unit / dpi, nil
}

// Label is laid out and can be drawn.
type Label struct {
	code        *image.Gray
	module      int
	w, h        int // units, even
	codeX       int // of the quiet zone's corner, even
	codeY       int
	runs        []run
	usesMRZName bool
}

// run is a piece of text; x and y are the left end of its baseline.
type run struct {
	x, y, size int // units
	bold       bool
	text       string
}

// Sizes in units. The label is 86 by 36 mm, more with larger modules.
const (
	baseWidth  = 2032
	baseHeight = 850
	margin     = 48
	gap        = 24 // beside the quiet zone, which is white already
	minText    = 1000
)

// New lays a label out with modules of so many units.
func New(c Content, module int) (*Label, error) {
	if c.Code == nil || c.Code.Rect.Empty() || c.Code.Rect.Dx() != c.Code.Rect.Dy() || module < MinModule || module > maxModule {
		return nil, fmt.Errorf("lay out label: %w: no square code, or module not %d to %d units", ErrLabel, MinModule, maxModule)
	}
	f, err := newFonts()
	if err != nil {
		return nil, err
	}
	side := c.Code.Rect.Dx() * module
	l := &Label{
		code: c.Code, module: module,
		w: even(max(baseWidth, margin+side+gap+minText+margin)), h: even(max(baseHeight, side+2*margin)),
	}
	l.codeX, l.codeY = margin, (l.h-side)/2&^1
	textX := l.codeX + side + gap
	name := norm.NFC.String(c.Name)
	if !f.prints(name) {
		name, l.usesMRZName = strings.ReplaceAll(c.NameMRZ, "<", " "), true
	}
	if err := l.write(f, c, name, textX, l.w-margin-textX); err != nil {
		return nil, err
	}
	return l, nil
}

// UsesMRZName says that the font lacks a letter of the name, so that its
// transliteration is printed.
func (l *Label) UsesMRZName() bool { return l.usesMRZName }

// Millimetres is the label's size.
func (l *Label) Millimetres() (w, h float64) {
	return float64(l.w) * 25.4 / Unit, float64(l.h) * 25.4 / Unit
}

// dark says whether a module is.
func (l *Label) dark(x, y int) bool {
	return l.code.GrayAt(l.code.Rect.Min.X+x, l.code.Rect.Min.Y+y).Y < 128
}

func even(n int) int { return (n + 1) &^ 1 }

// Captions in Vietnamese and English: the officer reads the one, the traveller
// perhaps the other.
const (
	captionNumber    = "Số / No."
	captionName      = "Họ và tên / Name"
	captionValid     = "Giá trị / Valid"
	captionCrossings = "Cửa khẩu / Crossings"
)

const day = "02/01/2006"

// step is one way to set a line: letters of a size on so many lines at most.
type step struct{ size, lines int }

// write sets the lines from the top, each under its caption.
func (l *Label) write(f *fonts, c Content, name string, x, width int) error {
	const small = 42
	y := margin
	for _, line := range []struct {
		caption, value string
		steps          []step // the best first
	}{
		{"", c.Title, []step{{58, 1}, {50, 1}, {42, 1}, {34, 1}}},
		{captionName, name, []step{{84, 1}, {74, 1}, {66, 1}, {58, 1}, {66, 2}, {58, 2}, {50, 2}, {50, 3}, {42, 3}, {34, 4}}},
		{captionNumber, c.Number, []step{{84, 1}, {74, 1}, {66, 1}, {58, 1}, {50, 1}}},
		{captionValid, c.ValidFrom.Format(day) + " – " + c.ValidTo.Format(day), []step{{66, 1}, {58, 1}, {50, 1}}},
		{captionCrossings, strings.Join(c.Crossings, "  "), []step{{58, 1}, {50, 1}, {42, 1}, {42, 2}, {34, 2}}},
	} {
		if line.value == "" {
			continue
		}
		if !f.prints(line.value) {
			return fmt.Errorf("lay out label: %w: a line has a letter that the font lacks", ErrLabel)
		}
		if line.caption != "" {
			y += small
			l.runs = append(l.runs, run{x, y, small, false, line.caption})
		}
		size, parts := f.fit(line.value, width, line.steps)
		if parts == nil {
			return fmt.Errorf("lay out label: %w: a line does not fit", ErrLabel)
		}
		for _, part := range parts {
			y += size * 5 / 4 // room for the marks of Vietnamese capitals
			l.runs = append(l.runs, run{x, y, size, true, part})
		}
		y += 14
	}
	down := (l.h - margin - y) / 2 // to the middle
	if down < -margin {
		return fmt.Errorf("lay out label: %w: %d units of text on a height of %d", ErrLabel, y, l.h)
	}
	for i := range l.runs {
		l.runs[i].y += max(0, down)
	}
	return nil
}
