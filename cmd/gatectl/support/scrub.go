package support

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// gone stands where something was taken out.
const gone = "[…]"

// The shapes of what is taken out of any text, in this order.
var shapes = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?s)-----BEGIN [^-]*-----.*?(-----END [^-]*-----|$)`), gone},
	{regexp.MustCompile(`([a-z][a-z0-9+.-]*://)[^\s/@"']*@`), "${1}" + gone + "@"}, // name and password
	{regexp.MustCompile(`([a-z][a-z0-9+.-]*://[^\s?"']*)\?[^\s"']*`), "${1}?" + gone},
	{regexp.MustCompile(`[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)+`), gone},
	{regexp.MustCompile(`"[^"\n]*"|'[^'\n]*'|“[^”\n]*”`), `"` + gone + `"`},
	{regexp.MustCompile(`\b[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\b`), gone}, // a signed token
	{regexp.MustCompile(`\b(?:0x)?[0-9a-fA-F]{16,}\b`), gone},
	{regexp.MustCompile(`[A-Za-z0-9+/_-]{40,}={0,2}`), gone},
	{regexp.MustCompile(`\b[A-Z]{1,3}[0-9]{5,}\b|\b[0-9]{7,}\b`), gone}, // passports, passes, telephones
	{regexp.MustCompile(`[A-Z]{2,}<+[A-Z<]{2,}`), gone},                 // a name as machines read it
}

// Text is a text without what may name a person or open something.
func Text(s string) string {
	for _, shape := range shapes {
		s = shape.what.ReplaceAllString(s, shape.with)
	}
	return s
}

// plainKeys are keys of JSON and of log lines whose values are names of the
// code's own making, random, or hashes of what is public.
var plainKeys = []string{
	"tx", "config", "kid", "hash", "sha256", "fingerprint", "software", "version", "go", "at", "time", "wall", "issued", "accounts_issued", "digest",
}

// JSON scrubs every text in a document and leaves its form.
func JSON(doc []byte) ([]byte, error) {
	var v any
	if err := json.Unmarshal(doc, &v); err != nil {
		return nil, fmt.Errorf("scrub: it is no JSON: %w", err)
	}
	return json.MarshalIndent(scrub("", v), "", "  ")
}

// clean is what a plain key's value must look like to stay.
var clean = regexp.MustCompile(`^([0-9a-f]{8,64}|[0-9T:.Z+-]{4,40}|v?[0-9][0-9A-Za-z.+-]{0,40}|go1[0-9.]{0,8})$`)

// hiddenReasons must look like any other referral to whoever is not an officer.
var hiddenReasons = []string{"watchlist", "random_check"}

func scrub(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[Text(k)] = scrub(k, x)
		}
		return out
	case []any:
		for i, x := range v {
			v[i] = scrub(key, x)
		}
		return v
	case string:
		switch {
		case slices.Contains(hiddenReasons, v):
			return "hidden"
		case slices.Contains(plainKeys, key) && clean.MatchString(v):
			return v
		}
		return Text(v)
	}
	return v
}

// logKeys are the attributes of log lines that stay, scrubbed where they are
// free text.
var logKeys = []string{
	"time", "level", "msg", "part", "device", "camera", "worker", "error", "why", "fault", "kind", "status", "faults", "key", "from", "to", "of", "for",
	"stream", "percent", "seq", "count", "n", "away", "worker_ready", "last_error", "online", "on", "type", "version", "newest", "measure", "median",
	"reference", "class", "day", "code", "lamp", "limit", "do", "cause",
}

// attribute is one key=value of slog's text form.
var attribute = regexp.MustCompile(`([A-Za-z_.]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)`)

// LogLine is a line of the log without the values of keys that are not known
// here.
func LogLine(line string) string {
	var out []string
	for _, m := range attribute.FindAllStringSubmatch(line, -1) {
		key, value := m[1], m[2]
		if !slices.Contains(logKeys, key) {
			out = append(out, key+"="+gone)
			continue
		}
		var plain string
		if json.Unmarshal([]byte(value), &plain) != nil {
			plain = strings.Trim(value, `"`)
		}
		if key != "time" && key != "msg" {
			plain = Text(plain)
		}
		out = append(out, fmt.Sprintf("%s=%q", key, plain))
	}
	return strings.Join(out, " ")
}
