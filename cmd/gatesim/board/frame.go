package board

import "encoding/binary"

// Functions the board knows.
const (
	fnReadRelays    = 0x01
	fnReadInputs    = 0x02
	fnReadHolding   = 0x03
	fnReadInputRegs = 0x04
	fnWriteRelay    = 0x05
	fnWriteRegister = 0x06
	fnWriteRelays   = 0x0F
	fnWriteRegs     = 0x10
)

// maxFrame is the longest Modbus RTU frame.
const maxFrame = 256

var crcTable = makeTable()

func makeTable() (t [256]uint16) {
	for i := range t {
		v := uint16(i)
		for range 8 {
			low := v & 1
			v >>= 1
			if low == 1 {
				v ^= 0xA001
			}
		}
		t[i] = v
	}
	return t
}

// checksum is the CRC-16 of Modbus.
func checksum(p []byte) uint16 {
	sum := uint16(0xFFFF)
	for _, c := range p {
		sum = sum>>8 ^ crcTable[byte(sum)^c]
	}
	return sum
}

// seal appends the checksum, low byte first.
func seal(p []byte) []byte { return binary.LittleEndian.AppendUint16(p, checksum(p)) }

// requestLen is how long the request at the front of p is: 0 if more bytes
// are needed to tell, -1 if no request of the board begins so.
func requestLen(p []byte) int {
	if len(p) < 2 {
		return 0
	}
	switch p[1] {
	case fnWriteRelays, fnWriteRegs:
		if len(p) < 7 {
			return 0
		}
		return 9 + int(p[6])
	default:
		if p[1] == 0 || p[1] >= 0x80 {
			return -1
		}
		// Unknown functions are answered with an exception, and so have to
		// be taken as a frame of the common length.
		return 8
	}
}

// next takes one request with a right checksum off the front of p. frame is nil
// if there is none yet; noise counts the bytes that were skipped to find it.
func next(p []byte) (frame, rest []byte, noise int) {
	for len(p) > 0 {
		n := requestLen(p)
		if n == 0 || n > 0 && len(p) < n {
			return nil, p, noise
		}
		if n > 0 && n <= maxFrame && binary.LittleEndian.Uint16(p[n-2:n]) == checksum(p[:n-2]) {
			return p[:n], p[n:], noise
		}
		p, noise = p[1:], noise+1
	}
	return nil, nil, noise
}
