package haltest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"bordergate/hal"
)

// Rig is the device at the far end of the driver, in the test's hands.
type Rig interface {
	// Pulses is how many unlock pulses the device has given in a direction.
	Pulses(d hal.Direction) int
	// Unlocked reports whether any unlock output is on.
	Unlocked() bool
	// Stops is how often the device was told to withdraw an authorisation.
	Stops() int
	// Set makes an input's condition hold or not.
	Set(in hal.Input, on bool)
	// Pass closes a passage contact as one person does, after Rest.
	Pass(d hal.Direction)
	// Rest waits until both passage contacts are open again.
	Rest()
	// Lose makes the device act on the next unlock and lose its answer.
	Lose()
	// Refuse makes the device answer the next unlock with a refusal.
	Refuse()
	// Unplug and Replug take the line away and bring it back elsewhere.
	Unplug(t *testing.T)
	Replug(t *testing.T)
	// Restart is a new driver on the same device, as after a crash.
	Restart(t *testing.T) hal.Turnstile
	// Traits are what the kind of device has not, or does by itself.
	Traits() Traits
}

// Traits excuse a device from what it cannot show. None excuses it from a rule
// that it could keep.
type Traits struct {
	Lacks []hal.Input // levels that it does not tell; a passage contact where it counts
	// Ends says that the device itself ends an unused grant.
	Ends bool
}

func (b *bench) lacks(in hal.Input) bool { return slices.Contains(b.rig.Traits().Lacks, in) }

// patience ends a test whose device is silent.
const patience = 15 * time.Second

// RunTurnstile runs the suite. Open returns a driver that nobody serves yet,
// with a passage wait of about half a second, and the device behind it, idle
// and healthy; it is called for every test of the suite, some at a time.
func RunTurnstile(t *testing.T, open func(t *testing.T) (hal.Turnstile, Rig)) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, b *bench)
	}{
		{"a grant is one pulse", onePulse},
		{"the same id is never a second pulse", sameID},
		{"one grant at a time", oneAtATime},
		{"a lost reply is not sent again", lostReply},
		{"a refusal is told and the next grant works", refused},
		{"unsafe levels refuse", unsafeLevels},
		{"a passage goes through its steps", passage},
		{"a second passage is tailgating", tailgating},
		{"the other direction is a reverse entry", reverse},
		{"a passage without a grant is forced", forced},
		{"an unused grant runs out", unused},
		{"stepping back does not keep a grant open", stepsBack},
		{"revoke withdraws", revoke},
		{"revoke does nothing once somebody is inside", revokeInside},
		{"revoke does nothing in an emergency", revokeEmergency},
		{"levels are told and shown", levelsTold},
		{"a line that goes takes the grant with it", lineLost},
		{"halt and restart leave the device inert", restart},
		{"a closed driver answers and hangs nobody", closed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dev, rig := open(t)
			b := &bench{Turnstile: dev, rig: rig}
			b.serve(t)
			b.want(t, hal.DeviceOnline)
			c.run(t, b)
		})
	}
}

// bench is a served driver with its device and the events not looked at yet.
type bench struct {
	hal.Turnstile
	rig  Rig
	last uint64
}

func (b *bench) serve(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	dev := b.Turnstile
	go func() { done <- dev.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Serve ended with %v, want its context's error", err)
		}
		if err := dev.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// want reads events until one of the kind comes; one of another kind that must
// not come meanwhile fails the test.
func (b *bench) want(t *testing.T, kind hal.EventKind, never ...hal.EventKind) hal.Event {
	t.Helper()
	return await(t, b.Events(), func(e hal.Event) { b.judge(t, e) }, kind, never...)
}

// judge holds what every event must have.
func (b *bench) judge(t *testing.T, e hal.Event) {
	t.Helper()
	if e.Seq <= b.last || e.At == 0 || e.Wall.IsZero() || e.Device == "" {
		t.Errorf("event %+v after number %d lacks something", e, b.last)
	}
	b.last = e.Seq
}

func (b *bench) grant(t *testing.T, n byte, d hal.Direction) hal.Grant {
	t.Helper()
	b.rig.Rest()
	g := hal.Grant{ID: hal.GrantID{n}, Dir: d, Valid: 5 * time.Second}
	if err := b.ask(t, g); err != nil {
		t.Fatalf("grant %d: %v", n, err)
	}
	if e := b.want(t, hal.GrantAccepted); e.Grant != g.ID || e.Dir != d {
		t.Fatalf("accepted %+v", e)
	}
	return g
}

// ask asks for a grant, again while the driver says that a reading has become old before it was used: on a machine that did not let it
// run that is the right answer, and nothing was sent.
func (b *bench) ask(t *testing.T, g hal.Grant) (err error) {
	t.Helper()
	for range 20 {
		if err = b.Grant(t.Context(), g); !errors.Is(err, hal.ErrUnknownInput) {
			return err
		}
	}
	return err
}

func (b *bench) pulses(t *testing.T, entry, exit int) {
	t.Helper()
	if e, x := b.rig.Pulses(hal.Entry), b.rig.Pulses(hal.Exit); e != entry || x != exit {
		t.Errorf("%d entry and %d exit pulses, want %d and %d", e, x, entry, exit)
	}
}

// deny wants the grant refused for a reason and no pulse given for it.
func (b *bench) deny(t *testing.T, g hal.Grant, want error) {
	t.Helper()
	before := b.rig.Pulses(g.Dir)
	err := b.ask(t, g)
	if !errors.Is(err, want) {
		t.Errorf("grant: %v, want %v", err, want)
	}
	var named *hal.Error
	if err != nil && !errors.As(err, &named) {
		t.Errorf("grant: %v does not name the device", err)
	}
	if n := b.rig.Pulses(g.Dir); n != before {
		t.Errorf("a refused grant gave %d pulses", n-before)
	}
}

func onePulse(t *testing.T, b *bench) {
	b.grant(t, 1, hal.Exit)
	b.pulses(t, 0, 1)
	b.rig.Pass(hal.Exit)
	b.want(t, hal.PassageCompleted)
	b.grant(t, 2, hal.Entry)
	b.pulses(t, 1, 1)
}

func sameID(t *testing.T, b *bench) {
	g := b.grant(t, 1, hal.Exit)
	again := func() {
		t.Helper()
		if err := b.Grant(t.Context(), g); err != nil {
			t.Errorf("the same id again: %v, want the first answer", err)
		}
	}
	again()
	b.rig.Pass(hal.Exit)
	b.want(t, hal.PassageCompleted)
	again()
	b.grant(t, 2, hal.Exit)
	again()
	b.pulses(t, 0, 2)
}

func oneAtATime(t *testing.T, b *bench) {
	b.grant(t, 1, hal.Exit)
	b.deny(t, hal.Grant{ID: hal.GrantID{2}, Dir: hal.Exit}, hal.ErrBusy)
	b.deny(t, hal.Grant{ID: hal.GrantID{3}, Dir: hal.Entry}, hal.ErrBusy)
	b.deny(t, hal.Grant{Dir: hal.Exit}, hal.ErrInvalid)
	b.deny(t, hal.Grant{ID: hal.GrantID{4}}, hal.ErrInvalid)
	b.pulses(t, 0, 1)
}

func lostReply(t *testing.T, b *bench) {
	b.rig.Lose()
	g := hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit}
	first := b.Grant(t.Context(), g)
	if first != nil && !errors.Is(first, hal.ErrUnconfirmed) {
		t.Fatalf("grant with a lost reply: %v", first)
	}
	if err := b.Grant(t.Context(), g); (err == nil) != (first == nil) {
		t.Errorf("the same id again: %v, first %v", err, first)
	}
	b.rig.Pass(hal.Exit)
	if e := b.want(t, hal.PassageCompleted, hal.ForcedEntry); e.Grant != g.ID {
		t.Errorf("the passage belongs to %v", e.Grant)
	}
	b.pulses(t, 0, 1)
}

func refused(t *testing.T, b *bench) {
	b.rig.Refuse()
	b.deny(t, hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit}, hal.ErrRejected)
	b.want(t, hal.GrantRejected)
	b.deny(t, hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit}, hal.ErrRejected)
	b.grant(t, 2, hal.Exit)
	b.pulses(t, 0, 1)
}

func unsafeLevels(t *testing.T, b *bench) {
	for i, c := range []struct {
		in   hal.Input
		bad  bool
		told hal.EventKind
		over hal.EventKind
		want error
	}{
		{hal.InputEmergency, true, hal.EmergencyOn, hal.EmergencyOff, hal.ErrEmergency},
		{hal.InputObstruction, true, hal.ObstructionOn, hal.ObstructionOff, hal.ErrObstructed},
		{hal.InputReady, false, hal.OutOfService, hal.InService, hal.ErrNotReady},
	} {
		if b.lacks(c.in) {
			t.Errorf("a gate without %v can never be granted", c.in)
			continue
		}
		// Without waiting for the event: the driver has to look for itself.
		b.rig.Set(c.in, c.bad)
		b.deny(t, hal.Grant{ID: hal.GrantID{byte(i + 1)}, Dir: hal.Exit}, c.want)
		b.want(t, c.told)
		b.rig.Set(c.in, !c.bad)
		b.want(t, c.over)
	}
	if !b.lacks(hal.InputPassExit) {
		b.rig.Set(hal.InputPassExit, true)
		b.want(t, hal.ForcedEntry)
		b.deny(t, hal.Grant{ID: hal.GrantID{9}, Dir: hal.Exit}, hal.ErrStuck)
	}
	b.pulses(t, 0, 0)
}

func passage(t *testing.T, b *bench) {
	g := b.grant(t, 1, hal.Entry)
	b.door(t, false)
	b.rig.Set(hal.InputObstruction, true)
	if e := b.want(t, hal.PassageStarted); e.Grant != g.ID || e.Dir != hal.Entry {
		t.Errorf("started %+v", e)
	}
	b.rig.Pass(hal.Entry)
	if e := b.want(t, hal.PassageCompleted, hal.PassageTimeout); e.Grant != g.ID || e.Inferred {
		t.Errorf("completed %+v", e)
	}
	b.rig.Set(hal.InputObstruction, false)
	b.want(t, hal.ObstructionOff, hal.Tailgating)
	b.door(t, true)
	if s := b.Snapshot(); s.Busy || !s.Grant.IsZero() {
		t.Errorf("still busy with %v", s.Grant)
	}
}

// door moves the leaves, where the device tells of them.
func (b *bench) door(t *testing.T, shut bool) {
	t.Helper()
	b.rig.Set(hal.InputDoorClosed, shut)
	switch {
	case b.lacks(hal.InputDoorClosed):
	case shut:
		b.want(t, hal.DoorClosed, hal.Tailgating)
	default:
		b.want(t, hal.DoorOpened)
	}
}

func tailgating(t *testing.T, b *bench) {
	g := b.grant(t, 1, hal.Exit)
	b.door(t, false)
	b.rig.Pass(hal.Exit)
	b.want(t, hal.PassageCompleted)
	b.rig.Pass(hal.Exit)
	if e := b.want(t, hal.Tailgating, hal.ForcedEntry); e.Grant != g.ID {
		t.Errorf("tailgating %+v", e)
	}
	if b.lacks(hal.InputDoorClosed) {
		return // until when it is the same grant's is a matter of time alone
	}
	b.door(t, true)
	b.rig.Pass(hal.Exit)
	b.want(t, hal.ForcedEntry, hal.Tailgating)
}

func reverse(t *testing.T, b *bench) {
	g := b.grant(t, 1, hal.Exit)
	b.rig.Pass(hal.Entry)
	if e := b.want(t, hal.ReverseEntry, hal.PassageCompleted); e.Grant != g.ID || e.Dir != hal.Entry {
		t.Errorf("reverse %+v", e)
	}
}

func forced(t *testing.T, b *bench) {
	b.rig.Pass(hal.Exit)
	if e := b.want(t, hal.ForcedEntry); !e.Grant.IsZero() || e.Dir != hal.Exit {
		t.Errorf("forced %+v", e)
	}
}

func unused(t *testing.T, b *bench) {
	g := b.grant(t, 1, hal.Exit)
	if e := b.want(t, hal.PassageTimeout); e.Grant != g.ID || e.Inferred == b.rig.Traits().Ends {
		t.Errorf("timeout %+v", e)
	}
	b.rig.Pass(hal.Exit)
	b.want(t, hal.ForcedEntry, hal.PassageCompleted)
	b.grant(t, 2, hal.Exit)
	b.pulses(t, 0, 2)
}

func stepsBack(t *testing.T, b *bench) {
	b.grant(t, 1, hal.Exit)
	b.rig.Set(hal.InputObstruction, true)
	b.want(t, hal.PassageStarted)
	b.rig.Set(hal.InputObstruction, false)
	b.want(t, hal.PassageTimeout, hal.PassageCompleted)
	b.grant(t, 2, hal.Exit)
}

func revoke(t *testing.T, b *bench) {
	g := b.grant(t, 1, hal.Exit)
	if err := b.Revoke(t.Context(), hal.GrantID{7}); !errors.Is(err, hal.ErrNoGrant) {
		t.Errorf("revoke of another grant: %v", err)
	}
	if err := b.Revoke(t.Context(), g.ID); err != nil {
		t.Fatalf("revoke: %v", err)
	}
	if e := b.want(t, hal.GrantRevoked); e.Grant != g.ID {
		t.Errorf("revoked %+v", e)
	}
	if n := b.rig.Stops(); n != 1 {
		t.Errorf("%d withdrawals at the device, want 1", n)
	}
	if err := b.Grant(t.Context(), g); err != nil {
		t.Errorf("a revoked id again: %v, want the first answer", err)
	}
	b.rig.Pass(hal.Exit)
	if e := b.want(t, hal.ForcedEntry, hal.PassageCompleted); e.Code != hal.CodeRevoked || e.Grant != g.ID {
		t.Errorf("a passage under a revoked grant: %+v", e)
	}
	b.pulses(t, 0, 1)
}

func revokeInside(t *testing.T, b *bench) {
	g := b.grant(t, 1, hal.Exit)
	b.rig.Set(hal.InputObstruction, true)
	err := b.Revoke(t.Context(), g.ID)
	if !errors.Is(err, hal.ErrPassageStarted) && !errors.Is(err, hal.ErrObstructed) {
		t.Errorf("revoke with somebody inside: %v", err)
	}
	if n := b.rig.Stops(); n != 0 {
		t.Errorf("the device was told to stop %d times", n)
	}
	b.rig.Pass(hal.Exit)
	b.want(t, hal.PassageCompleted, hal.GrantRevoked)
}

func revokeEmergency(t *testing.T, b *bench) {
	g := b.grant(t, 1, hal.Exit)
	b.rig.Set(hal.InputEmergency, true)
	b.want(t, hal.EmergencyOn)
	if err := b.Revoke(t.Context(), g.ID); !errors.Is(err, hal.ErrEmergency) {
		t.Errorf("revoke in an emergency: %v", err)
	}
	if n := b.rig.Stops(); n != 0 {
		t.Errorf("the device was told to stop %d times", n)
	}
}

func levelsTold(t *testing.T, b *bench) {
	for _, c := range []struct {
		in      hal.Input
		on, off hal.EventKind
	}{
		{hal.InputPresence, hal.PresenceOn, hal.PresenceOff},
		{hal.InputEmergency, hal.EmergencyOn, hal.EmergencyOff},
		{hal.InputTamper, hal.TamperOn, hal.TamperOff},
		{hal.InputObstruction, hal.ObstructionOn, hal.ObstructionOff},
	} {
		if b.lacks(c.in) {
			if l := b.Snapshot().Level(c.in); l != hal.Unknown {
				t.Errorf("%v, which the device does not tell, is %v", c.in, l)
			}
			continue
		}
		b.rig.Set(c.in, true)
		b.want(t, c.on)
		if s := b.Snapshot(); s.Level(c.in) == hal.Off {
			t.Errorf("%v was told on and is shown off", c.in)
		}
		b.rig.Set(c.in, false)
		b.want(t, c.off)
	}
	if b.lacks(hal.InputMains) {
		return
	}
	b.rig.Set(hal.InputMains, false)
	b.want(t, hal.PowerFail)
	b.rig.Set(hal.InputMains, true)
	b.want(t, hal.PowerOK)
}

func lineLost(t *testing.T, b *bench) {
	g := b.grant(t, 1, hal.Exit)
	b.rig.Unplug(t)
	b.want(t, hal.DeviceOffline)
	if e := b.want(t, hal.Desync); e.Grant != g.ID {
		t.Errorf("desync %+v, want the open grant", e)
	}
	b.deny(t, hal.Grant{ID: hal.GrantID{2}, Dir: hal.Exit}, hal.ErrOffline)
	s := b.Snapshot()
	if s.Online || s.Fault == nil || s.Busy {
		t.Errorf("snapshot of a lost device: %+v", s)
	}
	for _, in := range hal.Inputs() {
		if s.Level(in) != hal.Unknown {
			t.Errorf("%v of a lost device is %v", in, s.Level(in))
		}
	}
	if err := b.Halt(); err == nil {
		t.Error("Halt of a lost device says that it is inert")
	}
	b.rig.Replug(t)
	b.want(t, hal.DeviceOnline)
	if b.rig.Unlocked() {
		t.Error("unlocked after the reconnect")
	}
	b.pulses(t, 0, 1)
	b.grant(t, 3, hal.Exit)
}

func restart(t *testing.T, b *bench) {
	b.grant(t, 1, hal.Exit)
	for range 2 {
		if err := b.Halt(); err != nil {
			t.Fatalf("Halt: %v", err)
		}
		if b.rig.Unlocked() || b.Snapshot().Busy {
			t.Error("Halt left the device open or a grant pending")
		}
	}
	b.grant(t, 2, hal.Exit)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if b.rig.Unlocked() {
		t.Error("Close left the device open")
	}
	next := &bench{Turnstile: b.rig.Restart(t), rig: b.rig}
	next.serve(t)
	next.want(t, hal.DeviceOnline)
	if s := next.Snapshot(); s.Busy || !s.Grant.IsZero() || b.rig.Unlocked() {
		t.Error("a grant survived the restart")
	}
	b.pulses(t, 0, 2)
	b.rig.Pass(hal.Exit)
	next.want(t, hal.ForcedEntry, hal.PassageCompleted)
}

// closed races Close against every method: none may hang, and none may work
// afterwards.
func closed(t *testing.T, b *bench) {
	done := make(chan struct{})
	calls := []func(){
		func() { _ = b.Grant(context.Background(), hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit}) },
		func() { _ = b.Revoke(context.Background(), hal.GrantID{1}) },
		func() { _ = b.Indicate(context.Background(), hal.LampGreen, hal.Steady) },
		func() { _ = b.Halt() },
		func() { _ = b.Snapshot() },
		func() { _ = b.Close() },
		func() { _ = b.Close() },
	}
	for _, call := range calls {
		go func() { call(); done <- struct{}{} }()
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for range calls {
		select {
		case <-done:
		case <-limit.C:
			t.Fatal("a call hangs")
		}
	}
	b.deny(t, hal.Grant{ID: hal.GrantID{2}, Dir: hal.Exit}, hal.ErrClosed)
	if err := b.Serve(t.Context()); !errors.Is(err, hal.ErrClosed) {
		t.Errorf("Serve after Close: %v", err)
	}
	if b.rig.Unlocked() {
		t.Error("Close left the device open")
	}
}
