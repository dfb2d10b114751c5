package configs

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxList is the most entries a list in a file may have.
const maxList = 1000

// decode sets what the mapping node holds in the struct that into points to.
// Fields that the file does not name keep their values.
func (d *document) decode(node *yaml.Node, into any) {
	d.value(node, "", reflect.ValueOf(into).Elem())
}

// value sets v from node. It recurses only as deep as the target type.
func (d *document) value(node *yaml.Node, path string, v reflect.Value) {
	d.places[path] = place{node.Line, node.Column, node.Value}
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		d.fault(path, "uses an anchor or an alias", "write the value out")
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(node, path, v)
	case reflect.Slice:
		d.list(node, path, v)
	default:
		d.scalar(node, path, v)
	}
}

func (d *document) mapping(node *yaml.Node, path string, v reflect.Value) {
	if node.Kind != yaml.MappingNode {
		d.fault(path, "must hold keys and values", "indent its keys below it: "+strings.Join(keys(v.Type()), ", "))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, val := node.Content[i], node.Content[i+1]
		sub := join(path, key.Value)
		field, ok := fieldOf(v, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode || !ok:
			d.add(Fault{
				Line: key.Line, Column: key.Column, Path: sub,
				Message: "is not a key that is known here", Hint: suggest(key.Value, keys(v.Type())),
			})
		case seen[key.Value]:
			d.add(Fault{Line: key.Line, Column: key.Column, Path: sub, Message: "stands here a second time", Hint: "keep one of them"})
		default:
			seen[key.Value] = true
			d.value(val, sub, field)
		}
	}
}

func (d *document) list(node *yaml.Node, path string, v reflect.Value) {
	if node.Kind == yaml.ScalarNode && v.Type() == reflect.TypeFor[PerChannel]() {
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		d.scalar(node, path, v.Index(0))
		return
	}
	if node.Kind != yaml.SequenceNode {
		d.fault(path, "must be a list", "write [a, b] or one entry a line after \"- \"")
		return
	}
	if len(node.Content) > maxList {
		d.fault(path, fmt.Sprintf("has more than %d entries", maxList), "")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content)))
	for i, entry := range node.Content {
		d.value(entry, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
	}
}

// scalar sets a string, bool, number or duration from its text as written.
func (d *document) scalar(node *yaml.Node, path string, v reflect.Value) {
	if node.Kind != yaml.ScalarNode {
		d.fault(path, "must be a single value", "")
		return
	}
	if node.ShortTag() == "!!null" && node.Style == 0 {
		d.fault(path, "has no value", "give one, or remove the key to have the default")
		return
	}
	if message, hint := setScalar(node, v); message != "" {
		d.fault(path, message, hint)
	}
}

// setScalar returns what is wrong with the value, empty for nothing.
func setScalar(node *yaml.Node, v reflect.Value) (message, hint string) {
	text := node.Value
	if v.Type() == reflect.TypeFor[time.Duration]() {
		span, err := time.ParseDuration(text)
		if err != nil {
			return "is not a length of time", "a number with its unit: 300ms, 8s, 72h"
		}
		v.SetInt(int64(span))
		return "", ""
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if node.ShortTag() != "!!bool" || (text != "true" && text != "false") {
			return "is neither true nor false", "write true or false, without quotes"
		}
		v.SetBool(text == "true")
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || v.OverflowInt(n) {
			return "is not a whole number", "digits only, without a unit"
		}
		v.SetInt(n)
	case reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
			return "is not a number", "such as 25, 0.45 or 1e-4"
		}
		v.SetFloat(x)
	default:
		return "is of a kind that cannot be read", ""
	}
	return "", ""
}

// fieldOf finds the field of the struct v that the file calls key.
func fieldOf(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("yaml") == key && key != "" {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

// keys lists what the file may call the fields of a struct.
func keys(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// suggest names the known word that is nearest to a wrong one, or all of them.
func suggest(wrong string, known []string) string {
	best, least := "", 1+max(1, min(len(wrong), 24)/3)
	for _, word := range known {
		if n := distance(strings.ToLower(wrong), word, least); n < least {
			best, least = word, n
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "known here: " + strings.Join(known, ", ")
}

// distance is the edit distance of two words; anything from limit on is limit.
func distance(a, b string, limit int) int {
	if len(a) > len(b)+limit || len(b) > len(a)+limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, diagonal+1, row[j]+1)
		}
	}
	return min(row[len(b)], limit)
}
