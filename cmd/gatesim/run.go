package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"bordergate/cmd/gatesim/play"
	"bordergate/cmd/gatesim/report"
	"bordergate/cmd/gatesim/scenario"
	"bordergate/gate/reason"
)

// runCommand is "gatesim run".
func runCommand(ctx context.Context, args []string, out, errOut io.Writer) (bool, error) {
	o, err := parseRun(args, errOut)
	if err != nil {
		return false, err
	}
	if o.report == "" {
		o.report = filepath.Join(o.out, "report.json")
	}
	began := time.Now()
	x, err := prepare(ctx, o, progress{errOut})
	if err != nil {
		return false, err
	}
	defer x.close()
	if err := x.open(ctx, progress{errOut}); err != nil {
		return false, err
	}
	r := x.newReport(time.Since(began))
	setup := cpuSeconds()
	err = x.travellers(ctx, r, out)
	r.CPUSeconds = report.CPU{Setup: setup, Travellers: cpuSeconds() - setup}
	if err != nil {
		r.Faults = append(r.Faults, err.Error())
	} else if err := x.reconcile(ctx, r); err != nil {
		r.Faults = append(r.Faults, err.Error())
	}
	seen := x.hw.board.Counts()
	r.Board = report.Board{Requests: seen.Requests, Noise: seen.Noise}
	r.Finish()
	report.Table(out, r)
	if err := r.Write(o.report); err != nil {
		return false, err
	}
	fmt.Fprintf(out, "report: %s\n", o.report)
	if err := ctx.Err(); err != nil {
		return r.OK, err
	}
	x.hold(ctx, out)
	return r.OK, nil
}

// hold leaves the lane standing, ready and empty, for whoever tries the
// technician's commands on it. An interruption ends it as its time does.
func (x *production) hold(ctx context.Context, out io.Writer) {
	if x.o.hold <= 0 {
		return
	}
	fmt.Fprintf(out, "the lane stands for %s more: gatectl doctor --config %s\n", x.o.hold, filepath.Join(x.o.out, "gate.yaml"))
	_ = pause(ctx, x.o.hold) // either way it is over
}

func (x *production) newReport(setup time.Duration) *report.Report {
	r := &report.Report{
		Scenario: x.scenario.Name, Seed: x.seed, Timing: timing(x.scenario.Timing), FacesSources: x.sources,
		Liveness: liveness(x.scenario.Policy), Notes: x.notes, Faults: []string{}, SetupSeconds: setup.Seconds(), Machine: machine(),
	}
	if x.scenario.Timing == scenario.DefaultTiming() {
		r.Notes = append(r.Notes, "every traveller moves as the default traveller does; "+fumbles(x.scenario.Fumbles))
	} else {
		r.Notes = append(r.Notes, "the scenario sets other times than the default traveller's: see timing_ms")
	}
	return r
}

// liveness is what the gate does with its verdict.
func liveness(p scenario.Policy) string {
	if p.Enforce {
		return "enforce"
	}
	return "observe"
}

// fumbles says how many do something wrong first.
func fumbles(oneIn int) string {
	if oneIn == 0 {
		return "nobody fumbles"
	}
	return fmt.Sprintf("one in %d fumbles", oneIn)
}

// timing lists a traveller's times in milliseconds.
func timing(t scenario.Timing) map[string]any {
	ms := func(d time.Duration) any { return d.Milliseconds() }
	return map[string]any{
		"face_from": ms(t.FaceFrom), "face_usable": ms(t.FaceUsable), "pass_in_view": ms(t.PassInView), "pass_held": ms(t.PassHeld),
		"gate_moves": ms(t.GateMoves), "gate_open": ms(t.GateOpen), "starts_to_walk": ms(t.StartsWalk), "passage": ms(t.Passage),
		"leaves_after": ms(t.LeavesAfter), "patience": ms(t.Patience), "gap": ms(t.Gap),
	}
}

// travellers plays them one after the other.
func (x *production) travellers(ctx context.Context, r *report.Report, out io.Writer) error {
	report.Head(out)
	for _, v := range x.roles {
		if err := x.between(ctx, v, out); err != nil {
			return err
		}
		a, err := v.actor(x.store)
		if err != nil {
			return err
		}
		switch {
		case v.Case == scenario.Emergency:
			a.Decide = x.reset
		case v.Moment != "":
			a.Decide = func(ctx context.Context) error { return x.takeAway(ctx, v) }
		}
		res, err := x.stage().Walk(ctx, a)
		if err != nil {
			return err
		}
		line := x.line(v, res)
		r.Travellers = append(r.Travellers, line)
		report.Line(out, line)
		if err := x.station.Failed(); err != nil {
			return err
		}
	}
	return x.online(ctx, out)
}

// between does what must happen before a traveller comes: headquarters comes
// and goes, accounts are suspended and restored.
func (x *production) between(ctx context.Context, v role, out io.Writer) error {
	if err := pause(ctx, x.scenario.Timing.Gap); err != nil {
		return err
	}
	if v.Offline() {
		if x.station.HQRunning() {
			x.station.KillHQ()
			fmt.Fprintln(out, "     -- headquarters and its broker are killed --")
		}
	} else if err := x.online(ctx, out); err != nil {
		return err
	}
	if v.Restart {
		if err := x.restart(ctx, out); err != nil {
			return err
		}
	}
	if err := x.documentCamera(ctx, !v.CameraDead, out); err != nil {
		return err
	}
	switch v.Case {
	case scenario.RevokedPass:
		if v.Moment != "" {
			return nil
		}
		id, err := x.station.Revoke(ctx, v.number)
		if err != nil {
			return err
		}
		return x.station.WaitApplied(ctx, id)
	case scenario.Suspended:
		return x.decide(ctx, "suspend", v.account)
	case scenario.Cancelled:
		return x.decide(ctx, "cancel", v.account)
	case scenario.Watchlisted:
		return x.station.Watch(ctx, v.account)
	case scenario.StaleCache:
		return x.station.WaitOlder(ctx, x.scenario.Policy.ForeignerAge)
	case scenario.Restored:
		if err := x.decide(ctx, "suspend", v.account); err != nil {
			return err
		}
		return x.decide(ctx, "restore", v.account)
	}
	return nil
}

// documentCamera switches the document camera and waits until the gate knows.
func (x *production) documentCamera(ctx context.Context, on bool, out io.Writer) error {
	if on == !x.cameraOff {
		return nil
	}
	x.cameraOff = !on
	x.hw.document.Switch(on)
	word := map[bool]string{true: "is back", false: "is off"}[on]
	fmt.Fprintf(out, "     -- the document camera %s --\n", word)
	return x.station.WaitDevice(ctx, "document_camera", on)
}

// takeAway has headquarters suspend his account or revoke his pass.
func (x *production) takeAway(ctx context.Context, v role) error {
	if v.Case == scenario.RevokedPass {
		_, err := x.station.Revoke(ctx, v.number)
		return err
	}
	_, err := x.station.Decide(ctx, "suspend", v.account)
	return err
}

// restart kills the gate's daemon with no warning and starts it again.
func (x *production) restart(ctx context.Context, out io.Writer) error {
	x.station.KillGate()
	x.stage().Clear()
	if err := x.station.StartGate(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "     -- the gate's daemon was killed and is back --")
	return x.station.WaitCaughtUp(ctx)
}

// online has headquarters up again, and every record delivered to it.
func (x *production) online(ctx context.Context, out io.Writer) error {
	if x.station.HQRunning() {
		return nil
	}
	if err := x.station.StartHQ(ctx); err != nil {
		return err
	}
	if err := x.station.WaitCaughtUp(ctx); err != nil {
		return err
	}
	if err := x.station.WaitDelivered(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "     -- headquarters is back and has every record --")
	return x.station.WaitReady(ctx)
}

func (x *production) decide(ctx context.Context, action, account string) error {
	id, err := x.station.Decide(ctx, action, account)
	if err != nil {
		return err
	}
	return x.station.WaitApplied(ctx, id)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// line turns what was seen of a traveller into his line of the report.
func (x *production) line(v role, res play.Result) report.Traveller {
	t := report.Traveller{
		N: v.N, Case: v.Case, Expected: v.Expect, Outcome: res.Event.Outcome, Notices: res.Event.Notices, StepsMS: res.Event.Steps, Tx: res.Event.Tx,
		Faults: res.Faults, Unlocks: len(res.Unlocks), Fumble: fumbleWord(v.Traveller), Moment: v.Moment, Reader: v.Reader,
		Holder: v.holder.ID, Face: v.face.ID, FacesSource: v.face.Source, Recapture: v.face.Recapture(),
		FaceUsable: res.Face.Usable, Arrived: res.Arrived, Struck: v.Faults,
	}
	for _, word := range res.Event.Reasons {
		var r reason.Reason
		if err := r.UnmarshalText([]byte(word)); err != nil {
			t.Faults = append(t.Faults, err.Error())
			continue
		}
		if r.Hidden() {
			t.Faults = append(t.Faults, "the gate's stream shows what must stay hidden")
		}
		t.Reasons = append(t.Reasons, r)
	}
	// What must stay hidden is judged by headquarters' record (reconcile.go).
	for _, r := range v.Expect.Reasons {
		if r.Hidden() {
			t.Reasons = append(t.Reasons, r)
		}
	}
	if len(v.Faults) == 0 && v.Case != scenario.Emergency {
		measure(&t, res) // a broken gate is not what is measured
	}
	report.Judge(&t)
	return t
}

// measure fills the times, all taken outside of the gate but its own word
// that it is ready.
func measure(t *report.Traveller, res play.Result) {
	if res.Passed == 0 || res.Grant() == 0 || res.Ready == 0 {
		return
	}
	ms := func(from, to int64) float64 { return float64(to-from) / 1e6 }
	both := max(res.Face.Usable, res.Pass.Usable)
	if res.Face.Usable == 0 || res.Pass.Usable == 0 || both > res.Grant() {
		t.Faults = append(t.Faults, "the gate was released before pass and face were truly in view")
		return
	}
	t.GrantMS, t.ReadyMS = ms(both, res.Grant()), max(ms(res.Cleared, res.Ready), 0)
	t.MachineMS, t.TotalMS = t.GrantMS+t.ReadyMS, ms(res.Pass.InView, res.Passed)
}
