package symbol

import (
	"image"
	"slices"
)

const (
	block   = 16 // pixels a side
	maxFind = 2  // areas looked at in a frame
	maxSeen = 5  // areas returned by locate
	fine    = 8  // parts of a grey level that scores are counted in
)

// locate returns the areas of a frame that most look like a matrix code:
// blocks with strong edges both ways, which print and texture have less of.
// The best comes first; none is found in a plain frame.
func locate(l Luma) []image.Rectangle {
	bw, bh := l.W/block, l.H/block
	if bw < 3 || bh < 3 {
		return nil
	}
	score := smoothBlocks(blockScores(l, bw, bh), bw, bh)
	// Noise makes edges everywhere.
	floor := slices.Sorted(slices.Values(score))[len(score)/4]
	for i := range score {
		score[i] = max(score[i]-floor, 0)
	}
	top := slices.Max(score)
	const plain = 3 * fine // grey levels a step: less is a grain
	if top < plain {
		return nil
	}
	type area struct {
		rect  image.Rectangle
		score int
	}
	var areas []area
	queue := make([]int, 0, len(score))
	for i := range score {
		if score[i]*3 < top {
			continue
		}
		// Collect the connected blocks, emptying them on the way.
		rect, sum := image.Rectangle{}, 0
		queue = append(queue[:0], i)
		for len(queue) > 0 {
			j := queue[len(queue)-1]
			queue = queue[:len(queue)-1]
			if score[j]*3 < top {
				continue
			}
			x, y := j%bw, j/bw
			sum += score[j]
			score[j] = 0
			rect = rect.Union(image.Rect(x, y, x+1, y+1))
			queue = appendNeighbours(queue, j, bw, bh)
		}
		// A code stands as a square, print and edges as lines.
		if long, short := max(rect.Dx(), rect.Dy()), min(rect.Dx(), rect.Dy()); long <= 3*short {
			areas = append(areas, area{rect, sum})
		}
	}
	slices.SortStableFunc(areas, func(a, b area) int { return b.score - a.score })
	var out []image.Rectangle
	for _, a := range areas[:min(len(areas), maxSeen)] {
		r := image.Rect(a.rect.Min.X*block, a.rect.Min.Y*block, a.rect.Max.X*block, a.rect.Max.Y*block)
		out = append(out, grow(r, l))
	}
	return out
}

func appendNeighbours(queue []int, i, bw, bh int) []int {
	x, y := i%bw, i/bw
	if x > 0 {
		queue = append(queue, i-1)
	}
	if x < bw-1 {
		queue = append(queue, i+1)
	}
	if y > 0 {
		queue = append(queue, i-bw)
	}
	if y < bh-1 {
		queue = append(queue, i+bw)
	}
	return queue
}

// blockScores is, per block, the smaller of the mean edge heights along and
// across sampled rows.
func blockScores(l Luma, bw, bh int) []int {
	// Rows sampled of a block, pixels between them, which must not beat with
	// modules of any even size, and between what is compared.
	const rows, apart, reach = 5, 3, 2
	out := make([]int, bw*bh)
	across, down := make([]int, bw), make([]int, bw)
	for by := range bh {
		clear(across)
		clear(down)
		for i := range rows {
			y := by*block + i*apart
			row := l.Pix[y*l.Stride:][:bw*block]
			below := l.Pix[(y+reach)*l.Stride:][:bw*block]
			for bx := range bw {
				a, b := row[bx*block:][:block], below[bx*block:][:block]
				var h, v int
				for x := i & 1; x < block-reach; x += 2 {
					h += distance(a[x], a[x+reach])
					v += distance(a[x], b[x])
				}
				across[bx] += h
				down[bx] += v
			}
		}
		for bx := range bw {
			out[by*bw+bx] = fine * min(across[bx], down[bx]) / (rows * (block - reach) / 2)
		}
	}
	return out
}

// smoothBlocks averages over 3 by 3 blocks, so that a code's areas of one
// colour do not tear it apart.
func smoothBlocks(in []int, bw, bh int) []int {
	out := make([]int, len(in))
	for y := range bh {
		for x := range bw {
			sum, n := 0, 0
			for yy := max(y-1, 0); yy <= min(y+1, bh-1); yy++ {
				for xx := max(x-1, 0); xx <= min(x+1, bw-1); xx++ {
					sum += in[yy*bw+xx]
					n++
				}
			}
			out[y*bw+x] = sum / n
		}
	}
	return out
}

func distance(a, b byte) int {
	d := int(a) - int(b)
	return max(d, -d)
}

// grow widens an area for what moved, what was missed at the rim and the quiet
// zone, within the frame.
func grow(r image.Rectangle, l Luma) image.Rectangle {
	margin := 2*block + max(r.Dx(), r.Dy())/8
	return r.Inset(-margin).Intersect(image.Rect(0, 0, l.W, l.H))
}
