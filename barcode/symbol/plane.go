package symbol

import "math"

// plane maps points of a symbol, in modules, to pixels: a homography whose last
// element is 1.
type plane [9]float64

func (p *plane) at(x, y float64) (float64, float64) {
	z := 1 / (p[6]*x + p[7]*y + 1)
	return (p[0]*x + p[1]*y + p[2]) * z, (p[3]*x + p[4]*y + p[5]) * z
}

// pair is a point of the symbol and where it was seen.
type pair struct{ mx, my, px, py float64 }

// scaled returns the plane for pixels moved by -dx, -dy and then scaled.
func (p plane) scaled(k, dx, dy float64) plane {
	for i := range 3 {
		w := p[6+i]
		p[i] = k * (p[i] - dx*w)
		p[3+i] = k * (p[3+i] - dy*w)
	}
	return p
}

// fitPlane returns the plane nearest to the pairs, of which four with no three
// on a line are needed; three make it affine.
func fitPlane(pairs []pair) (p plane, ok bool) {
	unknowns := 8
	if len(pairs) < 4 {
		unknowns = 6
	}
	var e equations
	e.reset(8)
	for _, q := range pairs {
		e.add([]float64{q.mx, q.my, 1, 0, 0, 0, -q.mx * q.px, -q.my * q.px}, q.px, 1)
		e.add([]float64{0, 0, 0, q.mx, q.my, 1, -q.mx * q.py, -q.my * q.py}, q.py, 1)
	}
	if unknowns == 6 {
		e.pin(6)
		e.pin(7)
	}
	x, ok := e.solve(1e-9)
	if !ok {
		return p, false
	}
	copy(p[:8], x)
	p[8] = 1
	for _, v := range p {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return p, false
		}
	}
	return p, true
}

// maxUnknowns is what the widest equaliser has.
const maxUnknowns = 51

// equations are normal equations of a least squares problem.
type equations struct {
	n int
	a [maxUnknowns * maxUnknowns]float64
	b [maxUnknowns]float64
}

func (e *equations) reset(n int) {
	e.n = n
	clear(e.a[:])
	clear(e.b[:])
}

// add says that row times the unknowns is about the value.
func (e *equations) add(row []float64, value, weight float64) {
	for i, v := range row {
		v *= weight
		line := e.a[i*e.n : i*e.n+i+1]
		for j := range line {
			line[j] += v * row[j]
		}
		e.b[i] += v * value
	}
}

// pin makes an unknown zero.
func (e *equations) pin(k int) {
	for i := range e.n {
		e.a[max(i, k)*e.n+min(i, k)] = 0
	}
	e.a[k*e.n+k], e.b[k] = 1, 0
}

// solve is by Cholesky's method; ridge is added to the diagonal, relative to
// each of its elements.
func (e *equations) solve(ridge float64) ([]float64, bool) {
	n := e.n
	for i := range n {
		e.a[i*n+i] += ridge*e.a[i*n+i] + 1e-12
		for j := range i + 1 {
			sum := e.a[i*n+j]
			for k := range j {
				sum -= e.a[i*n+k] * e.a[j*n+k]
			}
			if i > j {
				e.a[i*n+j] = sum / e.a[j*n+j]
				continue
			}
			if sum <= 0 {
				return nil, false
			}
			e.a[i*n+i] = math.Sqrt(sum)
		}
	}
	x := make([]float64, n)
	for i := range n {
		sum := e.b[i]
		for k := range i {
			sum -= e.a[i*n+k] * x[k]
		}
		x[i] = sum / e.a[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			x[i] -= e.a[k*n+i] * x[k]
		}
		x[i] /= e.a[i*n+i]
	}
	return x, true
}
