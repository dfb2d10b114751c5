package vision

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Limits of a network camera's stream.
const (
	maxPart    = 8 << 20
	maxHeader  = 8 << 10
	readBuffer = 64 << 10
)

// parts reads the parts of a multipart stream as cameras send them: with or without a length, with or without headers, and with a
// boundary that has other dashes than the one announced.
type parts struct {
	b *bufio.Reader
	// stamp tells when bytes last came.
	stamp *stamped
	// name is the boundary announced, without the dashes before it; line is the one the camera really sends, once it is seen.
	name string
	line []byte
	// divided tells that the line before the next part is read already, over that it was the last.
	divided, over bool
}

// stamped notes the time at which bytes came.
type stamped struct {
	io.Reader
	now func() int64
	at  int64
}

func (s *stamped) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if n > 0 {
		s.at = s.now()
	}
	return n, err
}

// newParts reads from r; now is asked for the time of each piece of it.
func newParts(r io.Reader, boundary string, now func() int64) *parts {
	s := &stamped{Reader: r, now: now}
	return &parts{b: bufio.NewReaderSize(s, readBuffer), stamp: s, name: strings.TrimLeft(boundary, "-")}
}

// boundaryOf finds the boundary in a Content-Type. Cameras write it with signs that only quotes allow.
func boundaryOf(contentType string) (boundary string, ok bool) {
	kind, params, _ := strings.Cut(contentType, ";")
	if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(kind)), "multipart/") {
		return "", false
	}
	for p := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(strings.TrimSpace(key), "boundary") {
			return strings.Trim(strings.TrimSpace(value), `"`), true
		}
	}
	return "", true
}

// next appends the next part to buf and tells when its last byte came. An error ends the stream; it wraps io.EOF where the stream ends
// as it should.
func (p *parts) next(buf []byte) (part []byte, at int64, err error) {
	if err := p.delimiter(); err != nil {
		return buf, 0, err
	}
	length, err := p.header()
	if err != nil {
		return buf, 0, err
	}
	if length < 0 {
		return p.open(buf)
	}
	n := len(buf)
	buf = append(buf, make([]byte, length)...)
	if _, err := io.ReadFull(p.b, buf[n:]); err != nil {
		return buf[:n], 0, fmt.Errorf("the stream ends inside a frame: %w", err)
	}
	return buf, p.stamp.at, nil
}

// delimiter reads up to and with the line between two parts. What stands before it is no part.
func (p *parts) delimiter() error {
	if p.over {
		return io.EOF
	}
	if p.divided {
		p.divided = false
		return nil
	}
	fresh := true
	for n := 0; n <= maxPart; {
		s, err := p.b.ReadSlice('\n')
		n += len(s)
		if fresh && p.divides(s) {
			if p.over = p.ends(s); p.over {
				return io.EOF
			}
			return nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		fresh = err == nil
	}
	return fmt.Errorf("no boundary within %d bytes", maxPart)
}

// divides tells a line between two parts, and learns its form from the first.
func (p *parts) divides(s []byte) bool {
	s = bytes.TrimRight(s, " \t\r\n")
	if p.line != nil {
		rest, ok := bytes.CutPrefix(s, p.line)
		return ok && (len(rest) == 0 || string(rest) == "--")
	}
	// The first may be the last.
	first := s
	if string(bytes.TrimLeft(s, "-")) != p.name {
		first = bytes.TrimSuffix(s, []byte("--"))
	}
	name := string(bytes.TrimLeft(first, "-"))
	if name == "" || (p.name == "" && !bytes.HasPrefix(s, []byte("--"))) || (p.name != "" && name != p.name) {
		return false
	}
	p.line = bytes.Clone(first)
	return true
}

// ends tells the boundary behind the last part.
func (p *parts) ends(s []byte) bool { return len(bytes.TrimRight(s, " \t\r\n")) > len(p.line) }

// header reads a part's header and returns its length, -1 where none is given.
func (p *parts) header() (length int, err error) {
	length = -1
	for n := 0; n <= maxHeader; {
		s, err := p.b.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return 0, fmt.Errorf("the stream ends inside a header: %w", err)
		}
		n += len(s)
		s = bytes.TrimSpace(s)
		if len(s) == 0 {
			return length, nil
		}
		key, value, ok := bytes.Cut(s, []byte(":"))
		if !ok || !bytes.EqualFold(bytes.TrimSpace(key), []byte("Content-Length")) {
			continue
		}
		v, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 63)
		if err != nil {
			return 0, errors.New("a frame's length is no number")
		}
		if v > maxPart {
			return 0, tooLarge()
		}
		length = int(v)
	}
	return 0, fmt.Errorf("a frame's header is longer than %d bytes", maxHeader)
}

// open reads a part of unknown length, to the line before the next one. That line often comes with the next frame, so the time is that
// of the part's own last line.
func (p *parts) open(buf []byte) (part []byte, at int64, err error) {
	n, fresh := len(buf), true
	at = p.stamp.at
	for len(buf)-n <= maxPart {
		s, err := p.b.ReadSlice('\n')
		if fresh && p.divides(s) && (err == nil || p.ends(s)) {
			p.divided, p.over = true, p.ends(s)
			return bytes.TrimSuffix(bytes.TrimSuffix(buf, []byte("\n")), []byte("\r")), at, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return buf[:n], 0, fmt.Errorf("the stream ends inside a frame: %w", err)
		}
		buf, fresh, at = append(buf, s...), err == nil, p.stamp.at
	}
	return buf[:n], 0, tooLarge()
}

func tooLarge() error {
	return fmt.Errorf("a frame is larger than %d bytes: lower the camera's resolution or quality", maxPart)
}
