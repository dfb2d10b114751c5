package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"bordergate/configs"
)

func runConfigSchema(_ context.Context, e env, args []string) int {
	const words = "config schema"
	fs := newFlags(e, words)
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if len(rest) > 0 {
		return unable(e, words, errors.New("gatectl config schema takes no other words"))
	}
	text, err := configs.GateSchema()
	if err == nil {
		_, err = e.Out.Write(text)
	}
	if err != nil {
		return unable(e, words, err)
	}
	return exitDone
}

// runConfigDiff ends with 1 where the two differ.
func runConfigDiff(_ context.Context, e env, args []string) int {
	const words = "config diff"
	fs := newFlags(e, words)
	asJSON := fs.Bool("json", false, "a JSON object a line, on standard output")
	files, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if len(files) != 2 {
		return unable(e, words, errors.New("name two files: gatectl config diff A B [--json]"))
	}
	var gates [2]*configs.Gate
	for i, file := range files {
		g, faults := configs.LoadGate(file)
		if err := faults.Err(); err != nil {
			return unable(e, words, err)
		}
		gates[i] = g
	}
	changes := configs.DiffGate(gates[0], gates[1])
	enc := lineEncoder(e)
	for _, c := range changes {
		var err error
		if *asJSON {
			err = enc.Encode(c)
		} else {
			_, err = fmt.Fprintf(e.Out, "%s: %s -> %s (%s)\n", c.Path, blank(c.From), blank(c.To), onReload(c.Path))
		}
		if err != nil {
			return unable(e, words, fmt.Errorf("write result: %w", err))
		}
	}
	if len(changes) > 0 {
		return exitNegative
	}
	fmt.Fprintln(e.Err, "both files make the same gate")
	return exitDone
}

func lineEncoder(e env) *json.Encoder {
	enc := json.NewEncoder(e.Out)
	enc.SetEscapeHTML(false)
	return enc
}

func blank(s string) string {
	if s == "" {
		return "(empty)"
	}
	return s
}

// onReload says when a change of a key counts.
func onReload(path string) string {
	if configs.Reloads(path) {
		return "a running gate takes it up at SIGHUP, where it becomes no laxer"
	}
	return "at the next start"
}

// explained is what there is to say of one key.
type explained struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Source  string `json:"source"` // file, default or headquarters
	Line    int    `json:"line,omitempty"`
	File    string `json:"file_value,omitempty"` // where headquarters is stricter than the file
	Default string `json:"default"`
	Limits  string `json:"limits,omitempty"`
	Unit    string `json:"unit,omitempty"`
	Reload  bool   `json:"reload"` // a running gate takes up a change
	What    string `json:"what"`
}

func runConfigExplain(ctx context.Context, e env, args []string) int {
	const words = "config explain"
	fs := newFlags(e, words)
	config := fs.String("config", "", "the gate's configuration file; without it the defaults are told")
	asJSON := fs.Bool("json", false, "a JSON object a line, on standard output")
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if len(rest) > 0 && *config == "" && isFile(rest[0]) {
		*config, rest = rest[0], rest[1:]
	}
	if len(rest) == 0 && *config == "" {
		return unable(e, words, errors.New("name a key, a file, or both: gatectl config explain [KEY] [--config FILE]"))
	}
	list, err := explain(ctx, e, *config, rest)
	if err != nil {
		return unable(e, words, err)
	}
	enc := lineEncoder(e)
	for _, x := range list {
		if *asJSON {
			err = enc.Encode(x)
		} else {
			_, err = fmt.Fprint(e.Out, x.text(len(rest) > 0))
		}
		if err != nil {
			return unable(e, words, fmt.Errorf("write result: %w", err))
		}
	}
	return exitDone
}

func isFile(arg string) bool {
	info, err := os.Stat(arg)
	return err == nil && !info.IsDir() || strings.HasSuffix(arg, ".yaml")
}

// explain tells the named keys, or all, of a file or of the defaults.
func explain(ctx context.Context, e env, config string, names []string) ([]explained, error) {
	keys, err := configs.GateKeys()
	if err != nil {
		return nil, err
	}
	gate, places := configs.DefaultGate(), map[string]configs.Written{}
	var ruled map[string]string
	if config != "" {
		g, at, faults := configs.LoadGatePlaces(config)
		if err := faults.Err(); err != nil {
			return nil, err
		}
		gate, places = *g, at
		ruled = headquartersRules(ctx, e, g)
	}
	values := map[string]string{}
	for _, v := range configs.GateValues(&gate) {
		values[v.Path] = configs.Show(v.Value)
	}
	want := map[string]bool{}
	for _, n := range names {
		k, hint, ok := configs.FindKey(keys, n)
		if !ok && !section(keys, n) {
			return nil, fmt.Errorf("no key %q: %s", n, hint)
		}
		want[n], want[k.Path] = true, true
	}
	var out []explained
	for _, k := range keys {
		if strings.HasSuffix(k.Path, "[]") || len(names) > 0 && !wanted(want, k.Path) {
			continue
		}
		x := explained{
			Key: k.Path, Value: values[k.Path], Source: "default", Default: configs.Show(k.Default),
			Limits: k.Range(), Unit: k.Unit, Reload: configs.Reloads(k.Path), What: k.Doc,
		}
		if at, ok := places[k.Path]; ok {
			x.Source, x.Line = "file", at.Line
		}
		if v, ok := ruled[k.Path]; ok && v != x.Value {
			x.File, x.Value, x.Source = x.Value, v, "headquarters"
		}
		out = append(out, x)
	}
	return out, nil
}

// section says whether a name is the beginning of several keys.
func section(keys []configs.Key, name string) bool {
	for _, k := range keys {
		if strings.HasPrefix(k.Path, name+".") {
			return true
		}
	}
	return false
}

func wanted(want map[string]bool, path string) bool {
	for p := path; p != ""; p = p[:max(strings.LastIndex(p, "."), 0)] {
		if want[p] {
			return true
		}
	}
	return false
}

// headquartersRules are the values that headquarters' signed policy sets where
// it is stricter than the file. Only the running gate knows them.
func headquartersRules(ctx context.Context, e env, g *configs.Gate) map[string]string {
	c := newControlClient(g.Paths.Control)
	if !c.alive(ctx) {
		fmt.Fprintln(e.Err, "gated does not run here: where headquarters' signed policy is stricter is not told")
		return nil
	}
	doc, err := c.get(ctx, "/v1/config")
	var out struct {
		Rules map[string]string `json:"headquarters"`
	}
	if err == nil {
		err = json.Unmarshal(doc, &out)
	}
	if err != nil {
		fmt.Fprintf(e.Err, "gated did not tell what headquarters' policy says: %v\n", err)
	}
	return out.Rules
}

// text is a line, or with more a few.
func (x explained) text(more bool) string {
	from := x.Source
	switch {
	case x.Line > 0 && x.File == "":
		from = fmt.Sprintf("line %d", x.Line)
	case x.File != "":
		from = fmt.Sprintf("headquarters' policy; the file says %s", blank(x.File))
	}
	if !more {
		return fmt.Sprintf("%-36s %-28s %s\n", x.Key, blank(x.Value), from)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s (%s)\n", x.Key, blank(x.Value), from)
	for _, l := range []struct{ name, text string }{{"for", x.What}, {"limits", x.Limits}, {"unit", x.Unit}, {"default", blank(x.Default)}} {
		if l.text != "" {
			fmt.Fprintf(&b, "  %-8s %s\n", l.name, l.text)
		}
	}
	fmt.Fprintf(&b, "  %-8s %s\n", "change", onReload(x.Key))
	return b.String()
}
