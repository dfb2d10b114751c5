package swing7e

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bordergate/hal"
	"bordergate/hal/turnstile"
)

// gate is one connection.
type gate struct {
	o    *Options
	l    *turnstile.Line
	last status // whose counters are believed; raw is nil before the first
	lift bool   // a side is forbidden by us
}

// status asks for the board's status, once more after a failure of the exchange.
func (g *gate) status(ctx context.Context) (status, error) {
	q := turnstile.Question{
		Send: command(g.o.Unit, cmdStatus, 0), Reply: statusLen, Tells: true,
		Parse: func(p []byte) ([]byte, bool, error) { return findStatus(g.o.Unit, p) },
	}
	data, _, err := g.l.Exchange(ctx, q)
	if turnstile.Missed(err) {
		data, _, err = g.l.Exchange(ctx, q)
	}
	if err != nil {
		return status{}, fmt.Errorf("read status: %w", err)
	}
	return parse(data), nil
}

// Greet has nothing to recognise the board by but its status.
func (g *gate) Greet(context.Context) error { return nil }

func (g *gate) Sample(ctx context.Context) (turnstile.Sample, error) {
	at := hal.Now()
	st, err := g.status(ctx)
	if err != nil {
		return turnstile.Sample{}, err
	}
	if err := g.believe(ctx, st); err != nil {
		return turnstile.Sample{}, err
	}
	s := turnstile.Sample{At: at, Raw: st.raw}
	s.Levels, s.Alarms = g.o.Codes.read(st.raw)
	s.Count[g.o.Left], s.Count[g.o.Left.Opposite()] = g.last.left, g.last.right
	s.Open = g.open(st)
	if words, known := g.o.Codes.Command[st.raw[atCommand]]; !known && words == nil {
		s.Alarms = append(s.Alarms, turnstile.Alarm{Kind: hal.Fault, Code: rawCode(atCommand, st.raw[atCommand])})
	}
	return s, nil
}

// believe takes counters over that are as they were, or that a second status
// repeats: the frame's sum lets two errors of one frame pass.
func (g *gate) believe(ctx context.Context, st status) error {
	if g.last.raw != nil && (st.left != g.last.left || st.right != g.last.right) {
		again, err := g.status(ctx)
		if err != nil {
			return err
		}
		if st.left != again.left || st.right != again.right {
			return nil // the next look tells
		}
	}
	g.last = st
	return nil
}

// says reports whether the command field has a word, by the table.
func (g *gate) says(st status, word string) hal.Level {
	words, known := g.o.Codes.Command[st.raw[atCommand]]
	if !known {
		return hal.Unknown
	}
	return hal.LevelOf(slices.Contains(words, word))
}

func (g *gate) open(st status) (open [hal.Exit + 1]hal.Level) {
	open[g.o.Left], open[g.o.Left.Opposite()] = g.says(st, openLeft), g.says(st, openRight)
	return open
}

// Standing is the status again: the protocol has no other question.
func (g *gate) Standing(ctx context.Context) (turnstile.Standing, error) {
	st, err := g.status(ctx)
	if err != nil {
		return turnstile.Standing{}, err
	}
	return turnstile.Standing{Open: g.open(st), Raw: st.raw}, nil
}

// side is the command of a direction's side.
func (g *gate) side(dir hal.Direction, left, right byte) byte {
	if dir == g.o.Left {
		return left
	}
	return right
}

func (g *gate) tell(ctx context.Context, cmd, n byte) (sent bool, err error) {
	return g.l.Tell(ctx, command(g.o.Unit, cmd, n), g.o.Rest)
}

// Unlock opens a side for one person, and looks whether the board refused.
func (g *gate) Unlock(ctx context.Context, dir hal.Direction) (sent bool, err error) {
	if sent, err := g.tell(ctx, g.side(dir, cmdOpenLeft, cmdOpenRight), 1); err != nil {
		return sent, err
	}
	st, err := g.status(context.WithoutCancel(ctx))
	if err == nil && g.says(st, refused) == hal.On {
		err = turnstile.Refused{Code: rawCode(atCommand, st.raw[atCommand]), What: "to open"}
	}
	return true, err
}

// Lock forbids a side that stands open, and lifts that again.
func (g *gate) Lock(ctx context.Context, dir hal.Direction) error {
	if _, err := g.tell(ctx, g.side(dir, cmdForbidLeft, cmdForbidRight), 0); err != nil {
		return err
	}
	g.lift = true
	return nil
}

// Withdraw forbids the side and sees that it does not stand open any more.
func (g *gate) Withdraw(ctx context.Context, dir hal.Direction) error {
	err := g.Lock(ctx, dir)
	ctx = context.WithoutCancel(ctx)
	st, back := g.Standing(ctx)
	if err != nil || back != nil || st.Open[dir] != hal.Off {
		return errors.Join(hal.ErrUnconfirmed, err, back)
	}
	return g.Tend(ctx)
}

// Tend lifts what we forbade, until the board shows that it is lifted.
func (g *gate) Tend(ctx context.Context) error {
	if !g.lift {
		return nil
	}
	if _, err := g.tell(ctx, cmdLift, 0); err != nil {
		return fmt.Errorf("lift restriction: %w", err)
	}
	st, err := g.status(ctx)
	if err != nil {
		return err
	}
	g.lift = g.says(st, forbidden) == hal.On
	return nil
}

// Inert takes openings back that stand, but none that somebody may be using,
// and lifts what an earlier daemon may have forbidden.
func (g *gate) Inert(ctx context.Context) error {
	s, err := g.Sample(ctx)
	if err != nil {
		return err
	}
	for dir, l := range s.Open {
		if hal.Direction(dir).Valid() && l != hal.Off {
			if err := g.shut(ctx, s, hal.Direction(dir)); err != nil {
				return fmt.Errorf("take opening %v back: %w", hal.Direction(dir), err)
			}
		}
	}
	g.lift = true
	if err := g.Tend(ctx); err != nil {
		return err
	}
	if g.lift {
		return fmt.Errorf("lift restriction: %w: it still stands", hal.ErrRejected)
	}
	return nil
}

func (g *gate) shut(ctx context.Context, s turnstile.Sample, dir hal.Direction) error {
	switch {
	case s.Levels[hal.InputEmergency] == hal.On:
		return nil // only hardware rules the gate
	case s.Levels[hal.InputEmergency] != hal.Off:
		return fmt.Errorf("%w: emergency", hal.ErrUnknownInput)
	case s.Open[dir] == hal.Unknown:
		return fmt.Errorf("%w: code %#02x of the command field is not in the table", hal.ErrUnknownInput, s.Raw[atCommand])
	case s.Levels[hal.InputObstruction] != hal.Off:
		return hal.ErrObstructed
	}
	return g.Withdraw(ctx, dir)
}

// Light does nothing: the board has no lamps of ours.
func (g *gate) Light(context.Context, hal.Lamp, bool) error { return nil }
