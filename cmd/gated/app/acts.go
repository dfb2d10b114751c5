package app

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"time"

	"bordergate/gate"
	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// actWait is how long the lane has to show that it follows an act; after it the
// lane itself does not follow it any more.
const actWait = gate.ActFresh

// NonceAnswer is what an officer has to sign over.
type NonceAnswer struct {
	Gate   string `json:"gate"`
	Nonce  string `json:"nonce"`
	ValidS int    `json:"valid_s"`
	// Tx is the newest transaction that ended, whose traveller he may have
	// before him; empty where there is none.
	Tx string `json:"tx,omitempty"`
}

// ActAnswer is what came of an act.
type ActAnswer struct {
	Do      string `json:"do"`
	Outcome string `json:"outcome"` // executed or refused
	Why     string `json:"why,omitempty"`
}

func (c *control) nonce(w http.ResponseWriter, _ *http.Request) {
	if c.app.officers == nil {
		refuse(w, http.StatusServiceUnavailable, errNoKeys.Error())
		return
	}
	out := NonceAnswer{Gate: c.app.cfg.Gate.ID, Nonce: c.app.officers.nonce(), ValidS: int(actLife / time.Second)}
	if _, recent := c.app.hub.snapshot(); len(recent) > 0 {
		out.Tx = recent[len(recent)-1].Tx
	}
	writeJSON(w, out)
}

func (c *control) act(w http.ResponseWriter, r *http.Request) {
	if c.app.officers == nil {
		refuse(w, http.StatusServiceUnavailable, errNoKeys.Error())
		return
	}
	signed, err := io.ReadAll(io.LimitReader(r.Body, wire.MaxAct+1))
	if err != nil {
		refuse(w, http.StatusBadRequest, "the act did not come whole")
		return
	}
	out := c.app.carryOut(r.Context(), signed, true)
	if out.Outcome != wire.OutcomeExecuted {
		w.WriteHeader(http.StatusForbidden)
	}
	writeJSON(w, out)
}

// errNoKeys means that nobody's act can be verified.
var errNoKeys = errors.New("headquarters' keys are not here; see the status page")

// orderedNonce gives out a nonce for an officer at the console.
func (a *App) orderedNonce(context.Context, link.Order) (done, error) {
	if a.officers == nil {
		return done{}, errNoKeys
	}
	return done{nonce: a.officers.nonce()}, nil
}

// orderedAct carries out what an officer at the console has signed. That
// headquarters brought it makes it no more than it is: it is verified like one
// that came over the control socket.
func (a *App) orderedAct(ctx context.Context, o link.Order) (done, error) {
	if a.officers == nil {
		return done{}, errNoKeys
	}
	if out := a.carryOut(ctx, o.Act, false); out.Outcome != wire.OutcomeExecuted {
		return done{}, errors.New(out.Why)
	}
	return done{}, nil
}

// carryOut verifies an act, has the lane follow it and records either way. What
// nobody has signed is counted and not recorded: it is nobody's. Here says that
// its officer stands at the gate.
func (a *App) carryOut(ctx context.Context, signed []byte, here bool) ActAnswer {
	act, who, err := a.officers.verify(signed)
	if err == nil {
		err = a.follow(ctx, act, who, here)
	}
	out := ActAnswer{Do: act.Do, Outcome: wire.OutcomeExecuted}
	if err != nil {
		out.Outcome, out.Why = wire.OutcomeRefused, err.Error()
		if a.hq != nil {
			a.hq.gate.Count("officer_act_refused")
		}
		a.log.Warn("Act of an officer refused", "do", act.Do, "error", err)
	}
	if who.ID != "" {
		a.recorder.note(wire.StreamAlarm, "officer_act", struct {
			Do        string `json:"do"`
			Officer   string `json:"officer"` // a service id, no name
			Key       string `json:"key"`
			Tx        string `json:"tx,omitempty"`
			Mode      string `json:"mode,omitempty"`
			ForS      int64  `json:"for_s,omitempty"`
			Direction string `json:"direction,omitempty"`
			Reason    string `json:"reason,omitempty"`
			Outcome   string `json:"outcome"`
			Why       string `json:"why,omitempty"`
		}{act.Do, who.ID, who.Kid(), act.Tx, act.Mode, act.ForS, act.Direction, act.Reason, out.Outcome, out.Why})
	}
	return out
}

// Why the lane does not follow an act.
var (
	errNoLane      = errors.New("the lane is not there: see the status page")
	errNotHere     = errors.New("this is signed by an officer who stands at the gate and sees the lane; nobody does it from afar")
	errEmergency   = errors.New("the emergency is not over: its input is still active or is not known, or there was none")
	errNobody      = errors.New("no referred traveller of this transaction stands there, or the lane must not open now")
	errNobodyWaits = errors.New("no traveller of this transaction waits for it, or he has gone")
	errNoPass      = errors.New("no referred traveller of this transaction has shown a pass that was read, or the journal takes no records")
	errNotEmpty    = errors.New("the lane is not reversible, is not ready or closed, or is not known to be empty")
)

// follow has the lane do what an officer may. What the lane itself forbids, in
// an emergency, at an obstruction or without a journal, stays forbidden.
func (a *App) follow(ctx context.Context, act wire.Act, who wire.Officer, here bool) error {
	if a.lane == nil {
		return errNoLane
	}
	var tx gate.TxID
	if act.Tx != "" {
		if n, err := hex.Decode(tx[:], []byte(act.Tx)); err != nil || n != len(tx) {
			return wire.ErrOfficers
		}
	}
	decided := func(_, now event) bool {
		return now.Tx == tx.String() && (now.State == gate.Deciding.String() || now.State == gate.Granted.String())
	}
	switch act.Do {
	case wire.ActMode:
		return a.orderOf(act, who)
	case wire.ActSignOff:
		if !here {
			return errNotHere
		}
		return a.told(ctx, gate.SignOff(monoNow(), who.ID), errEmergency, func(before, now event) bool {
			return before.State == gate.Emergency.String() && now.State != gate.Emergency.String()
		})
	case wire.ActOverride:
		return a.told(ctx, gate.Override(monoNow(), tx, who.ID, act.Reason), errNobody, decided)
	case wire.ActConfirm:
		return a.told(ctx, gate.Confirm(monoNow(), tx, who.ID), errNobodyWaits, decided)
	case wire.ActDirection:
		if !here {
			return errNotHere
		}
		return a.turned(ctx, act, who)
	default:
		return a.told(ctx, gate.Stamp(monoNow(), tx, who.ID), errNoPass, func(_, now event) bool {
			return now.Cause == gate.CauseStamped
		})
	}
}

// orderOf has an officer's order hold for as long as he says.
func (a *App) orderOf(act wire.Act, who wire.Officer) error {
	mode, ok := gate.ParseMode(act.Mode)
	o := gate.Order{Mode: mode, By: gate.ByStation, Officer: who.ID, Cause: act.Reason}
	now := a.mono()
	if act.ForS > 0 {
		o.Until = now + act.ForS*int64(time.Second)
	}
	if !ok || !o.Fits(now) {
		return wire.ErrOfficers
	}
	return a.orderKept(o)
}

// turned has a reversible lane turned, and the new way hold over a restart.
func (a *App) turned(ctx context.Context, act wire.Act, who wire.Officer) error {
	to := gate.DirEntry
	if act.Direction == gate.DirExit.String() {
		to = gate.DirExit
	}
	err := a.told(ctx, gate.Turn(a.mono(), to, who.ID, act.Reason), errNotEmpty, func(_, now event) bool { return now.Way == to.String() })
	if err != nil {
		return err
	}
	return a.modes.turned(to)
}

// told posts an input and waits until the lane has shown that it follows.
func (a *App) told(ctx context.Context, in gate.Input, otherwise error, done func(before, now event) bool) error {
	ctx, cancel := context.WithTimeout(ctx, actWait)
	defer cancel()
	events, end := a.hub.listen()
	defer end()
	before := <-events // how the lane stands
	a.post(in)
	for {
		select {
		case e, ok := <-events:
			switch {
			case !ok:
				return otherwise
			case done(before, e):
				return nil
			}
		case <-ctx.Done():
			return otherwise
		}
	}
}
