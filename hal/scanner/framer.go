package scanner

import (
	"bytes"
	"errors"
	"time"

	"bordergate/hal"
)

// MaxScan is the longest scan, in bytes; the largest QR code holds 4296.
const MaxScan = 8 << 10

// Reasons for a spoilt scan.
var (
	// ErrTruncated: the scanner stopped in the middle.
	ErrTruncated = errors.New("scan stopped in the middle")
	// ErrTooLong: more than MaxScan bytes without an end.
	ErrTooLong = errors.New("scan is too long")
	// ErrPrefix: an AIM identifier was to come first and did not.
	ErrPrefix = errors.New("scan has no AIM identifier")
	// ErrEscape: an ECI escape is not well-formed.
	ErrEscape = errors.New("scan has a broken ECI escape")
	// ErrPacket: a packet's length or checksum is wrong.
	ErrPacket = errors.New("packet is damaged")
)

// Framing is how a scan ends.
type Framing uint8

// The framings of a scanner that sends plain bytes.
const (
	// Suffix: a carriage return ends a scan; one line feed after it is ignored.
	Suffix Framing = iota
	// Idle: silence ends a scan, for scanners that send no suffix. Every byte
	// is payload.
	Idle
)

// frame is one scan as the line gave it, or the reason it was spoilt.
type frame struct {
	at       hal.Mono // of its last byte
	payload  []byte
	aim      string // "]Q1", or empty
	symbol   string // a name like "qr", or empty
	eci      bool
	unframed bool
	fault    error
}

// parser takes a scanner's bytes apart. Time is given, never read. answer is
// what has to be sent back at once.
type parser interface {
	feed(now hal.Mono, b []byte) (frames []frame, answer []byte)
	tick(now hal.Mono) []frame // called at deadline, or any time
	deadline() (hal.Mono, bool)
	reset()
}

// lineParser is the parser of plain bytes.
type lineParser struct {
	framing  Framing
	aim      bool          // every scan begins with an AIM identifier
	gap      time.Duration // between bytes of one scan, at most; with Idle the end of it
	buf      []byte
	last     hal.Mono // of the last byte
	afterCR  bool     // a line feed now belongs to the end before
	dropping bool     // the rest of a spoilt scan
}

// restFactor times the gap is how long bytes may still belong to a spoilt scan.
const restFactor = 4

func (p *lineParser) reset() {
	p.buf, p.afterCR, p.dropping = p.buf[:0], false, false
}

func (p *lineParser) deadline() (hal.Mono, bool) {
	switch {
	case p.dropping:
		return p.last.Add(restFactor * p.gap), true
	case len(p.buf) > 0:
		return p.last.Add(p.gap), true
	}
	return 0, false
}

// tick ends what the time has ended.
func (p *lineParser) tick(now hal.Mono) []frame {
	at, waiting := p.deadline()
	if !waiting || now < at {
		return nil
	}
	switch {
	case p.dropping:
		p.reset()
		return nil
	case p.framing == Idle:
		f := p.finish()
		f.unframed = true
		return []frame{f}
	}
	f := p.spoil(ErrTruncated)
	// The time for the rest may be over as well.
	return append([]frame{f}, p.tick(now)...)
}

// spoil throws the scan away, and its rest when that comes.
func (p *lineParser) spoil(why error) frame {
	p.buf, p.dropping, p.afterCR = p.buf[:0], true, false
	return frame{at: p.last, fault: why}
}

func (p *lineParser) feed(now hal.Mono, b []byte) ([]frame, []byte) {
	frames := p.tick(now)
	for _, c := range b {
		p.last = now
		if c == '\n' && p.afterCR {
			p.afterCR = false
			continue
		}
		p.afterCR = false
		if c == '\r' && p.framing == Suffix {
			switch {
			case p.dropping:
				p.dropping = false
			case len(p.buf) > 0:
				frames = append(frames, p.finish())
			}
			p.afterCR = true
			continue
		}
		switch {
		case p.dropping:
		case len(p.buf) == MaxScan:
			frames = append(frames, p.spoil(ErrTooLong))
		default:
			p.buf = append(p.buf, c)
		}
	}
	return frames, nil
}

// finish makes a frame of what was gathered.
func (p *lineParser) finish() frame {
	f := frame{at: p.last, payload: bytes.Clone(p.buf)}
	p.buf = p.buf[:0]
	if p.aim {
		f.identify()
	}
	return f
}

// identify takes the AIM identifier off and, where it says so, the ECI escapes.
func (f *frame) identify() {
	id, ok := parseAIM(f.payload)
	if !ok {
		*f = frame{at: f.at, fault: ErrPrefix}
		return
	}
	f.aim, f.symbol, f.eci = id.text, id.symbol, id.eci
	f.payload = f.payload[len(id.text):]
	if !id.eci {
		return
	}
	plain, ok := unescape(f.payload)
	if !ok {
		*f = frame{at: f.at, aim: id.text, fault: ErrEscape}
		return
	}
	f.payload = plain
}
