package biometrics

import "errors"

// MaxPortraits bounds the photographs of one enrolment.
const MaxPortraits = 16

// ErrPortrait is returned for photographs of which one at least cannot become part of a reference.
var ErrPortrait = errors.New("biometrics: photograph refused")

// Portrait is a photograph offered for enrolment, analysed. Without a face it has no embedding.
type Portrait struct {
	Quality Quality
	Raw     Embedding
}

// Refusal says why a photograph was refused, or that it was not.
type Refusal string

// The refusals beside those that are hints.
const (
	RefusedNot   Refusal = ""
	RefusedNone  Refusal = "no_face"
	RefusedOther Refusal = "other_person"
	RefusedMany  Refusal = "too_many"
)

// Advice says what to do for a photograph that is accepted.
func (r Refusal) Advice() string {
	switch r {
	case RefusedNot:
		return "accepted"
	case RefusedNone:
		return "no face is found: give a photograph of one face from the front"
	case RefusedOther:
		return "it shows another person than the first photograph, or is too poor to tell: give photographs of one person"
	case RefusedMany:
		return "too many photographs for one person: give at most 16"
	}
	switch Hint(r) {
	case HintLookHere:
		return "the face is turned or hard to see: take it from the front, eyes to the camera"
	case HintOnePerson:
		return "a second face is in it: take or cut it with one person only"
	case HintCloser:
		return "the face is too small: the eyes must be 40 pixels apart or more"
	case HintTooDark:
		return "it is too dark: light the face from the front"
	case HintTooBright:
		return "it is too bright: take away direct light or flash"
	case HintUpright:
		return "the head is tilted: hold it upright"
	case HintHoldStill:
		return "it is blurred: focus, hold still, use the original and not a copy"
	default:
		return "the face is covered or not clear: take off mask, glasses or cap, and use even light"
	}
}

// EnrolPortraits makes a reference from all photographs of one person, or from none: a photograph that fails the gate of quality, or
// shows another person than the first, is named in the refusals (one for each photograph, in their order) and the error is ErrPortrait.
func (r *Recogniser) EnrolPortraits(list ...Portrait) (Reference, []Refusal, error) {
	refusals := make([]Refusal, len(list))
	raws := make([]Embedding, len(list))
	good := len(list) > 0
	for i, p := range list {
		raws[i] = p.Raw
		refusals[i] = r.refuse(i, list)
		good = good && refusals[i] == RefusedNot
	}
	if !good {
		return nil, refusals, ErrPortrait
	}
	ref, err := r.Enrol(raws...)
	return ref, refusals, err
}

func (r *Recogniser) refuse(i int, list []Portrait) Refusal {
	p := list[i]
	if i >= MaxPortraits {
		return RefusedMany
	}
	if p.Quality.Faces < 1 || r.Check(p.Raw) != nil {
		return RefusedNone
	}
	if ok, hint := r.EnrolRules().Judge(p.Quality); !ok {
		return Refusal(hint)
	}
	// An error is another length or no length: not to be compared, so not his.
	if c, err := Cosine(p.Raw, list[0].Raw); err != nil || c < r.Limits.Reject {
		return RefusedOther
	}
	return RefusedNot
}
