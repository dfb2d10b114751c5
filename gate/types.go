package gate

import (
	"encoding/hex"
	"time"

	"bordergate/gate/reason"
)

// TxID names one transaction; the grant it may lead to has the same id.
type TxID [16]byte

// String is the id in lower-case hexadecimal.
func (t TxID) String() string { return hex.EncodeToString(t[:]) }

// Direction is the way of a traveller through the lane.
type Direction uint8

// The directions of a lane.
const (
	DirectionNone Direction = iota
	DirEntry
	DirExit
)

// String is the direction in the words of records and settings.
func (d Direction) String() string {
	switch d {
	case DirEntry:
		return "entry"
	case DirExit:
		return "exit"
	default:
		return "none"
	}
}

// Level is a contact as last seen; what is not known is not off.
type Level uint8

// The levels of a contact.
const (
	Unknown Level = iota
	Off
	On
)

// ClockTrust says how far wall time can be relied on.
type ClockTrust uint8

// The levels of clock trust, worst first, so that the zero value trusts
// nothing.
const (
	ClockBad       ClockTrust = iota // below the floor, or unknown
	ClockPlausible                   // above the floor, never synchronised since the boot
	ClockHeldOver                    // was synchronised since the boot
	ClockSynced                      // synchronised now
)

// Claim is what a symbol turned out to be.
type Claim struct {
	// Fault is zero where the seal verified and holds a pass of the profile.
	Fault reason.Reason
	// Detail tells apart what one Fault sums up, a word of a fixed list such as
	// signer_revoked; it is recorded and changes no decision.
	Detail string
	Pass   Pass
}

// Pass is what a verified seal says of its holder's right to cross.
type Pass struct {
	Number       string // identity of the pass for passback and revocation
	Type         string // border_pass or port_permit
	Account      string
	Organisation string
	// NameMRZ and Birth are the holder's as the seal has them. They are for the
	// watch-list alone and stand in no record.
	NameMRZ    string
	Birth      time.Time
	Crossings  []string
	Directions []Direction
	ValidFrom  time.Time // first moment of validity
	ValidTo    time.Time // first moment after it
	// Model and Template are those of the face reference that the pass carries,
	// still sealed; empty where it carries none.
	Model    string
	Template []byte
}

// Movement is the last use of a pass that this gate knows of.
type Movement struct {
	// Known is false where the pass was never used here, or where nobody knows
	// whether its last use came to a passage.
	Known     bool
	Direction Direction
	Ago       time.Duration // monotonic within one boot of the machine
	// Complete says that every movement with this pass since then, in any lane
	// of the crossing, would be known here. Only then does a second exit in a
	// row mean something.
	Complete bool
}

// PassState is what the cache and this gate know of a pass by its number.
type PassState struct {
	Revoked bool
	Stamped time.Time // newest verification stamp; zero: none is known
	Last    Movement
	// Unusable says that the cache cannot be relied on at all.
	Unusable bool
}

// AccountStatus is the state of an electronic account.
type AccountStatus uint8

// The states of an account; the zero value is not a state.
const (
	AccountUnknown AccountStatus = iota
	AccountActive
	AccountSuspended
	AccountCancelled
)

// AccountKind says whose an account is.
type AccountKind uint8

// The kinds of account; the zero value is not known.
const (
	KindUnknown AccountKind = iota
	KindCitizen
	KindForeigner
	// KindOrganisation is an organisation's own account, which its lawful
	// representative or whom that one authorised uses.
	KindOrganisation
)

// Account is what the cache knows of an account at one moment.
type Account struct {
	Status AccountStatus
	Level  int // 1 or 2
	// Organisation is for whom the account's holder may act, or empty.
	Organisation string
	Kind         AccountKind
	Model        string // of Reference
	// Reference is the face template; empty where none is enrolled. In an
	// Evidence the one of the pass stands here where the cache has none that
	// can be compared.
	Reference []byte
	// Issued is when headquarters signed the newest statement that the cache
	// is complete up to; zero where there is none.
	Issued time.Time
	// Unusable says that the cache cannot be relied on at all, for example
	// after damage, until headquarters has sent it again.
	Unusable bool
}

// Document is what lay before the reader of passes.
type Document uint8

// The kinds of what lay there; the zero value is nothing.
const (
	DocumentNone    Document = iota
	DocumentShown            // something, with no code that could be read
	DocumentForeign          // a code that is no pass
)

// Face is one analysed frame of the face camera.
type Face struct {
	FrameAt   int64      // CLOCK_MONOTONIC ns of the frame
	Count     int        // faces in the frame that could be a person in the lane
	Second    float64    // width of the second face as a share of the first's
	Box       [4]float32 // x, y, width, height in pixels of the frame
	Usable    bool       // passed the quality rules
	Hint      string
	Norm      float32
	Embedding []float32 // raw, only where Usable
	Live      LiveCues  // only where LiveDone
	LiveDone  bool
}

// forget zeroes the probe: nobody keeps it.
func (f Face) forget() { clear(f.Embedding) }

// Sight says whom a frame shows, against the frames before it.
type Sight uint8

// The sights; the zero value is nobody who is known.
const (
	SightAway  Sight = iota // not the one followed, as far as can be told
	SightKept               // the one followed
	SightNew                // the first, or the first after too long without one
	SightOther              // another person
	SightCrowd              // a second person is near
)

// LiveCues are the measurements of one frame against a presentation attack, in
// the terms of the biometrics package.
type LiveCues struct{ MS27, SQ15, Lines, Size, X, Y float64 }

// Liveness is the verdict on presentation attacks.
type Liveness uint8

// The liveness verdicts; the zero value is undecided.
const (
	LiveUndecided Liveness = iota
	LiveYes
	LiveAttack
)

// String is the verdict in the words of records.
func (l Liveness) String() string {
	switch l {
	case LiveYes:
		return "live"
	case LiveAttack:
		return "attack"
	default:
		return "undecided"
	}
}

// Similarity is the verdict on one probe against one reference.
type Similarity uint8

// The similarity verdicts; the zero value is undecided.
const (
	Undecided Similarity = iota
	Same
	Between // neither accepted nor rejected: an officer looks
	Different
	TooGood // nearer than a second photograph can be
)

// Match is what comparing the faces of a transaction gave so far.
type Match struct {
	Similarity Similarity
	Liveness   Liveness
	Score      float64
	Threshold  float64
	Frames     int
	Model      string
	// LivenessVersion says what the liveness verdict rests on: network, rule
	// and the camera's calibration.
	LivenessVersion string
}

// PassRule is what a type of pass needs.
type PassRule struct {
	// Level is the lowest account level that opens the gate by itself.
	Level int
	// StampEvery is how long a verification stamp lasts, counted from the stamp
	// or, where none is known, from the first day of validity; zero: a pass of
	// this type needs none.
	StampEvery time.Duration
	// StampSoon is how long before its end the traveller is told.
	StampSoon time.Duration
}

// Notice is something the traveller is told although he is admitted. It is no
// reason: it changes no decision.
type Notice string

// The notices.
const (
	NoticeStampSoon Notice = "stamp_soon" // his pass needs a new verification stamp soon
)

// Policy is what rules the decisions of a lane. The zero Policy admits nobody.
type Policy struct {
	// Version is that of headquarters' policy, 0 where it has sent none.
	Version uint64
	// Lost says that headquarters has sent one and it is not here: nobody is
	// admitted by the one before it.
	Lost bool
	// NoModels says that the models here may not be worked with.
	NoModels  bool
	Crossing  string
	Direction Direction
	// PassTypes lists the accepted types of pass.
	PassTypes map[string]PassRule
	// Passback is how long after a passage the same pass is not good for
	// another one in the same direction; zero: not at all.
	Passback time.Duration
	// CacheMaxAge is how old the newest signed statement of the accounts may
	// be, 72 h in the rules of the border.
	CacheMaxAge time.Duration
	// KindMaxAge is the same for one kind of account; it counts where it is
	// the shorter. A kind that is not named has CacheMaxAge alone.
	KindMaxAge map[AccountKind]time.Duration
	// ClockMargin is how far beyond the floor a date must lie to be judged by
	// plausible time.
	ClockMargin time.Duration
	// ObserveLiveness records the liveness verdict without acting on it. It
	// is for simulated lanes only, where a live face is itself a re-capture.
	ObserveLiveness bool
}

// Times are the limits of the lane's states and waits.
type Times struct {
	SelfTest time.Duration // devices to report after the start
	Reading  time.Duration // presence to a verified pass
	Matching time.Duration // verified pass to a decided match
	// Confirming is how long a traveller in supervised mode waits for an officer.
	Confirming time.Duration
	Deciding   time.Duration // decision to its durable record
	Granted    time.Duration // grant to the start of the passage
	Passing    time.Duration // start of the passage to its end
	Clearing   time.Duration // end of the passage to an empty lane
	Referred   time.Duration // referral to the next traveller
	CatchUp    time.Duration // a decision waits so long for missed suspensions
	GrantLife  time.Duration // how long a grant may be on its way to the turnstile
}

// DefaultTimes are the limits of a pedestrian turnstile lane.
func DefaultTimes() Times {
	return Times{
		SelfTest:   10 * time.Second,
		Confirming: 30 * time.Second,
		Reading:    15 * time.Second,
		Matching:   6 * time.Second,
		Deciding:   2 * time.Second,
		Granted:    9 * time.Second,
		Passing:    10 * time.Second,
		Clearing:   20 * time.Second,
		Referred:   10 * time.Second,
		CatchUp:    2 * time.Second, GrantLife: 2 * time.Second,
	}
}
