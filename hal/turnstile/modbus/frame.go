package modbus

import (
	"encoding/binary"
	"fmt"

	"bordergate/hal/turnstile"
)

// refusal is a board's exception: a right frame that says no.
func refusal(fn, code byte) error {
	what := map[byte]string{1: "function", 2: "address", 3: "value", 4: "device failure"}[code]
	if what == "" {
		what = "exception"
	}
	return turnstile.Refused{Code: uint32(code), What: fmt.Sprintf("%s of function %d", what, fn)}
}

// crc16 is the checksum of Modbus RTU: polynomial 0xA001 reflected, from
// 0xFFFF.
func crc16(p []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, b := range p {
		crc ^= uint16(b)
		for range 8 {
			if crc&1 == 1 {
				crc = crc>>1 ^ 0xA001
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}

// frameOK reports whether p ends in its own checksum.
func frameOK(p []byte) bool {
	return len(p) >= 4 && binary.LittleEndian.Uint16(p[len(p)-2:]) == crc16(p[:len(p)-2])
}

// request is an 8-byte frame: functions 1 to 6 all have an address and a value
// or quantity.
func request(unit, fn byte, addr, val uint16) []byte {
	p := []byte{unit, fn, byte(addr >> 8), byte(addr), byte(val >> 8), byte(val)}
	return binary.LittleEndian.AppendUint16(p, crc16(p))
}

// requestMany writes registers, by function 16.
func requestMany(unit byte, addr uint16, vals []uint16) []byte {
	p := []byte{unit, WriteRegisters, byte(addr >> 8), byte(addr), 0, byte(len(vals)), byte(2 * len(vals))}
	for _, v := range vals {
		p = binary.BigEndian.AppendUint16(p, v)
	}
	return binary.LittleEndian.AppendUint16(p, crc16(p))
}

// replyLen is the length of the right answer to a request.
func replyLen(req []byte) int {
	n := int(binary.BigEndian.Uint16(req[4:6]))
	switch req[1] {
	case 1, 2:
		return 5 + (n+7)/8
	case 3, 4:
		return 5 + 2*n
	default:
		return 8
	}
}

const exceptionLen = 5

// parseReply looks for the answer to req at the front of p. It returns the data
// of a read (nothing of a write) once the frame is whole, done=false while more
// bytes are needed, and an error for what can never become the answer. The
// checksum is believed before any length in the frame. The expected length
// comes from the request, so that no byte of the reply can make it wait for
// more.
func parseReply(req, p []byte) (data []byte, done bool, err error) {
	if len(p) < exceptionLen {
		return nil, false, nil
	}
	if p[0] == req[0] && p[1] == req[1]|0x80 && frameOK(p[:exceptionLen]) {
		if len(p) > exceptionLen {
			return nil, true, turnstile.ErrGarbled
		}
		return nil, true, refusal(req[1], p[2])
	}
	want := replyLen(req)
	if len(p) < want {
		return nil, false, nil
	}
	if len(p) > want || !frameOK(p) || p[0] != req[0] || p[1] != req[1] {
		return nil, true, turnstile.ErrGarbled
	}
	if req[1] > 4 {
		if string(p[2:6]) != string(req[2:6]) {
			return nil, true, turnstile.ErrGarbled
		}
		return nil, true, nil
	}
	if int(p[2]) != want-5 {
		return nil, true, turnstile.ErrGarbled
	}
	return p[3 : want-2], true, nil
}
