package seal

import "time"

// reader takes a seal apart from the left. The first thing that does not fit
// is kept in failed; after it everything reads as zero.
type reader struct {
	rest      []byte
	at        int // offset of rest in the seal
	signedEnd int // offset of the signature's tag
	failed    string
}

func (r *reader) fail(what string) {
	if r.failed == "" {
		r.failed = what
	}
}

// take returns the next n bytes, or nil.
func (r *reader) take(n int) []byte {
	if r.failed != "" {
		return nil
	}
	if n < 0 || n > len(r.rest) {
		r.fail("truncated")
		return nil
	}
	b := r.rest[:n:n]
	r.rest, r.at = r.rest[n:], r.at+n
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) c40(n int) string {
	b := r.take(n)
	if b == nil {
		return ""
	}
	text, err := DecodeC40(b)
	if err != nil {
		r.fail("C40 text in the header")
	}
	return text
}

func (r *reader) date() time.Time {
	b := r.take(DateSize)
	if b == nil {
		return time.Time{}
	}
	t, err := DecodeDate(b)
	if err != nil {
		r.fail("date in the header")
	}
	return t
}

// length reads a value's length: one byte up to 254 in version 3, DER in
// version 4, there only in its shortest form.
func (r *reader) length(version int) int {
	first := int(r.byte())
	switch {
	case version == 3 && first == 0xFF:
		r.fail("length of a value")
		return 0
	case version == 3 || first < 0x80:
		return first
	case first == 0x80 || first > 0x82:
		// Indefinite, or longer than any seal; DER forbids leading zeros, so
		// nothing that fits is lost.
		r.fail("length of a value")
		return 0
	}
	n := 0
	for _, b := range r.take(first - 0x80) {
		n = n<<8 | int(b)
	}
	if n < 0x80 || first == 0x82 && n < 0x100 {
		r.fail("length of a value")
	}
	return n
}
