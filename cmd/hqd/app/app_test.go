package app

import (
	"errors"
	"testing"

	"bordergate/sync/journal"
	"bordergate/sync/wire"
)

func enrol(t *testing.T, h *hqRig, ids ...string) {
	t.Helper()
	list := make([]accountLine, len(ids))
	for i, id := range ids {
		list[i] = accountLine{ID: id, Level: 2, Kind: wire.KindCitizen}
	}
	if _, err := ask[struct{}](t, h, "POST", "/accounts", list); err != nil {
		t.Fatal(err)
	}
}

var suspension = Order{Action: wire.ActionSuspend, By: "N. N.", Role: wire.DeciderCommander, Ground: wire.GroundSecurity}

func decide(t *testing.T, h *hqRig, account string, o Order) string {
	t.Helper()
	o.Account = account
	d, err := ask[Decided](t, h, "POST", "/decide", o)
	if err != nil {
		t.Fatal(err)
	}
	return d.Decision
}

func statusOf(t *testing.T, g *gateRig, account string) wire.Status {
	t.Helper()
	a, ok, err := g.accounts.Lookup(account)
	if err != nil || !ok {
		t.Fatalf("look up: %v, %v", ok, err)
	}
	return a.Status
}

func TestRecordsReachHeadquartersOnceAndOpen(t *testing.T) {
	h := newHQ(t)
	h.start()
	g := newGate(t, h, "lane-1")
	g.cross(60)
	g.start(h)
	g.cross(40)
	g.out.waitAcked(t, 100)
	list := recordsOf(t, h, "lane-1", true)
	onceEach(t, list, 100)
	for _, l := range list {
		if l.State != journal.PersonalOpened || len(l.Personal) == 0 {
			t.Fatalf("record %d: personal part is %s", l.Seq, l.State)
		}
	}
	if sealed := recordsOf(t, h, "lane-1", false); sealed[0].State != journal.PersonalSealed {
		t.Fatalf("without --open: personal part is %s", sealed[0].State)
	}
}

func TestHeadquartersAwayLosesAndDoublesNothing(t *testing.T) {
	h := newHQ(t)
	h.start()
	g := newGate(t, h, "lane-1")
	g.start(h)
	total := 0
	for round := range 3 {
		g.cross(30)
		total += 30
		if round != 1 { // once it goes while records are under way
			g.out.waitAcked(t, uint64(total))
		}
		h.stop()
		g.cross(70)
		total += 70
		h.start()
		g.out.waitAcked(t, uint64(total))
	}
	onceEach(t, recordsOf(t, h, "lane-1", false), total)
}

func TestSuspensionBitesAndIsReported(t *testing.T) {
	h := newHQ(t)
	h.start()
	enrol(t, h, "a1", "a2")
	g := newGate(t, h, "lane-1")
	g.start(h)
	until(t, "the end of catching up", g.catching, false)
	if got := statusOf(t, g, "a1"); got != wire.StatusActive {
		t.Fatalf("enrolled account is %s", got)
	}
	for len(g.changed) > 0 {
		<-g.changed // of the enrolment
	}
	id := decide(t, h, "a1", suspension)
	until(t, "the change", g.changed, "a1")
	if got := statusOf(t, g, "a1"); got != wire.StatusSuspended {
		t.Fatalf("suspended account is %s", got)
	}
	r := waitApplied(t, h, id)
	if len(r.Gates) != 1 || r.Gates[0].Gate != "lane-1" || r.Gates[0].Millis <= 0 || r.NoticeDue.Sub(r.Effective) != noticeWithin {
		t.Fatalf("applied report: %+v", r)
	}
	restore := Order{Action: wire.ActionRestore, By: "N. N.", Role: wire.DeciderDeputy, Authorisation: "A-7", Ground: wire.GroundCleared}
	id = decide(t, h, "a1", restore)
	waitApplied(t, h, id)
	if got := statusOf(t, g, "a1"); got != wire.StatusActive {
		t.Fatalf("restored account is %s", got)
	}
}

// waitApplied gives the report once every gate has followed.
func waitApplied(t *testing.T, h *hqRig, id string) AppliedReport {
	t.Helper()
	r, err := ask[AppliedReport](t, h, "GET", "/applied?wait=30s&decision="+id, nil)
	if err != nil || !r.All {
		t.Fatalf("applied: %+v, %v", r, err)
	}
	return r
}

func TestSuspensionMissedIsAppliedOnReturn(t *testing.T) {
	h := newHQ(t)
	h.start()
	enrol(t, h, "a1")
	g := newGate(t, h, "lane-1")
	g.start(h)
	until(t, "the end of catching up", g.catching, false)
	g.stop()
	id := decide(t, h, "a1", suspension)
	h.stop()
	h.start() // a decision survives headquarters too
	g.start(h)
	until(t, "catching up", g.catching, true)
	until(t, "the end of catching up", g.catching, false)
	if got := statusOf(t, g, "a1"); got != wire.StatusSuspended {
		t.Fatalf("account after catching up is %s", got)
	}
	waitApplied(t, h, id)
}

func TestDecisionsAgainstTheRuleAreRefused(t *testing.T) {
	h := newHQ(t)
	h.start()
	enrol(t, h, "a1", "gone")
	cancel := Order{Action: wire.ActionCancel, By: "N. N.", Role: wire.DeciderCommander, Ground: wire.GroundSecurity}
	decide(t, h, "gone", cancel)
	for name, tc := range map[string]struct {
		account string
		change  func(*Order)
	}{
		"unknown account":            {"nobody", func(*Order) {}},
		"no name":                    {"a1", func(o *Order) { o.By = "" }},
		"unknown role":               {"a1", func(o *Order) { o.Role = "clerk" }},
		"deputy without reference":   {"a1", func(o *Order) { o.Role = wire.DeciderDeputy }},
		"ground of a restoration":    {"a1", func(o *Order) { o.Ground = wire.GroundCleared }},
		"owner without request":      {"a1", func(o *Order) { o.Ground = wire.GroundOwner }},
		"unknown action":             {"a1", func(o *Order) { o.Action = "delete" }},
		"restore of an active one":   {"a1", func(o *Order) { o.Action, o.Ground = wire.ActionRestore, wire.GroundCleared }},
		"suspension of a cancelled":  {"gone", func(*Order) {}},
		"restoration of a cancelled": {"gone", func(o *Order) { o.Action, o.Ground = wire.ActionRestore, wire.GroundCleared }},
	} {
		t.Run(name, func(t *testing.T) {
			o := suspension
			o.Account = tc.account
			tc.change(&o)
			if _, err := ask[Decided](t, h, "POST", "/decide", o); !errors.Is(err, ErrRefused) {
				t.Fatalf("decide: %v, want a refusal", err)
			}
		})
	}
	// An account is not restored by enrolling it again.
	decide(t, h, "a1", suspension)
	if _, err := ask[struct{}](t, h, "POST", "/accounts", []accountLine{{ID: "a1", Level: 1, Kind: wire.KindCitizen}}); err != nil {
		t.Fatal(err)
	}
	if got := h.app.ledger.accounts["a1"].status; got != wire.StatusSuspended {
		t.Fatalf("account after a second enrolment is %s", got)
	}
}

func TestRetiredGateIsHeardNoMore(t *testing.T) {
	h := newHQ(t)
	h.start()
	g := newGate(t, h, "lane-1")
	g.start(h)
	g.cross(3)
	g.out.waitAcked(t, 3)
	if _, err := ask[GateEntry](t, h, "POST", "/gates/retire", []byte("lane-1")); err != nil {
		t.Fatal(err)
	}
	g.cross(3)
	other := newGate(t, h, "lane-2") // its records come after those
	other.start(h)
	other.cross(1)
	other.out.waitAcked(t, 1)
	onceEach(t, recordsOf(t, h, "lane-1", false), 3)
}
