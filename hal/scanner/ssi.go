package scanner

import (
	"bytes"
	"slices"
	"time"

	"bordergate/hal"
)

// Opcodes of Zebra's Simple Serial Interface that are used here.
const (
	ssiRevision      = 0xA3
	ssiRevisionReply = 0xA4
	ssiAck           = 0xD0
	ssiNak           = 0xD1
	ssiStart         = 0xE4
	ssiStop          = 0xE5
	ssiBeep          = 0xE6
	ssiDecode        = 0xF3
)

// Bits of a packet's status byte.
const (
	ssiResent    = 1 << 0
	ssiContinued = 1 << 1
)

const (
	ssiHead     = 4 // length, opcode, source, status
	ssiChecksum = 2
	ssiDecoder  = 0
	ssiHost     = 4
)

// ssiPacket makes a packet from the host. Its length counts all but the
// checksum.
func ssiPacket(opcode byte, data ...byte) []byte {
	b := append([]byte{byte(ssiHead + len(data)), opcode, ssiHost, 0}, data...)
	sum := ssiSum(b)
	return append(b, byte(sum>>8), byte(sum))
}

// ssiSum is the two's complement of the sum, in 16 bits.
func ssiSum(b []byte) uint16 {
	var sum uint16
	for _, c := range b {
		sum += uint16(c)
	}
	return -sum
}

// ssiParser gathers packets into scans and acknowledges each.
type ssiParser struct {
	gap     time.Duration
	once    bool // only the first of continued packets begins with the code type
	buf     []byte
	last    hal.Mono
	scan    []byte // of packets that are continued
	open    bool   // a scan is being gathered
	kind    byte   // the code type of the scan
	before  []byte // the last packet taken, to know a repetition
	replied bool   // a revision was reported
}

func (p *ssiParser) reset() {
	p.buf, p.scan, p.open, p.replied = nil, nil, false, false
}

func (p *ssiParser) deadline() (hal.Mono, bool) {
	if len(p.buf) > 0 || p.open {
		return p.last.Add(p.wait()), true
	}
	return 0, false
}

// wait is longer between packets: a scanner waits for its acknowledgement.
func (p *ssiParser) wait() time.Duration {
	if len(p.buf) == 0 {
		return restFactor * p.gap
	}
	return p.gap
}

func (p *ssiParser) tick(now hal.Mono) []frame {
	at, waiting := p.deadline()
	if !waiting || now < at {
		return nil
	}
	p.reset()
	return []frame{{at: p.last, fault: ErrTruncated}}
}

func (p *ssiParser) feed(now hal.Mono, b []byte) (frames []frame, answer []byte) {
	frames = p.tick(now)
	p.last = now
	p.buf = append(p.buf, b...)
	for len(p.buf) > 0 {
		n := int(p.buf[0])
		if n >= ssiHead && len(p.buf) < n+ssiChecksum {
			break
		}
		if n < ssiHead || ssiSum(p.buf[:n]) != uint16(p.buf[n])<<8|uint16(p.buf[n+1]) || p.buf[2] != ssiDecoder {
			// Where the next packet begins is not known: all of it is asked
			// for again.
			p.buf, p.before = nil, nil
			frames = append(frames, frame{at: now, fault: ErrPacket})
			return frames, append(answer, ssiPacket(ssiNak, 1)...)
		}
		packet := p.buf[:n]
		p.buf = p.buf[n+ssiChecksum:]
		fs, reply := p.take(now, packet)
		frames, answer = append(frames, fs...), append(answer, reply...)
	}
	p.buf = slices.Clone(p.buf)
	return frames, answer
}

// take handles one whole packet.
func (p *ssiParser) take(now hal.Mono, packet []byte) (frames []frame, answer []byte) {
	opcode, status, data := packet[1], packet[3], packet[ssiHead:]
	switch opcode {
	case ssiAck, ssiNak:
		return nil, nil // an answer is not answered
	case ssiRevisionReply:
		p.replied = true
		return nil, ssiPacket(ssiAck)
	case ssiDecode:
	default:
		return nil, ssiPacket(ssiAck)
	}
	content := slices.Concat([]byte{status &^ ssiResent}, data)
	if status&ssiResent != 0 && bytes.Equal(content, p.before) {
		return nil, ssiPacket(ssiAck) // taken already: our acknowledgement was lost
	}
	p.before = content
	first := !p.open
	if first {
		p.open, p.scan, p.kind = true, nil, 0
	}
	if len(data) > 0 && (first || !p.once) {
		p.kind, data = data[0], data[1:]
	}
	p.scan = append(p.scan, data...)
	switch {
	case len(p.scan) > MaxScan:
		p.open, p.scan = false, nil
		return []frame{{at: now, fault: ErrTooLong}}, ssiPacket(ssiAck)
	case status&ssiContinued != 0:
		return nil, ssiPacket(ssiAck)
	}
	f := frame{at: now, payload: p.scan, symbol: ssiSymbol(p.kind)}
	p.open, p.scan = false, nil
	if len(f.payload) == 0 {
		return nil, ssiPacket(ssiAck)
	}
	return []frame{f}, ssiPacket(ssiAck)
}

// ssiSymbol names a code type. It only informs: what a payload is shows in the
// payload.
func ssiSymbol(kind byte) string {
	switch kind {
	case 0x1C:
		return symbolQR
	case 0x1B:
		return symbolDataMatrix
	case 0x2D:
		return symbolAztec
	case 0x11:
		return symbolPDF417
	case 0x03:
		return symbolCode128
	}
	return ""
}
