package modbusio

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bordergate/hal"
	"bordergate/hal/turnstile"
	"bordergate/hal/turnstile/modbus"
)

// New makes the driver of a board; nothing is opened before Serve.
func New(o Options) (*turnstile.Driver, error) {
	counter := uint32(0)
	if o.Profile.Count != 0 {
		counter = 0xFFFF
	}
	return turnstile.New(o.Options, turnstile.Model{
		Counter: counter,
		Inputs:  wiredOf(o.Inputs, hal.Inputs()), Lamps: wiredOf(o.Lamps, hal.Lamps()),
		Unlocks: wiredOf(o.Unlock, []hal.Direction{hal.Entry, hal.Exit}),
		Open: func(l *turnstile.Line) turnstile.Board {
			return &contacts{o: &o, b: modbus.Bus{Line: l, Unit: o.Unit}, off: map[int]time.Time{}}
		},
	}, o.check())
}

// contacts is one connection.
type contacts struct {
	o   *Options
	b   modbus.Bus
	off map[int]time.Time // relays that the driver itself has to switch off
}

// Greet refuses a board whose relays would not do as they are told, and sets the
// watchdog of one that has it.
func (b *contacts) Greet(ctx context.Context) error {
	if err := b.checkModes(ctx); err != nil {
		return err
	}
	return b.setWatchdog(ctx)
}

// setWatchdog has the board take its relays back when we fall silent. What it
// falls back to is only looked at: a relay that would then switch on is for the
// technician.
func (b *contacts) setWatchdog(ctx context.Context) error {
	p := b.o.Profile
	if p.Watchdog == 0 {
		return nil
	}
	if p.Default != 0 {
		data, err := b.b.Read(ctx, modbus.ReadHolding, p.Default, 1, 0)
		if err != nil {
			return fmt.Errorf("read default outputs: %w", err)
		}
		if mask := modbus.Words(data)[0]; mask != 0 {
			return b.setting(fmt.Errorf("relays %#x go on when the board loses its master", mask), "set the board's default outputs to 0 with its maker's tool")
		}
	}
	want := uint16(b.o.Watchdog.Milliseconds())
	for range 2 {
		data, err := b.b.Read(ctx, modbus.ReadHolding, p.Watchdog, 1, 0)
		if err != nil {
			return fmt.Errorf("read watchdog: %w", err)
		}
		if modbus.Words(data)[0] == want {
			return nil
		}
		if _, err := b.b.Write(ctx, modbus.WriteRegister, p.Watchdog, want); err != nil {
			return fmt.Errorf("set watchdog: %w", err)
		}
	}
	return b.setting(errors.New("the watchdog does not keep its time"), "check that the board has the watchdog register of its profile")
}

func (b *contacts) setting(err error, hint string) error {
	return &hal.Error{Op: "check board", Device: b.o.Port.Path, Err: fmt.Errorf("%w: %w", turnstile.ErrSetting, err), Hint: hint}
}

// checkModes refuses a board whose unlock relays are linked to its inputs or
// toggle. A board that does not know the registers has no such modes.
func (b *contacts) checkModes(ctx context.Context) error {
	if b.o.Profile.ModeBase == 0 {
		return nil
	}
	for dir, ch := range b.o.Unlock {
		if ch == NotWired {
			continue
		}
		data, err := b.b.Read(ctx, modbus.ReadHolding, b.o.Profile.ModeBase+uint16(ch), 1, 0)
		if errors.As(err, new(turnstile.Refused)) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read output mode: %w", err)
		}
		if data[0]|data[1] != 0 {
			return b.setting(fmt.Errorf("unlock %v in mode %d", dir, data[1]), "set the board's relays to normal mode with its maker's tool")
		}
	}
	return nil
}

// inputWait is the longest wait for a reading of the inputs beyond the time on
// the wire. A late reading is worth more than the silence after a lost one: a
// passage contact is on for 100 ms, and a missed one is never made up for. The
// relays' answers are waited for less long, so that a read-back still falls
// into the pulse.
const inputWait = 300 * time.Millisecond

func (b *contacts) Sample(ctx context.Context) (turnstile.Sample, error) {
	at := hal.Now()
	p := b.o.Profile
	mask, data, err := b.b.Bits(ctx, p.InputFn, p.InBase, b.o.inputCount(), inputWait)
	if err != nil {
		return turnstile.Sample{}, fmt.Errorf("read inputs: %w", err)
	}
	r := turnstile.Sample{At: at, Raw: append([]byte(nil), data...)}
	for in, ch := range b.o.Inputs {
		if ch != NotWired {
			r.Levels[in] = hal.LevelOf(mask>>ch&1 == 1 != b.o.ActiveLow[in])
		}
	}
	return r, b.counts(ctx, &r)
}

// counts reads how often the passage contacts have closed, where the board
// counts.
func (b *contacts) counts(ctx context.Context, r *turnstile.Sample) error {
	base := b.o.Profile.Count
	if base == 0 {
		return nil
	}
	first, last := maxChannels, 0
	for dir := range b.o.Unlock {
		if ch := b.o.input(dir.Pass()); ch != NotWired {
			first, last = min(first, ch), max(last, ch)
		}
	}
	data, err := b.b.Read(ctx, modbus.ReadInputRegs, base+uint16(first), uint16(last-first+1), inputWait)
	if err != nil {
		return fmt.Errorf("read counters: %w", err)
	}
	words := modbus.Words(data)
	for dir := range b.o.Unlock {
		if ch := b.o.input(dir.Pass()); ch != NotWired {
			r.Count[dir] = uint32(words[ch-first])
		}
	}
	r.Raw = append(r.Raw, data...)
	return nil
}

func (b *contacts) relays(ctx context.Context) (uint32, []byte, error) {
	p := b.o.Profile
	mask, data, err := b.b.Bits(ctx, p.ReadFn, p.Base, b.o.outputCount(), 0)
	if err != nil {
		return 0, nil, fmt.Errorf("read relays: %w", err)
	}
	return mask, data, nil
}

// Standing is the unlock relays, by another function than the inputs'.
func (b *contacts) Standing(ctx context.Context) (turnstile.Standing, error) {
	mask, data, err := b.relays(ctx)
	if err != nil {
		return turnstile.Standing{}, err
	}
	st := turnstile.Standing{Raw: append([]byte(nil), data...)}
	for dir, ch := range b.o.Unlock {
		if ch != NotWired {
			st.Open[dir] = hal.LevelOf(mask>>ch&1 == 1)
		}
	}
	return st, nil
}

// relay switches a relay, lastingly. sent is as of an exchange.
func (b *contacts) relay(ctx context.Context, ch int, on bool) (sent bool, err error) {
	val := uint16(0)
	if on {
		val = b.o.Profile.OnValue
	}
	return b.b.Write(ctx, b.o.Profile.WriteFn, b.o.Profile.Base+uint16(ch), val)
}

// pulseUnit is the boards' unit of pulse time.
const pulseUnit = 100 * time.Millisecond

// pulse switches a relay on for the pulse's time, by the board where it can.
func (b *contacts) pulse(ctx context.Context, ch int) (sent bool, err error) {
	if p := b.o.Profile; p.FlashBase != 0 {
		return b.b.Write(ctx, p.WriteFn, p.FlashBase+uint16(ch), uint16(b.o.Pulse/pulseUnit))
	}
	// The end is planned before the beginning is sent.
	b.off[ch] = time.Now().Add(b.o.Pulse)
	sent, err = b.relay(ctx, ch, true)
	if !sent {
		delete(b.off, ch)
	}
	return sent, err
}

func (b *contacts) Unlock(ctx context.Context, dir hal.Direction) (sent bool, err error) {
	return b.pulse(ctx, b.o.unlock(dir))
}

func (b *contacts) Lock(ctx context.Context, dir hal.Direction) error {
	_, err := b.relay(ctx, b.o.unlock(dir), false)
	return err
}

// Withdraw switches the unlock off and pulses stop, and sees that it did.
func (b *contacts) Withdraw(ctx context.Context, dir hal.Direction) error {
	err := b.Lock(ctx, dir)
	if b.o.Stop == NotWired {
		return errors.Join(hal.ErrNoWithdrawal, err)
	}
	if _, stop := b.pulse(ctx, b.o.Stop); errors.As(stop, new(turnstile.Refused)) {
		return errors.Join(hal.ErrRejected, stop)
	} else {
		err = errors.Join(err, stop)
	}
	mask, _, back := b.relays(context.WithoutCancel(ctx))
	if back != nil || mask>>b.o.Stop&1 == 0 {
		return errors.Join(hal.ErrUnconfirmed, err, back)
	}
	return nil
}

// Tend ends the pulses that the driver itself times. Switching off is the one
// write that is repeated until it is seen to have worked.
func (b *contacts) Tend(ctx context.Context) error {
	for ch, due := range b.off {
		if time.Now().Before(due) {
			continue
		}
		if _, err := b.relay(ctx, ch, false); err != nil {
			return fmt.Errorf("end pulse: %w", err)
		}
		mask, _, err := b.relays(ctx)
		if err != nil {
			return err
		}
		if mask>>ch&1 == 0 {
			delete(b.off, ch)
		}
	}
	return nil
}

// Inert writes every unlock relay and the stop relay off and reads them back.
func (b *contacts) Inert(ctx context.Context) error {
	var all uint32
	relays := []int{b.o.Stop}
	for _, ch := range b.o.Unlock {
		relays = append(relays, ch)
	}
	for _, ch := range relays {
		if ch == NotWired {
			continue
		}
		all |= 1 << ch
		_, err := b.relay(ctx, ch, false)
		if turnstile.Missed(err) {
			_, err = b.relay(ctx, ch, false) // off twice is off
		}
		if err != nil {
			return fmt.Errorf("switch relay %d off: %w", ch, err)
		}
	}
	mask, _, err := b.relays(ctx)
	if err != nil {
		return err
	}
	if mask&all != 0 {
		return fmt.Errorf("switch unlock off: %w: the relay is still on", hal.ErrRejected)
	}
	clear(b.off)
	return nil
}

func (b *contacts) Light(ctx context.Context, l hal.Lamp, on bool) error {
	_, err := b.relay(ctx, b.o.Lamps[l], on)
	return err
}
