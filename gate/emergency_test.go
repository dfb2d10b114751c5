package gate

import (
	"slices"
	"testing"

	"bordergate/gate/reason"
)

func TestEmergencyIsReconciled(t *testing.T) {
	r := newRig(t)
	tx := r.granted(t)
	r.give(GrantAccepted(0, tx), Obstruction(0, On), PassageStarted(0, tx))
	r.give(EmergencyInput(0, On))
	began := r.now
	alarm := r.of(EntryAlarm)[0]
	if alarm.Tx != tx || !slices.Equal(alarm.Public.Reasons, []reason.Reason{reason.ModeEmergency}) || alarm.Public.Mode != "emergency" {
		t.Fatalf("the alarm does not name the open transaction: %+v", alarm)
	}
	r.give(PassageCompleted(0, tx, DirExit), ForcedPassage(0, DirEntry), ForcedPassage(0, DirEntry), ReversePassage(0, DirEntry), SecondPassage(0, DirExit), ForcedPassage(0, DirectionNone))
	if got := len(r.of(EntryAlarm)); got != 6 {
		t.Fatalf("%d alarms, want one and one for each of five passages that nobody was granted", got)
	}
	r.give(Obstruction(0, Off), Presence(0, Off), SignOff(0, "o-17"), EmergencyInput(0, Unknown), SignOff(0, "o-17"), EmergencyInput(0, Off), SignOff(0, ""))
	if len(r.of(EntryState)) != 0 {
		t.Fatal("signed off before the hardware's reset, or by nobody")
	}
	r.now = began + 60e9 - 1
	r.give(SignOff(0, "o-17"), SignOff(0, "o-18"))
	got := r.of(EntryState)
	if len(got) != 1 || got[0].Personal.Officer != "o-17" || got[0].Public.Cause != CauseSignedOff || got[0].Public.Mode != "emergency" {
		t.Fatalf("%+v", got)
	}
	want := Reconciliation{LastedMS: 60_000, Entry: 3, Exit: 2, Unknown: 1, Open: tx.String()}
	if *got[0].Public.Reconciliation != want {
		t.Fatalf("%+v, want %+v", *got[0].Public.Reconciliation, want)
	}
	if v := r.views[len(r.views)-1]; v.Mode != ModeEmergency || v.State != Emergency {
		t.Fatalf("%+v", v)
	}
	if len(r.revoked) != 0 {
		t.Fatal("commanded in an emergency")
	}
	r.flushAll()
	r.want(t, Ready)
}

func TestSignOffCountsOnlyWhenItIsDurable(t *testing.T) {
	emergency := func(t *testing.T) *rig {
		r := newRig(t)
		r.open(t)
		r.give(EmergencyInput(0, On), EmergencyInput(0, Off))
		r.flushAll()
		return r
	}
	t.Run("the disk fails", func(t *testing.T) {
		r := emergency(t)
		r.give(SignOff(0, "o-17"))
		r.flush(errDisk)
		r.want(t, Emergency)
		r.give(JournalRoom(0, true), SignOff(0, "o-17"))
		r.flushAll()
		r.want(t, Ready)
	})
	t.Run("the journal does not take it", func(t *testing.T) {
		r := emergency(t)
		r.refuse = errDisk
		r.give(JournalRoom(0, false), SignOff(0, "o-17"))
		r.want(t, Emergency)
		r.refuse = nil
		r.give(SignOff(0, "o-17"))
		r.flushAll()
		r.want(t, SelfTest) // signed off, and the journal has no room
		r.late()
		r.want(t, OutOfService)
		r.give(JournalRoom(0, true))
		r.want(t, Ready)
	})
	t.Run("active again meanwhile", func(t *testing.T) {
		r := emergency(t)
		r.give(SignOff(0, "o-17"), EmergencyInput(0, On))
		r.flushAll()
		r.want(t, Emergency)
		// Whoever reads the records, as a restart does, learns that it stands.
		if last := r.entries[len(r.entries)-1]; last.Kind != EntryAlarm || last.Public.Cause != CauseSignOffVoid || !slices.Contains(last.Public.Reasons, reason.ModeEmergency) {
			t.Errorf("the last record is %+v", last)
		}
		r.give(EmergencyInput(0, Off))
		r.want(t, Emergency)
		r.give(SignOff(0, "o-17"))
		r.flushAll()
		r.want(t, Ready)
	})
	t.Run("not known meanwhile", func(t *testing.T) {
		r := emergency(t)
		r.give(SignOff(0, "o-17"), TurnstileUp(0, false))
		r.flushAll()
		r.want(t, Emergency)
		r.give(TurnstileUp(0, true), EmergencyInput(0, Off), Obstruction(0, Off), Presence(0, Off), SignOff(0, "o-17"))
		r.flushAll()
		r.want(t, Ready)
	})
	t.Run("another record", func(t *testing.T) {
		r := emergency(t)
		r.give(SignOff(0, "o-17"))
		r.m.step(recorded(r.now, TxID{}, EntryAlarm, nil))
		r.want(t, Emergency)
	})
	t.Run("unasked", func(t *testing.T) {
		r := emergency(t)
		r.m.step(recorded(r.now, TxID{}, EntryState, nil))
		r.want(t, Emergency)
	})
}

func TestGrantOfBeforeTheEmergencyIsWithdrawnAfterTheSignOff(t *testing.T) {
	r := newRig(t)
	tx := r.granted(t)
	r.give(EmergencyInput(0, On), EmergencyInput(0, Off), Presence(0, Off), Obstruction(0, On), Obstruction(0, Off))
	if len(r.revoked) != 0 {
		t.Fatal("commanded before the sign-off")
	}
	r.give(SignOff(0, "o-17"))
	r.flushAll()
	if !slices.Equal(r.revoked, []TxID{tx}) {
		t.Fatalf("revoked %v", r.revoked)
	}
	r.want(t, Ready)
}

func TestEmergencyOutlastsARestart(t *testing.T) {
	r := newRig(t)
	r.m.o.Unsigned = true
	r.give(Start(0), TurnstileUp(0, true), EmergencyInput(0, Off), Obstruction(0, Off), Presence(0, Off), CameraUp(0, DocumentCamera, true), CameraUp(0, FaceCamera, true))
	r.want(t, Emergency)
	r.give(SignOff(0, "o-17"))
	r.flushAll()
	r.want(t, Ready)
	if rec := r.of(EntryState)[0].Public.Reconciliation; !rec.Restarted {
		t.Fatalf("%+v", rec)
	}
}

func TestEmergencyBeforeTheStart(t *testing.T) {
	r := newRig(t)
	r.give(EmergencyInput(0, On), EmergencyInput(0, Off), SignOff(0, "o-17"))
	r.flushAll()
	r.want(t, Closed)
	r.give(Start(0))
	r.want(t, SelfTest)
	r = newRig(t)
	r.give(EmergencyInput(0, On), Start(0), EmergencyInput(0, Off), SignOff(0, "o-17"))
	r.flushAll()
	r.want(t, SelfTest)
}

// TestEmergencyIsAnAlarmFromEveryState: wherever it begins it is on record once,
// and no state but its own is left to it.
func TestEmergencyIsAnAlarmFromEveryState(t *testing.T) {
	for state, r := range reachable(t) {
		if state == Emergency {
			continue
		}
		before := len(r.of(EntryAlarm))
		r.give(EmergencyInput(0, On), EmergencyInput(0, On))
		if r.m.state != Emergency || len(r.of(EntryAlarm)) != before+1 {
			t.Errorf("in %v: state %v, %d alarms more", state, r.m.state, len(r.of(EntryAlarm))-before)
		}
	}
}

func TestUnknownEmergencyInputIsNotReady(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(EmergencyInput(0, Unknown))
	r.want(t, OutOfService)
	if r.m.cause != "emergency_input" {
		t.Fatalf("cause %q", r.m.cause)
	}
	r.give(EmergencyInput(0, Off))
	r.want(t, Ready)
}
