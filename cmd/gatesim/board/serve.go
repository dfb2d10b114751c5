package board

import (
	"encoding/binary"
	"slices"
	"time"
)

// Exception codes.
const (
	errFunction = 1
	errAddress  = 2
	errValue    = 3
	errDevice   = 4
)

// Address ranges beyond the relays and inputs themselves.
const (
	addrFlashOn  = 0x0200
	addrFlashOff = 0x0400
	addrMode     = 0x1000
)

// fedLocked puts the watchdog's end off: a request was heard.
func (b *Board) fedLocked() {
	if b.silence == 0 {
		b.fallAt = 0
		return
	}
	b.fallAt = now() + int64(b.silence)*int64(time.Millisecond)
	b.wakeLocked()
}

// has says whether addr is that of a register the board has.
func has(register, addr int) bool { return register != 0 && addr == register }

// pulseUnit is the unit of the board-timed pulses.
const pulseUnit = 100 * time.Millisecond

// handle acts on one request with a right checksum and returns the answer, or
// nil for silence. Hooks run before the answer is sent.
func (b *Board) handle(req []byte) []byte {
	unit, fn := req[0], req[1]
	if b.ctl != nil {
		unit, fn = b.ctl.address(req)
	}
	if unit != b.opts.Unit {
		return nil
	}
	b.mu.Lock()
	b.counts.Requests++
	b.fedLocked()
	f, hit := b.takeFaultLocked(fn)
	var reply []byte
	var calls []Change
	switch {
	case hit && f.Kind == FaultDeaf:
	case hit && f.Kind == FaultEchoOnly:
		reply = append(reply, req...)
	case hit && f.Kind == FaultException && b.ctl != nil:
		reply = b.ctl.refuse(req)
	case b.ctl != nil:
		reply, calls = b.ctl.act(req)
	case hit && f.Kind == FaultException:
		reply = exception(req, errDevice)
	default:
		reply, calls = b.actLocked(req)
	}
	if fn == fnReadInputs || fn == fnReadInputRegs || b.ctl != nil {
		b.blinkLocked()
	}
	b.fedLocked() // by the new time, if the request set one
	b.mu.Unlock()
	b.tell(calls)
	if hit {
		reply = b.spoil(f, req, reply)
	}
	return reply
}

func (b *Board) actLocked(req []byte) (reply []byte, calls []Change) {
	addr := int(binary.BigEndian.Uint16(req[2:4]))
	val := binary.BigEndian.Uint16(req[4:6])
	code := byte(0)
	if b.opts.Functions != nil && !slices.Contains(b.opts.Functions, req[1]) {
		return exception(req, errFunction), nil
	}
	switch req[1] {
	case fnReadRelays, fnReadInputs:
		return b.readBitsLocked(req, addr, int(val)), nil
	case fnReadHolding, fnReadInputRegs:
		return b.readRegsLocked(req, addr, int(val)), nil
	case fnWriteRelay:
		calls, code = b.writeRelayLocked(addr, val)
	case fnWriteRegister:
		calls, code = b.writeRegisterLocked(nil, addr, val)
	case fnWriteRelays:
		calls, code = b.writeRelaysLocked(req, addr, int(val))
	case fnWriteRegs:
		calls, code = b.writeRegsLocked(req, addr, int(val))
	default:
		code = errFunction
	}
	if code != 0 {
		return exception(req, code), calls
	}
	return seal(append([]byte(nil), req[:6]...)), calls
}

func exception(req []byte, code byte) []byte { return seal([]byte{req[0], req[1] | 0x80, code}) }

// readLocked is an input as the board reads it.
func (b *Board) readLocked(ch int) bool {
	if on, ok := b.stuck[ch]; ok {
		return on
	}
	return b.inputs[ch]
}

func (b *Board) readBitsLocked(req []byte, addr, n int) []byte {
	count, base := len(b.outputs), b.opts.Base
	if req[1] == fnReadInputs {
		count, base = len(b.inputs), b.opts.InputBase
	}
	addr -= base
	switch {
	case n < 1 || n > 2000:
		return exception(req, errValue)
	case addr < 0 || addr+n > count:
		return exception(req, errAddress)
	}
	size := (n + 7) / 8
	reply := make([]byte, 3+size, 5+size)
	reply[0], reply[1], reply[2] = req[0], req[1], byte(size)
	for i := range n {
		on := false
		if req[1] == fnReadInputs {
			on = b.readLocked(addr + i)
		} else {
			on = b.outputs[addr+i]
		}
		if on {
			reply[3+i/8] |= 1 << (i % 8)
		}
	}
	return seal(reply)
}

// register is the value of a holding or input register.
func (b *Board) registerLocked(fn byte, addr int) (uint16, bool) {
	bit := func(on bool) uint16 {
		if on {
			return 1
		}
		return 0
	}
	ch, in := addr-b.opts.Base, addr-b.opts.InputBase
	switch {
	case fn == fnReadInputRegs && in >= 0 && in < len(b.inputs):
		return bit(b.readLocked(in)), true
	case fn == fnReadInputRegs && b.opts.Counters != 0 && addr >= b.opts.Counters && addr < b.opts.Counters+len(b.closings):
		return b.closings[addr-b.opts.Counters], true
	case fn == fnReadHolding && has(b.opts.Watchdog, addr):
		return b.silence, true
	case fn == fnReadHolding && has(b.opts.Default, addr):
		return b.rest, true
	case fn == fnReadHolding && ch >= 0 && ch < len(b.outputs):
		return bit(b.outputs[ch]), true
	case fn == fnReadHolding && !b.opts.Plain && addr >= addrMode && addr < addrMode+len(b.modes):
		return b.modes[addr-addrMode], true
	default:
		return 0, false
	}
}

func (b *Board) readRegsLocked(req []byte, addr, n int) []byte {
	if n < 1 || n > 125 {
		return exception(req, errValue)
	}
	reply := []byte{req[0], req[1], byte(2 * n)}
	for i := range n {
		v, ok := b.registerLocked(req[1], addr+i)
		if !ok {
			return exception(req, errAddress)
		}
		reply = binary.BigEndian.AppendUint16(reply, v)
	}
	return seal(reply)
}

func (b *Board) writeRelayLocked(addr int, val uint16) ([]Change, byte) {
	n := len(b.outputs)
	switch {
	case !b.opts.Plain && addr >= addrFlashOn && addr < addrFlashOn+n:
		return b.pulseLocked(nil, addr-addrFlashOn, true, time.Duration(val)*pulseUnit), 0
	case !b.opts.Plain && addr >= addrFlashOff && addr < addrFlashOff+n:
		return b.pulseLocked(nil, addr-addrFlashOff, false, time.Duration(val)*pulseUnit), 0
	case addr < b.opts.Base || addr >= b.opts.Base+n:
		return nil, errAddress
	case val != 0 && val != b.opts.OnValue:
		return nil, errValue
	}
	return b.setLocked(nil, addr-b.opts.Base, val != 0), 0
}

func (b *Board) setLocked(calls []Change, ch int, on bool) []Change {
	b.cancelLocked(ch, true)
	return b.switchLocked(calls, ch, on, 0)
}

func (b *Board) writeRegisterLocked(calls []Change, addr int, val uint16) ([]Change, byte) {
	ch := addr - b.opts.Base
	switch {
	case has(b.opts.Watchdog, addr):
		b.silence = val
		return calls, 0
	case has(b.opts.Default, addr):
		b.rest = val
		return calls, 0
	case !b.opts.Plain && addr >= addrMode && addr < addrMode+len(b.modes):
		b.modes[addr-addrMode] = val
		return calls, 0
	case ch < 0 || ch >= len(b.outputs):
		return calls, errAddress
	case val > 1:
		return calls, errValue
	}
	return b.setLocked(calls, ch, val == 1), 0
}

func (b *Board) writeRelaysLocked(req []byte, addr, n int) ([]Change, byte) {
	addr -= b.opts.Base
	data := req[7 : len(req)-2]
	switch {
	case n < 1 || n > 1968 || len(data) != (n+7)/8:
		return nil, errValue
	case addr < 0 || addr+n > len(b.outputs):
		return nil, errAddress
	}
	var calls []Change
	for i := range n {
		calls = b.setLocked(calls, addr+i, data[i/8]>>(i%8)&1 == 1)
	}
	return calls, 0
}

func (b *Board) writeRegsLocked(req []byte, addr, n int) ([]Change, byte) {
	data := req[7 : len(req)-2]
	if n < 1 || n > 123 || len(data) != 2*n {
		return nil, errValue
	}
	var calls []Change
	for i := range n {
		var code byte
		calls, code = b.writeRegisterLocked(calls, addr+i, binary.BigEndian.Uint16(data[2*i:]))
		if code != 0 {
			return calls, code
		}
	}
	return calls, 0
}
