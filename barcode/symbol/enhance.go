package symbol

import (
	"image"
	"slices"
)

// crop copies an area, so that what is done to it does not change the frame.
func crop(l Luma, area image.Rectangle, buf []byte) Luma {
	w, h := area.Dx(), area.Dy()
	out := Luma{Pix: sized(buf, w*h), Stride: w, W: w, H: h}
	for y := range h {
		copy(out.Pix[y*w:(y+1)*w], l.Pix[(area.Min.Y+y)*l.Stride+area.Min.X:])
	}
	return out
}

// double returns the frame at twice its size, bilinear. Small modules fall
// between the samples of the decoder's grid otherwise.
func double(l Luma, buf []byte) Luma {
	w, h := 2*l.W, 2*l.H
	out := Luma{Pix: sized(buf, w*h), Stride: w, W: w, H: h}
	for y := range h {
		// Output pixel centres lie a quarter off the input's.
		y0 := (y - 1) >> 1
		y1 := min(y0+1, l.H-1)
		wy1 := 1 + 2*(1-y&1) // 3 for even rows, 1 for odd
		wy0 := 4 - wy1
		y0 = max(y0, 0)
		a := l.Pix[y0*l.Stride:][:l.W]
		b := l.Pix[y1*l.Stride:][:l.W]
		row := out.Pix[y*w:][:w]
		prev := wy0*int(a[0]) + wy1*int(b[0])
		for x := range l.W {
			here := wy0*int(a[x]) + wy1*int(b[x])
			next := here
			if x+1 < l.W {
				next = wy0*int(a[x+1]) + wy1*int(b[x+1])
			}
			row[2*x] = byte((prev + 3*here + 8) >> 4)
			row[2*x+1] = byte((3*here + next + 8) >> 4)
			prev = here
		}
	}
	return out
}

// smooth replaces each inner pixel by the mean of its 3 by 3 neighbours.
func smooth(l Luma, buf []byte) Luma {
	out := Luma{Pix: sized(buf, l.W*l.H), Stride: l.W, W: l.W, H: l.H}
	for y := range l.H {
		a := l.Pix[max(y-1, 0)*l.Stride:][:l.W]
		b := l.Pix[y*l.Stride:][:l.W]
		c := l.Pix[min(y+1, l.H-1)*l.Stride:][:l.W]
		row := out.Pix[y*l.W:][:l.W]
		left := int(a[0]) + int(b[0]) + int(c[0])
		here := left
		for x := range l.W {
			right := here
			if x+1 < l.W {
				right = int(a[x+1]) + int(b[x+1]) + int(c[x+1])
			}
			row[x] = byte((left + here + right) / 9)
			left, here = here, right
		}
	}
	return out
}

// stretch spreads the contrast in place, tile by tile with its neighbours:
// the hybrid binarizer takes blocks with less than 24 grey levels for plain.
func stretch(l Luma) Luma {
	const tile, flat = 24, 10
	tw, th := (l.W+tile-1)/tile, (l.H+tile-1)/tile
	low, high := tileBounds(l, tile, tw, th)
	for ty := range th {
		for tx := range tw {
			lo, hi := byte(255), byte(0)
			for y := max(ty-1, 0); y <= min(ty+1, th-1); y++ {
				for x := max(tx-1, 0); x <= min(tx+1, tw-1); x++ {
					lo, hi = min(lo, low[y*tw+x]), max(hi, high[y*tw+x])
				}
			}
			var table [256]byte
			for v := range table {
				table[v] = 255 // a plain tile is paper
				if hi > lo && hi-lo >= flat {
					table[v] = byte((min(max(v, int(lo)), int(hi)) - int(lo)) * 255 / int(hi-lo))
				}
			}
			for y := ty * tile; y < min((ty+1)*tile, l.H); y++ {
				row := l.Pix[y*l.Stride+tx*tile : y*l.Stride+min((tx+1)*tile, l.W)]
				for x, v := range row {
					row[x] = table[v]
				}
			}
		}
	}
	return l
}

func tileBounds(l Luma, tile, tw, th int) (low, high []byte) {
	low, high = make([]byte, tw*th), make([]byte, tw*th)
	for i := range low {
		x0, y0 := i%tw*tile, i/tw*tile
		lo, hi := byte(255), byte(0)
		for y := y0; y < min(y0+tile, l.H); y++ {
			row := l.Pix[y*l.Stride+x0 : y*l.Stride+min(x0+tile, l.W)]
			lo, hi = min(lo, slices.Min(row)), max(hi, slices.Max(row))
		}
		low[i], high[i] = lo, hi
	}
	return low, high
}

func sized(buf []byte, n int) []byte {
	if cap(buf) < n {
		return make([]byte, n)
	}
	return buf[:n]
}
