package board

import "encoding/binary"

// lot is a LOT turnstile's register map: holding registers by functions 03 and
// 10, and nothing else.
type lot struct{ b *Board }

// Registers.
const (
	lotAllow    = 0x40 // entry, exit: how many may still pass
	lotObject   = 0x42 // entry lane, exit lane: the sensor that sees something
	lotCounter  = 0x44 // entries low, high, exits low, high
	lotError    = 0x48
	lotLamp     = 0x1000 // entry green on, off, total; entry red; exit green; exit red
	lotMode     = 0x3000
	lotSettings = 0x3010 // accumulate, then times
	lotLast     = 0x3015
)

// Sensors of the simulated lane.
const (
	sensorFront  = 1 // where a traveller stands
	sensorLeaves = 3
)

func (lot) next(p []byte) (frame, rest []byte, noise int) { return next(p) }

func (lot) address(req []byte) (unit, fn byte) { return req[0], req[1] }

func (lot) refuse(req []byte) []byte { return exception(req, errDevice) }

func (lot) foreign(reply []byte) []byte {
	p := append([]byte{reply[0] ^ 0x40}, reply[1:len(reply)-2]...)
	return seal(p)
}

func (l lot) act(req []byte) (reply []byte, calls []Change) {
	addr := int(binary.BigEndian.Uint16(req[2:4]))
	n := int(binary.BigEndian.Uint16(req[4:6]))
	switch req[1] {
	case fnReadHolding:
		return l.read(req, addr, n), nil
	case fnWriteRegs:
		data := req[7 : len(req)-2]
		if n < 1 || n > 123 || len(data) != 2*n {
			return exception(req, errValue), nil
		}
		for i := range n {
			if _, ok := l.value(addr + i); !ok || addr+i >= lotObject && addr+i <= lotError {
				return exception(req, errAddress), nil
			}
		}
		for i := range n {
			calls = l.set(calls, addr+i, binary.BigEndian.Uint16(data[2*i:]))
		}
		return seal(append([]byte(nil), req[:6]...)), calls
	default:
		return exception(req, errFunction), nil
	}
}

func (l lot) read(req []byte, addr, n int) []byte {
	if n < 1 || n > 125 {
		return exception(req, errValue)
	}
	reply := []byte{req[0], req[1], byte(2 * n)}
	for i := range n {
		v, ok := l.value(addr + i)
		if !ok {
			return exception(req, errAddress)
		}
		reply = binary.BigEndian.AppendUint16(reply, v)
	}
	return seal(reply)
}

func (l lot) value(addr int) (uint16, bool) {
	b := l.b
	switch {
	case addr == lotAllow, addr == lotAllow+1:
		return uint16(b.lane.left[addr-lotAllow]), true
	case addr == lotObject, addr == lotObject+1:
		switch {
		case b.readLocked(inObstruction):
			return sensorLeaves, true
		case b.readLocked(inPresence) && addr == lotObject+1:
			return sensorFront, true
		}
		return 0, true
	case addr >= lotCounter && addr < lotCounter+4:
		c := b.lane.passed[(addr-lotCounter)/2]
		return uint16(c >> (16 * ((addr - lotCounter) % 2))), true
	case addr == lotError:
		return b.lane.errno, true
	case addr >= lotLamp && addr < lotLamp+len(b.lane.lamps):
		return b.lane.lamps[addr-lotLamp], true
	case addr == lotMode:
		switch {
		case !b.readLocked(inEmergency):
			return 2, true
		case !b.readLocked(inReady):
			return 1, true
		}
		return b.lane.setup[addr], true
	case addr >= lotSettings && addr <= lotLast:
		return b.lane.setup[addr], true
	default:
		return 0, false
	}
}

func (l lot) set(calls []Change, addr int, val uint16) []Change {
	b := l.b
	switch ch := addr - lotAllow; {
	case ch == 0 || ch == 1:
		if val == 0 {
			return b.withdrawLocked(calls, ch)
		}
		return b.allowLocked(calls, ch, uint32(val))
	case addr >= lotLamp && addr < lotLamp+len(b.lane.lamps):
		b.lane.lamps[addr-lotLamp] = val
		i := (addr - lotLamp) / 3
		lit := b.lane.lamps[3*i] != 0 && b.lane.lamps[3*i+2] != 0
		return b.switchLocked(calls, 3+i%2, lit, 0)
	default:
		b.counts.Settings++
		b.lane.setup[addr] = val
		return calls
	}
}
