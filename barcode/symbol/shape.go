package symbol

// shape is what every symbol of a size has in common.
type shape struct {
	symbology  string
	n          int
	alignments [][2]int // centres, in modules
	known      []fixed  // all modules that the size tells
	telling    []fixed  // those of them that tell sizes apart
}

// fixed is a module whose colour the size alone tells.
type fixed struct {
	x, y int
	dark bool
}

// The sizes that shapes are kept for: versions 1 to 25.
const (
	smallest, largest = 21, 117
	finderSide        = 7
)

// newShape lays out a QR code's patterns of ISO/IEC 18004 clauses 6.3.3 to 6.3.6 and
// one row of the quiet zone beside each finder.
func newShape(n int) *shape {
	s := &shape{n: n, symbology: QR}
	s.finder(0, 0)
	s.finder(n-finderSide, 0)
	s.finder(0, n-finderSide)
	for i := 8; i < n-8; i++ {
		s.telling = append(s.telling, fixed{i, 6, i%2 == 0}, fixed{6, i, i%2 == 0})
	}
	s.version()
	s.known = append(s.known, s.telling...)
	centres := alignmentCentres(n)
	for _, y := range centres {
		for _, x := range centres {
			if (x < 9 && y < 9) || (x < 9 && y > n-10) || (x > n-10 && y < 9) {
				continue
			}
			s.alignments = append(s.alignments, [2]int{x, y})
			for dy := -2; dy <= 2; dy++ {
				for dx := -2; dx <= 2; dx++ {
					if x+dx != 6 && y+dy != 6 { // the timing lines have those
						s.known = append(s.known, fixed{x + dx, y + dy, max(dx, -dx, dy, -dy) != 1})
					}
				}
			}
		}
	}
	return s
}

// finder adds a finder with its separator; outside of the symbol that is a row
// of the quiet zone.
func (s *shape) finder(x0, y0 int) {
	for y := -1; y <= finderSide; y++ {
		for x := -1; x <= finderSide; x++ {
			s.known = append(s.known, fixed{x0 + x, y0 + y, finderDark(x, y)})
		}
	}
}

// version adds the version information of version 7 and above: six bits and
// the remainder of their division by the polynomial of ISO/IEC 18004 annex D.
func (s *shape) version() {
	v := (s.n - 17) / 4
	if v < 7 {
		return
	}
	const polynomial, width = 0x1F25, 12
	rest := v << width
	for bit := 17; bit >= width; bit-- {
		if rest>>bit&1 == 1 {
			rest ^= polynomial << (bit - width)
		}
	}
	word := v<<width | rest
	for i := range 18 {
		dark := word>>i&1 == 1
		a, b := i/3, s.n-11+i%3
		s.telling = append(s.telling, fixed{a, b, dark}, fixed{b, a, dark})
	}
}

// finderDark tells a finder's modules from its corner.
func finderDark(x, y int) bool {
	r := max(x-3, 3-x, y-3, 3-y)
	return r == 3 || r <= 1
}

// alignmentCentres follows ISO/IEC 18004 annex E: evenly from the far edge,
// what is left over beside the first.
func alignmentCentres(n int) []int {
	version := (n - 17) / 4
	if version < 2 {
		return nil
	}
	count := version/7 + 2
	// Evenly spaced by an even number of modules, rounded up.
	step := (version*8 + count*3 + 5) / (count*4 - 4) * 2
	out := make([]int, count)
	out[0] = 6
	for i, at := count-1, n-7; i > 0; i, at = i-1, at-step {
		out[i] = at
	}
	return out
}
