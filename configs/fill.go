package configs

import (
	_ "embed" // the shipped file
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// template is the shipped file, whose comments a new one keeps.
//
//go:embed gate.yaml
var template string

// FillGate is the shipped file of a gate with the given values in the places of
// its own, all else and every comment as it is. A key that the shipped file does
// not have, or whose value is not single, is an error. The result may still have
// faults: ask LoadGate.
func FillGate(values map[string]string) (string, error) {
	d := &document{file: "gate.yaml", places: map[string]place{}}
	root := d.root([]byte(template))
	if root == nil {
		return "", fmt.Errorf("fill in the shipped file: %w", d.faults)
	}
	g := DefaultGate()
	d.decode(root, &g)
	keys, err := GateKeys()
	if err != nil {
		return "", err
	}
	lines := strings.Split(template, "\n")
	paths := make([]string, 0, len(values))
	for path := range values {
		k, hint, known := FindKey(keys, path)
		if _, there := d.places[path]; !there || !known || k.Type == "list" {
			return "", fmt.Errorf("fill in %s: the shipped file has no such value (%s)", path, hint)
		}
		paths = append(paths, path)
	}
	// From the end of each line to its beginning, so that columns hold.
	slices.SortFunc(paths, func(a, b string) int { return d.places[b].column - d.places[a].column })
	for _, path := range paths {
		at := d.places[path]
		k, _, _ := FindKey(keys, path)
		line, from := lines[at.line-1], at.column-1
		lines[at.line-1] = line[:from] + written(k, values[path]) + line[from+width(line[from:], at.value):]
	}
	return strings.Join(lines, "\n"), nil
}

// width is how much of a line a value takes there.
func width(rest, value string) int {
	if strings.HasPrefix(rest, `"`) {
		return strings.Index(rest[1:], `"`) + 2
	}
	return len(value)
}

// plain is text that YAML takes for text wherever it stands.
var plain = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*$`)

// written is a value as a file has it.
func written(k Key, value string) string {
	if k.Type != "text" || plain.MatchString(value) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off"}, strings.ToLower(value)) {
		return value
	}
	return strconv.Quote(value)
}

// CheckGate gives every fault of a gate's file whose text is in hand; file is
// only named.
func CheckGate(file, text string) Faults {
	_, faults := parse(file, []byte(text), DefaultGate(), checkGate)
	return faults
}
