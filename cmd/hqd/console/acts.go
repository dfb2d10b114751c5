package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"bordergate/sync/wire"
)

// What an officer can make of an exception.
const (
	doAdmit  = "admit"
	doRefuse = "refuse"
	doRefer  = "refer"
	doNoted  = "noted" // of an alarm
)

// takenError says who was quicker.
type takenError struct{ Answer }

func (e takenError) Error() string {
	if e.Pending {
		return fmt.Sprintf("%s is answering this at the moment", e.By)
	}
	return fmt.Sprintf("%s has answered this at %s: %s", e.By, e.At.Local().Format(time.TimeOnly), e.Do)
}

// free is asked at the entry's place in the log, so that of two who answer at
// one moment, at whichever machine, one is told of the other.
func (c *Console) free(id string) func() error {
	return func() error {
		if a := c.board.taken(id); a != nil {
			return takenError{*a}
		}
		return nil
	}
}

// answer records what an officer made of an exception. The traveller is sent
// nowhere by it: the officer tells him.
func (c *Console) answer(w http.ResponseWriter, r *http.Request, v visit) {
	in, ok := read[struct {
		Do     string `json:"do"`
		Reason string `json:"reason"`
		Note   string `json:"note"`
	}](w, r)
	if !ok {
		return
	}
	x, ok := c.exception(w, r)
	if !ok {
		return
	}
	switch {
	case !slices.Contains([]string{doRefuse, doRefer, doNoted}, in.Do) || in.Do == doNoted != (x.Alarm && x.Tx == ""):
		fail(w, http.StatusBadRequest, "an exception is refused or referred, an alarm noted")
	case in.Do == doRefuse && !v.user.Role.may(toAnswer):
		fail(w, http.StatusForbidden, "your role does not allow it")
	case !goodCode(in.Do, in.Reason) || len(in.Note) > maxNote || hasControl(in.Note):
		fail(w, http.StatusBadRequest, "choose a reason from the list; a note has up to 300 characters on one line")
	case in.Reason == codeOther && in.Note == "":
		fail(w, http.StatusBadRequest, "say in the note what the other reason is")
	default:
		e := v.entry(DidAnswer)
		e.On, e.What, e.Reason, e.Note = x.ID, in.Do, in.Reason, in.Note
		if err := c.note(r.Context(), e, c.free(x.ID)); err != nil {
			c.unwritten(w, err)
			return
		}
		reply(w, Result{Done: true})
	}
}

// admit brings an officer's signed act to the gate. That it is on its way stands
// in the log before it goes.
func (c *Console) admit(w http.ResponseWriter, r *http.Request, v visit) {
	in, ok := read[struct {
		Reason string `json:"reason"`
		Note   string `json:"note"`
		Act    []byte `json:"act"`
	}](w, r)
	if !ok {
		return
	}
	x, ok := c.exception(w, r)
	if !ok {
		return
	}
	if !goodCode(doAdmit, in.Reason) || len(in.Note) > maxNote || hasControl(in.Note) {
		fail(w, http.StatusBadRequest, "choose a reason from the list; a note has up to 300 characters on one line")
		return
	}
	act, ok := c.his(w, r, v, x.Gate, in.Act)
	if !ok {
		return
	}
	if act.Do != wire.ActOverride || act.Tx != x.Tx || x.Tx == "" || act.Reason != in.Reason {
		fail(w, http.StatusBadRequest, "what was signed is not the admission of this traveller")
		return
	}
	e := v.entry(DidClaim)
	e.On, e.What, e.Reason, e.Note = x.ID, doAdmit, in.Reason, in.Note
	if err := c.note(r.Context(), e, c.free(x.ID)); err != nil {
		c.unwritten(w, err)
		return
	}
	out, err := c.o.Orders.Act(r.Context(), x.Gate, in.Act, v.user.Name)
	e.Do, e.Outcome = DidAnswer, "the gate followed"
	if err != nil {
		out = Result{Why: err.Error()}
	}
	if !out.Done {
		e.Do, e.Outcome = DidFail, short(out.Why)
	}
	c.settled(w, r, e, out)
}

// settled writes what came of something, and tells.
func (c *Console) settled(w http.ResponseWriter, r *http.Request, e Entry, out Result) {
	if err := c.note(r.Context(), e, nil); err != nil {
		c.o.Logger.Error("Outcome is not on record", "do", e.Do, "error", err)
		out.Why = short(out.Why + " (and the log took no entry of it: tell the technician)")
	}
	reply(w, out)
}

func short(s string) string { return s[:min(len(s), maxNote)] }

// his verifies that an act is the officer's own who is signed in.
func (c *Console) his(w http.ResponseWriter, r *http.Request, v visit, gate string, signed []byte) (wire.Act, bool) {
	if v.user.Officer == "" {
		fail(w, http.StatusForbidden, "your account is no officer's: hqd console user set --officer ID")
		return wire.Act{}, false
	}
	act, err := c.o.Orders.Verify(r.Context(), gate, v.user.Officer, signed)
	if err != nil {
		fail(w, http.StatusForbidden, "headquarters does not know the key of this browser as yours: have it certified (hqd officer add)")
		return wire.Act{}, false
	}
	return act, true
}

// stamp records that the officer has stamped the pass before him.
func (c *Console) stamp(w http.ResponseWriter, r *http.Request, v visit) {
	x, ok := c.exception(w, r)
	if !ok {
		return
	}
	if _, ok := read[struct{}](w, r); !ok {
		return
	}
	e := v.entry(DidStamp)
	e.On = x.ID
	if err := c.note(r.Context(), e, nil); err != nil { // the record is opened for it
		c.unwritten(w, err)
		return
	}
	p, err := c.person(r.Context(), x)
	if err != nil || p.Pass == "" {
		fail(w, http.StatusConflict, "no pass number was read: give it to hqd stamp")
		return
	}
	if err := c.o.Orders.Stamp(r.Context(), p.Pass, v.user.Name); err != nil {
		fail(w, http.StatusConflict, "the stamp was not recorded: "+short(err.Error()))
		return
	}
	reply(w, Result{Done: true})
}

// known finds the lane that a request names.
func (c *Console) known(w http.ResponseWriter, r *http.Request) (string, bool) {
	gate := r.PathValue("gate")
	if !c.lane(gate) {
		fail(w, http.StatusNotFound, "no lane of this station")
		return "", false
	}
	return gate, true
}

// nonce fetches what an officer has to sign over.
func (c *Console) nonce(w http.ResponseWriter, r *http.Request, v visit) {
	gate, ok := c.known(w, r)
	if !ok {
		return
	}
	n, err := c.o.Orders.Nonce(r.Context(), gate, v.user.Name)
	if err != nil {
		fail(w, http.StatusBadGateway, "the lane gave no nonce: "+short(err.Error()))
		return
	}
	reply(w, map[string]string{"gate": gate, "nonce": n})
}

// act brings what an officer has signed and what is no admission: a mode, a
// direction, or that all is safe after an emergency.
func (c *Console) act(w http.ResponseWriter, r *http.Request, v visit) {
	gate, ok := c.known(w, r)
	if !ok {
		return
	}
	in, ok := read[struct {
		Act []byte `json:"act"`
	}](w, r)
	if !ok {
		return
	}
	act, ok := c.his(w, r, v, gate, in.Act)
	if !ok {
		return
	}
	if act.Tx != "" {
		fail(w, http.StatusBadRequest, "what was signed goes with an exception")
		return
	}
	e := v.entry(DidAct)
	e.On, e.What, e.Reason, e.Outcome = gate, strings.TrimSpace(act.Do+" "+act.Mode+act.Direction), act.Reason, "sent"
	if err := c.note(r.Context(), e, nil); err != nil {
		c.unwritten(w, err)
		return
	}
	out, err := c.o.Orders.Act(r.Context(), gate, in.Act, v.user.Name)
	c.settled(w, r, outcome(e, out, err), told(out, err))
}

func told(out Result, err error) Result {
	if err != nil {
		return Result{Why: short(err.Error())}
	}
	return out
}

func outcome(e Entry, out Result, err error) Entry {
	e.Outcome = "followed"
	if out = told(out, err); !out.Done {
		e.Outcome = short("not followed: " + out.Why)
	}
	return e
}

// mode closes a lane, or takes headquarters' closure back.
func (c *Console) mode(w http.ResponseWriter, r *http.Request, v visit) {
	gate, ok := c.known(w, r)
	if !ok {
		return
	}
	in, ok := read[struct {
		Mode string `json:"mode"`
	}](w, r)
	if !ok {
		return
	}
	if in.Mode != wire.ModeClosed && in.Mode != wire.ModeNormal {
		fail(w, http.StatusBadRequest, "a lane is closed, or that is taken back")
		return
	}
	e := v.entry(DidMode)
	e.On, e.What, e.Outcome = gate, in.Mode, "sent"
	if err := c.note(r.Context(), e, nil); err != nil {
		c.unwritten(w, err)
		return
	}
	out, err := c.o.Orders.Mode(r.Context(), gate, in.Mode, v.user.Name)
	c.settled(w, r, outcome(e, out, err), told(out, err))
}

// stopAll closes every lane of the station at once. A closure does not wait for
// the log: it is tried all the same, and lacks an entry at worst.
func (c *Console) stopAll(w http.ResponseWriter, r *http.Request, v visit) {
	in, ok := read[struct {
		Confirm bool `json:"confirm"`
	}](w, r)
	if !ok {
		return
	}
	if !in.Confirm {
		fail(w, http.StatusBadRequest, "stopping all lanes wants to be confirmed")
		return
	}
	lanes := c.o.Archive.Lanes()
	results := make(map[string]Result, len(lanes))
	var mu sync.Mutex
	var wg sync.WaitGroup
	e := v.entry(DidStop)
	e.Outcome = "sent"
	wg.Go(func() {
		if err := c.note(r.Context(), e, nil); err != nil {
			c.o.Logger.Error("Stop of all lanes is not on record", "error", err)
		}
	})
	for _, l := range lanes {
		wg.Go(func() {
			out, err := c.o.Orders.Mode(r.Context(), l.Gate, wire.ModeClosed, v.user.Name)
			mu.Lock()
			defer mu.Unlock()
			results[l.Gate] = told(out, err)
		})
	}
	wg.Wait()
	e.Outcome = "all closed"
	for gate, out := range results {
		if !out.Done {
			e.Outcome, e.Note = "not all closed", short(e.Note+gate+": "+out.Why+" ")
		}
	}
	if err := c.note(r.Context(), e, nil); err != nil {
		c.o.Logger.Error("Stop of all lanes is not on record", "error", err)
	}
	reply(w, results)
}
