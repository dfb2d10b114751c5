package gate

import (
	"time"

	"bordergate/gate/reason"
)

// The interfaces below are what a Lane needs of its neighbours. Their methods
// are called from the Lane's loop and must return at once; what takes time
// comes back as an Input.

// Passes judges the bytes of a symbol.
type Passes interface {
	Read(payload []byte, at time.Time) Claim
}

// Accounts answers from the local cache.
type Accounts interface {
	Look(account string) Account
	// Watched reports whether the pass itself, its holder, his account or the
	// organisation he acts for is on the watch-list; ok is false where that
	// cannot be told.
	Watched(p Pass) (on, ok bool)
	// CatchingUp reports whether suspensions may have been missed that are
	// still on their way.
	CatchingUp() bool
}

// Register answers from the local cache what is known of a pass by its signed
// number, and remembers what became of it.
type Register interface {
	Pass(number string) PassState
	// Moved notes a completed passage; Pass answers with it from then on, and
	// it survives a restart.
	Moved(number string, d Direction, at int64)
	// Stamped notes that an officer has stamped the pass just now; Pass answers
	// with it from then on, and it survives a restart.
	Stamped(number string, at int64)
	// Unsure notes that nobody knows whether the person with this pass went
	// through: what was known of its last movement is worth nothing.
	Unsure(number string)
}

// References knows which face references can be compared here.
type References interface {
	// Fits reports whether those of a model can.
	Fits(model string) bool
	// Open gives the reference in a verified pass; nil where there is none that
	// can be used. It is asked once in a transaction.
	Open(p Pass) []byte
}

// Matcher compares the faces of one transaction with one reference.
type Matcher interface {
	// Match says what the faces so far give; final asks for the verdict on
	// what there is, since no more will come.
	Match(faces []Face, model string, reference []byte, final bool) Match
}

// Tracker follows one face through the frames of one transaction.
type Tracker interface {
	// Begin forgets whoever was followed.
	Begin()
	// Follow says whom the frame shows.
	Follow(f Face) Sight
	// Hold keeps the face followed now as the only one that counts until
	// Begin: it is the one that matched.
	Hold()
	// Present reports whether that face was in sight just now.
	Present(now int64) bool
}

// Recorder makes an entry durable and then calls done, exactly once, from a
// goroutine of its own. An error says that the entry was not taken and that
// done is never called.
type Recorder interface {
	Record(e Entry, done func(error)) error
}

// Turnstile lets one person through. Grant and Revoke start the work; what
// came of it arrives as inputs. An error of Grant says that it will never be
// sent.
type Turnstile interface {
	Grant(id TxID, d Direction, valid time.Duration) error
	Revoke(id TxID)
}

// Eyes are the cameras' workers.
type Eyes interface {
	Watch(session uint32)
	// Again begins anew with the faces, as with the first frame of a traveller.
	Again(session uint32)
	// Hold ends the reading of documents; faces are watched on.
	Hold()
	Stop()
}

// Screen shows a view; a later one replaces an earlier one.
type Screen interface {
	Show(v View)
}

// Clock tells the wall time, how far to trust it, and the newest signed time.
type Clock interface {
	Wall() (now time.Time, trust ClockTrust, floor time.Time)
}

// Entry kinds of a lane's records.
const (
	EntryDecision  = "decision" // what was decided, before anything moves
	EntryOutcome   = "outcome"  // what came of it
	EntryAlarm     = "alarm"    // safety or security, outside or inside a transaction
	EntryState     = "lane_state"
	EntryMode      = "lane_mode"      // one order ends and another holds
	EntryDirection = "lane_direction" // a reversible lane was turned
	EntryStamp     = "stamp"          // an officer has stamped the pass of a transaction
)

// Entry is one record of the lane. Only Personal holds personal data.
type Entry struct {
	Tx       TxID
	Kind     string
	Alarm    bool  // belongs to the alarm stream
	At       int64 // monotonic ns
	Public   Public
	Personal *Personal
}

// Public is the part of a record that names nobody.
type Public struct {
	Outcome   reason.Outcome  `json:"outcome,omitempty"`
	Reasons   []reason.Reason `json:"reasons"`
	Detail    string          `json:"detail,omitempty"`  // of what is wrong with the pass's seal
	Notices   []Notice        `json:"notices,omitempty"` // told to an admitted traveller
	Direction string          `json:"direction,omitempty"`
	Policy    uint64          `json:"policy,omitempty"` // version of headquarters' policy
	Mode      string          `json:"mode,omitempty"`
	// From is the mode or the direction before a change, By who ordered it, ForMS
	// how long the mode is to last, 0 until it is taken back.
	From    string     `json:"from,omitempty"`
	By      string     `json:"by,omitempty"`
	ForMS   int64      `json:"for_ms,omitempty"`
	State   string     `json:"state,omitempty"`
	Cause   string     `json:"cause,omitempty"`
	Granted bool       `json:"granted,omitempty"`
	Faces   *FaceCount `json:"faces,omitempty"`
	// Restarts is how often what was gathered of a face was dropped.
	Restarts int  `json:"face_restarts,omitempty"`
	Revoked  bool `json:"revoked,omitempty"`
	// Withheld says that an admission on record was not carried out.
	Withheld bool `json:"withheld,omitempty"`
	// Why is the code of the officer's reason, with his decision.
	Why            string           `json:"officer_reason,omitempty"`
	Reconciliation *Reconciliation  `json:"reconciliation,omitempty"`
	Steps          map[string]int64 `json:"steps_us,omitempty"` // since presence
	Score          float64          `json:"score,omitempty"`
	Threshold      float64          `json:"threshold,omitempty"`
	Frames         int              `json:"frames,omitempty"`
	Model          string           `json:"model,omitempty"`
	Reference      string           `json:"reference,omitempty"` // whose the face was compared with: cache or pass
	Liveness       string           `json:"liveness,omitempty"`
	LiveBy         string           `json:"liveness_version,omitempty"`
	Live           *bool            `json:"liveness_enforced,omitempty"`
}

// Personal is the part of a record that is sealed.
type Personal struct {
	PassNumber   string `json:"pass_number"`
	PassType     string `json:"pass_type"`
	Account      string `json:"account"`
	Organisation string `json:"organisation,omitempty"`
	Officer      string `json:"officer,omitempty"` // who overrode, confirmed or ordered: a service id
}

// View is what the lane looks like from outside, without personal data.
type View struct {
	State State
	Mode  Mode
	Order Order // that the mode is by
	// Direction is the way in which travellers pass.
	Direction Direction
	Cause     string // why the lane is not in service, a word of a fixed list
	Hint      string // what the traveller can do better
	// Document is what lies before the reader while no pass is read.
	Document Document
	Since    int64
	Tx       TxID // zero outside a transaction
	Outcome  reason.Outcome
	Reasons  []reason.Reason
	Detail   string // what is wrong with the pass's seal, for the technician
	Notices  []Notice
	Steps    map[string]int64 // microseconds since presence
	Granted  bool
	// Finished marks the one view that closes its transaction.
	Finished bool
}
