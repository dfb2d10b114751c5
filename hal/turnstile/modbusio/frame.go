package modbusio

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Function codes of the Modbus application protocol, §6.
const (
	fnReadCoils  = 0x01
	fnReadInputs = 0x02
	fnWriteCoil  = 0x05
	fnWriteReg   = 0x06
)

// Errors of an exchange.
var (
	// ErrChecksum means that a reply's CRC does not fit.
	ErrChecksum = errors.New("checksum does not fit")
	// ErrReply means that a reply is not the one to this request.
	ErrReply = errors.New("reply does not belong to the request")
	// ErrException means that the device refused the request.
	ErrException = errors.New("device refused the request")
)

// crc is the checksum of Modbus RTU: polynomial 0xA001 reflected, low byte
// first on the wire.
func crc(p []byte) uint16 {
	sum := uint16(0xFFFF)
	for _, b := range p {
		sum ^= uint16(b)
		for range 8 {
			if sum&1 != 0 {
				sum = sum>>1 ^ 0xA001
			} else {
				sum >>= 1
			}
		}
	}
	return sum
}

// request builds a frame of two 16-bit fields, which all functions here have.
func request(unit, fn byte, addr, value uint16) []byte {
	p := []byte{unit, fn}
	p = binary.BigEndian.AppendUint16(p, addr)
	p = binary.BigEndian.AppendUint16(p, value)
	return binary.LittleEndian.AppendUint16(p, crc(p))
}

// replyLen is how long the reply to req is once its first bytes are there; 0
// when more are needed to tell.
func replyLen(req, got []byte) int {
	switch {
	case len(got) < 3:
		return 0
	case got[1]&0x80 != 0:
		return 5
	case got[1] == fnReadCoils || got[1] == fnReadInputs:
		return 5 + int(got[2])
	default:
		return len(req)
	}
}

// checkReply returns the reply's data: the bits of a read, nothing of a write.
func checkReply(req, got []byte) ([]byte, error) {
	if n := replyLen(req, got); n == 0 || len(got) != n {
		return nil, fmt.Errorf("%w: %d bytes", ErrReply, len(got))
	}
	if crc(got[:len(got)-2]) != binary.LittleEndian.Uint16(got[len(got)-2:]) {
		return nil, ErrChecksum
	}
	switch {
	case got[0] != req[0] || got[1]&0x7F != req[1]:
		return nil, fmt.Errorf("%w: unit %d function %#x", ErrReply, got[0], got[1])
	case got[1]&0x80 != 0:
		return nil, fmt.Errorf("%w: exception %d", ErrException, got[2])
	case req[1] == fnReadCoils || req[1] == fnReadInputs:
		if want := (int(binary.BigEndian.Uint16(req[4:])) + 7) / 8; int(got[2]) != want {
			return nil, fmt.Errorf("%w: %d data bytes, want %d", ErrReply, got[2], want)
		}
		return got[3 : len(got)-2], nil
	case string(got) != string(req):
		return nil, fmt.Errorf("%w: echo differs", ErrReply)
	default:
		return nil, nil
	}
}
