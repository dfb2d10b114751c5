package gate

import (
	"slices"
	"time"

	"bordergate/gate/reason"
)

// Evidence is everything a decision rests on, at one moment.
type Evidence struct {
	Now   time.Time
	Clock ClockTrust
	// Floor is the newest signed time; wall time before it is wrong.
	Floor time.Time

	Mode        Mode
	Emergency   Level
	Obstruction Level
	Turnstile   bool // online, inert and without a grant of its own
	Journal     bool // takes records
	CatchingUp  bool // missed suspensions may not be applied yet

	DocumentCamera bool // the document camera's worker is up
	Scanner        bool // a serial scanner is there and up
	Shown          bool // something lay before either
	Read           bool // a symbol was read at all
	Claim          Claim
	Pass           PassState // looked up for the claim's pass number
	Account        Account   // looked up for the claim's account
	Organisation   Account   // looked up for the organisation acted for, if any
	// Watched says that the pass, its holder or an account of the claim is on
	// the watch-list; WatchLost that nobody can say.
	Watched, WatchLost bool

	FaceCamera bool // the face camera's worker is up
	Faces      FaceCount
	Match      Match
	// Others is how often another person came in between, so that what was
	// gathered was dropped.
	Others int
	// Broken says why the one before the camera is not, or may not be, the one
	// who matched; zero while he is.
	Broken reason.Reason
}

// othersLimit is how often another person may come in between before an
// officer looks. Once happens: a companion steps aside.
const othersLimit = 2

// FaceCount sums up the analysed frames of a transaction.
type FaceCount struct {
	Frames int `json:"frames"`
	None   int `json:"none"`
	Many   int `json:"many"`
	Poor   int `json:"poor"`
	Usable int `json:"usable"` // their share of the frames with a face is the capture rate
}

// Verdict is a decision with every reason for it, sorted.
type Verdict struct {
	Outcome reason.Outcome // Admitted, Referred or Refused
	Reasons []reason.Reason
	Notices []Notice // only with Admitted
}

// Admit reports whether the verdict opens the gate.
func (v Verdict) Admit() bool { return v.Outcome == reason.Admitted }

// Decide is the one decision of the lane: pure, over all reasons at once. What
// is unknown denies.
func Decide(e Evidence, p Policy) Verdict {
	var set []reason.Reason
	add := func(when bool, r reason.Reason) {
		if when {
			set = reason.Add(set, r)
		}
	}
	add(!e.Mode.serves() || e.Mode == ModeDryRun, reason.ModeClosed)
	add(e.Mode == ModeBiometricsSuspended, reason.ModeSuspendedBiometrics)
	add(e.Emergency != Off, reason.ModeEmergency)
	add(e.Obstruction != Off, reason.Obstruction)
	add(!e.Turnstile, reason.DeviceFault)
	add(!e.Journal, reason.JournalFault)
	add(e.CatchingUp, reason.ModeCatchingUp)
	add(p.Lost, reason.CacheStale)
	switch {
	case !e.Read:
		add(true, noPass(e))
	case e.Claim.Fault != 0:
		// Nothing an unverified seal says is believed, so nothing is looked
		// up for it and no face is compared.
		add(true, e.Claim.Fault)
	default:
		decidePass(e, p, add)
		decideStamp(e, p, add)
		decideMovement(e, p, add)
		decideOrganisation(e, add)
		decideAccount(e, p, add)
		decideWatch(e, add)
		if e.Mode != ModeBiometricsSuspended {
			decideFace(e, p, add)
		}
	}
	v := Verdict{Outcome: outcome(set, e.Match.Similarity), Reasons: set}
	if v.Admit() && stampLeft(e, p) < p.PassTypes[e.Claim.Pass.Type].StampSoon {
		v.Notices = append(v.Notices, NoticeStampSoon)
	}
	return v
}

// noPass names why there is nothing to judge. Nobody is said to have shown an
// unreadable pass who showed none: that is a capture that ran out of time.
func noPass(e Evidence) reason.Reason {
	switch {
	case !e.DocumentCamera && !e.Scanner:
		return reason.DeviceFault
	case e.Shown:
		return reason.PassUnreadable
	default:
		return reason.CaptureTimeout
	}
}

// outcome is what the reasons lead to. A face between the thresholds is a
// mismatch for the gate and a question for an officer, not a refusal.
func outcome(set []reason.Reason, s Similarity) reason.Outcome {
	i, mismatch := slices.BinarySearch(set, reason.FaceMismatch)
	if !mismatch || s != Between {
		return reason.Of(set)
	}
	rest := slices.Delete(slices.Clone(set), i, i+1)
	if o := reason.Of(rest); o != reason.Admitted {
		return o
	}
	return reason.Referred
}

func decidePass(e Evidence, p Policy, add func(bool, reason.Reason)) {
	pass := e.Claim.Pass
	_, accepted := p.PassTypes[pass.Type]
	add(!accepted, reason.PassType)
	add(e.Pass.Revoked, reason.PassRevoked)
	add(e.Pass.Unusable, reason.CacheStale)
	add(!slices.Contains(pass.Crossings, p.Crossing), reason.PassCrossing)
	add(p.Direction == DirectionNone || !slices.Contains(pass.Directions, p.Direction), reason.PassDirection)
	switch e.Clock {
	case ClockSynced, ClockHeldOver:
		add(!e.Now.Before(pass.ValidTo), reason.PassExpired)
		add(e.Now.Before(pass.ValidFrom), reason.PassNotYetValid)
	case ClockPlausible:
		expired := !e.Floor.Before(pass.ValidTo)
		add(expired, reason.PassExpired)
		add(!expired && pass.ValidTo.Before(e.Floor.Add(p.ClockMargin)), reason.ClockUntrusted)
		add(e.Now.Before(pass.ValidFrom), reason.PassNotYetValid)
		// Only the floor is certain to lie in the past.
		add(!e.Now.Before(pass.ValidFrom) && pass.ValidFrom.After(e.Floor.Add(24*time.Hour)), reason.ClockUntrusted)
	default:
		add(true, reason.ClockUntrusted)
	}
}

// forever is more than any stamp has left.
const forever = 1<<63 - 1

// stampLeft is how long the newest verification stamp still lasts, negative
// when it is over. A stamp is a count of days and no proof of anything, so
// plausible time is good enough for it; bad time knows only that the floor has
// passed.
func stampLeft(e Evidence, p Policy) time.Duration {
	rule := p.PassTypes[e.Claim.Pass.Type]
	if rule.StampEvery <= 0 {
		return forever
	}
	now := e.Floor
	if e.Clock != ClockBad && e.Now.After(now) {
		now = e.Now
	}
	start := e.Pass.Stamped
	if start.IsZero() {
		start = e.Claim.Pass.ValidFrom
	}
	return start.Add(rule.StampEvery).Sub(now)
}

func decideStamp(e Evidence, p Policy, add func(bool, reason.Reason)) {
	add(stampLeft(e, p) < 0, reason.PassStampDue)
}

// decideMovement holds the pass to its last movement: entry follows exit and
// exit follows entry. The same way again within minutes is a pass handed back
// over the barrier, whatever else is known; later it is a broken sequence only
// if nothing can have happened in between unseen.
func decideMovement(e Evidence, p Policy, add func(bool, reason.Reason)) {
	last := e.Pass.Last
	if !last.Known || last.Direction != p.Direction {
		return
	}
	switch {
	case last.Ago.Abs() < p.Passback:
		add(true, reason.Passback)
	case last.Complete:
		add(true, reason.MovementSequence)
	default:
		add(true, reason.MovementUnchecked)
	}
}

// decideOrganisation holds a person acting for an organisation to both
// accounts: his own must be one of that organisation, or be the organisation's
// itself, and the organisation's must be an active one. What is not known so
// is an account that the cache does not have.
func decideOrganisation(e Evidence, add func(bool, reason.Reason)) {
	id := e.Claim.Pass.Organisation
	if id == "" {
		return
	}
	own := e.Claim.Pass.Account == id
	add(!own && e.Account.Organisation != id, reason.AccountUnknown)
	add(e.Organisation.Kind != KindOrganisation, reason.AccountUnknown)
	switch e.Organisation.Status {
	case AccountActive:
	case AccountSuspended:
		add(true, reason.AccountSuspended)
	case AccountCancelled:
		add(true, reason.AccountCancelled)
	default:
		add(true, reason.AccountUnknown)
	}
}

func decideAccount(e Evidence, p Policy, add func(bool, reason.Reason)) {
	a := e.Account
	age := e.Now.Sub(a.Issued)
	// A head from the future is as little worth as an old one, but for the
	// minute that two clocks may differ.
	add(a.Unusable || a.Issued.IsZero() || age > maxAge(e, p) || age < -time.Minute, reason.CacheStale)
	switch a.Status {
	case AccountActive:
		rule, accepted := p.PassTypes[e.Claim.Pass.Type]
		add(accepted && a.Level < rule.Level, reason.AccountLevel)
	case AccountSuspended:
		add(true, reason.AccountSuspended)
	case AccountCancelled:
		add(true, reason.AccountCancelled)
	default:
		add(true, reason.AccountUnknown)
	}
}

// maxAge is how old the cache may be for those whom this decision is about.
func maxAge(e Evidence, p Policy) time.Duration {
	limit := p.CacheMaxAge
	kinds := []AccountKind{e.Account.Kind}
	if e.Claim.Pass.Organisation != "" {
		kinds = append(kinds, KindOrganisation)
	}
	for _, k := range kinds {
		if own, named := p.KindMaxAge[k]; named {
			limit = min(limit, own)
		}
	}
	return limit
}

// decideWatch has an officer meet whoever is on the watch-list. A list that
// cannot be asked is a cache that cannot be relied on.
func decideWatch(e Evidence, add func(bool, reason.Reason)) {
	add(e.Watched, reason.Watchlist)
	add(e.WatchLost, reason.CacheStale)
}

func decideFace(e Evidence, p Policy, add func(bool, reason.Reason)) {
	if p.NoModels {
		add(true, reason.BiometricsUnavailable)
		return
	}
	if len(e.Account.Reference) == 0 {
		// Without a reference there is nothing to compare; an account that is
		// known but has none cannot be served by a machine.
		add(e.Account.Status != AccountUnknown, reason.BiometricsUnavailable)
		return
	}
	if e.Others >= othersLimit {
		// What is left of one of them says nothing of the holder.
		add(true, reason.FaceMany)
		return
	}
	add(e.Broken != 0, e.Broken)
	switch e.Match.Similarity {
	case Same:
	case Different, Between:
		add(true, reason.FaceMismatch)
	case TooGood:
		// Where it is known to be an attack, that is said below.
		add(p.ObserveLiveness || e.Match.Liveness != LiveAttack, reason.LivenessUndecided)
	default:
		add(true, noMatch(e))
		return
	}
	if p.ObserveLiveness {
		return
	}
	switch e.Match.Liveness {
	case LiveYes:
	case LiveAttack:
		add(true, reason.LivenessAttack)
	default:
		add(true, reason.LivenessUndecided)
	}
}

// noMatch names why no comparison came about.
func noMatch(e Evidence) reason.Reason {
	f := e.Faces
	switch {
	case !e.FaceCamera:
		return reason.BiometricsUnavailable
	case f.Frames == 0:
		return reason.CaptureTimeout
	case f.Many > f.Frames/2:
		return reason.FaceMany
	case f.None > f.Frames/2:
		return reason.FaceNone
	case f.Usable > 0 && e.Match.Frames == 0:
		// Good faces and nothing compared: the reference is of another model,
		// or is damaged.
		return reason.BiometricsUnavailable
	default:
		return reason.FaceQuality
	}
}
