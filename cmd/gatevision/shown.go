package main

// What counts as something shown to the document camera.
const (
	blockSide  = 32 // pixels
	rowStep    = 4  // of a block every fourth row is looked at
	printRange = 60 // of luminance within a block with an edge or print in it; sensor noise alone gives a third of it
	shownMore  = 12 // blocks more than the empty view has, of 880 at 1280 by 720
	shownRow   = 2  // frames in a row
	emptyOf    = 16 // sessions that the empty view is learned from
	noFrame    = -1 // of a session that had none yet
)

// shown tells that something with edges or print on it came into view, which a
// code on it need not be readable for. The empty view is learned: it is the
// emptiest frame of the last sessions, so that what belongs to the place, and
// changes slowly, is no document. It decides nothing but the name of a
// referral: a document that lies there from the first session on is missed.
type shown struct {
	empties [emptyOf]int // fewest blocks of a session
	at      int          // sessions begun
	row     int
	said    bool
}

// begin forgets the traveller before.
func (s *shown) begin() {
	s.at++
	s.empties[s.at%emptyOf] = noFrame
	s.row, s.said = 0, false
}

// frame takes a frame of the session; true once, when something is there.
func (s *shown) frame(pix []byte, w, h int) bool {
	if s.said {
		return false
	}
	n := printed(pix, w, h)
	if mine := &s.empties[s.at%emptyOf]; *mine == noFrame || n < *mine {
		*mine = n
	}
	if n < s.empty()+shownMore {
		s.row = 0
		return false
	}
	s.row++
	s.said = s.row >= shownRow
	return s.said
}

// empty is how many blocks the empty view has.
func (s *shown) empty() int {
	fewest := noFrame
	for i := range min(s.at, emptyOf) {
		if n := s.empties[(s.at-i)%emptyOf]; n != noFrame && (fewest == noFrame || n < fewest) {
			fewest = n
		}
	}
	return fewest
}

// printed counts the blocks with an edge or print in them.
func printed(pix []byte, w, h int) int {
	n := 0
	for y := 0; y+blockSide <= h; y += blockSide {
		for x := 0; x+blockSide <= w; x += blockSide {
			if spread(pix[y*w+x:], w) >= printRange {
				n++
			}
		}
	}
	return n
}

// spread is the range of luminance in the block that pix begins with.
func spread(pix []byte, w int) int {
	lo, hi := byte(255), byte(0)
	for y := 0; y < blockSide; y += rowStep {
		for _, v := range pix[y*w : y*w+blockSide : y*w+blockSide] {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	return int(hi) - int(lo)
}
