package pad

import (
	"bordergate/biometrics"
)

// Result is what came of one stream.
type Result struct {
	Stream  Stream
	Session biometrics.LivenessSession
	Verdict biometrics.Liveness
	// Frames were analysed, Rejected of them by the quality gate, for the
	// reasons in Hints.
	Frames, Rejected int
	Hints            map[biometrics.Hint]int
}

// try judges a stream frame by frame as the gate does, until it is decided or
// at its end.
func try(s Stream, model *biometrics.Recogniser, rule biometrics.LivenessRule, look func(i int) (seen, error)) (Result, error) {
	j := judge{res: Result{Stream: s, Verdict: biometrics.LivenessUndecided, Hints: map[biometrics.Hint]int{}}, rule: rule, model: model, probe: model.NewFusion()}
	for i := range s.Frames {
		x, err := look(i)
		if err != nil {
			return Result{}, err
		}
		if j.take(x) {
			break
		}
	}
	j.probe.Reset()
	j.res.Verdict = j.res.Session.Verdict(rule, true)
	return j.res, nil
}

// judge gathers one stream's frames as the gate's matcher does.
type judge struct {
	res   Result
	rule  biometrics.LivenessRule
	model *biometrics.Recogniser
	probe *biometrics.Fusion
}

// take reports whether the stream is decided.
func (j *judge) take(x seen) bool {
	j.res.Frames++
	if usable, hint := j.model.ProbeRules().Judge(x.quality); !usable {
		j.res.Rejected++
		j.res.Hints[hint]++
		return false
	}
	if j.probe.Add(x.raw, x.quality.Norm) == nil {
		j.res.Session.Add(x.score)
	}
	return j.res.Session.Verdict(j.rule, false) != biometrics.LivenessUndecided
}
