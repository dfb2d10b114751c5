package gate

import (
	"slices"
	"testing"

	"bordergate/gate/reason"
)

// suspend takes the right of the good traveller and tells the lane.
func (r *rig) suspend() {
	a := r.account["a1"]
	a.Status = AccountSuspended
	r.account["a1"] = a
	r.give(AccountChanged(0, "a1"))
}

func TestNothingIsWithdrawnOntoSomebody(t *testing.T) {
	for name, level := range map[string]Level{"there": On, "unknown": Unknown} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			tx := r.granted(t)
			r.give(Obstruction(0, level))
			r.suspend()
			if len(r.revoked) != 0 || r.m.state != Granted {
				t.Fatalf("revoked %v in state %v", r.revoked, r.m.state)
			}
			r.give(Obstruction(0, Off)) // he has stepped back
			if !slices.Equal(r.revoked, []TxID{tx}) {
				t.Fatalf("revoked %v", r.revoked)
			}
			r.want(t, ReferredAway)
			r.wantEnd(t, reason.Refused, reason.AccountSuspended)
		})
	}
}

func TestWhoIsBetweenTheLeavesPasses(t *testing.T) {
	r := newRig(t)
	tx := r.granted(t)
	r.give(Obstruction(0, On))
	r.suspend()
	r.give(PassageStarted(0, tx), Presence(0, Off), PassageCompleted(0, tx, DirExit), Obstruction(0, Off))
	r.flushAll()
	r.wantEnd(t, reason.Admitted)
	if len(r.revoked) != 0 {
		t.Fatalf("revoked %v", r.revoked)
	}
}

// TestWithdrawalIsOwed: what may not be sent now is sent as soon as it may, and
// not at all where the grant ended by itself.
func TestWithdrawalIsOwed(t *testing.T) {
	wrongWay := func(r *rig, _ TxID) { r.give(Obstruction(0, On), ReversePassage(0, DirEntry)) }
	for name, tc := range map[string]struct {
		do      func(r *rig, tx TxID)
		then    func(r *rig, tx TxID)
		revoked int
	}{
		"free again":    {wrongWay, func(r *rig, _ TxID) { r.give(Obstruction(0, Off)) }, 1},
		"not yet":       {wrongWay, func(r *rig, _ TxID) { r.give(Obstruction(0, Unknown)) }, 0},
		"ran out":       {wrongWay, func(r *rig, tx TxID) { r.give(PassageTimeout(0, tx), Obstruction(0, Off)) }, 0},
		"another's end": {wrongWay, func(r *rig, _ TxID) { r.give(PassageTimeout(0, TxID{99}), Obstruction(0, Off)) }, 1},
		"passed":        {wrongWay, func(r *rig, tx TxID) { r.give(PassageCompleted(0, tx, DirExit), Obstruction(0, Off)) }, 0},
		"never given":   {wrongWay, func(r *rig, tx TxID) { r.give(GrantFailed(0, tx), Obstruction(0, Off)) }, 0},
		"board lost": {
			wrongWay, func(r *rig, _ TxID) { r.give(TurnstileUp(0, false), Obstruction(0, Off), EmergencyInput(0, Off)) }, 0,
		},
		"board back": {
			wrongWay, func(r *rig, _ TxID) {
				r.give(TurnstileUp(0, false), Obstruction(0, Off), EmergencyInput(0, Off), TurnstileUp(0, true))
			}, 1,
		},
		"journal lost": {func(r *rig, _ TxID) { r.give(Obstruction(0, On), JournalLost(0)) }, func(r *rig, _ TxID) { r.give(Obstruction(0, Off)) }, 1},
		"emergency unknown": {
			func(r *rig, tx TxID) { r.give(EmergencyInput(0, Unknown), PassageTimeout(0, TxID{99})); r.late() },
			func(r *rig, _ TxID) { r.give(EmergencyInput(0, Off)) }, 1,
		},
		"stuck":          {func(r *rig, tx TxID) { r.give(Obstruction(0, On)); r.late() }, func(r *rig, _ TxID) { r.give(Obstruction(0, Off)) }, 1},
		"stuck on a way": {func(r *rig, tx TxID) { r.give(Obstruction(0, On), PassageStarted(0, tx)); r.late() }, func(r *rig, _ TxID) { r.give(Obstruction(0, Off)) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			tx := r.granted(t)
			tc.do(r, tx)
			if len(r.revoked) != 0 {
				t.Fatal("withdrawn onto somebody")
			}
			if r.m.owed != tx {
				t.Fatalf("owed %v in state %v", r.m.owed, r.m.state)
			}
			tc.then(r, tx)
			if len(r.revoked) != tc.revoked {
				t.Fatalf("revoked %v in state %v", r.revoked, r.m.state)
			}
		})
	}
}

func TestUnusedGrantWithSomebodyInThePassage(t *testing.T) {
	for name, end := range map[string]func(r *rig, tx TxID){
		"the lane's time": func(r *rig, _ TxID) { r.late() },
		"the gate's own":  func(r *rig, tx TxID) { r.give(PassageTimeout(0, tx)) },
		"another's time":  func(r *rig, tx TxID) { r.give(PassageTimeout(0, TxID{99})); r.want(t, Granted); r.late() },
		"his, while going": func(r *rig, tx TxID) {
			r.give(PassageStarted(0, tx), PassageTimeout(0, TxID{99}))
			r.want(t, Passing)
			r.give(PassageTimeout(0, tx))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			tx := r.granted(t)
			r.give(Obstruction(0, On))
			end(r, tx)
			r.want(t, Blocked)
			r.wantEnd(t, reason.Failed, reason.Obstruction)
			if !slices.Contains(r.unsure, "P1") {
				t.Error("nobody knows whether he passed, and the register was not told")
			}
			r.give(Presence(0, Off), Obstruction(0, Off))
			r.want(t, Ready)
		})
	}
}

// TestInputsOfThePassageInEveryState: each of them is on record in every state,
// and a leaf or a thing in the way never leaves the lane ready.
func TestInputsOfThePassageInEveryState(t *testing.T) {
	for name, tc := range map[string]struct {
		in    Input
		want  reason.Reason
		cause string
	}{
		"second passage":    {SecondPassage(0, DirExit), reason.Tailgating, ""},
		"wrong way":         {ReversePassage(0, DirEntry), reason.WrongWay, ""},
		"forced":            {ForcedPassage(0, DirExit), reason.Forced, ""},
		"held open soon":    {HeldOpen(0, false), reason.DeviceFault, CauseHeldOpenWarning},
		"held open":         {HeldOpen(0, true), reason.DeviceFault, CauseHeldOpen},
		"something is left": {ObjectLeft(0), reason.Obstruction, CauseObjectLeft},
	} {
		for state, r := range reachable(t) {
			t.Run(name+" in "+state.String(), func(t *testing.T) {
				before := len(r.of(EntryAlarm))
				r.give(tc.in)
				got := r.of(EntryAlarm)
				if len(got) != before+1 {
					t.Fatalf("%d alarms more", len(got)-before)
				}
				if p := got[before].Public; !slices.Equal(p.Reasons, []reason.Reason{tc.want}) || p.Cause != tc.cause || p.State != state.String() {
					t.Fatalf("%+v", p)
				}
				if tc.cause == CauseHeldOpen && r.m.state == Ready {
					t.Fatal("ready with a leaf that does not shut")
				}
			})
		}
	}
}

func TestHeldOpenBlocksUntilTheLeafIsShut(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(HeldOpen(0, false))
	r.want(t, Ready)
	r.give(HeldOpen(0, true))
	r.want(t, Blocked)
	if r.m.cause != CauseHeldOpen {
		t.Fatalf("cause %q", r.m.cause)
	}
	r.give(Obstruction(0, On), Obstruction(0, Off), Door(0, Off), Door(0, Unknown), HeldOpen(0, false))
	r.want(t, Blocked)
	r.give(Obstruction(0, On), Door(0, On))
	r.want(t, Blocked)
	if r.m.cause != reason.Obstruction.String() {
		t.Fatalf("cause %q", r.m.cause)
	}
	r.give(Obstruction(0, Off))
	r.want(t, Ready)
}

func TestFaceWithheldAtTheLastMomentIsMarked(t *testing.T) {
	r := newRig(t)
	r.open(t)
	r.give(Presence(0, On))
	r.usable(3)
	r.give(Symbol(0, r.documents(), r.now, []byte("good")))
	r.want(t, Deciding)
	r.see(2, 1)
	r.flushAll()
	r.wantEnd(t, reason.Referred, reason.FaceMany)
	last := r.entries[len(r.entries)-1]
	if !last.Public.Withheld || last.Public.Revoked || len(r.grants) != 0 {
		t.Fatalf("%+v", last.Public)
	}
}
