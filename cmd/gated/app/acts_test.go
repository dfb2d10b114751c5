package app

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"bordergate/gate"
	"bordergate/sync/journal"
	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// actRig is a gate whose lane runs and which knows one officer.
func actRig(t *testing.T, acts ...string) (*App, *officerRig) {
	t.Helper()
	a := newOrderRig(t)
	serviceable(a)
	reach(t, a, "ready", inState(gate.Ready))
	r := newOfficerRig(t, func(o *wire.Officer) { o.Acts = acts })
	r.mono = monoNow
	a.officers = r.officers
	return a, r
}

// do goes the whole way over the control socket's handlers.
func do(t *testing.T, a *App, r *officerRig, act wire.Act) ActAnswer {
	t.Helper()
	c := &control{app: a}
	w := httptest.NewRecorder()
	c.nonce(w, nil)
	var n NonceAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &n); err != nil || n.Gate != "lane-1" {
		t.Fatalf("%s, %v", w.Body, err)
	}
	act.Nonce = n.Nonce
	signed := r.act(n.Nonce, func(_ *wire.Header, a *wire.Act) { *a = act })
	w = httptest.NewRecorder()
	c.act(w, httptest.NewRequestWithContext(t.Context(), "POST", "/v1/officer/act", bytes.NewReader(signed)))
	var out ActAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || (w.Code == 200) != (out.Outcome == wire.OutcomeExecuted) {
		t.Fatalf("%d %s, %v", w.Code, w.Body, err)
	}
	return out
}

func TestOfficerRunsTheLane(t *testing.T) {
	a, r := actRig(t, wire.ActMode)
	if out := do(t, a, r, wire.Act{Do: wire.ActMode, Mode: "maintenance"}); out.Outcome != wire.OutcomeExecuted {
		t.Fatalf("%+v", out)
	}
	reach(t, a, "maintenance", inState(gate.Maintenance))
	give(t, a, mode(wire.ModeClosed)) // headquarters' closure stands above it
	if out := do(t, a, r, wire.Act{Do: wire.ActMode, Mode: "normal"}); out.Outcome != wire.OutcomeExecuted || a.modes.now() != gate.ModeClosed {
		t.Fatalf("%+v, %v", out, a.modes.now())
	}
	if out := do(t, a, r, wire.Act{Do: wire.ActSignOff}); out.Outcome != wire.OutcomeRefused || out.Why == "" {
		t.Fatalf("without the right: %+v", out)
	}
}

func TestOfficerSignsAnEmergencyOff(t *testing.T) {
	a, r := actRig(t, wire.ActSignOff)
	a.post(gate.EmergencyInput(monoNow(), gate.On))
	reach(t, a, "the emergency", inState(gate.Emergency))
	if out := do(t, a, r, wire.Act{Do: wire.ActSignOff}); out.Outcome != wire.OutcomeRefused {
		t.Fatalf("while it lasts: %+v", out)
	}
	a.post(gate.EmergencyInput(monoNow(), gate.Off))
	if out := do(t, a, r, wire.Act{Do: wire.ActSignOff}); out.Outcome != wire.OutcomeExecuted {
		t.Fatalf("%+v", out)
	}
	reach(t, a, "ready", inState(gate.Ready))
}

// TestActComesByHeadquarters: an act that headquarters carries is judged like
// one that was brought to the control socket, and its nonce is good once.
func TestActComesByHeadquarters(t *testing.T) {
	a, r := actRig(t, wire.ActMode)
	out := give(t, a, link.Order{Command: wire.Command{ID: testID, Do: wire.DoNonce}})
	if out.nonce == "" {
		t.Fatal("no nonce")
	}
	signed := r.act(out.nonce, func(_ *wire.Header, act *wire.Act) {
		*act = wire.Act{Do: wire.ActMode, Mode: "maintenance", Nonce: out.nonce}
	})
	order := link.Order{Command: wire.Command{ID: testID, Do: wire.DoAct, Act: signed}}
	give(t, a, order)
	reach(t, a, "maintenance", inState(gate.Maintenance))
	if _, err := a.commands.do[wire.DoAct](t.Context(), order); err == nil || !strings.Contains(err.Error(), errNonce.Error()) {
		t.Fatalf("the same act again: %v", err)
	}
	order.Act = bytes.Clone(signed)
	order.Act[len(signed)-1] ^= 1
	if _, err := a.commands.do[wire.DoAct](t.Context(), order); err == nil || !strings.Contains(err.Error(), errNoOfficer.Error()) {
		t.Fatalf("an act that headquarters changed: %v", err)
	}
}

func TestOverrideNeedsAReferredTraveller(t *testing.T) {
	a, r := actRig(t, wire.ActOverride, wire.ActStamp)
	for _, act := range []wire.Act{{Do: wire.ActOverride, Tx: testID}, {Do: wire.ActStamp, Tx: testID}} {
		if out := do(t, a, r, act); out.Outcome != wire.OutcomeRefused || out.Why == "" {
			t.Fatalf("%s: %+v", act.Do, out)
		}
	}
}

// TestOfficerLetsTheReferredTravellerThrough goes from the nonce to the grant,
// and to a record that says who.
func TestOfficerLetsTheReferredTravellerThrough(t *testing.T) {
	c := goodStation(t)
	c.Policy.CaptureTimeout = time.Second
	a := orderRig(t, New(c, slog.New(slog.DiscardHandler)))
	r := newOfficerRig(t)
	r.mono, a.officers = monoNow, r.officers
	serviceable(a)
	reach(t, a, "ready", inState(gate.Ready))
	a.post(gate.Presence(monoNow(), gate.On))
	reach(t, a, "the referral of one who shows no pass", inState(gate.ReferredAway))
	_, recent := a.hub.snapshot()
	tx := recent[len(recent)-1].Tx
	if out := do(t, a, r, wire.Act{Do: wire.ActOverride, Tx: testID}); out.Outcome != wire.OutcomeRefused {
		t.Fatalf("of another transaction: %+v", out)
	}
	if out := do(t, a, r, wire.Act{Do: wire.ActOverride, Tx: tx}); out.Outcome != wire.OutcomeExecuted {
		t.Fatalf("%+v", out)
	}
	reach(t, a, "the decision to be on record", func(gate.View) bool {
		raws, err := a.journal.Tail(wire.StreamCrossing, 8)
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range raws {
			rec, err := wire.DecodeRecord(raw.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			personal, _ := journal.Personal(&rec, a.vault.Open)
			if rec.Kind == gate.EntryDecision && strings.Contains(string(rec.Public), "overridden") && strings.Contains(string(personal), `"officer":"o-17"`) {
				return !strings.Contains(string(rec.Public), "o-17")
			}
		}
		return false
	})
}
