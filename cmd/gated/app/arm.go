package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"bordergate/gate"
	"bordergate/sync/wire"
)

// A new gate is a dry run until a technician arms it: it reads, matches, decides
// and records, refers everybody, and releases nobody. That it was armed is kept
// in the journal, so it stays so over restarts and upgrades, and a journal that
// is new is a gate that is not armed. A simulated gate has nothing that could
// hurt anybody and is born armed.

// blobArmed is the journal's value of it.
const blobArmed = "armed"

// causeNotArmed is why a lane is a dry run.
const causeNotArmed = "not_armed"

// Armed says whether a gate may release travellers, since when and by whom.
type Armed struct {
	On bool      `json:"armed"`
	By string    `json:"by,omitempty"` // a service id, no name
	At time.Time `json:"at,omitzero"`
}

// kindArming is the kind of the records of it, arming their public part.
const kindArming = "arming"

type arming struct {
	On bool   `json:"armed"`
	By string `json:"by"`
}

// Why a gate is not armed.
var (
	errWho      = errors.New("say who does it: a service id of a-z, 0-9 and -, no name")
	errUnwell   = errors.New("the gate has faults: see the status page, and gatectl doctor for the cures")
	errNotArmed = errors.New("keep that the gate is armed")
)

// openArmed orders the dry run where nobody has armed the gate.
func (a *App) openArmed() error {
	kept, err := a.armed()
	if err != nil {
		return err
	}
	if !kept.On {
		a.modes.give(dryRun())
	}
	return nil
}

func dryRun() gate.Order {
	return gate.Order{Mode: gate.ModeDryRun, By: gate.ByArming, Cause: causeNotArmed}
}

// armed is what the journal knows of it.
func (a *App) armed() (Armed, error) {
	if a.cfg.Simulated {
		return Armed{On: true}, nil
	}
	b, err := a.journal.Blob(blobArmed)
	if err != nil {
		return Armed{}, fmt.Errorf("read whether the gate is armed: %w", err)
	}
	var kept Armed
	if len(b) > 0 && json.Unmarshal(b, &kept) != nil {
		return Armed{}, nil // whatever it was, a dry run hurts nobody
	}
	return kept, nil
}

// arm has the gate release travellers from now on, or makes it a dry run again.
// The stricter bites before it is kept, the other after its record is on the disk.
func (a *App) arm(by string, on bool) error {
	switch {
	case !wire.ValidGateID(by):
		return errWho
	case a.lane == nil, on && len(a.faults) > 0:
		return errUnwell
	}
	if !on {
		a.order(dryRun())
	}
	b, err := json.Marshal(Armed{On: on, By: by, At: time.Now().UTC()})
	if err == nil && on {
		err = a.recorder.durable(wire.StreamAlarm, kindArming, arming{true, by})
	}
	if err == nil {
		err = a.journal.PutBlob(blobArmed, b)
	}
	if err != nil {
		a.recorder.note(wire.StreamAlarm, kindArming, arming{false, by}) // whatever its record says, it is not
		return errors.Join(errNotArmed, err)
	}
	if !on {
		a.recorder.note(wire.StreamAlarm, kindArming, arming{false, by})
	} else {
		a.order(gate.Order{Mode: gate.ModeNormal, By: gate.ByArming})
	}
	a.log.Info("Gate is armed or not from now on", "armed", on)
	return nil
}

// arming serves the technician who arms the gate.
func (c *control) arming(mux *http.ServeMux) {
	a := c.app
	answer := func(w http.ResponseWriter) {
		kept, err := a.armed()
		if err != nil {
			refuse(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		writeJSON(w, kept)
	}
	mux.HandleFunc("GET /v1/armed", c.withJournal(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
	mux.HandleFunc("POST /v1/armed", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if on := q.Get("on"); on != "true" && on != "false" {
			refuse(w, http.StatusBadRequest, "on is neither true nor false")
			return
		}
		if err := a.arm(q.Get("by"), q.Get("on") == "true"); err != nil {
			refuse(w, http.StatusConflict, err.Error())
			return
		}
		answer(w)
	})
}
