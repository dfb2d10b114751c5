package gate

import (
	"slices"
	"testing"

	"bordergate/gate/reason"
)

// in says what a lane in each state must do with an input: where it is then. The
// lists are written by hand from the rules; a state that is not named stays.
type in map[State]State

func (want in) hold(t *testing.T, do func(r *rig), also func(t *testing.T, s State, r *rig)) {
	t.Helper()
	for s, r := range reachable(t) {
		t.Run(s.String(), func(t *testing.T) {
			to, named := want[s]
			if !named {
				to = s
			}
			do(r)
			if r.m.state != to {
				t.Fatalf("%v (%q), want %v", r.m.state, r.m.cause, to)
			}
			if also != nil {
				also(t, s, r)
			}
		})
	}
}

func TestJournalLostInEveryState(t *testing.T) {
	want := in{}
	for _, s := range States() {
		if s != Emergency && s != Maintenance {
			want[s] = OutOfService
		}
	}
	want.hold(t, func(r *rig) { r.give(JournalLost(0)) }, func(t *testing.T, s State, r *rig) {
		if want[s] == OutOfService && s != OutOfService && r.m.cause != reason.JournalFault.String() {
			t.Fatalf("cause %q", r.m.cause)
		}
		if s == Granted != (len(r.revoked) == 1) && s != Passing {
			t.Fatalf("revoked %v", r.revoked)
		}
		r.give(Presence(0, Off), Presence(0, On)) // nobody is begun
		if r.m.tx != nil {
			t.Fatal("somebody is served without a journal")
		}
	})
}

func TestTurnstileLostInEveryState(t *testing.T) {
	want := in{}
	for _, s := range States() {
		switch s {
		case Closed, SelfTest, Emergency, Maintenance, Deciding: // the record is waited for, and then it fails
		default:
			want[s] = OutOfService
		}
	}
	want.hold(t, func(r *rig) { r.give(TurnstileUp(0, false)) }, func(t *testing.T, s State, r *rig) {
		if m := r.m; m.presence != Unknown || m.obstruction != Unknown || m.emergency != Unknown {
			t.Fatal("what a lost board said last is taken for true")
		}
		alarm := s == Granted || s == Passing
		if got := r.of(EntryAlarm); alarm != (len(got) == 1 && slices.Equal(got[0].Public.Reasons, []reason.Reason{reason.DeviceFault})) && s != Emergency && s != Blocked {
			t.Fatalf("alarms %+v", got)
		}
		r.flushAll()
		if r.m.tx != nil {
			t.Fatalf("a transaction in %v", r.m.state)
		}
	})
}

func TestModeOrderedInEveryState(t *testing.T) {
	closed := Order{Mode: ModeClosed, By: ByHQ}
	in{Ready: Closed, Confirming: Deciding, Maintenance: Closed, OutOfService: Closed}.hold(t,
		func(r *rig) { r.give(SetMode(0, closed)) }, func(t *testing.T, s State, r *rig) {
			if r.m.order != closed || len(r.of(EntryMode)) == 0 {
				t.Fatalf("order %+v, %d records", r.m.order, len(r.of(EntryMode)))
			}
			if s == Closed || s == Emergency {
				return
			}
			// When whoever is there has gone, the order holds.
			r.flushAll()
			id := idOf(r.ids)
			r.give(PassageStarted(0, id), Presence(0, Off), PassageCompleted(0, id, DirExit), Obstruction(0, Off), TurnstileUp(0, true), EmergencyInput(0, Off),
				CameraUp(0, DocumentCamera, true), CameraUp(0, FaceCamera, true))
			r.flushAll()
			if r.m.state != Closed {
				t.Fatalf("%v in the end", r.m.state)
			}
		})
}

func TestSelfTestEndsWithTheLastDevice(t *testing.T) {
	all := map[string]Input{
		"turnstile": TurnstileUp(0, true), "emergency": EmergencyInput(0, Off), "document": CameraUp(0, DocumentCamera, true),
		"face": CameraUp(0, FaceCamera, true), "journal": JournalRoom(0, true), "fit": Fit(0, ""),
	}
	for last := range all {
		t.Run(last, func(t *testing.T) {
			r := newRig(t)
			r.give(Start(0), Obstruction(0, Off), Presence(0, Off), JournalRoom(0, false), Fit(0, CauseSelfTest))
			for name, in := range all {
				if name != last {
					r.give(in)
				}
			}
			r.want(t, SelfTest)
			if r.m.cause == "" {
				t.Error("no cause")
			}
			r.give(all[last])
			r.want(t, Ready)
		})
	}
}

func TestServiceRecoversWithTheLastDevice(t *testing.T) {
	all := map[string][2]Input{
		"turnstile": {TurnstileUp(0, false), TurnstileUp(0, true)}, "emergency": {EmergencyInput(0, Unknown), EmergencyInput(0, Off)},
		"document": {CameraUp(0, DocumentCamera, false), CameraUp(0, DocumentCamera, true)},
		"journal":  {JournalRoom(0, false), JournalRoom(0, true)}, "fit": {Fit(0, CauseTamper), Fit(0, "")},
	}
	for name, in := range all {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.open(t)
			r.give(in[0])
			r.want(t, OutOfService)
			if r.m.cause == "" {
				t.Error("no cause")
			}
			r.give(Obstruction(0, Off))
			if name == "turnstile" {
				r.give(EmergencyInput(0, Off))
			}
			r.want(t, OutOfService)
			r.give(in[1])
			r.want(t, Ready)
		})
	}
}

func TestLeavesWhileHisFaceIsCompared(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.want(t, Matching)
	r.give(Presence(0, On))
	r.want(t, Matching)
	r.give(Presence(0, Off))
	r.want(t, Ready)
	r.wantEnd(t, reason.Abandoned)
}

func TestGateMovingIsAStepOfItsOwnGrant(t *testing.T) {
	r := newRig(t)
	tx := r.granted(t)
	r.give(GrantAccepted(0, TxID{99}))
	if _, ok := r.m.tx.steps[StepGateMoving]; ok {
		t.Fatal("another grant's answer counts")
	}
	r.give(GrantAccepted(0, tx))
	if _, ok := r.views[len(r.views)-1].Steps[StepGateMoving]; !ok {
		t.Fatal("the step is not shown")
	}
}

// TestMissedSuspensionsAreWaitedForOnce: the time for them begins with the first
// wait, and nothing that comes in prolongs it.
func TestMissedSuspensionsAreWaitedForOnce(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.usable(3)
	r.catch = true
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.want(t, Matching)
	r.usable(1)
	soon := r.now + r.m.o.Times.CatchUp.Nanoseconds()
	if r.m.deadline != soon {
		t.Fatalf("waits until %d, want %d", r.m.deadline, soon)
	}
	r.now += 5e8
	r.usable(1)
	if r.m.deadline != soon {
		t.Fatalf("waits until %d, was %d", r.m.deadline, soon)
	}
}

func TestLeafThatShutsUnblocks(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(HeldOpen(0, true))
	r.want(t, Blocked)
	r.give(Door(0, On))
	r.want(t, Ready)
}

func TestEmergencyAnewNeedsAnotherSignOff(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(EmergencyInput(0, On), EmergencyInput(0, Off))
	r.flushAll()
	r.give(SignOff(0, "o-17"), EmergencyInput(0, On), EmergencyInput(0, Off))
	r.flushAll()
	r.want(t, Emergency)
	r.give(SignOff(0, "o-17"), EmergencyInput(0, Off)) // the level again is no news
	r.flushAll()
	r.want(t, Ready)
}

func TestScreenIsToldOfThePassBeforeOneIsRead(t *testing.T) {
	shown := func(r *rig) Document { return r.views[len(r.views)-1].Document }
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	if shown(r) != DocumentNone {
		t.Fatalf("%v before anything lay there", shown(r))
	}
	r.give(DocumentSeen(0, r.documents()))
	if shown(r) != DocumentShown {
		t.Fatalf("%v with something that cannot be read", shown(r))
	}
	r.give(Symbol(0, r.documents(), r.now, []byte("url")))
	if shown(r) != DocumentForeign {
		t.Fatalf("%v with a foreign code", shown(r))
	}
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	if shown(r) != DocumentNone {
		t.Fatalf("%v with a pass", shown(r))
	}
}
