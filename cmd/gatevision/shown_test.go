package main

import (
	"math/rand/v2"
	"testing"
)

const testW, testH = 320, 256

// desk is a dim desk with noise, and a printed card of so many blocks a
// side on it.
func desk(card int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	pix := make([]byte, testW*testH)
	for i := range pix {
		pix[i] = byte(88 + i%testW/20 + r.IntN(16)) // lit from one side
	}
	for y := range card * blockSide {
		for x := range card * blockSide {
			pix[y*testW+x] = byte(230 - 200*(x/3%2))
		}
	}
	return pix
}

func TestShownTellsACardFromAnEmptyDesk(t *testing.T) {
	var s shown
	session := func(cards ...int) (said int) {
		s.begin()
		for i, c := range cards {
			if s.frame(desk(c, uint64(i)), testW, testH) {
				said++
			}
		}
		return said
	}
	for _, c := range []struct {
		name  string
		cards []int
		want  int
	}{
		{"an empty desk", []int{0, 0, 0, 0}, 0},
		{"a card comes", []int{0, 0, 4, 4, 4, 4}, 1},
		{"one frame of something", []int{0, 4, 0, 4, 0}, 0},
		{"something small", []int{0, 2, 2, 2}, 0},
		{"a card is there from the start", []int{4, 4, 4}, 1},
		{"nothing again", []int{0, 0, 0}, 0},
	} {
		if got := session(c.cards...); got != c.want {
			t.Errorf("%s: said %d times, want %d", c.name, got, c.want)
		}
	}
	// Something is left lying: after a while it belongs to the place.
	said := 0
	for range 2 * emptyOf {
		said = session(4, 4, 4)
	}
	if said != 0 {
		t.Error("what lies there always is still called shown")
	}
	if session(4, 6, 6) != 1 {
		t.Error("a card beside it is not")
	}
}

func TestShownTakesAnySize(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {blockSide, blockSide}, {33, 95}, {320, 31}} {
		var s shown
		s.begin()
		s.frame(make([]byte, size[0]*size[1]), size[0], size[1])
	}
}

func BenchmarkShown(b *testing.B) {
	pix := make([]byte, 1280*720)
	for b.Loop() {
		printed(pix, 1280, 720)
	}
}
