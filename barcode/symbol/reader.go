package symbol

import (
	"image"
	"slices"
	"time"

	"github.com/makiuchi-d/gozxing"
	dmdec "github.com/makiuchi-d/gozxing/datamatrix/decoder"
)

// Reader reads frames of one camera in their order. It remembers where the
// last symbol was, what helped to read it, and what the frames before showed of
// one that none of them could read alone.
type Reader struct {
	bare  *dmdec.Decoder // of DataMatrix modules
	hints map[gozxing.DecodeHintType]any
	now   func() time.Time

	shapes   [(largest-smallest)/4 + 1]*shape
	matrices [21]*shape
	fusion   fusion
	followed []followed

	last   image.Rectangle // area of the last symbol, empty when it is too old
	missed int             // frames since
	turn   int             // frames with a symbol in a row
	looks  int             // searches
	stages []stage         // in the order in which they are tried
	around []stage         // the same for what lies beside the symbols read

	begin  time.Time
	budget time.Duration

	// Kept between frames to spare the collector.
	cropped, worked []byte
	masked          []byte
	bits            bitmap
	spots           []spot
	samples         samples
	votes           []float64
}

// After this many frames without it a symbol may be anywhere again.
const forget = 12

// Areas above this many pixels are not doubled: it would cost more than the
// frames that are missed meanwhile.
const maxDoubled = 700 * 700

// Option changes a new Reader.
type Option func(*Reader)

// Clock lets the budget be counted on another clock than the wall's, such as
// the CPU time of the process.
func Clock(now func() time.Time) Option { return func(r *Reader) { r.now = now } }

// NewReader returns a Reader that has seen nothing.
func NewReader(options ...Option) *Reader {
	r := &Reader{
		bare: dmdec.NewDecoder(),
		hints: map[gozxing.DecodeHintType]any{
			// Without it the character set is guessed and bytes are lost.
			gozxing.DecodeHintType_CHARACTER_SET: "ISO-8859-1",
		},
		now:    time.Now,
		stages: stages(),
		around: stages(),
	}
	for _, o := range options {
		o(r)
	}
	return r
}

// Forget makes the next frame the first. Only what serves speed is kept.
func (r *Reader) Forget() {
	r.fusion.reset()
	r.followed = r.followed[:0]
	r.last, r.missed, r.turn, r.looks = image.Rectangle{}, 0, 0, 0
	r.stages, r.around = stages(), stages()
}

// Read returns the symbols in a frame, one of each place. Where symbols were
// and the likeliest area are always looked at, and every other frame what lies
// beside them. More is begun only while, by what it cost before, it ends within
// the budget; what helped last comes first, and what there was no time for
// comes first in the next frame. A frame that fails Luma.Check has none.
func (r *Reader) Read(l Luma, budget time.Duration) []Symbol {
	if l.Check() != nil {
		return nil
	}
	r.begin, r.budget = r.now(), budget
	r.fusion.fresh = false
	found := r.follow(l)
	if len(found) == 0 {
		found = r.search(l, &r.stages)
	}
	if len(found) == 0 {
		return r.miss()
	}
	if r.turn++; r.turn%aside == 0 {
		found = append(found, r.beside(l, found)...)
	}
	return r.hit(l, found)
}

// Every so many frames with a symbol it is looked beside it.
const aside = 2

// beside looks for symbols in what the found ones leave of a frame, with half
// of a frame's time: a pass must not be missed for the sake of a foreign code
// that is easier to read.
func (r *Reader) beside(l Luma, found []Symbol) []Symbol {
	rest := crop(l, image.Rect(0, 0, l.W, l.H), r.masked)
	r.masked = rest.Pix
	for _, s := range found {
		paintOver(rest, s.Corners)
	}
	r.budget = min(r.budget, r.now().Sub(r.begin)+r.budget/2)
	last := r.last
	r.last = image.Rectangle{}
	defer func() { r.last = last }()
	return r.search(rest, &r.around)
}

// search looks for symbols whose place is not known.
func (r *Reader) search(l Luma, stages *[]stage) []Symbol {
	areas := r.areas(l)
	var found []Symbol
	for i, a := range areas {
		if i == 0 || r.inTime() {
			found = append(found, r.scan(r.whole(l, a), 1, 2)...)
		}
	}
	if len(found) > 0 {
		return found
	}
	if s, ok := r.fuse(); ok {
		return []Symbol{s}
	}
	return r.retry(l, areas, *stages)
}

func (r *Reader) inTime() bool { return r.now().Sub(r.begin) < r.budget }

// retry begins stages, those that paid first.
func (r *Reader) retry(l Luma, areas []image.Rectangle, stages []stage) []Symbol {
	begun := 0
	for i := range stages {
		s := &stages[i]
		elapsed := r.now().Sub(r.begin)
		if elapsed+s.cost > r.budget {
			// It is not left out for ever: its cost is forgotten slowly.
			s.cost -= s.cost / 8
			break
		}
		begun++
		for _, a := range areas[:min(len(areas), s.areas)] {
			found := s.try(r, l, a)
			if len(found) == 0 {
				continue
			}
			// The next frame is much like this one.
			won := *s
			copy(stages[1:i+1], stages[:i])
			stages[0] = won
			return found
		}
		s.cost = max(r.now().Sub(r.begin)-elapsed, s.cost-s.cost/8)
		if sy, ok := r.fuse(); ok {
			return []Symbol{sy}
		}
	}
	if begun < len(stages) {
		// The best stays the first: the next frame may be a better one.
		first := max(0, min(1, begun-1))
		turned := append(slices.Clone(stages[begun:]), stages[first:begun]...)
		copy(stages[first:], turned)
	}
	return nil
}

// areas is where to look closer: where the last symbol was, and what looks like
// one. When there are more than a frame has time for, the last of them is
// another one in each frame.
func (r *Reader) areas(l Luma) []image.Rectangle {
	var out []image.Rectangle
	last := r.last.Intersect(image.Rect(0, 0, l.W, l.H))
	if last.Dx() >= MinSide && last.Dy() >= MinSide {
		out = append(out, last)
	}
	for _, a := range locate(l) {
		// The same place twice would only cost time.
		if common := a.Intersect(last); 4*common.Dx()*common.Dy() >= 3*a.Dx()*a.Dy() {
			continue
		}
		out = append(out, a)
	}
	if more := len(out) - maxFind; more > 0 {
		out[maxFind-1] = out[maxFind-1+r.looks%(more+1)]
		out = out[:maxFind]
	}
	r.looks++
	if len(out) == 0 {
		out = append(out, image.Rect(0, 0, l.W, l.H))
	}
	return out
}

// hit remembers where the first of the symbols is.
func (r *Reader) hit(l Luma, found []Symbol) []Symbol {
	var box image.Rectangle
	for i, c := range found[0].Corners {
		p := image.Pt(int(c[0]), int(c[1]))
		at := image.Rectangle{Min: p, Max: p.Add(image.Pt(1, 1))}
		if i == 0 {
			box = at
		} else {
			box = box.Union(at)
		}
	}
	r.last, r.missed = grow(box, l), 0
	return found
}

func (r *Reader) miss() []Symbol {
	r.turn = 0
	if r.missed++; r.missed >= forget {
		r.last = image.Rectangle{}
	}
	return nil
}
