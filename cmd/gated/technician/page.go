package technician

// Tones of a row or a headline.
const (
	Good = "good"
	Warn = "warn"
	Bad  = "bad"
)

// Page is what the technician sees.
type Page struct {
	Gate      string // its id; empty where the configuration cannot be read
	Headline  string // how the gate is, in a few words
	Tone      string
	Simulated bool
	Sections  []Section
}

// Section is one table of the page.
type Section struct {
	ID    string // a word, the same at every look
	Title string
	Note  string // a sentence above the table; may be empty
	Head  []string
	Rows  []Row
}

// Row is one line of a section: a cell for each of its heads.
type Row struct {
	Tone  string // empty: neither well nor not
	Cells []string
}

// Shot is what a camera shows for alignment. Only a live one has a picture.
type Shot struct {
	Number  uint64      `json:"n"`
	Live    bool        `json:"live"`
	Why     string      `json:"why,omitempty"` // there is no picture
	JPEG    []byte      `json:"jpeg,omitempty"`
	Width   int         `json:"width,omitempty"` // of the frame, in whose pixels the outline is
	Height  int         `json:"height,omitempty"`
	Outline [][2]int    `json:"outline,omitempty"` // of the face, or of the symbol
	Found   string      `json:"found"`
	Tone    string      `json:"tone,omitempty"`
	Rules   []RuleValue `json:"rules,omitempty"`
}

// RuleValue is one value of a picture held to its limits.
type RuleValue struct {
	Rule  string `json:"rule"`
	Value string `json:"value"`
	Limit string `json:"limit"`
	OK    bool   `json:"ok"`
}
