package modbusio

import (
	"errors"
	"fmt"
	"os"
	"time"

	"bordergate/hal/port"
)

// bus does one exchange at a time over an open line.
type bus struct {
	p     port.Port
	reply time.Duration
	gap   time.Duration
	dirty bool // a reply may still be on its way
}

const quiet = 100 * time.Millisecond

// exchange sends a request once and reads its reply. It never sends again.
func (b *bus) exchange(req []byte) ([]byte, error) {
	if err := b.clean(); err != nil {
		return nil, err
	}
	if err := b.p.SetWriteDeadline(time.Now().Add(b.reply)); err != nil {
		return nil, err
	}
	if _, err := b.p.Write(req); err != nil {
		b.dirty = true
		return nil, fmt.Errorf("write request: %w", err)
	}
	got, err := b.read(req)
	if err == nil {
		got, err = checkReply(req, got)
	}
	if err != nil && !errors.Is(err, ErrException) {
		b.dirty = true
	}
	return got, err
}

func (b *bus) read(req []byte) ([]byte, error) {
	if err := b.p.SetReadDeadline(time.Now().Add(b.reply)); err != nil {
		return nil, err
	}
	var got []byte
	buf := make([]byte, 64)
	for {
		n, err := b.p.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			return got, fmt.Errorf("read reply: %w", err)
		}
		if want := replyLen(req, got); want > 0 && len(got) >= want {
			return got, nil
		}
		if len(got) > 260 {
			return got, ErrReply
		}
	}
}

// clean waits until the line has been quiet, so that a late reply is never
// taken for the answer to the next request.
func (b *bus) clean() error {
	if !b.dirty {
		return nil
	}
	buf := make([]byte, 256)
	for until := time.Now().Add(2 * time.Second); time.Now().Before(until); {
		if err := b.p.SetReadDeadline(time.Now().Add(quiet)); err != nil {
			return err
		}
		if _, err := b.p.Read(buf); errors.Is(err, os.ErrDeadlineExceeded) {
			b.dirty = false
			return nil
		} else if err != nil {
			return fmt.Errorf("drain line: %w", err)
		}
	}
	return fmt.Errorf("drain line: %w: it never falls quiet", ErrReply)
}
