package modbusio

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"bordergate/cmd/gatesim/board"
	"bordergate/hal"
	"bordergate/hal/turnstile"
)

type rig struct {
	d *turnstile.Driver
	b *board.Board
}

func wired() Options {
	o := DefaultOptions()
	o.Contact = time.Second // a test machine that is late has missed nothing here
	o.Inputs = map[hal.Input]int{
		hal.InputPassEntry: 0, hal.InputPassExit: 1, hal.InputReady: 2, hal.InputDoorClosed: 3, hal.InputObstruction: 4,
		hal.InputTamper: 5, hal.InputEmergency: 6, hal.InputMains: 7, hal.InputPresence: 8,
	}
	o.Unlock = map[hal.Direction]int{hal.Entry: 0, hal.Exit: 1}
	o.Stop = 2
	o.Lamps = map[hal.Lamp]int{hal.LampGreen: 3, hal.LampRed: 4, hal.LampBuzzer: 5}
	return o
}

// newRig is a served driver that is online.
func newRig(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	r := newRigOn(t, change, nil)
	r.want(t, hal.DeviceOnline)
	return r
}

// newRigOn prepares the board before the driver meets it.
func newRigOn(t *testing.T, change func(*Options), prepare func(*board.Board)) *rig {
	t.Helper()
	return newRigWith(t, change, prepare, nil)
}

func newRigWith(t *testing.T, change func(*Options), prepare func(*board.Board), build func(*board.Options)) *rig {
	t.Helper()
	bo := board.DefaultOptions()
	bo.Link = filepath.Join(t.TempDir(), "barrier")
	if build != nil {
		build(&bo)
	}
	b, err := board.New(bo)
	if err != nil {
		t.Skipf("this machine has no pty: %v", err)
	}
	t.Cleanup(func() { _ = b.Close() })
	if prepare != nil {
		prepare(b)
	}
	o := wired()
	o.Port.Path = bo.Link
	if change != nil {
		change(&o)
	}
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{d, b}
	r.serve(t)
	return r
}

func (r *rig) serve(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.d.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// want reads events until one of the kind comes.
func (r *rig) want(t *testing.T, k hal.EventKind) hal.Event {
	t.Helper()
	limit := time.After(10 * time.Second)
	var seen []string
	for {
		select {
		case e := <-r.d.Events():
			if e.Kind == k {
				return e
			}
			seen = append(seen, e.Kind.String())
		case <-limit:
			t.Fatalf("no %v; saw %v", k, seen)
		}
	}
}

func TestGrantIsOnePulseAndClosedByTheSensor(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	g := hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit, Valid: time.Second}
	if err := r.d.Grant(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	r.want(t, hal.GrantAccepted)
	if err := r.d.Grant(t.Context(), g); err != nil {
		t.Fatalf("the same id again: %v", err)
	}
	if err := r.d.Grant(t.Context(), hal.Grant{ID: hal.GrantID{2}, Dir: hal.Exit}); !errors.Is(err, hal.ErrBusy) {
		t.Fatalf("a second grant: %v", err)
	}
	r.b.SetInput(4, true)
	r.want(t, hal.PassageStarted)
	if err := r.d.Revoke(t.Context(), g.ID); !errors.Is(err, hal.ErrPassageStarted) {
		t.Fatalf("revoke after the start: %v", err)
	}
	r.b.Pulse(1, 150*time.Millisecond)
	if e := r.want(t, hal.PassageCompleted); e.Grant != g.ID || e.Dir != hal.Exit {
		t.Fatalf("completed %+v", e)
	}
	if n := len(r.b.Grants()); n != 1 {
		t.Fatalf("%d pulses", n)
	}
}

func TestGrantIsRefusedOnUnsafeLevels(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ch   int
		on   bool
		seen hal.EventKind
		want error
	}{
		"emergency":   {6, false, hal.EmergencyOn, hal.ErrEmergency},
		"obstruction": {4, true, hal.ObstructionOn, hal.ErrObstructed},
		"not ready":   {2, false, hal.OutOfService, hal.ErrNotReady},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			r.b.SetInput(c.ch, c.on)
			r.want(t, c.seen)
			if err := r.d.Grant(t.Context(), hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit}); !errors.Is(err, c.want) {
				t.Fatalf("grant: %v, want %v", err, c.want)
			}
			if n := len(r.b.Grants()); n != 0 {
				t.Fatalf("%d pulses", n)
			}
		})
	}
}

func TestRevokeAndTimeout(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) { o.Passage = 400 * time.Millisecond })
	id := hal.GrantID{1}
	if err := r.d.Grant(t.Context(), hal.Grant{ID: id, Dir: hal.Exit}); err != nil {
		t.Fatal(err)
	}
	if err := r.d.Revoke(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	r.want(t, hal.GrantRevoked)
	if err := r.d.Revoke(t.Context(), id); !errors.Is(err, hal.ErrNoGrant) {
		t.Fatalf("revoked twice: %v", err)
	}
	if err := r.d.Grant(t.Context(), hal.Grant{ID: hal.GrantID{2}, Dir: hal.Exit}); err != nil {
		t.Fatal(err)
	}
	if e := r.want(t, hal.PassageTimeout); !e.Inferred {
		t.Error("a timer's event does not say so")
	}
	r.b.Pulse(1, 150*time.Millisecond)
	r.want(t, hal.ForcedEntry)
}

func TestLostReplyIsNeverSentAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.b.Inject(board.Fault{Kind: board.FaultNoReply, Fn: 5, Count: 1})
	err := r.d.Grant(t.Context(), hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit})
	if err != nil && !errors.Is(err, hal.ErrUnconfirmed) {
		t.Fatalf("grant: %v", err)
	}
	if n := len(r.b.Grants()); n > 1 {
		t.Fatalf("%d pulses", n)
	}
}

func TestUnplugAndBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if err := r.b.Unplug(); err != nil {
		t.Fatal(err)
	}
	r.want(t, hal.DeviceOffline)
	if err := r.d.Grant(t.Context(), hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit}); !errors.Is(err, hal.ErrOffline) {
		t.Fatalf("grant while offline: %v", err)
	}
	if err := r.b.Replug(); err != nil {
		t.Fatal(err)
	}
	r.want(t, hal.DeviceOnline)
}
