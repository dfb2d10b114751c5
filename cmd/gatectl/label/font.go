package label

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/go-fonts/liberation/liberationsansbold"
	"github.com/go-fonts/liberation/liberationsansregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// fonts are the two faces of Liberation Sans. One goroutine uses them.
type fonts struct {
	regular, bold *sfnt.Font
	buf           sfnt.Buffer
}

func newFonts() (*fonts, error) {
	regular, err := sfnt.Parse(liberationsansregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("read font: %w", err)
	}
	bold, err := sfnt.Parse(liberationsansbold.TTF)
	if err != nil {
		return nil, fmt.Errorf("read font: %w", err)
	}
	return &fonts{regular: regular, bold: bold}, nil
}

// prints says whether both faces have every letter of the text. Letters beyond
// 16 bits are left out: not every PDF reader maps them back.
func (f *fonts) prints(text string) bool {
	for _, r := range text {
		for _, face := range []*sfnt.Font{f.regular, f.bold} {
			if g, err := face.GlyphIndex(&f.buf, r); err != nil || g == 0 || r > 0xFFFF {
				return false
			}
		}
	}
	return true
}

// width is that of bold text, in units.
func (f *fonts) width(text string, size int) int {
	var sum fixed.Int26_6
	for _, r := range text {
		g, err := f.bold.GlyphIndex(&f.buf, r)
		if err != nil {
			continue
		}
		// Unhinted, as the PDF advances; the PNG's hinting differs by less
		// than the margin.
		if a, err := f.bold.GlyphAdvance(&f.buf, g, fixed.I(size), 0); err == nil {
			sum += a
		}
	}
	return sum.Ceil()
}

// fit takes the first step at which the text fits, and returns no lines if none
// does.
func (f *fonts) fit(text string, width int, steps []step) (size int, lines []string) {
	for _, s := range steps {
		if lines := f.wrap(text, width, s.size); len(lines) <= s.lines {
			return s.size, lines
		}
	}
	return 0, nil
}

// wrap breaks at spaces, and a word that is longer than a line between letters.
func (f *fonts) wrap(text string, width, size int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		joined := strings.TrimPrefix(line+" "+word, " ")
		if f.width(joined, size) <= width {
			line = joined
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for f.width(word, size) > width {
			head := f.head(word, width, size)
			lines, word = append(lines, word[:head]), word[head:]
		}
		line = word
	}
	return append(lines, line)
}

// head is the length of the longest beginning that fits, at least one letter
// with its marks.
func (f *fonts) head(word string, width, size int) int {
	best := 0
	for i, r := range word {
		if i == 0 || unicode.IsMark(r) {
			continue
		}
		if best > 0 && f.width(word[:i], size) > width {
			break
		}
		best = i
	}
	if best == 0 {
		return len(word)
	}
	return best
}
