package lot

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"bordergate/hal"
	"bordergate/hal/turnstile"
	"bordergate/hal/turnstile/modbus"
)

// Registers of the gate.
const (
	regAllow      = 0x0040 // entry, exit: how many may still pass
	regObject     = 0x0042 // entry lane, exit lane: the sensor that sees something
	regCounters   = 0x0044 // entries low and high, exits low and high
	regError      = 0x0048 // not 0: something is wrong
	pollSize      = regError - regAllow + 1
	regGreen      = 0x1000 // of the entry side: on, off and total in 100 ms; the exit side is lampStep on
	regRed        = 0x1003
	lampStep      = 6
	regMode       = 0x3000
	regAccumulate = 0x3010 // must be 0
)

// What the mode register says.
const (
	modeNormal    = 0
	modeBlocked   = 1
	modeAntipanic = 2
)

// codeMode is added to a mode that no document has, where it is told as a fault;
// hal.CodeDevice to a value of the error register.
const codeMode = 2 * hal.CodeDevice

// forever is a lamp's total time without an end.
const forever = 0xFFFF

// readWait is the longest wait for a reading beyond the time on the wire: a
// late one is worth more than the silence after a lost one.
const readWait = 300 * time.Millisecond

// gate is one connection.
type gate struct {
	o *Options
	b modbus.Bus
}

// Greet refuses a gate that adds permissions up.
func (g *gate) Greet(ctx context.Context) error {
	v, err := g.registers(ctx, regAccumulate, 1)
	if err != nil {
		return fmt.Errorf("read setting: %w", err)
	}
	if v[0] != 0 {
		return &hal.Error{
			Op: "check gate", Device: g.o.Port.Path, Err: fmt.Errorf("%w: it accumulates passages (register %#x is %d)", turnstile.ErrSetting, regAccumulate, v[0]),
			Hint: "switch accumulation off with the maker's tool",
		}
	}
	return nil
}

func (g *gate) registers(ctx context.Context, addr, n uint16) ([]uint16, error) {
	data, err := g.b.Read(ctx, modbus.ReadHolding, addr, n, readWait)
	if err != nil {
		return nil, err
	}
	return modbus.Words(data), nil
}

// Sample reads everything that changes, and the mode.
func (g *gate) Sample(ctx context.Context) (turnstile.Sample, error) {
	s := turnstile.Sample{At: hal.Now()}
	v, err := g.registers(ctx, regAllow, pollSize)
	if err != nil {
		return s, fmt.Errorf("read gate: %w", err)
	}
	mode, err := g.registers(ctx, regMode, 1)
	if err != nil {
		return s, fmt.Errorf("read mode: %w", err)
	}
	for _, r := range append(v, mode...) {
		s.Raw = binary.BigEndian.AppendUint16(s.Raw, r)
	}
	for i, dir := range []hal.Direction{hal.Entry, hal.Exit} {
		s.Open[dir] = hal.LevelOf(v[i] != 0)
		at := regCounters - regAllow + 2*i
		s.Count[dir] = uint32(v[at+1])<<16 | uint32(v[at])
	}
	g.objects(&s, v[regObject-regAllow:regCounters-regAllow])
	g.condition(&s, mode[0], v[regError-regAllow])
	return s, nil
}

// objects is who stands before the gate and what is between the leaves.
func (g *gate) objects(s *turnstile.Sample, seen []uint16) {
	before, within := false, false
	for _, sensor := range seen {
		near := slices.Contains(g.o.Approach, sensor)
		before = before || near
		within = within || sensor != 0 && !near
	}
	s.Levels[hal.InputPresence], s.Levels[hal.InputObstruction] = hal.LevelOf(before), hal.LevelOf(within)
}

// condition is the mode and the error flag. A mode that no document has leaves
// it unknown whether there is an emergency.
func (g *gate) condition(s *turnstile.Sample, mode, fault uint16) {
	switch mode {
	case modeNormal, modeBlocked:
		s.Levels[hal.InputEmergency] = hal.Off
	case modeAntipanic:
		s.Levels[hal.InputEmergency] = hal.On
	default:
		s.Alarms = append(s.Alarms, turnstile.Alarm{Kind: hal.Fault, Code: codeMode | uint32(mode)})
	}
	if fault != 0 {
		s.Alarms = append(s.Alarms, turnstile.Alarm{Kind: hal.Fault, Code: hal.CodeDevice | uint32(fault)})
	}
	s.Levels[hal.InputReady] = hal.LevelOf(mode != modeBlocked && fault == 0)
}

// Standing is what the gate may still let pass; a reading of another length
// than Sample's.
func (g *gate) Standing(ctx context.Context) (turnstile.Standing, error) {
	v, err := g.registers(ctx, regAllow, 2)
	if err != nil {
		return turnstile.Standing{}, fmt.Errorf("read permissions: %w", err)
	}
	st := turnstile.Standing{}
	for i, dir := range []hal.Direction{hal.Entry, hal.Exit} {
		st.Open[dir] = hal.LevelOf(v[i] != 0)
		st.Raw = binary.BigEndian.AppendUint16(st.Raw, v[i])
	}
	return st, nil
}

func allow(dir hal.Direction) uint16 { return regAllow + uint16(dir-hal.Entry) }

func (g *gate) Unlock(ctx context.Context, dir hal.Direction) (sent bool, err error) {
	return g.b.WriteMany(ctx, allow(dir), 1)
}

func (g *gate) Lock(ctx context.Context, dir hal.Direction) error {
	_, err := g.b.WriteMany(ctx, allow(dir), 0)
	return err
}

// Withdraw takes the permission back and sees that it is gone.
func (g *gate) Withdraw(ctx context.Context, dir hal.Direction) error {
	_, err := g.b.WriteMany(ctx, allow(dir), 0)
	if errors.As(err, new(turnstile.Refused)) {
		return errors.Join(hal.ErrRejected, err)
	}
	st, back := g.Standing(context.WithoutCancel(ctx))
	if back != nil || st.Open[dir] != hal.Off {
		return errors.Join(hal.ErrUnconfirmed, err, back)
	}
	return nil
}

// Inert takes every permission back and reads that none is left. In antipanic
// it writes nothing: what then still stands is taken back when that is over.
func (g *gate) Inert(ctx context.Context) error {
	for range 2 {
		s, err := g.Sample(ctx)
		if err != nil {
			return err
		}
		if s.Levels[hal.InputEmergency] == hal.On || s.Open[hal.Entry] == hal.Off && s.Open[hal.Exit] == hal.Off {
			return nil
		}
		switch {
		case s.Levels[hal.InputEmergency] != hal.Off:
			return fmt.Errorf("take permissions back: %w: emergency, since the mode is in no document", hal.ErrUnknownInput)
		case s.Levels[hal.InputObstruction] != hal.Off:
			return fmt.Errorf("take permissions back: %w", hal.ErrObstructed)
		}
		for _, dir := range []hal.Direction{hal.Entry, hal.Exit} {
			if s.Open[dir] == hal.Off {
				continue
			}
			if err := g.Lock(ctx, dir); err != nil && !turnstile.Missed(err) {
				return fmt.Errorf("take permission %v back: %w", dir, err)
			}
		}
	}
	st, err := g.Standing(ctx)
	if err == nil && (st.Open[hal.Entry] != hal.Off || st.Open[hal.Exit] != hal.Off) {
		err = fmt.Errorf("take permissions back: %w: they are still there", hal.ErrRejected)
	}
	return err
}

// Tend has nothing to do: the gate times everything by itself.
func (g *gate) Tend(context.Context) error { return nil }

// Light sets a lamp on both sides.
func (g *gate) Light(ctx context.Context, l hal.Lamp, on bool) error {
	reg := uint16(regGreen)
	if l == hal.LampRed {
		reg = regRed
	}
	vals := []uint16{0, 0, 0}
	if on {
		vals = []uint16{1, 0, forever}
	}
	for _, side := range []uint16{0, lampStep} {
		if _, err := g.b.WriteMany(ctx, reg+side, vals...); err != nil {
			return err
		}
	}
	return nil
}
