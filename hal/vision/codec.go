package vision

import (
	"encoding/binary"
	"fmt"
	"math"
)

// encoder appends fields in network byte order. The first error stays.
type encoder struct {
	buf []byte
	err error
}

func (e *encoder) u8(v uint8)     { e.buf = append(e.buf, v) }
func (e *encoder) u32(v uint32)   { e.buf = binary.BigEndian.AppendUint32(e.buf, v) }
func (e *encoder) i64(v int64)    { e.buf = binary.BigEndian.AppendUint64(e.buf, uint64(v)) }
func (e *encoder) text(s string)  { e.bytes([]byte(s[:min(len(s), maxText)])) }
func (e *encoder) bytes(b []byte) { e.u32(uint32(len(b))); e.buf = append(e.buf, b...) }
func (e *encoder) floats(v []float32) {
	e.u32(uint32(len(v)))
	for _, f := range v {
		e.f32(f)
	}
}

// f32 refuses what the other end would refuse.
func (e *encoder) f32(v float32) {
	if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
		e.err = fmt.Errorf("%w: a number is not finite", ErrBody)
	}
	e.u32(math.Float32bits(v))
}

func (e *encoder) bool(v bool) {
	if v {
		e.u8(1)
		return
	}
	e.u8(0)
}

// decoder takes fields off the front. After the first error every field is zero.
type decoder struct {
	buf []byte
	err error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
	d.buf = nil
}

func (d *decoder) take(n int) []byte {
	if d.err != nil || n < 0 || n > len(d.buf) {
		d.fail("ends early")
		return nil
	}
	b := d.buf[:n]
	d.buf = d.buf[n:]
	return b
}

func (d *decoder) u8() uint8 {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) i64() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// f32 refuses what is not finite: one NaN in a vector would make every later comparison silently false.
func (d *decoder) f32() float32 {
	v := math.Float32frombits(d.u32())
	if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
		d.fail("a number is not finite")
		return 0
	}
	return v
}

func (d *decoder) bool() bool {
	v := d.u8()
	if v > 1 {
		d.fail("truth value %d", v)
	}
	return v == 1
}

// bytes returns a copy, at most limit long; nil when empty.
func (d *decoder) bytes(limit int) []byte {
	n := d.u32()
	if uint64(n) > uint64(limit) {
		d.fail("field of %d bytes, at most %d", n, limit)
		return nil
	}
	b := d.take(int(n))
	if len(b) == 0 {
		return nil
	}
	return append([]byte(nil), b...)
}

func (d *decoder) text(limit int) string { return string(d.bytes(limit)) }

func (d *decoder) floats(limit int) []float32 {
	n := d.u32()
	if uint64(n) > uint64(limit) || uint64(n)*4 > uint64(len(d.buf)) {
		d.fail("field of %d numbers, at most %d", n, limit)
		return nil
	}
	if n == 0 {
		return nil
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = d.f32()
	}
	return v
}
