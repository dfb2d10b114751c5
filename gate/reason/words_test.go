package reason

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestReasonWordsAreThoseOfTheDocument: one text, two places.
func TestReasonWordsAreThoseOfTheDocument(t *testing.T) {
	b, err := os.ReadFile("../../docs/reasons.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (?:mark|refer|refuse) \\| (.*) \\|$").FindAllStringSubmatch(string(b), -1) {
		doc[m[1]] = strings.ReplaceAll(m[2], "`", "")
	}
	for _, r := range Reasons() {
		if w := r.Words(); w == "" || w != doc[r.String()] {
			t.Errorf("%s: %q, the document says %q", r, w, doc[r.String()])
		}
	}
}
