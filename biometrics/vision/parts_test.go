package vision

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// clock counts the times that it was asked.
func clock() func() int64 {
	var n int64
	return func() int64 { n++; return n }
}

// all reads a stream to its end.
func all(r io.Reader, boundary string) (list []string, times []int64, err error) {
	p := newParts(r, boundary, clock())
	for {
		b, at, err := p.next(nil)
		if err != nil {
			return list, times, err
		}
		list, times = append(list, string(b)), append(times, at)
	}
}

func TestBoundaryOf(t *testing.T) {
	for in, want := range map[string]string{
		"multipart/x-mixed-replace; boundary=frame":                 "frame",
		"multipart/x-mixed-replace;boundary=--frame":                "--frame",
		`Multipart/X-Mixed-Replace; charset=x; Boundary="my frame"`: "my frame",
		"multipart/mixed; boundary=gc0p4Jq0M2Yt08==":                "gc0p4Jq0M2Yt08==",
		"multipart/x-mixed-replace":                                 "",
	} {
		if got, ok := boundaryOf(in); !ok || got != want {
			t.Errorf("%q: %q, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "image/jpeg", "text/html; boundary=frame", "x-multipart/mixed"} {
		if _, ok := boundaryOf(in); ok {
			t.Errorf("%q is taken for a stream of parts", in)
		}
	}
}

func TestParts(t *testing.T) {
	const lengths = "--f\r\nContent-Type: image/jpeg\r\nContent-Length: 5\r\n\r\none\r\n\r\n--f\r\ncontent-length:4\r\n\r\n--f\n\r\n--f--\r\n"
	for name, c := range map[string]struct {
		boundary, in string
		want         []string
		ends         error
	}{
		"lengths":                    {"f", lengths, []string{"one\r\n", "--f\n"}, io.EOF},
		"dashes announced":           {"--f", lengths, []string{"one\r\n", "--f\n"}, io.EOF},
		"none announced":             {"", lengths, []string{"one\r\n", "--f\n"}, io.EOF},
		"dashes left out":            {"--f", "f\r\n\r\none\r\nf\r\n\r\ntwo\r\nf--\r\n", []string{"one", "two"}, io.EOF},
		"more dashes":                {"f", "----f\r\n\r\none\r\n--f\r\n----f\r\n\r\ntwo\r\n----f--", []string{"one\r\n--f", "two"}, io.EOF},
		"no lengths":                 {"f", "--f\r\nContent-Type: image/jpeg\r\n\r\none\ntwo\r\n--f\r\n\r\nthree\r\n--f--\r\n", []string{"one\ntwo", "three"}, io.EOF},
		"no carriage returns":        {"f", "--f\n\none\n--f\nContent-Length: 3\n\ntwo\n--f--\n", []string{"one", "two"}, io.EOF},
		"words before":               {"f", "hello\r\n--fine\r\n\r\n--f\r\n\r\none\r\n--f--\r\n", []string{"one"}, io.EOF},
		"length too small":           {"f", "--f\r\nContent-Length: 2\r\n\r\none\r\n--f\r\nContent-Length: 3\r\n\r\ntwo\r\n--f--\r\n", []string{"on", "two"}, io.EOF},
		"empty":                      {"f", "--f\r\n\r\n--f\r\nContent-Length: 0\r\n\r\n\r\n--f--\r\n", []string{"", ""}, io.EOF},
		"nothing after the end":      {"f", "--f\r\n\r\none\r\n--f--\r\n\r\n--f\r\n\r\ntwo\r\n--f\r\n", []string{"one"}, io.EOF},
		"no end":                     {"f", "--f\r\nContent-Length: 3\r\n\r\none\r\n", []string{"one"}, io.EOF},
		"nothing":                    {"f", "", nil, io.EOF},
		"the end at once":            {"f", "--f--\r\n", nil, io.EOF},
		"a name with dashes":         {"--f--", "--f--\r\n\r\none\r\n--f----\r\n", []string{"one"}, io.EOF},
		"cut inside, with length":    {"f", "--f\r\nContent-Length: 30\r\n\r\none\r\n", nil, io.ErrUnexpectedEOF},
		"cut inside, no length":      {"f", "--f\r\n\r\none\r\n", nil, io.EOF},
		"cut inside a header":        {"f", "--f\r\nContent-Le", nil, io.EOF},
		"half a boundary at the end": {"f", "--f\r\n\r\none\r\n--f", nil, io.EOF},
	} {
		for _, r := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in)), iotest.DataErrReader(strings.NewReader(c.in))} {
			got, _, err := all(r, c.boundary)
			if !slices.Equal(got, c.want) || !errors.Is(err, c.ends) {
				t.Errorf("%s: %q, %v; want %q, %v", name, got, err, c.want, c.ends)
			}
		}
	}
}

// zeros gives a byte for ever, after what comes first.
func zeros(first string, b byte) io.Reader {
	return io.MultiReader(strings.NewReader(first), endless(b))
}

type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func TestPartsAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		in   io.Reader
		want string
	}{
		"giant length":        {strings.NewReader("--f\r\nContent-Length: 8388609\r\n\r\n"), "larger than 8388608 bytes"},
		"absurd length":       {strings.NewReader("--f\r\nContent-Length: 99999999999999999999\r\n\r\n"), "no number"},
		"negative length":     {strings.NewReader("--f\r\nContent-Length: -1\r\n\r\n"), "no number"},
		"endless part":        {zeros("--f\r\n\r\n", 'x'), "larger than 8388608 bytes"},
		"endless lines":       {zeros("--f\r\n\r\n", '\n'), "larger than 8388608 bytes"},
		"endless header":      {io.MultiReader(strings.NewReader("--f\r\n"), repeat("X-Y: z\r\n")), "header is longer than"},
		"endless header line": {zeros("--f\r\nX-Y: ", 'x'), "header is longer than"},
		"no boundary at all":  {endless(0), "no boundary"},
	} {
		if got, _, err := all(c.in, "f"); len(got) != 0 || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d parts, %v", name, len(got), err)
		}
	}
}

// repeat says the same for ever.
func repeat(s string) io.Reader { return &again{s: s} }

type again struct {
	s string
	i int
}

func (a *again) Read(p []byte) (int, error) {
	n := copy(p, a.s[a.i:])
	a.i = (a.i + n) % len(a.s)
	return n, nil
}

// TestPartsAreStampedAtTheirLastByte has each piece come by itself, the boundary after an open part with the next part.
func TestPartsAreStampedAtTheirLastByte(t *testing.T) {
	for name, c := range map[string]struct {
		pieces []string
		want   []int64
	}{
		"lengths":    {[]string{"--f\r\nContent-Length: 6\r\n\r\n", "one", "two", "\r\n--f\r\nContent-Length: 3\r\n\r\nsix\r\n--f--"}, []int64{3, 4}},
		"no lengths": {[]string{"--f\r\n\r\none", "two\r\n", "--f\r\n\r\nsix\r\n", "--f--"}, []int64{2, 3}},
	} {
		var r []io.Reader
		for _, p := range c.pieces {
			r = append(r, strings.NewReader(p))
		}
		if got, times, err := all(io.MultiReader(r...), "f"); !slices.Equal(times, c.want) {
			t.Errorf("%s: %q at %v, want %v, %v", name, got, times, c.want, err)
		}
	}
}

func FuzzParts(f *testing.F) {
	f.Add("f", []byte("--f\r\nContent-Length: 3\r\n\r\none\r\n--f--\r\n"))
	f.Add("--f", []byte("f\n\none\ntwo\nf\n\nf--"))
	f.Add("", []byte("--x\r\nA: b\r\n\r\none\r\n--x\r\nContent-Length: 9\r\n\r\ntwo"))
	f.Fuzz(func(t *testing.T, boundary string, in []byte) {
		list, _, err := all(strings.NewReader(string(in)), boundary)
		total := 0
		for _, p := range list {
			total += len(p)
		}
		if err == nil || total > len(in) {
			t.Fatalf("%d bytes of %d, %v", total, len(in), err)
		}
		slow, times, err2 := all(iotest.OneByteReader(strings.NewReader(string(in))), boundary)
		if !slices.Equal(list, slow) || err.Error() != err2.Error() || !slices.IsSorted(times) {
			t.Fatalf("at once: %q, %v; byte by byte: %q, %v", list, err, slow, err2)
		}
	})
}
