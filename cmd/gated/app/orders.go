package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"bordergate/gate"
	"bordergate/hal"
	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// openCommands makes the commander and has its kept mode hold from the start.
func (a *App) openCommands() error {
	c, err := openCommander(a.journal, a.log.With("part", "commands"))
	if err != nil {
		return err
	}
	c.answer = func(r wire.Result) { a.hq.gate.Answer(r) }
	c.count = func(cause string) { a.hq.gate.Count(cause) }
	c.note = func(kind string, public any) { a.recorder.note(wire.StreamAlarm, kind, public) }
	c.do = map[string]func(context.Context, link.Order) (done, error){
		wire.DoMode: a.orderedMode, wire.DoRestart: a.orderedRestart, wire.DoResync: a.orderedResync,
		wire.DoClock: a.orderedClock, wire.DoDiagnostics: a.orderedDiagnostics,
		wire.DoNonce: a.orderedNonce, wire.DoAct: a.orderedAct,
	}
	a.modes.give(gate.Order{Mode: wireMode(c.kept.Mode), By: gate.ByHQ})
	a.commands = c
	return nil
}

// orderedMode closes the lane or takes headquarters' own closure back. A
// closure bites before it is kept, an opening after.
func (a *App) orderedMode(_ context.Context, o link.Order) (done, error) {
	was := a.commands.kept.Mode
	a.commands.kept.Mode = o.Mode
	if o.Mode != wire.ModeNormal {
		a.order(gate.Order{Mode: wireMode(o.Mode), By: gate.ByHQ})
	}
	if err := a.commands.keep(); err != nil {
		if o.Mode == wire.ModeNormal {
			a.commands.kept.Mode = was
			return done{}, err
		}
		return done{why: "it holds until the gate is started again: " + err.Error()}, nil
	}
	a.order(gate.Order{Mode: wireMode(o.Mode), By: gate.ByHQ})
	if held := a.modes.now(); held.Mode.String() != o.Mode {
		return done{why: "the lane is " + held.Mode.String() + " by order of the " + held.By}, nil
	}
	return done{}, nil
}

// restartWait is how long a restart waits for the traveller in the lane: longer
// than the longest transaction.
const restartWait = time.Minute

// orderedRestart lets the traveller in the lane finish and takes no other.
func (a *App) orderedRestart(ctx context.Context, _ link.Order) (done, error) {
	if !a.supervised {
		return done{}, errors.New("no service manager would start this gate again")
	}
	a.order(gate.Order{Mode: gate.ModeClosed, By: gate.ByRestart, Cause: "restart"})
	ctx, cancel := context.WithTimeout(ctx, restartWait)
	defer cancel()
	if err := a.hub.idle(ctx); err != nil {
		a.order(gate.Order{Mode: gate.ModeNormal, By: gate.ByRestart})
		return done{}, errors.New("a traveller is still in the lane; send it again")
	}
	return done{restart: true}, nil
}

// supervised reports whether a service manager runs this process, by what
// systemd.exec(5) puts into the environment.
func supervised() bool { return os.Getenv("INVOCATION_ID") != "" }

// idle returns when no transaction is under way.
func (h *hub) idle(ctx context.Context) error {
	events, end := h.listen()
	defer func() { end() }()
	for {
		if v, _ := h.snapshot(); v.Tx == (gate.TxID{}) {
			return nil
		}
		select {
		case _, ok := <-events:
			if !ok { // we were too slow for it
				events, end = h.listen()
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// orderedResync throws the accounts away. Nobody is admitted until they are
// here again; what the lane itself knows of passes comes from the journal.
func (a *App) orderedResync(context.Context, link.Order) (done, error) {
	if err := a.replica.Reset(); err != nil {
		return done{}, err
	}
	a.post(gate.AccountChanged(a.mono(), ""))
	a.hq.gate.Resync()
	raws, err := a.journal.Tail(wire.StreamCrossing, replayed)
	if err == nil {
		err = a.register.replay(raws, a.vault)
	}
	if err == nil {
		err = a.replica.SaveMoves()
	}
	if err != nil {
		// The cache itself is new and will fill; movements count as unknown.
		return done{why: "accounts are on their way; last movements are not kept: " + err.Error()}, nil
	}
	return done{why: "accounts are on their way; travellers are referred until they are here"}, nil
}

// clockTolerance is how far a synchronised clock may be off headquarters' own,
// the time that a command is under way included.
const clockTolerance = 5 * time.Second

// orderedClock takes headquarters' time for what it is, a signed time: it lifts
// the floor and nothing else; nobody sets this machine's clock. Where the clock
// here is known to be good and differs, one of the two is wrong, and a floor in
// the future would shut the gate.
func (a *App) orderedClock(_ context.Context, o link.Order) (done, error) {
	hint := time.Unix(0, o.Time)
	now, trust, floor := a.clock.Wall()
	off := now.Sub(hint)
	level := hal.Trust(trust).String()
	switch {
	case hint.Before(floor.Add(-clockTolerance)):
		return done{}, fmt.Errorf("it is older than the newest signed time here; the clock here is %s", level)
	case trust >= gate.ClockHeldOver && off.Abs() > clockTolerance:
		return done{}, fmt.Errorf("the clock here is %s and %.1f s off headquarters': see which of the two is wrong", level, off.Seconds())
	}
	a.clock.raise(hint)
	if err := a.journal.Advance(factFloor, uint64(a.clock.floor.Load())); err != nil {
		return done{why: "the floor is lifted until the next start only: " + err.Error()}, nil
	}
	_, trust, _ = a.clock.Wall()
	return done{why: fmt.Sprintf("the clock here is %s and %.3f s off headquarters'", hal.Trust(trust), off.Seconds())}, nil
}
