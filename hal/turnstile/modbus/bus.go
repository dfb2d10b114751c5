package modbus

import (
	"context"
	"encoding/binary"
	"time"

	"bordergate/hal/turnstile"
)

// Functions of Modbus that a gate is driven with.
const (
	ReadCoils      byte = 0x01
	ReadInputs     byte = 0x02
	ReadHolding    byte = 0x03
	ReadInputRegs  byte = 0x04
	WriteCoil      byte = 0x05
	WriteRegister  byte = 0x06
	WriteRegisters byte = 0x10
)

// Bus is one unit on a line.
type Bus struct {
	Line *turnstile.Line
	Unit byte
}

func (b Bus) ask(ctx context.Context, req []byte, wait time.Duration) (data []byte, sent bool, err error) {
	return b.Line.Exchange(ctx, question(req, wait))
}

// question is how the answer to a request is known. The echo of a reading
// cannot be mistaken for its answer: its third byte is the address, the
// answer's is a count.
func question(req []byte, wait time.Duration) turnstile.Question {
	return turnstile.Question{
		Send: req, Reply: replyLen(req), Wait: wait, Tells: req[1] <= ReadInputRegs,
		Parse: func(p []byte) ([]byte, bool, error) { return parseReply(req, p) },
	}
}

// Read reads n bits or registers, and tries once more after a failure of the
// exchange itself. Wait is how long an answer is waited for where it is more
// than the line's own time. The data holds until the next exchange.
func (b Bus) Read(ctx context.Context, fn byte, addr, n uint16, wait time.Duration) ([]byte, error) {
	req := request(b.Unit, fn, addr, n)
	data, _, err := b.ask(ctx, req, wait)
	if turnstile.Missed(err) {
		data, _, err = b.ask(ctx, req, wait)
	}
	return data, err
}

// Bits reads n channels as a mask, by bits or by registers as fn is.
func (b Bus) Bits(ctx context.Context, fn byte, addr uint16, n int, wait time.Duration) (uint32, []byte, error) {
	data, err := b.Read(ctx, fn, addr, uint16(n), wait)
	if err != nil {
		return 0, nil, err
	}
	var mask uint32
	for i := range n {
		on := false
		if fn <= ReadInputs {
			on = data[i/8]>>(i%8)&1 == 1
		} else {
			on = data[2*i]|data[2*i+1] != 0
		}
		if on {
			mask |= 1 << i
		}
	}
	return mask, data, nil
}

// Words are the registers of an answer.
func Words(data []byte) []uint16 {
	out := make([]uint16, len(data)/2)
	for i := range out {
		out[i] = binary.BigEndian.Uint16(data[2*i:])
	}
	return out
}

// WriteMany sets registers by function 16, once.
func (b Bus) WriteMany(ctx context.Context, addr uint16, vals ...uint16) (sent bool, err error) {
	_, sent, err = b.ask(ctx, requestMany(b.Unit, addr, vals), 0)
	return sent, err
}

// Write sets one coil or register, once.
func (b Bus) Write(ctx context.Context, fn byte, addr, val uint16) (sent bool, err error) {
	_, sent, err = b.ask(ctx, request(b.Unit, fn, addr, val), 0)
	return sent, err
}
