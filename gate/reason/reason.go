// Package reason is the one list of outcomes and reasons of a transaction.
//
// The decision, the journal, the messages to headquarters, the metric labels
// and the screen all use these values and no others; their text forms are a
// contract and never change. The zero value of both types is invalid, so that
// a forgotten field cannot read as an admission.
package reason

import (
	"fmt"
	"slices"
	"strings"
)

// Outcome says how a transaction ended.
type Outcome uint8

// The outcomes of a transaction.
const (
	Admitted    Outcome = iota + 1 // one person was let through by decision
	Referred                       // sent to an officer; never an accusation
	Refused                        // the gate refuses; the officer decides what follows
	Abandoned                      // the traveller left, or did not use the grant
	Failed                         // the machine could not do its work
	Overridden                     // an officer's signed act decided
	Interrupted                    // the machine stopped in the middle
	outcomeEnd
)

var outcomeText = [...]string{
	Admitted: "admitted", Referred: "referred", Refused: "refused", Abandoned: "abandoned",
	Failed: "failed", Overridden: "overridden", Interrupted: "interrupted",
}

// String is the outcome's contract text, or "invalid".
func (o Outcome) String() string {
	if o == 0 || o >= outcomeEnd {
		return "invalid"
	}
	return outcomeText[o]
}

// MarshalText is the outcome's contract text; an invalid outcome is an error.
func (o Outcome) MarshalText() ([]byte, error) {
	if o == 0 || o >= outcomeEnd {
		return nil, fmt.Errorf("marshal outcome %d: not an outcome", o)
	}
	return []byte(outcomeText[o]), nil
}

// UnmarshalText accepts exactly the contract texts.
func (o *Outcome) UnmarshalText(b []byte) error {
	for i := Admitted; i < outcomeEnd; i++ {
		if outcomeText[i] == string(b) {
			*o = i
			return nil
		}
	}
	return fmt.Errorf("parse outcome %.40q: not one of %s", b, strings.Join(outcomeText[1:], " "))
}

// Outcomes lists every outcome in order.
func Outcomes() []Outcome {
	return span(Admitted, outcomeEnd)
}

func span[T ~uint8](from, end T) []T {
	var out []T
	for v := from; v < end; v++ {
		out = append(out, v)
	}
	return out
}

// Effect says what a reason does to a decision.
type Effect uint8

// The effects of a reason, weakest first.
const (
	Mark   Effect = iota + 1 // noted in the record; does not stop the traveller
	Refer                    // an officer decides
	Refuse                   // the gate refuses
)

// Reason says why a transaction ended as it did.
type Reason uint8

// The reasons of an outcome.
const (
	PassUnreadable Reason = iota + 1
	PassFormat
	PassSignature
	PassSigner
	PassExpired
	PassNotYetValid
	PassRevoked
	PassType
	PassCrossing
	PassDirection
	PassStampDue
	MovementSequence
	MovementUnchecked
	Passback
	AccountUnknown
	AccountSuspended
	AccountCancelled
	AccountLevel
	Watchlist
	CacheStale
	ClockUntrusted
	FaceNone
	FaceMany
	FaceQuality
	FaceMismatch
	LivenessAttack
	LivenessUndecided
	BiometricsUnavailable
	CaptureTimeout
	PassageUnused
	Tailgating
	WrongWay
	Forced
	Obstruction
	DeviceFault
	JournalFault
	ModeClosed
	ModeEmergency
	ModeCatchingUp
	ModeSuspendedBiometrics
	OfficerDecision
	RandomCheck
	Interrupt
	reasonEnd
)

type entry struct {
	text   string
	effect Effect
	hidden bool // never shown to the traveller
	final  bool // no officer's override beats it
}

var list = [...]entry{
	PassUnreadable:          {text: "pass_unreadable", effect: Refer},
	PassFormat:              {text: "pass_format", effect: Refer},
	PassSignature:           {text: "pass_signature", effect: Refuse},
	PassSigner:              {text: "pass_signer", effect: Refer},
	PassExpired:             {text: "pass_expired", effect: Refuse},
	PassNotYetValid:         {text: "pass_not_yet_valid", effect: Refuse},
	PassRevoked:             {text: "pass_revoked", effect: Refuse},
	PassType:                {text: "pass_type", effect: Refer},
	PassCrossing:            {text: "pass_crossing", effect: Refuse},
	PassDirection:           {text: "pass_direction", effect: Refuse},
	PassStampDue:            {text: "pass_stamp_due", effect: Refer},
	MovementSequence:        {text: "movement_sequence", effect: Refer},
	MovementUnchecked:       {text: "movement_unchecked", effect: Mark},
	Passback:                {text: "passback", effect: Refer},
	AccountUnknown:          {text: "account_unknown", effect: Refer},
	AccountSuspended:        {text: "account_suspended", effect: Refuse},
	AccountCancelled:        {text: "account_cancelled", effect: Refuse},
	AccountLevel:            {text: "account_level", effect: Refer},
	Watchlist:               {text: "watchlist", effect: Refer, hidden: true},
	CacheStale:              {text: "cache_stale", effect: Refer},
	ClockUntrusted:          {text: "clock_untrusted", effect: Refer},
	FaceNone:                {text: "face_none", effect: Refer},
	FaceMany:                {text: "face_many", effect: Refer},
	FaceQuality:             {text: "face_quality", effect: Refer},
	FaceMismatch:            {text: "face_mismatch", effect: Refuse},
	LivenessAttack:          {text: "liveness_attack", effect: Refer},
	LivenessUndecided:       {text: "liveness_undecided", effect: Refer},
	BiometricsUnavailable:   {text: "biometrics_unavailable", effect: Refer},
	CaptureTimeout:          {text: "capture_timeout", effect: Refer},
	PassageUnused:           {text: "passage_unused", effect: Mark},
	Tailgating:              {text: "tailgating", effect: Mark},
	WrongWay:                {text: "wrong_way", effect: Mark},
	Forced:                  {text: "forced", effect: Mark},
	Obstruction:             {text: "obstruction", effect: Refer, final: true},
	DeviceFault:             {text: "device_fault", effect: Refer},
	JournalFault:            {text: "journal_fault", effect: Refer, final: true},
	ModeClosed:              {text: "mode_closed", effect: Refer},
	ModeEmergency:           {text: "mode_emergency", effect: Refer, final: true},
	ModeCatchingUp:          {text: "mode_catching_up", effect: Refer},
	ModeSuspendedBiometrics: {text: "mode_suspended_biometrics", effect: Refer},
	OfficerDecision:         {text: "officer_decision", effect: Mark},
	RandomCheck:             {text: "random_check", effect: Refer, hidden: true},
	Interrupt:               {text: "interrupted", effect: Mark},
}

func (r Reason) valid() bool { return r > 0 && r < reasonEnd }

// String is the reason's contract text, or "invalid".
func (r Reason) String() string {
	if !r.valid() {
		return "invalid"
	}
	return list[r].text
}

// MarshalText is the reason's contract text; an invalid reason is an error.
func (r Reason) MarshalText() ([]byte, error) {
	if !r.valid() {
		return nil, fmt.Errorf("marshal reason %d: not a reason", r)
	}
	return []byte(list[r].text), nil
}

// UnmarshalText accepts exactly the contract texts.
func (r *Reason) UnmarshalText(b []byte) error {
	for _, v := range Reasons() {
		if list[v].text == string(b) {
			*r = v
			return nil
		}
	}
	return fmt.Errorf("parse reason %.40q: not a reason of this version", b)
}

// Effect says what the reason does to a decision; an invalid reason refuses.
func (r Reason) Effect() Effect {
	if !r.valid() {
		return Refuse
	}
	return list[r].effect
}

// Hidden reports whether the reason must look to the traveller like any other
// referral.
func (r Reason) Hidden() bool { return !r.valid() || list[r].hidden }

// Final reports whether no officer's override beats the reason.
func (r Reason) Final() bool { return !r.valid() || list[r].final }

// Reasons lists every reason in order.
func Reasons() []Reason { return span(PassUnreadable, reasonEnd) }

// Of is what a set of reasons leads to: Admitted without any that stops
// the traveller, else Refused if one refuses, else Referred. A hidden reason
// always leads to a referral, so that an officer meets the person.
func Of(reasons []Reason) Outcome {
	worst := Mark
	for _, r := range reasons {
		if r.Hidden() {
			return Referred
		}
		worst = max(worst, r.Effect())
	}
	switch worst {
	case Mark:
		return Admitted
	case Refer:
		return Referred
	default:
		return Refused
	}
}

// Add puts r into the set, which stays sorted and without doubles.
func Add(set []Reason, r Reason) []Reason {
	i, found := slices.BinarySearch(set, r)
	if found {
		return set
	}
	return slices.Insert(set, i, r)
}
