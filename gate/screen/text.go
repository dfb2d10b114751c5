package screen

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"slices"

	"bordergate/gate"
)

// Text is all that the screen says in one language. The files in texts have
// exactly these keys.
type Text struct {
	Lang    string                 `json:"lang"` // BCP 47, the page's lang attribute
	Name    string                 `json:"name"` // of the language, in itself
	Choose  string                 `json:"choose"`
	Mirror  string                 `json:"mirror"` // what the picture of the camera is, for readers that speak
	Way     []string               `json:"way"`    // the three places of the way
	Steps   map[Step]Line          `json:"steps"`
	Words   map[Word]string        `json:"words"`
	Hints   map[string]string      `json:"hints"`
	Notices map[gate.Notice]string `json:"notices"`
	Away    Line                   `json:"away"` // the page has no connection to the gate
}

// Line is the large words of a step and the smaller ones below.
type Line struct {
	Title string `json:"title"`
	Body  string `json:"body"`
}

// Languages lists the languages, by the names that a configuration uses.
func Languages() []string { return []string{"vi", "en", "zh", "lo", "km"} }

//go:embed texts/*.json
var textFiles embed.FS

// loadText reads one language strictly.
func loadText(lang string) (Text, error) {
	var t Text
	if !slices.Contains(Languages(), lang) {
		return t, fmt.Errorf("load screen texts: no language %q", lang)
	}
	b, err := textFiles.ReadFile("texts/" + lang + ".json")
	if err != nil {
		return t, fmt.Errorf("load screen texts: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return t, fmt.Errorf("load screen texts %s: %w", lang, err)
	}
	return t, nil
}
