package screen

import (
	"slices"

	"bordergate/gate"
	"bordergate/gate/reason"
)

// Step is what the screen shows: one thing at a time.
type Step string

// The steps, in the order of a traveller's way, then the others.
const (
	StepWelcome   Step = "welcome"   // come, have the pass ready
	StepPass      Step = "pass"      // hold the pass under the reader
	StepFace      Step = "face"      // look into the camera
	StepChecking  Step = "checking"  // one moment
	StepGo        Step = "go"        // walk through
	StepDone      Step = "done"      // walk on
	StepOfficer   Step = "officer"   // see the officer; never an accusation
	StepClear     Step = "clear"     // the passage must be empty
	StepWait      Step = "wait"      // the gate is not ready yet
	StepClosed    Step = "closed"    // the gate is not for travellers
	StepEmergency Step = "emergency" // the way out is free
)

// Steps lists every step.
func Steps() []Step {
	return []Step{
		StepWelcome, StepPass, StepFace, StepChecking, StepGo, StepDone, StepOfficer, StepClear, StepWait, StepClosed, StepEmergency,
	}
}

// Tone is what a step is in colour, shape and sound together, none of them
// alone.
type Tone string

// The tones.
const (
	ToneCalm    Tone = "calm"    // do this
	ToneGo      Tone = "go"      // go: green, a disc with a tick, a rising sound
	ToneOfficer Tone = "officer" // another way: a plate with an arrow, a low sound
	ToneStop    Tone = "stop"    // no way: red, an octagon with a bar, no sound
	ToneFree    Tone = "free"    // the way out: green all over
)

// look is how a state of the lane is shown.
type look struct {
	step   Step
	tone   Tone
	place  int  // on the way of pass, face and gate: 1 to 3; 0: not on it
	mirror bool // the face camera is shown
	camera bool // the mirror is shown or comes next: its pictures are wanted
	time   bool // how long the step lasts is shown
}

// looks says how each state of the lane is shown. Deciding looks the same
// whatever was decided, and so does
// the wait for the officer who confirms it.
func looks() map[gate.State]look {
	officer := look{step: StepOfficer, tone: ToneOfficer}
	closed := look{step: StepClosed, tone: ToneStop}
	return map[gate.State]look{
		gate.Closed:       closed,
		gate.SelfTest:     {step: StepWait, tone: ToneCalm},
		gate.Ready:        {step: StepWelcome, tone: ToneCalm},
		gate.Reading:      {step: StepPass, tone: ToneCalm, place: 1, camera: true, time: true},
		gate.Matching:     {step: StepFace, tone: ToneCalm, place: 2, mirror: true, camera: true, time: true},
		gate.Confirming:   {step: StepChecking, tone: ToneCalm, place: 2},
		gate.Deciding:     {step: StepChecking, tone: ToneCalm, place: 2},
		gate.Granted:      {step: StepGo, tone: ToneGo, place: 3, time: true},
		gate.Passing:      {step: StepGo, tone: ToneGo, place: 3},
		gate.Clearing:     {step: StepDone, tone: ToneGo, place: 3},
		gate.ReferredAway: officer,
		gate.Blocked:      {step: StepClear, tone: ToneOfficer},
		gate.Emergency:    {step: StepEmergency, tone: ToneFree},
		gate.Maintenance:  closed,
		gate.OutOfService: closed,
	}
}

// Hints lists what a traveller can be told to do better: those of the face, and
// those of the pass that this package makes itself.
func Hints() []string {
	return []string{
		"look_here", "one_person", "closer", "too_dark", "too_bright", "upright", "hold_still", "uncover", hintFlat, hintOther,
	}
}

// The hints that come from the state of the pass.
const (
	hintFlat  = "hold_flat"  // something lies there that is not read
	hintOther = "other_code" // a code was read that is no pass
)

// Notices lists what an admitted traveller can be told.
func Notices() []gate.Notice { return []gate.Notice{gate.NoticeStampSoon} }

// Word is what a reason is to the traveller: one neutral sentence for many
// reasons, so that no sentence stands for one of them that must stay hidden.
type Word string

// The words, the one that helps the traveller most first: of several reasons
// the first of these is shown.
const (
	WordFree    Word = "free"    // the passage must be empty
	WordGate    Word = "gate"    // it is the gate, not him
	WordTime    Word = "time"    // he may try again with the officer
	WordOne     Word = "one"     // one at a time
	WordStamp   Word = "stamp"   // a new stamp
	WordPass    Word = "pass"    // have the pass ready
	WordFace    Word = "face"    // the camera did not see his face well
	WordOfficer Word = "officer" // the officer will help
)

// Words lists every word, in that order.
func Words() []Word {
	return []Word{WordFree, WordGate, WordTime, WordOne, WordStamp, WordPass, WordFace, WordOfficer}
}

// words says what each reason is to the traveller.
func words() map[reason.Reason]Word {
	all := map[reason.Reason]Word{}
	for w, list := range map[Word][]reason.Reason{
		WordFree: {reason.Obstruction, reason.Forced},
		WordGate: {
			reason.CacheStale, reason.ClockUntrusted, reason.BiometricsUnavailable, reason.DeviceFault, reason.JournalFault,
			reason.ModeClosed, reason.ModeEmergency, reason.ModeCatchingUp, reason.ModeSuspendedBiometrics, reason.Interrupt,
		},
		WordTime:  {reason.PassageUnused},
		WordOne:   {reason.FaceMany, reason.Tailgating},
		WordStamp: {reason.PassStampDue},
		WordPass: {
			reason.PassUnreadable, reason.PassFormat, reason.PassSignature, reason.PassSigner, reason.PassExpired, reason.PassNotYetValid,
			reason.PassRevoked, reason.PassType, reason.PassCrossing, reason.PassDirection, reason.CaptureTimeout,
		},
		WordFace: {reason.FaceNone, reason.FaceQuality, reason.LivenessUndecided},
		// Also everything that is about the person: one sentence, the hidden
		// reasons among it.
		WordOfficer: {
			reason.AccountUnknown, reason.AccountSuspended, reason.AccountCancelled, reason.AccountLevel, reason.Watchlist, reason.RandomCheck,
			reason.MovementSequence, reason.MovementUnchecked, reason.Passback, reason.FaceMismatch, reason.LivenessAttack,
			reason.WrongWay, reason.OfficerDecision,
		},
	} {
		for _, r := range list {
			all[r] = w
		}
	}
	return all
}

// word is the one sentence for a set of reasons. Hidden ones are left out, and
// nothing left reads like the reasons that are about the person.
func word(set []reason.Reason) Word {
	known, best := words(), WordOfficer
	for _, r := range set {
		if w, ok := known[r]; ok && !r.Hidden() && slices.Index(Words(), w) < slices.Index(Words(), best) {
			best = w
		}
	}
	return best
}
