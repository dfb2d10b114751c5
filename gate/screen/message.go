package screen

import (
	"slices"
	"time"

	"bordergate/gate"
)

// Message is what the page is told: what to show, in words and pictures that
// are ready to be shown. It holds nothing of who is there.
type Message struct {
	Seq   uint64 `json:"seq"`
	Lang  string `json:"lang"` // a name of Languages
	Step  Step   `json:"step"` // also the name of its picture
	Tone  Tone   `json:"tone"`
	Title string `json:"title"`
	Body  string `json:"body"`
	// Hint is shown with the picture of its name, once HintAfter has passed.
	Hint        string   `json:"hint,omitempty"`
	HintPicture string   `json:"hint_picture,omitempty"`
	HintAfter   int64    `json:"hint_after_ms,omitempty"`
	Notices     []string `json:"notices,omitempty"`
	Place       int      `json:"place"`
	Mirror      bool     `json:"mirror"`
	// Left and Total are how long the step lasts yet and in all; absent where no
	// time is shown.
	Left  int64 `json:"left_ms,omitempty"`
	Total int64 `json:"total_ms,omitempty"`
}

// flatAfter is how long a pass may lie under the reader before the traveller is
// told to hold it flat.
const flatAfter = 1500 * time.Millisecond

// scene is what is to be shown, in no language yet.
type scene struct {
	state   gate.State
	look    look
	since   int64
	hint    string
	after   time.Duration
	word    Word
	notices []gate.Notice
}

// director turns the lane's views into scenes. It keeps, of a transaction that
// has just ended, only what its end still shows.
type director struct {
	looks map[gate.State]look
	flat  time.Duration
	word  Word
	told  []gate.Notice
}

func newDirector() *director { return &director{looks: looks(), flat: flatAfter, word: WordOfficer} }

// take gives the scene of a view; ok is false where nothing changes: the view
// that ends a transaction is followed by the state that it leads to.
func (d *director) take(v gate.View) (s scene, ok bool) {
	if v.Finished {
		d.word, d.told = word(v.Reasons), v.Notices
		return scene{}, false
	}
	l, known := d.looks[v.State]
	if !known {
		l = look{step: StepOfficer, tone: ToneOfficer}
	}
	s = scene{state: v.State, look: l, since: v.Since}
	s.hint, s.after = d.hint(v)
	switch {
	case v.State == gate.Granted || v.State == gate.Passing:
		s.notices = v.Notices
	case v.State == gate.Clearing:
		s.notices = d.told
	case l.step == StepOfficer:
		s.word = d.word
	}
	if v.State != gate.ReferredAway && v.State != gate.Clearing {
		d.word, d.told = WordOfficer, nil // the next one's, or nobody's
	}
	return s, true
}

// hint is the one hint of a view: about the pass while that is asked for, about
// the face while he looks into the mirror. A word that is not known is not shown.
func (d *director) hint(v gate.View) (string, time.Duration) {
	switch {
	case v.State == gate.Reading && v.Document == gate.DocumentForeign:
		return hintOther, 0
	case v.State == gate.Reading && v.Document == gate.DocumentShown:
		return hintFlat, d.flat
	case v.State == gate.Matching && slices.Contains(Hints(), v.Hint):
		return v.Hint, 0
	default:
		return "", 0
	}
}

// same reports whether two scenes look the same.
func (s scene) same(o scene) bool {
	return s.state == o.state && s.since == o.since && s.hint == o.hint && s.word == o.word && slices.Equal(s.notices, o.notices)
}

// message puts a scene into words.
func (s scene) message(lang string, t Text, limits map[gate.State]time.Duration, now int64) Message {
	line := t.Steps[s.look.step]
	m := Message{
		Lang: lang, Step: s.look.step, Tone: s.look.tone, Title: line.Title, Body: line.Body,
		Place: s.look.place, Mirror: s.look.mirror,
	}
	if s.hint != "" {
		m.Hint, m.HintPicture, m.HintAfter = t.Hints[s.hint], s.hint, s.after.Milliseconds()
	}
	if s.word != "" {
		m.Body = t.Words[s.word]
	}
	for _, n := range s.notices {
		if text := t.Notices[n]; text != "" {
			m.Notices = append(m.Notices, text)
		}
	}
	if limit := limits[s.state]; s.look.time && limit > 0 {
		m.Total = limit.Milliseconds()
		m.Left = min(max(1, (s.since+limit.Nanoseconds()-now)/int64(time.Millisecond)), m.Total)
	}
	return m
}
