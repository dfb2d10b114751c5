package app

import (
	"errors"
	"testing"
	"time"

	"bordergate/sync/wire"
)

func revocation(number string) Revocation {
	return Revocation{Number: number, By: "N. N.", Ground: wire.GroundLost}
}

func TestRevocationBitesAndIsReported(t *testing.T) {
	h := newHQ(t)
	h.start()
	g := newGate(t, h, "lane-1")
	g.start(h)
	until(t, "the end of catching up", g.catching, false)
	at := time.Now().Add(-9 * 24 * time.Hour).UTC()
	if _, err := ask[struct{}](t, h, "POST", "/passes/stamp", []Stamp{{Pass: "P1", By: "N. N.", At: at}, {Pass: "P2", By: "N. N."}}); err != nil {
		t.Fatal(err)
	}
	d, err := ask[Decided](t, h, "POST", "/passes/revoke", revocation("P1"))
	if err != nil {
		t.Fatal(err)
	}
	r := waitApplied(t, h, d.Decision)
	if r.Action != wire.ActionRevoke || r.Ground != wire.GroundLost || !r.NoticeDue.IsZero() {
		t.Errorf("applied report: %+v", r)
	}
	for number, revoked := range map[string]bool{"P1": true, "P2": false, "P3": false} {
		p, err := g.accounts.LookupPass(number)
		if err != nil || p.Revoked != revoked || p.Stamped.IsZero() != (number == "P3") {
			t.Errorf("pass %s at the gate: %+v, %v", number, p, err)
		}
		if number == "P1" && !p.Stamped.Equal(at) {
			t.Errorf("stamped at %v, want %v", p.Stamped, at)
		}
	}
}

func TestRevocationMissedIsAppliedOnReturn(t *testing.T) {
	h := newHQ(t)
	h.start()
	g := newGate(t, h, "lane-1")
	g.start(h)
	until(t, "the end of catching up", g.catching, false)
	g.stop()
	d, err := ask[Decided](t, h, "POST", "/passes/revoke", revocation("P1"))
	if err != nil {
		t.Fatal(err)
	}
	h.stop()
	h.start() // headquarters remembers as well
	if _, err := ask[Decided](t, h, "POST", "/passes/revoke", revocation("P1")); !errors.Is(err, ErrRefused) {
		t.Errorf("a second revocation: %v", err)
	}
	g.start(h)
	waitApplied(t, h, d.Decision)
	if p, err := g.accounts.LookupPass("P1"); err != nil || !p.Revoked {
		t.Errorf("pass after catching up: %+v, %v", p, err)
	}
}

func TestUnlawfulChangesOfAPassAreRefused(t *testing.T) {
	h := newHQ(t)
	h.start()
	for name, change := range map[string]func(*Revocation){
		"no number":             func(o *Revocation) { o.Number = "" },
		"small letters":         func(o *Revocation) { o.Number = "p1" },
		"no name":               func(o *Revocation) { o.By = "" },
		"no ground":             func(o *Revocation) { o.Ground = "" },
		"ground of a restoring": func(o *Revocation) { o.Ground = wire.GroundCleared },
		"unknown role":          func(o *Revocation) { o.Role = "clerk" },
		"deputy without":        func(o *Revocation) { o.Role = wire.DeciderDeputy },
	} {
		o := revocation("P1")
		change(&o)
		if _, err := ask[Decided](t, h, "POST", "/passes/revoke", o); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
	if _, err := ask[Decided](t, h, "POST", "/passes/revoke", revocation("GONE")); err != nil {
		t.Fatal(err)
	}
	head := h.app.ledger.Head().Seq
	for name, list := range map[string][]Stamp{
		"no pass":        {{By: "N. N."}},
		"small letters":  {{Pass: "p1", By: "N. N."}},
		"no name":        {{Pass: "P1"}},
		"in the future":  {{Pass: "P1", By: "N. N.", At: time.Now().Add(time.Hour)}},
		"twice":          {{Pass: "P1", By: "N. N."}, {Pass: "P1", By: "N. N."}},
		"a revoked pass": {{Pass: "P1", By: "N. N."}, {Pass: "GONE", By: "N. N."}},
	} {
		if _, err := ask[struct{}](t, h, "POST", "/passes/stamp", list); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
	if got := h.app.ledger.Head().Seq; got != head {
		t.Errorf("the log grew from %d to %d", head, got)
	}
	once := []Stamp{{Pass: "P1", By: "N. N.", At: time.Now().UTC()}}
	for _, want := range []int{1, 0} { // told again, nothing is new
		got, err := ask[struct{ Written int }](t, h, "POST", "/passes/stamp", once)
		if err != nil || got.Written != want {
			t.Errorf("written %d, %v; want %d", got.Written, err, want)
		}
	}
}
