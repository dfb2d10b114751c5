package scene

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
)

// Fumble says how a traveller first holds his pass wrongly.
type Fumble int

// The ways to fumble with a pass.
const (
	NoFumble   Fumble = iota
	UpsideDown        // the symbol stands on its head; a reader does not mind
	BackFirst         // its blank side up first
	TooFar            // too far away first: less than a pixel a module, and unsharp
)

// PassClip is what the document camera sees of one traveller. Hold is played
// to and fro for as long as the pass is held.
type PassClip struct {
	Fumble []Frame // before the hold; in view, not to be read
	Hold   []Frame
	Leave  []Frame
}

// PassOptions say which pass is held and how.
type PassOptions struct {
	Seed         uint64
	Symbol       Symbol
	Words        []string // printed beside the symbol
	Damage       Damage
	Fumble       Fumble
	FumbleFrames int
	Hold         int // different frames of the hold
}

// Desk draws pass clips; it is safe for concurrent use.
type Desk struct {
	top   canvas
	noise *noise
}

// NewDesk makes the gate's document camera and what it looks at.
func NewDesk() *Desk {
	r := rand.New(rand.NewPCG(0x9a7e, 2))
	d := &Desk{top: backdrop(r, 92, 124, 132), noise: newNoise(r)}
	return d
}

// Idle is what the camera sees with no pass there, to be played to and fro.
func (d *Desk) Idle(n int) ([]Frame, error) {
	r := rand.New(rand.NewPCG(0x1d1e, 2))
	out := make([]Frame, 0, n)
	for range n {
		f, err := d.finish(d.top.copyOf(), Truth{}, r)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// held is where and how a card is held.
type held struct {
	x, y         float64 // its middle in the picture
	scale        float64 // picture pixels per label pixel, face on
	roll         float64 // radians, in the picture's plane
	tiltX, tiltY float64 // radians
	gain         float64
	soft         int // blur radius in label pixels
	thumbX       float64
}

type grip struct {
	x, y, roll, tiltX, tiltY, period, sway, gain, scale, thumb float64
}

func newGrip(r *rand.Rand) grip {
	u := func(lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }
	return grip{
		x: u(610, 670), y: u(340, 380), roll: u(-0.17, 0.17), tiltX: u(-0.22, 0.22), tiltY: u(-0.22, 0.22),
		period: u(0.8, 1.4), sway: u(2, 6), gain: u(0.86, 1.04), scale: u(4.2, 4.8) / modulePix, thumb: u(0.2, 0.7),
	}
}

func (g grip) at(t float64) held {
	a := 2 * math.Pi * t / g.period
	return held{
		x: g.x + g.sway*math.Sin(a), y: g.y + g.sway*math.Cos(0.8*a), scale: g.scale * (1 + 0.015*math.Sin(0.7*a)),
		roll: g.roll + 0.02*math.Sin(0.9*a), tiltX: g.tiltX + 0.02*math.Sin(a), tiltY: g.tiltY + 0.02*math.Cos(a),
		gain: g.gain, thumbX: g.thumb,
	}
}

// Clip draws one traveller's pass.
func (d *Desk) Clip(o PassOptions) (PassClip, error) {
	r := rand.New(rand.NewPCG(o.Seed, 0xd0c))
	card, g := label(o.Symbol, o.Words, o.Damage, r), newGrip(r)
	if o.Fumble == UpsideDown {
		g.roll += math.Pi
	}
	var c PassClip
	var err error
	shoot := func(to *[]Frame, card *image.Gray, h held, t Truth) {
		cv := d.top.copyOf()
		drawCard(cv, card, h)
		var f Frame
		if f, err = d.finish(cv, t, r); err == nil {
			*to = append(*to, f)
		}
	}
	back := label(o.Symbol, nil, flipped, r)
	for i := 0; err == nil && i < o.FumbleFrames && o.Fumble != NoFumble && o.Fumble != UpsideDown; i++ {
		h := g.at(float64(i) / FPS)
		first := card
		if o.Fumble == BackFirst {
			first = back
		} else {
			h.scale, h.soft = h.scale*0.2, 5
		}
		shoot(&c.Fumble, first, h, Truth{InView: true})
	}
	readable := Truth{InView: true, Usable: o.Damage == Whole}
	for i := 0; err == nil && i < o.Hold; i++ {
		shoot(&c.Hold, card, g.at(float64(i)/FPS), readable)
	}
	for i := 0; err == nil && i < 2; i++ {
		h := g.at(0)
		h.y, h.soft = h.y+260*float64(i+1), 4
		shoot(&c.Leave, card, h, Truth{})
	}
	if err != nil {
		return PassClip{}, fmt.Errorf("draw pass frame: %w", err)
	}
	return c, nil
}

func (d *Desk) finish(c canvas, t Truth, r *rand.Rand) (Frame, error) {
	d.noise.add(c, 2.2, r)
	b, err := c.encode()
	return Frame{JPEG: b, Truth: t}, err
}

// homography maps a picture's point to the card's plane; row-major 3x3.
type homography [9]float64

// focal is the camera's focal length in pixels.
const focal = 1100

// toCard inverts the projection of a card turned and tilted as h says.
func toCard(h held) homography {
	sr, cr := math.Sincos(h.roll)
	sx, cx := math.Sincos(h.tiltX)
	sy, cy := math.Sincos(h.tiltY)
	// The card's axes after roll, then the tilts: R = Ry * Rx * Rz.
	ax := [3]float64{cy*cr + sy*sx*sr, cx * sr, -sy*cr + cy*sx*sr}
	ay := [3]float64{-cy*sr + sy*sx*cr, cx * cr, sy*sr + cy*sx*cr}
	z := focal / h.scale // distance in label pixels at which the scale holds
	m := homography{
		focal*ax[0] + (h.x-Width/2)*ax[2], focal*ay[0] + (h.x-Width/2)*ay[2], (h.x - Width/2) * z,
		focal*ax[1] + (h.y-Height/2)*ax[2], focal*ay[1] + (h.y-Height/2)*ay[2], (h.y - Height/2) * z,
		ax[2], ay[2], z,
	}
	return m.inverse()
}

func (m homography) inverse() homography {
	c := func(a, b, d, e int) float64 { return m[a]*m[e] - m[b]*m[d] }
	adj := homography{
		c(4, 5, 7, 8), -c(1, 2, 7, 8), c(1, 2, 4, 5),
		-c(3, 5, 6, 8), c(0, 2, 6, 8), -c(0, 2, 3, 5),
		c(3, 4, 6, 7), -c(0, 1, 6, 7), c(0, 1, 3, 4),
	}
	return adj // up to a factor, which a projection does not see
}

// drawCard sets the card and the thumb that holds it into the picture.
func drawCard(c canvas, card *image.Gray, h held) {
	w, ht := card.Rect.Dx(), card.Rect.Dy()
	pix := card.Pix
	if h.soft > 0 {
		pix = boxBlur(pix, w, ht, h.soft)
	}
	m := toCard(h)
	thumbX, thumbY := h.thumbX*400, float64(ht)-4
	for y := range Height {
		for x := range Width {
			px, py := float64(x)-Width/2, float64(y)-Height/2
			k := 1 / (m[6]*px + m[7]*py + m[8])
			sx := (m[0]*px+m[1]*py+m[2])*k + float64(w)/2
			sy := (m[3]*px+m[4]*py+m[5])*k + float64(ht)/2
			if skin := 1 - smooth(0.9, 1.05, ellipse(sx, sy, thumbX, thumbY, 60, 78)); skin > 0 && sx > -80 {
				c.put(x, y, 150, 112, 150, skin)
				continue
			}
			if sx < 0 || sy < 0 || sx >= float64(w-1) || sy >= float64(ht-1) {
				continue
			}
			c.put(x, y, bilinear(pix, w, sx, sy)*h.gain, 127, 129, 1)
		}
	}
}

func bilinear(p []uint8, w int, x, y float64) float64 {
	ix, iy := int(x), int(y)
	i := iy*w + ix
	fx, fy := x-float64(ix), y-float64(iy)
	top := float64(p[i])*(1-fx) + float64(p[i+1])*fx
	low := float64(p[i+w])*(1-fx) + float64(p[i+w+1])*fx
	return top*(1-fy) + low*fy
}

func (c canvas) put(x, y int, luma, cb, cr, share float64) {
	i := y*c.YStride + x
	a := int32(share * 255)
	c.Y[i] = over(c.Y[i], int32(luma), a)
	if x&1 == 0 && y&1 == 0 {
		j := (y/2)*c.CStride + x/2
		c.Cb[j], c.Cr[j] = over(c.Cb[j], int32(cb), a), over(c.Cr[j], int32(cr), a)
	}
}
