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

	Read    bool // a symbol was read at all
	Claim   Claim
	Account Account // looked up for Claim's account

	FaceCamera bool // the face camera's worker is up
	Faces      FaceCount
	Match      Match
}

// FaceCount sums up the analysed frames of a transaction.
type FaceCount struct {
	Frames, None, Many, Poor, Usable int
}

// Verdict is a decision with every reason for it, sorted.
type Verdict struct {
	Outcome reason.Outcome // Admitted, Referred or Refused
	Reasons []reason.Reason
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
	add(e.Mode != ModeNormal, reason.ModeClosed)
	add(e.Emergency != Off, reason.ModeEmergency)
	add(e.Obstruction != Off, reason.Obstruction)
	add(!e.Turnstile, reason.DeviceFault)
	add(!e.Journal, reason.JournalFault)
	add(e.CatchingUp, reason.ModeCatchingUp)
	switch {
	case !e.Read:
		add(true, reason.PassUnreadable)
	case e.Claim.Fault != 0:
		// Nothing an unverified seal says is believed, so nothing is looked
		// up for it and no face is compared.
		add(true, e.Claim.Fault)
	default:
		decidePass(e, p, add)
		decideAccount(e, p, add)
		decideFace(e, p, add)
	}
	return Verdict{Outcome: outcome(set, e.Match.Similarity), Reasons: set}
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

func decideAccount(e Evidence, p Policy, add func(bool, reason.Reason)) {
	a := e.Account
	age := e.Now.Sub(a.Issued)
	// A head from the future is as little worth as an old one, but for the
	// minute that two clocks may differ.
	add(a.Unusable || a.Issued.IsZero() || age > p.CacheMaxAge || age < -time.Minute, reason.CacheStale)
	switch a.Status {
	case AccountActive:
		need, accepted := p.PassTypes[e.Claim.Pass.Type]
		add(accepted && a.Level < need, reason.AccountLevel)
	case AccountSuspended:
		add(true, reason.AccountSuspended)
	case AccountCancelled:
		add(true, reason.AccountCancelled)
	default:
		add(true, reason.AccountUnknown)
	}
}

func decideFace(e Evidence, p Policy, add func(bool, reason.Reason)) {
	if len(e.Account.Reference) == 0 {
		// Without a reference there is nothing to compare; an account that is
		// known but has none cannot be served by a machine.
		add(e.Account.Status != AccountUnknown, reason.BiometricsUnavailable)
		return
	}
	switch e.Match.Similarity {
	case Same:
	case Different, Between:
		add(true, reason.FaceMismatch)
	case TooGood:
		add(true, reason.LivenessUndecided)
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
