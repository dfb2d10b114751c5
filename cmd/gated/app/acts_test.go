package app

import (
	"bytes"
	"context"
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
	if out := do(t, a, r, wire.Act{Do: wire.ActMode, Mode: "maintenance", Reason: "maintenance"}); out.Outcome != wire.OutcomeExecuted {
		t.Fatalf("%+v", out)
	}
	reach(t, a, "maintenance", inState(gate.Maintenance))
	give(t, a, mode(wire.ModeClosed)) // headquarters' closure stands above it
	if out := do(t, a, r, wire.Act{Do: wire.ActMode, Mode: "normal"}); out.Outcome != wire.OutcomeExecuted || a.modes.now().Mode != gate.ModeClosed {
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
		*act = wire.Act{Do: wire.ActMode, Mode: "maintenance", Reason: "maintenance", Nonce: out.nonce}
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

// TestActsOfTheGateAlone: what an officer signs because he sees the lane is not
// taken from one who is somewhere else.
func TestActsOfTheGateAlone(t *testing.T) {
	a, r := actRig(t, wire.ActSignOff, wire.ActDirection)
	a.post(gate.EmergencyInput(monoNow(), gate.On))
	a.post(gate.EmergencyInput(monoNow(), gate.Off))
	reach(t, a, "the emergency", inState(gate.Emergency))
	for _, act := range []wire.Act{{Do: wire.ActSignOff}, {Do: wire.ActDirection, Direction: "entry", Reason: "crowd"}} {
		act.Nonce = give(t, a, link.Order{Command: wire.Command{ID: testID, Do: wire.DoNonce}}).nonce
		signed := r.act(act.Nonce, func(_ *wire.Header, x *wire.Act) { *x = act })
		if _, err := a.orderedAct(t.Context(), link.Order{Command: wire.Command{ID: testID, Do: wire.DoAct, Act: signed}}); err == nil || err.Error() != errNotHere.Error() {
			t.Errorf("%s: %v", act.Do, err)
		}
	}
	if v, _ := a.hub.snapshot(); v.State != gate.Emergency {
		t.Fatalf("state %v", v.State)
	}
}

// TestReversibleLaneIsTurnedByAnOfficer and keeps its direction over a restart.
func TestReversibleLaneIsTurnedByAnOfficer(t *testing.T) {
	c := goodStation(t)
	c.Gate.Reversible = true
	a := New(c, slog.New(slog.DiscardHandler))
	orderRig(t, a)
	serviceable(a)
	a.post(gate.Presence(monoNow(), gate.Off))
	reach(t, a, "ready", inState(gate.Ready))
	r := newOfficerRig(t, func(o *wire.Officer) { o.Acts = []string{wire.ActDirection} })
	r.mono, a.officers = monoNow, r.officers
	turn := wire.Act{Do: wire.ActDirection, Direction: "entry", Reason: "crowd"}
	if out := do(t, a, r, turn); out.Outcome != wire.OutcomeExecuted {
		t.Fatalf("%+v", out)
	}
	if v, _ := a.hub.snapshot(); v.Direction != gate.DirEntry || a.Status().Lane.Direction != "entry" {
		t.Fatalf("%+v", v)
	}
	a.post(gate.Presence(monoNow(), gate.On))
	turn.Direction = "exit"
	if out := do(t, a, r, turn); out.Outcome != wire.OutcomeRefused {
		t.Fatalf("with somebody in it: %+v", out)
	}
	if m := restored(t, a); m.direction != gate.DirEntry {
		t.Fatalf("kept %v", m.direction)
	}
}

// restored is what a start would take up of what the journal keeps now.
func restored(t *testing.T, a *App) *modes {
	t.Helper()
	b, err := a.journal.Blob(blobModes)
	if err != nil {
		t.Fatal(err)
	}
	var k keptModes
	if err := json.Unmarshal(b, &k); err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	m := newModes(a.mono)
	m.boot = a.modes.boot
	m.restore(k)
	return m
}

func TestOfficersModeEndsAndIsKept(t *testing.T) {
	a, r := actRig(t, wire.ActMode)
	suspend := wire.Act{Do: wire.ActMode, Mode: wire.ModeBiometricsSuspended, ForS: 3600, Reason: "device_failure"}
	if out := do(t, a, r, suspend); out.Outcome != wire.OutcomeExecuted {
		t.Fatalf("%+v", out)
	}
	reach(t, a, "the suspension", func(v gate.View) bool { return v.Mode == gate.ModeBiometricsSuspended })
	l := a.Status().Lane
	if l.By != gate.ByStation || l.Why != "device_failure" || l.LeftS < 3500 || l.LeftS > 3600 {
		t.Fatalf("%+v", l)
	}
	if held := restored(t, a).now(); held.Mode != gate.ModeBiometricsSuspended || held.Officer != "o-17" || held.Until != a.modes.now().Until {
		t.Fatalf("kept %+v", held)
	}
	if out := do(t, a, r, wire.Act{Do: wire.ActMode, Mode: "normal"}); out.Outcome != wire.OutcomeExecuted {
		t.Fatalf("%+v", out)
	}
	reach(t, a, "normal", func(v gate.View) bool { return v.Mode == gate.ModeNormal })
	if held := restored(t, a).now(); held.Mode != gate.ModeNormal {
		t.Fatalf("kept %+v", held)
	}
}

// TestEmergencyIsKeptUntilItIsSignedOff: a stop and a start are no way out of it.
func TestEmergencyIsKeptUntilItIsSignedOff(t *testing.T) {
	a, r := actRig(t, wire.ActSignOff)
	ctx, cancel := context.WithCancel(t.Context())
	saved := make(chan bool, 8)
	keep := a.modes.keep
	a.modes.keep = func(k keptModes) error {
		err := keep(k)
		saved <- k.Emergency
		return err
	}
	over := make(chan error, 1)
	go func() { over <- a.modes.serve(ctx, a.holds, func(err error) { t.Error(err) }) }()
	a.post(gate.EmergencyInput(monoNow(), gate.On))
	a.post(gate.EmergencyInput(monoNow(), gate.Off))
	if on := <-saved; !on || !restored(t, a).unsigned() {
		t.Fatal("the emergency is not kept")
	}
	if out := do(t, a, r, wire.Act{Do: wire.ActSignOff}); out.Outcome != wire.OutcomeExecuted {
		t.Fatalf("%+v", out)
	}
	if on := <-saved; on || restored(t, a).unsigned() {
		t.Fatal("the sign-off is not kept")
	}
	cancel()
	<-over
}

func TestOverrideNeedsAReferredTraveller(t *testing.T) {
	a, r := actRig(t, wire.ActOverride, wire.ActStamp)
	for _, act := range []wire.Act{{Do: wire.ActOverride, Tx: testID, Reason: "document_checked"}, {Do: wire.ActStamp, Tx: testID}} {
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
	if out := do(t, a, r, wire.Act{Do: wire.ActOverride, Tx: testID, Reason: "document_checked"}); out.Outcome != wire.OutcomeRefused {
		t.Fatalf("of another transaction: %+v", out)
	}
	if out := do(t, a, r, wire.Act{Do: wire.ActOverride, Tx: tx, Reason: "document_checked"}); out.Outcome != wire.OutcomeExecuted {
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
