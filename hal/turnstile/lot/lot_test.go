package lot

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"bordergate/cmd/gatesim/board"
	"bordergate/hal"
	"bordergate/hal/haltest"
	"bordergate/hal/turnstile"
	"bordergate/hal/turnstile/boardtest"
	"bordergate/hal/turnstile/modbus"
)

// powered is a simulated gate and the options of a driver on it.
func powered(t *testing.T) (*board.Board, Options) {
	t.Helper()
	bo := board.DefaultOptions()
	bo.Controller, bo.StartTimeout = board.LOT, 700*time.Millisecond
	b, path := boardtest.Power(t, bo)
	o := DefaultOptions()
	o.Port.Path = path
	o.Passage, o.Settle = 20*time.Second, 600*time.Millisecond
	return b, o
}

func TestConformance(t *testing.T) {
	haltest.RunTurnstile(t, func(t *testing.T) (hal.Turnstile, haltest.Rig) {
		b, o := powered(t)
		r := &boardtest.Rig{
			Board: b, Unlock: modbus.WriteRegisters,
			Withdrawn: func() int { return b.Counts().Withdrawn },
			New:       func() (hal.Turnstile, error) { return New(o) },
			Has: haltest.Traits{
				Lacks: []hal.Input{hal.InputPassEntry, hal.InputPassExit, hal.InputDoorClosed, hal.InputTamper, hal.InputMains}, Ends: true,
			},
		}
		t.Cleanup(func() {
			if c := b.Counts(); c.Settings != 0 {
				t.Errorf("%d settings were written", c.Settings)
			}
		})
		return r.Restart(t), r
	})
}

// rig is a served driver.
type rig struct {
	*turnstile.Driver
	b *board.Board
}

func serve(t *testing.T, b *board.Board, o Options) rig {
	t.Helper()
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return rig{d, b}
}

func (r rig) want(t *testing.T, k hal.EventKind, never ...hal.EventKind) hal.Event {
	t.Helper()
	return haltest.Want(t, r.Events(), k, never...)
}

func TestAccumulatingGateIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	b, o := powered(t)
	b.Setting(0x3010, 1)
	r := serve(t, b, o)
	if e := r.want(t, hal.Fault, hal.DeviceOnline); e.Code != hal.CodeMode {
		t.Errorf("fault %+v", e)
	}
	err := r.Grant(t.Context(), hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit})
	if !errors.Is(err, hal.ErrOffline) {
		t.Errorf("grant: %v", err)
	}
	if c := b.Counts(); c.Settings != 0 || len(b.Grants()) != 0 {
		t.Errorf("%+v", c)
	}
}

// In antipanic nothing is written, not even by Halt; what stood before is taken
// back when it is over.
func TestAntipanicIsOnlyRead(t *testing.T) {
	t.Parallel()
	b, o := powered(t)
	r := serve(t, b, o)
	r.want(t, hal.DeviceOnline)
	if err := r.Grant(t.Context(), hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit}); err != nil {
		t.Fatal(err)
	}
	b.SetInput(6, false)
	r.want(t, hal.EmergencyOn)
	if err := r.Halt(); err != nil {
		t.Errorf("halt: %v", err)
	}
	b.Allow(0, 1) // what stands without a grant is told, and left
	r.want(t, hal.Fault)
	looks := b.Counts().Requests
	haltest.Until(t, "twenty more looks", func() bool { return b.Counts().Requests > looks+20 })
	if c := b.Counts(); c.Withdrawn != 0 || c.Settings != 0 {
		t.Errorf("written in antipanic: %+v", c)
	}
	if err := r.Grant(t.Context(), hal.Grant{ID: hal.GrantID{2}, Dir: hal.Exit}); !errors.Is(err, hal.ErrEmergency) {
		t.Errorf("grant: %v", err)
	}
}

// A permission that is not ours is told, and is not ended on anybody.
func TestPermissionOfAnotherIsToldAndTakenBack(t *testing.T) {
	t.Parallel()
	b, o := powered(t)
	r := serve(t, b, o)
	r.want(t, hal.DeviceOnline)
	b.SetInput(4, true)
	r.want(t, hal.ObstructionOn)
	b.Allow(1, 0xFFFF)
	if e := r.want(t, hal.Fault); e.Code != hal.CodeOutput || e.Dir != hal.Exit {
		t.Errorf("fault %+v", e)
	}
	looks := b.Counts().Requests
	haltest.Until(t, "ten more looks", func() bool { return b.Counts().Requests > looks+10 })
	if b.Counts().Withdrawn != 0 {
		t.Error("it was taken back with somebody between the leaves")
	}
	b.SetInput(4, false)
	haltest.Until(t, "the permission taken back", func() bool { return b.Counts().Withdrawn == 1 })
}

// The gate's own error code comes through, once, and stops service.
func TestErrorRegisterIsTold(t *testing.T) {
	t.Parallel()
	b, o := powered(t)
	r := serve(t, b, o)
	r.want(t, hal.DeviceOnline)
	b.Say(0, 77)
	r.want(t, hal.OutOfService)
	if e := r.want(t, hal.Fault); e.Code != hal.CodeDevice|77 {
		t.Errorf("fault %+v", e)
	}
	b.Say(0, -1)
	r.want(t, hal.InService, hal.Fault)
}

// People who passed while the line was away are not lost.
func TestPassagesWhileAwayAreTold(t *testing.T) {
	t.Parallel()
	b, o := powered(t)
	r := serve(t, b, o)
	r.want(t, hal.DeviceOnline)
	if err := b.Unplug(); err != nil {
		t.Fatal(err)
	}
	r.want(t, hal.DeviceOffline)
	b.SetInput(1, true)
	b.SetInput(1, false)
	b.SetInput(1, true)
	if err := b.Replug(); err != nil {
		t.Fatal(err)
	}
	if e := r.want(t, hal.Desync, hal.ForcedEntry); e.Code != 2 || e.Dir != hal.Exit {
		t.Errorf("told %+v", e)
	}
}

func TestLampsOfBothSides(t *testing.T) {
	t.Parallel()
	b, o := powered(t)
	r := serve(t, b, o)
	r.want(t, hal.DeviceOnline)
	if err := r.Indicate(t.Context(), hal.LampGreen, hal.Steady); err != nil {
		t.Fatal(err)
	}
	haltest.Until(t, "the green lamp", func() bool { return b.Outputs()[3] })
}

func TestOptionsSayEveryFaultAtOnce(t *testing.T) {
	o := DefaultOptions()
	o.Unit, o.Unlocks, o.Approach, o.Poll = 33, nil, []uint16{0}, 100*time.Millisecond
	_, err := New(o)
	if !errors.Is(err, hal.ErrInvalid) {
		t.Fatalf("accepted: %v", err)
	}
	for _, part := range []string{"no port", "unit 33", "no direction", "sensor 0", "poll"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("nothing about %q in %v", part, err)
		}
	}
}
