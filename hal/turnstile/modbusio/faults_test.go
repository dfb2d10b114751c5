package modbusio

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"bordergate/cmd/gatesim/board"
	"bordergate/hal"
	"bordergate/hal/turnstile"
)

// Whatever happens to single answers, the device stays online, invents no
// event, and the next grant is one pulse.
func TestSpoiledAnswersAreSurvived(t *testing.T) {
	for name, f := range map[string]board.Fault{
		"no reply":  {Kind: board.FaultNoReply, Count: 2},
		"deaf":      {Kind: board.FaultDeaf, Count: 2},
		"late":      {Kind: board.FaultLate, Count: 1, Delay: 170 * time.Millisecond},
		"truncated": {Kind: board.FaultTruncated, Count: 2},
		"checksum":  {Kind: board.FaultCRC, Count: 2},
		"unit":      {Kind: board.FaultUnit, Count: 2},
		"exception": {Kind: board.FaultException, Count: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			r.b.Inject(f)
			r.b.SetInput(8, true)
			for e := r.next(t); e.Kind != hal.PresenceOn; e = r.next(t) {
				t.Errorf("told %v", e.Kind)
			}
			// A machine that did not let us run may miss the pulse's reading.
			err := r.d.Grant(t.Context(), hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit})
			if err != nil && !errors.Is(err, hal.ErrUnconfirmed) {
				t.Errorf("grant: %v", err)
			}
			if n := len(r.b.Grants()); n != 1 {
				t.Errorf("%d pulses", n)
			}
		})
	}
}

// A board that answers and refuses to read its inputs is as good as none: what
// it said last must not pass for what is.
func TestBoardThatRefusesItsInputsIsAway(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.b.Inject(board.Fault{Kind: board.FaultException, Fn: 2, Count: -1})
	r.want(t, hal.DeviceOffline)
	r.b.Heal()
	r.want(t, hal.DeviceOnline)
}

// next is the next event, which must come soon.
func (r *rig) next(t *testing.T) hal.Event {
	t.Helper()
	select {
	case e := <-r.d.Events():
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("no event")
		return hal.Event{}
	}
}

func TestEchoingAdapterWorks(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, nil, func(b *board.Board) { b.Inject(board.Fault{Kind: board.FaultEcho, Count: -1}) })
	r.want(t, hal.DeviceOnline)
	if err := r.d.Grant(t.Context(), hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit}); err != nil {
		t.Fatal(err)
	}
	if n := len(r.b.Grants()); n != 1 {
		t.Errorf("%d pulses", n)
	}
}

// An adapter that hears itself, with no board behind it, answers every write
// with its echo: it must never count as a device.
func TestEchoAloneIsNoDevice(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, nil, func(b *board.Board) { b.Inject(board.Fault{Kind: board.FaultEchoOnly, Count: -1}) })
	r.awaitFault(t, turnstile.ErrNoReply)
	if s := r.d.Snapshot(); s.Online {
		t.Error("an echo is a device")
	}
	if err := r.d.Grant(t.Context(), hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit}); !errors.Is(err, hal.ErrOffline) {
		t.Errorf("grant: %v", err)
	}
}

// awaitFault waits until the driver says why the device is away.
func (r *rig) awaitFault(t *testing.T, want error) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(10 * time.Second)
	for {
		if f := r.d.Snapshot().Fault; errors.Is(f, want) {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("fault %v, want %v", r.d.Snapshot().Fault, want)
		}
	}
}

func TestSilentBoardGoesOfflineAndComesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.b.Inject(board.Fault{Kind: board.FaultDeaf, Count: -1})
	r.want(t, hal.DeviceOffline)
	if s := r.d.Snapshot(); s.Level(hal.InputEmergency) != hal.Unknown {
		t.Error("a silent board's emergency input is known")
	}
	r.b.Heal()
	r.want(t, hal.DeviceOnline)
}

func TestUnlockLeftOnAtStartIsSwitchedOff(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, nil, func(b *board.Board) { b.Force(0, true); b.Force(1, true) })
	r.want(t, hal.DeviceOnline)
	if out := r.b.Outputs(); out[0] || out[1] {
		t.Error("online with an unlock on")
	}
}

func TestUnlockOnWithoutAGrantIsToldAndEnded(t *testing.T) {
	t.Parallel()
	off := make(chan struct{}, 1)
	r := newRigWith(t, nil, nil, func(o *board.Options) {
		o.OnOutput = func(c board.Change) {
			if c.Channel == 1 && !c.On {
				off <- struct{}{}
			}
		}
	})
	r.want(t, hal.DeviceOnline)
	r.b.Force(1, true)
	if e := r.want(t, hal.Fault); e.Code != hal.CodeOutput || e.Dir != hal.Exit {
		t.Errorf("fault %+v", e)
	}
	select {
	case <-off:
	case <-time.After(10 * time.Second):
		t.Error("the relay stays on")
	}
}

// A relay that is on may hold a leaf open: while somebody is there, and in an
// emergency, it is told of and left alone.
func TestStrayUnlockIsNotEndedOnAnybody(t *testing.T) {
	for name, c := range map[string]struct {
		ch   int
		on   bool
		told hal.EventKind
	}{
		"somebody inside": {4, true, hal.ObstructionOn},
		"emergency":       {6, false, hal.EmergencyOn},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			r.b.SetInput(c.ch, c.on)
			r.want(t, c.told)
			r.b.Force(1, true)
			r.want(t, hal.Fault)
			r.b.SetInput(8, true) // an event of a later poll: the relays were looked at meanwhile
			r.want(t, hal.PresenceOn)
			if !r.b.Outputs()[1] {
				t.Error("the relay was switched off")
			}
		})
	}
}

func TestLinkedRelayIsRefused(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, nil, func(b *board.Board) { b.SetMode(1, 1) })
	if e := r.want(t, hal.Fault); e.Code != hal.CodeMode {
		t.Errorf("fault %+v", e)
	}
	if r.d.Snapshot().Online {
		t.Error("online with a relay linked to an input")
	}
}

func TestLampsShowAgainAfterAReconnect(t *testing.T) {
	t.Parallel()
	changes := make(chan board.Change, 256)
	r := newRigWith(t, nil, nil, func(o *board.Options) { o.OnOutput = func(c board.Change) { changes <- c } })
	r.want(t, hal.DeviceOnline)
	until := func(ch int, on bool) {
		t.Helper()
		for {
			select {
			case c := <-changes:
				if c.Channel == ch && c.On == on {
					return
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("relay %d never went to %v", ch, on)
			}
		}
	}
	set := func(l hal.Lamp, p hal.Pattern) {
		t.Helper()
		if err := r.d.Indicate(t.Context(), l, p); err != nil {
			t.Fatal(err)
		}
	}
	set(hal.LampGreen, hal.Steady)
	until(3, true)
	set(hal.LampGreen, hal.Dark)
	until(3, false)
	set(hal.LampBuzzer, hal.Once)
	until(5, true)
	until(5, false)
	set(hal.LampRed, hal.Blink)
	until(4, true)
	until(4, false)
	if err := r.b.Unplug(); err != nil {
		t.Fatal(err)
	}
	r.want(t, hal.DeviceOffline)
	set(hal.LampGreen, hal.Steady)
	if err := r.b.Replug(); err != nil {
		t.Fatal(err)
	}
	until(3, true)
}

func TestAbsentDeviceSaysTheCure(t *testing.T) {
	t.Parallel()
	o := wired()
	o.Port.Path = filepath.Join(t.TempDir(), "absent")
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{d: d}
	r.serve(t)
	r.awaitFault(t, os.ErrNotExist)
	err = d.Grant(t.Context(), hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit})
	if !errors.Is(err, hal.ErrOffline) || !strings.Contains(err.Error(), "plug the adapter in") {
		t.Errorf("grant: %v", err)
	}
}

func TestOptionsSayEveryFaultAtOnce(t *testing.T) {
	o := wired()
	o.Port.Path, o.Unit, o.Poll, o.Pulse = "", 0, time.Second, 5*time.Second
	o.Inputs[hal.InputEmergency], o.Inputs[hal.InputPassExit] = NotWired, 0
	o.Profile = Profile{}
	_, err := New(o)
	if !errors.Is(err, hal.ErrInvalid) {
		t.Fatalf("accepted: %v", err)
	}
	for _, part := range []string{"no port", "unit 0", "profile", "poll", "pulse", "emergency", "both on channel 0"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("nothing about %q in %v", part, err)
		}
	}
}

// A board with a watchdog is told of it, and takes its relays back by itself
// when nobody talks to it any more.
func TestWatchdogTakesTheRelaysBack(t *testing.T) {
	t.Parallel()
	fell := make(chan board.Change, 16)
	r := newRigWith(t, func(o *Options) { o.Profile = Profiles()["sfar"] }, nil, func(o *board.Options) {
		link := o.Link
		*o = board.Models()["sfar"]
		o.Link = link
		o.OnOutput = func(c board.Change) {
			if c.Channel == 3 {
				fell <- c
			}
		}
	})
	r.want(t, hal.DeviceOnline)
	if err := r.d.Indicate(t.Context(), hal.LampGreen, hal.Steady); err != nil {
		t.Fatal(err)
	}
	if c := <-fell; !c.On {
		t.Fatal("the lamp did not light")
	}
	if err := r.d.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case c := <-fell:
		if c.On || r.b.Counts().Fallen != 1 {
			t.Errorf("the lamp went to %v; the board fell back %d times", c.On, r.b.Counts().Fallen)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the board keeps a relay on without its master")
	}
}

// What a board would switch on by itself is not the driver's to change.
func TestWatchdogWithAWrongRestIsRefused(t *testing.T) {
	t.Parallel()
	r := newRigWith(t, func(o *Options) { o.Profile = Profiles()["sfar"] }, func(b *board.Board) { b.SetRest(1) }, func(o *board.Options) {
		link := o.Link
		*o = board.Models()["sfar"]
		o.Link = link
	})
	if e := r.want(t, hal.Fault); e.Code != hal.CodeMode {
		t.Errorf("fault %+v", e)
	}
	r.awaitFault(t, turnstile.ErrSetting)
}

// TestMissedContactIsSaidAtOnce holds back one answer for longer than a contact
// lasts, and has somebody go through meanwhile. The driver must neither wait
// for the grant's end nor say that he passed.
func TestMissedContactIsSaidAtOnce(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Contact, o.Passage = 100*time.Millisecond, time.Minute })
	g := hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit}
	r.ask(t, g)
	r.b.SetInput(4, true)
	r.want(t, hal.PassageStarted)
	r.passUnseen()
	e := r.want(t, hal.Unobserved)
	if e.Grant != g.ID || e.Code < 100 || !e.Inferred {
		t.Errorf("%+v", e)
	}
	if s := r.d.Snapshot(); s.Busy || s.Looks.Late == 0 || s.Looks.Longest < 250*time.Millisecond {
		t.Errorf("busy %v, looks %+v", s.Busy, s.Looks)
	}
}

// ask gives a grant, again while the driver says that it was kept from looking.
func (r *rig) ask(t *testing.T, g hal.Grant) {
	t.Helper()
	var err error
	for range 20 {
		if err = r.d.Grant(t.Context(), g); !errors.Is(err, hal.ErrUnknownInput) {
			break
		}
	}
	if err != nil && !errors.Is(err, hal.ErrUnconfirmed) {
		t.Fatalf("grant: %v", err)
	}
}

// TestCountedPassageIsNeverMissed is the same late look at a board that counts:
// the passage is known, and from the board.
func TestCountedPassageIsNeverMissed(t *testing.T) {
	const counters = 0x0100
	r := newRigWith(t, func(o *Options) { o.Contact, o.Profile.Count = 100*time.Millisecond, counters },
		nil, func(o *board.Options) { o.Counters = counters })
	r.want(t, hal.DeviceOnline)
	g := hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit}
	r.ask(t, g)
	r.b.SetInput(4, true)
	r.want(t, hal.PassageStarted)
	r.passUnseen()
	if e := r.want(t, hal.PassageCompleted); e.Grant != g.ID || e.Inferred {
		t.Errorf("%+v", e)
	}
	// One more, while the grant is just over.
	r.passUnseen()
	r.want(t, hal.Tailgating)
}

// passUnseen holds one look at the inputs back and lets somebody go through
// meanwhile.
func (r *rig) passUnseen() {
	faulted := r.b.Counts().Faulted
	r.b.Inject(board.Fault{Kind: board.FaultLate, Fn: 2, Count: 1, Delay: 250 * time.Millisecond})
	for r.b.Counts().Faulted == faulted {
		runtime.Gosched() // until the board has looked at its contacts
	}
	r.b.SetInput(1, true)
	r.b.SetInput(1, false)
	r.b.SetInput(4, false)
}

// TestHotPlugAtAnyMoment pulls the cable while the line is idle, in the middle
// of an answer, and as a question is sent, and plugs it in elsewhere. Each time
// the driver says so, comes back by itself, and gives one pulse for one grant.
func TestHotPlugAtAnyMoment(t *testing.T) {
	for _, verb := range []string{"hang_up", "hang_up_frame", "hang_up_write", "elsewhere"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			r.ask(t, hal.Grant{ID: hal.GrantID{1}, Dir: hal.Exit})
			if err := r.b.Strike(verb); err != nil {
				t.Fatal(err)
			}
			r.want(t, hal.DeviceOffline)
			if e := r.want(t, hal.Desync); e.Grant != (hal.GrantID{1}) {
				t.Errorf("%+v, want the open grant", e)
			}
			if err := r.b.Mend(); err != nil {
				t.Fatal(err)
			}
			r.want(t, hal.DeviceOnline)
			r.ask(t, hal.Grant{ID: hal.GrantID{2}, Dir: hal.Exit})
			if n := len(r.b.Grants()); n != 2 {
				t.Errorf("%d pulses for 2 grants", n)
			}
		})
	}
}
