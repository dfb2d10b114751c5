package app

import (
	"errors"
	"fmt"

	"bordergate/biometrics"
	"bordergate/biometrics/recogniser"
	"bordergate/configs"
	"bordergate/gate"
)

// Frames of a probe. Three fused frames halve the false rejects of one; an
// impostor is told from a poor view of the holder by seeing more.
const (
	minFrames    = 3
	rejectFrames = 6
)

// matcher compares a transaction's faces with a reference. It keeps nothing
// between calls: a probe lives as long as its transaction.
type matcher struct {
	model *biometrics.Recogniser
	fmr   float64
	live  biometrics.LivenessRule
	net   string // the liveness network
}

// newMatcher takes the recogniser of the manifest with its operating points;
// the station names a false match rate, never a score.
func newMatcher(m *configs.Models, use configs.ModelUse) (matcher, error) {
	model, err := recogniser.Open(m, use.Dir)
	if err != nil {
		return matcher{}, fmt.Errorf("use models.manifest: %w", err)
	}
	if _, ok := model.Limits.At(use.FMR, minFrames); !ok {
		return matcher{}, fmt.Errorf("models.fmr %g has no threshold in models.manifest", use.FMR)
	}
	net, ok := m.ByUse(configs.UseLiveness)
	if !ok {
		return matcher{}, errors.New("models.manifest names no liveness network")
	}
	return matcher{model: model, fmr: use.FMR, live: biometrics.DefaultLivenessRule(), net: biometrics.ModelID(net.Name, net.SHA256)}, nil
}

// id is the recogniser's, empty where there is none.
func (m matcher) id() string {
	if m.model == nil {
		return ""
	}
	return m.model.ID
}

// reject is the score that tells two persons apart.
func (m matcher) reject() float64 {
	if m.model == nil {
		return 0
	}
	return m.model.Limits.Reject
}

// Match implements gate.Matcher.
func (m matcher) Match(faces []gate.Face, model string, reference []byte, final bool) gate.Match {
	if m.model == nil {
		return gate.Match{}
	}
	out := gate.Match{Model: m.model.ID, LivenessVersion: m.live.Version(m.net)}
	ref, err := m.model.Parse(reference)
	if err != nil || model != m.model.ID {
		// A reference of another model cannot be compared with this one's
		// embeddings.
		return out
	}
	probe, live := m.gather(faces)
	defer probe.Reset()
	out.Frames = probe.N()
	out.Liveness = m.liveness(live, final)
	if out.Frames == 0 {
		return out
	}
	out.Score = probe.Score(ref)
	out.Threshold, _ = m.model.Limits.At(m.fmr, out.Frames)
	out.Similarity = m.similarity(out.Score, out.Frames, len(faces), final)
	return out
}

func (m matcher) gather(faces []gate.Face) (*biometrics.Fusion, *biometrics.LivenessSession) {
	probe := m.model.NewFusion()
	var live biometrics.LivenessSession
	for _, f := range faces {
		// A frame that is weak or of another person takes no part; what is
		// left must still be enough. It says nothing of liveness either: that
		// one face is alive does not make another so.
		if probe.Add(biometrics.Embedding(f.Embedding), float64(f.Norm)) == nil && f.LiveDone {
			live.Add(biometrics.LivenessScore(f.Live))
		}
	}
	return probe, &live
}

func (m matcher) liveness(s *biometrics.LivenessSession, final bool) gate.Liveness {
	switch s.Verdict(m.live, final) {
	case biometrics.LivenessLive:
		return gate.LiveYes
	case biometrics.LivenessAttack:
		return gate.LiveAttack
	default:
		return gate.LiveUndecided
	}
}

// similarity says yes as soon as enough frames agree, and no only when more
// frames did not help.
func (m matcher) similarity(score float64, fused, seen int, final bool) gate.Similarity {
	if fused < minFrames && !final {
		return gate.Undecided
	}
	switch m.model.Limits.Judge(score, m.fmr, fused) {
	case biometrics.MatchAccept:
		return gate.Same
	case biometrics.MatchTooGood:
		return gate.TooGood
	case biometrics.MatchReject:
		if final || seen >= rejectFrames {
			return gate.Different
		}
	case biometrics.MatchBetween:
		if final {
			return gate.Between
		}
	}
	return gate.Undecided
}
