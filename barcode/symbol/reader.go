package symbol

import (
	"image"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/aztec"
	"github.com/makiuchi-d/gozxing/datamatrix"
	dmdec "github.com/makiuchi-d/gozxing/datamatrix/decoder"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
)

// Reader reads frames of one camera in their order. It remembers where the
// last symbol was, what helped to read it, and what the frames before showed of
// one that none of them could read alone.
type Reader struct {
	qr    *decoder.Decoder
	dm    gozxing.Reader
	bare  *dmdec.Decoder // of DataMatrix modules
	aztec gozxing.Reader
	hints map[gozxing.DecodeHintType]any
	now   func() time.Time

	shapes   [(largest-smallest)/4 + 1]*shape
	matrices [21]*shape
	fusion   fusion

	last   image.Rectangle // area of the last symbol, empty when it is too old
	missed int             // frames since
	stages []stage         // in the order in which they are tried

	begin  time.Time
	budget time.Duration

	// Kept between frames to spare the collector.
	cropped, worked []byte
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
		qr:    decoder.NewDecoder(),
		dm:    datamatrix.NewDataMatrixReader(),
		bare:  dmdec.NewDecoder(),
		aztec: aztec.NewAztecReader(),
		hints: map[gozxing.DecodeHintType]any{
			// Without it the character set is guessed and bytes are lost.
			gozxing.DecodeHintType_CHARACTER_SET: "ISO-8859-1",
		},
		now:    time.Now,
		stages: stages(),
	}
	for _, o := range options {
		o(r)
	}
	return r
}

// Forget makes the next frame the first. Only what serves speed is kept.
func (r *Reader) Forget() {
	r.fusion.place, r.fusion.count, r.fusion.fresh = grid{}, 0, false
	r.last, r.missed = image.Rectangle{}, 0
	r.stages = stages()
}

// Read returns the symbols in a frame, one of each place. Where the last one
// was and the likeliest area are always looked at. More is begun only while,
// by what it cost before, it ends within the budget; what helped last comes
// first, and what there was no time for comes first in the next frame. A frame
// that fails Luma.Check has none.
func (r *Reader) Read(l Luma, budget time.Duration) []Symbol {
	if l.Check() != nil {
		return nil
	}
	r.begin, r.budget = r.now(), budget
	r.fusion.fresh = false
	if s, ok := r.track(l); ok {
		return r.hit(l, s)
	}
	areas := r.areas(l)
	var found []Symbol
	for i, a := range areas {
		if i == 0 || r.inTime() {
			found = append(found, r.scan(r.whole(l, a), 1, 2)...)
		}
	}
	if len(found) > 0 {
		return r.hit(l, found...)
	}
	if s, ok := r.fuse(); ok {
		return r.hit(l, s)
	}
	return r.retry(l, areas)
}

func (r *Reader) inTime() bool { return r.now().Sub(r.begin) < r.budget }

// track looks for the last symbol where it was.
func (r *Reader) track(l Luma) (Symbol, bool) {
	f := &r.fusion
	if f.place.shape == nil {
		return Symbol{}, false
	}
	if f.age++; f.age > forget {
		f.place, f.count = grid{}, 0
		return Symbol{}, false
	}
	g := f.place
	if !g.settle(l, 2, 1.5, f.sign) || g.fit*f.sign < worthReading {
		return Symbol{}, false
	}
	v := r.whole(l, image.Rect(0, 0, l.W, l.H))
	if s, ok := r.readGrid(v, &g); ok {
		return s, true
	}
	return r.fuse()
}

// fuse reads what this frame and those before showed together.
func (r *Reader) fuse() (Symbol, bool) {
	if !r.fusion.merge() {
		return Symbol{}, false
	}
	return r.decodeVotes(r.fusion.sum, &r.fusion.place)
}

// retry begins stages, those that paid first.
func (r *Reader) retry(l Luma, areas []image.Rectangle) []Symbol {
	begun := 0
	for i := range r.stages {
		s := &r.stages[i]
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
			copy(r.stages[1:i+1], r.stages[:i])
			r.stages[0] = won
			return r.hit(l, found...)
		}
		s.cost = max(r.now().Sub(r.begin)-elapsed, s.cost-s.cost/8)
		if sy, ok := r.fuse(); ok {
			return r.hit(l, sy)
		}
	}
	if begun < len(r.stages) {
		r.stages = append(r.stages[begun:], r.stages[:begun]...)
	}
	return r.miss()
}

// areas is where to look closer: where the last symbol was, and what looks like
// one.
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
		if len(out) < maxFind {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		out = append(out, image.Rect(0, 0, l.W, l.H))
	}
	return out
}

// hit remembers where the first of the symbols is.
func (r *Reader) hit(l Luma, found ...Symbol) []Symbol {
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
	if r.missed++; r.missed >= forget {
		r.last = image.Rectangle{}
	}
	return nil
}
