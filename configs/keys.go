package configs

import (
	"embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Limits are what a rule holds a key's value to. The rules state them
// themselves, so that no second list can say otherwise.
type Limits struct {
	Filled bool   // it may not be empty
	OneOf  []any  // the only values; nil: any
	Least  any    // of a range, with Most; nil: none
	Most   any    // both ends are allowed
	Form   string // in words; empty: any
}

// Key is one key of a gate's file.
type Key struct {
	Path    string // such as turnstile.inputs.ready; "[]" stands for a list's entries
	Type    string // text, bool, number, whole number, time or list
	Unit    string // of a number; empty for none
	Doc     string // what it is for, one sentence or more
	Default any    // as DefaultGate has it
	Limits
}

// Range is the limits in words, with their unit; empty where there are none.
func (k Key) Range() string {
	switch {
	case k.OneOf != nil:
		words := make([]string, len(k.OneOf))
		for i, v := range k.OneOf {
			words[i] = fmt.Sprint(v)
		}
		return "one of " + strings.Join(words, ", ")
	case k.Least != nil:
		return span(k.Path, k.Least, k.Most)
	case k.Form != "":
		return k.Form
	}
	return ""
}

// units are those of the numbers, by a key's last word: a length of time has
// its own.
func units() map[string]string {
	return map[string]string{
		"width": "pixels", "height": "pixels", "fps": "frames a second", "threads": "threads",
		"baud": "bit/s", "max_mib": "MiB",
	}
}

func unitOf(path string) string { return units()[path[strings.LastIndex(path, ".")+1:]] }

// span is a range in words.
func span(path string, low, high any) string {
	text := Show(low) + " to " + Show(high)
	if unit := unitOf(path); unit != "" {
		text += " " + unit
	}
	return text
}

// Show is a value as a file has it.
func Show(v any) string {
	d, ok := v.(time.Duration)
	if !ok {
		return fmt.Sprint(v)
	}
	text := d.String()
	for _, tail := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, tail) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// learn notes what a rule holds a key to. Rules that name a key twice add up.
func (d *document) learn(path string, l Limits) {
	if d.limits == nil {
		return
	}
	path = anyEntry(path)
	old := d.limits[path]
	old.Filled = old.Filled || l.Filled
	if l.OneOf != nil && old.OneOf == nil {
		old.OneOf = l.OneOf
	}
	if l.Least != nil {
		old.Least, old.Most = l.Least, l.Most
	}
	if l.Form != "" {
		old.Form = l.Form
	}
	d.limits[path] = old
}

// anyEntry is the path of every entry of a list.
func anyEntry(path string) string {
	if before, after, ok := strings.Cut(path, "["); ok {
		_, after, _ = strings.Cut(after, "]")
		return before + "[]" + after
	}
	return path
}

func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

// specimens are gates whose parts are all there once, so that every rule
// speaks.
func specimens() []Gate {
	with, newland := DefaultGate(), DefaultGate()
	with.Scanner.Dialect, with.Scanner.Port = "zebra", "/dev/gate/scanner"
	with.Screen.Listen = "127.0.0.1:0"
	with.Technician.Listen = "127.0.0.1:0"
	with.Trust.ListAge, with.Trust.TemplateKeys = time.Hour, "keys"
	with.Policy.KindMaxAge = KindMaxAge{Citizen: time.Hour, Foreigner: time.Hour, Organisation: time.Hour}
	with.Policy.PassTypes = []string{"border_pass"}
	lot, swing := DefaultGate(), DefaultGate()
	lot.Turnstile.Driver, swing.Turnstile.Driver = "lot", "swing7e"
	swing.Turnstile.Swing7E.Codes = []string{"gate 0"}
	newland.Turnstile.Profile = "own"
	newland.Technician = Technician{Listen: "192.0.2.1:7082", Cert: "cert", Key: "key"}
	newland.Scanner.Dialect = "newland"
	newland.Scanner.NewlandTrigger, newland.Scanner.NewlandQuery = "A", "A"
	return []Gate{lot, swing, with, newland}
}

// limits asks the rules of a gate's file what they hold each key to.
func limits() map[string]Limits {
	d := &document{places: map[string]place{}, limits: map[string]Limits{}}
	d.learn("version", Limits{OneOf: []any{1}})
	for _, g := range specimens() {
		d.faults = nil
		checkGate(&g, d)
	}
	return d.limits
}

// structs are the files that hold the structs of a gate's file: their comments
// say what each key is for.
//
//go:embed gate.go scanner.go screen.go technician.go turnstile.go
var structs embed.FS

// docs reads each field's comment, by struct and field.
func docs() (map[string]string, error) {
	out := map[string]string{}
	files, err := fs.Glob(structs, "*.go")
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		text, err := structs.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("read comments of %s: %w", name, err)
		}
		for _, decl := range file.Decls {
			if gen, ok := decl.(*ast.GenDecl); ok {
				docsOf(gen, out)
			}
		}
	}
	return out, nil
}

func docsOf(gen *ast.GenDecl, out map[string]string) {
	for _, spec := range gen.Specs {
		t, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		s, ok := t.Type.(*ast.StructType)
		if !ok {
			continue
		}
		out[t.Name.Name] = oneLine(gen.Doc.Text())
		for _, f := range s.Fields.List {
			text := oneLine(f.Doc.Text() + " " + f.Comment.Text())
			for _, n := range f.Names {
				out[t.Name.Name+"."+n.Name] = text
			}
		}
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// GateKeys are all keys of a gate's file in the order of its structs.
func GateKeys() ([]Key, error) {
	words, err := docs()
	if err != nil {
		return nil, err
	}
	w := walk{limits: limits(), docs: words}
	w.fields("", reflect.ValueOf(DefaultGate()))
	return w.keys, nil
}

// FindKey is the key that a path names, entries of a list included; where
// there is none, hint names the nearest.
func FindKey(keys []Key, path string) (k Key, hint string, ok bool) {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.Path == anyEntry(path) })
	if i >= 0 {
		return keys[i], "", true
	}
	known := make([]string, len(keys))
	for i, k := range keys {
		known[i] = k.Path
	}
	best, least := "", 1+len(path)/3
	for _, word := range known {
		if n := distance(strings.ToLower(path), word, least); n < least {
			best, least = word, n
		}
	}
	if best != "" {
		return Key{}, fmt.Sprintf("did you mean %q?", best), false
	}
	return Key{}, "see \"gatectl config explain FILE\" for all of them", false
}

// walk goes through the structs.
type walk struct {
	limits map[string]Limits
	docs   map[string]string
	keys   []Key
}

func (w *walk) fields(path string, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Tag.Get("yaml")
		if name == "" {
			continue
		}
		sub, doc := join(path, name), w.docs[v.Type().Name()+"."+f.Name]
		if f.Type.Kind() == reflect.Struct {
			w.fields(sub, v.Field(i))
			continue
		}
		w.add(sub, doc, v.Field(i))
		if f.Type.Kind() == reflect.Slice {
			w.add(sub+"[]", doc, reflect.Zero(f.Type.Elem()))
		}
	}
}

func (w *walk) add(path, doc string, v reflect.Value) {
	w.keys = append(w.keys, Key{
		Path: path, Type: typeOf(v.Type()), Unit: unitOf(path), Doc: doc, Default: v.Interface(), Limits: w.limits[path],
	})
}

func typeOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "time"
	case t.Kind() == reflect.Slice:
		return "list"
	case t.Kind() == reflect.Bool:
		return "bool"
	case t.Kind() == reflect.Float64:
		return "number"
	case t.Kind() == reflect.Int:
		return "whole number"
	}
	return "text"
}
