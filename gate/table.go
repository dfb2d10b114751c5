package gate

import (
	"maps"
	"time"
)

// State is where the lane stands.
type State uint8

// The states of a lane.
const (
	Closed       State = iota // not for travellers, by order or before the start
	SelfTest                  // the devices report
	Ready                     // empty, waiting for a traveller
	Reading                   // somebody is there, no verified pass yet
	Matching                  // a verified pass, no decided match yet
	Confirming                // would be admitted, an officer has to confirm
	Deciding                  // decided, the record is on its way to the disk
	Granted                   // the turnstile may let one person through
	Passing                   // a person is going through
	Clearing                  // the passage has ended, the lane is not empty yet
	ReferredAway              // not admitted; the officer takes over
	Blocked                   // something stands in the passage
	Emergency                 // the emergency input is or was active
	Maintenance               // a technician has the lane
	OutOfService              // cannot serve, the cause is named
	stateCount
)

var stateText = [stateCount]string{
	"closed", "self_test", "ready", "reading", "matching", "confirming", "deciding", "granted", "passing",
	"clearing", "referred", "blocked", "emergency", "maintenance", "out_of_service",
}

// String is the state's name in records and on the status page.
func (s State) String() string {
	if s >= stateCount {
		return "invalid"
	}
	return stateText[s]
}

// MarshalText is the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// States lists every state.
func States() []State {
	out := make([]State, stateCount)
	for i := range out {
		out[i] = State(i)
	}
	return out
}

// input is the kind of an Input; the table has a column for each.
type input uint8

const (
	inStart input = iota
	inPresence
	inSymbol
	inFace
	inDocument
	inRecorded
	inRecordFailed
	inGrantAccepted
	inGrantFailed
	inPassageStarted
	inPassageCompleted
	inPassageTimeout
	inPassageUnobserved
	inSecondPassage
	inReverse
	inForced
	inObstruction
	inEmergency
	inTurnstile
	inEyes
	inAccount
	inMode
	inSignOff
	inJournal
	inFit
	inOverride
	inConfirm
	inStamp
	inTurn
	inDoor
	inHeldOpen
	inObjectLeft
	inTimeout
	inputCount
)

var inputText = [inputCount]string{
	"start", "presence", "symbol", "face", "document", "recorded", "record_failed", "grant_accepted", "grant_failed",
	"passage_started", "passage_completed", "passage_timeout", "passage_unobserved", "second_passage", "reverse", "forced",
	"obstruction", "emergency", "turnstile", "eyes", "account", "mode", "sign_off", "journal", "fit", "override",
	"confirm", "stamp", "direction", "door", "held_open", "object_left", "timeout",
}

// move is one cell of the table: it acts and names the next state. It never
// reads anything but its arguments.
type move func(m *machine, in Input) State

// row is a state's answer to every input.
type row [inputCount]move

// limit is how long a state may last; zero lasts until an input ends it, which
// only states without a traveller in them may do.
func (s State) limit(t Times) time.Duration {
	switch s {
	case SelfTest:
		return t.SelfTest
	case Reading:
		return t.Reading
	case Matching:
		return t.Matching
	case Confirming:
		return t.Confirming
	case Deciding:
		return t.Deciding
	case Granted:
		return t.Granted
	case Passing:
		return t.Passing
	case Clearing:
		return t.Clearing
	case ReferredAway:
		return t.Referred
	default:
		return 0
	}
}

// newTable is the whole behaviour of the lane: for every state the answer to
// every input. What a state does not name below it answers as base does, and
// base says nothing but "stay", or handles what must be handled anywhere. No
// cell is empty: see docs/lane.md, which a test holds to this table.
//
// A lane with two doors that are never open at once is another type of lane: a
// row or two of its own (between the doors, second door granted) in a table made
// like this one, since a machine has its table as a value. Nothing else here
// knows how many doors there are.
func newTable() [stateCount]row {
	base := row{
		inStart: stay, inPresence: stay, inSymbol: stay, inFace: stay, inDocument: stay,
		inRecorded: stay, inRecordFailed: journalLost,
		inGrantAccepted: stay, inGrantFailed: stay,
		inPassageStarted: stay, inPassageCompleted: stay, inPassageTimeout: stay, inPassageUnobserved: stay,
		inSecondPassage: alarmTailgating, inReverse: alarmWrongWay, inForced: alarmForced,
		inObstruction: stay, inEmergency: toEmergency, inTurnstile: deviceChanged, inEyes: stay,
		inAccount: stay, inMode: changeMode, inSignOff: stay, inJournal: stay, inFit: stay, inOverride: stay,
		inConfirm: stay, inStamp: stay, inTurn: stay,
		inDoor: stay, inHeldOpen: alarmHeldOpen, inObjectLeft: alarmObjectLeft, inTimeout: stay,
	}
	with := func(cells map[input]move) row {
		r := base
		for in, do := range cells {
			r[in] = do
		}
		return r
	}
	// Nobody is being served in these; a traveller who comes is not begun.
	idle := func(cells map[input]move) row {
		all := map[input]move{inTurnstile: stay, inMode: openOrStay}
		maps.Copy(all, cells)
		return with(all)
	}
	return [stateCount]row{
		Closed: idle(map[input]move{inStart: toSelfTest, inTurn: turn}),
		SelfTest: with(map[input]move{
			inTurnstile: testDone, inEyes: testDone, inEmergency: testDone, inJournal: testDone,
			inFit: testDone, inTimeout: testOver, inMode: setMode,
		}),
		Ready: with(map[input]move{
			inPresence: recheck, inObstruction: recheck, inJournal: recheck, inEmergency: recheck, inTurnstile: recheck,
			inFit: recheck, inEyes: recheck,
			inHeldOpen: heldOpenReady, inMode: changeModeReady, inTurn: turn,
		}),
		Reading: with(map[input]move{
			inPresence: leftEarly, inSymbol: readSymbol, inFace: keepFace, inDocument: documentShown, inTimeout: decideNow,
		}),
		Matching: with(map[input]move{
			inPresence: leftEarly, inFace: matchFace, inAccount: rematch, inEyes: eyesWhileMatching, inMode: changeModeMatching,
			inTimeout: decideNow,
		}),
		Confirming: with(map[input]move{
			inPresence: leftEarly, inFace: followWaiting, inAccount: reconsider, inMode: reconsider, inConfirm: confirm,
			inTimeout: confirmLate,
		}),
		Deciding: with(map[input]move{
			inFace: followFace, inRecorded: carryOut, inRecordFailed: recordFailed, inTurnstile: stay, inTimeout: recordFailed,
		}),
		Granted: with(map[input]move{
			inGrantAccepted: moving, inGrantFailed: grantFailed, inPassageStarted: passageStarted, inPassageCompleted: passageCompleted,
			inPassageTimeout: unused, inPassageUnobserved: unobserved, inFace: watchGrant, inAccount: recheckGrant, inObstruction: steppedBack,
			inEmergency: emergencyWhileGranted, inReverse: wrongWayGranted, inTurnstile: deviceWhileGranted, inTimeout: unused,
		}),
		Passing: with(map[input]move{
			inPassageCompleted: passageCompleted, inPassageTimeout: passageStuck, inPassageUnobserved: unobserved, inReverse: wrongWayGranted,
			inTurnstile: deviceWhileGranted, inTimeout: passageStuck,
		}),
		Clearing: with(map[input]move{inObstruction: clearedIfOff, inTimeout: blockedAfter}),
		ReferredAway: with(map[input]move{
			inPresence: leftReferred, inOverride: override, inStamp: stamp, inTimeout: referredOver,
		}),
		Blocked: with(map[input]move{inObstruction: unblockIfOff, inDoor: unblockIfOff}),
		Emergency: idle(map[input]move{
			inSignOff: signOff, inRecorded: signedOff, inRecordFailed: signOffLost, inEmergency: emergencyLevel, inMode: setMode,
			inPassageCompleted: countFree, inSecondPassage: countFree, inReverse: countFree, inForced: countFree,
		}),
		Maintenance: idle(map[input]move{inRecordFailed: stay}),
		OutOfService: idle(map[input]move{
			inTurnstile: recoverService, inEyes: recoverService, inEmergency: recoverService,
			inJournal: recoverService, inFit: recoverService, inRecordFailed: stay,
		}),
	}
}
