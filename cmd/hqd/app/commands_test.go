package app

import (
	"errors"
	"strings"
	"testing"
	"time"

	"bordergate/sync/link"
	"bordergate/sync/wire"
)

// obey answers each command as a gate does; refuse makes it refuse.
func (g *gateRig) obey(h *hqRig, refuse string) {
	g.onCommand = func(o link.Order) {
		r := wire.Result{ID: o.ID, Do: o.Do, Outcome: wire.OutcomeExecuted, At: time.Now().UnixNano(), Newest: o.Seq}
		switch {
		case o.Late != "":
			r.Outcome, r.Why = wire.OutcomeExpired, o.Late
		case refuse != "":
			r.Outcome, r.Why = wire.OutcomeRefused, refuse
		case o.Do == wire.DoDiagnostics:
			var err error
			if r.Sealed, err = wire.SealDiagnostics(h.app.id.seal.PublicKey(), g.id.Gate, o.ID, []byte(`{"up_s":7}`)); err != nil {
				g.t.Error(err)
			}
		}
		g.link.Answer(r)
		offer(g.orders, o)
	}
}

func newObeying(t *testing.T, h *hqRig, refuse string) *gateRig {
	t.Helper()
	g := newGate(t, h, "lane-1")
	g.obey(h, refuse)
	g.start(h)
	g.heard(1)
	return g
}

// heard returns when headquarters has answered the nth record, and so has
// heard the birth before it.
func (g *gateRig) heard(n int) {
	g.t.Helper()
	g.cross(1)
	g.out.waitAcked(g.t, uint64(n))
}

func command(t *testing.T, h *hqRig, o CommandOrder) (CommandAnswer, error) {
	t.Helper()
	if o.WaitMS == 0 {
		o.WaitMS = patience.Milliseconds()
	}
	return ask[CommandAnswer](t, h, "POST", "/command", o)
}

func TestCommandIsCarriedOutAndAnswered(t *testing.T) {
	h := newHQ(t)
	h.start()
	g := newObeying(t, h, "")
	var last uint64
	for _, o := range []CommandOrder{
		{Do: wire.DoMode, Mode: wire.ModeClosed},
		{Do: wire.DoMode, Mode: wire.ModeNormal},
		{Do: wire.DoRestart},
		{Do: wire.DoResync},
		{Do: wire.DoClock},
		{Do: wire.DoDiagnostics},
	} {
		o.Gate, o.By = "lane-1", "N. N."
		a, err := command(t, h, o)
		if err != nil || a.Outcome != wire.OutcomeExecuted || a.Millis <= 0 || (o.Do == wire.DoDiagnostics) != (string(a.Diagnostics) == `{"up_s":7}`) {
			t.Fatalf("%s: %+v, %v", o.Do, a, err)
		}
		got := <-g.orders
		if got.Seq <= last || got.ID != a.Command || got.Mode != o.Mode || strings.Contains(got.By, "N. N.") || got.By == "" {
			t.Fatalf("%s arrived as %+v after number %d", o.Do, got, last)
		}
		last = got.Seq
	}
	h.stop()
	h.start() // numbers go on
	g.heard(2)
	if a, err := command(t, h, CommandOrder{Gate: "lane-1", Do: wire.DoClock, By: "N. N."}); err != nil || a.Outcome != wire.OutcomeExecuted {
		t.Fatalf("after a restart of headquarters: %+v, %v", a, err)
	}
	if got := <-g.orders; got.Seq <= last {
		t.Fatalf("number %d after %d", got.Seq, last)
	}
}

func TestRefusedCommandSaysWhy(t *testing.T) {
	h := newHQ(t)
	h.start()
	newObeying(t, h, "a traveller is still in the lane")
	a, err := command(t, h, CommandOrder{Gate: "lane-1", Do: wire.DoRestart, By: "N. N."})
	if err != nil || a.Outcome != wire.OutcomeRefused || a.Why != "a traveller is still in the lane" {
		t.Fatalf("%+v, %v", a, err)
	}
}

func TestCommandsThatAreNotSent(t *testing.T) {
	h := newHQ(t)
	h.start()
	g := newGate(t, h, "lane-1") // registered, and away
	for name, o := range map[string]CommandOrder{
		"nobody orders it": {Gate: "lane-1", Do: wire.DoClock},
		"unknown gate":     {Gate: "lane-9", Do: wire.DoClock, By: "N. N."},
		"gate is away":     {Gate: "lane-1", Do: wire.DoClock, By: "N. N."},
	} {
		if _, err := command(t, h, o); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	g.start(h)
	g.heard(1)
	for name, o := range map[string]CommandOrder{
		"unknown order":    {Do: "open"},
		"no mode":          {Do: wire.DoMode},
		"maintenance":      {Do: wire.DoMode, Mode: "maintenance"},
		"mode with others": {Do: wire.DoResync, Mode: wire.ModeClosed},
	} {
		o.Gate, o.By = "lane-1", "N. N."
		if _, err := command(t, h, o); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One that is sent and not answered is neither done nor refused.
	_, err := command(t, h, CommandOrder{Gate: "lane-1", Do: wire.DoClock, By: "N. N.", WaitMS: 1})
	if err == nil || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "not known") {
		t.Errorf("silence: %v", err)
	}
}

func TestResultsThatNobodyAskedFor(t *testing.T) {
	c := newCommands()
	now := time.Now()
	seq, in, end := c.begin("lane-1", "a", now)
	if c.settle("lane-2", wire.Result{ID: "a"}, now) || c.settle("lane-1", wire.Result{ID: "b", Newest: seq + 50}, now) {
		t.Fatal("settled by another gate, or another id")
	}
	for range 2 {
		if !c.settle("lane-1", wire.Result{ID: "a"}, now) || len(in) != 1 {
			t.Fatal("said twice is settled once")
		}
	}
	end()
	if c.settle("lane-1", wire.Result{ID: "a"}, now) {
		t.Fatal("settled after its end")
	}
	// A gate that has taken a higher number is given one above it.
	if next, _, _ := c.begin("lane-1", "c", now.Add(-time.Hour)); next != seq+51 {
		t.Fatalf("number %d after %d", next, seq+50)
	}
}
