package gate

// Input is one thing that happened, as the Lane is told of it. Only the
// functions below make one.
type Input struct {
	kind    input
	At      int64 // CLOCK_MONOTONIC ns
	level   Level
	up      bool
	camera  Camera
	payload []byte
	frameAt int64
	session uint32
	face    Face
	tx      TxID
	entry   string
	account string
	dir     Direction
	order   Order
	officer string
	cause   string
	why     string
}

// Camera names a camera of the lane.
type Camera uint8

// The cameras of a lane.
const (
	DocumentCamera Camera = iota + 1
	FaceCamera
	passScanner // not a camera: see ScannerUp
)

// safety reports whether the input must reach the machine however full the
// queue is.
func (in Input) safety() bool { return in.kind != inFace && in.kind != inSymbol }

// Start ends the closed state in which every lane begins.
func Start(at int64) Input { return Input{kind: inStart, At: at} }

// Presence tells that somebody stands before the gate, or nobody does.
func Presence(at int64, l Level) Input { return Input{kind: inPresence, At: at, level: l} }

// Obstruction tells that something is between the leaves, or nothing is.
func Obstruction(at int64, l Level) Input { return Input{kind: inObstruction, At: at, level: l} }

// EmergencyInput tells the level of the emergency circuit.
func EmergencyInput(at int64, l Level) Input { return Input{kind: inEmergency, At: at, level: l} }

// Symbol is the payload of a code read from the frame taken at frameAt, or by
// the scanner then.
func Symbol(at int64, session uint32, frameAt int64, payload []byte) Input {
	return Input{kind: inSymbol, At: at, session: session, frameAt: frameAt, payload: payload}
}

// DocumentSeen tells that something lay before the document camera, or that the
// scanner got part of a code, whether or not it can be read.
func DocumentSeen(at int64, session uint32) Input {
	return Input{kind: inDocument, At: at, session: session}
}

// FaceSeen is an analysed frame of the face camera.
func FaceSeen(at int64, session uint32, f Face) Input {
	return Input{kind: inFace, At: at, session: session, face: f}
}

// CameraUp tells that a camera's worker delivers frames, or does not.
func CameraUp(at int64, c Camera, up bool) Input {
	return Input{kind: inEyes, At: at, camera: c, up: up}
}

// ScannerUp tells that the serial scanner, which reads passes as the document
// camera does, is there, or is not.
func ScannerUp(at int64, up bool) Input {
	return Input{kind: inEyes, At: at, camera: passScanner, up: up}
}

// TurnstileUp tells that the turnstile is online and inert, or is not.
func TurnstileUp(at int64, up bool) Input { return Input{kind: inTurnstile, At: at, up: up} }

// GrantAccepted tells that the turnstile acts on the grant.
func GrantAccepted(at int64, id TxID) Input { return Input{kind: inGrantAccepted, At: at, tx: id} }

// GrantFailed tells that the turnstile has not and will not act on the grant.
func GrantFailed(at int64, id TxID) Input { return Input{kind: inGrantFailed, At: at, tx: id} }

// PassageStarted tells that a person has stepped between the leaves.
func PassageStarted(at int64, id TxID) Input { return Input{kind: inPassageStarted, At: at, tx: id} }

// PassageCompleted tells that a sensor or counter has seen the person through.
func PassageCompleted(at int64, id TxID, d Direction) Input {
	return Input{kind: inPassageCompleted, At: at, tx: id, dir: d}
}

// PassageTimeout tells that the grant has died unused.
func PassageTimeout(at int64, id TxID) Input { return Input{kind: inPassageTimeout, At: at, tx: id} }

// PassageUnobserved tells that the turnstile was not looked at while the person
// may have passed: it is not known whether he did, and never will be.
func PassageUnobserved(at int64, id TxID) Input {
	return Input{kind: inPassageUnobserved, At: at, tx: id}
}

// SecondPassage tells that another person followed on one grant.
func SecondPassage(at int64, d Direction) Input {
	return Input{kind: inSecondPassage, At: at, dir: d}
}

// ReversePassage tells that somebody came through against the direction.
func ReversePassage(at int64, d Direction) Input {
	return Input{kind: inReverse, At: at, dir: d}
}

// ForcedPassage tells that somebody came through without a grant.
func ForcedPassage(at int64, d Direction) Input { return Input{kind: inForced, At: at, dir: d} }

// AccountChanged tells that an account, or with an empty name any of them, may
// have changed.
func AccountChanged(at int64, account string) Input {
	return Input{kind: inAccount, At: at, account: account}
}

// SetMode tells which order holds from now on. The caller knows everybody's.
func SetMode(at int64, o Order) Input { return Input{kind: inMode, At: at, order: o} }

// Turn orders the direction of a reversible lane. The caller has verified who
// says it, just now, and why.
func Turn(at int64, d Direction, officer, why string) Input {
	return Input{kind: inTurn, At: at, dir: d, officer: officer, why: why}
}

// Door tells whether the leaf is shut: On is shut.
func Door(at int64, shut Level) Input { return Input{kind: inDoor, At: at, level: shut} }

// HeldOpen tells that the leaf stays open, past its warning time or past its
// alarm time.
func HeldOpen(at int64, alarm bool) Input { return Input{kind: inHeldOpen, At: at, up: alarm} }

// ObjectLeft tells that what is between the leaves does not go away.
func ObjectLeft(at int64) Input { return Input{kind: inObjectLeft, At: at} }

// SignOff is an officer's word that the lane is safe after an emergency. The
// caller has verified who says it.
func SignOff(at int64, officer string) Input {
	return Input{kind: inSignOff, At: at, officer: officer}
}

// Override is an officer's decision to let the referred traveller of the
// transaction through, with the code of his reason. The caller has verified who
// says it, just now.
func Override(at int64, tx TxID, officer, why string) Input {
	return Input{kind: inOverride, At: at, tx: tx, officer: officer, why: why}
}

// Confirm is an officer's word that the traveller of the transaction, who waits
// for it in supervised mode, is to be admitted. The caller has verified who says
// it, just now.
func Confirm(at int64, tx TxID, officer string) Input {
	return Input{kind: inConfirm, At: at, tx: tx, officer: officer}
}

// Stamp tells that an officer has stamped the pass of the referred transaction.
// The caller has verified who says it, just now.
func Stamp(at int64, tx TxID, officer string) Input {
	return Input{kind: inStamp, At: at, tx: tx, officer: officer}
}

// recorded tells that an entry is durable, or never will be.
func recorded(at int64, tx TxID, entry string, err error) Input {
	in := Input{kind: inRecorded, At: at, tx: tx, entry: entry}
	if err != nil {
		in.kind = inRecordFailed
	}
	return in
}

// JournalLost tells that what the journal holds can no longer be relied on.
func JournalLost(at int64) Input { return Input{kind: inRecordFailed, At: at} }

// JournalRoom tells whether the journal can take the records of travellers. A
// transaction that has begun is brought to its end without it: there is room
// for that, and its decision sees that there is none for more.
func JournalRoom(at int64, ok bool) Input { return Input{kind: inJournal, At: at, up: ok} }

// Fit tells what the gate's own checks found: a cause, a word of a fixed list,
// keeps the lane out of service, and nobody is admitted who has begun; empty
// says that nothing is in the way.
func Fit(at int64, cause string) Input { return Input{kind: inFit, At: at, cause: cause} }
