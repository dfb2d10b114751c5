package configs

import (
	"fmt"
	"slices"
	"strings"
)

// Screen is the traveller's screen: a page for a browser at the lane.
type Screen struct {
	Listen      string   `yaml:"listen"`       // loopback host:port; empty: this gate has no screen
	Languages   []string `yaml:"languages"`    // the first is this crossing's, the others are there by touch
	OfficerSide string   `yaml:"officer_side"` // where the officer is, seen by the traveller: left or right
	Sound       bool     `yaml:"sound"`        // a short figure with each step
	// Start is the file with the browser's first address, which holds a token;
	// readable by the owner and the group of its folder.
	Start string `yaml:"start"`
}

// Present reports whether the gate has a screen.
func (s Screen) Present() bool { return s.Listen != "" }

func screenLanguages() []string { return []string{"vi", "en", "zh", "lo", "km"} }

func defaultScreen() Screen {
	return Screen{Languages: screenLanguages(), OfficerSide: "right", Sound: true, Start: "/run/bordergate-screen/start"}
}

func checkScreen(s Screen, status string, d *document) {
	d.oneOf("screen.officer_side", s.OfficerSide, "left", "right")
	if len(s.Languages) == 0 {
		d.fault("screen.languages", "names no language", "such as [vi, en]; the first is this crossing's")
	}
	for i, lang := range s.Languages {
		path := fmt.Sprintf("screen.languages[%d]", i)
		d.oneOf(path, lang, screenLanguages()...)
		if slices.Index(s.Languages, lang) < i {
			d.fault(path, "stands twice", "remove one of them")
		}
	}
	if !s.Present() {
		return
	}
	d.loopback("screen.listen", s.Listen)
	if s.Listen == status && !d.broken("screen.listen") && !strings.HasSuffix(s.Listen, ":0") {
		d.fault("screen.listen", "is the status page's too", "each has a port of its own, such as 127.0.0.1:7081")
	}
	d.filled("screen.start", s.Start)
}
