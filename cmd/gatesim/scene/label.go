package scene

import (
	"image"
	"image/color"
	"image/draw"
	"math/rand/v2"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// Symbol is a QR symbol's modules, without the quiet zone.
type Symbol struct {
	Size  int
	Black func(x, y int) bool
}

const (
	modulePix = 6 // label pixels per module
	quiet     = 4 // modules of white around a symbol
)

// Damage says what is wrong with a printed pass.
type Damage int

// The kinds of damage.
const (
	Whole   Damage = iota
	Ruined         // torn and smeared: no reader can read it
	flipped        // the blank back side
)

// label prints a pass: the words at the left, the symbol at the right.
func label(s Symbol, words []string, d Damage, r *rand.Rand) *image.Gray {
	qr := (s.Size + 2*quiet) * modulePix
	img := image.NewGray(image.Rect(0, 0, qr+460, max(qr+40, 420)))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.Gray{238}), image.Point{}, draw.Src)
	if d == flipped {
		return img
	}
	for i, w := range words {
		print3x(img, 30, 60+i*52, w)
	}
	ox, oy := 440+quiet*modulePix, (img.Rect.Dy()-qr)/2+quiet*modulePix
	for y := range s.Size * modulePix {
		for x := range s.Size * modulePix {
			if s.Black(x/modulePix, y/modulePix) {
				img.SetGray(ox+x, oy+y, color.Gray{26})
			}
		}
	}
	if d == Ruined {
		ruin(img, image.Rect(ox, oy, ox+s.Size*modulePix, oy+s.Size*modulePix), r)
	}
	return img
}

// print3x prints a line in large letters.
func print3x(img *image.Gray, x, y int, text string) {
	small := image.NewGray(image.Rect(0, 0, 7*len(text)+2, 14))
	draw.Draw(small, small.Bounds(), image.NewUniform(color.Gray{238}), image.Point{}, draw.Src)
	d := font.Drawer{Dst: small, Src: image.NewUniform(color.Gray{40}), Face: basicfont.Face7x13, Dot: fixed.P(1, 11)}
	d.DrawString(text)
	to := image.Rect(x, y, x+small.Rect.Dx()*5/2, y+small.Rect.Dy()*5/2).Intersect(image.Rect(0, 0, 440, img.Rect.Dy()))
	xdraw.BiLinear.Scale(img, to, small, image.Rect(0, 0, to.Dx()*2/5, to.Dy()*2/5), draw.Src, nil)
}

// ruin tears two finder patterns off and smears stripes over the rest.
func ruin(img *image.Gray, qr image.Rectangle, r *rand.Rand) {
	third := qr.Dx() / 3
	white := image.NewUniform(color.Gray{225})
	draw.Draw(img, image.Rect(qr.Min.X-20, qr.Min.Y-20, qr.Min.X+third, qr.Min.Y+third), white, image.Point{}, draw.Src)
	draw.Draw(img, image.Rect(qr.Max.X-third, qr.Min.Y-20, qr.Max.X+20, qr.Min.Y+third), white, image.Point{}, draw.Src)
	for range 14 {
		y := qr.Min.Y + r.IntN(qr.Dy())
		dark := image.NewUniform(color.Gray{uint8(60 + r.IntN(120))})
		draw.Draw(img, image.Rect(qr.Min.X, y, qr.Max.X, min(y+8+r.IntN(10), qr.Max.Y)), dark, image.Point{}, draw.Src)
	}
}

// SymbolOf takes a symbol drawn with one pixel a module, with or without its
// quiet zone.
func SymbolOf(img *image.Gray) Symbol {
	b := img.Bounds()
	dark := func(x, y int) bool { return img.GrayAt(x, y).Y < 128 }
	off := 0
	for off < b.Dx()/2 && !dark(b.Min.X+off, b.Min.Y+off) {
		off++
	}
	return Symbol{Size: b.Dx() - 2*off, Black: func(x, y int) bool { return dark(b.Min.X+off+x, b.Min.Y+off+y) }}
}
