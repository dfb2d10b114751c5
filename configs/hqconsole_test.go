package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A console is for this machine alone, or has a certificate.
func TestConsoleOfHeadquarters(t *testing.T) {
	const secure = ", certificate: c.pem, key: c.key"
	for text, want := range map[string]string{
		"{listen: \"127.0.0.1:8444\"}":                                           "",
		"{listen: \"localhost:8444\", gates: [lane-1, lane-2]}":                  "",
		"{listen: \"0.0.0.0:8444\"" + secure + "}":                               "",
		"{listen: \"0.0.0.0:8444\"}":                                             "console.listen takes officers from other machines without TLS",
		"{listen: \"0.0.0.0:8444\", certificate: c.pem}":                         "console.key is missing",
		"{listen: \"nowhere\"" + secure + "}":                                    "console.listen is not",
		"{gates: [lane-1]}":                                                      "console.listen is missing",
		"{listen: \"127.0.0.1:8444\", gates: [Lane]}":                            "console.gates[0] has a form that is not allowed",
		"{listen: \"127.0.0.1:8444\", gates: [a, a]}":                            "console.gates[1] is there twice",
		"{listen: \"127.0.0.1:8444\", idle: 10s}":                                "console.idle is not 1m to 8h",
		"{listen: \"127.0.0.1:8444\", answer_within: 2h}":                        "console.answer_within is not 10s to 1h",
		"{listen: \"127.0.0.1:8444\", answers: 1m}":                              "console.answers is not a key that is known here",
		"{listen: \"127.0.0.1:8444\", station: " + strings.Repeat("x", 81) + "}": "console.station is longer than 80 bytes",
	} {
		file := filepath.Join(t.TempDir(), "hq.yaml")
		if err := os.WriteFile(file, []byte("version: 1\nconsole: "+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, faults := LoadHQ(file)
		err := faults.Err()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), ": "+want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
