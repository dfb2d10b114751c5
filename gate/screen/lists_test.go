package screen

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bordergate/gate"
	"bordergate/gate/reason"
)

func texts(t *testing.T) map[string]Text {
	t.Helper()
	all := map[string]Text{}
	for _, lang := range Languages() {
		text, err := loadText(lang)
		if err != nil {
			t.Fatal(err)
		}
		all[lang] = text
	}
	return all
}

// keys are the names of a map of any kind of string.
func keys[K ~string, V any](m map[K]V) []string {
	var out []string
	for k := range m {
		out = append(out, string(k))
	}
	slices.Sort(out)
	return out
}

func names[S ~string](list []S) []string {
	var out []string
	for _, v := range list {
		out = append(out, string(v))
	}
	slices.Sort(out)
	return out
}

// TestEveryLanguageSaysEverything walks the lists of steps, words, hints and
// notices: each has its text in each language, and no language has another.
func TestEveryLanguageSaysEverything(t *testing.T) {
	for lang, text := range texts(t) {
		for what, pair := range map[string][2][]string{
			"steps": {keys(text.Steps), names(Steps())}, "words": {keys(text.Words), names(Words())},
			"hints": {keys(text.Hints), names(Hints())}, "notices": {keys(text.Notices), names(Notices())},
		} {
			if !slices.Equal(pair[0], pair[1]) {
				t.Errorf("%s: %s are %v, want %v", lang, what, pair[0], pair[1])
			}
		}
		b, _ := json.Marshal(text)
		if strings.Contains(string(b), `""`) || len(text.Way) != 3 || text.Lang == "" {
			t.Errorf("%s: something is empty: %s", lang, b)
		}
		if text.Steps[StepOfficer].Body != text.Words[WordOfficer] {
			t.Errorf("%s: the officer's step has two sentences", lang)
		}
	}
}

// TestEveryStateAndReasonIsShown walks the lists of the domain.
func TestEveryStateAndReasonIsShown(t *testing.T) {
	for _, s := range gate.States() {
		if l, ok := looks()[s]; !ok || !slices.Contains(Steps(), l.step) || l.tone == "" {
			t.Errorf("state %v is not shown: give it a row in looks", s)
		}
	}
	if n := len(looks()); n != len(gate.States()) {
		t.Errorf("%d looks for %d states", n, len(gate.States()))
	}
	for _, r := range reason.Reasons() {
		if w, ok := words()[r]; !ok || !slices.Contains(Words(), w) {
			t.Errorf("reason %v has no word for the traveller: give it one in words", r)
		}
	}
	if n := len(words()); n != len(reason.Reasons()) {
		t.Errorf("%d words for %d reasons", n, len(reason.Reasons()))
	}
}

// shownFor is what the page is told of a traveller who was sent to the officer.
func shownFor(t *testing.T, o reason.Outcome, set ...reason.Reason) Message {
	t.Helper()
	d := newDirector()
	d.take(gate.View{State: gate.Deciding, Finished: true, Outcome: o, Reasons: set, Tx: gate.TxID{1}})
	s, ok := d.take(gate.View{State: gate.ReferredAway})
	if !ok {
		t.Fatal("the referral is not shown")
	}
	return s.message("en", texts(t)["en"], nil, 0)
}

// TestHiddenReasonsLookLikeOthers: nothing tells a hit of the watch-list or the
// random check from what is often so, whatever else is there.
func TestHiddenReasonsLookLikeOthers(t *testing.T) {
	plain := shownFor(t, reason.Referred, reason.AccountLevel)
	if plain.Step != StepOfficer || plain.Tone != ToneOfficer {
		t.Fatalf("a referral is shown as %+v", plain)
	}
	for _, r := range reason.Reasons() {
		if !r.Hidden() {
			with, alone := shownFor(t, reason.Referred, r, reason.Watchlist), shownFor(t, reason.Of([]reason.Reason{r}), r)
			if !reflect.DeepEqual(with, alone) {
				t.Errorf("%v looks otherwise with a hidden reason:\n%+v\n%+v", r, with, alone)
			}
			continue
		}
		if got := shownFor(t, reason.Referred, r); !reflect.DeepEqual(got, plain) {
			t.Errorf("%v looks like\n%+v, others like\n%+v", r, got, plain)
		}
	}
	for _, text := range texts(t) {
		b, _ := json.Marshal(text)
		for _, never := range []string{"watch", "random", "list", "check you"} {
			if strings.Contains(strings.ToLower(string(b)), never) {
				t.Errorf("%s says %q", text.Lang, never)
			}
		}
	}
}

// TestTheVerdictShowsOnlyWithTheGate: while its record is on its way to the
// disk, admission and refusal look the same, and no outcome is red.
func TestTheVerdictShowsOnlyWithTheGate(t *testing.T) {
	var all []Message
	for _, o := range reason.Outcomes() {
		s, _ := newDirector().take(gate.View{
			State: gate.Deciding, Outcome: o, Reasons: []reason.Reason{reason.FaceMismatch}, Notices: Notices(), Hint: "closer", Tx: gate.TxID{1},
		})
		all = append(all, s.message("en", texts(t)["en"], nil, 0))
	}
	for _, m := range all {
		if !reflect.DeepEqual(m, all[0]) {
			t.Errorf("%+v and %+v", m, all[0])
		}
	}
	for _, r := range reason.Reasons() {
		if got := shownFor(t, reason.Refused, r); got.Tone != ToneOfficer {
			t.Errorf("%v is shown in the tone %v", r, got.Tone)
		}
	}
}

// TestNothingOfTheLastTraveller: words and notices end with the traveller.
func TestNothingOfTheLastTraveller(t *testing.T) {
	d := newDirector()
	ended := gate.View{State: gate.Passing, Finished: true, Outcome: reason.Admitted, Notices: Notices(), Reasons: []reason.Reason{reason.PassStampDue}}
	d.take(ended)
	if s, _ := d.take(gate.View{State: gate.Clearing}); len(s.notices) != 1 {
		t.Error("the notice is not shown to who walks on")
	}
	for _, state := range []gate.State{gate.Ready, gate.Reading, gate.OutOfService} {
		d.take(ended)
		d.take(gate.View{State: state})
		for _, next := range []gate.State{gate.Clearing, gate.ReferredAway} {
			if s, _ := d.take(gate.View{State: next}); len(s.notices) != 0 || s.word == WordStamp {
				t.Errorf("after %v the next one in %v is told %v %v", state, next, s.notices, s.word)
			}
		}
	}
}

func TestOneHintAtATime(t *testing.T) {
	for _, c := range []struct {
		view gate.View
		want string
	}{
		{gate.View{State: gate.Reading, Hint: "closer"}, ""},
		{gate.View{State: gate.Reading, Hint: "closer", Document: gate.DocumentShown}, hintFlat},
		{gate.View{State: gate.Reading, Document: gate.DocumentForeign}, hintOther},
		{gate.View{State: gate.Matching, Hint: "closer", Document: gate.DocumentShown}, "closer"},
		{gate.View{State: gate.Matching, Hint: "<script>"}, ""},
		{gate.View{State: gate.Granted, Hint: "closer"}, ""},
		{gate.View{State: gate.Deciding, Hint: "closer"}, ""},
	} {
		if s, _ := newDirector().take(c.view); s.hint != c.want || (s.after == flatAfter) != (c.want == hintFlat) {
			t.Errorf("%v %q %v: hint %q, want %q", c.view.State, c.view.Hint, c.view.Document, s.hint, c.want)
		}
	}
}

// TestDocumentListsEverything holds docs/screen.md to this package.
func TestDocumentListsEverything(t *testing.T) {
	b, err := os.ReadFile("../../docs/screen.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	for s, l := range looks() {
		row := "| `" + s.String() + "` | `" + string(l.step) + "` | " + string(l.tone) + " |"
		if strings.Count(doc, row) != 1 {
			t.Errorf("docs/screen.md does not have exactly one row %q", row)
		}
	}
	for r, w := range words() {
		if cell := "`" + r.String() + "`"; !strings.Contains(rowOf(doc, string(w)), cell) {
			t.Errorf("docs/screen.md does not name %s in the row of the word %q", cell, w)
		}
	}
	for _, h := range Hints() {
		if !strings.Contains(doc, "\n| `"+h+"` | ") {
			t.Errorf("docs/screen.md does not name the hint %s", h)
		}
	}
	for _, n := range Notices() {
		if !strings.Contains(doc, "`"+string(n)+"`") {
			t.Errorf("docs/screen.md does not name the notice %s", n)
		}
	}
}

// rowOf is the line of the table of words that begins with the word.
func rowOf(doc, word string) string {
	_, rest, _ := strings.Cut(doc, "## Words")
	_, rest, _ = strings.Cut(rest, "\n| `"+word+"` |")
	row, _, _ := strings.Cut(rest, "\n")
	return row
}
