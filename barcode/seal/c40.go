package seal

import (
	"errors"
	"strings"
)

// ErrC40 is returned for bytes or text outside the C40 subset of ICAO Doc
// 9303-13 §2.6: digits, capital letters and the space that stands for the
// MRZ's filler.
var ErrC40 = errors.New("not C40 text")

// The filler '<' is written as a space: they cannot be told apart afterwards.
const c40Alphabet = " 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

const (
	c40First = 3    // value of the space, the alphabet's first character
	c40Pad   = 0    // shift 1, which fills up a last pair
	c40Plain = 0xFE // announces one character in ASCII, plus one
)

// EncodeC40 encodes text of digits, capital letters, spaces and '<'.
func EncodeC40(text string) ([]byte, error) {
	values := make([]int, 0, len(text))
	for i := range len(text) {
		at := strings.IndexByte(c40Alphabet, plainFiller(text[i]))
		if at < 0 {
			return nil, ErrC40
		}
		values = append(values, at+c40First)
	}
	out := make([]byte, 0, (len(values)+2)/3*2)
	for len(values) >= 2 {
		u3, used := c40Pad, 2
		if len(values) > 2 {
			u3, used = values[2], 3
		}
		n := 1600*values[0] + 40*values[1] + u3 + 1
		out = append(out, byte(n>>8), byte(n))
		values = values[used:]
	}
	if len(values) == 1 {
		out = append(out, c40Plain, c40Alphabet[values[0]-c40First]+1)
	}
	return out, nil
}

// DecodeC40 decodes what EncodeC40 makes, and nothing else: each text has one
// encoding. Fillers come back as spaces.
func DecodeC40(b []byte) (string, error) {
	if len(b)%2 != 0 {
		return "", ErrC40
	}
	var text strings.Builder
	text.Grow(len(b) / 2 * 3)
	for ; len(b) > 0; b = b[2:] {
		last := len(b) == 2
		if b[0] == c40Plain {
			if !last || b[1] == 0 || strings.IndexByte(c40Alphabet, b[1]-1) < 0 {
				return "", ErrC40
			}
			text.WriteByte(b[1] - 1)
			continue
		}
		n := (int(b[0])<<8 | int(b[1])) - 1
		if n < 0 || n >= 40*40*40 {
			return "", ErrC40
		}
		for i, v := range [3]int{n / 1600, n / 40 % 40, n % 40} {
			if v == c40Pad && last && i == 2 {
				break
			}
			if v < c40First {
				return "", ErrC40
			}
			text.WriteByte(c40Alphabet[v-c40First])
		}
	}
	return text.String(), nil
}

func plainFiller(c byte) byte {
	if c == '<' {
		return ' '
	}
	return c
}
