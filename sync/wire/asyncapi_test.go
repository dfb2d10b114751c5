package wire

import (
	"encoding"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// schema is the part of a JSON Schema that the document uses.
type schema struct {
	Type                 string            `yaml:"type"`
	Ref                  string            `yaml:"$ref"`
	Properties           map[string]schema `yaml:"properties"`
	Items                *schema           `yaml:"items"`
	AdditionalProperties *schema           `yaml:"additionalProperties"`
}

// document is the part of docs/asyncapi.yaml that the code is held to.
type document struct {
	Channels map[string]struct {
		Address    string `yaml:"address"`
		Parameters map[string]struct {
			Enum []string `yaml:"enum"`
		} `yaml:"parameters"`
		Messages map[string]struct {
			Ref string `yaml:"$ref"`
		} `yaml:"messages"`
	} `yaml:"channels"`
	Components struct {
		Messages map[string]struct {
			Name     string `yaml:"name"`
			Summary  string `yaml:"summary"`
			Headers  schema `yaml:"headers"`
			Payload  schema `yaml:"payload"`
			Role     Role   `yaml:"x-role"`
			Version  int    `yaml:"x-version"`
			Retained bool   `yaml:"x-retained"`
			Will     bool   `yaml:"x-will"`
		} `yaml:"messages"`
		Schemas map[string]schema `yaml:"schemas"`
	} `yaml:"components"`
}

func readDocument(t *testing.T) document {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := yaml.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDocumentNamesEveryTopicAndMessage holds the code to docs/asyncapi.yaml
// and the document to the code.
func TestDocumentNamesEveryTopicAndMessage(t *testing.T) {
	d := readDocument(t)
	var have, want []string
	for _, c := range d.Channels {
		for name, m := range c.Messages {
			if m.Ref != "#/components/messages/"+name {
				t.Errorf("channel %s refers to %s as %s", c.Address, m.Ref, name)
			}
			have = append(have, c.Address+" "+name)
		}
	}
	for _, k := range Kinds() {
		for _, topic := range k.Topics {
			want = append(want, topic+" "+k.Typ)
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("document:\n%s\ncode:\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
	if n := len(d.Components.Messages); n != len(Kinds()) {
		t.Errorf("document has %d messages, code %d", n, len(Kinds()))
	}
}

func TestDocumentDescribesEveryMessage(t *testing.T) {
	d := readDocument(t)
	for _, k := range Kinds() {
		m, ok := d.Components.Messages[k.Typ]
		if !ok {
			t.Errorf("%s is not in the document", k.Typ)
			continue
		}
		if m.Name != k.Typ || m.Summary == "" || m.Headers.Ref != "#/components/schemas/header" ||
			m.Role != k.Role || m.Version != k.Ver || m.Retained != k.Retained || m.Will != k.Will {
			t.Errorf("%s in the document: %+v", k.Typ, m)
		}
		compare(t, d, k.Typ, m.Payload, reflect.TypeOf(k.Payload))
	}
	compare(t, d, "header", d.Components.Schemas["header"], reflect.TypeFor[Header]())
	compare(t, d, "act", d.Components.Schemas["act"], reflect.TypeFor[Act]())
	compare(t, d, "change", d.Components.Schemas["change"], reflect.TypeFor[Change]())
}

func TestDocumentListsTheStreams(t *testing.T) {
	want := []string{}
	for _, s := range Streams() {
		want = append(want, s.String())
	}
	for name, c := range readDocument(t).Channels {
		p, ok := c.Parameters["stream"]
		if ok != strings.Contains(c.Address, "{stream}") || ok && !slices.Equal(p.Enum, want) {
			t.Errorf("channel %s: streams %v", name, p.Enum)
		}
	}
}

// compare holds a schema to a Go type, field by field.
func compare(t *testing.T, d document, at string, s schema, typ reflect.Type) {
	t.Helper()
	if s.Ref != "" {
		s = d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
	}
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if want := jsonType(typ); s.Type != want {
		t.Errorf("%s: document says %q, code %q", at, s.Type, want)
		return
	}
	switch {
	case s.Type == "array":
		compare(t, d, at+"[]", *s.Items, typ.Elem())
	case typ.Kind() == reflect.Map:
		compare(t, d, at+"{}", *s.AdditionalProperties, typ.Elem())
	case s.Type == "object":
		fields := fieldsOf(typ)
		if have, want := slices.Sorted(maps.Keys(s.Properties)), slices.Sorted(maps.Keys(fields)); !slices.Equal(have, want) {
			t.Errorf("%s: document has %v, code %v", at, have, want)
			return
		}
		for name, f := range fields {
			compare(t, d, at+"."+name, s.Properties[name], f)
		}
	}
}

func fieldsOf(typ reflect.Type) map[string]reflect.Type {
	out := make(map[string]reflect.Type)
	for f := range typ.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		out[name] = f.Type
	}
	return out
}

func jsonType(typ reflect.Type) string {
	if typ.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return "string"
	}
	switch typ.Kind() {
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Slice:
		if typ.Elem().Kind() == reflect.Uint8 {
			return "string" // base64
		}
		return "array"
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64, reflect.Uint8, reflect.Uint32, reflect.Uint64:
		return "integer"
	}
	return fmt.Sprintf("unknown %v", typ)
}
