package configs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// GateSchema is the JSON Schema (draft 2020-12) of a gate's file, for editors:
// it is made of the same structs, comments and rules that LoadGate works by.
// What a schema cannot say, such as that two contacts may not share a channel,
// "gatectl config check" says.
func GateSchema() ([]byte, error) {
	keys, err := GateKeys()
	if err != nil {
		return nil, err
	}
	words, err := docs()
	if err != nil {
		return nil, err
	}
	byPath := map[string]Key{}
	for _, k := range keys {
		byPath[k.Path] = k
	}
	top := object(reflect.TypeFor[Gate](), "", byPath, words)
	top.Schema, top.Title = "https://json-schema.org/draft/2020-12/schema", "A gate's configuration"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(top); err != nil {
		return nil, fmt.Errorf("encode schema: %w", err)
	}
	return b.Bytes(), nil
}

// schema is what of JSON Schema is used here; the order of its fields is that
// of the file.
type schema struct {
	Schema      string     `json:"$schema,omitempty"`
	Title       string     `json:"title,omitempty"`
	Description string     `json:"description,omitempty"`
	Type        string     `json:"type"`
	Enum        []any      `json:"enum,omitempty"`
	Minimum     any        `json:"minimum,omitempty"`
	Maximum     any        `json:"maximum,omitempty"`
	MinLength   int        `json:"minLength,omitempty"`
	Pattern     string     `json:"pattern,omitempty"`
	Default     any        `json:"default,omitempty"`
	Items       *schema    `json:"items,omitempty"`
	Properties  properties `json:"properties,omitempty"`
	Required    []string   `json:"required,omitempty"`
	Additional  *bool      `json:"additionalProperties,omitempty"`
}

// property and properties keep the order of the structs.
type property struct {
	name string
	schema
}

type properties []property

// MarshalJSON writes an object whose members stand in their order.
func (p properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, one := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:", one.name)
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(one.schema); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func object(t reflect.Type, path string, keys map[string]Key, words map[string]string) schema {
	closed := false
	out := schema{Description: words[t.Name()], Type: "object", Additional: &closed}
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("yaml")
		if name == "" {
			continue
		}
		sub := join(path, name)
		var one schema
		if f.Type.Kind() == reflect.Struct {
			one = object(f.Type, sub, keys, words)
		} else {
			one = leaf(keys[sub])
		}
		if f.Type.Kind() == reflect.Slice {
			items := leaf(keys[sub+"[]"])
			items.Description, items.Default = "", nil
			one.Items = &items
		}
		if needed(keys, sub) {
			out.Required = append(out.Required, name)
		}
		out.Properties = append(out.Properties, property{name, one})
	}
	return out
}

// needed says whether a file must have a key, or one below it: it may not be
// empty and has no default. A part that a gate need not have needs nothing.
func needed(keys map[string]Key, path string) bool {
	if path == "version" {
		return true
	}
	switch part, _, _ := strings.Cut(path, "."); part {
	case "scanner", "screen", "technician":
		return false
	}
	for p, k := range keys {
		if (p == path || strings.HasPrefix(p, path+".")) && !strings.HasSuffix(p, "[]") &&
			(k.Filled && k.Default == "") && p != "trust.template_keys" {
			return true
		}
	}
	return false
}

// duration is what a length of time looks like; its limits are in the words.
const duration = `^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$|^0$`

func leaf(k Key) schema {
	s := schema{Description: k.Doc, Default: k.Default, Enum: k.OneOf}
	if r := k.Range(); r != "" && k.OneOf == nil {
		s.Description += " [" + r + "]"
	}
	if reflect.ValueOf(k.Default).IsZero() && k.Type != "bool" {
		s.Default = nil
	}
	switch k.Type {
	case "time":
		s.Type, s.Pattern, s.Default = "string", duration, Show(k.Default)
	case "list":
		s.Type = "array"
	case "bool":
		s.Type = "boolean"
	case "number", "whole number":
		s.Type = map[string]string{"number": "number", "whole number": "integer"}[k.Type]
		s.Minimum, s.Maximum = k.Least, k.Most
		if strings.HasPrefix(k.Path, "turnstile.inputs.") || strings.HasPrefix(k.Path, "turnstile.outputs.") {
			s.Minimum = NotWired
		}
	default:
		s.Type = "string"
		if k.Filled && k.OneOf == nil && !strings.HasPrefix(k.Path, "scanner.") && k.Path != "trust.template_keys" {
			s.MinLength = 1
		}
	}
	return s
}
