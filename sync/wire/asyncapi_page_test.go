package wire

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var updatePage = flag.Bool("wire.doc", false, "write docs/hq-interface.md anew")

// page is what docs/hq-interface.md tells of docs/asyncapi.yaml, which alone is
// the source.
type page struct {
	Info struct {
		Description string `yaml:"description"`
	} `yaml:"info"`
	Servers map[string]struct {
		Description string `yaml:"description"`
	} `yaml:"servers"`
	Channels map[string]struct {
		Address     string         `yaml:"address"`
		Description string         `yaml:"description"`
		Messages    map[string]any `yaml:"messages"`
	} `yaml:"channels"`
	Components struct {
		Messages map[string]struct {
			Summary  string `yaml:"summary"`
			Payload  field  `yaml:"payload"`
			Role     string `yaml:"x-role"`
			Version  int    `yaml:"x-version"`
			Retained bool   `yaml:"x-retained"`
			Will     bool   `yaml:"x-will"`
			Expires  string `yaml:"x-expires"`
		} `yaml:"messages"`
		Schemas map[string]field `yaml:"schemas"`
	} `yaml:"components"`
}

// field is a schema as a reader needs it; Properties keeps the file's order.
type field struct {
	Type        string    `yaml:"type"`
	Ref         string    `yaml:"$ref"`
	Format      string    `yaml:"format"`
	Encoding    string    `yaml:"contentEncoding"`
	Description string    `yaml:"description"`
	Enum        []string  `yaml:"enum"`
	Items       *field    `yaml:"items"`
	Values      *field    `yaml:"additionalProperties"`
	Properties  yaml.Node `yaml:"properties"`
}

// fields are an object's, in the order of the file.
func (f field) fields(t *testing.T) (names []string, list []field) {
	t.Helper()
	for i := 0; i+1 < len(f.Properties.Content); i += 2 {
		for _, n := range f.Properties.Content[i+1].Content {
			if n.Tag == "!!null" {
				t.Errorf("%s, line %d: a comma has ended a description: quote it", f.Properties.Content[i].Value, n.Line)
			}
		}
		var v field
		if err := f.Properties.Content[i+1].Decode(&v); err != nil {
			t.Fatal(err)
		}
		names, list = append(names, f.Properties.Content[i].Value), append(list, v)
	}
	return names, list
}

// kind is a field's type in words.
func (f field) kind() string {
	switch {
	case f.Ref != "":
		name := strings.TrimPrefix(f.Ref, "#/components/schemas/")
		return "[" + name + "](#schema-" + name + ")"
	case f.Type == "array" && f.Items != nil:
		return "list of " + f.Items.kind()
	case f.Values != nil:
		return "map of " + f.Values.kind()
	case f.Format == "binary":
		return "bytes"
	case f.Encoding != "":
		return f.Encoding
	}
	return f.Type
}

// cell is a text on one line of a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

// direction is who sends on a topic, and who hears it.
func direction(topic string) string {
	switch {
	case strings.HasPrefix(topic, Prefix+"up/"):
		return "gate to HQ"
	case strings.HasPrefix(topic, Prefix+"dn/"):
		return "HQ to one gate"
	default:
		return "HQ to all gates"
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "–"
}

// tableOf writes an object's fields, those of objects within it by their path.
func tableOf(t *testing.T, b *strings.Builder, f field) {
	t.Helper()
	b.WriteString("| field | type | what it is |\n| --- | --- | --- |\n")
	rowsOf(t, b, "", f)
}

func rowsOf(t *testing.T, b *strings.Builder, at string, f field) {
	t.Helper()
	names, list := f.fields(t)
	for i, v := range list {
		text := v.Description
		if len(v.Enum) > 0 {
			text = strings.TrimSpace(text + " One of `" + strings.Join(v.Enum, "`, `") + "`.")
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s |\n", at, names[i], v.kind(), cell(text))
		switch {
		case v.Items != nil:
			rowsOf(t, b, at+names[i]+"[].", *v.Items)
		case v.Values == nil:
			rowsOf(t, b, at+names[i]+".", v)
		}
	}
}

// interfacePage writes the whole page.
func interfacePage(t *testing.T, p page) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# The interface between gates and headquarters

Written from [asyncapi.yaml](asyncapi.yaml) by ` + "`go test ./sync/wire -run TestInterfacePage -wire.doc`" + `; a
test holds this page to that file, and others hold that file to the code. Change
the file, never this page. HQ is headquarters.

`)
	b.WriteString(strings.TrimSpace(p.Info.Description) + "\n\n## The broker\n\n")
	b.WriteString(strings.TrimSpace(p.Servers["headquarters"].Description) + "\n\n## Topics\n\n")
	b.WriteString("All at QoS 1 but `piece`. *Signed by*: the role whose key signs; `gate` is the gate's own. *Kept*: the broker keeps the\nlast one for whoever subscribes. *Will*: the broker sends it when the sender is gone. *Expires*: after so long HQ writes its\nend into the header; –: it does not expire, and its sequence or its connection says whether it is new.\n\n")
	b.WriteString("| topic | direction | message | signed by | kept | will | expires |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	type row struct{ topic, message, note string }
	var rows []row
	for _, c := range p.Channels {
		for name := range c.Messages {
			rows = append(rows, row{c.Address, name, c.Description})
		}
	}
	slices.SortFunc(rows, func(x, y row) int { return strings.Compare(x.topic+" "+x.message, y.topic+" "+y.message) })
	for _, r := range rows {
		m := p.Components.Messages[r.message]
		fmt.Fprintf(&b, "| `%s` | %s | [%s](#%s) %d | %s | %s | %s | %s |\n", r.topic, direction(r.topic), r.message, r.message, m.Version, m.Role, yes(m.Retained), yes(m.Will), cmp.Or(m.Expires, "–"))
	}
	b.WriteString("\n## Messages\n")
	for _, k := range Kinds() {
		m := p.Components.Messages[k.Typ]
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", k.Typ, cell(m.Summary))
		for _, r := range rows {
			if r.message == k.Typ && r.note != "" {
				fmt.Fprintf(&b, "On `%s`: %s\n\n", r.topic, cell(r.note))
			}
		}
		switch {
		case m.Payload.Ref != "":
			fmt.Fprintf(&b, "Payload: %s.\n", m.Payload.kind())
		case m.Payload.Type == "object":
			tableOf(t, &b, m.Payload)
		default:
			fmt.Fprintf(&b, "Payload: %s.\n", m.Payload.kind())
		}
	}
	b.WriteString("\n## What messages are made of\n")
	names := []string{"header", "cursor", "batch", "delta", "change", "act"}
	for name := range p.Components.Schemas {
		if !slices.Contains(names, name) {
			t.Errorf("schema %s has no place on the page", name)
		}
	}
	for _, name := range names {
		s := p.Components.Schemas[name]
		fmt.Fprintf(&b, "\n### schema %s\n\n", name)
		if s.Description != "" {
			fmt.Fprintf(&b, "%s\n\n", cell(s.Description))
		}
		tableOf(t, &b, s)
	}
	return b.String()
}

// TestInterfacePage holds docs/hq-interface.md to docs/asyncapi.yaml.
func TestInterfacePage(t *testing.T) {
	in, err := os.ReadFile(filepath.Join("..", "..", "docs", "asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var p page
	if err := yaml.Unmarshal(in, &p); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("..", "..", "docs", "hq-interface.md")
	want := interfacePage(t, p)
	if *updatePage {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Error("docs/hq-interface.md is not what docs/asyncapi.yaml says: go test ./sync/wire -run TestInterfacePage -wire.doc")
	}
	for _, k := range Kinds() {
		for _, topic := range k.Topics {
			if !strings.Contains(want, "| `"+topic+"` | ") {
				t.Errorf("the page has no row for %s", topic)
			}
		}
	}
}
