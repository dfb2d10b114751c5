package board

import (
	"bytes"
	"testing"
)

// FuzzRequest feeds the board what a wire may carry: it must neither crash nor
// lose count of a byte, and must answer nothing but whole frames.
func FuzzRequest(f *testing.F) {
	for _, p := range [][]byte{
		nil,
		{1},
		{1, 0x0F},
		{1, 0x0F, 0, 0, 0, 8, 255},
		{1, 0x8F, 0, 0},
		bytes.Repeat([]byte{1, 5}, 150),
		seal([]byte{1, 5, 2, 0, 0, 3}), seal([]byte{1, 0x0F, 0, 0, 0, 8, 1, 0xFF}), seal([]byte{1, 2, 0, 0, 0, 16}),
		append([]byte{9, 9}, seal([]byte{1, 0x10, 0x10, 0, 0, 1, 2, 0, 0})...), seal([]byte{1, 0x0F, 0, 0, 0, 8, 0}),
	} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		o := DefaultOptions()
		b := &Board{
			opts: o, inputs: make([]bool, o.Inputs), outputs: make([]bool, o.Outputs), modes: make([]uint16, o.Outputs),
			stuck: map[int]bool{}, clock: make(chan struct{}, 1),
		}
		for rest := p; len(rest) > 0; {
			frame, after, noise := next(rest)
			if noise+len(frame)+len(after) != len(rest) {
				t.Fatalf("%d bytes became %d noise, %d frame, %d rest", len(rest), noise, len(frame), len(after))
			}
			if frame == nil {
				break
			}
			reply := b.handle(frame)
			if frame[0] != o.Unit && reply != nil {
				t.Fatal("answered for another unit")
			}
			if n := len(reply); n > 0 && (n < 5 || n > maxFrame || !bytes.Equal(seal(reply[:n-2:n-2]), reply)) {
				t.Fatalf("answered % X", reply)
			}
			rest = after
		}
	})
}
