package symbol

import (
	"image"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
)

// Reader reads frames of one camera in their order. It remembers where the
// last symbol was and which retry helped, since the next frame is much like
// this one.
type Reader struct {
	qr    *decoder.Decoder
	hints map[gozxing.DecodeHintType]any
	now   func() time.Time

	last   image.Rectangle // area of the last symbol, empty when it is too old
	missed int             // frames since
	turn   int             // the retry and area to begin with on a frame that needs one

	cropped, worked []byte // kept between frames to spare the collector
}

// After this many frames without it a symbol may be anywhere again.
const forget = 12

// Areas above this many pixels are not doubled: it would cost more than the
// frames that are missed meanwhile.
const maxDoubled = 700 * 700

// NewReader returns a Reader that has seen nothing.
func NewReader() *Reader {
	return &Reader{
		qr: decoder.NewDecoder(),
		hints: map[gozxing.DecodeHintType]any{
			// Without it the character set is guessed and bytes are lost.
			gozxing.DecodeHintType_CHARACTER_SET: "ISO-8859-1",
		},
		now: time.Now,
	}
}

// Read returns the symbols in a frame, at present at most one. One pass over
// the frame is always made. Further treatments of the likely areas are begun
// only while less than budget has gone by, the best first and the others in
// turn from frame to frame; the last one begun may run over. A frame that fails
// Luma.Check has none.
func (r *Reader) Read(l Luma, budget time.Duration) []Symbol {
	if l.Check() != nil {
		return nil
	}
	begin := r.now()
	inTime := func() bool { return r.now().Sub(begin) < budget }
	areas := r.areas(l)
	for _, a := range areas {
		if s, ok := r.decode(l, a, gozxing.NewHybridBinarizer); ok {
			return r.hit(s, l)
		}
	}
	if len(areas) > 0 && inTime() {
		// Of the symbols that an area holds and the pass above missed, this
		// reads far more than the whole frame does.
		if s, ok := retryDoubled(r, l, areas[0]); ok {
			return r.hit(s, l)
		}
	}
	if s, ok := r.decode(l, image.Rect(0, 0, l.W, l.H), gozxing.NewHybridBinarizer); ok {
		return r.hit(s, l)
	}
	list := retries()
	for range len(list) * len(areas) {
		if !inTime() {
			break
		}
		a, try := areas[r.turn/len(list)%len(areas)], list[r.turn%len(list)]
		if s, ok := try(r, l, a); ok {
			return r.hit(s, l)
		}
		r.turn = (r.turn + 1) % (len(list) * maxFind)
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
	return out
}

func (r *Reader) hit(s Symbol, l Luma) []Symbol {
	var box image.Rectangle
	for i, c := range s.Corners {
		p := image.Pt(int(c[0]), int(c[1]))
		at := image.Rectangle{Min: p, Max: p.Add(image.Pt(1, 1))}
		if i == 0 {
			box = at
		} else {
			box = box.Union(at)
		}
	}
	r.last, r.missed = grow(box, l), 0
	return []Symbol{s}
}

func (r *Reader) miss() []Symbol {
	if r.missed++; r.missed >= forget {
		r.last = image.Rectangle{}
	}
	return nil
}

// retry treats an area and decodes it again.
type retry func(r *Reader, l Luma, area image.Rectangle) (Symbol, bool)

// retries in the order in which they pay. The doubled first area, which pays
// most, has been tried before them.
func retries() []retry {
	return []retry{retryStretched, retryInverted, retryDoubled, retryGlobal}
}

func retryDoubled(r *Reader, l Luma, area image.Rectangle) (Symbol, bool) {
	if area.Dx()*area.Dy() > maxDoubled {
		return Symbol{}, false
	}
	c := r.crop(l, area)
	big := double(c, r.worked)
	r.worked = big.Pix
	s, ok := r.decode(big, image.Rect(0, 0, big.W, big.H), gozxing.NewHybridBinarizer)
	for i := range s.Corners {
		s.Corners[i][0] /= 2
		s.Corners[i][1] /= 2
	}
	return moved(s, area.Min), ok
}

func retryStretched(r *Reader, l Luma, area image.Rectangle) (Symbol, bool) {
	return r.decodeTreated(stretch(r.smoothed(l, area)), area, gozxing.NewHybridBinarizer)
}

func retryGlobal(r *Reader, l Luma, area image.Rectangle) (Symbol, bool) {
	return r.decodeTreated(r.smoothed(l, area), area, gozxing.NewGlobalHistgramBinarizer)
}

func retryInverted(r *Reader, l Luma, area image.Rectangle) (Symbol, bool) {
	return r.decodeTreated(invert(r.crop(l, area)), area, gozxing.NewHybridBinarizer)
}

func (r *Reader) crop(l Luma, area image.Rectangle) Luma {
	c := crop(l, area, r.cropped)
	r.cropped = c.Pix
	return c
}

func (r *Reader) smoothed(l Luma, area image.Rectangle) Luma {
	s := smooth(r.crop(l, area), r.worked)
	r.worked = s.Pix
	return s
}

func (r *Reader) decodeTreated(t Luma, area image.Rectangle, bin binarizer) (Symbol, bool) {
	s, ok := r.decode(t, image.Rect(0, 0, t.W, t.H), bin)
	return moved(s, area.Min), ok
}

func moved(s Symbol, by image.Point) Symbol {
	for i := range s.Corners {
		s.Corners[i][0] += float32(by.X)
		s.Corners[i][1] += float32(by.Y)
	}
	return s
}
